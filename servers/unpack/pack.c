/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See pack.h. Entries come in lexical order, a directory before what is in it. When trees are compared, a directory is written once
 * something below it differs; the rules for "differs" are moby's: mode, owner, device number, capabilities; for all but directories also
 * size and time.
 */
#include "pack.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "tar_write.h"

#include <dirent.h>
#include <dockerd/storage.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEPTH_MAX 4096

/* A directory on the way down. */
struct level {
	struct level *up;
	char *name; /* in the archive, with a trailing slash; "" for the root */
	struct stat st;
	int fd;
	bool written;
};

struct pack {
	const struct pack_options *o;
	struct sink *out;
	struct map links; /* "dev:ino" -> name in the archive */
	int depth;
};

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int list_sorted(int fd, struct strlist *names, struct error *err)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	if (!d)
		return error_sys(err, errno, "read directory");
	while ((e = readdir(d)))
		if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
			strlist_add(names, e->d_name);
	strlist_sort(names);
	return 0;
}

/* ---- one entry -------------------------------------------------------------------------------------------------------------------- */

static void add_xattr(struct tar_entry *e, const char *path, const char *name)
{
	char value[65536];
	ssize_t n = lgetxattr(path, name, value, sizeof(value));

	if (n < 0)
		return;
	e->xattrs = xreallocarray(e->xattrs, e->n_xattrs + 1, sizeof(*e->xattrs));
	e->xattrs[e->n_xattrs] =
	    (struct tar_xattr){xstrdup(name), xmalloc((size_t)n + 1), (size_t)n};
	memcpy(e->xattrs[e->n_xattrs++].value, value, (size_t)n);
}

/* What belongs to the file, not to this host: capabilities and user attributes. */
static void read_xattrs(struct tar_entry *e, int at, const char *base)
{
	char names[65536];
	ssize_t n;

	/* By the working directory: there is no call that takes a descriptor and a name, and no /proc in a container's view. */
	if (fchdir(at) < 0)
		return;
	n = llistxattr(base, names, sizeof(names));
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1)
		if (streq(names + i, "security.capability") || str_after(names + i, "user."))
			add_xattr(e, base, names + i);
}

static void free_entry(struct tar_entry *e)
{
	for (size_t i = 0; i < e->n_xattrs; i++) {
		free(e->xattrs[i].name);
		free(e->xattrs[i].value);
	}
	free(e->xattrs);
	str_free(&e->name);
	str_free(&e->linkname);
}

static bool type_from_mode(mode_t mode, enum tar_type *t)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		*t = TAR_FILE;
		return true;
	case S_IFDIR:
		*t = TAR_DIR;
		return true;
	case S_IFLNK:
		*t = TAR_SYMLINK;
		return true;
	case S_IFCHR:
		*t = TAR_CHAR;
		return true;
	case S_IFBLK:
		*t = TAR_BLOCKDEV;
		return true;
	case S_IFIFO:
		*t = TAR_FIFO;
		return true;
	default:
		return false; /* a socket means nothing without its process */
	}
}

static int put_content(struct pack *p, int fd, const struct tar_entry *e, struct error *err)
{
	int64_t n = sink_file(p->out, fd, e->size, err);

	if (n < 0)
		return error_wrap(err, "%s", str_cstr(&e->name));
	/* cut short meanwhile by a running container: the header has promised more */
	for (uint64_t left = e->size - (uint64_t)n; left;) {
		size_t now = left < SINK_BUF ? (size_t)left : SINK_BUF;

		if (sink_zeros(p->out, now, err) < 0)
			return -1;
		left -= now;
	}
	return tar_write_padding(p->out, e->size, err);
}

/* An earlier name of the same file becomes the link's target. */
static bool seen_link(struct pack *p, const struct stat *st, struct tar_entry *e)
{
	char key[64];
	const char *first;

	if (st->st_nlink < 2)
		return false;
	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino);
	first = map_get(&p->links, key);
	if (!first) {
		map_set(&p->links, key, xstrdup(str_cstr(&e->name)));
		return false;
	}
	str_puts(&e->linkname, first);
	e->type = TAR_HARDLINK;
	e->size = 0;
	return true;
}

static int fill_entry(const struct pack *p, struct tar_entry *e, int at, const char *base,
		      const struct stat *st, struct error *err)
{
	const struct idmap *m = p->o->ids;
	char target[PATH_MAX];
	ssize_t n;

	e->mode = st->st_mode & 07777;
	e->uid = m ? idmap_to_container(m->uids, m->n_uids, st->st_uid) : st->st_uid;
	e->gid = m ? idmap_to_container(m->gids, m->n_gids, st->st_gid) : st->st_gid;
	e->mtime_s = st->st_mtim.tv_sec;
	e->size = e->type == TAR_FILE ? (uint64_t)st->st_size : 0;
	e->major = major(st->st_rdev);
	e->minor = minor(st->st_rdev);
	if (e->type == TAR_SYMLINK) {
		n = readlinkat(at, base, target, sizeof(target));
		if (n < 0)
			return error_sys(err, errno, "read link %s", str_cstr(&e->name));
		str_add(&e->linkname, target, (size_t)n);
	}
	read_xattrs(e, at, base);
	return 0;
}

/* Entry for at/base, called `name` in the archive (a directory's with its slash). */
static int put_entry(struct pack *p, int at, const char *base, const char *name,
		     const struct stat *st, struct error *err)
{
	__attribute__((cleanup(free_entry))) struct tar_entry e = {0};
	auto_close fd = -1;

	if (!type_from_mode(st->st_mode, &e.type))
		return 0;
	str_puts(&e.name, name);
	if (fill_entry(p, &e, at, base, st, err) < 0)
		return -1;
	if (e.type == TAR_FILE && !seen_link(p, st, &e)) {
		struct stat now;

		fd = openat(at, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			return 0;
		if (fd < 0 || fstat(fd, &now) < 0)
			return error_sys(err, errno, "open %s", name);
		if (!S_ISREG(now.st_mode))
			return error_set(err, ERR_SYSTEM, "%s changed while it was packed", name);
	}
	if (tar_write_header(p->out, &e, err) < 0)
		return -1;
	return fd >= 0 ? put_content(p, fd, &e, err) : 0;
}

static int put_levels(struct pack *p, struct level *l, struct error *err)
{
	if (!l || l->written)
		return 0;
	if (put_levels(p, l->up, err) < 0)
		return -1;
	l->written = true;
	return *l->name ? put_entry(p, l->fd, ".", l->name, &l->st, err) : 0;
}

static int put_whiteout(struct pack *p, struct level *l, const char *hidden, const struct stat *st,
			struct error *err)
{
	struct tar_entry e = {.type = TAR_FILE, .mode = 0600};
	int r;

	if (put_levels(p, l, err) < 0)
		return -1;
	str_printf(&e.name, "%s.wh.%s", l->name, hidden);
	if (st)
		e.mtime_s = st->st_mtim.tv_sec;
	r = tar_write_header(p->out, &e, err);
	str_free(&e.name);
	return r;
}

/* ---- walking ------------------------------------------------------------------------------------------------------------------------ */

static bool same_capability(int a, int b, const char *base)
{
	char path[64 + NAME_MAX], va[256], vb[256];
	ssize_t na, nb;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", a, base);
	na = lgetxattr(path, "security.capability", va, sizeof(va));
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", b, base);
	nb = lgetxattr(path, "security.capability", vb, sizeof(vb));
	return na == nb && (na <= 0 || !memcmp(va, vb, (size_t)na));
}

static bool differs(const struct stat *a, const struct stat *b, int afd, int bfd, const char *base)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid ||
	    a->st_rdev != b->st_rdev)
		return true;
	if (!S_ISDIR(a->st_mode) &&
	    (a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	     a->st_mtim.tv_nsec != b->st_mtim.tv_nsec))
		return true;
	return !same_capability(afd, bfd, base);
}

static int pack_level(struct pack *p, struct level *l, int lower, struct error *err);

static int pack_child(struct pack *p, struct level *l, const char *base, int lower,
		      struct error *err)
{
	auto_free char *name = NULL;
	auto_close lower_dir = -1;
	struct level child = {.up = l, .fd = -1};
	struct stat st, old;
	bool compare = p->o->parent >= 0, existed = false, changed = true;
	int r;

	if (fstatat(l->fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_sys(err, errno, "stat %s%s", l->name, base);
	if (p->o->whiteouts == DOCKERD_WHITEOUT_OVERLAY && S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return put_whiteout(p, l, base, &st, err);
	if (compare && lower >= 0) {
		existed = fstatat(lower, base, &old, AT_SYMLINK_NOFOLLOW) == 0;
		changed = !existed || differs(&st, &old, l->fd, lower, base);
	}
	name = xasprintf("%s%s%s", l->name, base, S_ISDIR(st.st_mode) ? "/" : "");
	if (!S_ISDIR(st.st_mode)) {
		if (!changed)
			return 0;
		return put_levels(p, l, err) < 0 ? -1 : put_entry(p, l->fd, base, name, &st, err);
	}
	child.name = name;
	child.st = st;
	child.fd = open_dir(l->fd, base);
	if (child.fd < 0)
		return errno == ENOENT ? 0 : error_sys(err, errno, "open %s", name);
	if (existed && S_ISDIR(old.st_mode))
		lower_dir = open_dir(lower, base);
	r = changed ? put_levels(p, &child, err) : 0;
	if (r == 0)
		r = pack_level(p, &child, lower_dir, err);
	close(child.fd);
	return r;
}

static int put_deletions(struct pack *p, struct level *l, int lower, struct error *err)
{
	auto_strlist old = STRLIST_INIT;

	if (list_sorted(lower, &old, err) < 0)
		return -1;
	for (size_t i = 0; i < old.n; i++)
		if (!file_exists_at(l->fd, old.v[i]) && put_whiteout(p, l, old.v[i], NULL, err) < 0)
			return -1;
	return 0;
}

static int pack_level(struct pack *p, struct level *l, int lower, struct error *err)
{
	auto_strlist names = STRLIST_INIT;
	char opaque[8] = "";

	if (++p->depth > DEPTH_MAX)
		return error_set(err, ERR_SYSTEM, "%.200s...: more than %d directories deep",
				 l->name, DEPTH_MAX);
	if (list_sorted(l->fd, &names, err) < 0)
		return -1;
	if (p->o->whiteouts == DOCKERD_WHITEOUT_OVERLAY &&
	    fgetxattr(l->fd, "trusted.overlay.opaque", opaque, sizeof(opaque)) > 0 &&
	    opaque[0] == 'y' && put_whiteout(p, l, ".wh.opq", NULL, err) < 0)
		return -1;
	if (lower >= 0 && put_deletions(p, l, lower, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (pack_child(p, l, names.v[i], lower, err) < 0)
			return -1;
	p->depth--;
	return 0;
}

/* One name below dir, under another name in the archive. */
static int pack_path(struct pack *p, struct error *err)
{
	const char *name = p->o->name ? p->o->name : p->o->path;
	struct level l = {.fd = -1};
	struct stat st;
	int r;

	if (!streq(p->o->path, ".") && !path_is_component(p->o->path))
		return error_set(err, ERR_INVALID, "pack: \"%s\" is no single name", p->o->path);
	if (fstatat(p->o->dir, p->o->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, errno, "stat %s", p->o->path);
	if (!S_ISDIR(st.st_mode))
		return put_entry(p, p->o->dir, p->o->path, name, &st, err);
	l.fd = open_dir(p->o->dir, p->o->path);
	if (l.fd < 0)
		return error_sys(err, errno, "open %s", p->o->path);
	l.name = xasprintf("%s/", streq(name, "/") ? "" : name);
	l.st = st;
	r = put_levels(p, &l, err);
	if (r == 0)
		r = pack_level(p, &l, -1, err);
	close(l.fd);
	free(l.name);
	return r;
}

int pack_tree(const struct pack_options *o, struct sink *out, struct error *err)
{
	struct pack p = {.o = o, .out = out};
	struct level root = {.name = (char *)(uintptr_t) "", .fd = o->dir};
	int r = o->path ? pack_path(&p, err) : pack_level(&p, &root, o->parent, err);

	map_free(&p.links, free);
	return r < 0 ? -1 : tar_write_end(out, err);
}
