/* SPDX-License-Identifier: Apache-2.0 */
/* What sublink.c and sublink_join.c share. */
#ifndef NETWORK_COMMON_SUBLINK_INT_H
#define NETWORK_COMMON_SUBLINK_INT_H

#include "sublink.h"

/* A network that is up. */
struct parent_user {
	struct parent_user *next;
	char id[65], parent[16];
	bool alone;
};

/*
 * An endpoint's namespace. Held open until it leaves: its link can then be deleted for certain, and the address and the parent are free when
 * `leave` returns, not when the kernel has found the time to end the namespace.
 */
struct place {
	struct place *next;
	char id[65];
	int netns_fd;
};

struct sublink {
	const struct sublink_kind *kind;
	pthread_mutex_t lock; /* guards the rest */
	struct parent_user *users;
	struct place *places;
};

/* The parent of a network that goes up. *created: it is the driver's own. */
int sublink_parent_take(struct sublink *s, const struct sublink_net *n, bool *created,
			struct dockerd_error *err);
int sublink_parent_drop(struct sublink *s, const struct sublink_net *n, struct dockerd_error *err);
/* "IpvxSubnets" of moby's records, as its drivers print them, with a comma behind; malloc'ed, "" if there are none. */
char *sublink_subnets(const struct dockerd_network *n, bool gateways);

#endif
