/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests ahead of their use: while docker load's archive is still being spooled, one thread hashes the files that are complete, so that a layer has its
 * digest when, or soon after, it is unpacked from its file. For files that nobody but this process can reach. Plain files only: of what is compressed the
 * digest of its content is wanted, which comes by unpacking.
 */
#ifndef UNPACK_AHEAD_H
#define UNPACK_AHEAD_H

#include <stdbool.h>

#include "base/error.h"

/* Once per process, before the filter. */
int ahead_start(struct error *err);
/* A file that will not change any more, open for reading; the descriptor stays the caller's. */
void ahead_add(int fd);
/* Is it one of them? */
bool ahead_has(int fd);
/* "sha256:<hex>" of one of them; waits. */
int ahead_digest(int fd, char out[72], struct error *err);

#endif
