/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfs: each layer is a full copy of its parent in a plain directory. Works on every file system; data is shared only where that can clone files.
 * On disk as moby: dir/ID. A layer being made lies in tmp/ID (ours) and gets its place by rename, so what is in dir/ is whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dockerd/storage.h>

#include "../common/tree.h"
#include "base/fault.h"

/* Constant after open; the daemon guarantees one call at a time per layer. */
struct vfs {
	int dir, tmp; /* root/dir, root/tmp */
	char *path;   /* of the root */
};

static int check_ids(const struct dockerd_layer *l, struct dockerd_error *err)
{
	if (!tree_valid_id(l->id))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'",
				    l->id ? l->id : "");
	if (l->parent && !tree_valid_id(l->parent))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid parent layer id '%s'",
				    l->parent);
	return 0;
}

static int give_dir(const struct vfs *v, const char *sub, const char *id,
		    struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	int n = snprintf(out->path, sizeof(out->path), "%s/%s/%s", v->path, sub, id);

	if (n < 0 || (size_t)n >= sizeof(out->path))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "path of layer %s is too long", id);
	out->whiteouts = DOCKERD_WHITEOUT_NONE;
	out->fd = tree_open(AT_FDCWD, out->path);
	return out->fd < 0 ? dockerd_fail_errno(err, errno, "open %s", out->path) : 0;
}

/* tmp/ID with a copy of the parent. */
static int fill(const struct vfs *v, const struct dockerd_layer *l, struct dockerd_error *err)
{
	int from = -1, to = tree_open(v->tmp, l->id), r = 0;

	if (to < 0)
		return dockerd_fail_errno(err, errno, "open %s/tmp/%s", v->path, l->id);
	if (l->parent) {
		from = tree_open(v->dir, l->parent);
		r = from < 0 ? dockerd_fail_errno(err, errno, "parent layer %s", l->parent) : 0;
		if (r == 0 && tree_copy(from, to) < 0)
			r = dockerd_fail_errno(err, errno, "copy layer %s to %s", l->parent, l->id);
	}
	if (from >= 0)
		close(from);
	close(to);
	return r;
}

static int create(struct vfs *v, const struct dockerd_layer *l, struct dockerd_error *err)
{
	if (check_ids(l, err) < 0)
		return -1;
	if (tree_exists(v->dir, l->id))
		return dockerd_fail(err, DOCKERD_ERR_CONFLICT, "layer %s already exists", l->id);
	if (tree_mkdir(v->tmp, l->id, 0755) < 0) {
		if (errno == EEXIST)
			return dockerd_fail(err, DOCKERD_ERR_CONFLICT, "layer %s already exists",
					    l->id);
		return dockerd_fail_errno(err, errno, "mkdir %s/tmp/%s", v->path, l->id);
	}
	FAULT("vfs.create.after-mkdir");
	if (fill(v, l, err) < 0) {
		tree_remove(v->tmp, l->id);
		return -1;
	}
	FAULT("vfs.create.after-copy");
	return 0;
}

static int32_t vfs_prepare(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			   struct dockerd_error *err)
{
	return create(self, l, err) < 0 ? -1 : give_dir(self, "tmp", l->id, out, err);
}

static int32_t vfs_commit(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct vfs *v = self;

	if (check_ids(l, err) < 0)
		return -1;
	FAULT("vfs.commit.before");
	if (renameat(v->tmp, l->id, v->dir, l->id) < 0)
		return dockerd_fail_errno(err, errno, "commit layer %s", l->id);
	return 0;
}

static int32_t vfs_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	const struct dockerd_value *size = dockerd_option_get(l->options, "size");

	if (size && size->number)
		return dockerd_fail(err, DOCKERD_ERR_NOT_IMPLEMENTED,
				    "--storage-opt size=%s: vfs does not support quotas yet",
				    size->text);
	return create(self, l, err) < 0 ? -1 : vfs_commit(self, l, err);
}

static int32_t vfs_mount(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			 struct dockerd_error *err)
{
	return check_ids(l, err) < 0 ? -1 : give_dir(self, "dir", l->id, out, err);
}

static int32_t vfs_unmount(void *self, const char *id, struct dockerd_error *err)
{
	(void)self, (void)id, (void)err;
	return 0;
}

static int32_t vfs_remove(void *self, const char *id, struct dockerd_error *err)
{
	struct vfs *v = self;

	if (!tree_valid_id(id))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'", id);
	/* Out of dir/ first: a half-removed tree must not look like a layer. */
	tree_remove(v->tmp, id);
	if (renameat(v->dir, id, v->tmp, id) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "remove layer %s", id);
	FAULT("vfs.remove.after-rename");
	if (tree_remove(v->tmp, id) < 0)
		return dockerd_fail_errno(err, errno, "remove %s/tmp/%s", v->path, id);
	return 0;
}

static int32_t vfs_exists(void *self, const char *id, struct dockerd_error *err)
{
	(void)err;
	return tree_valid_id(id) && tree_exists(((struct vfs *)self)->dir, id);
}

static int32_t vfs_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	struct vfs *v = self;

	if (tree_list(v->dir, NULL, to) < 0 || tree_list(v->tmp, NULL, to) < 0)
		return dockerd_fail_errno(err, errno, "read %s", v->path);
	return 0;
}

static int32_t vfs_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	(void)a, (void)err;
	return 0;
}

static void vfs_close(void *self)
{
	struct vfs *v = self;

	if (v->dir >= 0)
		close(v->dir);
	if (v->tmp >= 0)
		close(v->tmp);
	free(v->path);
	free(v);
}

/* root/name, made if need be. */
static int open_sub(const char *root, const char *name)
{
	int fd = tree_open(AT_FDCWD, root), sub = -1;

	if (fd < 0)
		return -1;
	if (tree_mkdir(fd, name, 0710) == 0 || errno == EEXIST)
		sub = tree_open(fd, name);
	close(fd);
	return sub;
}

static int32_t vfs_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	struct vfs *v = calloc(1, sizeof(*v));

	if (!v)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "out of memory");
	v->path = strdup(a->root);
	v->dir = open_sub(a->root, "dir");
	v->tmp = open_sub(a->root, "tmp");
	if (!v->path || v->dir < 0 || v->tmp < 0) {
		dockerd_fail_errno(err, errno, "open %s", a->root);
		vfs_close(v);
		return -1;
	}
	*self = v;
	return 0;
}

static const struct dockerd_option options[] = {
    {.key = "size",
     .type = DOCKERD_OPT_SIZE,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "quota of the container (not supported yet)"},
};

static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(struct dockerd_storage_ops),
	       .probe = vfs_probe,
	       .open = vfs_open,
	       .close = vfs_close},
    .prepare = vfs_prepare,
    .commit = vfs_commit,
    .create_rw = vfs_create_rw,
    .mount = vfs_mount,
    .unmount = vfs_unmount,
    .remove = vfs_remove,
    .exists = vfs_exists,
    .list = vfs_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "vfs", .version = PACKAGE_VERSION,
	       .description = "layers as full copies, for file systems that offer nothing better",
	       .concurrency = DOCKERD_PER_OBJECT, DOCKERD_OPTIONS(options), .ops = &ops.common);
