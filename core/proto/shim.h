/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol of a container's shim, and of the dockerd-exec processes that it starts: types and tags over proto/msg.h. The words around it
 * are in docs/protocols.md. Numbers are never reused; what a receiver does not know it skips.
 *
 * The shim understands neither specs nor drivers: it forwards a request with its descriptors to dockerd-exec, which reads
 * the rest from the container's run directory. So both speak the same types.
 */
#ifndef PROTO_SHIM_H
#define PROTO_SHIM_H

#include <stdint.h>

#include "base/hash.h"

/* Between the daemon and a shim. A shim lives as long as its container: MIN is that of the oldest that may be alive. */
#define SHIM_PROTOCOL_MIN 1
#define SHIM_PROTOCOL_MAX 1
/* Between a shim (the client) and a dockerd-exec, which may be of a later installation than the shim that starts it. */
#define EXEC_PROTOCOL_MIN 1
#define EXEC_PROTOCOL_MAX 1

/* Names in the run directory. */
#define SHIM_SOCKET "shim.sock"
#define SHIM_JOURNAL "journal"
#define SHIM_CONFIG "config" /* a message of type SHIM_CONFIG_TYPE as msg_encode writes it */
#define SHIM_DRIVER_DIR "driver"

/* Descriptors that a shim is started with, behind /dev/null as 0, 1, 2. */
enum { SHIM_FD_LISTEN = 3, SHIM_FD_DIR = 4, SHIM_FDS = 5 };
/* Likewise dockerd-exec. Without a socket (-1 there) it is told what to do by its argument: "destroy". */
enum { EXEC_FD_SOCKET = 3, EXEC_FD_DIR = 4, EXEC_FDS = 5 };

enum shim_message {
	/* requests; the answer is MSG_OK or MSG_ERROR unless another is named */
	SHIM_CREATE = 16, /* -> SHIM_CREATED. ROOTFS, NETNS?, STDIO_*? or TERMINAL, ROWS, COLUMNS */
	SHIM_START = 17,
	SHIM_EXEC =
	    18, /* -> SHIM_CREATED. EXEC_ID, TEXT or TEXT_FD (OCI process object), stdio as CREATE */
	SHIM_SIGNAL = 19, /* EXEC_ID?, SIGNAL, ALL? */
	SHIM_PAUSE = 20,
	SHIM_RESUME = 21,
	SHIM_UPDATE = 22,     /* TEXT (OCI linux.resources object) */
	SHIM_RESIZE = 23,     /* EXEC_ID?, ROWS, COLUMNS */
	SHIM_STDIO_TAKE = 24, /* EXEC_ID? -> SHIM_STDIO */
	SHIM_STDIO_DROP = 25, /* EXEC_ID? */
	SHIM_DELETE = 26,     /* after the answer the shim exits */
	SHIM_SUBSCRIBE = 27,  /* SEQ: MSG_OK, then SHIM_EVENTs with greater numbers, for ever */
	/* answers and events */
	SHIM_CREATED = 32, /* PID, START_TIME, NETNS?, NETLINK?, CONSOLE?, CGROUP? */
	SHIM_STDIO = 33,   /* HELD_*?, CONSOLE? */
	SHIM_EVENT = 34,   /* RECORD */
	/* contents of the file SHIM_CONFIG */
	SHIM_CONFIG_TYPE = 48,
};

/* Version of the protocol that brought a request: whoever agreed on an older one does not send it. */
static inline uint32_t shim_message_since(uint16_t type)
{
	(void)type;
	return 1;
}

enum shim_event_type {
	SHIM_EVENT_CREATED = 1,
	SHIM_EVENT_STARTED = 2,
	SHIM_EVENT_EXEC_STARTED = 3,
	SHIM_EVENT_OOM = 4,
	SHIM_EVENT_EXIT = 5,
	SHIM_EVENT_EXEC_EXIT = 6,
};

enum shim_tag {
	/* descriptors */
	TAG_ROOTFS = 16,
	TAG_NETNS = 17,
	TAG_NETLINK = 18,
	TAG_CONSOLE = 19,
	TAG_CHILD_IN = 20,    /* +1 stdout, +2 stderr of the process */
	TAG_HELD_IN = 23,     /* +1, +2: ends that the shim keeps */
	TAG_OOM_NOTIFY = 26,  /* dockerd-exec to shim: readable when memory may have run out */
	TAG_OOM_COUNTER = 27, /* file with a line "oom_kill N" */
	TAG_TEXT_FD = 28,
	/* values */
	TAG_EXEC_ID = 32,    /* string, at most 64 bytes */
	TAG_TEXT = 33,       /* string */
	TAG_TERMINAL = 34,   /* u32, 1 */
	TAG_ROWS = 35,       /* u32 */
	TAG_COLUMNS = 36,    /* u32 */
	TAG_SIGNAL = 37,     /* u32 */
	TAG_ALL = 38,        /* u32, 1 */
	TAG_SEQ = 39,        /* u64 */
	TAG_PID = 40,        /* u32 */
	TAG_START_TIME = 41, /* u64, clock ticks since boot */
	TAG_CGROUP = 42,     /* string */
	TAG_RECORD = 43,     /* struct shim_record */
	TAG_INIT_PID = 44,   /* u32, shim to dockerd-exec */
	TAG_WAIT_PID = 45,   /* u32, dockerd-exec to shim: child to reap, if it is not TAG_PID */
	TAG_JUST_CGROUP =
	    46, /* u32, dockerd-exec to shim, 1: removing TAG_CGROUP is all that destroying would do */
	/* SHIM_CONFIG */
	TAG_ID = 64, /* strings, all optional but ID, DRIVER, SPEC, ROOTFS_PATH */
	TAG_DRIVER = 65,
	TAG_OPTIONS = 66,
	TAG_SPEC = 67,
	TAG_SECCOMP =
	    68, /* the text, if it has no digest; else it is the file "<digest>.json" in CACHE */
	TAG_SECCOMP_DIGEST = 69,
	TAG_CACHE = 70,
	TAG_INIT_PATH = 71,
	TAG_ROOTFS_PATH = 72,
};

/*
 * The journal: one shim_journal_head, then records. Written by the shim only, each with one write(2) and before the event is announced; a
 * record whose checksum is wrong or that is cut ends the journal. Native byte order: it does not outlive a boot.
 */
#define SHIM_JOURNAL_MAGIC UINT32_C(0x6a6d6873) /* "shmj" */

struct shim_journal_head {
	uint32_t magic, version; /* 1 */
	int32_t shim_pid;
	uint32_t reserved;
	uint64_t shim_start_time; /* of the shim, clock ticks since boot */
	uint64_t reserved2;
};

struct shim_record {
	uint32_t checksum; /* shim_checksum of the bytes behind it */
	uint32_t type;     /* enum shim_event_type */
	uint64_t seq;
	int64_t time; /* ns since the epoch */
	uint64_t start_time;
	int32_t pid;
	int32_t exit_code;
	uint32_t oom;
	uint32_t reserved;
	char exec_id[72];
	uint64_t reserved2;
};
_Static_assert(sizeof(struct shim_record) == 128, "records are of fixed size");

/* Finds a record that a crash has cut; nobody forges a root-only file. */
static inline uint32_t shim_checksum(const struct shim_record *r)
{
	return fnv32(FNV32_START, (const char *)r + sizeof(r->checksum),
		     sizeof(*r) - sizeof(r->checksum));
}

#endif
