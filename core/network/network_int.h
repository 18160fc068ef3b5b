/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the network room share. The room's one lock guards the table of networks, the networks' counters and what hangs on them;
 * what a network is (id, name, addresses, options) is constant once it is in the table.
 */
#ifndef NETWORK_NETWORK_INT_H
#define NETWORK_NETWORK_INT_H

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "network/ipam.h"
#include "network/network.h"
#include "plugin/plugin.h"

/* A container's place in a network, while it runs. */
struct net_endpoint {
	char id[65], container_id[65], name[256]; /* name: the container's */
	char mac[24];
	struct ipam_prefix
	    addr[2]; /* of IPv4 and IPv6, with the prefix length of its subnet; not set: none */
	bool orphan; /* its container has ended, and the driver has failed to take it away */
};

/* A connection that may be made although containers are kept apart: classic links. */
struct net_link {
	struct ip client, server;
	uint16_t port;
	char proto[5];
};

/* An opened driver; opened at the first network of its kind, and kept. */
struct net_driver {
	struct net_driver *next;
	char name[64];
	struct plugin_instance instance;
	bool opening; /* by one thread; under the lock of drivers.c */
};

struct net_subnet {
	struct ipam_prefix subnet, range; /* not set: to be chosen */
	bool has_range;
	bool asked, gateway_asked; /* by the user: then containers may ask for addresses */
	struct ip gateway, route;  /* route: next hop of containers; none: the gateway */
	struct pairs auxiliary;    /* name -> address, taken by others */
	char *pool_id;             /* what an IPAM plugin knows it by; NULL: it is not a plugin's */
	size_t claimed;            /* of `auxiliary`, from its beginning: given by that plugin */
	struct ipam ipam;          /* under the lock */
};

struct net {
	char id[65], name[256], driver_name[64];
	struct net_driver *driver; /* NULL: configuration only */
	int64_t created;
	bool predefined; /* made by the daemon; `is_default`: "bridge" */
	bool is_default, internal, attachable, config_only;
	char *config_from; /* name of a network of configuration, or "" */
	bool ipv4, ipv6;   /* families that containers get addresses of */
	struct net_subnet
	    *subnets; /* those of IPv4 first; one of a family that is off is only shown */
	size_t n_subnets;
	bool unusable; /* could not be brought up; set before there are requests */
	bool
	    no_gateway[2]; /* by family: the driver has no use for gateways that nobody asked for */
	char link[16];     /* of the host, that its containers' packets go through; "" */
	char ifname[13];   /* what names of interfaces in containers begin with; "": "eth" */
	struct pairs options, labels, ipam_options; /* as `docker network inspect` shows them */
	bool ipam_options_given;
	char *ipam_driver, *address_space; /* of an IPAM plugin; NULL: addresses are ours */
	struct dockerd_options *typed;
	char *
	    driver_record; /* JSON that the driver wants on disk, as moby's driver of its name keeps it; NULL: none */
	char *record_kind; /* part of its key there: "bridge", "macvlan/network" */
	char *record;      /* as found on disk, for the members that we don't know; NULL: none */
	/* under the lock: */
	unsigned int refs, joining;
	unsigned int orphans; /* endpoints that nobody holds and the driver would not let go */
	bool deleting;
	bool making;          /* in the table for its name and its subnets; nobody finds it */
	struct map endpoints; /* id -> struct net_endpoint, owned */
	struct net_link *links;
	size_t n_links;
};

extern pthread_mutex_t network_lock;
extern struct network_room {
	bool ready, no_bridge, v6, proxy, firewall;
	bool ip_forward, ip_forward_no_drop, allow_direct_routing, obey_host_firewall;
	void (*event)(const char *action, const char *id, const struct pairs *attrs);
	char *state_dir; /* <exec-root>/network */
	char *data_root;
	char *default_ip;
	struct strlist dns, search, options;
	struct strlist host_gateway; /* what "host-gateway" stands for */
	json *default_opts;          /* {"DRIVER": {"key": "value"}} */
	bool ip6tables;
	struct ipam_pool *pools; /* of both families */
	size_t n_pools;
} room;

/* ---- networks.c: the table */

/* Name, "default", or an id's unambiguous beginning: a reference. NULL with err. */
struct net *network_get(const char *name_or_id, struct error *err);
void net_unref(struct net *n);
static inline void net_unrefp(struct net **n)
{
	if (*n)
		net_unref(*n);
}
#define auto_net __attribute__((cleanup(net_unrefp))) struct net
/* References to all, in the order of their names; free() the array after net_unref. `claimed`: those that are being made as well. */
struct net **network_all(size_t *n);
struct net **network_all_claimed(size_t *n);
/* It is made: from now on it is found. */
void network_made(struct net *n);
/* Into the table, with the caller's reference from then on the table's; -1: the name or id is taken. n->making: it is not found there yet. */
int network_publish(struct net *n, struct error *err);
/* Out of the table; the table's reference is the caller's. */
void network_unpublish(struct net *n);
/* A network with a new id, with one reference. */
struct net *net_new(const char *name, const char *driver, struct error *err);
/* At the end: out of the table, one after the other; NULL: it was the last. */
struct net *network_take_last(void);
bool network_has_addresses(const struct net *n);
static inline const struct dockerd_network_ops *net_ops(const struct net *n)
{
	return &n->driver->instance.plugin->ops.network;
}
static inline uint64_t net_caps(const struct net *n)
{
	return n->driver ? n->driver->instance.plugin->capabilities : 0;
}
static inline bool net_publishes(const struct net *n)
{
	return net_caps(n) & DOCKERD_NETWORK_CAP_PORTS && !n->internal;
}
void network_event(const struct net *n, const char *action);

/* The SDK's view of a network; `text` backs its strings. */
struct net_text {
	struct subnet_text *strings; /* owned, as are the others */
	struct dockerd_subnet *subnets;
	struct dockerd_key_value *auxiliary;
};
struct dockerd_network network_view(const struct net *n, struct net_text *text);
static inline void net_text_free(struct net_text *t)
{
	free(t->strings);
	free(t->subnets);
	free(t->auxiliary);
}

/* ---- drivers.c */
/* The driver that stands for plugins of the classic socket protocol: option `plugin` is the name of one. */
#define REMOTE_NETWORK_DRIVER "remote"
/* The driver opened, the options parsed. "plugin \"X\" not found". May block. */
int net_open_driver(struct net *n, struct error *err);
/* The driver's network_create and network_delete. */
struct fw_batch;
/* batch: for the rules; NULL: they are waited for. */
int net_bring_up(struct net *n, struct fw_batch *batch, struct error *err);
int net_take_down(struct net *n, struct error *err);
void drivers_refresh(void);
/* Nobody uses one any more. */
void drivers_close(void);

/* ---- init.c: name of a network of ours? */
bool net_is_builtin(const char *name);

/* ---- default.c: the daemon's own networks */
int network_default_init(const struct network_config *c, struct net *n, struct error *err);

/* ---- store.c: <data-root>/network/files/local-kv.db, as moby keeps it. Under its own lock. */
int store_open(const char *data_root, struct error *err);
void store_close(void);
/* A network for each record that we understand, not yet brought up, to `found`. The others stay on disk. */
int store_load(void (*found)(void *ctx, struct net *n), void *ctx, struct error *err);
/* Durable when it returns. */
int store_put(const struct net *n, struct error *err);
/* What is put in between is one transaction. */
void store_hold(void);
int store_release(struct error *err);
/* Its records, whoever wrote them: out of the store, and `kept` so that they can be put back as they were. */
struct store_kept {
	struct kept_record {
		char *key, *value;
		size_t len;
	} * v;
	size_t n;
};
int store_delete(const struct net *n, struct store_kept *kept, struct error *err);
int store_put_back(const struct store_kept *kept, struct error *err);
void store_kept_free(struct store_kept *kept);
#define auto_kept __attribute__((cleanup(store_kept_free))) struct store_kept
/*
 * <exec-root>/network/unfinished/ID: the network's record, there from before its driver makes it until the store has it, and from before the store
 * forgets it until the driver has taken it away. After a kill the next daemon gives what is found there, and is in no store, back to its driver.
 */
int store_begin(const struct net *n, struct error *err);
void store_end(const struct net *n);
/* found: 0: it is gone; else it is asked about again by the next daemon. */
void store_unfinished(int (*found)(struct net *n));

/* ---- adopt.c: once more, endpoints of the network that could not be taken away. Without the lock. */
void endpoints_retry(struct net *n);

/* ---- subnets.c: addresses of a network */

static inline bool subnet_is_v6(const struct net_subnet *s)
{
	return ip_is_v6(s->subnet.addr);
}
/* Do containers get addresses of it? */
static inline bool subnet_is_on(const struct net *n, const struct net_subnet *s)
{
	return subnet_is_v6(s) ? n->ipv6 : n->ipv4;
}
/* The first of the family; NULL: none. */
struct net_subnet *net_first_subnet(const struct net *n, bool ipv6);
/* The one of the family that holds the address, or NULL. */
struct net_subnet *net_subnet_of(const struct net *n, struct ip a);
/* One more, behind those of its family; valid until the next one. */
struct net_subnet *net_add_subnet(struct net *n, struct ipam_prefix subnet);
void net_free_subnets(struct net *n);
/* IPAM.Config of a request. */
int net_read_ipam(const json *ipam, struct net *n, struct error *err);
/* As another network has them. */
void net_copy_subnets(struct net *n, const struct net *from);
/* Did the user name a subnet of either family? */
bool net_user_subnet(const struct net *n);
/* A subnet for each family that is on, gateways, and what is reserved; into the table with it (network_publish). */
int net_claim(struct net *n, struct error *err);
/* Reserve what is not for containers: gateways, routes, auxiliary addresses. */
int net_ipam_init(struct net *n, struct error *err);
/* A free subnet of the pools. */
int network_choose_subnet(bool ipv6, struct ipam_prefix *out, struct error *err);
/* The driver has said that it needs no gateways of the family: those that nobody asked for are free again. */
void net_drop_gateways(struct net *n, bool ipv6);

/* ---- files.c: name servers of a container that names `dns` (may be empty) */
int network_upstreams(const struct strlist *dns, struct strlist *out, struct error *err);

/* ---- sysctls.c: com.docker.network.endpoint.sysctls of an endpoint that has joined, set in its namespace */
int endpoint_sysctls(const struct network_join *j, struct error *err);
/* Is it "net.X.Y.IFNAME.Z=V" and the like? Moby's words. */
int sysctls_check(const char *text, struct error *err);

/* ---- dns.c: `dockerd-netd --sockets WHAT ARGS`, which enters the namespace; its answer in reply. ARGS are NULL-terminated */
struct msg;
int netd_helper(const char *what, const char *const *args, int netns_fd, struct msg *reply,
		struct error *err);

/* ---- dns.c: names for dockerd-netd */
void dns_add(const struct net *n, const struct net_endpoint *e, const struct strlist *names);
void dns_del(const struct net *n, const char *endpoint_id);

/* With proxy.c's lock held, after a new netd was found: everything it must know again. */
void dns_replay(void);
bool dns_wanted(void);
/* Containers that netd serves and nobody asked for since the start. */
void dns_sweep(void);
void dns_shutdown(void);

/* proxy.c: the daemon's side of dockerd-netd. */
/* One request; start: netd is started if there is none. */
int netd_call(const struct msg *m, bool start, struct error *err);
/* The same from dns_replay. */
int netd_send(const struct msg *m, struct error *err);
int netd_list(uint16_t what, struct strlist *out, struct error *err);
int proxy_init(const char *state_dir, struct error *err);
int proxy_start(const char *proto, const char *host_ip, uint32_t host_port, const char *ip,
		uint32_t port, struct error *err);
int proxy_stop(const char *proto, const char *host_ip, uint32_t host_port, struct error *err);
/* Stop what an earlier daemon left in netd and nobody asked for since proxy_init. */
void proxy_sweep(void);
void proxy_shutdown(void);

#endif
