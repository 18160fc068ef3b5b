/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links on the default bridge (--link): a container sees another one's address in its /etc/hosts, and its ports and environment as variables;
 * the other one is also called PARENT/ALIAS. Links in users' networks are names of the DNS instead (networks.c).
 *
 * The parent holds its links, under its lock; on disk they are in containers/ID/links.json, by id, since hostconfig.json has what was asked for.
 */
#ifndef CONTAINER_LINKS_H
#define CONTAINER_LINKS_H

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

struct container;

struct container_link {
	char *child, *alias; /* id, last part of the name */
};

/* At the creation, with the container's name known: finds the others and claims names. ERR_INVALID, ERR_SYSTEM in moby's words. */
int links_create(struct container *c, const json *host_config, struct error *err);
int links_save(struct container *c, struct error *err);
/* After all containers are loaded. */
void links_load(struct container *c);
void links_free(struct container *c);
/* Variables of all links. must: a linked container that is down, or elsewhere, is an error (ERR_SYSTEM); else it is left out. */
int links_env(struct container *c, bool must, struct strlist *env, struct error *err);
/* Lines of /etc/hosts, as network_hosts takes them: "alias hostname name:address". */
void links_hosts(struct container *c, struct strlist *out);
/* The container has its address: those that link to it learn it. */
void links_announce(struct container *c);
/* Connections on the default bridge that its links, and those to it, allow: with those that run now. malloc'ed; without any lock. */
struct network_link;
struct network_link *links_ports(struct container *c, size_t *n);
void links_renamed(struct container *c, const char *old_name);
/* It goes, with its links and those to it. */
void links_removed(struct container *c);
/* `docker rm --link`: the name is PARENT/ALIAS. */
int link_remove(const char *name, struct error *err);
/* HostConfig.Links as inspect has them; null if there are none. Without the container's lock. */
void links_print(struct container *c, struct jw *w);
/* "/PARENT/ALIAS" of all links to it, sorted. Without any lock. */
void links_names(const struct container *c, struct strlist *out);

#endif
