/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which paths differ between a container's layer and what it stands on (docker diff, sizes). Only names and stat are looked at, by descriptor
 * and without following symlinks, so a running container may play with its tree meanwhile. Rules as in moby's archive package.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEPTH_MAX \
	128 /* levels on the stack of a worker thread; deeper changes are counted with their ancestor */

enum { MODIFIED = 0, ADDED = 1, DELETED = 2 };

struct walk {
	diff_fn *fn;
	void *ctx;
	bool overlay; /* `fd` side holds changes only, with whiteouts */
	struct str path;
	int depth;
};

static int list_sorted(int fd, struct strlist *names, struct error *err)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	if (!d) {
		if (again >= 0)
			close(again);
		return error_sys(err, errno, "read directory");
	}
	while ((e = readdir(d)))
		if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
			strlist_add(names, e->d_name);
	strlist_sort(names);
	return 0;
}

static bool differs(const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid ||
	    a->st_rdev != b->st_rdev)
		return true;
	return !S_ISDIR(a->st_mode) &&
	       (a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
		a->st_mtim.tv_nsec != b->st_mtim.tv_nsec);
}

static bool is_opaque(int fd)
{
	char v[4];

	return fgetxattr(fd, "trusted.overlay.opaque", v, sizeof(v)) > 0 && v[0] == 'y';
}

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int walk_level(struct walk *w, int fd, int lower, bool *changed, struct error *err);

static void tell(struct walk *w, int kind, const struct stat *st)
{
	w->fn(w->ctx, str_cstr(&w->path), kind,
	      st && !S_ISDIR(st->st_mode) ? (uint64_t)st->st_size : 0);
}

static int walk_dir(struct walk *w, int fd, const char *name, int lower, bool lower_is_dir,
		    bool *below, struct error *err)
{
	auto_close sub = open_dir(fd, name), old = -1;

	if (sub < 0)
		return errno == ENOENT || errno == ENOTDIR
			   ? 0
			   : error_sys(err, errno, "open %s", str_cstr(&w->path));
	if (lower_is_dir && !(w->overlay && is_opaque(sub)))
		old = open_dir(lower, name);
	return walk_level(w, sub, old, below, err);
}

/* A directory that differs only in what is below it is told after that: readers sort by path. */
static int walk_name(struct walk *w, int fd, const char *name, int lower, bool *changed,
		     struct error *err)
{
	struct stat st, old;
	bool existed, self;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_sys(err, errno, "stat %s", str_cstr(&w->path));
	existed = lower >= 0 && fstatat(lower, name, &old, AT_SYMLINK_NOFOLLOW) == 0;
	if (w->overlay && S_ISCHR(st.st_mode) && st.st_rdev == 0) {
		if (existed) {
			*changed = true;
			tell(w, DELETED, NULL);
		}
		return 0;
	}
	/* In a directory of changes everything has changed, even what is equal again. */
	self = !existed || w->overlay || differs(&st, &old);
	if (self) {
		*changed = true;
		tell(w, existed ? MODIFIED : ADDED, &st);
	}
	if (S_ISDIR(st.st_mode) && w->depth < DEPTH_MAX) {
		bool below = false;

		if (walk_dir(w, fd, name, lower, existed && S_ISDIR(old.st_mode), &below, err) < 0)
			return -1;
		if (below && !self) {
			*changed = true;
			tell(w, MODIFIED, &st);
		}
	}
	return 0;
}

static int walk_level(struct walk *w, int fd, int lower, bool *changed, struct error *err)
{
	auto_strlist names = STRLIST_INIT, old = STRLIST_INIT;
	size_t len = w->path.len;
	struct stat st;

	if (list_sorted(fd, &names, err) < 0 ||
	    (!w->overlay && lower >= 0 && list_sorted(lower, &old, err) < 0))
		return -1;
	w->depth++;
	for (size_t i = 0; i < old.n; i++)
		if (fstatat(fd, old.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
			str_printf(&w->path, "/%s", old.v[i]);
			*changed = true;
			tell(w, DELETED, NULL);
			w->path.len = len;
			w->path.p[len] = '\0';
		}
	for (size_t i = 0; i < names.n; i++) {
		str_printf(&w->path, "/%s", names.v[i]);
		if (walk_name(w, fd, names.v[i], lower, changed, err) < 0)
			return -1;
		w->path.len = len;
		w->path.p[len] = '\0';
	}
	w->depth--;
	return 0;
}

static int diff(int fd, int parent, bool overlay, diff_fn *fn, void *ctx, struct error *err)
{
	struct walk w = {.fn = fn, .ctx = ctx, .overlay = overlay};
	bool changed = false;
	int r = walk_level(&w, fd, parent, &changed, err);

	str_free(&w.path);
	return r;
}

int diff_trees(int fd, int parent, diff_fn *fn, void *ctx, struct error *err)
{
	return diff(fd, parent, false, fn, ctx, err);
}

int diff_overlay(int changes, int parent, diff_fn *fn, void *ctx, struct error *err)
{
	return diff(changes, parent, true, fn, ctx, err);
}
