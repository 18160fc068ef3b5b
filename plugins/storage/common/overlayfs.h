/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's overlay file system: what the drivers overlay2 and overlay ask of it and tell it. Compiled into each. Any thread. */
#ifndef STORAGE_OVERLAYFS_H
#define STORAGE_OVERLAYFS_H

#include <stdbool.h>

#include <dockerd/driver.h>

/*
 * Can overlay mounts work with upper directories in this directory? Tells by its file system and by one mount with two lower directories, and leaves
 * nothing. also_refused: one more file system that the driver won't have, or NULL. Fills err (UNSUITABLE) with the reason if not, in moby's words.
 */
int overlayfs_check(const char *driver, const char *path, const char *also_refused,
		    struct dockerd_error *err);
/* What every mount begins with, so that each layer's directory tells the whole change ("index=off,"). metacopy: is it on all the same? */
void overlayfs_prefix(char prefix[64], bool *metacopy);
/*
 * Mount with names in `options` that are relative to directory `root`: many layers fit into the page of options only so. The thread that does it has a
 * working directory of its own, so the daemon's never changes; that works on every kernel, unlike lowerdir+ of the new mount interface.
 */
int overlayfs_mount_in(const struct dockerd_host *host, int root, const char *target,
		       const char *options, struct dockerd_error *err);

#endif
