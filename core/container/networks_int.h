/* SPDX-License-Identifier: Apache-2.0 */
/* What networks.c (start and end) and connect.c (changes in between) share. With the container's `op` held. */
#ifndef CONTAINER_NETWORKS_INT_H
#define CONTAINER_NETWORKS_INT_H

#include <pthread.h>

#include "container/networks.h"

/* A network of the container, and what is known of it. */
struct plan {
	struct container_network *n;
	struct network_traits t;
	unsigned int ways; /* what networks_choose has found best */
};

/* The namespace, and what is to be published from it. */
struct sandbox {
	int netns_fd, netlink_fd;
	const struct network_port *ports;
	size_t n_ports;
	bool moving; /* holds networks_ports */
};

/*
 * Ports that move from one network to another are nobody's for a moment. Held for writing by who moves some, for reading by who binds new ones: a
 * container that has its ports does not lose them, and its way out with them, to one that starts just then. Taken after `op`.
 */
extern pthread_rwlock_t networks_ports;

/* All of the container's networks; malloc'ed. -1: one is not there. */
int networks_plan(const struct container *c, struct plan **out, struct error *err);
/* The best ways out of n. */
void networks_choose(struct plan *v, size_t n);
int networks_join(struct container *c, const struct plan *p, const struct sandbox *s,
		  struct error *err);
/* Its names in the network's DNS: container's name, aliases, short id, hostname. */
void networks_names(const struct container *c, const struct container_network *n,
		    struct strlist *out);
/* It has left: nothing is remembered but what was asked for. */
void networks_forget(struct container *c, struct container_network *n);
/* Other ways out lead through the network. */
int networks_move(struct container *c, struct container_network *n, unsigned int ways,
		  const struct sandbox *s, struct error *err);
/* Start the embedded DNS, or tell it what has changed. */
int networks_resolver(const struct container *c, int netns_fd, struct error *err);
void networks_event(const struct container *c, const char *action,
		    const struct network_endpoint *e);
/* Settings as a request has them: "02:42:...", written in one way; "" stays. */
int networks_take_mac(const char *mac, char out[18], struct error *err);
/* Descriptor of the running container's namespace, or -1. */
int networks_namespace(const struct container *c);

#endif
