/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network drivers: the data plane of one kind of network. Runs in the daemon. The daemon owns names, addresses (IPAM), DNS and what is on
 * disk; a driver makes links, routes and rules appear and vanish. It never enters a namespace: a container's side is configured
 * through the rtnetlink socket that was born in it.
 *
 * Every op bears being repeated after a crash: `network_create` of a network that is already up repairs it, `network_delete`
 * and `leave` of what is gone succeed.
 *
 * Object for DOCKERD_PER_OBJECT: the network id.
 */
#ifndef DOCKERD_NETWORK_H
#define DOCKERD_NETWORK_H

#include <dockerd/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DOCKERD_NETWORK_CAP_PORTS UINT64_C(1)     /* publishes ports */
#define DOCKERD_NETWORK_CAP_ADDRESSES UINT64_C(2) /* wants addresses of the daemon's IPAM */
#define DOCKERD_NETWORK_CAP_SINGLETON UINT64_C(4) /* one network of this driver only: host, null */
#define DOCKERD_NETWORK_CAP_HOST UINT64_C(8)      /* containers stay in the host's network namespace */

/* Text forms: address "172.17.0.2", prefix "172.17.0.0/16"; NULL or "" where absent. */
struct dockerd_network {
	uint32_t size;
	uint32_t is_default;   /* the daemon's own "bridge" network, whose options come from the daemon's flags */
	const char *id, *name;
	const char *subnet4, *gateway4;
	const char *subnet6, *gateway6;
	uint32_t internal; /* no way out */
	uint32_t mtu;      /* 0: the driver's choice */
	const struct dockerd_options *options; /* container scope: --opt of docker network create */
	const char *route4; /* next hop of the containers' default route; NULL: gateway4 */
};

struct dockerd_port {
	uint32_t size;
	uint32_t container_port;
	const char *proto;   /* tcp, udp, sctp */
	const char *host_ip; /* address to listen at: "0.0.0.0", "::", ... */
	uint32_t host_port_start, host_port_end; /* wanted; 0: ephemeral. A range takes the first that is free. */
	uint32_t bound_port; /* out: what was taken */
	uint32_t reserved;
};

struct dockerd_endpoint {
	uint32_t size;
	uint32_t port_count;
	const char *id, *container_id;
	const char *ipv4, *ipv6; /* with prefix length: "172.17.0.2/16" */
	const char *mac;         /* wanted, or NULL */
	const char *ifname;      /* wanted name in the container ("eth0") */
	int32_t netns_fd;        /* the container's network namespace */
	int32_t netlink_fd;      /* NETLINK_ROUTE socket in it */
	uint32_t default_route;  /* 1: set the default route through this network */
	uint32_t reserved;
	struct dockerd_port *ports;
	char out_mac[24];     /* out: the address in use */
	char out_host_ifname[16]; /* out: the host's end, "" if none; kept by the daemon and passed back */
	const char *name; /* endpoint's name for messages: the container's */
};

struct dockerd_network_ops {
	struct dockerd_common_ops common;
	/* NULL, here and below: nothing to do. */
	int32_t (*network_create)(void *self, const struct dockerd_network *n, struct dockerd_error *err);
	int32_t (*network_delete)(void *self, const struct dockerd_network *n, struct dockerd_error *err);
	/* Give a container a link into the network, addresses, routes and published ports; undoes everything on failure. NULL: nothing to do. */
	int32_t (*join)(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e, struct dockerd_error *err);
	/*
	 * Take it away; the namespace may already be gone (netns_fd, netlink_fd -1). NULL: nothing to do. After a crash the daemon may know
	 * no more than the ids and the addresses (no ports, no out_host_ifname): a driver that names its links finds them by the endpoint's id.
	 */
	int32_t (*leave)(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e, struct dockerd_error *err);
	/* After a daemon restart with live containers: take the endpoint over (rules, proxies) without touching its traffic. NULL: as leave + nothing. */
	int32_t (*adopt)(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e, struct dockerd_error *err);
	/* SIGHUP, or the firewall was flushed: put all rules back. NULL: none. */
	int32_t (*refresh)(void *self, struct dockerd_error *err);
};

#ifdef __cplusplus
}
#endif

#endif
