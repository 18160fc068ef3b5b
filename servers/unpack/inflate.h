/* SPDX-License-Identifier: Apache-2.0 */
/* gunzip by ISA-L where configure found it, else zlib; and the gzip writer for tar-split files. */
#ifndef UNPACK_INFLATE_H
#define UNPACK_INFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct inflater;

/* `head` are bytes already read from fd. */
struct inflater *inflater_new(int fd, const void *head, size_t n);
void inflater_free(struct inflater *i);
/* Up to n bytes; 0 at the end of the last member, -1 err (corrupt, truncated, read error). */
int64_t inflater_read(struct inflater *i, void *buf, size_t n, struct error *err);

struct deflater;
struct deflater *deflater_new(int fd);
int deflater_write(struct deflater *d, const void *p, size_t n, struct error *err);
/* Ends the member and flushes; then free. */
int deflater_finish(struct deflater *d, struct error *err);
void deflater_free(struct deflater *d);

#endif
