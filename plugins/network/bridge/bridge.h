/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the bridge driver share. bridge.c: networks; options.c: what their options say; endpoint.c: containers; link.c: netlink; rules.c: firewall texts; ports.c: host ports. */
#ifndef NETWORK_BRIDGE_BRIDGE_H
#define NETWORK_BRIDGE_BRIDGE_H

#include <dockerd/network.h>

#include <pthread.h>
#include <stdbool.h>

/* What a network has in one family. */
struct bridge_family {
	const char *subnet,
	    *gateway;      /* "172.17.0.0/16", "172.17.0.1"; NULL: nothing of this family */
	const char *route; /* next hop of the default route */
};

/* How containers are reached from outside of the host, in one family; the names are the option's. */
enum gateway_mode {
	GATEWAY_DEFAULT, /* none is given: as "nat" */
	GATEWAY_NAT,
	GATEWAY_UNPROTECTED, /* "nat-unprotected": at their own addresses as well, at any port */
	GATEWAY_ROUTED,      /* at their own addresses alone, at published ports */
	GATEWAY_ISOLATED     /* of an internal network: the host has no address in it */
};

/* A network as the ops see it: its options read, borrowed for one call. Arrays of two: IPv4, IPv6. */
struct bridge_net {
	const char *ifname; /* of the bridge */
	struct bridge_family v[2];
	enum gateway_mode mode[2];
	const char *id;
	const char *binding;   /* host address for ports without one; NULL: any */
	const char *source[2]; /* of outgoing connections; NULL: the kernel's choice */
	const char *trusted; /* links of the host from which containers are reached, "eth0:eth1" */
	void *batch;         /* of the call, for its rules */
	const char *prefix;  /* of the names of interfaces in containers; "": the daemon's */
	unsigned int mtu;    /* 0: kernel's choice */
	bool icc, masquerade, inhibit_ipv4, internal, is_default;
	bool proxy, direct, obey; /* as the daemon's options */
};

/* Are the containers of a network NATed to the host, or do ports only open a way to their own addresses? */
static inline bool bridge_routed(const struct bridge_net *n, bool ipv6)
{
	return n->mode[ipv6] == GATEWAY_ROUTED;
}

/* ---- rules.c: pure ------------------------------------------------------------------------------------------------------------------- */

/*
 * A batch for host->firewall of one family. malloc'ed; NULL if memory is gone. `add` false: the same rules out. ip: the container's address
 * in that family. Ports on host addresses of the other family have no rules.
 */
char *bridge_rules_network(const struct bridge_net *n, bool ipv6, bool add);
/* Of published ports alone; bridge_rules_endpoint has them as well. */
char *bridge_rules_ports(const struct bridge_net *n, bool ipv6, const char *ip,
			 const struct dockerd_port *ports, uint32_t count, bool add);
/* With the endpoint's links. */
char *bridge_rules_endpoint(const struct bridge_net *n, bool ipv6, const char *ip,
			    const struct dockerd_endpoint *e, bool add);

/* ---- link.c ------------------------------------------------------------------------------------------------------------------------------ */

/* Make the bridge if it is not there, give it the gateways' addresses, bring it up. */
int link_bridge_up(const struct bridge_net *n, struct dockerd_error *err);
/* If it is ours. */
int link_bridge_delete(const struct bridge_net *n, struct dockerd_error *err);
/* The bridge of that name bears another network of a dockerd's. */
bool link_is_of_another(const struct bridge_net *n);
/* A veth pair: `host` on the bridge and up, `peer` inside the namespace with that MAC, not yet up. */
int link_veth_add(const struct bridge_net *n, const char *host, const char *peer, const char *mac,
		  int netns_fd, struct dockerd_error *err);
/* Down: nothing gets through any more. Quick, unlike the deletion. *index: its number, 0 if it is absent. */
int link_down(const char *ifname, unsigned int *index, struct dockerd_error *err);
/* Waits for a grace period of the kernel, some ten milliseconds. Absent: fine. By number, which is never given again. */
int link_delete(unsigned int index, struct dockerd_error *err);
bool link_exists(const char *ifname);
/* One digit. */
int sysctl_write(const char *path, const char *value);

/* ---- reaper.c: a thread that deletes links, so that leaving does not wait for the kernel --------------------------------------------- */

struct reaper;
struct reaper *reaper_new(const struct dockerd_host *host);
void reaper_delete(struct reaper *r, unsigned int index);
/* Until all are gone; false if there was nothing to wait for. */
bool reaper_wait(struct reaper *r);
/* Deletes what is left first. */
void reaper_free(struct reaper *r);

/* ---- ports.c ----------------------------------------------------------------------------------------------------------------------------- */

struct ports_taken {
	char proto[8], ip[46];
	uint32_t port;
};

/* Host ports in use by this daemon. */
struct ports {
	pthread_mutex_t lock;
	struct ports_taken *v;
	size_t n, cap;
	uint32_t last_ephemeral;
};

/*
 * Take a host port for each, through host->proxy_start; ports that differ in nothing but the host address get the same number.
 * All or none. `ip`: the container's addresses of IPv4 and of IPv6, each may be "": a port of an address of IPv6 leads to that of IPv4 if there
 * is no other, by the proxy. Those that are routed have none: bound_port 0, and any host address.
 */
int ports_bind(struct ports *p, const struct dockerd_host *host, const struct bridge_net *n,
	       const char *const ip[2], struct dockerd_port *v, uint32_t count,
	       struct dockerd_error *err);
/* Ports of a routed family have no host address: what was asked for is forgotten, as by moby. */
void ports_any_address(const struct bridge_net *n, struct dockerd_port *v, uint32_t count);
/* Give back; what is not taken is skipped. */
void ports_release(struct ports *p, const struct dockerd_host *host, const struct dockerd_port *v,
		   uint32_t count);

/* ---- bridge.c ---------------------------------------------------------------------------------------------------------------------------- */

/* A network that is up. */
struct bridge_user {
	struct bridge_user *next;
	char id[65], ifname[16];
};

struct bridge {
	const struct dockerd_host *host;
	bool proxy, forward, no_drop, direct, obey; /* as the daemon's options */
	struct ports ports;
	struct reaper *reaper;
	pthread_mutex_t lock; /* guards users */
	struct bridge_user *users;
};

/* Hand rules to the daemon, as part of the call that n is of, and free them. */
int bridge_firewall(const struct bridge *b, const struct bridge_net *n, bool ipv6, char *rules,
		    struct dockerd_error *err);

/* ---- options.c --------------------------------------------------------------------------------------------------------------------------- */

bool option_flag(const struct dockerd_options *o, const char *key, bool fallback);
/* name: where the bridge's is kept if the network names none. */
int bridge_read(const struct bridge *b, const struct dockerd_network *n, char name[16],
		struct bridge_net *out, struct dockerd_error *err);
/* The next of "eth0:eth1", and the list behind it; false: there are no more. */
bool bridge_next_name(const char **list, char name[16]);
/* What moby's bridge driver keeps of a network: without it that daemon could not use the network again. */
void bridge_emit_record(const struct dockerd_network *n, const struct bridge_net *b, bool ours);

/* ---- endpoint.c: ops --------------------------------------------------------------------------------------------------------------------- */

int32_t bridge_join(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		    struct dockerd_error *err);
int32_t bridge_leave(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		     struct dockerd_error *err);
int32_t bridge_update(void *self, const struct dockerd_network *n,
		      const struct dockerd_endpoint *was, struct dockerd_endpoint *e,
		      struct dockerd_error *err);
int32_t bridge_adopt(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		     struct dockerd_error *err);

#endif
