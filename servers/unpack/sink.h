/* SPDX-License-Identifier: Apache-2.0 */
/* Where a packed archive goes: buffer -> SHA-256 -> (gzip) -> descriptor (file, pipe or socket). */
#ifndef UNPACK_SINK_H
#define UNPACK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SINK_BUF (256 * 1024)

struct gzipper;

struct sink {
	int fd;
	int counter;          /* file that is told how far we are, or -1 */
	struct gzipper *gzip; /* NULL: as it is */
	void *digest;         /* NULL: not wanted */
	unsigned char *buf;
	size_t used;
	uint64_t total;
};

/* digest: whether one is wanted. */
int sink_open(struct sink *s, int fd, bool digest, struct error *err);
void sink_close(struct sink *s);
/* Before the first byte: what goes to the descriptor is compressed; the digest stays that of the archive. */
void sink_compress(struct sink *s);
int sink_write(struct sink *s, const void *p, size_t n, struct error *err);
int sink_zeros(struct sink *s, size_t n, struct error *err);
/* Room to read into directly: *n bytes at the returned place, then sink_filled. */
unsigned char *sink_room(struct sink *s, size_t *n, struct error *err);
void sink_filled(struct sink *s, size_t n);
/*
 * n bytes of a file, from its position on: without a copy where nobody needs to see them. How many there were, fewer at its end; -1 err. The file may
 * change meanwhile.
 */
int64_t sink_file(struct sink *s, int fd, uint64_t n, struct error *err);
/* Flush; "sha256:..." of all that was written, "" without a digest. */
int sink_finish(struct sink *s, char digest[72], struct error *err);

#endif
