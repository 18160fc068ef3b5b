/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge and the host's ends of containers' links, by rtnetlink (libnl); a container's side is in ../common/inside.c. Every function opens what
 * it needs and closes it: any thread may call. netlink(7), rtnetlink(7).
 */
#include "bridge.h"
#include "../common/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- the bridge --------------------------------------------------------------------------------------------------------------------------- */

/* Locally administered, unicast, random. */
static struct nl_addr *random_mac(void)
{
	unsigned char mac[6];

	if (getrandom(mac, sizeof(mac), 0) != sizeof(mac))
		return NULL;
	mac[0] = (unsigned char)((mac[0] & 0xfe) | 2);
	return nl_addr_build(AF_LLC, mac, sizeof(mac));
}

#define ALIAS "dockerd network " /* and 12 digits of the id: marks a bridge of ours */

/* br-ID: ours by its name already. */
static bool is_named_so(const struct bridge_net *n)
{
	return !strncmp(n->ifname, "br-", 3) && !strncmp(n->ifname + 3, n->id, 12);
}

/* At once after the link is made, for the kernel takes no alias with it: whatever fails then, link_bridge_delete knows it. */
static int bridge_mark(struct nl_sock *sk, const struct bridge_net *n, struct rtnl_link *l,
		       struct dockerd_error *err)
{
	struct rtnl_link *change = rtnl_link_alloc();
	char alias[96];
	int r = -NLE_NOMEM;

	if (change) {
		snprintf(alias, sizeof(alias), ALIAS "%.12s", n->id);
		rtnl_link_set_ifalias(change, alias);
		r = rtnl_link_change(sk, l, change, 0);
	}
	rtnl_link_put(change);
	return r < 0 ? netlink_fail(err, r, "mark bridge %s", n->ifname) : 0;
}

static int bridge_create(struct nl_sock *sk, const struct bridge_net *n, struct dockerd_error *err)
{
	struct rtnl_link *l = rtnl_link_bridge_alloc();
	struct nl_addr *mac = random_mac();
	int r = -NLE_NOMEM;

	if (l) {
		rtnl_link_set_name(l, n->ifname);
		if (mac) /* fixed, else it would change with each port that comes and goes */
			rtnl_link_set_addr(l, mac);
		if (n->mtu)
			rtnl_link_set_mtu(l, n->mtu);
		r = rtnl_link_add(sk, l, NLM_F_CREATE | NLM_F_EXCL);
	}
	nl_addr_put(mac);
	rtnl_link_put(l);
	return r < 0 && r != -NLE_EXIST ? netlink_fail(err, r, "create bridge %s", n->ifname) : 0;
}

struct others {
	struct nl_sock *sk;
	const char *keep;
	bool found;
	int r;
};

static void drop_other(struct nl_object *o, void *arg)
{
	struct rtnl_addr *a = (struct rtnl_addr *)o;
	struct others *x = arg;
	char text[64];

	nl_addr2str(rtnl_addr_get_local(a), text, sizeof(text));
	if (!strcmp(text, x->keep))
		x->found = true;
	else if (x->sk && rtnl_addr_get_scope(a) == RT_SCOPE_UNIVERSE)
		x->r = rtnl_addr_delete(x->sk, a, 0);
}

/* The gateway's address of one family on the bridge; on a bridge of ours instead of any other. */
static int bridge_address(struct nl_sock *sk, const struct bridge_net *n, bool v6,
			  struct rtnl_link *l, struct dockerd_error *err)
{
	const char *alias = rtnl_link_get_ifalias(l);
	bool ours =
	    !strcmp(n->ifname, "docker0") || (alias && !strncmp(alias, "dockerd network ", 16));
	int index = rtnl_link_get_ifindex(l), r;
	struct rtnl_addr *filter = rtnl_addr_alloc();
	struct nl_cache *cache = NULL;
	char want[64] = "";
	const char *slash = n->v[v6].subnet ? strchr(n->v[v6].subnet, '/') : NULL;
	struct others x = {.sk = ours ? sk : NULL, .keep = want};

	if (n->v[v6].gateway && n->mode[v6] != GATEWAY_ISOLATED && (v6 || !n->inhibit_ipv4))
		snprintf(want, sizeof(want), "%s%s", n->v[v6].gateway,
			 slash ? slash
			 : v6  ? "/128"
			       : "/32");
	r = filter ? rtnl_addr_alloc_cache(sk, &cache) : -NLE_NOMEM;
	if (r == 0) {
		rtnl_addr_set_ifindex(filter, index);
		rtnl_addr_set_family(filter, v6 ? AF_INET6 : AF_INET);
		nl_cache_foreach_filter(cache, OBJ_CAST(filter), drop_other, &x);
		r = x.r;
	}
	nl_cache_free(cache);
	rtnl_addr_put(filter);
	if (r < 0)
		return netlink_fail(err, r, "addresses of bridge %s", n->ifname);
	return x.found || !*want ? 0 : address_add(sk, index, want, err);
}

int sysctl_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = -1;

	if (fd >= 0) {
		r = write(fd, value, 1) == 1 ? 0 : -1;
		close(fd);
	}
	return r;
}

/*
 * A network of IPv6 needs it on its bridge, whatever the host's default is; and nobody in it may play the host's router. One that is isolated from
 * the host has no address of any kind there.
 */
static int enable_ipv6(const struct bridge_net *n, struct dockerd_error *err)
{
	static const char *const names[] = {"disable_ipv6", "accept_ra"};
	const char *const values[] = {n->mode[1] == GATEWAY_ISOLATED ? "1" : "0", "0"};
	char path[96];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", n->ifname, names[i]);
		if (sysctl_write(path, values[i]) < 0)
			return dockerd_fail_errno(err, errno, "enable IPv6 on bridge %s: write %s",
						  n->ifname, path);
	}
	return 0;
}

int link_bridge_up(const struct bridge_net *n, struct dockerd_error *err)
{
	struct nl_sock *sk = netlink_here(err);
	struct rtnl_link *l = NULL, *change;
	const char *type;
	char alias[96];
	bool ours = is_named_so(n);
	int r;

	if (!sk)
		return -1;
	r = rtnl_link_get_kernel(sk, 0, n->ifname, &l);
	if (r < 0) {
		ours = true;
		r = bridge_create(sk, n, err);
		if (r == 0 && (r = rtnl_link_get_kernel(sk, 0, n->ifname, &l)) < 0)
			netlink_fail(err, r, "bridge %s", n->ifname);
		if (r == 0)
			r = bridge_mark(sk, n, l, err);
	}
	if (r < 0)
		goto out;
	snprintf(alias, sizeof(alias), "dockerd network %.12s", n->id);
	if (rtnl_link_get_ifalias(l) && !strncmp(rtnl_link_get_ifalias(l), alias, 16) &&
	    strcmp(rtnl_link_get_ifalias(l), alias) != 0 && !n->is_default) {
		r = dockerd_fail(err, DOCKERD_ERR_DENIED,
				 "cannot create network %s (%s): conflicts with network %s (%s): "
				 "networks have same bridge name",
				 n->id, n->ifname, rtnl_link_get_ifalias(l) + 16, n->ifname);
		goto out;
	}
	type = rtnl_link_get_type(l);
	if (!type || strcmp(type, "bridge")) {
		r = dockerd_fail(err, DOCKERD_ERR_INVALID, "existing interface %s is not a bridge",
				 n->ifname);
		goto out;
	}
	r = n->v[1].subnet ? enable_ipv6(n, err) : 0;
	if (r == 0)
		r = bridge_address(sk, n, false, l, err);
	if (r == 0)
		r = bridge_address(sk, n, true, l, err);
	change = rtnl_link_alloc();
	if (r == 0 && change) {
		rtnl_link_set_flags(change, IFF_UP);
		if (ours)
			rtnl_link_set_ifalias(change, alias);
		if (n->mtu && rtnl_link_get_mtu(l) != n->mtu)
			rtnl_link_set_mtu(change, n->mtu);
		r = rtnl_link_change(sk, l, change, 0);
		if (r < 0)
			netlink_fail(err, r, "bring up bridge %s", n->ifname);
	}
	rtnl_link_put(change);
out:
	rtnl_link_put(l);
	nl_socket_free(sk);
	return r < 0 ? -1 : 0;
}

/* "dockerd network ID": the 12 digits, or NULL. */
static const char *marked_id(struct rtnl_link *l)
{
	const char *alias = rtnl_link_get_ifalias(l);

	return alias && !strncmp(alias, ALIAS, strlen(ALIAS)) ? alias + strlen(ALIAS) : NULL;
}

/* Our own network's bridge bears the id of the daemon's last one perhaps: it has only one. */
bool link_is_of_another(const struct bridge_net *n)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	struct nl_sock *sk = netlink_here(&ignored);
	struct rtnl_link *l = NULL;
	const char *id = NULL;
	bool other = false;

	if (sk && !n->is_default && rtnl_link_get_kernel(sk, 0, n->ifname, &l) == 0) {
		id = marked_id(l);
		other = id && strncmp(id, n->id, 12) != 0;
	}
	rtnl_link_put(l);
	nl_socket_free(sk);
	return other;
}

int link_bridge_delete(const struct bridge_net *n, struct dockerd_error *err)
{
	struct nl_sock *sk = netlink_here(err);
	struct rtnl_link *l = NULL;
	int r = 0;

	if (!sk)
		return -1;
	if (rtnl_link_get_kernel(sk, 0, n->ifname, &l) == 0 && (marked_id(l) || is_named_so(n)))
		r = rtnl_link_delete(sk, l); /* others' bridges stay */
	rtnl_link_put(l);
	nl_socket_free(sk);
	return r < 0 && r != -NLE_NODEV ? netlink_fail(err, r, "delete bridge %s", n->ifname) : 0;
}

/* ---- a container's link ------------------------------------------------------------------------------------------------------------------ */

bool link_exists(const char *ifname)
{
	return if_nametoindex(ifname) != 0;
}

/* Let a container reach its own published ports: frames may leave by the port they came from. libnl has no call for this message. */
static int hairpin_on(struct nl_sock *sk, const char *host)
{
	struct ifinfomsg info = {.ifi_family = AF_BRIDGE, .ifi_index = (int)if_nametoindex(host)};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_SETLINK, 0);
	struct nlattr *port;

	if (!m)
		return -NLE_NOMEM;
	if (nlmsg_append(m, &info, sizeof(info), NLMSG_ALIGNTO) < 0 ||
	    !(port = nla_nest_start(m, IFLA_PROTINFO | NLA_F_NESTED)) ||
	    nla_put_u8(m, IFLA_BRPORT_MODE, 1) < 0) {
		nlmsg_free(m);
		return -NLE_NOMEM;
	}
	nla_nest_end(m, port);
	return nl_send_sync(sk, m); /* frees m */
}

/* One request makes both ends, attaches ours to the bridge and brings it up. */
int link_veth_add(const struct bridge_net *n, const char *host, const char *peer, const char *mac,
		  int netns_fd, struct dockerd_error *err)
{
	unsigned int master = if_nametoindex(n->ifname);
	struct nl_sock *sk;
	struct rtnl_link *l, *p;
	struct nl_addr *addr = NULL;
	int r;

	if (!master)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "bridge %s is gone: restart the daemon to have it made again",
				    n->ifname);
	sk = netlink_here(err);
	if (!sk)
		return -1;
	l = rtnl_link_veth_alloc();
	r = l ? nl_addr_parse(mac, AF_LLC, &addr) : -NLE_NOMEM;
	if (r < 0) {
		netlink_fail(err, r, "MAC address %s", mac);
		goto out;
	}
	p = rtnl_link_veth_get_peer(l);
	rtnl_link_set_name(l, host);
	rtnl_link_set_master(l, (int)master);
	rtnl_link_set_flags(l, IFF_UP);
	rtnl_link_set_name(p, peer);
	rtnl_link_set_addr(p, addr);
	rtnl_link_set_ns_fd(p, netns_fd);
	if (n->mtu) {
		rtnl_link_set_mtu(l, n->mtu);
		rtnl_link_set_mtu(p, n->mtu);
	}
	r = rtnl_link_add(sk, l, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_link_put(p);
	if (r < 0)
		netlink_fail(err, r, "failed to add the host (%s) <=> sandbox pair interfaces",
			     host);
	else if (!n->proxy && (r = hairpin_on(sk, host)) < 0)
		netlink_fail(err, r, "hairpin mode of %s", host);
out:
	nl_addr_put(addr);
	rtnl_link_put(l);
	nl_socket_free(sk);
	return r < 0 ? -1 : 0;
}

int link_down(const char *ifname, unsigned int *index, struct dockerd_error *err)
{
	bool gone;
	struct rtnl_link *at, *l;
	struct nl_sock *sk;
	int r = -NLE_NOMEM;

	*index = if_nametoindex(ifname);
	if (!*index)
		return 0;
	sk = netlink_here(err);
	if (!sk)
		return -1;
	at = rtnl_link_alloc();
	l = rtnl_link_alloc();
	if (at && l) {
		rtnl_link_set_ifindex(at, (int)*index);
		rtnl_link_unset_flags(
		    l,
		    IFF_UP); /* the bridge disables the port and forgets the addresses behind it */
		r = rtnl_link_change(sk, at, l, 0);
	}
	rtnl_link_put(at);
	rtnl_link_put(l);
	nl_socket_free(sk);
	gone = r == -NLE_NODEV || r == -NLE_OBJ_NOTFOUND;
	if (gone)
		*index = 0;
	return r < 0 && !gone ? netlink_fail(err, r, "detach link %s", ifname) : 0;
}

int link_delete(unsigned int index, struct dockerd_error *err)
{
	struct nl_sock *sk = netlink_here(err);
	struct rtnl_link *l;
	int r;

	if (!sk)
		return -1;
	l = rtnl_link_alloc();
	r = -NLE_NOMEM;
	if (l) {
		rtnl_link_set_ifindex(l, (int)index);
		r = rtnl_link_delete(sk, l);
	}
	rtnl_link_put(l);
	nl_socket_free(sk);
	return r < 0 && r != -NLE_NODEV && r != -NLE_OBJ_NOTFOUND
		   ? netlink_fail(err, r, "delete a container's link%s", "")
		   : 0;
}
