/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol between the daemon and dockerd-logd (see msg.h for the framing, docs/protocols.md for the whole). A connection begins with HELLO, then
 * carries request after request, each with its answer (MSG_OK or MSG_ERROR) before the next. One without a request is a watch: it ends when logd ends.
 */
#ifndef PROTO_LOGD_H
#define PROTO_LOGD_H

#define LOGD_VERSION_MIN 1
#define LOGD_VERSION_MAX 2
#define LOGD_HOLD_SINCE 2

/* Types. */
enum {
	LOGD_OPEN = 16, /* ID, FLAGS, MAX_BUFFER, what the driver is told */
	/*
	 * ID, FLAGS, TIMEOUT; IN, OUT, ERR or CONSOLE. Answered when the driver has opened its sink. A stream that is running already keeps its
	 * descriptors.
	 */
	LOGD_START = 17,
	LOGD_ATTACH = 18, /* ID, SOCK, FLAGS, PENDING, KEYS */
	LOGD_FINISH = 19, /* ID, TIMEOUT; answered when all is written; the stream is forgotten */
	LOGD_REMOVE = 20, /* ID */
	LOGD_FLUSH = 21,  /* ID */
	LOGD_SHUTDOWN =
	    22, /* end when no stream is running any more; any later request but this takes it back */
	LOGD_RELEASE =
	    23, /* since 2: the client that was attached with LOGD_ATTACH_HOLD through this connection */
};

/* Tags. */
enum {
	LOGD_ID = 16,         /* string */
	LOGD_FLAGS = 17,      /* u32, bits below */
	LOGD_MAX_BUFFER = 18, /* u64, bytes */
	LOGD_CONTAINER_ID = 19,
	LOGD_CONTAINER_NAME = 20,
	LOGD_IMAGE_ID = 21,
	LOGD_IMAGE_NAME = 22,
	LOGD_COMMAND = 23,
	LOGD_LOG_PATH = 24,
	LOGD_DAEMON_NAME = 25,
	LOGD_CREATED = 26, /* i64, ns */
	/* Labels, environment, options: each 'l', 'e' or 'o', then key NUL value NUL. By descriptor (a memfd) when long. */
	LOGD_PAIRS = 27,
	LOGD_PAIRS_FD = 28,
	LOGD_FD_IN = 29, /* descriptors */
	LOGD_FD_OUT = 30,
	LOGD_FD_ERR = 31,
	LOGD_FD_CONSOLE = 32,
	LOGD_FD_SOCK = 33,
	LOGD_PENDING = 34, /* bytes */
	LOGD_KEYS = 35,    /* bytes */
	LOGD_TIMEOUT = 36, /* u32, ms */
	/* Of LOGD_OPEN: a second driver keeps a copy of each message, with its own path and options ('o' pairs as in LOGD_PAIRS). */
	LOGD_COPY_DRIVER = 37,
	LOGD_COPY_PATH = 38,
	LOGD_COPY_OPTIONS = 39,
};

/* LOGD_FLAGS of LOGD_OPEN. */
enum {
	LOGD_EXEC = 1,
	LOGD_TERMINAL = 2,
	LOGD_STDIN_ONCE = 4,
	LOGD_NON_BLOCKING = 8,
};
/* LOGD_FLAGS of LOGD_START: the process runs already, so it is answered at once, and a sink that is not available is tried again. */
enum { LOGD_START_RUNNING = 1 };
/* LOGD_FLAGS of LOGD_ATTACH. */
enum {
	LOGD_ATTACH_IN = 1,
	LOGD_ATTACH_OUT = 2,
	LOGD_ATTACH_ERR = 4,
	LOGD_ATTACH_FRAMES = 8,
	/*
	 * Since 2. Nothing of the process is read, and nothing sent to the client, until LOGD_RELEASE on the same connection: meanwhile the log is all
	 * that came before. If the connection ends, so does the client's.
	 */
	LOGD_ATTACH_HOLD = 16,
};

#endif
