/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses from IPAM plugins; of a network that has none (n->ipam_driver NULL) all these do nothing. They may block; no lock is held. */
#ifndef NETWORK_IPAM_REMOTE_H
#define NETWORK_IPAM_REMOTE_H

#include "network/network_int.h"

/* A pool for each subnet that was asked for, or for each family that is on; gateways; auxiliary addresses. On failure nothing is held. */
int ipam_remote_claim(struct net *n, struct error *err);
/*
 * All of that back; a plugin that is not up is not waited for. What it refuses is in the log; -1: it could not be reached, and has it still (also
 * in the log).
 */
int ipam_remote_drop(struct net *n);

/* What a container asks for, with the addresses that the plugin gave in place of its wishes. */
struct ipam_lease {
	struct network_join join; /* its texts are in here and in the request */
	char text[2][IP_TEXT], mac[24];
	struct ip ip[2];
};
int ipam_remote_lease(const struct net *n, const struct network_join *j, struct ipam_lease *out,
		      struct error *err);
/* Addresses back, by family (none: nothing), in the same way; those that the plugin is rid of are cleared. */
int ipam_remote_return(const struct net *n, struct ip ip[2]);

#endif
