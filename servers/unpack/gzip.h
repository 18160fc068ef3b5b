/* SPDX-License-Identifier: Apache-2.0 */
/* gzip for blobs on their way to a registry: ISA-L where configure found it (many times faster for a few per cent more bytes), else zlib. */
#ifndef UNPACK_GZIP_H
#define UNPACK_GZIP_H

#include <stddef.h>

#include "base/error.h"

struct gzipper;

/* fd is borrowed. */
struct gzipper *gzipper_new(int fd);
int gzipper_write(struct gzipper *g, const void *p, size_t n, struct error *err);
/* The end of the stream. */
int gzipper_finish(struct gzipper *g, struct error *err);
void gzipper_free(struct gzipper *g);

#endif
