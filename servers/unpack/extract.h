/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archive -> directory. Every path is resolved below the root descriptor by the kernel (openat2 RESOLVE_IN_ROOT), so that neither "..", an
 * absolute name nor a symlink of the archive leads out of it. One thread.
 */
#ifndef UNPACK_EXTRACT_H
#define UNPACK_EXTRACT_H

#include <stdint.h>

#include "base/error.h"
#include "base/idmap.h"
#include "stream.h"

struct extract_options {
	int root; /* directory, borrowed: where symlinks end */
	const char *
	    below; /* the archive goes to this directory of it, relative and without links; NULL: to itself */
	int split;             /* file for tar-split.json.gz, or -1 */
	uint32_t whiteouts;    /* DOCKERD_WHITEOUT_* */
	uint32_t flags;        /* UNPACK_FLAG_* */
	uint64_t max_entries;  /* 0: no limit */
	const uint64_t *owner; /* uid << 32 | gid instead of the archive's, or NULL */
	const struct idmap *ids; /* what the archive's ids are on this host; NULL: the same */
	/* Sets an attribute that we may not: ask who may. */
	int (*mark)(void *ctx, int target, const char *name, const void *value, size_t len,
		    struct error *err);
	void *mark_ctx;
};

struct extract_result {
	uint64_t bytes; /* of files */
	uint64_t entries;
};

int extract_archive(struct stream *in, const struct extract_options *o, struct extract_result *out,
		    struct error *err);

#endif
