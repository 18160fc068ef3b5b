/* SPDX-License-Identifier: Apache-2.0 */
/* Containers on a bridge: links, addresses, rules, published ports, and the way out that comes and goes. See bridge.h. */
#include "bridge.h"
#include "../common/netlink.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdlib.h>

/* The host's end: found again by the endpoint's id alone. */
static void host_name(const struct dockerd_endpoint *e, char out[16])
{
	snprintf(out, 16, "veth%.11s", e->id);
}

/* An endpoint's addresses of both families, without prefix length; "": none. */
struct addresses {
	char text[2][64];
	const char *v[2];
};

static void read_addresses(const struct dockerd_endpoint *e, struct addresses *a)
{
	for (int v6 = 0; v6 < 2; v6++) {
		const char *address = dockerd_address_of(e, v6);

		snprintf(a->text[v6], sizeof(a->text[v6]), "%.*s",
			 address ? (int)strcspn(address, "/") : 0, address ? address : "");
		a->v[v6] = a->text[v6];
	}
}

/* Made from the address, so that neighbours whose ARP cache still has an earlier holder of the address find the new one at once. */
static int choose_mac(const char *wanted, const struct addresses *ip, char out[24],
		      struct dockerd_error *err)
{
	unsigned char b[16], *a = b;

	if (wanted && *wanted) {
		snprintf(out, 24, "%s", wanted);
		return 0;
	}
	if (inet_pton(AF_INET, ip->v[0], b) != 1) {
		a = b + 12;
		if (inet_pton(AF_INET6, ip->v[1], b) != 1)
			return dockerd_fail(err, DOCKERD_ERR_INVALID, "'%s%s' is no address",
					    ip->v[0], ip->v[1]);
	}
	snprintf(out, 24, "02:42:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3]);
	return 0;
}

static int external_failed(const struct dockerd_endpoint *e, struct dockerd_error *err)
{
	struct dockerd_error inner = *err;
	const char *name = e->name ? e->name : "";

	dockerd_fail(err, inner.category,
		     "driver failed programming external connectivity on endpoint %s (%s): %.700s",
		     name, e->id, inner.text);
	err->sys_errno = inner.sys_errno;
	return -1;
}

/* The endpoint's rules in the families that it has addresses of. What went in is taken back on failure. */
static int endpoint_rules(const struct bridge *b, const struct bridge_net *n,
			  const struct addresses *ip, const struct dockerd_endpoint *e, bool add,
			  struct dockerd_error *err)
{
	int r = 0;

	for (int v6 = 0; v6 < 2; v6++) {
		struct dockerd_error ignored = {.size = sizeof(ignored)};

		if (!*ip->v[v6] ||
		    bridge_firewall(b, n, v6, bridge_rules_endpoint(n, v6, ip->v[v6], e, add),
				    err) == 0)
			continue;
		r = -1;
		if (!add)
			continue;
		if (v6 && *ip->v[0])
			bridge_firewall(b, n, false,
					bridge_rules_endpoint(n, false, ip->v[0], e, false),
					&ignored);
		break;
	}
	return r;
}

/* Those of some ports alone. */
static int port_rules(const struct bridge *b, const struct bridge_net *n,
		      const struct addresses *ip, const struct dockerd_port *v, uint32_t count,
		      bool add, struct dockerd_error *err)
{
	for (int v6 = 0; v6 < 2; v6++)
		if (*ip->v[v6] &&
		    bridge_firewall(b, n, v6, bridge_rules_ports(n, v6, ip->v[v6], v, count, add),
				    err) < 0)
			return -1;
	return 0;
}

/* A container that comes back into the same namespace may find its earlier eth0 there, about to be deleted. */
static int add_link(struct bridge *b, const struct bridge_net *n, const struct dockerd_endpoint *e,
		    struct dockerd_error *err)
{
	int r = link_veth_add(n, e->out_host_ifname, e->ifname, e->out_mac, e->netns_fd, err);

	if (r < 0 && reaper_wait(b->reaper))
		r = link_veth_add(n, e->out_host_ifname, e->ifname, e->out_mac, e->netns_fd, err);
	return r;
}

static struct way_out way_out(const struct bridge_net *n, const struct dockerd_endpoint *e, bool v6)
{
	uint32_t flag = v6 ? DOCKERD_ENDPOINT_ROUTE_IPV6 : DOCKERD_ENDPOINT_ROUTE_IPV4;

	return (struct way_out){.wanted = e->flags & flag && !n->internal && n->v[v6].subnet &&
					  dockerd_address_of(e, v6),
				.via = n->v[v6].route};
}

int32_t bridge_join(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		    struct dockerd_error *err)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	struct bridge *b = self;
	struct bridge_net net;
	struct addresses ip;
	struct way_out out[2];
	char name[16];

	if (bridge_read(b, n, name, &net, err) < 0)
		return -1;
	read_addresses(e, &ip);
	if (!*ip.v[0] && !*ip.v[1])
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "endpoint %s has no address", e->id);
	host_name(e, e->out_host_ifname);
	if (choose_mac(e->mac, &ip, e->out_mac, err) < 0)
		return -1;
	if (ports_bind(&b->ports, b->host, &net, ip.v, e->ports, e->port_count, err) < 0)
		return external_failed(e, err);
	/* First, since the daemon puts the rules in while the links are made. */
	if (endpoint_rules(b, &net, &ip, e, true, err) < 0) {
		external_failed(e, err);
		goto drop_ports;
	}
	if (add_link(b, &net, e, err) < 0)
		goto drop_rules;
	out[0] = way_out(&net, e, false);
	out[1] = way_out(&net, e, true);
	if (inside_setup(e, out, err) < 0)
		goto drop_link;
	return 0;
drop_link:
	link_delete(if_nametoindex(e->out_host_ifname), &ignored);
drop_rules:
	endpoint_rules(b, &net, &ip, e, false, &ignored);
drop_ports:
	ports_release(&b->ports, b->host, e->ports, e->port_count);
	return -1;
}

int32_t bridge_leave(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		     struct dockerd_error *err)
{
	struct bridge *b = self;
	struct bridge_net net;
	struct addresses ip;
	char name[16], host[16];
	unsigned int index;
	int r;

	if (bridge_read(b, n, name, &net, err) < 0)
		return -1;
	read_addresses(e, &ip);
	r = endpoint_rules(b, &net, &ip, e, false, err);
	ports_release(&b->ports, b->host, e->ports, e->port_count);
	host_name(e, host);
	if (link_down(host, &index, err) < 0)
		return -1;
	/* By number: the kernel may take it away with its namespace before, and a join make another one of that name. */
	if (index)
		reaper_delete(b->reaper, index);
	return r;
}

/* The link is there and carries traffic; rules and ports are taken over by the same requests that made them. */
int32_t bridge_adopt(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		     struct dockerd_error *err)
{
	struct bridge *b = self;
	struct bridge_net net;
	struct addresses ip;
	char name[16];

	if (bridge_read(b, n, name, &net, err) < 0)
		return -1;
	read_addresses(e, &ip);
	host_name(e, e->out_host_ifname);
	if (!link_exists(e->out_host_ifname))
		return dockerd_fail(err, DOCKERD_ERR_NOT_FOUND, "link %s of endpoint %s is gone",
				    e->out_host_ifname, e->id);
	/* Exactly the ports it had, not some of the range it asked for. */
	for (uint32_t i = 0; i < e->port_count; i++)
		DOCKERD_AT(e->ports, i)->host_port_start = DOCKERD_AT(e->ports, i)->host_port_end =
		    DOCKERD_AT(e->ports, i)->bound_port;
	if (ports_bind(&b->ports, b->host, &net, ip.v, e->ports, e->port_count, err) < 0)
		return external_failed(e, err);
	return endpoint_rules(b, &net, &ip, e, true, err);
}

/* Is the port of v among those of w, bound to the same number? */
static bool among(const struct dockerd_port *v, const struct dockerd_port *w, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct dockerd_port *p = DOCKERD_AT(w, i);

		if (p->bound_port == v->bound_port && p->container_port == v->container_port &&
		    !strcmp(p->proto, v->proto) && !strcmp(p->host_ip, v->host_ip))
			return true;
	}
	return false;
}

static bool same_wish(const struct dockerd_port *a, const struct dockerd_port *b)
{
	return a->container_port == b->container_port && !strcmp(a->proto, b->proto) &&
	       !strcmp(a->host_ip, b->host_ip);
}

/* The ports of v that are not in w, by structs of ours: malloc'ed, *n of them. NULL if memory is gone. */
static struct dockerd_port *only_in(const struct dockerd_port *v, uint32_t count,
				    const struct dockerd_port *w, uint32_t other, uint32_t *n)
{
	struct dockerd_port *out = calloc(count + 1, sizeof(*out));

	*n = 0;
	for (uint32_t i = 0; out && i < count; i++) {
		const struct dockerd_port *p = DOCKERD_AT(v, i);

		if (among(p, w, other))
			continue;
		memcpy(&out[*n], p, p->size < sizeof(*p) ? p->size : sizeof(*p));
		out[(*n)++].size = sizeof(*out);
	}
	return out;
}

/* Ports that go: rules first, so that nobody is sent to a port that is another's already. */
static int drop_ports(struct bridge *b, const struct bridge_net *net, const struct addresses *ip,
		      const struct dockerd_port *v, uint32_t n, struct dockerd_error *err)
{
	int r = n ? port_rules(b, net, ip, v, n, false, err) : 0;

	ports_release(&b->ports, b->host, v, n);
	return r;
}

static int add_ports(struct bridge *b, const struct bridge_net *net, const struct addresses *ip,
		     struct dockerd_endpoint *e, struct dockerd_port *v, uint32_t n,
		     struct dockerd_error *err)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	uint32_t k = 0;

	if (!n)
		return 0;
	if (ports_bind(&b->ports, b->host, net, ip->v, v, n, err) < 0)
		return external_failed(e, err);
	if (port_rules(b, net, ip, v, n, true, err) < 0) {
		drop_ports(b, net, ip, v, n, &ignored);
		return external_failed(e, err);
	}
	for (uint32_t i = 0; k < n && i < e->port_count; i++) /* in the order of only_in */
		if (!DOCKERD_AT(e->ports, i)->bound_port &&
		    same_wish(DOCKERD_AT(e->ports, i), &v[k]))
			DOCKERD_AT(e->ports, i)->bound_port = v[k++].bound_port;
	return 0;
}

/* Default routes that come or go. */
static int move_routes(const struct bridge_net *net, const struct dockerd_endpoint *was,
		       const struct dockerd_endpoint *e, struct dockerd_error *err)
{
	for (int v6 = 0; v6 < 2 && e->netlink_fd >= 0; v6++) {
		struct way_out before = way_out(net, was, v6), now = way_out(net, e, v6);

		if (before.wanted == now.wanted || inside_default_route(e, v6, &now, err) == 0)
			continue;
		if (v6) {
			struct dockerd_error ignored = {.size = sizeof(ignored)};

			before = way_out(net, was, false);
			if (before.wanted != way_out(net, e, false).wanted)
				inside_default_route(e, false, &before, &ignored);
		}
		return -1;
	}
	return 0;
}

/* The way out goes to another network, or comes back from one. */
int32_t bridge_update(void *self, const struct dockerd_network *n,
		      const struct dockerd_endpoint *was, struct dockerd_endpoint *e,
		      struct dockerd_error *err)
{
	struct bridge *b = self;
	struct bridge_net net;
	struct addresses ip;
	struct dockerd_port *gone, *fresh;
	uint32_t n_gone, n_fresh;
	char name[16];
	int r = 0;

	if (bridge_read(b, n, name, &net, err) < 0)
		return -1;
	read_addresses(e, &ip);
	ports_any_address(&net, e->ports, e->port_count);
	gone = only_in(was->ports, was->port_count, e->ports, e->port_count, &n_gone);
	fresh = only_in(e->ports, e->port_count, was->ports, was->port_count, &n_fresh);
	if (!gone || !fresh)
		r = dockerd_fail_errno(err, ENOMEM, "ports of endpoint %s", e->id);
	if (r == 0)
		r = add_ports(b, &net, &ip, e, fresh, n_fresh, err);
	if (r == 0 && move_routes(&net, was, e, err) < 0) {
		struct dockerd_error ignored = {.size = sizeof(ignored)};

		r = -1;
		drop_ports(b, &net, &ip, fresh, n_fresh, &ignored);
	}
	if (r == 0)
		r = drop_ports(b, &net, &ip, gone, n_gone, err);
	free(gone);
	free(fresh);
	return r;
}
