/* SPDX-License-Identifier: Apache-2.0 */
/* See list_filter.h. Source: Engine API, GET /containers/json, and moby's daemon/list.go for what it does not say. */
#include "container/list_filter.h"
#include "container/health.h"
#include "base/cleanup.h"
#include "base/filter.h"
#include "base/mem.h"
#include "base/thread.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
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

/* As by moby: the name itself or a regular expression (POSIX's, where moby's are Go's), with and without the slash. */
static bool by_name(const struct container *c, const char *v)
{
	auto_str slashed = STR_INIT;
	regex_t re;
	bool hit;

	str_printf(&slashed, "/%s", c->name);
	if (streq(v, c->name) || streq(v, str_cstr(&slashed)))
		return true;
	if (regcomp(&re, v, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	hit = regexec(&re, str_cstr(&slashed), 0, NULL, 0) == 0 ||
	      regexec(&re, c->name, 0, NULL, 0) == 0;
	regfree(&re);
	return hit;
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

	if (streq(c->image_name, v) || (id && n >= 4 && str_after(id, v)) ||
	    (n > strlen("sha256:") && str_after(c->image_id, v)))
		return true;
	return (!strncmp(c->image_name, v, n) && streq(c->image_name + n, ":latest")) ||
	       (str_ends(v, ":latest") && strlen(c->image_name) == n - 7 &&
		!strncmp(c->image_name, v, n - 7));
}

/* A port filter: "80", "80/tcp", "80-90/udp". */
struct port_range {
	unsigned int low, high;
	const char *proto;
};

static int parse_port(const char *name, const char *value, const char *text, unsigned int *out,
		      struct error *err)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*out = (unsigned int)n;
	if (!isdigit((unsigned char)*text) || *end)
		return error_set(err, ERR_SYSTEM,
				 "error while looking up for %s %s: strconv.ParseUint: parsing "
				 "\"%s\": invalid syntax",
				 name, value, text);
	if (n > 65535)
		return error_set(err, ERR_SYSTEM,
				 "error while looking up for %s %s: strconv.ParseUint: parsing "
				 "\"%s\": value out of range",
				 name, value, text);
	return 0;
}

static int parse_ports(const char *name, const char *value, struct port_range *out,
		       struct error *err)
{
	auto_free char *ports = xstrdup(value);
	char *slash = strchr(ports, '/'), *dash;

	if (strchr(value, ':'))
		return error_set(err, ERR_SYSTEM, "filter for '%s' should not contain ':': %s",
				 name, value);
	out->proto = slash && slash[1] ? value + (slash - ports) + 1 : "tcp";
	if (slash)
		*slash = 0;
	if (!*ports)
		return error_set(err, ERR_SYSTEM,
				 "error while looking up for %s %s: Empty string specified for "
				 "ports.",
				 name, value);
	dash = strchr(ports, '-');
	if (dash)
		*dash = 0;
	if (parse_port(name, value, ports, &out->low, err) < 0 ||
	    parse_port(name, value, dash ? dash + 1 : ports, &out->high, err) < 0)
		return -1;
	if (out->high < out->low)
		return error_set(err, ERR_SYSTEM,
				 "error while looking up for %s %s: Invalid range specified for "
				 "the Port: %s-%s",
				 name, value, ports, dash + 1);
	return 0;
}

static bool port_in(const json *filter, const char *name, uint16_t port, const char *proto)
{
	for (json *v = json_first(filter); v; v = json_next(v)) {
		struct error never = ERROR_INIT; /* they were checked */
		struct port_range r;

		if (parse_ports(name, value_of(filter, v), &r, &never) == 0 && port >= r.low &&
		    port <= r.high && streq(proto, r.proto))
			return true;
	}
	return false;
}

/* One hit of either filter is enough, among the ports that the list shows; one that is not published has 0 as its port of the host. */
static bool by_ports(const struct container *c, const json *publish, const json *expose)
{
	size_t n = networks_may_publish(c) ? c->ports.n : 0;
	const struct network_port *p;

	if (!json_count(publish) && !json_count(expose))
		return true;
	for (size_t i = 0; (p = networks_port(c, i)); i++)
		if (port_in(publish, "publish", p->host_port, p->proto) ||
		    port_in(expose, "expose", p->container_port, p->proto))
			return true;
	for (size_t i = 0; i < n; i++) {
		const struct spec_port *q = &c->ports.v[i];

		if (port_in(expose, "expose", q->container_port, q->proto) ||
		    (!q->published && port_in(publish, "publish", 0, q->proto)))
			return true;
	}
	return false;
}

static bool by_health(const struct container *c, const char *v)
{
	return streq(v, health_status(c));
}

static int check_one_of(const json *filters, const char *name, const char *const *words,
			const char *what, struct error *err)
{
	const json *f = json_get(filters, name);
	auto_str all = STR_INIT;

	for (size_t i = 0; words[i]; i++)
		str_printf(&all, "%s%s", i ? ", " : "", words[i]);
	for (json *v = json_first(f); v; v = json_next(v)) {
		bool ok = false;

		for (size_t i = 0; words[i]; i++)
			ok = ok || streq(words[i], value_of(f, v));
		if (!ok)
			return error_set(err, ERR_INVALID,
					 "invalid filter '%s=%s': invalid value for %s (%s): must "
					 "be one of %s",
					 name, value_of(f, v), what, value_of(f, v),
					 str_cstr(&all));
	}
	return 0;
}

static bool has_value(const json *filter, const char *a, const char *b)
{
	for (json *v = json_first(filter); v; v = json_next(v))
		if (streq(value_of(filter, v), a) || streq(value_of(filter, v), b))
			return true;
	return false;
}

static bool wants_tasks(const json *filter)
{
	return has_value(filter, "true", "1");
}

/* Yes or no, not both; what else is said beside one of them counts for nothing. */
static int check_is_task(const json *f, struct error *err)
{
	auto_str all = STR_INIT;

	if (!f || wants_tasks(f) != has_value(f, "false", "0"))
		return 0;
	for (json *v = json_first(f); v; v = json_next(v))
		str_printf(&all, "%s%s", all.len ? " " : "", value_of(f, v));
	return json_count(f)
		   ? error_set(err, ERR_INVALID, "invalid filter 'is-task=[%s]'", str_cstr(&all))
		   : error_set(err, ERR_INVALID, "invalid filter 'is-task'");
}

static int check_values(const json *filters, struct error *err)
{
	static const char *const states[] = {"created",  "running", "paused", "restarting",
					     "removing", "exited",  "dead",   NULL};
	static const char *const healths[] = {"none", "starting", "healthy", "unhealthy", NULL};
	static const char *const ports[] = {"publish", "expose"};
	const json *f = json_get(filters, "exited");
	struct port_range ignored;

	if (check_is_task(json_get(filters, "is-task"), err) < 0)
		return -1;
	for (json *v = json_first(f); v; v = json_next(v)) {
		const char *text = value_of(f, v);
		char *end;

		errno = 0;
		strtol(text, &end, 10);
		if (*end || end == text || errno || isspace((unsigned char)*text))
			return error_set(
			    err, ERR_INVALID,
			    "invalid filter 'exited=%s': strconv.Atoi: parsing \"%s\": %s", text,
			    text, errno == ERANGE ? "value out of range" : "invalid syntax");
	}
	if (check_one_of(filters, "status", states, "state", err) < 0)
		return -1;
	if (check_one_of(filters, "health", healths, "health", err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		f = json_get(filters, ports[i]);
		for (json *v = json_first(f); v; v = json_next(v))
			if (parse_ports(ports[i], value_of(f, v), &ignored, err) < 0)
				return -1;
	}
	return 0;
}

static bool is_beginning(struct container *c, const char *name)
{
	LOCK_SCOPE(&c->lock);

	return str_after(c->id, name) && !streq(c->id, name) && !streq(c->name, name);
}

/* By name or id; here, unlike elsewhere, the beginning of an id means nothing. */
static int creation_of(const json *filter, int64_t *out, struct error *err)
{
	for (json *v = json_first(filter); v; v = json_next(v)) {
		const char *name = value_of(filter, v);
		auto_container *c = *name ? container_find(name, err) : NULL;

		if (!*name || (c && is_beginning(c, name)))
			return error_set(err, ERR_NOT_FOUND, "No such container: %s", name);
		if (!c)
			return -1;
		*out = c->created;
	}
	return 0;
}

/* A beginning of several ids means none of them, and names are no ids. */
static void find_ids(const json *filter, struct strlist *ids)
{
	for (json *v = json_first(filter); v; v = json_next(v)) {
		struct error none = ERROR_INIT;
		struct container *c = container_find(value_of(filter, v), &none);

		if (!c)
			continue;
		if (str_after(c->id, value_of(filter, v)))
			strlist_add(ids, c->id);
		container_unref(c);
	}
}

void list_filter_free(struct list_filter *f)
{
	strlist_free(&f->ids);
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
	find_ids(json_get(how->filters, "id"), &out->ids);
	if (json_count(json_get(how->filters, "status")))
		out->all =
		    true; /* of all filters, this one alone asks about containers that do not run */
	return 0;
}

bool list_filter_match(const struct list_filter *f, const struct container *c)
{
	const json *j = f->filters;

	if (!f->all && !c->state.running)
		return false;
	if (wants_tasks(json_get(j, "is-task")))
		return false; /* nothing here belongs to a service */
	if (c->created >= f->before || c->created <= f->since)
		return false;
	if (json_count(json_get(j, "id")) && !strlist_has(&f->ids, c->id))
		return false;
	return any(json_get(j, "name"), c, by_name) && any(json_get(j, "status"), c, by_status) &&
	       any(json_get(j, "exited"), c, by_exited) &&
	       all_of(json_get(j, "label"), c, by_label) &&
	       any(json_get(j, "network"), c, by_network) &&
	       any(json_get(j, "volume"), c, by_volume) &&
	       any(json_get(j, "ancestor"), c, by_ancestor) &&
	       by_ports(c, json_get(j, "publish"), json_get(j, "expose")) &&
	       any(json_get(j, "health"), c, by_health);
}
