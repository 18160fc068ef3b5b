/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the driver share: the instance and the host checks. */
#ifndef OVERLAY2_H
#define OVERLAY2_H

#include <stdbool.h>

#include <dockerd/storage.h>

#include "../common/limit.h"
#include "../common/stacked.h"

/* Constant after open; the daemon guarantees one call at a time per layer. */
struct overlay2 {
	struct stacked base;
	struct layer_limits limits;
	char prefix[64]; /* mount options that every mount begins with, e.g. "index=off," */
	bool metacopy;   /* the kernel's default */
	const char *fs;  /* backing file system */
};

/* Can overlay mounts work with upper directories in this directory? Fills err (UNSUITABLE) with the reason if not. */
int overlay2_check(const char *path, struct dockerd_error *err);
/* Kernel parameter of the overlay module ("metacopy"): is it on? False if the kernel lacks it. */
bool overlay2_parameter(const char *name, bool *known);
/* See struct stacked. */
int overlay2_mount(struct stacked *self, const struct dockerd_layer *l, const char *lower, bool ro,
		   struct dockerd_error *err);

#endif
