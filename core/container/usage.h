/* SPDX-License-Identifier: Apache-2.0 */
/* What a running container uses, read from its cgroup and its network namespace. Nothing here blocks or locks. */
#ifndef CONTAINER_USAGE_H
#define CONTAINER_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/map.h"

struct usage_io {
	uint64_t major, minor, value;
	char op[16]; /* as the kernel says it: "Read"; on v2 "read" */
};
struct usage_ios {
	struct usage_io *v;
	size_t n;
};

#define USAGE_IO_KINDS 8

struct usage {
	int64_t time; /* ns since the epoch, CLOCK_ZERO: nothing was read */
	bool v2;
	/* ns */
	uint64_t cpu_total, cpu_kernel, cpu_user, system_cpu;
	uint64_t *per_cpu; /* v1 */
	size_t n_per_cpu;
	uint64_t online_cpus;
	uint64_t periods, throttled_periods, throttled_time;
	/* bytes */
	bool has_memory;
	uint64_t memory, memory_max, memory_limit, memory_failed;
	struct pairs memory_stat;
	bool has_pids;
	uint64_t pids, pids_limit;           /* 0: no limit */
	struct usage_ios io[USAGE_IO_KINDS]; /* v1: each; v2: only the first, bytes */
	struct str networks;                 /* members of "networks", or empty */
};

/*
 * Path below each hierarchy of the container's cgroup: the one of its first process up to the part that bears the container's id, since it may
 * have made others for itself below that. malloc'ed; NULL if there is none.
 */
char *cgroup_of(const char *id, pid_t pid);
/* cgroup: path below each hierarchy. pid: of its first process, for its network; 0: leave that out. */
void usage_read(struct usage *u, const char *cgroup, pid_t pid);
void usage_free(struct usage *u);
/* The members of one sample of GET /containers/{}/stats behind "preread", u being now and before the sample before it. */
void usage_print(struct jw *w, const struct usage *u, const struct usage *before);

#endif
