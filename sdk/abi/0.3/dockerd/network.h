/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network drivers: the data plane of one kind of network. Runs in the daemon. The daemon owns names, DNS, what is on disk and, unless the
 * driver has a source of its own, addresses (IPAM); a driver makes links, routes and rules appear and vanish. It never enters a namespace: a
 * container's side is configured through the rtnetlink socket that was born in it.
 *
 * Every op bears being repeated after a crash: `network_create` of a network that is already up repairs it, `network_delete`
 * and `leave` of what is gone succeed.
 *
 * A `network_create` that fails may leave what it has made: `network_delete` of the same network follows at once, or by the next daemon. It takes
 * away what there is, succeeds where that is nothing (settings that network_create refuses included), and leaves alone what is another network's.
 *
 * Where the classic remote protocol stands here: CreateNetwork and DeleteNetwork are network_create and network_delete; CreateEndpoint,
 * Join and ProgramExternalConnectivity are one `join`, whose answers (addresses, gateways, static routes, operational info) are emitted rows;
 * Leave, DeleteEndpoint and RevokeExternalConnectivity are `leave`; a later change of the way out is `update`.
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
#define DOCKERD_NETWORK_CAP_ADDRESSES UINT64_C(2) /* wants addresses of the daemon's IPAM; without: it emits what it chose, if any */
#define DOCKERD_NETWORK_CAP_SINGLETON UINT64_C(4) /* one network of this driver only: host, null */
#define DOCKERD_NETWORK_CAP_HOST UINT64_C(8)      /* containers stay in the host's network namespace */
#define DOCKERD_NETWORK_CAP_IPV6 UINT64_C(16)     /* networks may have subnets of IPv6 */
#define DOCKERD_NETWORK_CAP_NO_GATEWAY UINT64_C(32) /* a gateway of its subnets is none of this host's addresses: none is chosen unasked for an internal network */

/*
 * One range of addresses of a network. Text forms: prefix "172.17.0.0/16", address "172.17.0.1"; NULL where absent. The family is that of
 * the text (dockerd_is_ipv6). A network has any number of them in either family; the first of a family is the one that containers get their
 * address from.
 */
struct dockerd_subnet {
	uint32_t size;
	uint32_t auxiliary_count;
	const char *subnet;
	const char *gateway;  /* with bridges an address of this host, with others one of the outside; NULL: none */
	const char *next_hop; /* of the containers' default route; NULL: gateway */
	const char *range;    /* part of the subnet that containers' addresses come from, or NULL: all of it */
	const struct dockerd_key_value *auxiliary; /* addresses in it that are somebody else's, by name */
};

#define DOCKERD_NETWORK_DEFAULT UINT32_C(1)  /* the daemon's own network, whose options come from the daemon's flags */
#define DOCKERD_NETWORK_INTERNAL UINT32_C(2) /* no way out */
#define DOCKERD_NETWORK_IPV4 UINT32_C(4)     /* containers get addresses of IPv4 */
#define DOCKERD_NETWORK_IPV6 UINT32_C(8)

/*
 * Rows that `network_create` may emit to `out`:
 *   "record"       JSON for the daemon to keep, as moby's driver of this name would
 *   "record.KIND"  the same, where that driver tells kinds of records apart: "record.network" of macvlan
 *   "gateway"      "": containers have no use for gateways of the subnets; those that nobody asked for are free again
 *   "gateway.ipv4" "gateway.ipv6": the same for one family alone (since ABI 0.3)
 *   "link"         a link of the host that containers' packets go through: a manager of the host's packet filter is told to let them (since ABI 0.3)
 *   "ifname"       what the names of interfaces in containers begin with, instead of "eth" (since ABI 0.3)
 */
struct dockerd_network {
	uint32_t size;
	uint32_t flags; /* bit set of DOCKERD_NETWORK_* */
	const char *id, *name;
	const struct dockerd_subnet *subnets; /* walk with DOCKERD_AT */
	uint32_t subnet_count;
	uint32_t mtu; /* 0: the driver's choice */
	const struct dockerd_options *options; /* scope NETWORK: --opt of docker network create */
	const struct dockerd_emit *out; /* network_create only, else NULL: see above */
	void *batch; /* since ABI 0.3: for host->firewall_batch during this call; the daemon's, may be NULL */
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

/* An address of an endpoint, with the prefix length of its subnet: "172.17.0.2/16", "fd00::2/64". */
struct dockerd_address {
	uint32_t size;
	uint32_t reserved;
	const char *address;
};

/*
 * Connections that a container of the endpoint may make, or be asked for, although the network keeps its containers apart: one of the two addresses is
 * the endpoint's. Classic links (docker run --link). Since ABI 0.3.
 */
struct dockerd_link {
	uint32_t size;
	uint32_t port;       /* of the server */
	const char *proto;   /* tcp, udp, sctp */
	const char *client, *server; /* addresses of IPv4, without prefix length */
};

#define DOCKERD_ENDPOINT_ROUTE_IPV4 UINT32_C(1) /* the container's default route of IPv4 leads through this network */
#define DOCKERD_ENDPOINT_ROUTE_IPV6 UINT32_C(2)

/*
 * A container's place in a network. `addresses` are what the daemon's IPAM chose, or, for a driver without CAP_ADDRESSES, what the user asked
 * for, if anything.
 *
 * Rows that `join` may emit to `out`, in any order, repeated where there are several; the daemon skips what it does not know:
 *   "address"  an address in use, with its prefix length, where the driver chose it
 *   "gateway"  next hop of the default route of its family, where it is not the subnet's; "" for none
 *   "route"    a static route that the driver has set: "192.0.2.0/24 via 10.0.0.9", or "192.0.2.0/24" on the link
 *   "info.KEY" anything for `docker inspect`
 */
struct dockerd_endpoint {
	uint32_t size;
	uint32_t flags; /* bit set of DOCKERD_ENDPOINT_* */
	const char *id, *container_id;
	const char *name; /* for messages: the container's */
	const struct dockerd_address *addresses; /* walk with DOCKERD_AT; the main one of each family first, then link-local ones */
	uint32_t address_count;
	uint32_t port_count;
	struct dockerd_port *ports; /* to be published on the host; only given to the container's way out */
	const struct dockerd_port *exposed; /* what the image or the user named; proto and container_port only */
	uint32_t exposed_count;
	uint32_t reserved;
	const struct dockerd_options *options; /* scope ENDPOINT: --driver-opt of docker network connect */
	const char *mac;         /* wanted, or NULL */
	const char *ifname;      /* wanted name in the container ("eth0") */
	const char *netns_path;  /* the namespace for programs that want a path, or NULL */
	int32_t netns_fd;        /* the container's network namespace; -1: it is gone */
	int32_t netlink_fd;      /* NETLINK_ROUTE socket in it; -1 */
	const struct dockerd_emit *out; /* join only, else NULL */
	char out_mac[24];     /* out: the address in use; "" if the link has none of its own */
	char out_host_ifname[16]; /* out: the host's end, "" if none; kept by the daemon and passed back */
	/* Since ABI 0.3: */
	const struct dockerd_link *links; /* join and adopt; leave is given those that end with the endpoint, whoever brought them */
	uint32_t link_count;
	uint32_t reserved2;
};

struct dockerd_network_ops {
	struct dockerd_common_ops common;
	/* NULL, here and below: nothing to do. */
	int32_t (*network_create)(void *self, const struct dockerd_network *n, struct dockerd_error *err);
	int32_t (*network_delete)(void *self, const struct dockerd_network *n, struct dockerd_error *err);
	/* Give a container a link into the network, addresses, routes and published ports; undoes everything on failure. */
	int32_t (*join)(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e, struct dockerd_error *err);
	/*
	 * Take it away; the namespace may already be gone (netns_fd, netlink_fd -1). After a crash the daemon may know
	 * no more than the ids and the addresses (no ports, no out_host_ifname): a driver that names its links finds them by the endpoint's id.
	 */
	int32_t (*leave)(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e, struct dockerd_error *err);
	/*
	 * The container joined or left another network, and its way out has changed: make `e` of what was `was`. They differ in flags and ports
	 * only; ports of `e` whose bound_port is set stay as they are. On failure all is as it was.
	 */
	int32_t (*update)(void *self, const struct dockerd_network *n, const struct dockerd_endpoint *was,
			  struct dockerd_endpoint *e, struct dockerd_error *err);
	/* After a daemon restart with live containers: take the endpoint over (rules, proxies) without touching its traffic. */
	int32_t (*adopt)(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e, struct dockerd_error *err);
	/* SIGHUP, or the firewall was flushed: put all rules back. */
	int32_t (*refresh)(void *self, struct dockerd_error *err);
};

/* Is the text an address or prefix of IPv6? */
static int dockerd_is_ipv6(const char *text) DOCKERD_UNUSED;
static int dockerd_is_ipv6(const char *text)
{
	return text != NULL && strchr(text, ':') != NULL;
}

/* First subnet of a family, or NULL. */
static const struct dockerd_subnet *dockerd_subnet_of(const struct dockerd_network *n, int ipv6) DOCKERD_UNUSED;
static const struct dockerd_subnet *dockerd_subnet_of(const struct dockerd_network *n, int ipv6)
{
	uint32_t i;

	for (i = 0; i < n->subnet_count; i++)
		if (dockerd_is_ipv6(DOCKERD_AT(n->subnets, i)->subnet) == ipv6)
			return DOCKERD_AT(n->subnets, i);
	return NULL;
}

/* First address of a family, with its prefix length, or NULL. */
static const char *dockerd_address_of(const struct dockerd_endpoint *e, int ipv6) DOCKERD_UNUSED;
static const char *dockerd_address_of(const struct dockerd_endpoint *e, int ipv6)
{
	uint32_t i;

	for (i = 0; i < e->address_count; i++)
		if (dockerd_is_ipv6(DOCKERD_AT(e->addresses, i)->address) == ipv6)
			return DOCKERD_AT(e->addresses, i)->address;
	return NULL;
}

#ifdef __cplusplus
}
#endif

#endif
