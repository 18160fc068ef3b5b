/* SPDX-License-Identifier: Apache-2.0 */
/*
 * btrfs: each layer is a subvolume, a child begins as a snapshot of its parent. On disk as moby: subvolumes/ID. A layer being made lies in
 * preparing/ID (ours) and gets its place by rename, so what is in subvolumes/ is whole.
 */
#include <btrfsutil.h>
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
struct btrfs {
	int subvolumes, preparing;
	char *path;
};

static int fail_btrfs(struct dockerd_error *err, enum btrfs_util_error e, const char *what,
		      const char *id)
{
	return dockerd_fail_errno(err, errno, "%s layer %s: %s", what, id, btrfs_util_strerror(e));
}

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

static int give_dir(const struct btrfs *b, const char *sub, const char *id,
		    struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	int n = snprintf(out->path, sizeof(out->path), "%s/%s/%s", b->path, sub, id);

	if (n < 0 || (size_t)n >= sizeof(out->path))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "path of layer %s is too long", id);
	out->whiteouts = DOCKERD_WHITEOUT_NONE;
	out->fd = tree_open(AT_FDCWD, out->path);
	return out->fd < 0 ? dockerd_fail_errno(err, errno, "open %s", out->path) : 0;
}

static int make_subvolume(const struct btrfs *b, const struct dockerd_layer *l,
			  struct dockerd_error *err)
{
	enum btrfs_util_error e;
	int parent;

	if (!l->parent) {
		e = btrfs_util_create_subvolume_fd(b->preparing, l->id, 0, NULL, NULL);
		if (e)
			return fail_btrfs(err, e, "make", l->id);
		/* the library goes by the umask */
		return fchmodat(b->preparing, l->id, 0755, 0) < 0
			   ? dockerd_fail_errno(err, errno, "chmod layer %s", l->id)
			   : 0;
	}
	parent = tree_open(b->subvolumes, l->parent);
	if (parent < 0)
		return dockerd_fail_errno(err, errno, "parent layer %s", l->parent);
	e = btrfs_util_create_snapshot_fd2(parent, b->preparing, l->id, 0, NULL, NULL);
	if (e)
		fail_btrfs(err, e, "make snapshot for", l->id);
	close(parent);
	return e ? -1 : 0;
}

static int create(struct btrfs *b, const struct dockerd_layer *l, struct dockerd_error *err)
{
	if (check_ids(l, err) < 0)
		return -1;
	if (tree_exists(b->subvolumes, l->id) || tree_exists(b->preparing, l->id))
		return dockerd_fail(err, DOCKERD_ERR_CONFLICT, "layer %s already exists", l->id);
	if (make_subvolume(b, l, err) < 0)
		return -1;
	FAULT("btrfs.create.after-subvolume");
	return 0;
}

static int32_t btrfs_prepare(void *self, const struct dockerd_layer *l,
			     struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	return create(self, l, err) < 0 ? -1 : give_dir(self, "preparing", l->id, out, err);
}

static int32_t btrfs_commit(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct btrfs *b = self;

	if (check_ids(l, err) < 0)
		return -1;
	FAULT("btrfs.commit.before");
	if (renameat(b->preparing, l->id, b->subvolumes, l->id) < 0)
		return dockerd_fail_errno(err, errno, "commit layer %s", l->id);
	return 0;
}

static int32_t btrfs_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	const struct dockerd_value *size = dockerd_option_get(l->options, "size");

	if (size && size->number)
		return dockerd_fail(err, DOCKERD_ERR_NOT_IMPLEMENTED,
				    "--storage-opt size=%s: btrfs quotas are not supported yet",
				    size->text);
	return create(self, l, err) < 0 ? -1 : btrfs_commit(self, l, err);
}

static int32_t btrfs_mount(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			   struct dockerd_error *err)
{
	return check_ids(l, err) < 0 ? -1 : give_dir(self, "subvolumes", l->id, out, err);
}

static int32_t btrfs_unmount(void *self, const char *id, struct dockerd_error *err)
{
	(void)self, (void)id, (void)err;
	return 0;
}

/* A subvolume with all subvolumes that a container made in it; also a plain directory that somebody left. */
static int remove_at(int dir, const char *id, struct dockerd_error *err)
{
	enum btrfs_util_error e;

	if (!tree_exists(dir, id))
		return 0;
	e = btrfs_util_delete_subvolume_fd(dir, id, BTRFS_UTIL_DELETE_SUBVOLUME_RECURSIVE);
	if (e == BTRFS_UTIL_ERROR_NOT_SUBVOLUME && tree_remove(dir, id) == 0)
		return 0;
	return e && errno != ENOENT ? fail_btrfs(err, e, "remove", id) : 0;
}

static int32_t btrfs_remove(void *self, const char *id, struct dockerd_error *err)
{
	struct btrfs *b = self;

	if (!tree_valid_id(id))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'", id);
	if (remove_at(b->subvolumes, id, err) < 0)
		return -1;
	FAULT("btrfs.remove.after-subvolume");
	return remove_at(b->preparing, id, err);
}

static int32_t btrfs_exists(void *self, const char *id, struct dockerd_error *err)
{
	(void)err;
	return tree_valid_id(id) && tree_exists(((struct btrfs *)self)->subvolumes, id);
}

static int32_t btrfs_status(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	(void)self, (void)err;
	to->row(to, "Btrfs", "");
	return 0;
}

static int32_t btrfs_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	struct btrfs *b = self;

	if (tree_list(b->subvolumes, NULL, to) < 0 || tree_list(b->preparing, NULL, to) < 0)
		return dockerd_fail_errno(err, errno, "read %s", b->path);
	return 0;
}

static int32_t btrfs_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	const struct dockerd_value *space = dockerd_option_get(a->options, "btrfs.min_space");
	const char *fs;
	int fd;

	if (space && space->number)
		return dockerd_fail(
		    err, DOCKERD_ERR_NOT_IMPLEMENTED,
		    "btrfs.min_space=%s: quotas are not supported yet; remove the option",
		    space->text);
	fd = tree_open(AT_FDCWD, a->root);
	if (fd < 0)
		return dockerd_fail_errno(err, errno, "open %s", a->root);
	fs = tree_fs_name(fd);
	close(fd);
	if (strcmp(fs, "btrfs") != 0)
		return dockerd_fail(err, DOCKERD_ERR_UNSUITABLE,
				    "prerequisites for driver not satisfied (wrong filesystem?): "
				    "%s is on %s, not btrfs",
				    a->root, fs);
	return 0;
}

static void btrfs_close(void *self)
{
	struct btrfs *b = self;

	if (b->subvolumes >= 0)
		close(b->subvolumes);
	if (b->preparing >= 0)
		close(b->preparing);
	free(b->path);
	free(b);
}

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

static int32_t btrfs_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	struct btrfs *b = calloc(1, sizeof(*b));

	if (!b)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "out of memory");
	b->path = strdup(a->root);
	b->subvolumes = open_sub(a->root, "subvolumes");
	b->preparing = open_sub(a->root, "preparing");
	if (!b->path || b->subvolumes < 0 || b->preparing < 0) {
		dockerd_fail_errno(err, errno, "open %s", a->root);
		btrfs_close(b);
		return -1;
	}
	*self = b;
	return 0;
}

static const struct dockerd_option options[] = {
    {.key = "btrfs.min_space",
     .type = DOCKERD_OPT_SIZE,
     .scope = DOCKERD_SCOPE_DAEMON,
     .help = "smallest quota of a container (not supported yet)"},
    {.key = "size",
     .type = DOCKERD_OPT_SIZE,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "quota of the container (not supported yet)"},
};

static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(struct dockerd_storage_ops),
	       .probe = btrfs_probe,
	       .open = btrfs_open,
	       .close = btrfs_close},
    .prepare = btrfs_prepare,
    .commit = btrfs_commit,
    .create_rw = btrfs_create_rw,
    .mount = btrfs_mount,
    .unmount = btrfs_unmount,
    .remove = btrfs_remove,
    .exists = btrfs_exists,
    .status = btrfs_status,
    .list = btrfs_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "btrfs", .version = PACKAGE_VERSION,
	       .description = "layers as btrfs subvolumes and snapshots",
	       .concurrency = DOCKERD_PER_OBJECT, DOCKERD_OPTIONS(options), .ops = &ops.common);
