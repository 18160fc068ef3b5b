/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Project quotas of a file system (XFS, ext4 with the feature `project`; mounted with prjquota): a limit of bytes for a directory tree, which
 * carries a project id that what is made in it inherits. Shared by local volumes and storage drivers. Keeps nothing; any thread.
 * Source: quotactl(2), quotactl_fd(2), ioctl_xfs_fsgetxattr(2).
 */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Does the file system of the directory count and enforce project quotas? */
bool quota_supported(int dirfd);
/* Project id of a directory; 0: none, or the file system has none. */
uint32_t quota_project(int dirfd);
/*
 * Limit what the directory's tree may hold to so many bytes. A directory that has no project of its own gets one that nobody uses, beyond
 * `floor` (the largest that is known to be somebody's). Every file that is there already stays outside. home: a directory of that file system in
 * which a device node may be made (before Linux 5.14). The id is read from the directory: it must be one that no container has, whose root may change it.
 */
int quota_limit(int home, int dirfd, uint32_t floor, uint64_t bytes, struct error *err);
/* Have the directory, and what will be made in it, count for the project. */
int quota_join(int dirfd, uint32_t project, struct error *err);
/* The tree is gone: the project has no limit any more. */
void quota_release(int home, uint32_t project);

#endif
