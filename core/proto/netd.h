/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol between the daemon and dockerd-netd, over core/proto/msg.h at <exec-root>/network/netd.sock. See docs/protocols.md.
 *
 * The daemon listens at the socket and starts netd with the listening socket as descriptor 3, so a connection never waits for netd to
 * come up. netd serves any number of connections; its proxies and the names it serves belong to none of them and live on when the daemon is
 * gone. It ends by itself some seconds after its last proxy and container.
 */
#ifndef PROTO_NETD_H
#define PROTO_NETD_H

#define NETD_VERSION_MIN 1
#define NETD_VERSION_MAX 2 /* 2: NETD_IP6 */
#define NETD_LISTEN_FD 3
#define NETD_SYSCTLS_MAX 64 /* of `--sockets sysctl` in one go */

enum {
	/*
	 * Listen at an address and forward to another; without NETD_TARGET_IP only hold the address. Again with the same values: OK, nothing
	 * happens. Answer: MSG_OK, or MSG_ERROR with the errno of bind(2) and its like.
	 */
	NETD_START = 16,
	NETD_STOP = 17, /* stop listening and cut the connections; unknown: OK */
	NETD_LIST = 18, /* answer: NETD_LIST_REPLY, with one NETD_ENTRY each */
	NETD_LIST_REPLY = 19,
	/* What an endpoint is called in its network, instead of what was said of it before. */
	NETD_DNS_NAMES = 24,
	NETD_DNS_FORGET = 25, /* network, endpoint; unknown: OK */
	/*
	 * Answer a container's questions at two sockets; without sockets: those that it has, or ERR_NOT_FOUND. Its networks are those in which it
	 * has an endpoint. Servers are asked for what nobody is called, if NETD_FORWARD is 1.
	 */
	NETD_DNS_START = 26,
	NETD_DNS_STOP = 27,
	NETD_DNS_LIST = 28, /* answer: NETD_LIST_REPLY, an entry per container (its id); cut as above */
};
enum {
	NETD_PROTO = 16,       /* string: tcp, udp, sctp */
	NETD_HOST_IP = 17,     /* string */
	NETD_HOST_PORT = 18,   /* u32 */
	NETD_TARGET_IP = 19,   /* string */
	NETD_TARGET_PORT = 20, /* u32 */
	NETD_ENTRY = 21,       /* string: "proto host_ip host_port"; as many as fit into a packet */
	NETD_MORE = 22,        /* u32: 1 if the list was cut; ask again with NETD_FROM */
	NETD_FROM = 23,        /* u32: first entry wanted */
	NETD_NETWORK = 24,     /* string: id */
	NETD_NETWORK_NAME = 25,
	NETD_ENDPOINT = 26, /* string: id */
	NETD_SANDBOX = 27,  /* string: the container's id */
	NETD_IP = 28,       /* string, of IPv4; absent: no address */
	NETD_NAME = 29,     /* string, repeated; the first is the container's own; "name:alias": this container alone calls another so */
	NETD_SERVER = 30,   /* string, repeated: address of a name server */
	NETD_FORWARD = 31,  /* u32 */
	NETD_UDP = 32,      /* descriptor; of `--sockets netlink` that one */
	NETD_TCP = 33,      /* descriptor */
	NETD_IP6 = 34,      /* string, of IPv6; a netd of version 1 skips it: it knows the name without that address */
};

#endif
