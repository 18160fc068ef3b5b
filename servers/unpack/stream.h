/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of an archive: descriptor -> (gunzip, unzstd) -> SHA-256 -> buffer that the tar reader looks into. Nothing is held but a few buffers.
 * gzip and zstd are recognised by their magic; they may have several members. One thread.
 */
#ifndef UNPACK_STREAM_H
#define UNPACK_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct inflater;
struct unzstd;

struct stream {
	int fd;
	struct inflater *inflater; /* NULL: not gzip */
	struct unzstd *zstd;       /* NULL: not zstd */
	void *digest;              /* EVP_MD_CTX, or NULL: not wanted */
	unsigned char *buf;        /* uncompressed: buf[pos..end) is unread */
	unsigned char *other;      /* the buffer before it, maybe still being hashed */
	size_t pos, end;
	uint64_t total; /* uncompressed bytes that came out so far */
	uint64_t max;   /* 0: no limit */
	bool eof;
	bool opaque; /* can't be passed on by stream_pass */
};

#define STREAM_BUF (256 * 1024)

/* fd is borrowed. */
int stream_open(struct stream *s, int fd, bool digest, uint64_t max_bytes, struct error *err);
/* A stream over memory (tests, fuzzing). */
int stream_open_memory(struct stream *s, const void *data, size_t len);
void stream_close(struct stream *s);
/* At least one unread byte, at most `want` of them, without a copy; 0 at the end, -1 err. The place is valid until the next call. */
int64_t stream_take(struct stream *s, size_t want, const unsigned char **p, struct error *err);
/*
 * Up to n bytes straight from the descriptor into a file, at *off, which moves on; nobody sees them. 0: not possible now (some are in the buffer, they
 * are to be hashed or inflated first, the descriptor is no pipe, or it has ended); -1 err.
 */
int64_t stream_pass(struct stream *s, int file, uint64_t *off, uint64_t n, struct error *err);
/* Exactly n bytes into buf, fewer at the end; bytes or -1. */
int64_t stream_read(struct stream *s, void *buf, size_t n, struct error *err);
/* Nobody wants the digest: it is known otherwise. */
void stream_undigested(struct stream *s);
/* After the end was reached: "sha256:<hex>" of all bytes. */
void stream_digest(struct stream *s, char out[72]);

#endif
