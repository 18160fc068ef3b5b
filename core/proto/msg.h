/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between our processes: one per packet of a unix SOCK_SEQPACKET socket, descriptors beside them (SCM_RIGHTS).
 *
 *	header  u32 magic "dkm1", u16 type, u16 field count, u32 sequence, u32 payload length     (little endian)
 *	field   u16 tag, u16 zero, u32 length, bytes, padded to 4
 *
 * A receiver skips tags that it does not know and takes missing ones as their default: that is how an old shim and a new daemon talk.
 * Each protocol (shim.h, logd.h, ...) lists its types and tags, and opens with MSG_HELLO carrying a version range. Numbers are
 * never reused.
 *
 * Both ends are root's, and still no length is believed: the parser is fuzzed.
 */
#ifndef PROTO_MSG_H
#define PROTO_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define MSG_MAGIC UINT32_C(0x316d6b64)
#define MSG_MAX (64 * 1024) /* bytes of one packet; larger things travel as a memfd */
#define MSG_MAX_FDS 16

/* Types 1-15 are common to all protocols. */
enum { MSG_HELLO = 1, MSG_OK = 2, MSG_ERROR = 3 };
/* Tags 1-15 likewise. */
enum {
	TAG_VERSION_MIN = 1, /* u32, HELLO */
	TAG_VERSION_MAX = 2, /* u32, HELLO */
	TAG_ERROR_KIND = 3,  /* u32: enum error_kind, ERROR */
	TAG_ERROR_TEXT = 4,  /* string */
	TAG_ERROR_SYS = 5,   /* i32: errno */
	TAG_SERVER = 6,      /* string: name and version of the program, HELLO */
};

struct msg {
	uint16_t type;
	uint16_t fields;
	uint32_t seq;    /* set by the sender; a reply carries its request's */
	struct str body; /* the fields, encoded */
	int fds[MSG_MAX_FDS];
	size_t n_fds;
};

#define auto_msg __attribute__((cleanup(msg_free))) struct msg

void msg_init(struct msg *m, uint16_t type);
/* Releases the body and closes descriptors that were received and not taken (sent ones are borrowed: msg_add_fd duplicates). */
void msg_free(struct msg *m);

void msg_put(struct msg *m, uint16_t tag, const void *data, size_t len);
void msg_put_str(struct msg *m, uint16_t tag, const char *s); /* NULL: left out */
void msg_put_u32(struct msg *m, uint16_t tag, uint32_t v);
void msg_put_u64(struct msg *m, uint16_t tag, uint64_t v);
void msg_put_i64(struct msg *m, uint16_t tag, int64_t v);
/* Send fd along (duplicated now) and note its position under tag. -1 if too many or dup fails. */
int msg_put_fd(struct msg *m, uint16_t tag, int fd);

/* First field of that tag; *data points into the message. */
bool msg_get(const struct msg *m, uint16_t tag, const void **data, size_t *len);
/* NUL-terminated string inside the message, or NULL (also if it holds a NUL). */
const char *msg_get_str(const struct msg *m, uint16_t tag);
uint32_t msg_get_u32(const struct msg *m, uint16_t tag, uint32_t fallback);
uint64_t msg_get_u64(const struct msg *m, uint16_t tag, uint64_t fallback);
int64_t msg_get_i64(const struct msg *m, uint16_t tag, int64_t fallback);
/* Takes the descriptor noted under tag out of the message: the caller owns it. -1 if none. */
int msg_take_fd(struct msg *m, uint16_t tag);
/* Walk all fields of a tag: start with *pos = 0. */
bool msg_next(const struct msg *m, uint16_t tag, size_t *pos, const void **data, size_t *len);

/* Check and split one received packet (for fuzzing and for msg_recv). -1 with err if malformed. */
int msg_parse(struct msg *m, const void *packet, size_t len, struct error *err);
/* Append the packet as msg_parse reads it; for messages that are kept in a file (descriptors are left out, no size limit). */
void msg_encode(const struct msg *m, struct str *out);
/* 0; -1 with err (ERR_CANCELLED: the peer is gone). Blocking. */
int msg_send(int sock, const struct msg *m, struct error *err);
/* 1 received, 0 peer closed, -1 err. timeout_ms -1: for ever. Fills an initialised or zeroed msg. */
int msg_recv(int sock, struct msg *m, int timeout_ms, struct error *err);
/* Send, and wait for the answer; an answer of type MSG_ERROR becomes err. */
int msg_call(int sock, const struct msg *request, struct msg *reply, int timeout_ms,
	     struct error *err);
/* The answer to a request that was sent; an answer of type MSG_ERROR becomes err. */
int msg_answer(int sock, struct msg *reply, int timeout_ms, struct error *err);
/* Answer helpers. */
int msg_reply_ok(int sock, uint32_t seq, struct error *err);
int msg_reply_error(int sock, uint32_t seq, const struct error *what, struct error *err);
/* Error carried by a message of type MSG_ERROR; returns -1. */
int msg_to_error(const struct msg *m, struct error *err);

/*
 * Version handshake: each side says its range; the highest common one is *version, which is never 0. Client sends first, and may send its request
 * right behind: a server that does not agree answers the hello with an error and closes.
 */
int msg_hello_client(int sock, const char *name, uint32_t min, uint32_t max, uint32_t *version,
		     struct error *err);
/* Hello and request in one go, then both answers. The request is one that all versions of the range know. */
int msg_hello_call(int sock, const char *name, uint32_t min, uint32_t max, uint32_t *version,
		   const struct msg *request, struct msg *reply, int timeout_ms, struct error *err);
/* Only the sending of a client's hello; its answer goes to msg_hello_agree when it comes. */
int msg_hello_send(int sock, const char *name, uint32_t min, uint32_t max, struct error *err);
int msg_hello_agree(const struct msg *theirs, uint32_t min, uint32_t max, uint32_t *version,
		    struct error *err);
/* `hello` is the received MSG_HELLO. */
int msg_hello_server(int sock, const struct msg *hello, const char *name, uint32_t min,
		     uint32_t max, uint32_t *version, struct error *err);

/* unix SOCK_SEQPACKET sockets at a path (longer than 107 bytes works: bound through /proc/self/fd of its directory). */
int msg_listen(const char *path, struct error *err);
int msg_connect(const char *path, struct error *err);

#endif
