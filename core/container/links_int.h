/* SPDX-License-Identifier: Apache-2.0 */
/* What links.c (who links to whom) and links_tell.c (what that means to them) share. */
#ifndef CONTAINER_LINKS_INT_H
#define CONTAINER_LINKS_INT_H

#include "container/links.h"

/* A copy of what a container links to, to be looked at without its lock. */
struct links {
	struct container_link *v;
	size_t n;
};
struct links links_copy(struct container *c);
void links_clear(struct links *l);
#define auto_links __attribute__((cleanup(links_clear))) struct links

/* The name of the container that the links are of. */
void links_owner(struct container *c, struct str *out);
/* All containers but this one, if there is any link at all. Without any lock. */
void links_each_other(struct container *c,
		      void (*f)(struct container *other, struct container *c, void *arg),
		      void *arg);

/* A container as it is now. */
struct link_child {
	char *name, *hostname, ip[20];
	json *config;
	bool running, bridged;
};
void link_child_free(struct link_child *k);
#define auto_child __attribute__((cleanup(link_child_free))) struct link_child
/* false: there is none of that id. */
bool link_look(const char *id, struct link_child *k);

#endif
