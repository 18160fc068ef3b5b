/* SPDX-License-Identifier: Apache-2.0 */
/*
 * btrfs: each layer is a subvolume, a child begins as a snapshot of its parent. On disk as moby: subvolumes/ID; layers being made lie in
 * preparing/ (ours). What it has in common with vfs is in ../common/plain.h.
 */
#include <btrfsutil.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dockerd/storage.h>

#include "../common/plain.h"
#include "../common/tree.h"
#include "base/fault.h"

static int fail_btrfs(struct dockerd_error *err, enum btrfs_util_error e, const char *what,
		      const char *id)
{
	return dockerd_fail_errno(err, errno, "%s layer %s: %s", what, id, btrfs_util_strerror(e));
}

static int make_subvolume(const struct plain *b, const struct dockerd_layer *l,
			  struct dockerd_error *err)
{
	enum btrfs_util_error e;
	int parent;

	if (!l->parent) {
		e = btrfs_util_create_subvolume_fd(b->begun, l->id, 0, NULL, NULL);
		if (e)
			return fail_btrfs(err, e, "make", l->id);
		/* the library goes by the umask */
		return fchmodat(b->begun, l->id, 0755, 0) < 0
			   ? dockerd_fail_errno(err, errno, "chmod layer %s", l->id)
			   : 0;
	}
	parent = tree_open(b->whole, l->parent);
	if (parent < 0)
		return dockerd_fail_errno(err, errno, "parent layer %s", l->parent);
	e = btrfs_util_create_snapshot_fd2(parent, b->begun, l->id, 0, NULL, NULL);
	if (e)
		fail_btrfs(err, e, "make snapshot for", l->id);
	close(parent);
	return e ? -1 : 0;
}

static int create(struct plain *b, const struct dockerd_layer *l, struct dockerd_error *err)
{
	if (plain_check_new(b, l, err) < 0)
		return -1;
	if (make_subvolume(b, l, err) < 0)
		return -1;
	FAULT("btrfs.create.after-subvolume");
	return 0;
}

static int32_t btrfs_prepare(void *self, const struct dockerd_layer *l,
			     struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	return create(self, l, err) < 0 ? -1 : plain_give_begun(self, l, out, err);
}

static int32_t btrfs_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	return plain_check_size("btrfs", l, err) < 0 || create(self, l, err) < 0
		   ? -1
		   : plain_commit(self, l, err);
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

static int32_t btrfs_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct plain *b = self;

	if (!tree_valid_id(l->id))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'", l->id);
	if (remove_at(b->whole, l->id, err) < 0)
		return -1;
	FAULT("btrfs.remove.after-subvolume");
	return remove_at(b->begun, l->id, err);
}

static int32_t btrfs_status(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	(void)self, (void)err;
	to->row(to, "Btrfs", "");
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

static int32_t btrfs_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	return plain_open(a->root, "subvolumes", "preparing", self, err);
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
	       .close = plain_close},
    .prepare = btrfs_prepare,
    .commit = plain_commit,
    .create_rw = btrfs_create_rw,
    .mount = plain_mount,
    .unmount = plain_unmount,
    .remove = btrfs_remove,
    .exists = plain_exists,
    .status = btrfs_status,
    .list = plain_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "btrfs", .version = PACKAGE_VERSION,
	       .description = "layers as btrfs subvolumes and snapshots",
	       .concurrency = DOCKERD_PER_OBJECT, DOCKERD_OPTIONS(options), .ops = &ops.common);
