/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three networks that every daemon has: made at start, found by name or id. Their ids are in <data-root>/network/files/networks.json,
 * a file of our own; moby's store beside it (local-kv.db) is neither read nor written.
 */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "network/firewall.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

pthread_mutex_t network_lock = PTHREAD_MUTEX_INITIALIZER;
struct net networks[NET_COUNT];
struct network_room room;

static const char *const names[NET_COUNT] = {"none", "host", "bridge"};
static const char *const drivers[NET_COUNT] = {"null", "host", "bridge"};

bool network_has_addresses(const struct net *n)
{
	return n->instance.plugin &&
	       n->instance.plugin->capabilities & DOCKERD_NETWORK_CAP_ADDRESSES;
}

/* ---- ids on disk ----------------------------------------------------------------------------------------------------------------------- */

static void load_ids(const char *path)
{
	struct error err = ERROR_INIT;
	auto_str text = STR_INIT;
	auto_json *doc = NULL;

	if (file_read_at(AT_FDCWD, path, 1 << 20, &text, &err) == 0)
		doc = json_parse(str_cstr(&text), text.len, &err);
	if (!doc && err.kind != ERR_NOT_FOUND)
		log_warn("network ids not read: new ones are made", "file", path, "error",
			 err.text);
	for (json *j = json_first(json_get(doc, "networks")); j; j = json_next(j))
		for (int i = 0; i < NET_COUNT; i++) {
			const char *id = json_get_str(j, "id", "");
			unsigned char raw[32];

			if (streq(json_get_str(j, "name", ""), names[i]) &&
			    hex_decode(id, raw, sizeof(raw)) == 0) {
				memcpy(networks[i].id, id, 65);
				networks[i].created = json_get_i64(j, "created", 0);
			}
		}
}

/* Read the file, make what is missing, write it back if anything was. */
static int ids(const char *data_root, struct error *err)
{
	auto_free char *dir = xasprintf("%s/network/files", data_root);
	auto_free char *path = xasprintf("%s/networks.json", dir);
	auto_str out = STR_INIT;
	struct jw w = jw_to(&out);
	bool changed = false;

	if (dir_make_all(AT_FDCWD, dir, 0750, err) < 0)
		return -1;
	load_ids(path);
	jw_obj(&w);
	jw_karr(&w, "networks");
	for (int i = 0; i < NET_COUNT; i++) {
		struct net *n = &networks[i];

		if (!n->id[0]) {
			unsigned char raw[32];

			if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
				return error_sys(err, errno, "getrandom");
			hex_encode(raw, sizeof(raw), n->id);
			n->created = clock_wall_ns();
			changed = true;
		}
		jw_obj(&w);
		jw_kstr(&w, "name", names[i]);
		jw_kstr(&w, "id", n->id);
		jw_kstr(&w, "driver", drivers[i]);
		jw_ki64(&w, "created", n->created);
		jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
	return changed ? file_write_atomic(AT_FDCWD, path, out.p, out.len, 0600, true, err) : 0;
}

/* ---- the default bridge ------------------------------------------------------------------------------------------------------------------ */

/* Subnet, gateway, range of the default bridge from flags, the bridge as it is, or the default pools. */
static int choose_addresses(const struct network_config *c, const char *ifname, struct net *n,
			    struct error *err)
{
	auto_free struct ipam_prefix *taken = NULL;
	struct ipam_prefix range = {0};
	size_t n_taken = 0;

	if (!str_empty(c->fixed_cidr) && ipam_parse(c->fixed_cidr, &range, err) < 0)
		return error_wrap(err, "fixed-cidr");
	n->has_range = range.len != 0;
	if (!str_empty(c->bip)) {
		if (ipam_parse(c->bip, &n->subnet, err) < 0)
			return error_wrap(err, "bip");
		n->gateway = n->subnet.addr;
		if (n->gateway == (n->gateway & ipam_mask(n->subnet.len)))
			return error_set(err, ERR_INVALID,
					 "bip %s is the address of a network, not of a host in it",
					 c->bip);
	} else if (ipam_interface_address(ifname, &n->subnet)) {
		n->gateway = n->subnet.addr;
	} else if (n->has_range) {
		n->subnet = range;
		n->gateway = (range.addr & ipam_mask(range.len)) + 1;
	} else {
		if (ipam_host_networks(&taken, &n_taken, err) < 0)
			return -1;
		if (ipam_choose_pool(taken, n_taken, &n->subnet) < 0)
			return error_set(err, ERR_SYSTEM,
					 "all predefined address pools have been fully subnetted");
		n->gateway = n->subnet.addr + 1;
	}
	n->range = n->has_range ? range : n->subnet;
	if (!ipam_overlap(n->range, n->subnet) || n->range.len < n->subnet.len)
		return error_set(err, ERR_INVALID,
				 "fixed-cidr %s is not within the bridge's subnet", c->fixed_cidr);
	ipam_init(&n->ipam, n->subnet, n->range);
	ipam_reserve(&n->ipam, n->gateway);
	if (!str_empty(c->default_gateway)) {
		if (ipam_parse_addr(c->default_gateway, &n->route, err) < 0)
			return error_wrap(err, "default-gateway");
		ipam_reserve(&n->ipam, n->route);
	}
	return 0;
}

static void set_options(const struct network_config *c, const char *ifname, struct net *n)
{
	auto_free char *mtu = xasprintf("%d", c->mtu > 0 ? c->mtu : 1500);

	pairs_set(&n->options, "com.docker.network.bridge.default_bridge", "true");
	pairs_set(&n->options, "com.docker.network.bridge.enable_icc", c->icc ? "true" : "false");
	pairs_set(&n->options, "com.docker.network.bridge.enable_ip_masquerade",
		  c->ip_masq && c->iptables ? "true" : "false");
	pairs_set(&n->options, "com.docker.network.bridge.host_binding_ipv4", room.default_ip);
	pairs_set(&n->options, "com.docker.network.bridge.name", ifname);
	pairs_set(&n->options, "com.docker.network.driver.mtu", mtu);
}

struct dockerd_network network_view(const struct net *n, struct net_text *t)
{
	struct dockerd_subnet *s = &t->subnets[0];
	struct dockerd_network v = {.size = sizeof(v),
				    .id = n->id,
				    .name = n->name,
				    .flags = (n->is_default ? DOCKERD_NETWORK_DEFAULT : 0) |
					     DOCKERD_NETWORK_IPV4,
				    .subnets = t->subnets,
				    .options = n->typed};

	if (!network_has_addresses(n))
		return v;
	ipam_format_net(n->subnet, t->subnet);
	ipam_format(n->gateway, t->gateway);
	*s =
	    (struct dockerd_subnet){.size = sizeof(*s), .subnet = t->subnet, .gateway = t->gateway};
	if (n->route) {
		ipam_format(n->route, t->route);
		s->next_hop = t->route;
	}
	if (n->has_range) {
		ipam_format_net(n->range, t->range);
		s->range = t->range;
	}
	v.subnet_count = 1;
	return v;
}

static int bring_up(struct net *n, struct error *err)
{
	struct net_text text;
	struct dockerd_network v = network_view(n, &text);
	struct dockerd_error derr = plugin_error_init();
	struct plugin_call call;
	int32_t r;

	if (!n->instance.plugin->ops.network.network_create)
		return 0;
	if (plugin_enter(&n->instance, "network_create", n->id, &call, err) < 0)
		return -1;
	r = n->instance.plugin->ops.network.network_create(n->instance.self, &v, &derr);
	return plugin_leave(&call, r, &derr, err);
}

static int default_bridge(const struct network_config *c, struct net *n, struct error *err)
{
	const char *ifname = str_empty(c->bridge) ? "docker0" : c->bridge;

	n->is_default = true;
	if (!str_empty(c->bridge) && str_empty(c->bip) && !if_nametoindex(ifname))
		return error_set(err, ERR_INVALID,
				 "bridge device with non default name %s must be created manually "
				 "(or give --bip as "
				 "well to have it made)",
				 ifname);
	if (choose_addresses(c, ifname, n, err) < 0)
		return -1;
	set_options(c, ifname, n);
	if (plugin_options_parse(n->instance.plugin, DOCKERD_SCOPE_NETWORK, &n->options, &n->typed,
				 err) < 0)
		return -1;
	return bring_up(n, err);
}

/* ---- start and end ----------------------------------------------------------------------------------------------------------------------- */

static int open_driver(const struct network_config *c, struct net *n, struct error *err)
{
	const struct plugin *p = plugin_load(DOCKERD_KIND_NETWORK, n->driver, err);
	auto_free char *root = xasprintf("%s/network/%s", c->data_root, n->driver);
	auto_free char *state = xasprintf("%s/%s", room.state_dir, n->driver);
	struct dockerd_options *o = NULL;
	auto_pairs given = PAIRS_INIT;
	int r;

	if (!p || dir_make_all(AT_FDCWD, root, 0700, err) < 0 ||
	    dir_make_all(AT_FDCWD, state, 0700, err) < 0)
		return -1;
	/* The daemon's flags reach whatever driver serves "bridge", if it knows them. */
	for (uint32_t i = 0; i < p->option_count; i++) {
		if (streq(p->options[i].key, "userland-proxy"))
			pairs_set(&given, "userland-proxy", c->userland_proxy ? "true" : "false");
		else if (streq(p->options[i].key, "ip-forward"))
			pairs_set(&given, "ip-forward", c->ip_forward ? "true" : "false");
	}
	if (plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, &given, &o, err) < 0)
		return -1;
	r = plugin_open(p, root, state, o, &n->instance, err);
	plugin_options_free(o);
	return r;
}

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

static void keep_config(const struct network_config *c)
{
	room.no_bridge = c->bridge && streq(c->bridge, "none");
	room.proxy = c->userland_proxy;
	room.v6 = v6_listenable();
	room.state_dir = xasprintf("%s/network", c->exec_root);
	room.default_ip = xstrdup(str_empty(c->default_ip) ? "0.0.0.0" : c->default_ip);
	for (size_t i = 0; c->dns && c->dns[i]; i++)
		strlist_add(&room.dns, c->dns[i]);
	for (size_t i = 0; c->dns_search && c->dns_search[i]; i++)
		strlist_add(&room.search, c->dns_search[i]);
	for (size_t i = 0; c->dns_options && c->dns_options[i]; i++)
		strlist_add(&room.options, c->dns_options[i]);
}

int network_init(const struct network_config *c, struct error *err)
{
	auto_free char *records = NULL;

	keep_config(c);
	records = xasprintf("%s/endpoints", room.state_dir);
	if (dir_make_all(AT_FDCWD, records, 0700, err) < 0 || ids(c->data_root, err) < 0)
		goto fail;
	if (!room.no_bridge && offer_services(c, err) < 0)
		goto fail;
	for (int i = 0; i < NET_COUNT; i++) {
		struct net *n = &networks[i];

		snprintf(n->name, sizeof(n->name), "%s", names[i]);
		snprintf(n->driver, sizeof(n->driver), "%s", drivers[i]);
		if (i == NET_BRIDGE && room.no_bridge)
			continue;
		if (open_driver(c, n, err) < 0)
			goto fail;
		if ((i == NET_BRIDGE ? default_bridge(c, n, err) : bring_up(n, err)) < 0) {
			error_wrap(err, "error creating default \"%s\" network", n->name);
			goto fail;
		}
	}
	room.ready = true;
	return 0;
fail:
	error_wrap(err, "Error initializing network controller");
	network_shutdown();
	return -1;
}

void network_shutdown(void)
{
	firewall_flush();
	for (int i = 0; i < NET_COUNT; i++) {
		struct net *n = &networks[i];

		plugin_close(&n->instance);
		plugin_options_free(n->typed);
		pairs_free(&n->options);
		ipam_free(&n->ipam);
		map_free(&n->endpoints, free);
		*n = (struct net){0};
	}
	firewall_shutdown();
	proxy_shutdown();
	free(room.state_dir);
	free(room.default_ip);
	strlist_free(&room.dns);
	strlist_free(&room.search);
	strlist_free(&room.options);
	room = (struct network_room){0};
}

void network_refresh(void)
{
	firewall_refresh();
	for (int i = 0; i < NET_COUNT; i++) {
		struct net *n = &networks[i];
		struct dockerd_error derr = plugin_error_init();
		struct error err = ERROR_INIT;
		struct plugin_call call;

		if (!n->instance.plugin || !n->instance.plugin->ops.network.refresh)
			continue;
		if (plugin_enter(&n->instance, "refresh", n->id, &call, &err) < 0 ||
		    plugin_leave(&call,
				 n->instance.plugin->ops.network.refresh(n->instance.self, &derr),
				 &derr, &err) < 0)
			log_error("network not refreshed", "network", n->name, "error", err.text);
	}
}

/* ---- finding ------------------------------------------------------------------------------------------------------------------------------ */

struct net *network_get(const char *name_or_id, struct error *err)
{
	struct net *found = NULL;
	size_t len = strlen(name_or_id);

	if (streq(name_or_id, "default"))
		return &networks[room.no_bridge ? NET_NONE : NET_BRIDGE];
	for (int i = 0; i < NET_COUNT; i++)
		if (networks[i].instance.plugin && streq(networks[i].name, name_or_id))
			return &networks[i];
	for (int i = 0; i < NET_COUNT; i++) {
		if (!networks[i].instance.plugin || !len ||
		    strncmp(networks[i].id, name_or_id, len))
			continue;
		if (found) {
			error_set(err, ERR_INVALID,
				  "network %s is ambiguous (2 matches found based on ID prefix)",
				  name_or_id);
			return NULL;
		}
		found = &networks[i];
	}
	if (!found)
		error_set(err, ERR_NOT_FOUND, "network %s not found", name_or_id);
	return found;
}

int network_find(const char *name_or_id, struct network_endpoint *out, struct error *err)
{
	const struct net *n = network_get(name_or_id, err);

	if (!n)
		return -1;
	*out = (struct network_endpoint){0};
	memcpy(out->network_id, n->id, sizeof(out->network_id));
	snprintf(out->network_name, sizeof(out->network_name), "%s", n->name);
	snprintf(out->driver, sizeof(out->driver), "%s", n->driver);
	return 0;
}

static bool predefined(const char *name)
{
	for (int i = 0; i < NET_COUNT; i++)
		if (streq(names[i], name))
			return true;
	return streq(name, "default");
}

int network_create(const json *body, struct str *id, struct strlist *warnings, struct error *err)
{
	const char *name = json_get_str(body, "Name", "");

	(void)id;
	(void)warnings;
	if (predefined(name))
		return error_set(err, ERR_DENIED,
				 "operation is not permitted on predefined %s network ", name);
	return error_set(err, ERR_NOT_IMPLEMENTED,
			 "network %s can't be created: networks other than bridge, host and none "
			 "are not supported yet",
			 name);
}

int network_delete(const char *name_or_id, struct error *err)
{
	const struct net *n = network_get(name_or_id, err);

	if (!n)
		return -1;
	return error_set(err, ERR_DENIED, "%s is a pre-defined network and cannot be removed",
			 n->name);
}
