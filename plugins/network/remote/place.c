/* SPDX-License-Identifier: Apache-2.0 */
/* A link that a plugin has made on the host goes into a container, and comes back. See remote.h. */
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

void place_free(struct place *p)
{
	free(p->link);
	free(p->gateway[0]);
	free(p->gateway[1]);
	free(p->mac);
	*p = (struct place){0};
}

/* ---- on disk ------------------------------------------------------------------------------------------------------------------------ */

int place_save(const struct adapter *a, const char *endpoint, const struct place *p,
	       struct dockerd_error *err)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);
	struct error bad = ERROR_INIT;

	jw_obj(&w);
	jw_kstr(&w, "link", p->link);
	jw_kstr(&w, "gateway4", p->gateway[0]);
	jw_kstr(&w, "gateway6", p->gateway[1]);
	jw_kstr(&w, "mac", p->mac);
	jw_end(&w);
	return file_write_atomic(a->state, endpoint, text.p, text.len, 0600, false, &bad) < 0
		   ? dockerd_fail(err, DOCKERD_ERR_SYSTEM, "%s", bad.text)
		   : 0;
}

void place_load(const struct adapter *a, const char *endpoint, struct place *p)
{
	struct error bad = ERROR_INIT;
	auto_str text = STR_INIT;
	auto_json *j = NULL;

	if (file_read_at(a->state, endpoint, 65536, &text, &bad) == 0)
		j = json_parse(text.p, text.len, &bad);
	*p = (struct place){.link = xstrdup(json_get_str(j, "link", "")),
			    .gateway = {xstrdup(json_get_str(j, "gateway4", "")),
					xstrdup(json_get_str(j, "gateway6", ""))},
			    .mac = xstrdup(json_get_str(j, "mac", ""))};
}

void place_forget(const struct adapter *a, const char *endpoint)
{
	unlinkat(a->state, endpoint, 0);
}

/* ---- the link ----------------------------------------------------------------------------------------------------------------------- */

/* From the namespace of the socket to that of the descriptor, under a new name. */
static int move(struct nl_sock *sk, const char *from, int netns, const char *to, const char *mac)
{
	struct rtnl_link *link = NULL, *change = rtnl_link_alloc();
	struct nl_addr *address = NULL;
	int r = rtnl_link_get_kernel(sk, 0, from, &link);

	if (r == 0 && change) {
		rtnl_link_set_flags(change, 0);
		rtnl_link_unset_flags(change, IFF_UP); /* a link is renamed when it is down */
		r = rtnl_link_change(sk, link, change, 0);
	}
	if (r == 0 && !str_empty(mac) && nl_addr_parse(mac, AF_LLC, &address) == 0)
		rtnl_link_set_addr(change, address);
	if (r == 0 && change) {
		rtnl_link_set_name(change, to);
		rtnl_link_set_ns_fd(change, netns);
		r = rtnl_link_change(sk, link, change, 0);
	}
	nl_addr_put(address);
	rtnl_link_put(link);
	rtnl_link_put(change);
	return change ? r : -NLE_NOMEM;
}

static int add_route(struct nl_sock *sk, int ifindex, const char *destination, const char *via)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *to = NULL, *gw = NULL;
	int r = -NLE_NOMEM;

	if (route && hop && (r = nl_addr_parse(destination, AF_UNSPEC, &to)) == 0 &&
	    (!*via || (r = nl_addr_parse(via, nl_addr_get_family(to), &gw)) == 0)) {
		rtnl_route_set_dst(route, to);
		if (gw)
			rtnl_route_nh_set_gateway(hop, gw);
		else if (nl_addr_get_family(to) == AF_INET)
			rtnl_route_set_scope(route, RT_SCOPE_LINK);
		rtnl_route_nh_set_ifindex(hop, ifindex);
		rtnl_route_add_nexthop(route, hop);
		hop = NULL;
		r = rtnl_route_add(sk, route, NLM_F_CREATE);
	}
	nl_addr_put(to);
	nl_addr_put(gw);
	if (hop)
		rtnl_route_nh_free(hop);
	rtnl_route_put(route);
	return r == -NLE_EXIST ? 0 : r;
}

static int add_routes(const struct dockerd_endpoint *e, const json *routes,
		      struct dockerd_error *err)
{
	struct nl_sock *sk = netlink_there(e->netlink_fd, err);
	struct rtnl_link *l = NULL;
	int r = sk ? rtnl_link_get_kernel(sk, 0, e->ifname, &l) : 0;

	if (!sk)
		return -1;
	for (const json *j = json_first(routes); r == 0 && j; j = json_next(j)) {
		const char *to = json_get_str(j, "Destination", ""),
			   *via = json_get_i64(j, "RouteType", 0) == 0
				      ? json_get_str(j, "NextHop", "")
				      : "";
		auto_free char *row = xasprintf("%s%s%s", to, *via ? " via " : "", via);

		r = add_route(sk, rtnl_link_get_ifindex(l), to, via);
		if (r < 0)
			netlink_fail(err, r, "static route %s", row);
		else if (DOCKERD_HAS(e, out) && e->out)
			e->out->row(e->out, "route", row);
	}
	rtnl_link_put(l);
	nl_socket_free(sk);
	return r < 0 ? -1 : 0;
}

struct way_out place_way_out(const struct place *p, const struct dockerd_endpoint *e, bool ipv6)
{
	uint32_t flag = ipv6 ? DOCKERD_ENDPOINT_ROUTE_IPV6 : DOCKERD_ENDPOINT_ROUTE_IPV4;

	return (struct way_out){.wanted = e->flags & flag && *p->gateway[ipv6],
				.via = p->gateway[ipv6]};
}

int place_enter(const struct place *p, const struct dockerd_endpoint *e, const json *routes,
		struct dockerd_error *err)
{
	const struct way_out out[2] = {place_way_out(p, e, false), place_way_out(p, e, true)};
	struct nl_sock *sk = netlink_here(err);
	int r;

	if (!sk)
		return -1;
	r = move(sk, p->link, e->netns_fd, e->ifname, p->mac);
	nl_socket_free(sk);
	if (r < 0)
		return netlink_fail(err, r, "failed to add interface %s to the container", p->link);
	return inside_setup(e, out, err) < 0 || add_routes(e, routes, err) < 0 ? -1 : 0;
}

void place_return(const struct place *p, const struct dockerd_endpoint *e)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	auto_close here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct nl_sock *sk =
	    e->netlink_fd >= 0 && *p->link ? netlink_there(e->netlink_fd, &ignored) : NULL;

	if (sk && here >= 0)
		move(sk, e->ifname, here, p->link, NULL);
	nl_socket_free(sk);
}
