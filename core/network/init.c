/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start and end of the network room: its configuration, the services that drivers are offered, the networks of the disk and the daemon's own. One
 * thread, before there are requests and after the last.
 */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "network/firewall.h"
#include "network/firewalld.h"
#include "network/ipam_remote.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

struct network_room room;

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

/* Published ports are offered on [::] as well where the host has IPv6. */
static bool v6_listenable(void)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	auto_close fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
}

/* --ip6tables=false leaves that family alone. */
static int apply_rules(void *batch, int family, const char *rules, struct error *err)
{
	return family == 6 && !room.ip6tables ? 0 : firewall_apply(batch, family, rules, err);
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
		s.firewall = apply_rules;
		room.firewall = true;
		firewalld_init(firewall_refresh);
	}
	plugin_set_services(&s);
	return 0;
}

static void copy_list(struct strlist *to, const char *const *from)
{
	for (size_t i = 0; from && from[i]; i++)
		strlist_add(to, from[i]);
}

static void add_pool(struct ipam_pool pool)
{
	room.pools = xreallocarray(room.pools, room.n_pools + 1, sizeof(*room.pools));
	room.pools[room.n_pools++] = pool;
}

/* [{"base": "10.0.0.0/8", "size": 24}]; a family of which none is given has moby's. */
static int keep_pools(const json *pools, const char *daemon_id, struct error *err)
{
	bool have[2] = {false, false};

	for (const json *p = json_first(pools); p; p = json_next(p)) {
		const char *base = json_get_str(p, "base", "");
		struct ipam_pool pool = {.size = (int)json_get_i64(p, "size", 0)};

		if (ipam_parse(base, &pool.base, err) < 0)
			return error_wrap(err, "default-address-pools");
		if (pool.size < pool.base.len || pool.size > pool.base.addr.bits || pool.size == 0)
			return error_set(err, ERR_INVALID,
					 "default-address-pools: size %d does not fit base %s",
					 pool.size, base);
		have[ip_is_v6(pool.base.addr)] = true;
		add_pool(pool);
	}
	for (size_t i = 0; !have[0] && i < ipam_default_pool_count; i++)
		add_pool(ipam_default_pools[i]);
	if (!have[1])
		add_pool(ipam_ula_pool(daemon_id ? daemon_id : ""));
	return 0;
}

static int keep_config(const struct network_config *c, struct error *err)
{
	room.no_bridge = c->bridge && streq(c->bridge, "none");
	room.event = c->event;
	room.proxy = c->userland_proxy;
	room.ip_forward = c->ip_forward;
	room.ip_forward_no_drop = c->ip_forward_no_drop;
	room.obey_host_firewall = c->obey_host_firewall;
	room.allow_direct_routing = c->allow_direct_routing;
	if (c->default_opts) {
		auto_str text = STR_INIT;

		json_print(c->default_opts, &text);
		room.default_opts = json_parse(str_cstr(&text), text.len, err);
	}
	room.v6 = v6_listenable();
	room.state_dir = xasprintf("%s/network", c->exec_root);
	room.data_root = xstrdup(c->data_root);
	room.default_ip = xstrdup(str_empty(c->default_ip) ? "0.0.0.0" : c->default_ip);
	copy_list(&room.dns, c->dns);
	copy_list(&room.search, c->dns_search);
	copy_list(&room.options, c->dns_options);
	copy_list(&room.host_gateway, c->host_gateway);
	room.ip6tables = c->ip6tables;
	return keep_pools(c->address_pools, c->daemon_id, err);
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

/* Rules of networks that were brought up at the start are on their way until network_ready, for each network by itself. */
static struct starting {
	struct net *n; /* a reference; NULL: the daemon's own */
	struct fw_batch batch;
} * starting;
static size_t n_starting;

static struct fw_batch *starting_batch(struct net *n)
{
	starting = xreallocarray(starting, n_starting + 1, sizeof(*starting));
	starting[n_starting] = (struct starting){.n = n};
	return &starting[n_starting++].batch;
}

/* A user's network that does not come up stays as it is on disk and hinders nothing else. */
static void unusable(struct net *n, const struct error *why)
{
	n->unusable = true;
	log_error("network can't be used", "network", n->name, "error", why->text);
}

/* Those of the daemon's own networks must be in; a user's whose are not is unusable. */
static int finish_starting(struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < n_starting; i++) {
		struct error one = ERROR_INIT;
		int failed = firewall_wait(&starting[i].batch, &one);

		if (failed && starting[i].n) {
			unusable(starting[i].n, &one);
		} else if (failed) {
			*err = one;
			r = -1;
		}
		if (starting[i].n)
			net_unref(starting[i].n);
	}
	free(starting);
	starting = NULL;
	n_starting = 0;
	return r;
}

/* Users' networks are listed before ours are made, so that addresses don't meet; they are brought up after. */
static void bring_up_stored(void)
{
	size_t n;
	struct net **all = network_all(&n);

	for (size_t i = 0; i < n; i++) {
		struct error err = ERROR_INIT;
		struct fw_batch *batch;

		if (all[i]->predefined || all[i]->config_only) {
			net_unref(all[i]);
			continue;
		}
		batch = starting_batch(all[i]); /* which has the reference from here on */
		if (net_open_driver(all[i], &err) < 0 || net_ipam_init(all[i], &err) < 0 ||
		    net_bring_up(all[i], batch, &err) < 0)
			unusable(all[i], &err);
	}
	free(all);
}

/* Half-made or half-removed when a daemon was killed: the driver takes away what there is. */
static int take_back(struct net *n)
{
	struct error err = ERROR_INIT;
	struct net *known = network_get(n->id, &err);
	int r = 0;

	err = (struct error)ERROR_INIT;
	if (!known && !n->config_only) {
		r = net_open_driver(n, &err);
		if (r == 0)
			r = net_take_down(n, &err);
		if (r == 0 && ipam_remote_drop(n) < 0)
			r = error_set(&err, ERR_UNAVAILABLE, "ipam plugin can't be reached");
	}
	if (r < 0)
		log_warn("unfinished network not taken away", "network", n->name, "error",
			 err.text);
	if (known)
		net_unref(known);
	net_unref(n);
	return r;
}

static int make_builtin(const struct network_config *c, const struct builtin *b, struct net *stored,
			struct error *err)
{
	struct net *n = net_new(b->name, b->driver, err);

	n->predefined = true;
	if (stored) { /* the id lasts; all else follows from the configuration */
		memcpy(n->id, stored->id, sizeof(n->id));
		n->created = stored->created;
		n->record = stored->record ? xstrdup(stored->record) : NULL;
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
	if (net_open_driver(n, err) < 0 || net_bring_up(n, starting_batch(NULL), err) < 0)
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
		finish_starting(&ignored);
		network_shutdown();
	}
	return r;
}

int network_ready(struct error *err)
{
	return finish_starting(err) < 0
		   ? error_wrap(err, "Error initializing network controller: firewall")
		   : 0;
}

void network_shutdown(void)
{
	struct net *n;

	firewalld_shutdown();
	firewall_flush();
	while ((n = network_take_last()))
		net_unref(n);
	drivers_close();
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
	strlist_free(&room.host_gateway);
	json_free(room.default_opts);
	room = (struct network_room){0};
}

void network_refresh(void)
{
	firewall_refresh();
	drivers_refresh();
}
