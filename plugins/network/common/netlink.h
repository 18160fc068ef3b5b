/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What network drivers that work by rtnetlink compile in: sockets, links, and a container's side of a link. A container's side is set up through
 * the socket that was born in its namespace; no thread leaves the host's. Every function opens what it needs and closes it: any thread may
 * call. netlink(7), rtnetlink(7).
 */
#ifndef NETWORK_COMMON_NETLINK_H
#define NETWORK_COMMON_NETLINK_H

#include <dockerd/network.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>

/* ---- netlink.c: sockets and requests ---------------------------------------------------------------------------------------------------- */

/* -1 with "<fmt of arg>: <what libnl says to r>". */
int netlink_fail(struct dockerd_error *err, int r, const char *fmt, const char *arg);
/* -1 with "<what>: <errno in words, as moby prints them>". */
int netlink_fail_errno(struct dockerd_error *err, int error, const char *what);
/* In this namespace; nl_socket_free. NULL with err. */
struct nl_sock *netlink_here(struct dockerd_error *err);
/* On a duplicate of the descriptor. */
struct nl_sock *netlink_there(int fd, struct dockerd_error *err);
/* Send, free the message, wait for the answer: 0, or an errno. */
int netlink_talk(struct nl_sock *sk, struct nl_msg *m);

/* ---- links.c: links that stand on another one ------------------------------------------------------------------------------------------ */

/* A link to be made. */
struct new_link {
	const char *kind, *ifname;
	unsigned int parent; /* index, or 0 */
	unsigned int group;  /* a number to find it by: IFLA_GROUP */
	const char *mac;     /* or NULL */
	int netns_fd;        /* where it is to appear; -1: here */
	/* IFLA_INFO_DATA; or NULL. 0, or -1 if the message is full. */
	int (*data)(struct nl_msg *m, const void *arg);
	const void *arg;
};
/* 0, or an errno. */
int link_make(struct nl_sock *sk, const struct new_link *l);
/* 0, or an errno. */
int link_up(struct nl_sock *sk, unsigned int index);
/* Absent: fine. Waits for a grace period of the kernel. */
void link_remove(struct nl_sock *sk, unsigned int index);
/* 0, or an errno. */
int link_set_mac(struct nl_sock *sk, const char *ifname, const char *mac);
/* MAC and group of a link; each may be NULL. 0, or an errno. */
int link_ask(struct nl_sock *sk, const char *ifname, char mac[24], unsigned int *group);
/* All links of a group in the namespace (-1: here); none is fine. The number must not be 0. */
int link_group_delete(int netns_fd, unsigned int group, struct dockerd_error *err);
/* A group from an id in hexadecimal digits: never 0. */
unsigned int link_group(const char *id);

/* ---- inside.c: a container's side -------------------------------------------------------------------------------------------------------- */

/* A default route. */
struct way_out {
	bool wanted;
	const char *via; /* next hop; NULL: on the link itself */
};
/* Loopback and e->ifname up, e->addresses on it, default routes: [0] of IPv4, [1] of IPv6. */
int inside_setup(const struct dockerd_endpoint *e, const struct way_out out[2],
		 struct dockerd_error *err);
/* "172.17.0.1/16", "fd00::1/64". Already there: fine. */
int address_add(struct nl_sock *sk, int ifindex, const char *text, struct dockerd_error *err);
/* One default route made, or taken away if it is not wanted (absent is fine). */
int inside_default_route(const struct dockerd_endpoint *e, bool ipv6, const struct way_out *out,
			 struct dockerd_error *err);
/* The subnet of the network that the address ("10.0.0.2/24") is in, or NULL. */
const struct dockerd_subnet *subnet_with(const struct dockerd_network *n, const char *address);

#endif
