/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the driver share: the instance. */
#ifndef OVERLAY2_H
#define OVERLAY2_H

#include <stdbool.h>

#include <dockerd/storage.h>

#include "../common/limit.h"
#include "../common/overlayfs.h"
#include "../common/stacked.h"

/* Constant after open; the daemon guarantees one call at a time per layer. */
struct overlay2 {
	struct stacked base;
	struct layer_limits limits;
	char prefix[64]; /* mount options that every mount begins with, e.g. "index=off," */
	bool metacopy;   /* the kernel's default */
	const char *fs;  /* backing file system */
};

/* See struct stacked. */
int overlay2_mount(struct stacked *self, const struct dockerd_layer *l, const char *lower, bool ro,
		   struct dockerd_error *err);

#endif
