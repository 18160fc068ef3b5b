/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The networks of a container: what was asked for, what it has in each while it runs, and which of them is its way out (default route and
 * published ports). Fields are guarded by the container's lock; changes are made with `op` held.
 */
#ifndef CONTAINER_NETWORKS_H
#define CONTAINER_NETWORKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "network/network.h"

struct container;
struct shim_created;

struct container_network {
	char *name;                                 /* of the network: the key in inspect */
	char *ipam, *links, *aliases, *driver_opts; /* as asked for, JSON; NULL: null */
	char mac[18];                               /* asked for, or "" */
	int64_t gw_priority;
	struct strlist dns_names; /* while connected to a network with DNS */
	bool connected;
	unsigned int ways;          /* NETWORK_WAY_*: it is the way out; 0: it is not */
	struct network_endpoint ep; /* network_id lasts; the rest while connected */
};

/* ---- networks_json.c: requests, config.v2.json, inspect */

/* From the body of a create request, and the container's own MAC address or ""; checks what networks that exist say of it. */
int networks_from_request(struct container *c, const json *body, const char *mac,
			  struct error *err);
void networks_load(struct container *c, const json *settings);
/* The members of NetworkSettings in config.v2.json, and of inspect. */
void networks_print_kept(struct jw *w, const struct container *c);
void networks_print(struct jw *w, const struct container *c);
/* One network out of EndpointSettings (NULL: none). Appended to the container's. */
struct container_network *networks_add(struct container *c, const char *name, const json *settings);
void networks_remove(struct container *c, const char *name);
void networks_free(struct container *c);

/* ---- networks.c: life */

struct container_network *networks_find(const struct container *c, const char *name);
/* The way out, or else the first that has an address. NULL: none. */
const struct container_network *networks_main(const struct container *c);
/* Bound ports of all networks, one after the other; NULL: there are no more. */
const struct network_port *networks_port(const struct container *c, size_t i);
/* Is it in a network that could publish ports? Only then they are shown. */
bool networks_may_publish(const struct container *c);
bool networks_shares(const struct container *c); /* container:ID */
/* Does it need the embedded DNS when it runs? */
bool networks_need_resolver(const struct container *c);
/* Connect all, at a start; on failure networks_stop is due. */
int networks_start(struct container *c, const struct shim_created *made,
		   const struct network_port *ports, size_t n_ports, struct error *err);
/* Bears repetition. */
void networks_stop(struct container *c);
/* After a restart of the daemon. */
void networks_adopt(struct container *c);
/* Descriptor of a running container's namespace, or -1. */
int networks_namespace_of(const char *container_id);
/* The container has another name. */
void networks_rename(struct container *c);

/* ---- start.c, for changes while it runs */
/* Published ports as asked for; *out is malloc'ed. */
int container_wanted_ports(struct container *c, struct network_port **out, size_t *n,
			   struct error *err);
/* ---- etc_files.c, the same */
int container_write_hosts(struct container *c, struct error *err);
/* Another address in the line whose first name is `alias`. */
int container_update_hosts(struct container *c, const char *alias, const char *address,
			   struct error *err);
/* was: the text that it had before is replaced only if it is still there. */
int container_write_resolv_conf(struct container *c, struct error *err);

#endif
