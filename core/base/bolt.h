/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key-value files in the format of bbolt (version 2), which moby keeps its networks and volumes in. The file is read whole, and written whole by
 * each commit, beside what it held before: two synced writes, of which the second, one page, makes the first count. A kill or a power cut leaves
 * the state before or after. Written pages are those that bbolt reads; it rebuilds the list of free ones by itself. Pages are as large as in the
 * file that is there: bbolt takes the page size of the machine that made it.
 *
 * Not thread-safe: the owner's lock guards it. The file is locked as bbolt does (flock(2)) from bolt_open to bolt_close, so two daemons never
 * share it. Format: github.com/etcd-io/bbolt, internal/common.
 */
#ifndef BASE_BOLT_H
#define BASE_BOLT_H

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

struct bolt;

/* Made if it is not there. ERR_CONFLICT: another process has it, and keeps it for a second; ERR_INVALID: it is damaged, or of another version. */
int bolt_open(const char *path, struct bolt **out, struct error *err);
void bolt_close(struct bolt *b);
/* Value of a key in a top-level bucket: borrowed until the next change. NULL: none. */
const void *bolt_get(const struct bolt *b, const char *bucket, const char *key, size_t *len);
/* Keys of a bucket that begin so, in their order. */
void bolt_keys(const struct bolt *b, const char *bucket, const char *prefix, struct strlist *out);
/* Change in memory; the bucket is made if need be. */
void bolt_put(struct bolt *b, const char *bucket, const char *key, const void *value, size_t len);
void bolt_del(struct bolt *b, const char *bucket, const char *key);
/* Put the changes on disk. On failure all since the last commit are undone: memory holds what the disk does. Nothing was changed: nothing is written. */
int bolt_commit(struct bolt *b, struct error *err);

#endif
