/* SPDX-License-Identifier: Apache-2.0 */
/* The container's side of a link: up, addresses, default routes of both families. See netlink.h. */
#include "netlink.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/route.h>
#include <stdlib.h>

/* Broadcast address of "172.17.0.1/16". */
static void set_broadcast(struct rtnl_addr *a, struct nl_addr *local)
{
	unsigned int len = nl_addr_get_prefixlen(local);
	struct nl_addr *bcast;
	uint32_t ip;

	if (len >= 31)
		return;
	memcpy(&ip, nl_addr_get_binary_addr(local), sizeof(ip));
	ip |= htonl(UINT32_MAX >> len);
	bcast = nl_addr_build(AF_INET, &ip, sizeof(ip));
	if (bcast)
		rtnl_addr_set_broadcast(a, bcast);
	nl_addr_put(bcast);
}

/*
 * RTM_NEWADDR. Already there: fine. An address that the daemon has given out is not somebody else's: without the search for duplicates it can be
 * used at once.
 */
int address_add(struct nl_sock *sk, int ifindex, const char *text, struct dockerd_error *err)
{
	struct rtnl_addr *a = rtnl_addr_alloc();
	struct nl_addr *local = NULL;
	int r = a ? nl_addr_parse(text, AF_UNSPEC, &local) : -NLE_NOMEM;

	if (r == 0) {
		rtnl_addr_set_ifindex(a, ifindex);
		rtnl_addr_set_local(a, local);
		if (nl_addr_get_family(local) == AF_INET)
			set_broadcast(a, local);
		else
			rtnl_addr_set_flags(a, IFA_F_NODAD);
		r = rtnl_addr_add(sk, a, 0);
	}
	nl_addr_put(local);
	rtnl_addr_put(a);
	return r < 0 && r != -NLE_EXIST ? netlink_fail(err, r, "add address %s", text) : 0;
}

static int add_default(struct nl_sock *sk, int ifindex, bool ipv6, const struct way_out *out,
		       struct dockerd_error *err)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *any = NULL, *gw = NULL;
	int family = ipv6 ? AF_INET6 : AF_INET, r = -NLE_NOMEM;

	if (route && hop && (r = nl_addr_parse("default", family, &any)) == 0 &&
	    (!out->via || (r = nl_addr_parse(out->via, family, &gw)) == 0)) {
		rtnl_route_set_dst(route, any);
		if (gw)
			rtnl_route_nh_set_gateway(hop, gw);
		else
			rtnl_route_set_scope(route, ipv6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
		rtnl_route_nh_set_ifindex(hop, ifindex);
		rtnl_route_add_nexthop(route, hop);
		hop = NULL;
		r = rtnl_route_add(sk, route, NLM_F_CREATE);
	}
	nl_addr_put(any);
	nl_addr_put(gw);
	if (hop)
		rtnl_route_nh_free(hop);
	rtnl_route_put(route);
	return r < 0 && r != -NLE_EXIST ? netlink_fail(err, r, "default route through %s",
						       out->via ? out->via : "a link")
					: 0;
}

static int delete_default(struct nl_sock *sk, bool ipv6, struct dockerd_error *err)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct nl_addr *any = NULL;
	int r = route ? nl_addr_parse("default", ipv6 ? AF_INET6 : AF_INET, &any) : -NLE_NOMEM;

	if (r == 0) {
		rtnl_route_set_dst(route, any);
		rtnl_route_set_scope(route, ipv6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE); /* any */
		rtnl_route_set_protocol(route, RTPROT_UNSPEC); /* whoever made it */
		r = rtnl_route_delete(sk, route, 0);
	}
	nl_addr_put(any);
	rtnl_route_put(route);
	return r < 0 && r != -NLE_OBJ_NOTFOUND ? netlink_fail(err, r, "default route%s", "") : 0;
}

int inside_default_route(const struct dockerd_endpoint *e, bool ipv6, const struct way_out *out,
			 struct dockerd_error *err)
{
	struct nl_sock *sk = netlink_there(e->netlink_fd, err);
	struct rtnl_link *l = NULL;
	int r = 0;

	if (!sk)
		return -1;
	if (!out->wanted) {
		r = delete_default(sk, ipv6, err);
	} else {
		r = rtnl_link_get_kernel(sk, 0, e->ifname, &l);
		r = r < 0 ? netlink_fail(err, r, "interface %s of the container", e->ifname)
			  : add_default(sk, rtnl_link_get_ifindex(l), ipv6, out, err);
	}
	rtnl_link_put(l);
	nl_socket_free(sk);
	return r;
}

/* Up. An interface without an IPv6 address of ours shall not make itself one. */
static int bring_up(struct nl_sock *sk, struct rtnl_link *at, bool no_ipv6)
{
	struct rtnl_link *l = rtnl_link_alloc();
	int r = -NLE_NOMEM;

	if (l) {
		rtnl_link_set_flags(l, IFF_UP);
		if (no_ipv6)
			rtnl_link_inet6_set_addr_gen_mode(l,
							  rtnl_link_inet6_str2addrgenmode("none"));
		r = rtnl_link_change(sk, at, l, 0);
		if (r < 0 && no_ipv6) { /* a kernel without IPv6 */
			rtnl_link_put(l);
			return bring_up(sk, at, false);
		}
	}
	rtnl_link_put(l);
	return r;
}

int inside_setup(const struct dockerd_endpoint *e, const struct way_out out[2],
		 struct dockerd_error *err)
{
	struct nl_sock *sk = netlink_there(e->netlink_fd, err);
	struct rtnl_link *l = NULL, *lo = NULL;
	int r;

	if (!sk)
		return -1;
	lo = rtnl_link_alloc();
	r = -NLE_NOMEM;
	if (lo) {
		rtnl_link_set_ifindex(lo, 1); /* loopback is the first in every namespace */
		r = bring_up(sk, lo, false);
	}
	if (r == 0)
		r = rtnl_link_get_kernel(sk, 0, e->ifname, &l);
	if (r == 0)
		r = bring_up(sk, l, !dockerd_address_of(e, 1));
	if (r < 0)
		netlink_fail(err, r, "interface %s of the container", e->ifname);
	for (uint32_t i = 0; r == 0 && i < e->address_count; i++)
		r = address_add(sk, rtnl_link_get_ifindex(l), DOCKERD_AT(e->addresses, i)->address,
				err);
	for (int v6 = 0; r == 0 && v6 < 2; v6++)
		if (out[v6].wanted)
			r = add_default(sk, rtnl_link_get_ifindex(l), v6, &out[v6], err);
	rtnl_link_put(l);
	rtnl_link_put(lo);
	nl_socket_free(sk);
	return r < 0 ? -1 : 0;
}

static bool in_prefix(const char *prefix, const char *address)
{
	int family = dockerd_is_ipv6(address) ? AF_INET6 : AF_INET;
	unsigned char net[16], ip[16];
	const char *slash = strchr(prefix, '/');
	char text[64], other[64];
	int len = slash ? atoi(slash + 1) : 0;

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(prefix, "/"), prefix);
	snprintf(other, sizeof(other), "%.*s", (int)strcspn(address, "/"), address);
	if (inet_pton(family, text, net) != 1 || inet_pton(family, other, ip) != 1)
		return false;
	for (int bit = 0; bit < len; bit++)
		if ((net[bit / 8] ^ ip[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

const struct dockerd_subnet *subnet_with(const struct dockerd_network *n, const char *address)
{
	for (uint32_t i = 0; address && i < n->subnet_count; i++)
		if (in_prefix(DOCKERD_AT(n->subnets, i)->subnet, address))
			return DOCKERD_AT(n->subnets, i);
	return NULL;
}
