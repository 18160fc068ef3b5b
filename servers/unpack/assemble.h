/* SPDX-License-Identifier: Apache-2.0 */
/* Layer directory + tar-split.json.gz -> the archive that the layer came from, byte by byte. */
#ifndef UNPACK_ASSEMBLE_H
#define UNPACK_ASSEMBLE_H

#include "base/error.h"
#include "sink.h"

/* Descriptors are borrowed. A file that changed since is an error. */
int assemble_archive(int dir, int split, struct sink *out, struct error *err);
/* Bytes that the archive will have. */
int assemble_measure(int split, uint64_t *size, struct error *err);

#endif
