/* SPDX-License-Identifier: Apache-2.0 */
/* Host checks of overlay2: the backing file system, and one real mount with two lower directories. Leaves nothing behind. */
#include "overlay2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/tree.h"

bool overlay2_parameter(const char *name, bool *known)
{
	char path[128], value[8];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/module/overlay/parameters/%s", name);
	n = tree_read(AT_FDCWD, path, value, sizeof(value));
	*known = n > 0;
	return n > 0 && (value[0] == 'Y' || value[0] == '1' || !strncmp(value, "on", 2));
}

static int try_mount(const char *dir, struct dockerd_error *err)
{
	static const char *const subs[] = {"lower1", "lower2", "upper", "work", "merged"};
	char options[3 * 4096], merged[4096];

	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
		snprintf(merged, sizeof(merged), "%s/%s", dir, subs[i]);
		if (mkdir(merged, 0700) < 0)
			return dockerd_fail_errno(err, errno, "mkdir %s", merged);
	}
	snprintf(options, sizeof(options),
		 "lowerdir=%s/lower2:%s/lower1,upperdir=%s/upper,workdir=%s/work", dir, dir, dir,
		 dir);
	/* The kernel loads its module by itself at this call. */
	if (mount("overlay", merged, "overlay", 0, options) < 0) {
		int e = errno;

		if (e == ENODEV)
			return dockerd_fail(err, DOCKERD_ERR_UNSUITABLE,
					    "'overlay' not found as a supported filesystem on this "
					    "host: the kernel has no overlay support");
		dockerd_fail_errno(err, e, "failed to mount overlay below %s", dir);
		err->category = DOCKERD_ERR_UNSUITABLE;
		return -1;
	}
	if (umount2(merged, 0) < 0)
		return dockerd_fail_errno(err, errno, "unmount %s", merged);
	return 0;
}

int overlay2_check(const char *path, struct dockerd_error *err)
{
	static const char *const refused[] = {"aufs", "ecryptfs", "nfs", "overlayfs", "zfs"};
	char dir[4096];
	const char *fs;
	int fd = tree_open(AT_FDCWD, path), types, r;

	if (fd < 0)
		return dockerd_fail_errno(err, errno, "open %s", path);
	fs = tree_fs_name(fd);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (!strcmp(fs, refused[i])) {
			close(fd);
			return dockerd_fail(
			    err, DOCKERD_ERR_UNSUITABLE,
			    "'overlay2' is not supported over %s (%s): %s", fs, path,
			    "backing file system is unsupported for this graph driver");
		}
	types = tree_has_d_type(fd);
	r = errno;
	close(fd);
	if (types < 0)
		return dockerd_fail_errno(err, r, "check %s for d_type", path);
	if (!types)
		return dockerd_fail(
		    err, DOCKERD_ERR_UNSUITABLE,
		    "overlay2: the backing %s filesystem of %s is formatted without d_type "
		    "support, which leads to incorrect "
		    "behavior. Reformat the filesystem with ftype=1 to enable d_type support.",
		    fs, path);
	if (snprintf(dir, sizeof(dir) - 16, "%s/.check-XXXXXX", path) >= (int)sizeof(dir) - 16)
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "path %s is too long", path);
	if (!mkdtemp(dir))
		return dockerd_fail_errno(err, errno, "make a directory in %s", path);
	r = try_mount(dir, err);
	tree_remove(AT_FDCWD, dir);
	return r;
}
