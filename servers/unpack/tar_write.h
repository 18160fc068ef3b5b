/* SPDX-License-Identifier: Apache-2.0 */
/* Tar headers for archives of our own making: ustar, with a pax header where a value does not fit. */
#ifndef UNPACK_TAR_WRITE_H
#define UNPACK_TAR_WRITE_H

#include "sink.h"
#include "tar_read.h"

/* Header(s) of e; size bytes of content must follow (tar_write_padding after them). */
int tar_write_header(struct sink *s, const struct tar_entry *e, struct error *err);
int tar_write_padding(struct sink *s, uint64_t size, struct error *err);
int tar_write_end(struct sink *s, struct error *err);

#endif
