/* SPDX-License-Identifier: Apache-2.0 */
/* What bolt.c (pages, the file) and bolt_tree.c (keys and values in memory) share. */
#ifndef BASE_BOLT_INT_H
#define BASE_BOLT_INT_H

#include <stdint.h>

#include "base/bolt.h"

struct bolt_bucket;
struct bolt_entry {
	char *key, *value; /* owned; NUL behind each */
	size_t klen, vlen;
	struct bolt_bucket *sub; /* instead of a value */
};
struct bolt_bucket {
	struct bolt_entry *v; /* sorted by key */
	size_t n, cap;
	uint64_t sequence;
};

/* One change since the last commit: what was there before it. */
struct bolt_change {
	char *bucket, *key, *value; /* owned; value NULL: the key was not there */
	size_t vlen;
};

struct bolt {
	int fd;
	char *path;
	struct bolt_bucket root;
	struct bolt_change *undo;
	size_t n_undo, undo_cap;
	/* bytes; bbolt's files have the page size of the machine they were made on */
	uint32_t page;
	uint64_t txid;
	uint64_t first, end; /* pages that the state on disk lies in */
};

void bolt_bucket_free(struct bolt_bucket *b);
/* The key's entry, made if need be: borrowed until the next one is made. */
struct bolt_entry *bolt_entry(struct bolt_bucket *b, const char *key, size_t klen);
/* Take all changes since the last commit back. */
void bolt_undo(struct bolt *b);
/* The changes are on disk, or undone. */
void bolt_undo_forget(struct bolt *b);

#endif
