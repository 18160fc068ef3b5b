/* SPDX-License-Identifier: Apache-2.0 */
/* Containers joining and leaving networks. What outlives a daemon: see adopt.c. */
#include "network/endpoints.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "network/firewall.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>

void network_endpoint_free(struct network_endpoint *e)
{
	free(e->ports);
	*e = (struct network_endpoint){0};
}

/* ---- table ------------------------------------------------------------------------------------------------------------------------------ */

void endpoint_remember(struct net *n, const struct net_endpoint *e)
{
	struct net_endpoint *copy = xnew(struct net_endpoint);

	*copy = *e;
	LOCK_SCOPE(&network_lock);
	free(map_set(&n->endpoints, copy->id, copy));
}

/* Out of the table, its address back. */
void endpoint_forget(struct net *n, const char *id)
{
	struct net_endpoint *e;
	LOCK_SCOPE(&network_lock);

	e = map_del(&n->endpoints, id);
	if (e && e->orphan)
		n->orphans--;
	if (e && e->ip)
		ipam_release(&n->ipam, e->ip);
	free(e);
}

/* The network's address for the endpoint; from here on the network can't be deleted, until `joined`. */
static int take_address(struct net *n, const char *wanted, struct net_endpoint *e,
			struct error *err)
{
	uint32_t ip;
	LOCK_SCOPE(&network_lock);

	if (n->deleting)
		return error_set(err, ERR_NOT_FOUND, "network %s not found", n->name);
	if (!network_has_addresses(n)) {
		n->joining++;
		return 0;
	}
	if (!n->ipam.subnet.len)
		return error_set(err, ERR_SYSTEM, "network %s has no addresses: see the log",
				 n->name);
	if (!str_empty(wanted)) {
		if (ipam_parse_addr(wanted, &ip, err) < 0)
			return -1;
		if (((ip ^ n->subnet.addr) & ipam_mask(n->subnet.len)) != 0)
			return error_set(err, ERR_INVALID,
					 "no configured subnet contains IP address %s", wanted);
		if (ipam_reserve(&n->ipam, ip) < 0)
			return error_set(err, ERR_DENIED, "Address already in use");
		e->ip = ip;
	} else if (ipam_take(&n->ipam, &e->ip) < 0) {
		return error_set(
		    err, ERR_SYSTEM,
		    "no available IPv4 addresses on this network's address pools: %s (%s)", n->name,
		    n->id);
	}
	n->joining++;
	return 0;
}

/* It joined, or it did not. */
static void joined(struct net *n)
{
	LOCK_SCOPE(&network_lock);

	n->joining--;
}

static void give_address_back(struct net *n, const struct net_endpoint *e)
{
	LOCK_SCOPE(&network_lock);

	if (e->ip)
		ipam_release(&n->ipam, e->ip);
}

/* ---- the driver's view -------------------------------------------------------------------------------------------------------------------- */

void view_free(struct view *v)
{
	free(v->ports);
	net_text_free(&v->text);
	plugin_options_free(v->options);
}

void view_init(struct view *v, const struct net *n, const struct net_endpoint *e,
	       const char *ifname, bool way_out)
{
	char ip[16];

	*v = (struct view){0};
	v->network = network_view(n, &v->text);
	v->address = (struct dockerd_address){.size = sizeof(v->address), .address = v->ipv4};
	if (e->ip) {
		ipam_format(e->ip, ip);
		snprintf(v->ipv4, sizeof(v->ipv4), "%s/%d", ip, n->subnet.len);
	}
	v->endpoint = (struct dockerd_endpoint){.size = sizeof(v->endpoint),
						.id = e->id,
						.container_id = e->container_id,
						.addresses = &v->address,
						.address_count = e->ip ? 1 : 0,
						.ifname = ifname,
						.netns_fd = -1,
						.netlink_fd = -1,
						.flags = way_out ? DOCKERD_ENDPOINT_ROUTE_IPV4 : 0,
						.name = e->name};
}

/* What the driver said of it when it joined. */
void view_known(struct view *v, const struct network_endpoint *from)
{
	snprintf(v->endpoint.out_mac, sizeof(v->endpoint.out_mac), "%s", from->mac);
	snprintf(v->endpoint.out_host_ifname, sizeof(v->endpoint.out_host_ifname), "%s",
		 from->host_ifname);
}

void view_port(struct view *v, const struct network_port *p, const char *host_ip)
{
	struct dockerd_endpoint *e = &v->endpoint;

	v->ports = xreallocarray(v->ports, e->port_count + 1, sizeof(*v->ports));
	v->ports[e->port_count++] = (struct dockerd_port){.size = sizeof(*v->ports),
							  .container_port = p->container_port,
							  .proto = p->proto,
							  .host_ip = host_ip,
							  .host_port_start = p->host_start,
							  .host_port_end = p->host_end,
							  .bound_port = p->host_port};
	e->ports = v->ports;
}

/* A port without a host address is offered on the daemon's --ip; if that is any address, on IPv6's as well: the proxy translates. */
static const char *binding_of(const struct net *n)
{
	if (n->is_default)
		return room.default_ip;
	for (uint32_t i = 0; n->typed && i < n->typed->count; i++) {
		const struct dockerd_value *v = dockerd_option_at(n->typed, i);

		if (str_ends(v->key, ".host_binding_ipv4") && *v->text)
			return v->text;
	}
	return "0.0.0.0";
}

static void view_wanted_ports(struct view *v, const struct net *net,
			      const struct network_port *ports, size_t n)
{
	const char *any = binding_of(net);

	for (size_t i = 0; i < n; i++) {
		const struct network_port *p = &ports[i];

		if (p->host_ip[0]) {
			view_port(v, p, p->host_ip);
			continue;
		}
		view_port(v, p, any);
		if (streq(any, "0.0.0.0") && room.v6 && room.proxy)
			view_port(v, p, "::");
	}
}

int endpoint_call(const struct net *n, const char *op, struct view *v, struct error *err)
{
	const struct dockerd_network_ops *ops = net_ops(n);
	int32_t (*f)(void *, const struct dockerd_network *, struct dockerd_endpoint *,
		     struct dockerd_error *) = streq(op, "join")    ? ops->join
					       : streq(op, "leave") ? ops->leave
								    : ops->adopt;
	struct dockerd_error derr = plugin_error_init();
	struct plugin_call c;
	int32_t r;

	if (!f)
		return 0;
	if (plugin_enter(&n->driver->instance, op, n->id, &c, err) < 0)
		return -1;
	r = f(n->driver->instance.self, &v->network, &v->endpoint, &derr);
	return plugin_leave(&c, r, &derr, err);
}

/* ---- connect, disconnect, adopt ------------------------------------------------------------------------------------------------------- */

static void fill_ports(const struct view *v, struct network_endpoint *out)
{
	const struct dockerd_endpoint *d = &v->endpoint;

	free(out->ports);
	out->n_ports = d->port_count;
	out->ports = d->port_count ? xcalloc(d->port_count, sizeof(*out->ports)) : NULL;
	for (uint32_t i = 0; i < d->port_count; i++) {
		struct network_port *p = &out->ports[i];

		p->container_port = (uint16_t)d->ports[i].container_port;
		p->host_start = (uint16_t)d->ports[i].host_port_start;
		p->host_end = (uint16_t)d->ports[i].host_port_end;
		p->host_port = (uint16_t)d->ports[i].bound_port;
		snprintf(p->proto, sizeof(p->proto), "%s", d->ports[i].proto);
		snprintf(p->host_ip, sizeof(p->host_ip), "%s", d->ports[i].host_ip);
	}
}

static void fill_out(const struct net *n, const struct net_endpoint *e, const struct view *v,
		     struct network_endpoint *out)
{
	const struct dockerd_endpoint *d = &v->endpoint;

	*out = (struct network_endpoint){0};
	memcpy(out->network_id, n->id, sizeof(out->network_id));
	memcpy(out->endpoint_id, e->id, sizeof(out->endpoint_id));
	snprintf(out->network_name, sizeof(out->network_name), "%s", n->name);
	snprintf(out->driver, sizeof(out->driver), "%s", n->driver_name);
	if (e->ip) {
		ipam_format(e->ip, out->ipv4);
		ipam_format(n->route ? n->route : n->gateway, out->gateway4);
		out->prefix4 = n->subnet.len;
		snprintf(out->ifname, sizeof(out->ifname), "%s", d->ifname);
	}
	snprintf(out->mac, sizeof(out->mac), "%s", d->out_mac);
	snprintf(out->host_ifname, sizeof(out->host_ifname), "%s", d->out_host_ifname);
	fill_ports(v, out);
}

static int new_endpoint(const char *container_id, const char *name, struct net_endpoint *e,
			struct error *err)
{
	unsigned char raw[32];

	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		return error_sys(err, errno, "getrandom");
	*e = (struct net_endpoint){0};
	hex_encode(raw, sizeof(raw), e->id);
	snprintf(e->container_id, sizeof(e->container_id), "%s", container_id);
	snprintf(e->name, sizeof(e->name), "%s", name ? name : "");
	return 0;
}

/*
 * The firewall's part runs beside the driver's and is waited for here, before anything runs in the container. If only that fails, the driver
 * undoes the rest.
 */
/* Rows that the driver emits: what it has chosen itself is not taken over yet, and must not be lost unseen. */
static void on_row(const struct dockerd_emit *to, const char *key, const char *value)
{
	if (!str_after(key, "info."))
		log_warn("what a network driver has chosen is not supported yet", "row", key,
			 "value", value);
	*(bool *)to->ctx = *(bool *)to->ctx || !str_after(key, "info.");
}

static int join(struct net *n, struct view *v, struct error *err)
{
	bool chosen = false;
	const struct dockerd_emit out = {.size = sizeof(out), .row = on_row, .ctx = &chosen};
	struct error fw = ERROR_INIT;
	int r, rules;

	firewall_defer();
	v->endpoint.out = &out;
	r = endpoint_call(n, "join", v, err);
	v->endpoint.out = NULL;
	rules = firewall_collect(&fw);
	if (r == 0 && chosen)
		rules = error_set(&fw, ERR_NOT_IMPLEMENTED,
				  "addresses, gateways and routes of a driver's own choice are not "
				  "supported yet");
	if (r < 0 || rules == 0)
		return r;
	if (endpoint_call(n, "leave", v, err) < 0)
		log_warn("network endpoint not taken back", "endpoint", v->endpoint.id, "error",
			 err->text);
	*err = fw;
	return error_wrap(err,
			  "driver failed programming external connectivity on endpoint %s (%s)",
			  v->endpoint.name, v->endpoint.id);
}

static int parse_driver_opts(const struct net *n, const struct pairs *given, struct view *v,
			     struct error *err)
{
	auto_pairs none = PAIRS_INIT;

	if (plugin_options_parse(n->driver->instance.plugin, DOCKERD_SCOPE_ENDPOINT,
				 given ? given : &none, &v->options, err) < 0)
		return -1;
	v->endpoint.options = v->options;
	return 0;
}

struct net *endpoint_network(const char *name_or_id, struct error *err)
{
	struct net *n = network_get(name_or_id, err);

	if (n && !n->driver) {
		error_set(err, n->config_only ? ERR_DENIED : ERR_UNAVAILABLE,
			  n->config_only
			      ? "cannot connect to a configuration network: %s"
			      : "network %s can't be used: its driver could not be opened",
			  n->name);
		net_unref(n);
		return NULL;
	}
	return n;
}

int network_connect(const struct network_join *j, struct network_endpoint *out, struct error *err)
{
	auto_net *n = endpoint_network(j->network, err);
	struct net_endpoint e;
	auto_view v = {0};

	if (!n || new_endpoint(j->container_id, j->container_name, &e, err) < 0)
		return -1;
	endpoints_retry(n);
	if (take_address(n, j->ipv4, &e, err) < 0)
		return -1;
	if (endpoint_record(n, &e, err) < 0)
		goto give_back;
	FAULT("network.connect.recorded");
	view_init(&v, n, &e, j->ifname ? j->ifname : "eth0", j->way_out);
	v.endpoint.mac = j->mac;
	v.endpoint.netns_fd = j->netns_fd;
	v.endpoint.netlink_fd = j->netlink_fd;
	if (parse_driver_opts(n, j->driver_opts, &v, err) < 0)
		goto drop_record;
	if (j->way_out && net_caps(n) & DOCKERD_NETWORK_CAP_PORTS && !n->internal)
		view_wanted_ports(&v, n, j->ports, j->n_ports);
	if (join(n, &v, err) < 0)
		goto drop_record;
	FAULT("network.connect.joined");
	snprintf(e.mac, sizeof(e.mac), "%s", v.endpoint.out_mac);
	endpoint_remember(n, &e);
	joined(n);
	dns_add(n, &e, j->names);
	fill_out(n, &e, &v, out);
	return 0;
drop_record:
	endpoint_record_remove(e.id);
give_back:
	give_address_back(n, &e);
	joined(n);
	return -1;
}

int endpoint_known(const char *container_id, const char *name, const struct network_endpoint *from,
		   struct net_endpoint *e, struct error *err)
{
	struct error ignored = ERROR_INIT;

	*e = (struct net_endpoint){0};
	if (strspn(from->endpoint_id, "0123456789abcdef") != 64)
		return error_set(err, ERR_INVALID, "'%s' is no endpoint id", from->endpoint_id);
	memcpy(e->id, from->endpoint_id, sizeof(e->id));
	snprintf(e->container_id, sizeof(e->container_id), "%s", container_id);
	snprintf(e->name, sizeof(e->name), "%s", name ? name : "");
	snprintf(e->mac, sizeof(e->mac), "%s", from->mac);
	if (from->ipv4[0] && ipam_parse_addr(from->ipv4, &e->ip, &ignored) < 0)
		return error_set(err, ERR_INVALID, "endpoint %s: '%s' is no address", e->id,
				 from->ipv4);
	return 0;
}

static int call_update(const struct net *n, const struct dockerd_endpoint *was, struct view *v,
		       struct error *err)
{
	struct dockerd_error derr = plugin_error_init();
	struct plugin_call c;

	if (plugin_enter(&n->driver->instance, "update", n->id, &c, err) < 0)
		return -1;
	return plugin_leave(
	    &c, net_ops(n)->update(n->driver->instance.self, &v->network, was, &v->endpoint, &derr),
	    &derr, err);
}

int network_update(const char *container_id, const char *container_name,
		   struct network_endpoint *from, bool out, const struct network_port *ports,
		   size_t n_ports, int netns_fd, int netlink_fd, struct error *err)
{
	auto_net *n = endpoint_network(from->network_id, err);
	struct net_endpoint e;
	auto_view was = {0}, v = {0};

	if (!n || endpoint_known(container_id, container_name, from, &e, err) < 0)
		return -1;
	if (!net_ops(n)->update)
		return 0;
	view_init(&was, n, &e, from->ifname, !out);
	for (size_t i = 0; i < from->n_ports; i++)
		view_port(&was, &from->ports[i], from->ports[i].host_ip);
	view_init(&v, n, &e, from->ifname, out);
	v.endpoint.netns_fd = was.endpoint.netns_fd = netns_fd;
	v.endpoint.netlink_fd = was.endpoint.netlink_fd = netlink_fd;
	view_known(&was, from);
	view_known(&v, from);
	if (out && net_caps(n) & DOCKERD_NETWORK_CAP_PORTS && !n->internal)
		view_wanted_ports(&v, n, ports, n_ports);
	if (call_update(n, &was.endpoint, &v, err) < 0)
		return -1;
	fill_ports(&v, from);
	return 0;
}

int network_disconnect(const char *container_id, struct network_endpoint *from, struct error *err)
{
	auto_net *n = endpoint_network(from->network_id, err);
	struct net_endpoint e;
	auto_view v = {0};

	if (!n || endpoint_known(container_id, NULL, from, &e, err) < 0)
		return -1;
	dns_del(n, e.id);
	view_init(&v, n, &e, from->ifname, true);
	view_known(&v, from);
	for (size_t i = 0; i < from->n_ports; i++)
		view_port(&v, &from->ports[i], from->ports[i].host_ip);
	if (FAULT_ERR("network.disconnect.driver", err) < 0 ||
	    endpoint_call(n, "leave", &v, err) < 0)
		return -1;
	FAULT("network.disconnect.left");
	endpoint_forget(n, e.id);
	endpoint_record_remove(e.id);
	return 0;
}

void network_rename(const struct network_endpoint *from, const char *container_name,
		    const struct strlist *names)
{
	struct error ignored = ERROR_INIT;
	auto_net *n = network_get(from->network_id, &ignored);
	struct net_endpoint copy = {0}, *e;

	if (!n)
		return;
	pthread_mutex_lock(&network_lock);
	e = map_get(&n->endpoints, from->endpoint_id);
	if (e) {
		snprintf(e->name, sizeof(e->name), "%s", container_name);
		copy = *e;
	}
	pthread_mutex_unlock(&network_lock);
	if (copy.id[0])
		dns_add(n, &copy, names);
}
