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

/* With the lock. */
static void release(struct net *n, const struct net_endpoint *e)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct net_subnet *s = net_subnet_of(n, e->addr[v6].addr);

		if (s)
			ipam_release(&s->ipam, e->addr[v6].addr);
	}
}

int endpoint_reserve(struct net *n, const struct net_endpoint *e, struct error *err)
{
	struct net_endpoint got = {0};
	char text[IP_TEXT];
	LOCK_SCOPE(&network_lock);

	for (int v6 = 0; v6 < 2; v6++) {
		struct net_subnet *s = net_subnet_of(n, e->addr[v6].addr);

		if (!ipam_is_set(e->addr[v6]) || !network_has_addresses(n))
			continue;
		if (!s || ipam_reserve(&s->ipam, e->addr[v6].addr) < 0) {
			release(n, &got);
			ip_format(e->addr[v6].addr, text);
			return error_set(err, ERR_CONFLICT,
					 "address %s of endpoint %s is not free in network %s: was "
					 "the subnet changed?",
					 text, e->id, n->name);
		}
		got.addr[v6] = e->addr[v6];
	}
	return 0;
}

/* Out of the table, its addresses back. */
void endpoint_forget(struct net *n, const char *id)
{
	struct net_endpoint *e;
	LOCK_SCOPE(&network_lock);

	e = map_del(&n->endpoints, id);
	if (e && e->orphan)
		n->orphans--;
	if (e)
		release(n, e);
	free(e);
}

/* An address that the user wants, of either family. */
static int take_wanted(struct net *n, const char *wanted, struct ipam_prefix *out,
		       struct error *err)
{
	struct net_subnet *s;
	struct ip ip;

	if (ip_parse(wanted, &ip, err) < 0)
		return -1;
	if (!network_has_addresses(n)) { /* the driver is told, and chooses */
		*out = (struct ipam_prefix){ip, ip.bits};
		return 0;
	}
	s = net_subnet_of(n, ip);
	if (!s || !subnet_is_on(n, s))
		return error_set(err, ERR_INVALID, "no configured subnet or ip-range contain the IP address %s",
				 wanted);
	if (ipam_reserve(&s->ipam, ip) < 0)
		return error_set(err, ERR_DENIED, "Address already in use");
	*out = (struct ipam_prefix){ip, s->subnet.len};
	return 0;
}

/* A free address of the family, in the first subnet that has one. */
static int take_free(struct net *n, bool ipv6, struct ipam_prefix *out, struct error *err)
{
	for (size_t i = 0; i < n->n_subnets; i++) {
		struct net_subnet *s = &n->subnets[i];

		if (subnet_is_v6(s) != ipv6 || ipam_take(&s->ipam, &out->addr) < 0)
			continue;
		out->len = s->subnet.len;
		return 0;
	}
	return error_set(err, ERR_SYSTEM,
			 "no available IPv%d addresses on this network's address pools: %s (%s)",
			 ipv6 ? 6 : 4, n->name, n->id);
}

/* Is there what addresses are taken from? Not when the network could not be brought up at the start. */
static bool has_ipam(const struct net *n)
{
	for (size_t i = 0; i < n->n_subnets; i++)
		if (subnet_is_on(n, &n->subnets[i]) && !ipam_is_set(n->subnets[i].ipam.subnet))
			return false;
	return n->n_subnets > 0;
}

/* The network's addresses for the endpoint; from here on the network can't be deleted, until `joined`. */
static int take_addresses(struct net *n, const struct network_join *j, struct net_endpoint *e,
			  struct error *err)
{
	const char *const wanted[2] = {j->ipv4, j->ipv6};
	const bool on[2] = {n->ipv4, n->ipv6};
	bool ours = network_has_addresses(n);
	LOCK_SCOPE(&network_lock);

	if (n->deleting)
		return error_set(err, ERR_NOT_FOUND, "network %s not found", n->name);
	if (ours && !has_ipam(n))
		return error_set(err, ERR_SYSTEM, "network %s has no addresses: see the log",
				 n->name);
	for (int v6 = 0; v6 < 2; v6++) {
		int r = 0;

		if (!str_empty(wanted[v6]))
			r = take_wanted(n, wanted[v6], &e->addr[v6], err);
		else if (ours && on[v6])
			r = take_free(n, v6, &e->addr[v6], err);
		if (r < 0) {
			release(n, e);
			memset(e->addr, 0, sizeof(e->addr));
			return -1;
		}
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

static void give_addresses_back(struct net *n, const struct net_endpoint *e)
{
	LOCK_SCOPE(&network_lock);

	release(n, e);
}

/* ---- the driver's view -------------------------------------------------------------------------------------------------------------------- */

void view_free(struct view *v)
{
	free(v->ports);
	net_text_free(&v->text);
	plugin_options_free(v->options);
}

void view_init(struct view *v, const struct net *n, const struct net_endpoint *e,
	       const char *ifname, unsigned int ways)
{
	uint32_t count = 0;
	char ip[IP_TEXT];

	*v = (struct view){0};
	v->network = network_view(n, &v->text);
	for (int v6 = 0; v6 < 2; v6++) {
		ip_format(e->addr[v6].addr, ip);
		if (!*ip)
			continue;
		snprintf(v->texts[v6], sizeof(v->texts[v6]), "%s/%d", ip, e->addr[v6].len);
		v->addresses[count++] = (struct dockerd_address){.size = sizeof(*v->addresses),
								 .address = v->texts[v6]};
	}
	v->endpoint = (struct dockerd_endpoint){
	    .size = sizeof(v->endpoint),
	    .id = e->id,
	    .container_id = e->container_id,
	    .addresses = v->addresses,
	    .address_count = count,
	    .ifname = ifname,
	    .netns_fd = -1,
	    .netlink_fd = -1,
	    .flags = (ways & NETWORK_WAY_IPV4 ? DOCKERD_ENDPOINT_ROUTE_IPV4 : 0) |
		     (ways & NETWORK_WAY_IPV6 ? DOCKERD_ENDPOINT_ROUTE_IPV6 : 0),
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

/* Can a port on a host address of the family be offered by this endpoint? By the proxy IPv6 leads to IPv4, not the other way round: moby's rule. */
static bool offers(const struct net *n, unsigned int ways, bool ipv6)
{
	return ipv6 ? ways & NETWORK_WAY_IPV6 && (n->ipv6 || room.proxy)
		    : ways & NETWORK_WAY_IPV4 && n->ipv4;
}

/* The ports that the endpoint publishes. */
static void view_wanted_ports(struct view *v, const struct net *n, unsigned int ways,
			      const struct network_port *ports, size_t count)
{
	const char *any = binding_of(n);

	if (!(net_caps(n) & DOCKERD_NETWORK_CAP_PORTS) || n->internal)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct network_port *p = &ports[i];
		const char *ip = p->host_ip[0] ? p->host_ip : any;

		if (offers(n, ways, strchr(ip, ':') != NULL))
			view_port(v, p, ip);
		if (!p->host_ip[0] && streq(any, "0.0.0.0") && room.v6 && offers(n, ways, true))
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

/* What the driver has chosen itself, as it says so. */
struct chosen {
	struct ipam_prefix addr[2];
	bool gateway_given[2];
	struct ip gateway[2];
};

/* Next hop of the container's default route of a family: the driver's word, or the subnet's. */
static struct ip next_hop(const struct net *n, const struct net_endpoint *e, const struct chosen *c,
			  bool ipv6)
{
	const struct net_subnet *s = net_subnet_of(n, e->addr[ipv6].addr);

	if (c->gateway_given[ipv6])
		return c->gateway[ipv6];
	return !s || n->internal ? (struct ip){0} : s->route.bits ? s->route : s->gateway;
}

static void fill_out(const struct net *n, const struct net_endpoint *e, const struct view *v,
		     const struct chosen *c, struct network_endpoint *out)
{
	const struct dockerd_endpoint *d = &v->endpoint;
	char ip[IP_TEXT];

	*out = (struct network_endpoint){.publishes = net_caps(n) & DOCKERD_NETWORK_CAP_PORTS};
	memcpy(out->network_id, n->id, sizeof(out->network_id));
	memcpy(out->endpoint_id, e->id, sizeof(out->endpoint_id));
	snprintf(out->network_name, sizeof(out->network_name), "%s", n->name);
	snprintf(out->driver, sizeof(out->driver), "%s", n->driver_name);
	if (ipam_is_set(e->addr[0])) {
		ip_format(e->addr[0].addr, ip);
		snprintf(out->ipv4, sizeof(out->ipv4), "%s", ip);
		ip_format(next_hop(n, e, c, false), ip);
		snprintf(out->gateway4, sizeof(out->gateway4), "%s", ip);
		out->prefix4 = e->addr[0].len;
	}
	if (ipam_is_set(e->addr[1])) {
		ip_format(e->addr[1].addr, out->ipv6);
		ip_format(next_hop(n, e, c, true), out->gateway6);
		out->prefix6 = e->addr[1].len;
	}
	if (ipam_is_set(e->addr[0]) || ipam_is_set(e->addr[1]))
		snprintf(out->ifname, sizeof(out->ifname), "%s", d->ifname);
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

/* Rows that the driver emits; a further address of a family stays the driver's own affair, as its routes do. */
static void on_row(const struct dockerd_emit *to, const char *key, const char *value)
{
	struct chosen *c = to->ctx;
	struct error err = ERROR_INIT;
	struct ipam_prefix p;
	struct ip ip;

	if (streq(key, "address") && ipam_parse(value, &p, &err) == 0) {
		if (!ipam_is_set(c->addr[ip_is_v6(p.addr)]))
			c->addr[ip_is_v6(p.addr)] = p;
	} else if (streq(key, "gateway") && !*value) {
		c->gateway_given[0] = c->gateway_given[1] = true;
	} else if (streq(key, "gateway") && ip_parse(value, &ip, &err) == 0) {
		c->gateway_given[ip_is_v6(ip)] = true;
		c->gateway[ip_is_v6(ip)] = ip;
	} else if (err.kind) {
		log_warn("a network driver says what can't be read", "row", key, "value", value);
	}
}

/* Addresses of the driver's own choice take the place of ours. */
static int take_chosen(struct net *n, struct net_endpoint *e, const struct chosen *c,
		       struct error *err)
{
	struct net_endpoint theirs = *e, kept = *e;

	for (int v6 = 0; v6 < 2; v6++)
		if (!ipam_is_set(c->addr[v6]) || ip_equal(c->addr[v6].addr, e->addr[v6].addr)) {
			memset(&theirs.addr[v6], 0, sizeof(theirs.addr[v6]));
		} else {
			theirs.addr[v6] = c->addr[v6];
			memset(&kept.addr[v6], 0, sizeof(kept.addr[v6]));
		}
	if (!ipam_is_set(theirs.addr[0]) && !ipam_is_set(theirs.addr[1]))
		return 0;
	if (endpoint_reserve(n, &theirs, err) < 0)
		return -1;
	for (int v6 = 0; v6 < 2; v6++)
		if (ipam_is_set(theirs.addr[v6])) {
			struct net_endpoint ours = {.addr = {[0] = e->addr[v6]}};

			give_addresses_back(n, &ours);
			e->addr[v6] = theirs.addr[v6];
		}
	return endpoint_record(n, e, err);
}

/*
 * The firewall's part runs beside the driver's and is waited for here, before anything runs in the container. If only that fails, the driver
 * undoes the rest.
 */
static int join(struct net *n, struct view *v, struct net_endpoint *e, struct chosen *c,
		struct error *err)
{
	const struct dockerd_emit out = {.size = sizeof(out), .row = on_row, .ctx = c};
	struct error late = ERROR_INIT;
	int r, rest;

	firewall_defer(NULL);
	v->endpoint.out = &out;
	r = endpoint_call(n, "join", v, err);
	v->endpoint.out = NULL;
	rest = firewall_collect(NULL, &late);
	if (rest < 0)
		error_wrap(&late,
			   "driver failed programming external connectivity on endpoint %s (%s)",
			   v->endpoint.name, v->endpoint.id);
	else if (r == 0)
		rest = take_chosen(n, e, c, &late);
	if (r < 0 || rest == 0)
		return r;
	if (endpoint_call(n, "leave", v, err) < 0)
		log_warn("network endpoint not taken back", "endpoint", v->endpoint.id, "error",
			 err->text);
	*err = late;
	return -1;
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
	struct chosen chosen = {0};
	struct net_endpoint e;
	auto_view v = {0};

	if (!n)
		return -1;
	if (n->unusable)
		return error_set(err, ERR_UNAVAILABLE,
				 "network %s can't be used: it could not be brought up when the "
				 "daemon started, see its log",
				 n->name);
	if (new_endpoint(j->container_id, j->container_name, &e, err) < 0)
		return -1;
	endpoints_retry(n);
	if (take_addresses(n, j, &e, err) < 0)
		return -1;
	if (endpoint_record(n, &e, err) < 0)
		goto give_back;
	FAULT("network.connect.recorded");
	view_init(&v, n, &e, j->ifname ? j->ifname : "eth0", j->ways);
	v.endpoint.mac = j->mac;
	v.endpoint.netns_fd = j->netns_fd;
	v.endpoint.netlink_fd = j->netlink_fd;
	if (parse_driver_opts(n, j->driver_opts, &v, err) < 0)
		goto drop_record;
	view_wanted_ports(&v, n, j->ways, j->ports, j->n_ports);
	if (join(n, &v, &e, &chosen, err) < 0)
		goto drop_record;
	FAULT("network.connect.joined");
	snprintf(e.mac, sizeof(e.mac), "%s", v.endpoint.out_mac);
	endpoint_remember(n, &e);
	joined(n);
	dns_add(n, &e, j->names);
	fill_out(n, &e, &v, &chosen, out);
	return 0;
drop_record:
	endpoint_record_remove(e.id);
give_back:
	give_addresses_back(n, &e);
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
	if ((*from->ipv4 && ip_parse(from->ipv4, &e->addr[0].addr, &ignored) < 0) ||
	    (*from->ipv6 && ip_parse(from->ipv6, &e->addr[1].addr, &ignored) < 0))
		return error_set(err, ERR_INVALID, "endpoint %s: '%s%s' is no address", e->id,
				 from->ipv4, from->ipv6);
	e->addr[0].len = from->prefix4;
	e->addr[1].len = from->prefix6;
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

/* Ports that it publishes already stay as they are. */
static void keep_bound(struct view *v, const struct network_endpoint *from)
{
	auto_free bool *used = xcalloc(from->n_ports + 1, sizeof(*used));

	for (uint32_t i = 0; i < v->endpoint.port_count; i++) {
		struct dockerd_port *p = &v->ports[i];

		for (size_t k = 0; k < from->n_ports && !p->bound_port; k++) {
			const struct network_port *q = &from->ports[k];
			uint32_t last = p->host_port_end ? p->host_port_end : p->host_port_start;

			if (used[k] || q->container_port != p->container_port ||
			    !streq(q->proto, p->proto) || !streq(q->host_ip, p->host_ip) ||
			    (p->host_port_start &&
			     (q->host_port < p->host_port_start || q->host_port > last)))
				continue;
			used[k] = true;
			p->bound_port = q->host_port;
		}
	}
}

int network_update(const char *container_id, const char *container_name,
		   struct network_endpoint *from, unsigned int before, unsigned int now,
		   const struct network_port *ports, size_t n_ports, int netns_fd, int netlink_fd,
		   struct error *err)
{
	auto_net *n = endpoint_network(from->network_id, err);
	struct net_endpoint e;
	auto_view was = {0}, v = {0};

	if (!n || endpoint_known(container_id, container_name, from, &e, err) < 0)
		return -1;
	if (!net_ops(n)->update)
		return 0;
	view_init(&was, n, &e, from->ifname, before);
	for (size_t i = 0; i < from->n_ports; i++)
		view_port(&was, &from->ports[i], from->ports[i].host_ip);
	view_init(&v, n, &e, from->ifname, now);
	v.endpoint.netns_fd = was.endpoint.netns_fd = netns_fd;
	v.endpoint.netlink_fd = was.endpoint.netlink_fd = netlink_fd;
	view_known(&was, from);
	view_known(&v, from);
	view_wanted_ports(&v, n, now, ports, n_ports);
	keep_bound(&v, from);
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
	view_init(&v, n, &e, from->ifname, NETWORK_WAY_IPV4 | NETWORK_WAY_IPV6);
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
