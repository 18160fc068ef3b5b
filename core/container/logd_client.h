/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Daemon's side of the logd protocol (core/proto/logd.h, docs/protocols.md). One dockerd-logd per log driver in use; it outlives the daemon
 * and serves attached clients by itself.
 *
 * A *stream* is the stdio of one container or exec session in logd. It is made before the process starts (clients may attach to a created
 * container), gets its descriptors at start, and is finished, and forgotten, when the process has ended.
 *
 * A call takes a connection of its own for its one request: any thread may call. logd is started on demand. A thread watches each; if it dies, a new one is
 * started at once and `restore` (set once by the container room) is called to hand the descriptors held by the shims to it: it calls
 * logd_open and logd_start for every running container and exec session of that driver, while all other callers wait.
 */
#ifndef CONTAINER_LOGD_CLIENT_H
#define CONTAINER_LOGD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/map.h"

struct logd_stream {
	const char *id;     /* container id, or exec id */
	const char *driver; /* log driver's name; an exec session names its container's */
	bool exec;          /* exec session: nothing is logged */
	bool terminal;
	bool stdin_once;   /* close the process's stdin when the first attached client leaves it */
	bool non_blocking; /* --log-opt mode=non-blocking */
	uint64_t max_buffer; /* bytes, non-blocking mode */
	/* what the driver is told (struct dockerd_log_info); options without mode and max-buffer-size (log_options_split) */
	const char *container_id, *container_name, *image_id, *image_name, *command, *log_path;
	int64_t created;
	const struct pairs *labels, *env, *options;
	/* keeps a copy that can be read, with its own path and options; NULL: no copy */
	const char *copy_driver, *copy_path;
	const struct pairs *copy_options;
};

/*
 * Descriptors of a started process. All are duplicated; -1: none. logd closes `in` to end the process's input, which works only if nobody
 * else holds that write end: with stdin_once the shim must not keep it (a new logd would have no client for it anyway).
 */
struct logd_fds {
	int in;       /* write end of stdin */
	int out, err; /* read ends */
	int console;  /* pty master; then the others are -1 */
	bool
	    running; /* the process runs already: it does not depend on whether the log's sink is there */
};

struct logd_attach {
	int sock; /* client's connection, hijacked: logd owns it when the call returns 0 */
	const char *pending; /* bytes of the client that were read already */
	size_t pending_len;
	bool in, out, err;
	bool multiplexed;        /* 8-byte frames; else raw */
	const char *detach_keys; /* bytes, not names; "" disables. Only with a terminal. */
	size_t detach_keys_len;
};

/* run_dir: <exec-root>/logd; daemon_name goes to drivers. Call once at start. */
void logd_setup(const char *run_dir, const char *daemon_name, void (*restore)(const char *driver));
/* Make the stream; existing: replaces what the driver is told (rename, other log options), keeps attached clients. */
int logd_open(const struct logd_stream *s, struct error *err);
/*
 * A stream that is running already keeps the descriptors it has: a returning daemon may just hand over all again. Fails when the driver can't open
 * its sink, or not within 10 seconds.
 */
int logd_start(const char *driver, const char *id, const struct logd_fds *fds, struct error *err);
int logd_attach(const char *driver, const char *id, const struct logd_attach *a, struct error *err);
/*
 * The same, but nothing of the process is read, and nothing sent to the client, until logd_release(hold): what is in the log until then is all that
 * came before. The caller closes a->sock, which is logd's as well. If *hold is closed instead, or this process ends, so does the client's connection.
 * *hold -1: the logd of an earlier version, which can't; the client is attached.
 */
int logd_attach_held(const char *driver, const char *id, const struct logd_attach *a, int *hold,
		     struct error *err);
void logd_release(int *hold);
/*
 * The process has ended: wait until its output was read to the end and written to the driver, at most timeout_ms (children may hold
 * the pipes), then close attached clients and forget the stream. The exit must already be on record, since clients ask for it next.
 */
int logd_finish(const char *driver, const char *id, int timeout_ms, struct error *err);
/* Forget the stream; clients are closed. */
int logd_remove(const char *driver, const char *id, struct error *err);
/* Everything written so far is visible to readers. */
int logd_flush(const char *driver, const char *id, struct error *err);
/* Have that driver's logd replaced when it ends, or now if there is none. The callers of all others here need not ask for it. */
void logd_watch(const char *driver);
/* Tell logd processes to end as soon as nothing is left to read (daemon shutdown), and stop watching over them. */
void logd_shutdown(void);

#endif
