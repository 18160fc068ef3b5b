/* SPDX-License-Identifier: Apache-2.0 */
/* Masked and read-only paths of the spec. A path that is not there needs no hiding. */
#include "base/cleanup.h"
#include "base/file.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One empty read-only tmpfs serves all hidden directories. fsopen(2). */
static int empty_directory(void)
{
	auto_close fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "4k", 0) < 0 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				MOUNT_ATTR_NOEXEC);
}

static int mask(int root, const char *path, int *empty, int null)
{
	auto_close target = open_in_root(root, path, O_PATH, 0), tree = -1;
	struct stat st;

	if (target < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	if (fstat(target, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		tree = tree_open(null, "", false);
		return tree < 0 ? -1 : tree_attach(tree, target);
	}
	if (*empty < 0) { /* the first one is attached itself, the others are clones of it */
		*empty = empty_directory();
		return *empty < 0 ? -1 : tree_attach(*empty, target);
	}
	tree = tree_open(*empty, "", false);
	return tree < 0 ? -1 : tree_attach(tree, target);
}

int paths_mask(struct launch *l, bool late, struct error *err)
{
	auto_close empty = -1, null = -1;

	if (!json_count(l->spec.masked))
		return 0;
	null = open_in_root(l->root_tree, "/dev/null", O_PATH, 0);
	if (null < 0)
		return error_sys(err, errno, "open /dev/null of the container");
	/* An image or volume may have something else there, which would be shown in place of what is to be hidden. */
	if (!is_null_device(null))
		return error_set(
		    err, ERR_INVALID,
		    "/dev/null of the container is not the null device: paths can't be "
		    "masked");
	for (json *j = json_first(l->spec.masked); j; j = json_next(j))
		if (root_is_late(l, json_str(j, "")) == late &&
		    mask(l->root_tree, json_str(j, ""), &empty, null) < 0)
			return error_sys(err, errno, "mask %s", json_str(j, ""));
	return 0;
}

int paths_readonly(struct launch *l, bool late, struct error *err)
{
	struct mount_options ro = {.flags = 1 /* MS_RDONLY */, .attr_set = MOUNT_ATTR_RDONLY};

	for (json *j = json_first(l->spec.readonly); j; j = json_next(j)) {
		const char *path = json_str(j, "");
		auto_close at = -1, tree = -1;
		bool done;

		if (root_is_late(l, path) != late)
			continue;
		at = open_in_root(l->root_tree, path, O_PATH, 0);
		if (at < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		tree = at < 0 ? -1 : tree_open(at, "", true);
		done = tree >= 0 && tree_set(tree, &ro, false) == 0;
		if (tree < 0 || tree_attach(tree, at) < 0 ||
		    (!done && tree_set(tree, &ro, true) < 0))
			return error_sys(err, errno, "make %s read-only", path);
	}
	return 0;
}
