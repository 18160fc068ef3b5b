/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What macvlan and ipvlan do alike: containers get a link of their own that stands on a parent link of the host. The parent is there already, or
 * is made by the driver: a VLAN sub-interface ("eth0.10") or, where none is named, a dummy. A parent of ours is marked by its group and goes
 * with the last network that stands on it. A container's link is marked by a group made from the endpoint's id, and is deleted by it.
 *
 * A `struct sublink` is one open driver: the networks that are up and, for each endpoint, its namespace. Its lock guards both lists.
 */
#ifndef NETWORK_COMMON_SUBLINK_H
#define NETWORK_COMMON_SUBLINK_H

#include "netlink.h"

#include <pthread.h>

/* A network as one call sees it. */
struct sublink_net {
	const char *id;
	char parent[16];
	bool internal;
	bool alone;       /* bears no other network on its parent */
	bool own_gateway; /* default routes go to the link, whatever the subnets say */
	int mode, flag;   /* of the kernel */
};

struct sublink;

/* A driver, constant. */
struct sublink_kind {
	const char *kind; /* of its links, for the kernel and in messages: "macvlan" */
	const char
	    *prefix; /* of a dummy parent's name, before 12 digits of the network's id: "dm-" */
	/* A network's options; begins with sublink_read. */
	int (*read)(const struct dockerd_network *n, struct sublink_net *out,
		    struct dockerd_error *err);
	/* Network `other` stands on the parent of `mine` already: -1 with the words, if that matters. */
	int (*conflict)(const struct sublink_net *mine, const char *other, bool other_alone,
			struct dockerd_error *err);
	/* Its own members of moby's record of a network: "\"MacvlanMode\":\"bridge\"". */
	void (*record)(const struct sublink_net *net, char *out, size_t size);
};

int32_t sublink_open(const struct sublink_kind *k, const struct dockerd_open *args, void **self,
		     struct dockerd_error *err);
/* For the driver's table of operations. */
void sublink_close(void *self);
int32_t sublink_network_create(void *self, const struct dockerd_network *n,
			       struct dockerd_error *err);
int32_t sublink_network_delete(void *self, const struct dockerd_network *n,
			       struct dockerd_error *err);
int32_t sublink_leave(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		      struct dockerd_error *err);
int32_t sublink_update(void *self, const struct dockerd_network *n,
		       const struct dockerd_endpoint *was, struct dockerd_endpoint *e,
		       struct dockerd_error *err);
int32_t sublink_adopt(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		      struct dockerd_error *err);

/* Options "parent" and those of the network itself; the name of the parent in moby's words: "loopback interface is not a valid ..." */
int sublink_read(const struct sublink_kind *k, const struct dockerd_network *n,
		 struct sublink_net *out, struct dockerd_error *err);
/* `l`: data and MAC, if any, of the link to be made; the rest is filled in. */
int sublink_join(struct sublink *s, const struct dockerd_network *n, const struct sublink_net *net,
		 struct dockerd_endpoint *e, struct new_link *l, struct dockerd_error *err);

/* The MAC that a link gets: what the user wants, or one made from its address. */
void sublink_mac(const struct dockerd_endpoint *e, char out[24]);

/* A text among `n` choices: its index, or -1. */
int sublink_choice(const char *text, const char *const *choices, int n);
const char *sublink_option(const struct dockerd_network *n, const char *key);

#endif
