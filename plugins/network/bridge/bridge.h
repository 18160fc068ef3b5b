/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the bridge driver share. bridge.c: options and networks; endpoint.c: containers; link.c: netlink; rules.c: firewall texts; ports.c: host ports. */
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

/* A network as the ops see it: its options read, borrowed for one call. */
struct bridge_net {
	const char *ifname;        /* of the bridge */
	struct bridge_family v[2]; /* IPv4, IPv6 */
	const char *id;
	const char *binding; /* host address for ports without one */
	unsigned int mtu;    /* 0: kernel's choice */
	bool icc, masquerade, internal, proxy, is_default;
};

/* ---- rules.c: pure ------------------------------------------------------------------------------------------------------------------- */

/*
 * A batch for host->firewall of one family. malloc'ed; NULL if memory is gone. `add` false: the same rules out. ip: the container's address
 * in that family. Ports on host addresses of the other family have no rules.
 */
char *bridge_rules_network(const struct bridge_net *n, bool ipv6, bool add);
/* Of published ports alone; bridge_rules_endpoint has them as well. */
char *bridge_rules_ports(const struct bridge_net *n, bool ipv6, const char *ip,
			 const struct dockerd_port *ports, uint32_t count, bool add);
char *bridge_rules_endpoint(const struct bridge_net *n, bool ipv6, const char *ip,
			    const struct dockerd_port *ports, uint32_t count, bool add);

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
 * is no other, by the proxy.
 */
int ports_bind(struct ports *p, const struct dockerd_host *host, const char *const ip[2],
	       bool forward, struct dockerd_port *v, uint32_t count, struct dockerd_error *err);
/* Give back; what is not taken is skipped. */
void ports_release(struct ports *p, const struct dockerd_host *host, const struct dockerd_port *v,
		   uint32_t count);

/* ---- bridge.c ---------------------------------------------------------------------------------------------------------------------------- */

struct bridge {
	const struct dockerd_host *host;
	bool proxy, forward;
	struct ports ports;
	struct reaper *reaper;
};

/* name: where the bridge's is kept if the network names none. */
int bridge_read(const struct bridge *b, const struct dockerd_network *n, char name[16],
		struct bridge_net *out, struct dockerd_error *err);
/* Hand a batch to the daemon and free it. */
int bridge_firewall(const struct bridge *b, bool ipv6, char *rules, struct dockerd_error *err);

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
