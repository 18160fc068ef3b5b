/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exec drivers: make a container's first process, more processes in it, and act on all of them.
 *
 * Loaded only by dockerd-exec, a short-lived single-threaded program that a container's shim starts for each operation: the driver may
 * fork, unshare and setns at will, and a crash costs one operation. The shim is a subreaper: every process that the driver
 * leaves behind must end up as the shim's child (clone with CLONE_PARENT, or a double fork), because the shim reaps it and
 * reports its exit (see also wait_pid). Nothing is kept in memory between operations; what a driver must remember goes into `state_fd`.
 *
 * What to run is an OCI runtime-spec config.json text (version 1.2): the daemon's single interpretation of the user's wishes. Three things
 * are resolved outside it: root.path is "rootfs", whose mounted directory comes as `rootfs_fd`; linux.seccomp is left out of the spec and
 * comes beside it with its digest, so that a driver may cache what it compiles; network namespaces are made by the driver and configured
 * by the daemon between `create` and `start`.
 *
 * Object for concurrency: the container (the shim runs one operation at a time per container, exec sessions in parallel).
 */
#ifndef DOCKERD_EXEC_H
#define DOCKERD_EXEC_H

#include <dockerd/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DOCKERD_EXEC_CAP_PAUSE UINT64_C(1)
#define DOCKERD_EXEC_CAP_UPDATE UINT64_C(2)
#define DOCKERD_EXEC_CAP_EXEC UINT64_C(4)
/*
 * Since 0.2. After its end a container leaves nothing but its control group, `cgroup` of struct dockerd_created: where that can be removed from every hierarchy,
 * because nobody is in it any more, destroy need not be called. It is for all that went another way.
 */
#define DOCKERD_EXEC_CAP_CGROUP UINT64_C(8)

/* Descriptors 0, 1, 2 of a process; with a terminal the driver makes a pty in the container and hands out its master. */
struct dockerd_stdio {
	uint32_t size;
	uint32_t terminal; /* 1: stdin, stdout, stderr below are -1 */
	int32_t in, out, err;
	uint32_t rows, columns; /* first size of the terminal, 0: leave */
	uint32_t reserved;
};

struct dockerd_container {
	uint32_t size;
	uint32_t reserved;
	const char *id;
	const char *spec; /* OCI config.json text */
	uint64_t spec_length;
	const char *seccomp; /* OCI linux.seccomp object text; NULL: unconfined */
	const char *seccomp_digest; /* hexadecimal SHA-256 of that text, or NULL */
	const char *cache; /* directory for compiled filters and the like, shared by all containers; only root writes it */
	int32_t rootfs_fd; /* O_PATH directory: the mounted root, in the caller's mount namespace */
	int32_t state_fd;  /* directory of this container's own for the driver, under exec-root; empty at create */
	int32_t netns_fd;  /* namespace to join (container:ID), or -1: as linux.namespaces says */
	uint32_t init_pid; /* 0 at create; later: the process that create reported */
	const char *rootfs_path; /* the same root as rootfs_fd, as a path of the host */
	const char *init_path; /* program to bind at /sbin/docker-init if the spec's first argument is that, or NULL */
};

struct dockerd_created {
	uint32_t size;
	uint32_t pid;      /* of the container's first process, as the caller sees it */
	int32_t netns_fd;  /* new network namespace, or -1 */
	int32_t netlink_fd; /* NETLINK_ROUTE socket born in it, or -1 */
	int32_t console_fd; /* pty master if stdio.terminal, else -1 */
	/*
	 * A driver whose tool keeps a process of its own beside the container's (lxc's monitor) can't make `pid` the shim's child: this is the
	 * child whose end means the end of `pid`, with its wait status. 0: pid itself.
	 */
	uint32_t wait_pid;
	char cgroup[1024]; /* cgroup path below each hierarchy's mount ("/docker/ID"), for stats and OOM watching; "" if none */
};

struct dockerd_exec_ops {
	struct dockerd_common_ops common;
	/*
	 * Make namespaces, mounts, cgroups and the first process, which waits. The process must already be in its cgroup.
	 * On failure everything made is undone.
	 */
	int32_t (*create)(void *self, const struct dockerd_container *c, const struct dockerd_stdio *stdio, struct dockerd_created *out,
			  struct dockerd_error *err);
	/*
	 * Same process of the driver as `create`: let the first process run the user's program, and wait until it was executed.
	 * DOCKERD_ERR_NO_COMMAND, DOCKERD_ERR_NO_PERMISSION and the text as runc words it: `exec: "foo": executable file not found in $PATH`.
	 */
	int32_t (*start)(void *self, const struct dockerd_container *c, struct dockerd_error *err);
	/* Undo after create without a start, and after the container's end: cgroups and what else is left. Must bear being called twice. */
	int32_t (*destroy)(void *self, const struct dockerd_container *c, struct dockerd_error *err);
	/* Run a further process: `process` is an OCI process object text. Returns after it was executed. */
	int32_t (*exec)(void *self, const struct dockerd_container *c, const char *process, uint64_t process_length,
			const struct dockerd_stdio *stdio, struct dockerd_created *out, struct dockerd_error *err);
	/* Signal the container: first process, or all of them (all = 1). NULL: the shim signals the first process itself. */
	int32_t (*signal)(void *self, const struct dockerd_container *c, int32_t signo, uint32_t all, struct dockerd_error *err);
	int32_t (*pause)(void *self, const struct dockerd_container *c, struct dockerd_error *err);
	int32_t (*resume)(void *self, const struct dockerd_container *c, struct dockerd_error *err);
	/* New limits: an OCI linux.resources object text. */
	int32_t (*update)(void *self, const struct dockerd_container *c, const char *resources, uint64_t length,
			  struct dockerd_error *err);
};

#ifdef __cplusplus
}
#endif

#endif
