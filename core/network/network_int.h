/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the network room share. The room's one lock guards the table of networks and what hangs on it. */
#ifndef NETWORK_NETWORK_INT_H
#define NETWORK_NETWORK_INT_H

#include <pthread.h>

#include "base/map.h"
#include "network/ipam.h"
#include "network/network.h"
#include "plugin/plugin.h"

/* A container's place in a network, while it runs. */
struct net_endpoint {
	char id[65], container_id[65];
	char mac[24];
	uint32_t ip; /* 0: none */
};

struct net {
	char id[65], name[64], driver[64];
	int64_t created;
	bool is_default; /* "bridge" */
	struct plugin_instance instance;
	/* with addresses: */
	struct ipam ipam;
	struct ipam_prefix subnet, range;
	bool has_range;
	uint32_t gateway, route; /* route 0: as gateway */
	struct pairs options;    /* as `docker network inspect` shows them */
	struct dockerd_options *typed;
	struct map endpoints; /* id -> struct net_endpoint, owned */
};

enum { NET_NONE, NET_HOST, NET_BRIDGE, NET_COUNT };

extern pthread_mutex_t network_lock;
extern struct net networks[NET_COUNT];
extern struct network_room {
	bool ready, no_bridge, v6, proxy;
	char *state_dir; /* <exec-root>/network */
	char *default_ip;
	struct strlist dns, search, options;
} room;

/* Name, "default", or an id's unambiguous beginning. NULL with err. Networks live until network_shutdown. */
struct net *network_get(const char *name_or_id, struct error *err);
/* The SDK's view of a network; `text` backs its strings. */
struct net_text {
	char subnet[20], gateway[16], route[16], range[20];
	struct dockerd_subnet subnets[1];
};
struct dockerd_network network_view(const struct net *n, struct net_text *text);
bool network_has_addresses(const struct net *n);

/* proxy.c: the daemon's side of dockerd-netd. */
int proxy_init(const char *state_dir, struct error *err);
int proxy_start(const char *proto, const char *host_ip, uint32_t host_port, const char *ip,
		uint32_t port, struct error *err);
int proxy_stop(const char *proto, const char *host_ip, uint32_t host_port, struct error *err);
/* Stop what an earlier daemon left in netd and nobody asked for since proxy_init. */
void proxy_sweep(void);
void proxy_shutdown(void);

#endif
