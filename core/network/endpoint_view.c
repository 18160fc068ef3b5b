/* SPDX-License-Identifier: Apache-2.0 */
/* An endpoint as its driver sees it: what is passed in, and the calls. What comes back is read in endpoints.c. */
#include "network/endpoints.h"
#include "base/mem.h"

#include <stdlib.h>

void view_free(struct view *v)
{
	free(v->ports);
	free(v->addresses);
	free(v->texts);
	free(v->links);
	free(v->link_texts);
	net_text_free(&v->text);
	plugin_options_free(v->options);
}

void view_address(struct view *v, struct ipam_prefix p)
{
	uint32_t n = v->endpoint.address_count + 1;
	char ip[IP_TEXT];

	v->addresses = xreallocarray(v->addresses, n, sizeof(*v->addresses));
	v->texts = xreallocarray(v->texts, n, sizeof(*v->texts));
	ip_format(p.addr, ip);
	snprintf(v->texts[n - 1], sizeof(v->texts[n - 1]), "%s/%d", ip, p.len);
	for (uint32_t i = 0; i < n; i++) /* they may have moved */
		v->addresses[i] =
		    (struct dockerd_address){.size = sizeof(*v->addresses), .address = v->texts[i]};
	v->endpoint.addresses = v->addresses;
	v->endpoint.address_count = n;
}

void view_init(struct view *v, const struct net *n, const struct net_endpoint *e,
	       const char *ifname, unsigned int ways)
{
	*v = (struct view){0};
	v->network = network_view(n, &v->text);
	v->endpoint = (struct dockerd_endpoint){
	    .size = sizeof(v->endpoint),
	    .id = e->id,
	    .container_id = e->container_id,
	    .ifname = ifname,
	    .netns_fd = -1,
	    .netlink_fd = -1,
	    .flags = (ways & NETWORK_WAY_IPV4 ? DOCKERD_ENDPOINT_ROUTE_IPV4 : 0) |
		     (ways & NETWORK_WAY_IPV6 ? DOCKERD_ENDPOINT_ROUTE_IPV6 : 0),
	    .name = e->name};
	for (int v6 = 0; v6 < 2; v6++)
		if (ipam_is_set(e->addr[v6]))
			view_address(v, e->addr[v6]);
}

void view_links(struct view *v, const struct net_link *links, size_t count)
{
	v->links = xcalloc(count + 1, sizeof(*v->links));
	v->link_texts = xcalloc(count + 1, sizeof(*v->link_texts));
	for (size_t i = 0; i < count; i++) {
		ip_format(links[i].client, v->link_texts[i].client);
		ip_format(links[i].server, v->link_texts[i].server);
		memcpy(v->link_texts[i].proto, links[i].proto, sizeof(links[i].proto));
		v->links[i] = (struct dockerd_link){.size = sizeof(*v->links),
						    .port = links[i].port,
						    .proto = v->link_texts[i].proto,
						    .client = v->link_texts[i].client,
						    .server = v->link_texts[i].server};
	}
	v->endpoint.links = v->links;
	v->endpoint.link_count = (uint32_t)count;
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

		if (str_ends(v->key, ".host_binding_ipv4") && !str_empty(v->text))
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
static void offer(struct view *v, const struct net *n, unsigned int ways,
		  const struct network_port *p, const char *any)
{
	const char *ip = p->host_ip[0] ? p->host_ip : any;

	if (offers(n, ways, strchr(ip, ':') != NULL))
		view_port(v, p, ip);
	if (!p->host_ip[0] && streq(any, "0.0.0.0") && room.v6 && offers(n, ways, true))
		view_port(v, p, "::");
}

static bool is_range(const struct network_port *p)
{
	return !p->host_start || (p->host_end && p->host_end != p->host_start);
}

void view_wanted_ports(struct view *v, const struct net *n, unsigned int ways,
		       const struct network_port *ports, size_t count)
{
	const char *any = binding_of(n);

	if (!net_publishes(n))
		return;
	/* those that name one host port first: it may lie in a range that another may choose from */
	for (int range = 0; range < 2; range++)
		for (size_t i = 0; i < count; i++)
			if (is_range(&ports[i]) == range)
				offer(v, n, ways, &ports[i], any);
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
