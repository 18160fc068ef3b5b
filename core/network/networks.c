/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of networks and of their drivers: start, end, and finding a network by name or id. The table holds one reference to each network;
 * whoever uses one holds another, so that a network which is deleted meanwhile stays in memory. Drivers stay open to the end.
 */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "network/firewall.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

pthread_mutex_t network_lock = PTHREAD_MUTEX_INITIALIZER;
struct network_room room;

static struct net **table; /* by name */
static size_t n_table;
static struct net_driver *drivers;
static pthread_mutex_t drivers_lock = PTHREAD_MUTEX_INITIALIZER; /* opening one */

/* The networks that every daemon has, and which driver each is of: names of the API. */
static const struct builtin {
	const char *name, *driver;
} builtins[] = {{"none", "null"}, {"host", "host"}, {NETWORK_DEFAULT, "bridge"}};

bool net_is_builtin(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (streq(builtins[i].name, name))
			return true;
	return streq(name, "default");
}

bool network_has_addresses(const struct net *n)
{
	return net_caps(n) & DOCKERD_NETWORK_CAP_ADDRESSES;
}

void network_event(const struct net *n, const char *action)
{
	auto_pairs attrs = PAIRS_INIT;

	pairs_set(&attrs, "name", n->name);
	pairs_set(&attrs, "type", n->driver_name);
	if (room.event)
		room.event(action, n->id, &attrs);
}

/* ---- networks as objects ---------------------------------------------------------------------------------------------------------- */

struct net *net_new(const char *name, const char *driver, struct error *err)
{
	struct net *n = xnew(struct net);

	(void)err;
	id_random(n->id);
	n->created = clock_wall_ns();
	n->refs = 1;
	n->config_from = xstrdup("");
	snprintf(n->name, sizeof(n->name), "%s", name);
	snprintf(n->driver_name, sizeof(n->driver_name), "%s", driver);
	return n;
}

static void net_free(struct net *n)
{
	plugin_options_free(n->typed);
	pairs_free(&n->options);
	pairs_free(&n->labels);
	pairs_free(&n->ipam_options);
	pairs_free(&n->auxiliary);
	ipam_free(&n->ipam);
	map_free(&n->endpoints, free);
	free(n->config_from);
	free(n->driver_record);
	free(n);
}

void net_unref(struct net *n)
{
	bool last;

	pthread_mutex_lock(&network_lock);
	last = --n->refs == 0;
	pthread_mutex_unlock(&network_lock);
	if (last)
		net_free(n);
}

struct dockerd_network network_view(const struct net *n, struct net_text *t)
{
	struct dockerd_subnet *s = &t->subnets[0];
	struct dockerd_network v = {.size = sizeof(v),
				    .id = n->id,
				    .name = n->name,
				    .flags = (n->is_default ? DOCKERD_NETWORK_DEFAULT : 0) |
					     (n->internal ? DOCKERD_NETWORK_INTERNAL : 0) |
					     DOCKERD_NETWORK_IPV4,
				    .subnets = t->subnets,
				    .options = n->typed};

	t->auxiliary = NULL;
	if (!network_has_addresses(n))
		return v;
	ipam_format_net(n->subnet, t->subnet);
	*s = (struct dockerd_subnet){.size = sizeof(*s), .subnet = t->subnet};
	if (n->gateway) {
		ipam_format(n->gateway, t->gateway);
		s->gateway = t->gateway;
	}
	if (n->route) {
		ipam_format(n->route, t->route);
		s->next_hop = t->route;
	}
	if (n->has_range) {
		ipam_format_net(n->range, t->range);
		s->range = t->range;
	}
	if (n->auxiliary.n) {
		t->auxiliary = xcalloc(n->auxiliary.n, sizeof(*t->auxiliary));
		for (size_t i = 0; i < n->auxiliary.n; i++)
			t->auxiliary[i] = (struct dockerd_key_value){n->auxiliary.v[i].key,
								     n->auxiliary.v[i].value};
		s->auxiliary = t->auxiliary;
		s->auxiliary_count = (uint32_t)n->auxiliary.n;
	}
	v.subnet_count = 1;
	return v;
}

/* What a driver says of a network that it has made. */
static void take_row(const struct dockerd_emit *to, const char *key, const char *value)
{
	struct net *n = to->ctx;

	if (!streq(key, "record"))
		return;
	free(n->driver_record);
	n->driver_record = xstrdup(value);
}

static int call_network(struct net *n, bool create, struct error *err)
{
	int32_t (*f)(void *, const struct dockerd_network *, struct dockerd_error *) =
	    create ? net_ops(n)->network_create : net_ops(n)->network_delete;
	struct dockerd_emit to = {.size = sizeof(to), .row = take_row, .ctx = n};
	struct dockerd_error derr = plugin_error_init();
	__attribute__((cleanup(net_text_free))) struct net_text text;
	struct dockerd_network v = network_view(n, &text);
	struct plugin_call call;
	const char *op = create ? "network_create" : "network_delete";

	if (!f)
		return 0;
	v.out = create ? &to : NULL;
	if (plugin_enter(&n->driver->instance, op, n->id, &call, err) < 0)
		return -1;
	return plugin_leave(&call, f(n->driver->instance.self, &v, &derr), &derr, err);
}

int net_bring_up(struct net *n, struct error *err)
{
	return n->driver ? call_network(n, true, err) : 0;
}

int net_take_down(struct net *n, struct error *err)
{
	return n->driver ? call_network(n, false, err) : 0;
}

/* ---- drivers ------------------------------------------------------------------------------------------------------------------------ */

static int open_driver(const char *name, struct net_driver **out, struct error *err)
{
	const struct plugin *p = plugin_load(DOCKERD_KIND_NETWORK, name, err);
	auto_free char *root = xasprintf("%s/network/%s", room.data_root, name);
	auto_free char *state = xasprintf("%s/%s", room.state_dir, name);
	struct dockerd_options *o = NULL;
	auto_pairs given = PAIRS_INIT;
	struct net_driver *d;
	int r;

	if (!p)
		return -1;
	if (dir_make_all(AT_FDCWD, root, 0700, err) < 0 ||
	    dir_make_all(AT_FDCWD, state, 0700, err) < 0)
		return -1;
	for (uint32_t i = 0; i < p->option_count; i++) {
		if (streq(p->options[i].key, "userland-proxy"))
			pairs_set(&given, "userland-proxy", room.proxy ? "true" : "false");
		else if (streq(p->options[i].key, "ip-forward"))
			pairs_set(&given, "ip-forward", room.ip_forward ? "true" : "false");
	}
	if (plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, &given, &o, err) < 0)
		return -1;
	d = xnew(struct net_driver);
	snprintf(d->name, sizeof(d->name), "%s", name);
	r = plugin_probe(p, root, state, o, err);
	if (r == 0)
		r = plugin_open(p, root, state, o, &d->instance, err);
	plugin_options_free(o);
	if (r < 0) {
		free(d);
		return -1;
	}
	*out = d;
	return 0;
}

int net_open_driver(struct net *n, struct error *err)
{
	struct net_driver *d;
	LOCK_SCOPE(&drivers_lock);

	for (d = drivers; d && !streq(d->name, n->driver_name); d = d->next)
		;
	if (!d) {
		if (strchr(n->driver_name, '/'))
			return error_set(err, ERR_NOT_FOUND, "plugin \"%s\" not found",
					 n->driver_name);
		if (open_driver(n->driver_name, &d, err) < 0)
			return err->kind == ERR_NOT_FOUND
				   ? error_set(err, ERR_NOT_FOUND, "plugin \"%s\" not found",
					       n->driver_name)
				   : -1;
		d->next = drivers;
		drivers = d;
	}
	n->driver = d;
	return plugin_options_parse(d->instance.plugin, DOCKERD_SCOPE_NETWORK, &n->options,
				    &n->typed, err);
}

/* ---- the table ----------------------------------------------------------------------------------------------------------------------- */

static struct net *by_name(const char *name)
{
	for (size_t i = 0; i < n_table; i++)
		if (streq(table[i]->name, name))
			return table[i];
	return NULL;
}

int network_publish(struct net *n, struct error *err)
{
	size_t at = 0;
	LOCK_SCOPE(&network_lock);

	if (by_name(n->name))
		return error_set(err, ERR_CONFLICT, "network with name %s already exists", n->name);
	while (at < n_table && strcmp(table[at]->name, n->name) < 0)
		at++;
	table = xreallocarray(table, n_table + 1, sizeof(struct net *));
	memmove(&table[at + 1], &table[at], (n_table - at) * sizeof(struct net *));
	table[at] = n;
	n_table++;
	return 0;
}

void network_unpublish(struct net *n)
{
	LOCK_SCOPE(&network_lock);

	for (size_t i = 0; i < n_table; i++)
		if (table[i] == n) {
			memmove(&table[i], &table[i + 1], (n_table - i - 1) * sizeof(struct net *));
			n_table--;
			return;
		}
}

struct net **network_all(size_t *n)
{
	struct net **all;
	LOCK_SCOPE(&network_lock);

	all = xcalloc(n_table + 1, sizeof(struct net *));
	*n = n_table;
	for (size_t i = 0; i < n_table; i++) {
		all[i] = table[i];
		all[i]->refs++;
	}
	return all;
}

struct net *network_get(const char *name_or_id, struct error *err)
{
	const char *name = network_mode_name(name_or_id);
	size_t len = strlen(name), matches = 0;
	struct net *found;
	LOCK_SCOPE(&network_lock);

	if (room.no_bridge && streq(name_or_id, "default"))
		name = "none";
	found = by_name(name);
	for (size_t i = 0; !found && i < n_table; i++)
		if (streq(table[i]->id, name))
			found = table[i];
	for (size_t i = 0, named = found != NULL; !named && len && i < n_table; i++)
		if (!strncmp(table[i]->id, name, len)) {
			found = table[i];
			matches++;
		}
	if (matches > 1) {
		error_set(err, ERR_INVALID,
			  "network %s is ambiguous (%zu matches found based on ID prefix)",
			  name_or_id, matches);
		return NULL;
	}
	if (!found) {
		error_set(err, ERR_NOT_FOUND, "network %s not found", name_or_id);
		return NULL;
	}
	found->refs++;
	return found;
}

int network_find(const char *name_or_id, struct network_endpoint *out, struct error *err)
{
	auto_net *n = network_get(name_or_id, err);

	if (!n)
		return -1;
	*out = (struct network_endpoint){0};
	memcpy(out->network_id, n->id, sizeof(out->network_id));
	snprintf(out->network_name, sizeof(out->network_name), "%s", n->name);
	snprintf(out->driver, sizeof(out->driver), "%s", n->driver_name);
	return 0;
}

/* ---- start and end ----------------------------------------------------------------------------------------------------------------------- */

/* Published ports are offered on [::] as well where the host has IPv6. */
static bool v6_listenable(void)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	auto_close fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
}

static int offer_services(const struct network_config *c, struct error *err)
{
	struct plugin_services s = plugin_get_services();

	if (proxy_init(room.state_dir, err) < 0)
		return -1;
	s.proxy_start = proxy_start;
	s.proxy_stop = proxy_stop;
	s.firewall = NULL;
	if (c->iptables) {
		if (firewall_init(room.state_dir, c->userland_proxy, err) < 0)
			return error_wrap(err, "failed to register \"bridge\" driver");
		s.firewall = firewall_apply;
	}
	plugin_set_services(&s);
	return 0;
}

static void copy_list(struct strlist *to, const char *const *from)
{
	for (size_t i = 0; from && from[i]; i++)
		strlist_add(to, from[i]);
}

/* [{"base": "10.0.0.0/8", "size": 24}]; those of IPv6 wait for it. */
static int keep_pools(const json *pools, struct error *err)
{
	for (const json *p = json_first(pools); p; p = json_next(p)) {
		const char *base = json_get_str(p, "base", "");
		struct ipam_pool pool = {.size = (int)json_get_i64(p, "size", 0)};

		if (strchr(base, ':'))
			continue;
		if (ipam_parse(base, &pool.base, err) < 0)
			return error_wrap(err, "default-address-pools");
		if (pool.size < pool.base.len || pool.size > 32)
			return error_set(err, ERR_INVALID,
					 "default-address-pools: size %d does not fit base %s",
					 pool.size, base);
		room.pools = xreallocarray(room.pools, room.n_pools + 1, sizeof(*room.pools));
		room.pools[room.n_pools++] = pool;
	}
	return 0;
}

static int keep_config(const struct network_config *c, struct error *err)
{
	room.no_bridge = c->bridge && streq(c->bridge, "none");
	room.event = c->event;
	room.proxy = c->userland_proxy;
	room.ip_forward = c->ip_forward;
	room.v6 = v6_listenable();
	room.state_dir = xasprintf("%s/network", c->exec_root);
	room.data_root = xstrdup(c->data_root);
	room.default_ip = xstrdup(str_empty(c->default_ip) ? "0.0.0.0" : c->default_ip);
	copy_list(&room.dns, c->dns);
	copy_list(&room.search, c->dns_search);
	copy_list(&room.options, c->dns_options);
	return keep_pools(c->address_pools, err);
}

/* From the store: a network of a user's, or the remembered id of one of ours. */
static void found(void *ctx, struct net *n)
{
	struct net **ours = ctx;
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (streq(builtins[i].name, n->name)) {
			if (ours[i])
				net_unref(ours[i]);
			ours[i] = n;
			return;
		}
	if (network_publish(n, &err) < 0) {
		log_error("network left out", "network", n->id, "error", err.text);
		net_unref(n);
	}
}

/* Users' networks are listed before ours are made, so that addresses don't meet; they are brought up after. */
static void bring_up_stored(void)
{
	size_t n;
	struct net **all = network_all(&n);

	for (size_t i = 0; i < n; i++) {
		struct error err = ERROR_INIT;

		if (!all[i]->predefined && !all[i]->config_only &&
		    (net_open_driver(all[i], &err) < 0 || net_ipam_init(all[i], &err) < 0 ||
		     net_bring_up(all[i], &err) < 0))
			log_error("network can't be used", "network", all[i]->name, "error",
				  err.text);
		net_unref(all[i]);
	}
	free(all);
}

/* Half-made or half-removed when a daemon was killed: the driver takes away what there is. */
static void take_back(struct net *n)
{
	struct error err = ERROR_INIT;
	struct net *known = network_get(n->id, &err);

	err = (struct error)ERROR_INIT;
	if (!known && !n->config_only &&
	    (net_open_driver(n, &err) < 0 || net_take_down(n, &err) < 0))
		log_warn("unfinished network not taken away", "network", n->name, "error",
			 err.text);
	if (known)
		net_unref(known);
	net_unref(n);
}

static int make_builtin(const struct network_config *c, const struct builtin *b, struct net *stored,
			struct error *err)
{
	struct net *n = net_new(b->name, b->driver, err);

	n->predefined = true;
	if (stored) { /* the id lasts; all else follows from the configuration */
		memcpy(n->id, stored->id, sizeof(n->id));
		n->created = stored->created;
	}
	if (streq(b->name, NETWORK_DEFAULT)) {
		if (room.no_bridge) {
			net_unref(n);
			return 0;
		}
		n->is_default = true;
		if (network_default_init(c, n, err) < 0)
			goto fail;
	}
	if (net_open_driver(n, err) < 0 || net_bring_up(n, err) < 0)
		goto fail;
	if (store_put(n, err) < 0 || network_publish(n, err) < 0)
		goto fail;
	return 0;
fail:
	net_unref(n);
	return error_wrap(err, "error creating default \"%s\" network", b->name);
}

int network_init(const struct network_config *c, struct error *err)
{
	struct net *stored[ARRAY_LEN(builtins)] = {0};
	auto_free char *records = NULL;
	int r = -1;

	if (keep_config(c, err) < 0)
		goto out;
	records = xasprintf("%s/endpoints", room.state_dir);
	if (dir_make_all(AT_FDCWD, records, 0700, err) < 0 || store_open(c->data_root, err) < 0)
		goto out;
	if (offer_services(c, err) < 0)
		goto out;
	if (store_load(found, stored, err) < 0)
		goto out;
	store_hold();
	firewall_defer(); /* the rules go in beside what else there is to do at start: network_ready waits for them */
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (make_builtin(c, &builtins[i], stored[i], err) < 0)
			goto out;
	if (store_release(err) < 0)
		goto out;
	bring_up_stored();
	store_unfinished(take_back);
	room.ready = true;
	r = 0;
out:
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (stored[i])
			net_unref(stored[i]);
	if (r < 0) {
		struct error ignored = ERROR_INIT;

		error_wrap(err, "Error initializing network controller");
		firewall_collect(&ignored);
		network_shutdown();
	}
	return r;
}

int network_ready(struct error *err)
{
	return firewall_collect(err) < 0
		   ? error_wrap(err, "Error initializing network controller: firewall")
		   : 0;
}

void network_shutdown(void)
{
	firewall_flush();
	while (n_table) {
		struct net *n = table[n_table - 1];

		network_unpublish(n);
		net_unref(n);
	}
	free(table);
	table = NULL;
	while (drivers) {
		struct net_driver *d = drivers;

		drivers = d->next;
		plugin_close(&d->instance);
		free(d);
	}
	firewall_shutdown();
	proxy_shutdown();
	dns_shutdown();
	store_close();
	free(room.state_dir);
	free(room.data_root);
	free(room.default_ip);
	free(room.pools);
	strlist_free(&room.dns);
	strlist_free(&room.search);
	strlist_free(&room.options);
	room = (struct network_room){0};
}

void network_refresh(void)
{
	firewall_refresh();
	pthread_mutex_lock(&drivers_lock);
	for (struct net_driver *d = drivers; d; d = d->next) {
		const struct dockerd_network_ops *ops = &d->instance.plugin->ops.network;
		struct dockerd_error derr = plugin_error_init();
		struct error err = ERROR_INIT;
		struct plugin_call call;

		if (!ops->refresh)
			continue;
		if (plugin_enter(&d->instance, "refresh", "", &call, &err) < 0 ||
		    plugin_leave(&call, ops->refresh(d->instance.self, &derr), &derr, &err) < 0)
			log_error("networks not refreshed", "driver", d->name, "error", err.text);
	}
	pthread_mutex_unlock(&drivers_lock);
}
