/* SPDX-License-Identifier: Apache-2.0 */
/* What endpoints.c (joining and leaving), its table and views, and adopt.c (what outlives a daemon) share. */
#ifndef NETWORK_ENDPOINTS_H
#define NETWORK_ENDPOINTS_H

#include "network/network_int.h"

/* A reference to the network, which must have a driver. NULL with err. */
struct net *endpoint_network(const char *name_or_id, struct error *err);
/* What a container's configuration says of an endpoint, checked. name may be NULL. */
int endpoint_known(const char *container_id, const char *name, const struct network_endpoint *from,
		   struct net_endpoint *e, struct error *err);

/* ---- endpoint_table.c */
/* May one join? From here on the network can't be deleted, until endpoint_joined. */
int endpoint_joining(struct net *n, struct error *err);
/* Addresses for one that joins. */
int endpoint_take_addresses(struct net *n, const struct network_join *j, struct net_endpoint *e,
			    struct error *err);
/* It joined, or it did not. */
void endpoint_joined(struct net *n);
/* Addresses are free again; -1: but for those in e, which an IPAM plugin that can't be reached has still. While it joins. */
int endpoint_give_back(struct net *n, struct net_endpoint *e);
/* One that did not join, or has left: endpoint_give_back, and off the disk; what a plugin has still is an orphan with a record. While it joins. */
void endpoint_drop(struct net *n, struct net_endpoint *e);
/* The addresses that it has; none of them, or all. */
int endpoint_reserve(struct net *n, const struct net_endpoint *e, struct error *err);
/* Into the network's table. */
void endpoint_remember(struct net *n, const struct net_endpoint *e);
/* It has left: out of the table, and endpoint_drop. One that is not there is dropped as `left` says, if nobody else can have taken it: `alone`. */
void endpoint_forget(struct net *n, const struct net_endpoint *left, bool alone);
/* Links that are open in the network: remembered once each; those that end at the endpoint, malloc'ed; forgotten with it. */
void links_keep(struct net *n, const struct net_link *v, size_t count);
struct net_link *links_of(struct net *n, const struct net_endpoint *e, size_t *count);
void links_drop(struct net *n, const struct net_endpoint *e);

/* ---- endpoint_view.c */

/* The driver's view of an endpoint; `text` and the rest back its pointers. */
struct view {
	struct dockerd_network network;
	struct net_text text;
	struct dockerd_options *options; /* owned */
	struct dockerd_endpoint endpoint;
	char (*texts)[IPAM_PREFIX_TEXT]; /* owned, as are the others */
	struct dockerd_address *addresses;
	struct dockerd_port *ports;
	struct dockerd_link *links;
	struct link_text {
		char client[IP_TEXT], server[IP_TEXT], proto[5];
	} * link_texts;
};

void view_free(struct view *v);
#define auto_view __attribute__((cleanup(view_free))) struct view
void view_init(struct view *v, const struct net *n, const struct net_endpoint *e,
	       const char *ifname, unsigned int ways);
/* What the driver said of it when it joined. */
void view_known(struct view *v, const struct network_endpoint *from);
/* One more. */
void view_address(struct view *v, struct ipam_prefix p);
void view_links(struct view *v, const struct net_link *links, size_t count);
/* Those that the endpoint is to publish. */
void view_wanted_ports(struct view *v, const struct net *n, unsigned int ways,
		       const struct network_port *ports, size_t count);
/* A container's links, remembered in the network and shown to its driver (endpoints.c). */
void endpoint_links(struct net *n, const struct net_endpoint *e, const struct network_link *from,
		    size_t count, struct view *v);
void view_port(struct view *v, const struct network_port *p, const char *host_ip);
/* "join", "leave" or "adopt"; 0 if the driver has none. */
int endpoint_call(const struct net *n, const char *op, struct view *v, struct error *err);

/* ---- adopt.c: <exec-root>/network/endpoints/ID */
int endpoint_record(const struct net *n, const struct net_endpoint *e, struct error *err);
void endpoint_record_remove(const char *id);

#endif
