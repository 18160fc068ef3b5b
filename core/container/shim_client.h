/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Daemon's side of the shim protocol (core/proto/shim.h, docs/protocols.md). One shim per container; it outlives the daemon.
 *
 * A call opens its own connection to the shim's socket in the container's run directory, does one request in straight blocking code,
 * and closes it: any thread may call, nothing is shared; only creation, start and events share one. Events come on a connection of their own (shim_subscribe), which the
 * caller's event loop holds; records are journalled by the shim before they are announced and replayed from any sequence number.
 *
 * `dir` is the container's run directory, <exec-root>/containers/<ID>: shim.sock, journal, driver/ (the exec driver's state).
 */
#ifndef CONTAINER_SHIM_CLIENT_H
#define CONTAINER_SHIM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "proto/shim.h"

/* What the kernel side of a process needs: with a terminal only `terminal`, rows, columns count. */
struct shim_stdio {
	bool terminal;
	uint32_t rows, columns;
	int child[3]; /* descriptors that become 0, 1, 2 of the process; -1: /dev/null */
	int held
	    [3]; /* our ends (write end of stdin, read ends of stdout, stderr), which the shim keeps for the next logd; -1: none */
};

/* Stands in the list of processes until the container's id does: as long as one. */
#define SHIM_SPARE_ID "ready-for-the-next-container------------------------------------"

struct shim_create {
	const char *id;
	const char *dir;
	const char *driver; /* path of the exec driver's .so */
	const char
	    *options; /* daemon-scope options of the driver as a JSON object of strings, or NULL */
	const char *spec;    /* OCI config.json text, without linux.seccomp */
	const char *seccomp; /* OCI linux.seccomp text or NULL */
	const char *seccomp_digest;
	const char *cache;     /* directory for compiled filters */
	const char *init_path; /* host path of the container init, or NULL */
	const char *rootfs_path;
	int rootfs_fd;
	int netns_fd; /* join, or -1 */
	int sock;     /* of shim_launch, taken; 0: shim_create starts the shim itself */
	struct shim_stdio stdio;
};

struct shim_created {
	pid_t pid; /* container's first process, or the exec'd one */
	uint64_t
	    start_time; /* of that process, clock ticks since boot (/proc/PID/stat field 22): pid + start_time is an identity */
	int netns_fd, netlink_fd, console_fd; /* owned by the caller; -1: none */
	int sock; /* shim_create: the connection, for shim_start and shim_follow; owned by the caller */
	char cgroup[1024];
};

/*
 * Start a shim ahead of shim_create, which may then come up while the rest is prepared: id, dir and driver must be known. A connection to it; if that
 * closes before a creation, the shim ends (shim_delete still due).
 */
int shim_launch(const struct shim_create *c, struct error *err);
/* Start a shim and let its driver create the container; the first process waits. Undone whole on failure. */
int shim_create(const struct shim_create *c, struct shim_created *out, struct error *err);
/*
 * Run the user's program; `sock` is the connection of shim_create. ERR_NO_COMMAND, ERR_NO_PERMISSION as the driver says; the container is then
 * gone (shim_delete still due).
 */
int shim_start(int sock, struct error *err);
/* Turn the connection into one on which all events arrive, as from shim_subscribe(dir, 0). */
int shim_follow(int sock, struct error *err);
/* Run a further process; its exit is an event with this exec id. */
int shim_exec(const char *dir, const char *exec_id, const char *process,
	      const struct shim_stdio *stdio, struct shim_created *out, struct error *err);
/* exec_id NULL: the first process. all: every process of the container. */
int shim_signal(const char *dir, const char *exec_id, int signo, bool all, struct error *err);
int shim_pause(const char *dir, struct error *err);
int shim_resume(const char *dir, struct error *err);
int shim_update(const char *dir, const char *resources, struct error *err);
/* TIOCSWINSZ on the terminal of the first or an exec'd process. */
int shim_resize(const char *dir, const char *exec_id, uint32_t rows, uint32_t columns,
		struct error *err);
/* Duplicates of the held ends, for a new logd: held[3] as above, console[0] the pty master; -1 where there is none. */
int shim_stdio_take(const char *dir, const char *exec_id, int held[3], int *console,
		    struct error *err);
/* Drop the held ends of an ended process. */
int shim_stdio_drop(const char *dir, const char *exec_id, struct error *err);
/*
 * The container has ended (or was never started): the driver cleans up, the shim exits, its directory is removed.
 * Also right when the shim is dead or was never there: then dockerd-exec is run directly for the cleanup.
 */
int shim_delete(const struct shim_create *c, struct error *err);
/* The same in two steps: the journal, with the exit code in it, stays until the second. */
int shim_destroy(const struct shim_create *c, struct error *err);
int shim_forget(const char *dir, struct error *err);

struct shim_event {
	uint64_t seq; /* 1, 2, ... */
	enum shim_event_type type;
	int64_t time; /* ns since the epoch */
	pid_t pid;
	uint64_t start_time;
	int32_t exit_code; /* EXIT, EXEC_EXIT: 0-255; 128+n for a signal */
	bool oom;          /* EXIT: memory ran out in this container */
	char exec_id[65];
};

/* Connection on which events after `seq` arrive; register it with epoll. ERR_NOT_FOUND: no shim there. */
int shim_subscribe(const char *dir, uint64_t seq, struct error *err);
/* Next event: 1, 0 none now (non-blocking), -1 the shim is gone (read the journal for the rest). */
int shim_event_next(int sock, struct shim_event *ev, struct error *err);
/* The journal of a shim, dead or alive: calls back for each whole record after `seq`; a cut last record is ignored. */
int shim_journal_read(const char *dir, uint64_t seq,
		      void (*each)(const struct shim_event *ev, void *ctx), void *ctx,
		      struct error *err);

#endif
