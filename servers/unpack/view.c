/* SPDX-License-Identifier: Apache-2.0 */
/* See view.h. open_tree(2), move_mount(2), statx(2). */
#include "view.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* sys/mount.h of glibc 2.36 and linux/mount.h exclude each other. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *data);

#define MAX_LINKS 40
#define MOVE_EMPTY 0x44u /* MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH */

int view_begin(struct error *err)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return error_sys(err, errno, "make a mount namespace");
	return 0;
}

/*
 * Ours alone, so that nothing mounted on it later shows up where it was cloned from; and no device can be opened through it, since a running
 * container may put one in the place of a file. Before Linux 5.12 there is no mount_setattr(2), and mounts below keep their own flags.
 */
static int make_harmless(int tree, bool read_only)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
					      MOUNT_ATTR_NOEXEC |
					      (read_only ? MOUNT_ATTR_RDONLY : 0u),
				  .propagation = MS_PRIVATE};
	char path[32];

	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
		    sizeof(attr)) == 0)
		return 0;
	if (errno != ENOSYS)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tree);
	if (mount(NULL, path, NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount(NULL, path, NULL,
		     MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID | MS_NOEXEC |
			 (read_only ? MS_RDONLY : 0),
		     NULL);
}

static int attach(int tree, int target, bool read_only)
{
	return syscall(SYS_move_mount, tree, "", target, "", MOVE_EMPTY) < 0
		   ? -1
		   : make_harmless(tree, read_only);
}

int view_root(int tree, struct error *err)
{
	auto_close top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (top < 0 || attach(tree, top, false) < 0)
		return error_sys(err, errno, "attach the container's root");
	return 0;
}

int view_mount(int root, int tree, const char *path, bool read_only, struct error *err)
{
	auto_close target = open_in_root(root, path, O_PATH, 0);
	struct stat st;

	if (fstat(tree, &st) < 0)
		return error_sys(err, errno, "stat the source of %s", path);
	if (target < 0 && errno == ENOENT && !S_ISDIR(st.st_mode))
		return 0;
	if (target < 0 && errno == ENOENT)
		target = make_dir_in_root(root, path, 0755, err);
	else if (target < 0)
		error_sys(err, errno, "open %s", path);
	if (target < 0)
		return -1;
	return attach(tree, target, read_only) < 0 ? error_sys(err, errno, "mount %s", path) : 0;
}

/* The root alone, when all mount points are there. */
static int make_read_only(int root)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	char path[32];

	if (syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		return 0;
	if (errno != ENOSYS)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", root);
	return mount(NULL, path, NULL,
		     MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_RDONLY, NULL);
}

int view_enter(int root, bool read_only, struct error *err)
{
	if (read_only && make_read_only(root) < 0)
		return error_sys(err, errno, "make the container's root read-only");
	if (fchdir(root) < 0 || chroot(".") < 0)
		return error_sys(err, errno, "enter the container's root");
	return 0;
}

/* Go's words for what lstat(2) says. */
static int stat_failed(const char *path, struct error *err)
{
	switch (errno) {
	case ENOENT:
		return error_set(err, ERR_NOT_FOUND, "%s", path);
	case ENOTDIR:
		return error_set(err, ERR_SYSTEM, "lstat %s: not a directory", path);
	case ELOOP:
		return error_set(err, ERR_SYSTEM, "lstat %s: too many levels of symbolic links",
				 path);
	default:
		return error_sys(err, errno, "lstat %s", path);
	}
}

/* Path of an open directory inside the view: the view is our root. */
static int path_of(int dir, char out[PATH_MAX])
{
	return fchdir(dir) < 0 || !getcwd(out, PATH_MAX) ? -1 : 0;
}

/* One step: *path, whose last part is a symlink, becomes where that points. false: it is none, or its directory is not there. */
static bool follow(int root, char **path)
{
	const char *base = path_base(*path);
	auto_free char *dir = xstrndup(*path, (size_t)(base - *path));
	auto_close at = open_in_root(root, *dir ? dir : "/", O_PATH | O_DIRECTORY, 0);
	char link[PATH_MAX], where[PATH_MAX], *next;
	ssize_t n;

	if (at < 0 || path_of(at, where) < 0)
		return false;
	n = readlinkat(at, base, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	if (n > 0 && *link == '/')
		next = xstrdup(link);
	else
		next = xasprintf("%s/%s", streq(where, "/") ? "" : where, n > 0 ? link : base);
	free(*path);
	*path = next;
	return n > 0;
}

static void follow_all(int root, const char *path, struct str *out)
{
	auto_free char *at = path_clean(path), *clean = NULL;

	for (int i = 0; i < MAX_LINKS && follow(root, &at); i++) {
		clean = path_clean(at);
		free(at);
		at = steal_ptr(&clean);
	}
	str_puts(out, at);
}

int view_stat(int root, const char *path, struct view_stat *out, struct error *err)
{
	auto_close fd = open_in_root(root, path, O_PATH | O_NOFOLLOW, 0);

	if (fd < 0 || fstat(fd, &out->st) < 0)
		return stat_failed(path, err);
	if (S_ISLNK(out->st.st_mode))
		follow_all(root, path, &out->link);
	return 0;
}

static bool same_mount(int a, int b)
{
	struct statx x, y;

	return statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &y) == 0 && x.stx_mnt_id == y.stx_mnt_id;
}

int view_destination(int root, const char *path, char where[PATH_MAX], struct error *err)
{
	auto_close fd = open_in_root(root, path, O_PATH, 0);
	struct statvfs fs;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return stat_failed(path, err);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_INVALID, "extraction point is not a directory");
	if (fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_RDONLY)
		return error_set(err, ERR_INVALID,
				 same_mount(fd, root) ? "container rootfs is marked read-only"
						      : "mounted volume is marked read-only");
	if (path_of(fd, where) < 0)
		return stat_failed(path, err);
	return steal_fd(&fd);
}

int view_source(int root, const char *path, const struct stat *st, const char **base,
		struct error *err)
{
	auto_free char *dir = NULL;
	int fd;

	*base = S_ISDIR(st->st_mode) ? "." : path_base(path);
	dir = S_ISDIR(st->st_mode) ? xstrdup(path) : xstrndup(path, (size_t)(*base - path));
	fd = open_in_root(root, *dir ? dir : "/", O_PATH | O_DIRECTORY, 0);
	return fd < 0 ? stat_failed(path, err) : fd;
}
