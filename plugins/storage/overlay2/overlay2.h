/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the driver share: the instance and the host checks. */
#ifndef OVERLAY2_H
#define OVERLAY2_H

#include <stdbool.h>

#include <dockerd/storage.h>

/* Constant after open; the daemon guarantees one call at a time per layer. */
struct overlay2 {
	const struct dockerd_host *host;
	int root;        /* data-root/overlay2 */
	char *path;      /* the same, absolute */
	char prefix[64]; /* mount options that every mount begins with, e.g. "index=off," */
	bool metacopy;   /* the kernel's default */
	const char *fs;  /* backing file system */
};

/* Can overlay mounts work with upper directories in this directory? Fills err (UNSUITABLE) with the reason if not. */
int overlay2_check(const char *path, struct dockerd_error *err);
/* Kernel parameter of the overlay module ("metacopy"): is it on? False if the kernel lacks it. */
bool overlay2_parameter(const char *name, bool *known);
/* Mount ID/merged: `lower` is the content of ID/lower; ro: the layer's changes are the topmost read-only directory. */
int overlay2_mount(struct overlay2 *o, const struct dockerd_layer *l, const char *lower, bool ro,
		   struct dockerd_error *err);

#endif
