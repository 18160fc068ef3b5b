/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as moby's JSON: GET /networks, GET /networks/{id}. */
#include "network/network_int.h"
#include "base/filter.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>

static void print_subnet(const struct net *n, const struct net_subnet *s, struct jw *w)
{
	char text[IPAM_PREFIX_TEXT];

	jw_obj(w);
	ipam_format_net(s->subnet, text);
	jw_kstr(w, "Subnet", text);
	if (s->has_range && (s->asked || n->is_default)) {
		ipam_format_net(s->range, text);
		jw_kstr(w, "IPRange", text);
	}
	if (s->gateway.bits && (s->gateway_asked || !s->asked)) {
		ip_format(s->gateway, text);
		jw_kstr(w, "Gateway", text);
	}
	if (s->auxiliary.n)
		jw_kpairs(w, "AuxiliaryAddresses", &s->auxiliary, false);
	jw_end(w);
}

/* What was asked for first, then what was chosen: moby's order. */
static void print_ipam(const struct net *n, struct jw *w)
{
	jw_kobj(w, "IPAM");
	jw_kstr(w, "Driver", n->ipam_driver ? n->ipam_driver : "default");
	jw_kpairs(w, "Options", &n->ipam_options, !n->ipam_options_given);
	if (!n->n_subnets) {
		jw_knull(w, "Config");
		jw_end(w);
		return;
	}
	jw_karr(w, "Config");
	for (int asked = 1; asked >= 0; asked--)
		for (size_t i = 0; i < n->n_subnets; i++)
			if (n->subnets[i].asked == asked)
				print_subnet(n, &n->subnets[i], w);
	jw_end(w);
	jw_end(w);
}

static int by_container(const void *a, const void *b)
{
	const struct net_endpoint *const *x = a, *const *y = b;

	return strcmp((*x)->container_id, (*y)->container_id);
}

static void print_endpoint(const struct net_endpoint *e,
			   const char *(*container_name)(const char *id, char buf[256]),
			   struct jw *w)
{
	static const char *const members[2] = {"IPv4Address", "IPv6Address"};
	char buf[256] = "", ip[IP_TEXT], with_len[IPAM_PREFIX_TEXT];
	const char *name = container_name ? container_name(e->container_id, buf) : "";

	jw_kobj(w, e->container_id);
	jw_kstr(w, "Name", name);
	jw_kstr(w, "EndpointID", e->id);
	jw_kstr(w, "MacAddress", e->mac);
	for (int v6 = 0; v6 < 2; v6++) {
		with_len[0] = '\0';
		ip_format(e->addr[v6].addr, ip);
		if (*ip)
			snprintf(with_len, sizeof(with_len), "%s/%d", ip, e->addr[v6].len);
		jw_kstr(w, members[v6], with_len);
	}
	jw_end(w);
}

/* The table is copied first: container_name may take locks of its own. */
static void print_containers(const struct net *n,
			     const char *(*container_name)(const char *id, char buf[256]),
			     struct jw *w)
{
	struct net_endpoint **sorted = NULL, *copies = NULL;
	struct map_entry *m;
	size_t count = 0;

	pthread_mutex_lock(&network_lock);
	if (n->endpoints.n) {
		copies = calloc(n->endpoints.n, sizeof(*copies));
		sorted = calloc(n->endpoints.n, sizeof(*sorted));
	}
	for (size_t i = 0; copies && sorted && (m = map_next(&n->endpoints, &i));) {
		copies[count] = *(struct net_endpoint *)m->value;
		sorted[count] = &copies[count];
		count++;
	}
	pthread_mutex_unlock(&network_lock);
	if (count)
		qsort(sorted, count, sizeof(*sorted), by_container);
	for (size_t i = 0; i < count; i++)
		print_endpoint(sorted[i], container_name, w);
	free(sorted);
	free(copies);
}

static void print_one(const struct net *n, bool containers,
		      const char *(*container_name)(const char *id, char buf[256]), struct jw *w)
{
	jw_obj(w);
	jw_kstr(w, "Name", n->name);
	jw_kstr(w, "Id", n->id);
	jw_ktime(w, "Created", n->created);
	jw_kstr(w, "Scope", "local");
	jw_kstr(w, "Driver", n->config_only ? "null" : n->driver_name);
	jw_kbool(w, "EnableIPv4", n->ipv4);
	jw_kbool(w, "EnableIPv6", n->ipv6);
	print_ipam(n, w);
	jw_kbool(w, "Internal", n->internal);
	jw_kbool(w, "Attachable", n->attachable);
	jw_kbool(w, "Ingress", false);
	jw_kobj(w, "ConfigFrom");
	jw_kstr(w, "Network", n->config_from);
	jw_end(w);
	jw_kbool(w, "ConfigOnly", n->config_only);
	jw_kobj(w, "Containers");
	if (containers)
		print_containers(n, container_name, w);
	jw_end(w);
	jw_kpairs(w, "Options", &n->options, false);
	jw_kpairs(w, "Labels", &n->labels, false);
	jw_end(w);
}

/* ---- filters ------------------------------------------------------------------------------------------------------------------------------ */

static int check_filters(const json *filters, struct error *err)
{
	static const char *const known[] = {"dangling", "driver", "id",   "label",
					    "name",     "scope",  "type", NULL};

	if (filter_check(filters, known, err) < 0)
		return -1;
	for (json *f = json_first(filters); f; f = json_next(f)) {
		auto_strlist values = STRLIST_INIT;
		const char *name = json_name(f);

		filter_values(filters, name, &values);
		for (size_t i = 0; i < values.n; i++) {
			const char *v = values.v[i];

			if (streq(name, "type") && !streq(v, "builtin") && !streq(v, "custom"))
				return error_set(err, ERR_SYSTEM, "invalid filter: 'type'='%s'", v);
			if (streq(name, "dangling") && !streq(v, "true") && !streq(v, "1") &&
			    !streq(v, "false") && !streq(v, "0"))
				return error_set(err, ERR_INVALID,
						 "invalid value for filter 'dangling', must be "
						 "\"true\" (or \"1\"), or "
						 "\"false\" (or \"0\")");
		}
	}
	return 0;
}

/* Nobody uses it; the daemon's own never are. */
static bool is_dangling(const struct net *n)
{
	LOCK_SCOPE(&network_lock);

	return !n->predefined && !n->endpoints.n;
}

static bool value_fits(const struct net *n, const char *filter, const char *v)
{
	if (streq(filter, "name"))
		return strstr(n->name, v) != NULL;
	if (streq(filter, "id"))
		return strstr(n->id, v) != NULL;
	if (streq(filter, "driver"))
		return streq(n->driver_name, v);
	if (streq(filter, "scope"))
		return streq("local", v);
	if (streq(filter, "type"))
		return streq(v, n->predefined ? "builtin" : "custom");
	if (streq(filter, "dangling"))
		return is_dangling(n) == (streq(v, "true") || streq(v, "1"));
	return false;
}

static bool fits(const struct net *n, const json *filters)
{
	for (json *f = json_first(filters); f; f = json_next(f)) {
		auto_strlist values = STRLIST_INIT;
		bool any = false;

		if (streq(json_name(f), "label"))
			continue;
		filter_values(filters, json_name(f), &values);
		for (size_t i = 0; i < values.n && !any; i++)
			any = value_fits(n, json_name(f), values.v[i]);
		if (values.n && !any)
			return false;
	}
	return filter_labels(&n->labels, filters);
}

int network_print_list(const struct network_list_filter *f,
		       const char *(*container_name)(const char *id, char buf[256]), struct jw *w,
		       struct error *err)
{
	const json *filters = f ? f->filters : NULL;
	struct net **all;
	size_t n;

	if (check_filters(filters, err) < 0)
		return -1;
	jw_arr(w);
	all = network_all(&n);
	for (size_t i = 0; i < n; i++) {
		if (fits(all[i], filters))
			print_one(all[i], f && f->containers, container_name, w);
		net_unref(all[i]);
	}
	free(all);
	jw_end(w);
	return 0;
}

int network_print(const char *name_or_id, const char *scope,
		  const char *(*container_name)(const char *id, char buf[256]), struct jw *w,
		  struct error *err)
{
	auto_net *n = network_get(name_or_id, err);

	if (!n)
		return -1;
	if (!str_empty(scope) && !streq(scope, "local"))
		return error_set(err, ERR_NOT_FOUND, "network %s not found", name_or_id);
	print_one(n, true, container_name, w);
	return 0;
}
