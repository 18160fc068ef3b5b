/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network room: networks by name and id, addresses (IPAM), endpoints of containers, the firewall and the port proxy, on top of
 * network drivers (sdk/include/dockerd/network.h). On disk: <data-root>/network/files/.
 *
 * The daemon makes three networks at start: "bridge", "host", "none"; users make others. Thread-safe: the room's lock guards its tables and is never
 * held across a driver call.
 */
#ifndef NETWORK_NETWORK_H
#define NETWORK_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"

/* From the daemon's configuration; borrowed for the call. */
struct network_config {
	const char *data_root, *exec_root;
	const char *
	    bridge; /* --bridge: "" = docker0 made by us; "none": no default bridge; else an existing one */
	const char *bip; /* "" = first free of the default pools */
	const char *fixed_cidr, *default_gateway, *default_ip /* --ip */;
	bool ipv6; /* --ipv6: the default bridge has addresses of it as well */
	const char *bip6, *fixed_cidr6, *default_gateway6;
	bool ip6tables;
	const char *daemon_id; /* what private subnets of IPv6 are made from */
	int mtu;
	bool icc, ip_forward, ip_masq, iptables, userland_proxy, live_restore;
	bool ip_forward_no_drop, allow_direct_routing, obey_host_firewall;
	const char *const *dns, *const *dns_search, *const *dns_options; /* NULL-terminated */
	const char *const *host_gateway; /* NULL-terminated; none: the default bridge's addresses */
	const json *address_pools;       /* default-address-pools, or NULL: moby's */
	const json *default_opts;        /* default-network-opts, or NULL */
	/* A network was made or is gone ("create", "destroy"); attrs as events have them. NULL: nobody wants to know. */
	void (*event)(const char *action, const char *id, const struct pairs *attrs);
};

/* What "default" stands for in requests, and the network whose endpoint inspect repeats on top: names of the API. */
#define NETWORK_DEFAULT "bridge"
static inline const char *network_mode_name(const char *mode)
{
	return streq(mode, "default") ? NETWORK_DEFAULT : mode;
}

/* Rules of the packet filter may still be on their way then: the same thread waits for them by network_ready, before anybody joins. */
int network_init(const struct network_config *c, struct error *err);
int network_ready(struct error *err);
/* Remove what we made and nobody uses (default bridge stays as moby leaves it), stop the firewall helper. */
void network_shutdown(void);
/* SIGHUP or a firewall flush: rules back. */
void network_refresh(void);

struct network_port {
	uint16_t container_port;
	char proto[5];
	char host_ip[46];              /* in: wanted ("" = daemon's --ip); out: bound */
	uint16_t host_start, host_end; /* in: wanted; 0 ephemeral */
	uint16_t host_port;            /* out: bound */
};

/*
 * A connection on the default bridge that classic links allow, even where containers are kept apart: to a port of the peer, or of the container
 * itself.
 */
struct network_link {
	char peer[16]; /* address */
	char proto[5];
	uint16_t port;
	bool serves; /* the port is the container's own */
};

/* What a container has in one network; text forms. Embedded in the container's state. */
struct network_endpoint {
	char network_id[65], network_name[256], endpoint_id[65], driver[64];
	char ipv4[20], gateway4[16]; /* address without prefix length */
	int prefix4;
	char ipv6[46], gateway6[46];
	int prefix6;
	bool publishes; /* its driver could publish ports */
	char mac[20], ifname[16], host_ifname[16];
	struct network_port *ports; /* as bound: one per host address; owned */
	size_t n_ports;
};
void network_endpoint_free(struct network_endpoint *e);

/*
 * In which families the container's default route and its published ports lead through a network. One without addresses of a family may have its way
 * as well, if the container has no such address at all: ports on the host's addresses of IPv6 then lead to that of IPv4.
 */
#define NETWORK_WAY_IPV4 1U
#define NETWORK_WAY_IPV6 2U

struct network_join {
	const char *container_id;
	const char *network; /* name or id */
	int netns_fd, netlink_fd;
	const char *ipv4, *ipv6, *mac;    /* wanted, or NULL */
	const struct network_port *ports; /* wanted */
	size_t n_ports;
	const char *container_name; /* without slash, for messages: "... on endpoint NAME (ID)" */
	const char *ifname;         /* NULL: eth0 */
	unsigned int ways;          /* NETWORK_WAY_* */
	const struct strlist *
	    names; /* for the embedded DNS; "name:alias": what this container calls another; NULL: none */
	const struct pairs *driver_opts;  /* --driver-opt, or NULL */
	const struct strlist *link_local; /* further addresses, or NULL */
	const struct network_link *links;
	size_t n_links;
};

/* Is the name or id a network? "bridge", "default", "host", "none" always are. ERR_NOT_FOUND "network X not found". Fills id, name, driver. */
int network_find(const char *name_or_id, struct network_endpoint *out, struct error *err);
/* What a container room must know of a network. */
struct network_traits {
	char id[65], name[256], driver[64];
	bool predefined, is_default, internal, has_addresses, in_host, resolver;
	bool ipv4, ipv6; /* has addresses of it */
	bool publishes;  /* ports */
	char ifname[13]; /* what names of interfaces begin with: "eth" */
};
int network_traits(const char *name_or_id, struct network_traits *out, struct error *err);
/* May an endpoint have these settings (EndpointSettings of the API, or NULL)? Moby's words: "invalid endpoint settings:\n...". */
int network_check_settings(const struct network_traits *t, const json *settings, struct error *err);
/* Address, link, routes, ports. Undone whole on failure. Errors in moby's words: "driver failed programming external connectivity on endpoint ..." */
int network_connect(const struct network_join *j, struct network_endpoint *out, struct error *err);
/*
 * The container's ways out change from `was` to `now` (with `ports` to publish): netlink_fd is a socket in the namespace. e is updated.
 */
int network_update(const char *container_id, const char *container_name, struct network_endpoint *e,
		   unsigned int was, unsigned int now, const struct network_port *ports,
		   size_t n_ports, int netns_fd, int netlink_fd, struct error *err);
/* Bears repetition; the namespace may be gone. */
int network_disconnect(const char *container_id, struct network_endpoint *e, struct error *err);
/*
 * network_disconnect has failed, and the container is gone all the same: the room holds the endpoint and its address, and tries again when somebody
 * joins or removes the network, and when the next daemon starts.
 */
void network_abandon(const struct network_endpoint *e);
/* After a daemon restart with the container still running: reserve the address, take over rules and proxies. */
int network_adopt(const char *container_id, const char *container_name, struct network_endpoint *e,
		  unsigned int ways, const struct strlist *names, const struct network_link *links,
		  size_t n_links, int netns_fd, struct error *err);
/* The container has another name, or other names for the DNS. */
void network_rename(const struct network_endpoint *e, const char *container_name,
		    const struct strlist *names);
/*
 * After restore of all containers: remove links, rules and leases of containers that are gone, or that have never learnt of them. namespace_of:
 * descriptor of a running container's network namespace, or -1; it is asked at later attempts too. NULL: none is known.
 */
void network_sweep(int (*namespace_of)(const char *container_id));

/* A NETLINK_ROUTE socket born in the namespace. */
int network_netlink_in(int netns_fd, struct error *err);
/*
 * The embedded DNS of a container, in its namespace at 127.0.0.11. Starting one that runs is fine; it is taken over from an earlier daemon.
 * dns: the servers that the container names (may be empty); forward: ask servers at all.
 */
int network_resolver_start(const char *container_id, int netns_fd, const struct strlist *dns,
			   bool forward, struct error *err);
void network_resolver_stop(const char *container_id);
bool network_resolver_runs(const char *container_id);

/* Files of a container: /etc/resolv.conf and /etc/hosts text as moby generates them. hosts: extra is "name:ip" (host-gateway resolved). */
enum resolv_kind {
	RESOLV_HOST,    /* in the host's network: its file, more or less */
	RESOLV_PLAIN,   /* what can be reached from a container */
	RESOLV_INTERNAL /* the embedded DNS at 127.0.0.11 */
};
int network_resolv_conf(enum resolv_kind kind, const struct strlist *dns,
			const struct strlist *search, const struct strlist *options,
			struct str *out, struct error *err);
/* Addresses that the word "host-gateway" stands for in them: --host-gateway-ip, or those of the default bridge. May be none. */
void network_host_gateway(struct strlist *out);
int network_hosts(const char *hostname, const char *domainname, const struct strlist *addresses,
		  const struct strlist *extra, struct str *out, struct error *err);

/* ---- API side: prints moby's JSON ------------------------------------------------------------------------------------------------- */

struct network_list_filter {
	const json *filters; /* parsed `filters` parameter or NULL */
	bool containers;     /* API before 1.28 lists them */
};
/* Array of network objects (GET /networks). container_name maps a container id to its name (without slash). */
int network_print_list(const struct network_list_filter *f,
		       const char *(*container_name)(const char *id, char buf[256]), struct jw *w,
		       struct error *err);
/* One object (GET /networks/{id}). scope: "" or the only one wanted. */
int network_print(const char *name_or_id, const char *scope,
		  const char *(*container_name)(const char *id, char buf[256]), struct jw *w,
		  struct error *err);
/* POST /networks/create: id and warnings of the reply. */
int network_create(const json *body, struct str *id, struct strlist *warnings, struct error *err);
/* Names of drivers: those that are installed, and the socket plugins that networks have been asked of; sorted. */
void network_drivers(struct strlist *out);
int network_delete(const char *name_or_id, struct error *err);
/* Names of what was removed. filters as above: label, label!, until. */
int network_prune(const json *filters, struct strlist *deleted, struct error *err);
#endif
