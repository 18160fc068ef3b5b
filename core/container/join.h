/* SPDX-License-Identifier: Apache-2.0 */
/* What a container takes of others: their namespaces, their /dev/shm, the network files of the one whose network it shares. */
#ifndef CONTAINER_JOIN_H
#define CONTAINER_JOIN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/json.h"

struct container;

/* IpcMode, PidMode and NetworkMode "container:NAME" -> "container:ID" (create). Names of nobody: ERR_INVALID, but for the network. */
int join_resolve(json *host_config, struct error *err);

/*
 * A namespace of another container's process. The path leads through our descriptor, and so to that namespace whatever becomes of the process and
 * its number, as long as the descriptor is open. proc_pid_fd(5).
 */
struct joined_ns {
	int fd;     /* -1: none */
	char *path; /* NULL: none */
};

struct joined {
	struct joined_ns net, pid, ipc;
	bool remapped;         /* it shall have a user namespace */
	struct joined_ns user; /* which those belong to; only where containers have one */
	char *
	    shm_path; /* what is bound to /dev/shm; NULL: the container makes its own, or has none */
	char *files_of; /* id of the container whose hosts, hostname and resolv.conf are used */
};
#define JOINED_INIT                                                               \
	{                                                                         \
		{-1, NULL}, {-1, NULL}, {-1, NULL}, false, {-1, NULL}, NULL, NULL \
	}
/*
 * At a start, op held. Mounts /dev/shm of a shareable container, which shm_unmount undoes. With the network of another one its hostname comes
 * into `config` and c->config. Errors in moby's words.
 */
int join_others(struct container *c, json *config, const json *host_config, struct joined *out,
		struct error *err);
void joined_free(struct joined *j);

/* Id of the container whose hosts, hostname and resolv.conf it has: its own, or the one's whose network it shares. Borrowed. */
const char *container_files_of(const struct container *c);
/* Host path of its /dev/shm as config.v2.json has it (malloc'ed): "" if no other container could have it. */
char *shm_path(const struct container *c);
/* Bears repetition. */
void shm_unmount(const struct container *c);

#endif
