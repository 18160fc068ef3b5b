/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log drivers. The writer half runs in dockerd-logd, one process per driver, which reads the containers' output; the reader half runs in the
 * daemon and works from files alone, so that logs can be read while dockerd-logd is away, and the daemon never waits for a sink.
 *
 * A driver without DOCKERD_LOG_CAP_LOCAL may wait for its sink in stream_open, write, flush and stream_close: the calls of a stream come one after
 * the other from a thread of its own, and hold up that container's output only (and only in mode "blocking"). info->cancel_fd tells when nobody
 * waits for it any more.
 *
 * Object for DOCKERD_PER_OBJECT: the stream (one container's log).
 */
#ifndef DOCKERD_LOG_H
#define DOCKERD_LOG_H

#include <dockerd/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DOCKERD_LOG_CAP_READ UINT64_C(1) /* docker logs works */
/*
 * Nothing waits for more than this machine's disk: the writer half is then called from the loop that reads all containers' output. Without it
 * each stream gets a thread of its own.
 */
#define DOCKERD_LOG_CAP_LOCAL UINT64_C(2)
#define DOCKERD_LOG_CAP_PATH UINT64_C(4) /* since 0.2: writes to info->log_path itself, which the API then reports as LogPath */
/*
 * Nobody wants to read it: no copy is kept. Of any other driver without CAP_READ the daemon has a second driver keep one for docker logs
 * (unless the option cache-disabled says no), before the message is offered to this one.
 */
#define DOCKERD_LOG_CAP_NO_COPY UINT64_C(8)
/* since 0.3: keeps and counts nothing. Its write need not be called, so output is not even taken apart into lines. */
#define DOCKERD_LOG_CAP_DISCARDS UINT64_C(16)

#define DOCKERD_LOG_STDOUT UINT32_C(1)
#define DOCKERD_LOG_STDERR UINT32_C(2)

/* Which container, as the log driver may want to tag it. */
struct dockerd_log_info {
	uint32_t size;
	uint32_t label_count, env_count;
	/*
	 * Writer half: becomes readable, and stays so, when the container was removed, its end waited for too long, or dockerd-logd is about to
	 * end: poll(2) it beside your socket and return DOCKERD_ERR_CANCELLED. Valid as long as the stream. -1: none. A driver that does not look at
	 * it is left alone with its thread: its call may go on, and what it had not taken is lost, but nobody waits for it.
	 */
	int32_t cancel_fd;
	const char *container_id, *container_name; /* name without the slash */
	const char *image_id, *image_name;
	const char *command; /* entrypoint and arguments, joined by blanks */
	int64_t created;     /* ns since the epoch */
	/*
	 * <data-root>/containers/ID/ID-json.log; its directory exists and goes with the container: what a driver keeps on disk is that file, or
	 * stands beside it. For a driver that keeps copies of another one's messages: containers/ID/container-cached.log, to be used as it is.
	 */
	const char *log_path;
	const char *daemon_name;
	const struct dockerd_key_value *labels, *env; /* all of the container's */
	const struct dockerd_options *options; /* checked: daemon's and container's merged */
};

/* One line, or a part of one: the newline is not in data. */
struct dockerd_log_message {
	uint32_t size;
	uint32_t source; /* DOCKERD_LOG_STDOUT, DOCKERD_LOG_STDERR */
	int64_t time;    /* ns since the epoch */
	const char *data;
	uint64_t length;
	uint32_t partial;         /* 1: more of the same line follows */
	uint32_t partial_ordinal; /* 1.. within the line, 0: not a part */
	const char *partial_id;   /* names the line the parts belong to, or NULL */
	const struct dockerd_key_value *attrs; /* reader: details (--details) */
	uint32_t attr_count;
	uint32_t reserved;
};

struct dockerd_log_read {
	uint32_t size;
	uint32_t follow; /* 1: next() returns 0 at the end instead of finishing; the daemon calls again when wait_fd is readable */
	int64_t since, until; /* ns since the epoch; INT64_MIN, INT64_MAX: no limit */
	int64_t tail;         /* last N messages (before since/until are applied, as moby); -1: all */
};

struct dockerd_log_ops {
	struct dockerd_common_ops common;
	/* Check options that the table can't express, without side effect; at `docker create`. NULL: nothing to check. */
	int32_t (*validate)(const struct dockerd_options *options, struct dockerd_error *err);
	/* Writer half. */
	/*
	 * A start of a container fails with the error, or after 10 seconds. When dockerd-logd takes over a container that runs,
	 * DOCKERD_ERR_UNAVAILABLE is tried again, at growing intervals; its output waits meanwhile.
	 */
	int32_t (*stream_open)(void *self, const struct dockerd_log_info *info, void **stream, struct dockerd_error *err);
	/*
	 * n messages in order; on error *done says how many were taken. DOCKERD_ERR_UNAVAILABLE: the rest is offered again, at growing intervals (0.1
	 * to 10 s); meanwhile the container waits when 64 KiB are queued (mode "blocking"), or what exceeds max-buffer-size is dropped and counted
	 * ("non-blocking"). DOCKERD_ERR_CANCELLED after cancel_fd: the rest is dropped. Any other error, and every error of a driver with
	 * CAP_LOCAL: the message behind *done is dropped, which the daemon's log says at most every ten seconds, and the rest is offered again.
	 */
	int32_t (*write)(void *self, void *stream, const struct dockerd_log_message *messages, uint32_t n, uint32_t *done,
			 struct dockerd_error *err);
	/* Everything written so far is visible to readers, or with the sink. NULL: it always is. Called when the container has ended. */
	int32_t (*flush)(void *self, void *stream, struct dockerd_error *err);
	void (*stream_close)(void *self, void *stream);
	/* Reader half (DOCKERD_LOG_CAP_READ). */
	int32_t (*read_open)(void *self, const struct dockerd_log_info *info, const struct dockerd_log_read *how, void **reader,
			     struct dockerd_error *err);
	/* 1: *out is the next message, valid until the next call; 0: nothing now (end, unless follow); -1: error. */
	int32_t (*read_next)(void *self, void *reader, struct dockerd_log_message *out, struct dockerd_error *err);
	/* Descriptor that becomes readable when read_next may have more (inotify); -1: none, the daemon asks after each write it hears of. */
	int32_t (*read_wait_fd)(void *self, void *reader);
	void (*read_close)(void *self, void *reader);
	/* Files stand beside log_path: that directory goes with the container. */
};

#ifdef __cplusplus
}
#endif

#endif
