/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers as directories of changes, which something else shows on top of each other: what drivers have in common that differ only in who that is
 * (overlay2: the kernel; fuse-overlayfs: a process). On disk as moby lays it out, so that either engine can go on with the other's layers:
 *
 *	ID/diff        the changes                        l/LINK -> ../ID/diff   short name, so that many fit into mount options
 *	ID/link        LINK, 26 letters                   ID/lower               "l/A:l/B:...", nearest parent first (not in a base layer)
 *	ID/work        for the overlay (not in a base)    ID/merged              mount point, while mounted
 *	ID/committed   nothing will be written any more   ID/incomplete          (ours) prepared, not yet committed
 *
 * A layer like another one is a directory of its own, too, since moby removes each by itself; but its diff is a symlink to the other's, and its unchanging
 * files are hard links: five directory entries and three inodes, where a container's init layer has twenty.
 *
 * A layer is whole when l/LINK exists and ID/incomplete does not: prepare makes the symlink last, remove takes it away first.
 * Nothing here syncs: the daemon syncs the file system once a layer must last, see storage.h. Compiled into each driver.
 */
#ifndef STORAGE_STACKED_H
#define STORAGE_STACKED_H

#include <stdbool.h>

#include <dockerd/storage.h>

/* First member of a driver's instance. Constant after open; the daemon guarantees one call at a time per layer. */
struct stacked {
	const struct dockerd_host *host;
	int root;   /* data-root/NAME; -1: none */
	char *path; /* the same, absolute */
	/* Mount ID/merged: `lower` is the content of ID/lower; ro: the layer's changes are the topmost read-only directory. */
	int (*stack)(struct stacked *o, const struct dockerd_layer *l, const char *lower, bool ro,
		     struct dockerd_error *err);
	/* A read-write layer's directory has just been made and is empty: limit its size, where that is wanted. NULL: never. */
	int (*limit)(struct stacked *o, const struct dockerd_layer *l, int dir,
		     struct dockerd_error *err);
};

/* Fills all but the functions. */
int stacked_open(struct stacked *o, const struct dockerd_open *a, struct dockerd_error *err);
/* Gives back what it holds, not itself. */
void stacked_shut(struct stacked *o);

/* Ops. */
int32_t stacked_prepare(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			struct dockerd_error *err);
int32_t stacked_commit(void *self, const struct dockerd_layer *l, struct dockerd_error *err);
int32_t stacked_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err);
int32_t stacked_mount(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
		      struct dockerd_error *err);
int32_t stacked_unmount(void *self, const struct dockerd_layer *l, struct dockerd_error *err);
int32_t stacked_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err);
int32_t stacked_exists(void *self, const struct dockerd_layer *l, struct dockerd_error *err);
int32_t stacked_diff_dir(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			 struct dockerd_error *err);
int32_t stacked_usage(void *self, const struct dockerd_layer *l, uint64_t *bytes,
		      struct dockerd_error *err);
int32_t stacked_metadata(void *self, const struct dockerd_layer *l, const struct dockerd_emit *to,
			 struct dockerd_error *err);
int32_t stacked_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err);

#endif
