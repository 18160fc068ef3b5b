/* SPDX-License-Identifier: Apache-2.0 */
/* See tree.h: tree_copy, tree_share. The walk keeps its own stack, since the caller's thread has a small one. */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define XATTR_MAX 65536

struct frame {
	DIR *from;
	int to;
	size_t path_len; /* of copy.path while in this directory */
};

struct copy {
	struct frame *stack;
	int depth;
	int root;               /* destination */
	bool share;             /* regular files become names of the source's */
	struct inode_set links; /* source inode -> path below root */
	char *path;             /* of the entry at hand, below root */
	size_t path_cap;
	char *names, *value; /* XATTR_MAX each */
};

static int copy_xattrs(struct copy *c, int from, int to, const char *name)
{
	char src[64 + NAME_MAX], dst[64 + NAME_MAX];
	ssize_t n, v;

	snprintf(src, sizeof(src), "/proc/self/fd/%d/%s", from, name);
	snprintf(dst, sizeof(dst), "/proc/self/fd/%d/%s", to, name);
	n = llistxattr(src, c->names, XATTR_MAX);
	if (n < 0)
		return errno == ENOTSUP ? 0 : -1;
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(c->names + i) + 1) {
		v = lgetxattr(src, c->names + i, c->value, XATTR_MAX);
		if (v < 0 && errno == ENODATA)
			continue;
		if (v < 0 ||
		    (lsetxattr(dst, c->names + i, c->value, (size_t)v, 0) < 0 && errno != ENOTSUP))
			return -1;
	}
	return 0;
}

/* Owner, mode, attributes, times: chown clears set-id bits and capabilities, so it comes first. */
static int copy_metadata(struct copy *c, int from, int to, const char *name, const struct stat *st)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0)
		return -1;
	if (copy_xattrs(c, from, to, name) < 0)
		return -1;
	return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
}

/* [off, off+len) by the kernel, else through a buffer. */
static int copy_range(struct copy *c, int from, int to, off_t off, off_t len)
{
	bool plain = false;

	while (len > 0) {
		off_t in = off, out = off;
		ssize_t n;

		if (!plain) {
			n = copy_file_range(from, &in, to, &out, (size_t)len, 0);
			if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
				      errno == EOPNOTSUPP)) {
				plain = true;
				continue;
			}
		} else {
			n = pread(from, c->value, len < XATTR_MAX ? (size_t)len : XATTR_MAX, off);
			if (n > 0)
				n = pwrite(to, c->value, (size_t)n, off);
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			return 0; /* shorter than stat said */
		off += n;
		len -= n;
	}
	return 0;
}

static int copy_data(struct copy *c, int from, int to, off_t size)
{
	off_t data = 0, hole;

	if (size == 0 || ioctl(to, FICLONE, from) == 0)
		return 0;
	if (ftruncate(to, size) < 0)
		return -1;
	while (data < size) {
		data = lseek(from, data, SEEK_DATA);
		if (data < 0)
			return errno == ENXIO ? 0 : -1; /* only a hole is left */
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || copy_range(c, from, to, data, hole - data) < 0)
			return -1;
		data = hole;
	}
	return 0;
}

static int copy_file(struct copy *c, int from, int to, const char *name, const struct stat *st)
{
	int src = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int dst =
	    src < 0 ? -1
		    : openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = dst < 0 ? -1 : copy_data(c, src, dst, st->st_size), saved = errno;

	if (src >= 0)
		close(src);
	if (dst >= 0)
		close(dst);
	errno = saved;
	return r;
}

static int copy_symlink(int from, int to, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return -1;
	target[n] = '\0';
	return symlinkat(target, to, name);
}

/* 1: it is another name of a file copied before, and linked; 0: a new one; -1. */
static int copy_link(struct copy *c, int to, const char *name, const struct stat *st)
{
	struct inode_entry *e;
	bool added;

	if (st->st_nlink < 2)
		return 0;
	e = inode_set_get(&c->links, st->st_dev, st->st_ino, &added);
	if (!e)
		return -1;
	if (!added)
		return linkat(c->root, e->value, to, name, 0) < 0 ? -1 : 1;
	e->value = strdup(c->path);
	return e->value ? 0 : -1;
}

static int set_path(struct copy *c, size_t dir_len, const char *name)
{
	size_t need = dir_len + strlen(name) + 2;

	if (need > c->path_cap) {
		char *p = realloc(c->path, need * 2);

		if (!p)
			return -1;
		c->path = p;
		c->path_cap = need * 2;
	}
	if (dir_len)
		c->path[dir_len] = '/';
	strcpy(c->path + dir_len + (dir_len != 0), name);
	return 0;
}

static int push(struct copy *c, int from, int to, size_t path_len)
{
	DIR *d;

	if (from < 0 || to < 0 || c->depth == TREE_DEPTH_MAX || !(d = fdopendir(from))) {
		int saved = c->depth == TREE_DEPTH_MAX ? ELOOP : errno;

		if (from >= 0)
			close(from);
		if (to >= 0)
			close(to);
		errno = saved;
		return -1;
	}
	c->stack[c->depth++] = (struct frame){d, to, path_len};
	return 0;
}

static int copy_entry(struct copy *c, const struct frame *f, const char *name)
{
	int from = dirfd(f->from), r;
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || set_path(c, f->path_len, name) < 0)
		return -1;
	if (S_ISDIR(st.st_mode)) {
		if (mkdirat(f->to, name, 0700) < 0)
			return -1;
		return push(c, tree_open(from, name), tree_open(f->to, name), strlen(c->path));
	}
	if (S_ISSOCK(st.st_mode))
		return 0; /* nobody listens on a copy */
	if (c->share && S_ISREG(st.st_mode) && linkat(from, name, f->to, name, 0) == 0)
		return 0;
	/* EMLINK: no more names for that one: a copy does as well */
	if (c->share && S_ISREG(st.st_mode) && errno != EMLINK)
		return -1;
	r = copy_link(c, f->to, name, &st);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (S_ISREG(st.st_mode))
		r = copy_file(c, from, f->to, name, &st);
	else if (S_ISLNK(st.st_mode))
		r = copy_symlink(from, f->to, name);
	else
		r = mknodat(f->to, name, (st.st_mode & S_IFMT) | 0600, st.st_rdev);
	return r < 0 ? -1 : copy_metadata(c, from, f->to, name, &st);
}

/* The directory is complete: its metadata last, its times above all. */
static int pop(struct copy *c)
{
	struct frame *f = &c->stack[--c->depth];
	struct stat st;
	int r = fstat(dirfd(f->from), &st) < 0 ? -1
					       : copy_metadata(c, dirfd(f->from), f->to, ".", &st),
	    saved = errno;

	closedir(f->from);
	close(f->to);
	errno = saved;
	return r;
}

static int copy_all(struct copy *c, int from, int to)
{
	if (push(c, openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		 openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0) < 0)
		return -1;
	while (c->depth) {
		struct frame f = c->stack[c->depth - 1];
		struct dirent *e;

		errno = 0;
		e = readdir(f.from);
		if (!e && errno)
			return -1;
		if (e && (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")))
			continue;
		if ((e ? copy_entry(c, &f, e->d_name) : pop(c)) < 0)
			return -1;
	}
	return 0;
}

static int copy_tree(int from, int to, bool share)
{
	struct copy c = {.root = to,
			 .share = share,
			 .stack = calloc(TREE_DEPTH_MAX, sizeof(struct frame)),
			 .names = malloc(XATTR_MAX),
			 .value = malloc(XATTR_MAX)};
	int r = c.stack && c.names && c.value ? copy_all(&c, from, to) : -1, saved = errno;

	while (c.depth) {
		closedir(c.stack[--c.depth].from);
		close(c.stack[c.depth].to);
	}
	free(c.stack);
	free(c.names);
	free(c.value);
	free(c.path);
	inode_set_free(&c.links, free);
	errno = saved;
	return r;
}

int tree_copy(int from, int to)
{
	return copy_tree(from, to, false);
}

int tree_share(int from, int to)
{
	return copy_tree(from, to, true);
}
