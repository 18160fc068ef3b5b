/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfs: each layer is a full copy of its parent in a plain directory. Works on every file system; data is shared only where that can clone files.
 * On disk as moby: dir/ID; layers being made lie in tmp/ (ours). What it has in common with btrfs is in ../common/plain.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <dockerd/storage.h>

#include "../common/plain.h"
#include "../common/tree.h"
#include "base/fault.h"

/* tmp/ID with a copy of the parent. */
static int fill(const struct plain *v, const struct dockerd_layer *l, struct dockerd_error *err)
{
	int from = -1, to = tree_open(v->begun, l->id), r = 0;

	if (to < 0)
		return dockerd_fail_errno(err, errno, "open %s/tmp/%s", v->path, l->id);
	if (l->parent) {
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

static int create(struct plain *v, const struct dockerd_layer *l, struct dockerd_error *err)
{
	if (plain_check_new(v, l, err) < 0)
		return -1;
	if (tree_mkdir(v->begun, l->id, 0755) < 0)
		return dockerd_fail_errno(err, errno, "mkdir %s/tmp/%s", v->path, l->id);
	FAULT("vfs.create.after-mkdir");
	if (fill(v, l, err) < 0) {
		tree_remove(v->begun, l->id);
		return -1;
	}
	FAULT("vfs.create.after-copy");
	return 0;
}

static int32_t vfs_prepare(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			   struct dockerd_error *err)
{
	return create(self, l, err) < 0 ? -1 : plain_give_begun(self, l, out, err);
}

static int32_t vfs_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	return plain_check_size("vfs", l, err) < 0 || create(self, l, err) < 0
		   ? -1
		   : plain_commit(self, l, err);
}

static int32_t vfs_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct plain *v = self;

	if (!tree_valid_id(l->id))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'", l->id);
	/* Out of dir/ first: a half-removed tree must not look like a layer. */
	tree_remove(v->begun, l->id);
	if (renameat(v->whole, l->id, v->begun, l->id) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "remove layer %s", l->id);
	FAULT("vfs.remove.after-rename");
	if (tree_remove(v->begun, l->id) < 0)
		return dockerd_fail_errno(err, errno, "remove %s/tmp/%s", v->path, l->id);
	return 0;
}

static int32_t vfs_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	(void)a, (void)err;
	return 0;
}

static int32_t vfs_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	return plain_open(a->root, "dir", "tmp", self, err);
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
	       .concurrency = DOCKERD_PER_OBJECT, .capabilities = DOCKERD_STORAGE_CAP_LAST_RESORT,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
