/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflink: a storage driver of a third party, for file systems that share file data between copies (XFS, btrfs, bcachefs): a layer is a plain
 * directory with all that its parent has, and costs its inodes only. It needs no mounts, so it works where those are forbidden.
 *
 * layers/ID is whole; new/ID is being made, or removed. rename(2) takes a layer from one to the other, so a kill at any moment leaves the one or the other.
 * cp(1) and rm(1) of coreutils do the walking, by the daemon's service `run`: they keep what there is to keep, and follow nothing.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_TMPFILE */
#endif
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dockerd/storage.h>

#define DEADLINE_MS \
	600000 /* a large image on a slow disk; the daemon tells of calls that take long */

struct reflink {
	const struct dockerd_host *host;
	int layers, fresh; /* the two directories */
	char path[4000];   /* above them */
};

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int run(const struct reflink *r, const char *const *argv, struct dockerd_error *err)
{
	char said[400];
	int32_t status;

	if (r->host->run(r->host, argv, DEADLINE_MS, said, sizeof(said), &status, err) < 0)
		return -1;
	return status ? dockerd_fail(err, DOCKERD_ERR_SYSTEM, "%s failed: %s", argv[0], said) : 0;
}

/* All of layers/PARENT into new/ID, which is there: owners, modes, attributes, times, hard links, devices; file data is shared, or it fails. */
static int copy_layer(const struct reflink *r, const char *parent, const char *id,
		      struct dockerd_error *err)
{
	char from[4096], to[4096];
	const char *const argv[] = {"/bin/cp", "-a", "--reflink=always", "--", from, to, NULL};

	snprintf(from, sizeof(from), "%s/layers/%s/.", r->path, parent);
	snprintf(to, sizeof(to), "%s/new/%s", r->path, id);
	return run(r, argv, err);
}

/* new/ID, where what is not whole lies; absent: success. */
static int remove_fresh(const struct reflink *r, const char *id, struct dockerd_error *err)
{
	char path[4096];
	const char *const argv[] = {"/bin/rm", "-rf", "--one-file-system", "--", path, NULL};

	snprintf(path, sizeof(path), "%s/new/%s", r->path, id);
	return faccessat(r->fresh, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : run(r, argv, err);
}

/* ---- Operations: the daemon makes one call at a time for each layer (DOCKERD_PER_OBJECT). ---- */

/* An id goes into a path: the daemon's are fine, but a driver relies on nothing. */
static int check_id(const char *id, struct dockerd_error *err)
{
	if (id && *id && *id != '.' && !strchr(id, '/') && strlen(id) <= 128)
		return 0;
	return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'", id ? id : "");
}

static int give(const struct reflink *r, const char *sub, const char *id,
		struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	snprintf(out->path, sizeof(out->path), "%s/%s/%s", r->path, sub, id);
	out->whiteouts = DOCKERD_WHITEOUT_NONE; /* a whole tree: the daemon deletes files itself */
	out->fd = open_dir(AT_FDCWD, out->path);
	return out->fd < 0 ? dockerd_fail_errno(err, errno, "layer %s", id) : 0;
}

static int begin(const struct reflink *r, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};

	if (check_id(l->id, err) < 0 || (l->parent && check_id(l->parent, err) < 0))
		return -1;
	if (faccessat(r->layers, l->id, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	    mkdirat(r->fresh, l->id, 0755) < 0)
		return dockerd_fail(err, DOCKERD_ERR_CONFLICT, "layer %s exists, or can't be made",
				    l->id);
	fchmodat(r->fresh, l->id, 0755, 0); /* whatever the umask */
	if (!l->parent || copy_layer(r, l->parent, l->id, err) == 0)
		return 0;
	remove_fresh(r, l->id, &ignored);
	return -1;
}

static int32_t op_prepare(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			  struct dockerd_error *err)
{
	return begin(self, l, err) < 0 ? -1 : give(self, "new", l->id, out, err);
}

static int32_t op_commit(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct reflink *r = self;

	return renameat(r->fresh, l->id, r->layers, l->id) < 0
		   ? dockerd_fail_errno(err, errno, "commit layer %s", l->id)
		   : 0;
}

static int32_t op_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	return begin(self, l, err) < 0 ? -1 : op_commit(self, l, err);
}

static int32_t op_mount(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			struct dockerd_error *err)
{
	return check_id(l->id, err) < 0 ? -1 : give(self, "layers", l->id, out, err);
}

static int32_t op_unmount(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	(void)self, (void)l, (void)err; /* there is no mount */
	return 0;
}

static int32_t op_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct reflink *r = self;

	if (check_id(l->id, err) < 0)
		return -1;
	if (remove_fresh(r, l->id, err) < 0) /* half-made, or half-removed */
		return -1;
	if (renameat(r->layers, l->id, r->fresh, l->id) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "remove layer %s", l->id);
	return remove_fresh(r, l->id, err);
}

static int32_t op_exists(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	return check_id(l->id, err) == 0 &&
	       faccessat(((struct reflink *)self)->layers, l->id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int32_t op_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	struct reflink *r = self;

	for (int i = 0; i < 2; i++) {
		int fd = open_dir(i ? r->fresh : r->layers, ".");
		DIR *d = fd < 0 ? NULL : fdopendir(fd);
		struct dirent *e;

		if (!d)
			return dockerd_fail_errno(err, errno, "read %s", r->path);
		while ((e = readdir(d)))
			if (e->d_name[0] != '.')
				to->row(to, e->d_name, "");
		closedir(d);
	}
	return 0;
}

static int32_t op_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	int at = open_dir(AT_FDCWD, a->root),
	    x = openat(at, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
	    y = openat(at, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), r = -1;

	if (x >= 0 && y >= 0 && write(x, "x", 1) == 1)
		r = ioctl(y, FICLONE, x);
	if (r < 0)
		dockerd_fail(err, DOCKERD_ERR_UNSUITABLE,
			     "%s: %s: its file system does not share data between files (XFS, "
			     "btrfs and bcachefs do)",
			     a->root, strerror(errno));
	close(x), close(y), close(at);
	return r;
}

static void op_close(void *self)
{
	struct reflink *r = self;

	close(r->layers);
	close(r->fresh);
	free(r);
}

static int32_t op_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	struct reflink *r = calloc(1, sizeof(*r));
	int at = open_dir(AT_FDCWD, a->root);

	if (!r || at < 0 || !DOCKERD_HAS(a->host, run) ||
	    strlen(a->root) >= sizeof(r->path) - 200) {
		free(r);
		close(at);
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "open %s: %s", a->root,
				    strerror(errno));
	}
	r->host = a->host;
	strcpy(r->path, a->root);
	mkdirat(at, "layers", 0700); /* there already: fine; anything else shows at once */
	mkdirat(at, "new", 0700);
	r->layers = open_dir(at, "layers");
	r->fresh = open_dir(at, "new");
	close(at);
	if (r->layers >= 0 && r->fresh >= 0) {
		*self = r;
		return 0;
	}
	op_close(r);
	return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "make %s/layers and %s/new: %s", a->root,
			    a->root, strerror(errno));
}

static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(ops), .probe = op_probe, .open = op_open, .close = op_close},
    .prepare = op_prepare,
    .commit = op_commit,
    .create_rw = op_create_rw,
    .mount = op_mount,
    .unmount = op_unmount,
    .remove = op_remove,
    .exists = op_exists,
    .list = op_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "reflink", .version = "1.0",
	       .description = "layers as directories that share file data (XFS, btrfs)",
	       .concurrency = DOCKERD_PER_OBJECT, .ops = &ops.common);
