/* SPDX-License-Identifier: Apache-2.0 */
/* zstd streams (RFC 8878), frame by frame; skippable frames are skipped. Only where configure found libzstd. */
#ifndef UNPACK_UNZSTD_H
#define UNPACK_UNZSTD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct unzstd;

/* `head` are bytes already read from fd. NULL: built without libzstd. */
struct unzstd *unzstd_new(int fd, const void *head, size_t n);
void unzstd_free(struct unzstd *z);
/* Up to n bytes; 0 at the end of the last frame, -1 err. */
int64_t unzstd_read(struct unzstd *z, void *buf, size_t n, struct error *err);

#endif
