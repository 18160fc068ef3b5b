/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's files as docker cp shows them: its root and its volumes, mounted in a mount namespace of our own, of which the program makes its
 * root before it gives up its rights. So no symlink leads out of it, whatever a running container does meanwhile.
 */
#ifndef UNPACK_VIEW_H
#define UNPACK_VIEW_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/str.h"

/* A mount namespace of our own, into which unmounts of the host still come. */
int view_begin(struct error *err);
/* The root: a detached tree, which becomes the view's root descriptor. Once, before the others. */
int view_root(int tree, struct error *err);
/* A detached tree at a path of the view. A missing directory is made; a missing file is not shown. */
int view_mount(int root, int tree, const char *path, bool read_only, struct error *err);
/* Make it our root; read_only: but for what is mounted below. */
int view_enter(int root, bool read_only, struct error *err);

struct view_stat {
	struct stat st;
	struct str link; /* of a symlink: where it leads in the end, or as far as it leads */
};
/* lstat(2) below root, a trailing slash follows. ERR_NOT_FOUND; other failures as Go words them. */
int view_stat(int root, const char *path, struct view_stat *out, struct error *err);
/*
 * The directory that an archive shall go to (symlinks followed), O_PATH, and its absolute path without links in `where`. moby's errors;
 * ERR_INVALID on what is read-only.
 */
int view_destination(int root, const char *path, char where[PATH_MAX], struct error *err);
/* Where path lies: its parent, O_PATH, and the last part (points into path). "." for what is a directory itself. */
int view_source(int root, const char *path, const struct stat *st, const char **base,
		struct error *err);

#endif
