/* SPDX-License-Identifier: Apache-2.0 */
/* Directory -> archive: a whole tree (export, docker cp), or a layer's changes with the driver's whiteouts turned into the archive's. */
#ifndef UNPACK_PACK_H
#define UNPACK_PACK_H

#include <stdint.h>

#include "base/error.h"
#include "base/idmap.h"
#include "sink.h"

struct pack_options {
	int dir;
	int parent; /* -1, or the tree to compare dir with: only differences are packed, deletions as .wh. files */
	uint32_t whiteouts; /* of dir; OVERLAY: turned into .wh. files */
	uint32_t flags;
	const char *
	    path; /* NULL: all of dir, without an entry for itself; else one name below dir ("." dir with an entry) */
	const char *name; /* what path is called in the archive */
	const struct idmap *ids; /* what ids of this host are in the archive; NULL: the same */
};

int pack_tree(const struct pack_options *o, struct sink *out, struct error *err);

#endif
