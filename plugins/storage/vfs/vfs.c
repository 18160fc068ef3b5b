/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfs: each layer is a full copy of its parent in a plain directory. Works on every file system; data is shared only where that can clone files.
 * On disk as moby: dir/ID; layers being made lie in tmp/ (ours). What it has in common with btrfs is in ../common/plain.h; sizes of containers
 * by project quotas of the file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <dockerd/storage.h>

#include "../common/limit.h"
#include "../common/plain.h"
#include "../common/tree.h"
#include "base/fault.h"

/* moby's words */
#define NO_QUOTAS "Filesystem does not support, or has not enabled quotas"

struct vfs {
	struct plain base;
	struct layer_limits limits;
};

/* tmp/ID with a copy of the parent; bytes: what it may hold, copies included, or 0. */
static int fill(struct vfs *vfs, const struct dockerd_layer *l, uint64_t bytes,
		struct dockerd_error *err)
{
	const struct plain *v = &vfs->base;
	int from = -1, to = tree_open(v->begun, l->id), r = 0;

	if (to < 0)
		return dockerd_fail_errno(err, errno, "open %s/tmp/%s", v->path, l->id);
	if (bytes)
		r = layer_limits_set(&vfs->limits, v->begun, to, bytes, err);
	if (r == 0 && l->parent) {
		from = tree_open(v->whole, l->parent);
		r = from < 0 ? dockerd_fail_errno(err, errno, "parent layer %s", l->parent) : 0;
		if (r == 0 && tree_copy(from, to) < 0)
			r = dockerd_fail_errno(err, errno, "copy layer %s to %s", l->parent, l->id);
	}
	if (from >= 0)
		close(from);
	close(to);
	return r;
}

static void discard(struct vfs *vfs, const char *id)
{
	uint32_t project = layer_limits_project(&vfs->limits, vfs->base.begun, id);

	if (tree_remove(vfs->base.begun, id) == 0)
		layer_limits_release(&vfs->limits, vfs->base.begun, project);
}

static int create(struct vfs *vfs, const struct dockerd_layer *l, uint64_t bytes,
		  struct dockerd_error *err)
{
	const struct plain *v = &vfs->base;

	if (plain_check_new(v, l, err) < 0)
		return -1;
	if (tree_mkdir(v->begun, l->id, 0755) < 0)
		return dockerd_fail_errno(err, errno, "mkdir %s/tmp/%s", v->path, l->id);
	FAULT("vfs.create.after-mkdir");
	if (fill(vfs, l, bytes, err) < 0) {
		discard(vfs, l->id);
		return -1;
	}
	FAULT("vfs.create.after-copy");
	return 0;
}

static int32_t vfs_prepare(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			   struct dockerd_error *err)
{
	return create(self, l, 0, err) < 0 ? -1 : plain_give_begun(self, l, out, err);
}

static int32_t vfs_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct vfs *v = self;

	if (dockerd_option_get(l->options, "size") && !v->limits.supported)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, NO_QUOTAS);
	return create(v, l, layer_limits_of(&v->limits, l), err) < 0 ? -1 : plain_commit(v, l, err);
}

static int32_t vfs_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct vfs *vfs = self;
	struct plain *v = &vfs->base;
	uint32_t project;

	if (!tree_valid_id(l->id))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'", l->id);
	/* Out of dir/ first: a half-removed tree must not look like a layer. */
	discard(vfs, l->id);
	if (renameat(v->whole, l->id, v->begun, l->id) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "remove layer %s", l->id);
	FAULT("vfs.remove.after-rename");
	project = layer_limits_project(&vfs->limits, v->begun, l->id);
	if (tree_remove(v->begun, l->id) < 0)
		return dockerd_fail_errno(err, errno, "remove %s/tmp/%s", v->path, l->id);
	layer_limits_release(&vfs->limits, v->begun, project);
	return 0;
}

static int32_t vfs_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	const struct dockerd_value *size = dockerd_option_get(a->options, "vfs.size");
	struct layer_limits q;
	int fd;

	if (!size || !size->number)
		return 0;
	fd = tree_open(AT_FDCWD, a->root);
	if (fd < 0)
		return dockerd_fail_errno(err, errno, "open %s", a->root);
	layer_limits_init(&q, fd, size);
	close(fd);
	return q.supported ? 0 : dockerd_fail(err, DOCKERD_ERR_INVALID, NO_QUOTAS);
}

static int32_t vfs_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	struct vfs *v;

	if (plain_open(a->root, "dir", "tmp", sizeof(*v), self, err) < 0)
		return -1;
	v = *self;
	layer_limits_init(&v->limits, v->base.begun, dockerd_option_get(a->options, "vfs.size"));
	return 0;
}

static const struct dockerd_option options[] = {
    {.key = "vfs.size",
     .alias = "size",
     .type = DOCKERD_OPT_SIZE,
     .scope = DOCKERD_SCOPE_DAEMON,
     .help = "what a container may hold, its image's files included, if it asks for no size (needs "
	     "project quotas: prjquota)"},
    {.key = "size",
     .type = DOCKERD_OPT_SIZE,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "what the container may hold, its image's files included (needs project quotas: "
	     "prjquota)"},
};

static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(struct dockerd_storage_ops),
	       .probe = vfs_probe,
	       .open = vfs_open,
	       .close = plain_close},
    .prepare = vfs_prepare,
    .commit = plain_commit,
    .create_rw = vfs_create_rw,
    .mount = plain_mount,
    .unmount = plain_unmount,
    .remove = vfs_remove,
    .exists = plain_exists,
    .list = plain_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "vfs", .version = PACKAGE_VERSION,
	       .description = "layers as full copies, for file systems that offer nothing better",
	       .concurrency = DOCKERD_PER_OBJECT,
	       .capabilities = DOCKERD_STORAGE_CAP_QUOTA | DOCKERD_STORAGE_CAP_LAST_RESORT,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
