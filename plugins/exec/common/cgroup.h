/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's control groups, for the exec drivers: finding the hierarchies, making, entering, freezing, emptying and removing the directories.
 * Not limits: native writes them itself, a runtime is told them.
 *
 * Owned by the caller; for one thread. Compiled into each driver that needs it.
 */
#ifndef EXEC_COMMON_CGROUP_H
#define EXEC_COMMON_CGROUP_H

#include <stdbool.h>

#include "base/error.h"

#define MAX_CONTROLLERS 20

struct cgroup {
	char path[1024]; /* "/docker/ID"; "": none */
	bool v2;
	int n, unified; /* unified: index of the v2 hierarchy among them, -1: none */
	char names[MAX_CONTROLLERS][32]; /* v1: directory below /sys/fs/cgroup; v2: one, "" */
	int dirs[MAX_CONTROLLERS];       /* O_PATH of our directory in each */
	int tasks[MAX_CONTROLLERS];      /* v1: `tasks` open for writing */
};

/* Find the hierarchies. Nothing is made. */
int cgroup_find(struct cgroup *g, const char *path, struct error *err);
/* Their path into state_fd, where cgroup_open finds it. cgroup_create does it first. */
int cgroup_record(const struct cgroup *g, int state_fd, struct error *err);
/* Make the directories. */
int cgroup_create(struct cgroup *g, int state_fd, struct error *err);
int cgroup_open(struct cgroup *g, int state_fd, struct error *err);
void cgroup_close(struct cgroup *g);
/* The directory for CLONE_INTO_CGROUP, or -1: the v2 hierarchy is entered by the clone. */
int cgroup_clone_dir(const struct cgroup *g);
/* The calling process enters the others. */
int cgroup_enter(const struct cgroup *g, struct error *err);
int cgroup_freeze(const struct cgroup *g, bool frozen, struct error *err);
int cgroup_signal_all(const struct cgroup *g, int signo, struct error *err);
/* Kill what is inside, and wait for its end; also of a frozen one. */
int cgroup_kill(const struct cgroup *g, struct error *err);
/* Kill what is inside, wait for its end, remove. Absent: fine. */
int cgroup_destroy(struct cgroup *g, struct error *err);
int cgroup_controller(const struct cgroup *g,
		      const char *name); /* dirs[] of a v1 controller or -1 */

#endif
