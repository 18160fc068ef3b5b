/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 beside the work: one thread of the process hashes a buffer while the main thread goes on with the next. It is started before the system
 * call filter, which has no call that makes threads; where it was not started (tests), hashing is done at once.
 */
#ifndef UNPACK_HASHER_H
#define UNPACK_HASHER_H

#include <stddef.h>

#include "base/error.h"

/* Once per process, before the filter. */
int hasher_start(struct error *err);
/* Add n bytes to md (an EVP_MD_CTX). They must stay as they are until the next hasher_add or hasher_wait returns. */
void hasher_add(void *md, const void *p, size_t n);
/* Until all that was added is in. */
void hasher_wait(void);

#endif
