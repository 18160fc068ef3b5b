/* SPDX-License-Identifier: Apache-2.0 */
/* See tree.h: everything but the copy (copy.c). */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dockerd/storage.h>

/* Levels that the removal descends before it moves a directory up instead: bounds stack and descriptors. */
#define REMOVE_DEPTH 32

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

int tree_open(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A subdirectory on the same mount; EXDEV for a mount point. */
static int open_child(int dirfd, const char *name)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};

	return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

/* Move dirfd/name to a fresh name in top. */
static int move_up(int dirfd, const char *name, int top, unsigned *moved)
{
	char to[32];

	do {
		snprintf(to, sizeof(to), ".deep-%u", (*moved)++);
		if (syscall(SYS_renameat2, dirfd, name, top, to, 1u /* RENAME_NOREPLACE */) == 0)
			return 0;
	} while (errno == EEXIST);
	return -1;
}

/* Empties directory fd, which it takes over. */
static int clear_dir(int fd, int top, int depth, unsigned *moved)
{
	struct dirent *e;
	int failed = 0, child;
	DIR *d = fdopendir(fd);

	if (!d) {
		close(fd);
		return -1;
	}
	while ((e = readdir(d))) {
		if (is_dots(e->d_name) || unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			failed = errno;
			continue;
		}
		if (depth >= REMOVE_DEPTH) {
			if (move_up(fd, e->d_name, top, moved) < 0)
				failed = errno;
			continue;
		}
		child = open_child(fd, e->d_name);
		if (child < 0) {
			failed = errno == EXDEV ? EBUSY : errno;
			continue;
		}
		if (clear_dir(child, top, depth + 1, moved) < 0 ||
		    (unlinkat(fd, e->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT))
			failed = errno;
	}
	closedir(d);
	errno = failed;
	return failed ? -1 : 0;
}

int tree_remove(int dirfd, const char *name)
{
	int top, r, saved;
	unsigned moved = 0, before;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	top = tree_open(dirfd, name);
	if (top < 0)
		return errno == ENOENT ? 0 : -1;
	do { /* once more as long as deep directories came up */
		int again = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		before = moved;
		r = again < 0 ? -1 : clear_dir(again, top, 0, &moved);
	} while (r == 0 && moved != before);
	saved = errno;
	close(top);
	errno = saved;
	if (r < 0)
		return -1;
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -1 : 0;
}

/* ---- inode sets -------------------------------------------------------------------------------------------------------------- */

static size_t inode_slot(const struct inode_entry *slots, size_t cap, dev_t dev, ino_t ino)
{
	size_t i = (size_t)((ino ^ ((uint64_t)dev << 32)) * UINT64_C(0x9e3779b97f4a7c15) >> 20) &
		   (cap - 1);

	while (slots[i].ino && (slots[i].ino != ino || slots[i].dev != dev))
		i = (i + 1) & (cap - 1);
	return i;
}

struct inode_entry *inode_set_get(struct inode_set *s, dev_t dev, ino_t ino, bool *added)
{
	size_t i;

	if ((s->n + 1) * 2 > s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct inode_entry *slots = calloc(cap, sizeof(*slots));

		if (!slots)
			return NULL;
		for (i = 0; i < s->cap; i++)
			if (s->slots[i].ino)
				slots[inode_slot(slots, cap, s->slots[i].dev, s->slots[i].ino)] =
				    s->slots[i];
		free(s->slots);
		s->slots = slots;
		s->cap = cap;
	}
	i = inode_slot(s->slots, s->cap, dev, ino);
	*added = !s->slots[i].ino;
	if (*added) {
		s->slots[i] = (struct inode_entry){.dev = dev, .ino = ino};
		s->n++;
	}
	return &s->slots[i];
}

void inode_set_free(struct inode_set *s, void (*free_value)(void *))
{
	for (size_t i = 0; i < s->cap && free_value; i++)
		free_value(s->slots[i].value);
	free(s->slots);
	*s = (struct inode_set){NULL, 0, 0};
}

/* ---- usage ------------------------------------------------------------------------------------------------------------------- */

static int usage_entry(int fd, const char *name, struct inode_set *seen, uint64_t *bytes,
		       int *child)
{
	struct stat st;
	bool added;

	*child = -1;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (S_ISDIR(st.st_mode)) {
		*child = open_child(fd, name);
		return *child < 0 && errno != ENOENT && errno != EXDEV ? -1 : 0;
	}
	if (st.st_nlink > 1) {
		if (!inode_set_get(seen, st.st_dev, st.st_ino, &added))
			return -1;
		if (!added)
			return 0;
	}
	*bytes += (uint64_t)st.st_size;
	return 0;
}

int tree_usage(int fd, uint64_t *bytes)
{
	struct inode_set seen = {NULL, 0, 0};
	DIR **stack = calloc(TREE_DEPTH_MAX,
			     sizeof(DIR *)); /* explicit: the caller's thread has a small stack */
	int depth = 0, r = -1, child = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*bytes = 0;
	if (!stack || child < 0)
		goto out;
	for (;;) {
		struct dirent *e;

		if (child >= 0) {
			if (depth == TREE_DEPTH_MAX) {
				errno = ELOOP;
				goto out;
			}
			stack[depth] = fdopendir(child);
			if (!stack[depth])
				goto out;
			depth++;
			child = -1;
		}
		e = readdir(stack[depth - 1]);
		if (!e) {
			closedir(stack[--depth]);
			if (!depth)
				break;
			continue;
		}
		if (!is_dots(e->d_name) &&
		    usage_entry(dirfd(stack[depth - 1]), e->d_name, &seen, bytes, &child) < 0)
			goto out;
	}
	r = 0;
out:
	while (depth)
		closedir(stack[--depth]);
	if (child >= 0)
		close(child);
	free(stack);
	inode_set_free(&seen, NULL);
	return r;
}

/* ---- small things ------------------------------------------------------------------------------------------------------------ */

const char *tree_fs_name(int fd)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} names[] = {{0xef53, "extfs"},        {0x58465342, "xfs"},       {0x9123683e, "btrfs"},
		     {0x01021994, "tmpfs"},    {0x794c7630, "overlayfs"}, {0x6969, "nfs"},
		     {0x2fc12fc1, "zfs"},      {0xf2f52010, "f2fs"},      {0x61756673, "aufs"},
		     {0x0000f15f, "ecryptfs"}, {0x858458f6, "ramfs"},     {0x73717368, "squashfs"},
		     {0x3153464a, "jfs"},      {0x52654973, "reiserfs"},  {0x47504653, "gpfs"},
		     {0xff534d42, "cifs"},     {0x65735546, "fuse"},      {0x01021997, "9p"},
		     {0xca451a4e, "bcachefs"}, {0x565a4653, "vzfs"}};
	struct statfs st;

	if (fstatfs(fd, &st) == 0)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if ((uint32_t)st.f_type == names[i].magic)
				return names[i].name;
	return "<unknown>";
}

int tree_has_d_type(int dirfd)
{
	struct dirent *e;
	int found = 0, fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	/* "." and ".." carry a type on file systems that tell no other: look for one of our own. */
	if (mkdirat(fd, ".d-type", 0700) < 0 && errno != EEXIST) {
		closedir(d);
		return -1;
	}
	while ((e = readdir(d)))
		if (!is_dots(e->d_name) && e->d_type != DT_UNKNOWN)
			found = 1;
	unlinkat(fd, ".d-type", AT_REMOVEDIR);
	closedir(d);
	return found;
}

int tree_mkdir(int dirfd, const char *name, mode_t mode)
{
	if (mkdirat(dirfd, name, mode) < 0)
		return -1;
	return fchmodat(dirfd, name, mode, 0);
}

int tree_write(int dirfd, const char *name, mode_t mode, const char *text, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, len);
	if (n >= 0 && (size_t)n != len) {
		errno = ENOSPC;
		n = -1;
	}
	if (fchmod(fd, mode) < 0 || n < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return close(fd);
}

ssize_t tree_read(int dirfd, const char *name, char *buf, size_t size)
{
	int saved, fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, size);
	saved = errno;
	close(fd);
	errno = saved;
	if (n < 0)
		return -1;
	if ((size_t)n == size) {
		errno = EFBIG;
		return -1;
	}
	buf[n] = '\0';
	return n;
}

bool tree_exists(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int tree_is_mount(int dirfd, const char *name)
{
	struct statx sx;

	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &sx) < 0)
		return -1;
	return (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) ? 1 : 0;
}

static bool is_directory(int dir, const struct dirent *e)
{
	struct stat st;

	return e->d_type == DT_DIR ||
	       (e->d_type == DT_UNKNOWN && fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode));
}

int tree_list(int fd, const char *skip, const struct dockerd_emit *to)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	if (!d) {
		if (again >= 0)
			close(again);
		return -1;
	}
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && !(skip && !strcmp(e->d_name, skip)) &&
		    is_directory(again, e))
			to->row(to, e->d_name, "");
	closedir(d);
	return 0;
}

bool tree_valid_id(const char *id)
{
	size_t n =
	    id ? strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
	       : 0;

	return n > 0 && n <= 128 && !id[n] && id[0] != '.';
}
