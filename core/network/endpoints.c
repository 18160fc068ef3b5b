/* SPDX-License-Identifier: Apache-2.0 */
/* Containers joining and leaving networks. What outlives a daemon: see adopt.c. */
#include "network/endpoints.h"
#include "network/ipam_remote.h"
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

	*out = (struct network_endpoint){.publishes = net_publishes(n)};
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

			endpoint_give_back(n, &ours);
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
	struct fw_batch batch = {0};
	int r, rest;

	v->endpoint.out = &out;
	v->network.batch = &batch;
	r = endpoint_call(n, "join", v, err);
	v->network.batch = NULL;
	v->endpoint.out = NULL;
	rest = firewall_wait(&batch, &late);
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

/* Links as a container names them, between its own address and its peers'. malloc'ed; those that can't be read are left out. */
static struct net_link *read_links(const struct net_endpoint *e, const struct network_link *from,
				   size_t n, size_t *count)
{
	struct net_link *out = xcalloc(n + 1, sizeof(*out));

	*count = 0;
	for (size_t i = 0; i < n && ipam_is_set(e->addr[0]); i++) {
		struct net_link *l = &out[*count];
		struct error bad = ERROR_INIT;
		struct ip peer;

		if (ip_parse(from[i].peer, &peer, &bad) < 0 || ip_is_v6(peer))
			continue;
		l->client = from[i].serves ? peer : e->addr[0].addr;
		l->server = from[i].serves ? e->addr[0].addr : peer;
		l->port = from[i].port;
		memcpy(l->proto, from[i].proto, sizeof(l->proto));
		(*count)++;
	}
	return out;
}

void endpoint_links(struct net *n, const struct net_endpoint *e, const struct network_link *from,
		    size_t count, struct view *v)
{
	auto_free struct net_link *links = read_links(e, from, count, &count);

	/* before they are made: whatever happens then, they end with one of the two */
	links_keep(n, links, count);
	view_links(v, links, count);
}

/* Link-local addresses that the user names: as many as there are, each with the prefix of its kind. RFC 3927, RFC 4291. */
static int add_link_local(struct view *v, const struct strlist *list, struct error *err)
{
	struct ipam_prefix v4, v6;

	ipam_parse("169.254.0.0/16", &v4, err);
	ipam_parse("fe80::/10", &v6, err);
	for (size_t i = 0; list && i < list->n; i++) {
		struct ip ip;

		if (ip_parse(list->v[i], &ip, err) < 0)
			return -1;
		if (!ipam_contains(ip_is_v6(ip) ? v6 : v4, ip))
			return error_set(err, ERR_INVALID, "invalid link local IP address: %s",
					 list->v[i]);
		view_address(v, (struct ipam_prefix){ip, ip_is_v6(ip) ? 64 : 16});
	}
	return 0;
}

/* A name for an interface, in the kernel's words where it can't be one. */
static int check_ifname(const char *name, struct error *err)
{
	const char *why = strlen(name) > 15 ? "numerical result out of range"
			  : name[strcspn(name, "/: \t\n")] || streq(name, ".") || streq(name, "..")
			      ? "invalid argument"
			      : NULL;

	return why ? error_set(err, ERR_SYSTEM,
			       "failed to add interface to sandbox: error naming interface \"%s\": "
			       "%s",
			       name, why)
		   : 0;
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

int network_connect(const struct network_join *asked, struct network_endpoint *out,
		    struct error *err)
{
	auto_net *n = endpoint_network(asked->network, err);
	struct ipam_lease lease;
	const struct network_join *j = &lease.join;
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
	if ((asked->ifname && check_ifname(asked->ifname, err) < 0) ||
	    new_endpoint(asked->container_id, asked->container_name, &e, err) < 0)
		return -1;
	endpoints_retry(n);
	if (endpoint_joining(n, err) < 0)
		return -1;
	if (ipam_remote_lease(n, asked, &lease, err) < 0)
		goto joined;
	if (endpoint_take_addresses(n, j, &e, err) < 0) {
		ipam_remote_return(n, lease.ip);
		goto joined;
	}
	if (endpoint_record(n, &e, err) < 0)
		goto drop;
	FAULT("network.connect.recorded");
	view_init(&v, n, &e, j->ifname ? j->ifname : "eth0", j->ways);
	v.endpoint.mac = j->mac;
	v.endpoint.netns_fd = j->netns_fd;
	v.endpoint.netlink_fd = j->netlink_fd;
	if (parse_driver_opts(n, j->driver_opts, &v, err) < 0)
		goto drop_links;
	view_wanted_ports(&v, n, j->ways, j->ports, j->n_ports);
	if (add_link_local(&v, j->link_local, err) < 0)
		goto drop_links;
	endpoint_links(n, &e, j->links, j->n_links, &v);
	if (join(n, &v, &e, &chosen, err) < 0)
		goto drop_links;
	if (endpoint_sysctls(j, err) < 0) {
		struct error ignored = ERROR_INIT;

		if (endpoint_call(n, "leave", &v, &ignored) < 0)
			log_warn("network endpoint not taken back", "endpoint", e.id, "error",
				 ignored.text);
		goto drop_links;
	}
	FAULT("network.connect.joined");
	snprintf(e.mac, sizeof(e.mac), "%s", v.endpoint.out_mac);
	endpoint_remember(n, &e);
	endpoint_joined(n);
	dns_add(n, &e, j->names);
	fill_out(n, &e, &v, &chosen, out);
	return 0;
drop_links:
	links_drop(n, &e);
drop:
	endpoint_drop(n, &e);
joined:
	endpoint_joined(n);
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
	auto_free struct net_link *links = NULL;
	struct net_endpoint e;
	auto_view v = {0};
	size_t n_links;

	if (!n || endpoint_known(container_id, NULL, from, &e, err) < 0)
		return -1;
	dns_del(n, e.id);
	view_init(&v, n, &e, from->ifname, NETWORK_WAY_IPV4 | NETWORK_WAY_IPV6);
	view_known(&v, from);
	for (size_t i = 0; i < from->n_ports; i++)
		view_port(&v, &from->ports[i], from->ports[i].host_ip);
	links = links_of(n, &e, &n_links);
	view_links(&v, links, n_links);
	if (FAULT_ERR("network.disconnect.driver", err) < 0 ||
	    endpoint_call(n, "leave", &v, err) < 0)
		return -1;
	links_drop(n, &e);
	FAULT("network.disconnect.left");
	endpoint_forget(n, &e, true);
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
