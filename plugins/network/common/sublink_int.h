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

#endif
