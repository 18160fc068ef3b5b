/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the network driver "remote" share. It stands for the network plugins of the classic socket protocol: one instance for each plugin, in
 * whose place it does what libnetwork did around it. Nothing is kept in memory: in its root, a file for each network that the plugin was asked for; in its
 * state directory, one for each endpoint, with what the plugin said of it.
 */
#ifndef NETWORK_REMOTE_H
#define NETWORK_REMOTE_H

#include "../common/netlink.h"

#include "base/error.h"
#include "base/json.h"
#include "plugin/remote/remote.h"

struct adapter {
	const struct dockerd_host *host;
	char *plugin;    /* its name */
	int root, state; /* directories */
};

/* ---- remote.c */

/* NetworkDriver.METHOD. NULL with err in moby's words. *said (may be NULL): the plugin itself has refused. */
json *adapter_ask(const struct adapter *a, const char *method, const struct str *request,
		  bool *said, struct dockerd_error *err);
/* The same for what is being taken away: a plugin that refuses is named in the log, one that can't be asked now is an error. */
int adapter_tell(const struct adapter *a, const char *method, const struct str *request,
		 struct dockerd_error *err);

/* ---- wire.c: requests, as libnetwork writes them */

void wire_network(const struct dockerd_network *n, struct str *out);
/* {"NetworkID":..,"EndpointID":..}; endpoint NULL: the first alone. */
void wire_ids(const char *network, const char *endpoint, struct str *out);
void wire_endpoint(const struct dockerd_network *n, const struct dockerd_endpoint *e,
		   struct str *out);
void wire_join(const struct dockerd_network *n, const struct dockerd_endpoint *e, struct str *out);

/* ---- place.c: a container's side */

/* What the plugin said of an endpoint; texts are owned, "" if there is nothing. */
struct place {
	char *link; /* on the host */
	char *gateway[2], *mac;
};
void place_free(struct place *p);
#define auto_place __attribute__((cleanup(place_free))) struct place
int place_save(const struct adapter *a, const char *endpoint, const struct place *p,
	       struct dockerd_error *err);
/* All empty if nothing is known of it. */
void place_load(const struct adapter *a, const char *endpoint, struct place *p);
void place_forget(const struct adapter *a, const char *endpoint);
/* The link into the container, with its MAC address; all of the container's side; StaticRoutes of the reply. */
int place_enter(const struct place *p, const struct dockerd_endpoint *e, const json *routes,
		struct dockerd_error *err);
/* Back to the host under its own name, as far as that can be. */
void place_return(const struct place *p, const struct dockerd_endpoint *e);
struct way_out place_way_out(const struct place *p, const struct dockerd_endpoint *e, bool ipv6);

#endif
