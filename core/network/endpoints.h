/* SPDX-License-Identifier: Apache-2.0 */
/* What endpoints.c (joining and leaving) and adopt.c (what outlives a daemon) share. */
#ifndef NETWORK_ENDPOINTS_H
#define NETWORK_ENDPOINTS_H

#include "network/network_int.h"

/* A reference to the network, which must have a driver. NULL with err. */
struct net *endpoint_network(const char *name_or_id, struct error *err);
/* What a container's configuration says of an endpoint, checked. name may be NULL. */
int endpoint_known(const char *container_id, const char *name, const struct network_endpoint *from,
		   struct net_endpoint *e, struct error *err);
/* The addresses that it has; none of them, or all. */
int endpoint_reserve(struct net *n, const struct net_endpoint *e, struct error *err);
/* Into the network's table; out of it, its address back. */
void endpoint_remember(struct net *n, const struct net_endpoint *e);
void endpoint_forget(struct net *n, const char *id);

/* The driver's view of an endpoint; `text` and the rest back its pointers. */
struct view {
	struct dockerd_network network;
	struct net_text text;
	struct dockerd_options *options; /* owned */
	struct dockerd_endpoint endpoint;
	char texts[2][IPAM_PREFIX_TEXT];
	struct dockerd_address addresses[2];
	struct dockerd_port *ports; /* owned */
};

void view_free(struct view *v);
#define auto_view __attribute__((cleanup(view_free))) struct view
void view_init(struct view *v, const struct net *n, const struct net_endpoint *e,
	       const char *ifname, unsigned int ways);
/* What the driver said of it when it joined. */
void view_known(struct view *v, const struct network_endpoint *from);
void view_port(struct view *v, const struct network_port *p, const char *host_ip);
/* "join", "leave" or "adopt"; 0 if the driver has none. */
int endpoint_call(const struct net *n, const char *op, struct view *v, struct error *err);

/* ---- adopt.c: <exec-root>/network/endpoints/ID */
int endpoint_record(const struct net *n, const struct net_endpoint *e, struct error *err);
void endpoint_record_remove(const char *id);

#endif
