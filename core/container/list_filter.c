/* SPDX-License-Identifier: Apache-2.0 */
/* See list_filter.h. Source: Engine API, GET /containers/json, and moby's daemon/list.go for what it does not say. */
#include "container/list_filter.h"
#include "container/health.h"
#include "base/filter.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const known[] = {"ancestor", "before",    "expose",  "exited", "health",
				    "id",       "isolation", "is-task", "label",  "name",
				    "network",  "publish",   "since",   "status", "volume"};

static const char *value_of(const json *filter, const json *v)
{
	return json_type(filter) == JSON_OBJECT ? json_name(v) : json_str(v, "");
}

static bool any(const json *filter, const struct container *c,
		bool (*match)(const struct container *, const char *))
{
	if (!json_count(filter))
		return true;
	for (json *v = json_first(filter); v; v = json_next(v))
		if (match(c, value_of(filter, v)))
			return true;
	return false;
}

static bool all_of(const json *filter, const struct container *c,
		   bool (*match)(const struct container *, const char *))
{
	for (json *v = json_first(filter); v; v = json_next(v))
		if (!match(c, value_of(filter, v)))
			return false;
	return true;
}

static bool by_id(const struct container *c, const char *v)
{
	return str_after(c->id, v) != NULL;
}

static bool by_name(const struct container *c, const char *v)
{
	/* moby matches a regular expression; nearly everybody sends a plain part of the name, or anchors it */
	const char *start = *v == '^' ? v + 1 : v;
	size_t len = strlen(start);
	bool end = len && start[len - 1] == '$';
	auto_str slashed = STR_INIT;

	str_printf(&slashed, "/%s", c->name);
	if (*v == '^') {
		const char *name = *start == '/' ? str_cstr(&slashed) : c->name;

		return end ? strlen(name) == len - 1 && !strncmp(name, start, len - 1)
			   : !strncmp(name, start, len);
	}
	if (end) {
		size_t n = slashed.len;

		return n >= len - 1 && !memcmp(slashed.p + n - (len - 1), start, len - 1);
	}
	return strstr(str_cstr(&slashed), v) != NULL;
}

static bool by_status(const struct container *c, const char *v)
{
	return streq(container_state_name(c), v);
}

static bool by_exited(const struct container *c, const char *v)
{
	return !c->state.running && c->state.started != INT64_MIN && c->state.exit_code == atoi(v);
}

static bool by_label(const struct container *c, const char *v)
{
	return filter_label(&c->labels, v);
}

static bool by_network(const struct container *c, const char *v)
{
	for (size_t i = 0; i < c->n_networks; i++)
		if (streq(c->networks[i].name, v) ||
		    (*c->networks[i].ep.network_id && str_after(c->networks[i].ep.network_id, v)))
			return true;
	return false;
}

static bool by_volume(const struct container *c, const char *v)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (streq(c->mounts[i].destination, v) ||
		    (c->mounts[i].name && streq(c->mounts[i].name, v)) ||
		    streq(c->mounts[i].source, v))
			return true;
	return false;
}

static bool by_ancestor(const struct container *c, const char *v)
{
	size_t n = strlen(v);
	const char *id = str_after(c->image_id, "sha256:");

	if (streq(c->image_name, v) || streq(c->image_id, v) || (id && n >= 4 && str_after(id, v)))
		return true;
	return (!strncmp(c->image_name, v, n) && streq(c->image_name + n, ":latest")) ||
	       (str_ends(v, ":latest") && strlen(c->image_name) == n - 7 &&
		!strncmp(c->image_name, v, n - 7));
}

/* "80", "80/tcp", "80-90/udp" */
static bool port_in(const char *range, uint16_t port, const char *proto)
{
	unsigned int lo, hi;
	const char *slash = strchr(range, '/');

	if (sscanf(range, "%u-%u", &lo, &hi) != 2) {
		if (sscanf(range, "%u", &lo) != 1)
			return false;
		hi = lo;
	}
	return port >= lo && port <= hi && streq(proto, slash ? slash + 1 : "tcp");
}

static bool by_publish(const struct container *c, const char *v)
{
	const struct network_port *p;

	for (size_t i = 0; (p = networks_port(c, i)); i++)
		if (port_in(v, p->container_port, p->proto) || port_in(v, p->host_port, p->proto))
			return true;
	return false;
}

static bool by_expose(const struct container *c, const char *v)
{
	struct error err = ERROR_INIT;
	json *config = json_parse(c->config, strlen(c->config), &err);
	bool hit = false;

	for (json *p = json_first(json_get(config, "ExposedPorts")); p; p = json_next(p)) {
		const char *slash = strchr(json_name(p), '/');

		hit = hit || port_in(v, (uint16_t)atoi(json_name(p)), slash ? slash + 1 : "tcp");
	}
	json_free(config);
	return hit;
}

static bool by_health(const struct container *c, const char *v)
{
	return streq(v, health_status(c));
}

static int check_values(const json *filters, struct error *err)
{
	static const char *const states[] = {"created",  "running", "paused", "restarting",
					     "removing", "exited",  "dead"};
	const json *f = json_get(filters, "status");

	for (json *v = json_first(f); v; v = json_next(v)) {
		bool ok = false;

		for (size_t i = 0; i < ARRAY_LEN(states); i++)
			ok = ok || streq(states[i], value_of(f, v));
		if (!ok)
			return error_set(err, ERR_INVALID,
					 "invalid value for state (%s): must be one of created, "
					 "running, paused, restarting, removing, exited, dead",
					 value_of(f, v));
	}
	f = json_get(filters, "exited");
	for (json *v = json_first(f); v; v = json_next(v)) {
		char *end;

		strtol(value_of(f, v), &end, 10);
		if (*end || end == value_of(f, v))
			return error_set(err, ERR_INVALID, "invalid filter 'exited=%s'",
					 value_of(f, v));
	}
	return 0;
}

static int creation_of(const json *filter, int64_t *out, struct error *err)
{
	for (json *v = json_first(filter); v; v = json_next(v)) {
		struct container *c = container_find(value_of(filter, v), err);

		if (!c)
			return -1;
		*out = c->created;
		container_unref(c);
	}
	return 0;
}

int list_filter_parse(const struct container_list *how, struct list_filter *out, struct error *err)
{
	*out = (struct list_filter){.filters = how->filters,
				    .all = how->all || how->limit > 0,
				    .before = INT64_MAX,
				    .since = INT64_MIN};
	for (json *f = json_first(how->filters); f; f = json_next(f)) {
		bool ok = false;

		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			ok = ok || streq(known[i], json_name(f));
		if (!ok)
			return error_set(err, ERR_INVALID, "invalid filter '%s'", json_name(f));
	}
	if (check_values(how->filters, err) < 0 ||
	    creation_of(json_get(how->filters, "before"), &out->before, err) < 0 ||
	    creation_of(json_get(how->filters, "since"), &out->since, err) < 0)
		return -1;
	if (json_count(json_get(how->filters, "status")) ||
	    json_count(json_get(how->filters, "exited")) || out->before != INT64_MAX ||
	    out->since != INT64_MIN)
		out->all = true; /* they ask about containers that do not run */
	return 0;
}

bool list_filter_match(const struct list_filter *f, const struct container *c)
{
	const json *j = f->filters;

	if (!f->all && !c->state.running)
		return false;
	if (c->created >= f->before || c->created <= f->since)
		return false;
	return any(json_get(j, "id"), c, by_id) && any(json_get(j, "name"), c, by_name) &&
	       any(json_get(j, "status"), c, by_status) &&
	       any(json_get(j, "exited"), c, by_exited) &&
	       all_of(json_get(j, "label"), c, by_label) &&
	       any(json_get(j, "network"), c, by_network) &&
	       any(json_get(j, "volume"), c, by_volume) &&
	       any(json_get(j, "ancestor"), c, by_ancestor) &&
	       any(json_get(j, "publish"), c, by_publish) &&
	       any(json_get(j, "expose"), c, by_expose) && any(json_get(j, "health"), c, by_health);
}
