/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See extract.h. Order for each file: content, owner, mode (chown clears set-id bits), extended attributes (chown clears capabilities), times;
 * times of directories last of all, deepest first.
 */
#include "extract.h"

#include "ahead.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "closer.h"
#include "nameset.h"
#include "proto/unpack.h"
#include "split.h"
#include "tar_read.h"

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

#define LARGE_BLOCKS 512         /* of 512 bytes */
#define WRITE_EARLY (128 * 1024) /* bytes; smaller files are better written together */

struct dir_time {
	char *path;
	struct timespec mtime;
};

struct extract {
	const struct extract_options *o;
	struct tar_reader tar;
	struct split_writer split;
	struct nameset names;
	struct dir_time *dirs;
	size_t n_dirs;
	char *parent_path; /* of the cached descriptor */
	int parent;        /* O_PATH */
	struct extract_result result;
};

/* Where an entry goes: cleaned name, and its last part below an open parent. */
struct place {
	char *path; /* relative, "." for the root */
	const char *base;
	int parent; /* borrowed from the cache */
};

static bool files_only(const struct extract *x)
{
	return x->o->flags & UNPACK_FLAG_FILES_ONLY;
}

static void forget_parent(struct extract *x)
{
	fd_close(&x->parent);
	free(x->parent_path);
	x->parent_path = NULL;
}

/* "a/b" of an entry's name, below the place where the archive goes, or NULL with err if it leads out of that. */
static char *clean_name(const struct extract *x, const char *name, const char *what,
			struct error *err)
{
	auto_free char *clean = path_clean(name);
	const char *rest = *clean == '/' ? clean + 1 : clean;

	if (streq(clean, "..") || str_after(clean, "../")) {
		error_set(err, ERR_INVALID, "invalid %s \"%s\"", what, name);
		return NULL;
	}
	if (str_empty(x->o->below))
		return xstrdup(*rest ? rest : ".");
	return *rest && !streq(rest, ".") ? xasprintf("%s/%s", x->o->below, rest)
					  : xstrdup(x->o->below);
}

static int open_parent(struct extract *x, struct place *p, struct error *err)
{
	size_t len = (size_t)(p->base - p->path);
	auto_free char *dir = len ? xstrndup(p->path, len - 1) : xstrdup(".");

	if (x->parent_path && streq(x->parent_path, dir)) {
		p->parent = x->parent;
		return 0;
	}
	forget_parent(x);
	x->parent = open_in_root(x->o->root, dir, O_PATH | O_DIRECTORY, 0);
	if (x->parent < 0 && errno == ENOENT)
		x->parent = make_dir_in_root(x->o->root, dir, files_only(x) ? 0700 : 0755, err);
	else if (x->parent < 0)
		error_sys(err, errno, "open %s", dir);
	if (x->parent < 0)
		return -1;
	x->parent_path = steal_ptr(&dir);
	p->parent = x->parent;
	return 0;
}

static int remove_existing(const struct place *p, const char *base, struct error *err)
{
	if (unlinkat(p->parent, base, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return error_sys(err, errno, "remove %s", p->path);
	return dir_remove_all(p->parent, base, err);
}

/* A large file's blocks are given back while we go on. */
static int remove_file(const struct place *p, const struct stat *st, struct error *err)
{
	auto_close fd = -1;

	if (st->st_blocks >= LARGE_BLOCKS)
		fd = openat(p->parent, p->base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (remove_existing(p, p->base, err) < 0)
		return -1;
	if (fd >= 0)
		closer_add(steal_fd(&fd), false);
	return 0;
}

/* Without the slash that archives put behind directories. */
static int bare_length(const struct str *name)
{
	size_t n = name->len;

	while (n > 1 && name->p[n - 1] == '/')
		n--;
	return (int)n;
}

/* Makes room for the entry. 1: a directory is there already and stays, 0: nothing is there. */
static int make_room(struct extract *x, const struct place *p, struct error *err)
{
	struct stat st;

	if (fstatat(p->parent, p->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_sys(err, errno, "stat %s", p->path);
	if (S_ISDIR(st.st_mode) && x->tar.e.type == TAR_DIR)
		return 1;
	if (S_ISDIR(st.st_mode) && (x->o->flags & UNPACK_FLAG_KEEP_DIRS))
		return error_set(err, ERR_INVALID,
				 "cannot overwrite directory \"%s\" with non-directory \"/%s\"",
				 str_cstr(&x->tar.e.name),
				 str_empty(x->o->below) ? "" : x->o->below);
	if (!S_ISDIR(st.st_mode) && x->tar.e.type == TAR_DIR &&
	    (x->o->flags & UNPACK_FLAG_KEEP_DIRS))
		return error_set(err, ERR_INVALID,
				 "cannot overwrite non-directory \"%.*s\" with directory \"/%s\"",
				 bare_length(&x->tar.e.name), str_cstr(&x->tar.e.name),
				 str_empty(x->o->below) ? "" : x->o->below);
	return S_ISREG(st.st_mode) ? remove_file(p, &st, err) : remove_existing(p, p->base, err);
}

/* ---- metadata ------------------------------------------------------------------------------------------------------------------ */

static int set_xattr(struct extract *x, const struct place *p, const struct tar_xattr *a,
		     struct error *err)
{
	auto_close target = -1;

	if (str_after(a->name, "trusted.overlay."))
		return 0; /* those steer the storage driver: never an image's to set */
	/* By the working directory: there is no call that takes a descriptor and a name, and no /proc in a container's view. */
	if (fchdir(p->parent) < 0)
		return error_sys(err, errno, "enter the directory of %s", p->path);
	if (lsetxattr(p->base, a->name, a->value, a->len, 0) == 0)
		return 0;
	if (errno == EPERM && (str_after(a->name, "trusted.") || str_after(a->name, "security.")) &&
	    x->o->mark) {
		target = openat(p->parent, p->base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (target < 0)
			return error_sys(err, errno, "open %s", p->path);
		return x->o->mark(x->o->mark_ctx, target, a->name, a->value, a->len, err);
	}
	/* As moby: a file system without such attributes, or a user. attribute on what can't have one, is no failure. */
	if (errno == ENOTSUP || errno == EPERM)
		return 0;
	return error_sys(err, errno, "set attribute %s of %s", a->name, p->path);
}

static struct timespec mtime_of(const struct tar_entry *e)
{
	return (struct timespec){.tv_sec = (time_t)e->mtime_s, .tv_nsec = e->mtime_ns};
}

/*
 * Of what lies there now, if it is still of that type: a container may have put a symlink or a device in its place, so it is not opened, let alone
 * followed. (fchmodat2(2) can do without /proc from Linux 6.6 on.)
 */
static int set_mode_unopened(const struct place *p, const struct tar_entry *e)
{
	auto_close fd = openat(p->parent, p->base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[64];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (e->type == TAR_DIR ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fchmodat(AT_FDCWD, path, e->mode, 0);
}

/* What we have just made is no symlink but in the symlink case; unless somebody is at work there as well. Nodes have their mode from the start. */
static int set_mode(struct extract *x, const struct place *p)
{
	const struct tar_entry *e = &x->tar.e;
	auto_close fd = -1;

	if (e->type == TAR_SYMLINK)
		return 0;
	if (!(x->o->flags & (UNPACK_FLAG_IN_USE | UNPACK_FLAG_SHARED)))
		return fchmodat(p->parent, p->base, e->mode, 0);
	if (e->type != TAR_FILE && e->type != TAR_DIR)
		return 0;
	if (x->o->flags & UNPACK_FLAG_SHARED)
		return set_mode_unopened(p, e);
	/* in a view, where nothing is a device and there is no /proc */
	fd = openat(p->parent, p->base,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
			(e->type == TAR_DIR ? O_DIRECTORY : 0));
	return fd < 0 ? -1 : fchmod(fd, e->mode);
}

/* moby's words */
static int host_ids(const struct extract *x, uid_t *uid, gid_t *gid, struct error *err)
{
	const struct idmap *m = x->o->ids;
	uint32_t wrong = *uid;

	if (!m)
		return 0;
	if (idmap_to_host(m->uids, m->n_uids, *uid, uid)) {
		wrong = *gid;
		if (idmap_to_host(m->gids, m->n_gids, *gid, gid))
			return 0;
	}
	return error_set(err, ERR_SYSTEM, "Container ID %u cannot be mapped to a host ID", wrong);
}

static int set_metadata(struct extract *x, const struct place *p, struct error *err)
{
	const struct tar_entry *e = &x->tar.e;
	struct timespec times[2] = {mtime_of(e), mtime_of(e)};
	uid_t uid = x->o->owner ? (uid_t)(*x->o->owner >> 32) : e->uid;
	gid_t gid = x->o->owner ? (gid_t)*x->o->owner : e->gid;

	if (files_only(x))
		return 0;
	if (host_ids(x, &uid, &gid, err) < 0)
		return -1;
	if (fchownat(p->parent, p->base, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, errno, "chown %s to %u:%u", p->path, uid, gid);
	if (set_mode(x, p) < 0)
		return error_sys(err, errno, "chmod %s", p->path);
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (set_xattr(x, p, &e->xattrs[i], err) < 0)
			return -1;
	if (e->type == TAR_DIR) {
		if ((x->n_dirs & (x->n_dirs + 1)) == 0)
			x->dirs = xreallocarray(x->dirs, x->n_dirs * 2 + 2, sizeof(*x->dirs));
		x->dirs[x->n_dirs++] = (struct dir_time){xstrdup(p->path), times[1]};
		return 0;
	}
	if (utimensat(p->parent, p->base, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, errno, "set times of %s", p->path);
	return 0;
}

static int set_dir_times(struct extract *x, struct error *err)
{
	for (size_t i = x->n_dirs; i-- > 0;) {
		struct timespec times[2] = {x->dirs[i].mtime, x->dirs[i].mtime};
		auto_close fd = open_in_root(x->o->root, x->dirs[i].path,
					     O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

		/* A later entry may have replaced the directory. */
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
			continue;
		if (fd < 0 || futimens(fd, times) < 0)
			return error_sys(err, errno, "set times of %s", x->dirs[i].path);
	}
	return 0;
}

/* ---- kinds of entries ------------------------------------------------------------------------------------------------------------ */

static int write_at(int fd, const void *data, size_t n, uint64_t off)
{
	const char *p = data;

	while (n) {
		ssize_t w = pwrite(fd, p, n, (off_t)off);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		off += (uint64_t)w;
		n -= (size_t)w;
	}
	return 0;
}

/* Content that nobody has to see. 0: there is none, or no more. */
static int64_t pass(struct extract *x, int fd, uint64_t *at, struct error *err)
{
	int64_t n = 0;

	while (!x->tar.e.sparse && !x->split.out && (n = tar_pass(&x->tar, fd, at, err)) > 0)
		;
	return n < 0 ? error_wrap(err, "write %s", str_cstr(&x->tar.e.name)) : 0;
}

/* Stored bytes to their place. Of a sparse file the stored bytes count as raw, since tar-split has no holes. */
static int write_content(struct extract *x, int fd, uint64_t *crc, struct error *err)
{
	struct tar_entry *e = &x->tar.e;
	const unsigned char *p;
	uint64_t at = 0, in_piece = 0;
	size_t piece = 0;
	int64_t n;

	while ((n = pass(x, fd, &at, err)) == 0 && (n = tar_data(&x->tar, &p, err)) > 0) {
		if (!e->sparse) {
			if (x->split.out)
				*crc = crc64_iso(*crc, p, (size_t)n);
			if (write_at(fd, p, (size_t)n, at) < 0)
				return error_sys(err, errno, "write %s", str_cstr(&e->name));
			at += (uint64_t)n;
			continue;
		}
		if (split_raw(&x->split, p, (size_t)n, err) < 0)
			return -1;
		while (n > 0 && piece < e->n_pieces) {
			uint64_t left = e->pieces[piece].len - in_piece,
				 now = left < (uint64_t)n ? left : (uint64_t)n;

			if (write_at(fd, p, (size_t)now, e->pieces[piece].offset + in_piece) < 0)
				return error_sys(err, errno, "write %s", str_cstr(&e->name));
			p += now;
			n -= (int64_t)now;
			in_piece += now;
			if (in_piece == e->pieces[piece].len) {
				piece++;
				in_piece = 0;
			}
		}
	}
	return n < 0 ? -1 : 0;
}

static int make_file(struct extract *x, const struct place *p, uint64_t *crc, struct error *err)
{
	struct tar_entry *e = &x->tar.e;
	auto_close fd = openat(
	    p->parent, p->base,
	    (files_only(x) ? O_RDWR : O_WRONLY) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_sys(err, errno, "create %s", p->path);
	if (write_content(x, fd, crc, err) < 0)
		return -1;
	if (e->sparse && ftruncate(fd, (off_t)e->size) < 0)
		return error_sys(err, errno, "set size of %s", p->path);
	x->result.bytes += e->size;
	if (files_only(x))
		ahead_add(fd);
	if (x->o->split >= 0 && e->size >= WRITE_EARLY)
		closer_add(steal_fd(&fd), true);
	return 0;
}

static int make_hardlink(struct extract *x, const struct place *p, struct error *err)
{
	auto_free char *target =
	    clean_name(x, str_cstr(&x->tar.e.linkname), "hardlink target", err);
	auto_free char *dir = NULL;
	auto_close fd = -1;
	const char *base;

	if (!target)
		return -1;
	base = path_base(target);
	dir = base > target ? xstrndup(target, (size_t)(base - target) - 1) : xstrdup(".");
	fd = open_in_root(x->o->root, dir, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 || linkat(fd, base, p->parent, p->base, 0) < 0)
		return error_sys(err, errno, "link %s to %s", p->path, target);
	return 0;
}

static int make_node(struct extract *x, const struct place *p, struct error *err)
{
	const struct tar_entry *e = &x->tar.e;
	mode_t kind = e->type == TAR_CHAR ? S_IFCHR : e->type == TAR_BLOCKDEV ? S_IFBLK : S_IFIFO;

	if (files_only(x))
		return error_set(err, ERR_INVALID, "unexpected device or pipe %s in the archive",
				 p->path);
	if (mknodat(p->parent, p->base, kind | (e->mode & 07777),
		    kind == S_IFIFO ? 0 : makedev(e->major, e->minor)) < 0)
		return error_sys(err, errno, "make device %s", p->path);
	return 0;
}

static int make_entry(struct extract *x, const struct place *p, uint64_t *crc, struct error *err)
{
	const struct tar_entry *e = &x->tar.e;
	int there = make_room(x, p, err);

	if (there < 0)
		return -1;
	switch (e->type) {
	case TAR_FILE:
		if (make_file(x, p, crc, err) < 0)
			return -1;
		break;
	case TAR_DIR:
		if (!there && mkdirat(p->parent, p->base, 0700) < 0)
			return error_sys(err, errno, "mkdir %s", p->path);
		break;
	case TAR_HARDLINK:
		return make_hardlink(x, p, err); /* its metadata is the target's */
	case TAR_SYMLINK:
		if (symlinkat(str_cstr(&e->linkname), p->parent, p->base) < 0)
			return error_sys(err, errno, "symlink %s", p->path);
		x->result.bytes += e->linkname.len; /* as stat counts it */
		break;
	case TAR_CHAR:
	case TAR_BLOCKDEV:
	case TAR_FIFO:
		if (make_node(x, p, err) < 0)
			return -1;
		break;
	case TAR_GLOBAL:
		return 0;
	case TAR_OTHER:
		return error_set(err, ERR_INVALID, "unhandled tar header type %d of %s", e->flag,
				 p->path);
	}
	return set_metadata(x, p, err);
}

/* ---- whiteouts --------------------------------------------------------------------------------------------------------------------- */

/* A full tree: what was below the directory before this archive goes, what the archive brought stays. */
static int clear_lower_content(struct extract *x, const struct place *p, struct error *err)
{
	int fd = openat(p->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return error_sys(err, errno, "read directory of %s", p->path);
	while ((e = readdir(d))) {
		auto_free char *path = NULL;

		if (streq(e->d_name, ".") || streq(e->d_name, ".."))
			continue;
		path = xasprintf("%.*s%s", (int)(p->base - p->path), p->path, e->d_name);
		if (!nameset_has(&x->names, path) && dir_remove_all(p->parent, e->d_name, err) < 0)
			return -1;
	}
	return 0;
}

static int make_opaque(struct extract *x, const struct place *p, struct error *err)
{
	if (x->o->whiteouts == DOCKERD_WHITEOUT_NONE)
		return clear_lower_content(x, p, err);
	if (!x->o->mark)
		return error_set(err, ERR_SYSTEM, "opaque directory of %s can't be marked",
				 p->path);
	return x->o->mark(x->o->mark_ctx, p->parent, "trusted.overlay.opaque", "y", 1, err);
}

static int make_whiteout(struct extract *x, const struct place *p, struct error *err)
{
	const char *hidden = p->base + 4;
	uid_t uid = x->tar.e.uid;
	gid_t gid = x->tar.e.gid;

	if (streq(p->base, ".wh..wh.opq"))
		return make_opaque(x, p, err);
	if (str_after(hidden, ".wh."))
		return 0; /* bookkeeping of aufs */
	if (!path_is_component(hidden))
		return error_set(err, ERR_INVALID, "invalid whiteout \"%s\"", p->path);
	if (remove_existing(p, hidden, err) < 0)
		return -1;
	if (x->o->whiteouts == DOCKERD_WHITEOUT_NONE)
		return 0;
	if (host_ids(x, &uid, &gid, err) < 0)
		return -1;
	if (mknodat(p->parent, hidden, S_IFCHR, 0) < 0 ||
	    fchownat(p->parent, hidden, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, errno, "make whiteout %s", p->path);
	return 0;
}

/* ---- the loop ------------------------------------------------------------------------------------------------------------------------ */

static int extract_root_entry(struct extract *x, struct error *err)
{
	struct place p = {.path = (char *)(uintptr_t) ".", .base = ".", .parent = x->o->root};

	/* moby leaves the root of an overlay layer alone, and takes it into a full tree. */
	if (x->tar.e.type != TAR_DIR || x->o->whiteouts == DOCKERD_WHITEOUT_OVERLAY ||
	    (x->o->flags & UNPACK_FLAG_IN_USE))
		return 0;
	return set_metadata(x, &p, err);
}

static int extract_one(struct extract *x, uint64_t *crc, struct error *err)
{
	const struct tar_entry *e = &x->tar.e;
	struct place p = {0};
	auto_free char *path = NULL;
	bool fresh;

	if (e->type == TAR_GLOBAL)
		return 0;
	path = clean_name(x, str_cstr(&e->name), "entry name", err);
	if (!path)
		return -1;
	if (streq(path, str_empty(x->o->below) ? "." : x->o->below))
		return extract_root_entry(x, err);
	p.path = path;
	p.base = path_base(path);
	if (strlen(p.base) > NAME_MAX)
		return error_set(err, ERR_INVALID, "name too long: %.300s", path);
	fresh = nameset_add(&x->names, path);
	if (!fresh && x->split.out && e->type != TAR_DIR)
		return error_set(err, ERR_INVALID, "duplicates of file paths not supported: %s",
				 path);
	if (open_parent(x, &p, err) < 0)
		return error_wrap(err, "%s", path);
	if (x->o->whiteouts != DOCKERD_WHITEOUT_AUFS && str_after(p.base, ".wh."))
		return make_whiteout(x, &p, err);
	return make_entry(x, &p, crc, err);
}

/* Content that nobody took (of whiteouts, unknown kinds) has to come back at assembly: as raw. */
static int keep_unread(struct extract *x, struct error *err)
{
	const unsigned char *p;
	int64_t n;

	while ((n = tar_data(&x->tar, &p, err)) > 0)
		if (split_raw(&x->split, p, (size_t)n, err) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

static int extract_all(struct extract *x, struct error *err)
{
	const struct tar_entry *e = &x->tar.e;
	int r;

	while ((r = tar_next(&x->tar, err)) > 0) {
		bool whole = e->type == TAR_FILE && !e->sparse && e->data_left;
		uint64_t crc = 0;

		if (x->o->max_entries && x->result.entries >= x->o->max_entries)
			return error_set(err, ERR_TOO_LARGE, "archive has more than %llu entries",
					 (unsigned long long)x->o->max_entries);
		x->result.entries++;
		if (!whole && split_file(&x->split, &e->name, 0, 0, err) < 0)
			return -1;
		if (whole && str_after(path_base(str_cstr(&e->name)), ".wh.") &&
		    x->o->whiteouts != DOCKERD_WHITEOUT_AUFS) {
			whole =
			    false; /* a whiteout with content: it has no file to come back from */
			if (split_file(&x->split, &e->name, 0, 0, err) < 0)
				return -1;
		}
		if (extract_one(x, &crc, err) < 0)
			return -1;
		if (whole && split_file(&x->split, &e->name, e->size, crc, err) < 0)
			return -1;
		if (keep_unread(x, err) < 0)
			return -1;
	}
	if (r < 0 || split_flush(&x->split, err) < 0 || tar_finish(&x->tar, err) < 0 ||
	    split_finish(&x->split, err) < 0)
		return -1;
	return set_dir_times(x, err);
}

int extract_archive(struct stream *in, const struct extract_options *o, struct extract_result *out,
		    struct error *err)
{
	struct extract x = {.o = o, .parent = -1};
	int r;

	tar_reader_init(&x.tar, in);
	x.tar.raw = split_raw;
	x.tar.raw_ctx = &x.split;
	split_writer_init(&x.split, o->split);
	r = extract_all(&x, err);
	closer_wait();
	*out = x.result;
	tar_reader_free(&x.tar);
	split_writer_free(&x.split);
	nameset_free(&x.names);
	forget_parent(&x);
	for (size_t i = 0; i < x.n_dirs; i++)
		free(x.dirs[i].path);
	free(x.dirs);
	return r;
}
