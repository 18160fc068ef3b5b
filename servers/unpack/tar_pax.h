/* SPDX-License-Identifier: Apache-2.0 */
/* Meta headers of a tar entry (pax records, GNU long names) and sparse maps: collected, then applied to the entry they precede. */
#ifndef UNPACK_TAR_PAX_H
#define UNPACK_TAR_PAX_H

#include "tar_read.h"

struct tar_meta {
	struct str pax;        /* records of the last 'x' header */
	struct str name, link; /* of 'L' and 'K' */
	bool have_pax;
	bool sparse_1_0; /* set by tar_meta_add: the map stands in front of the content */
};

void tar_meta_free(struct tar_meta *m);
bool tar_meta_empty(const struct tar_meta *m);
int tar_meta_add(struct tar_meta *m, char flag, const struct str *content, struct error *err);
/* *stored: bytes in the archive. */
int tar_meta_apply(const struct tar_meta *m, struct tar_entry *e, uint64_t *stored,
		   struct error *err);
/* Decimal digits only. */
int tar_pax_u64(const char *p, size_t n, uint64_t *out);

int tar_sparse_add(struct tar_entry *e, uint64_t offset, uint64_t len, struct error *err);
/* Pieces ascend, do not overlap, lie inside the file, and their sum is what is stored. */
int tar_sparse_check(const struct tar_entry *e, struct error *err);

#endif
