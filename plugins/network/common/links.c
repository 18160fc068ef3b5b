/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links that stand on another one, made where they are used: in the container's namespace. What is found again must be marked by the same
 * request that makes it, or a kill in between would leave it unknown; a link's group is the mark that the kernel takes there. See netlink.h.
 */
#include "netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/route/link.h>
#include <string.h>

static int put_kind(struct nl_msg *m, const struct new_link *l)
{
	struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO | NLA_F_NESTED), *data;

	if (!info || nla_put_string(m, IFLA_INFO_KIND, l->kind) < 0)
		return -1;
	if (l->data) {
		data = nla_nest_start(m, IFLA_INFO_DATA | NLA_F_NESTED);
		if (!data || l->data(m, l->arg) < 0)
			return -1;
		nla_nest_end(m, data);
	}
	nla_nest_end(m, info);
	return 0;
}

static int put_mac(struct nl_msg *m, const char *text)
{
	struct nl_addr *a = NULL;
	int r = text ? nl_addr_parse(text, AF_LLC, &a) : 0;

	if (r == 0 && a)
		r = nla_put_addr(m, IFLA_ADDRESS, a);
	nl_addr_put(a);
	return r;
}

int link_make(struct nl_sock *sk, const struct new_link *l)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m =
	    nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);

	if (!m)
		return ENOMEM;
	if (nlmsg_append(m, &info, sizeof(info), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(m, IFLA_IFNAME, l->ifname) < 0 ||
	    (l->parent && nla_put_u32(m, IFLA_LINK, l->parent) < 0) ||
	    (l->group && nla_put_u32(m, IFLA_GROUP, l->group) < 0) ||
	    (l->netns_fd >= 0 && nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)l->netns_fd) < 0) ||
	    put_mac(m, l->mac) < 0 || put_kind(m, l) < 0) {
		nlmsg_free(m);
		return EINVAL;
	}
	return netlink_talk(sk, m);
}

int link_up(struct nl_sock *sk, unsigned int index)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC,
				 .ifi_index = (int)index,
				 .ifi_flags = IFF_UP,
				 .ifi_change = IFF_UP};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_REQUEST);

	if (!m)
		return ENOMEM;
	if (nlmsg_append(m, &info, sizeof(info), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return ENOMEM;
	}
	return netlink_talk(sk, m);
}

void link_remove(struct nl_sock *sk, unsigned int index)
{
	struct rtnl_link *l = rtnl_link_alloc();

	if (l) {
		rtnl_link_set_ifindex(l, (int)index);
		rtnl_link_delete(sk, l);
	}
	rtnl_link_put(l);
}

int link_set_mac(struct nl_sock *sk, const char *ifname, const char *mac)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_SETLINK, NLM_F_REQUEST);

	if (!m)
		return ENOMEM;
	if (nlmsg_append(m, &info, sizeof(info), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(m, IFLA_IFNAME, ifname) < 0 || put_mac(m, mac) < 0) {
		nlmsg_free(m);
		return EINVAL;
	}
	return netlink_talk(sk, m);
}

int link_ask(struct nl_sock *sk, const char *ifname, char mac[24], unsigned int *group)
{
	struct rtnl_link *l = NULL;
	int r = rtnl_link_get_kernel(sk, 0, ifname, &l);

	if (r < 0)
		return ENODEV;
	if (mac)
		nl_addr2str(rtnl_link_get_addr(l), mac, 24);
	if (group)
		*group = rtnl_link_get_group(l);
	rtnl_link_put(l);
	return 0;
}

/* ---- in a namespace that only a descriptor is known of: it gets a number here, and requests name that number --------------------------- */

static int on_nsid(struct nl_msg *m, void *arg)
{
	struct nlattr *a = nlmsg_find_attr(nlmsg_hdr(m), sizeof(struct rtgenmsg), NETNSA_NSID);

	if (a)
		*(int32_t *)arg = nla_get_s32(a);
	return NL_OK;
}

static struct nl_msg *nsid_message(int type, int netns_fd)
{
	struct rtgenmsg g = {.rtgen_family = AF_UNSPEC};
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST);

	if (m && (nlmsg_append(m, &g, sizeof(g), NLMSG_ALIGNTO) < 0 ||
		  nla_put_u32(m, NETNSA_FD, (uint32_t)netns_fd) < 0)) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

/* The number of the namespace, made if it has none; it ends with the namespace. < 0: an errno. */
static int32_t nsid_of(struct nl_sock *sk, int netns_fd)
{
	int32_t id = NETNSA_NSID_NOT_ASSIGNED;
	int r = 0;

	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, on_nsid, &id);
	for (int turn = 0; turn < 2 && r == 0 && id < 0; turn++) {
		struct nl_msg *m;

		if (turn) {
			m = nsid_message(RTM_NEWNSID, netns_fd);
			if (m && nla_put_s32(m, NETNSA_NSID, -1) < 0) { /* the kernel's choice */
				nlmsg_free(m);
				m = NULL;
			}
			r = m ? netlink_talk(sk, m) : ENOMEM;
			if (r == EEXIST)
				r = 0;
		}
		m = r == 0 ? nsid_message(RTM_GETNSID, netns_fd) : NULL;
		if (r == 0)
			r = m ? netlink_talk(sk, m) : ENOMEM;
	}
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return r ? -r : id < 0 ? -ENOENT : id;
}

int link_group_delete(int netns_fd, unsigned int group, struct dockerd_error *err)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct nl_sock *sk = netlink_here(err);
	struct nl_msg *m;
	int32_t id = 0;
	int r;

	if (!sk)
		return -1;
	if (netns_fd >= 0)
		id = nsid_of(sk, netns_fd);
	m = id < 0 ? NULL : nlmsg_alloc_simple(RTM_DELLINK, NLM_F_REQUEST);
	if (m && (nlmsg_append(m, &info, sizeof(info), NLMSG_ALIGNTO) < 0 ||
		  (netns_fd >= 0 && nla_put_s32(m, IFLA_TARGET_NETNSID, id) < 0) ||
		  nla_put_u32(m, IFLA_GROUP, group) < 0)) {
		nlmsg_free(m);
		m = NULL;
	}
	r = id < 0 ? -id : m ? netlink_talk(sk, m) : ENOMEM;
	nl_socket_free(sk);
	return r && r != ENODEV ? netlink_fail_errno(err, r, "delete a container's link") : 0;
}

unsigned int link_group(const char *id)
{
	unsigned int v = 0;

	sscanf(id, "%8x", &v);
	return v & 0x7fffffff ? v & 0x7fffffff : 1;
}
