/* SPDX-License-Identifier: Apache-2.0 */
/*
 * btrfs: each layer is a subvolume, a child begins as a snapshot of its parent. On disk as moby: subvolumes/ID; layers being made lie in
 * preparing/ (ours). What it has in common with vfs is in ../common/plain.h. Sizes of containers are limits of the file system's own quota groups;
 * quotas/ID has a container's in decimal digits, as moby keeps it, and they are set again at each mount.
 */
#include <btrfsutil.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dockerd/storage.h>

#include "../common/plain.h"
#include "../common/tree.h"
#include "base/fault.h"

struct btrfs {
	struct plain base;
	int quotas;         /* directory of the sizes */
	uint64_t min_space; /* smallest size of a container */
};

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

/* ---- sizes --------------------------------------------------------------------------------------------------------------------- */

/* No harm where they are on. */
static int enable_quotas(int fd, struct dockerd_error *err)
{
	struct btrfs_ioctl_quota_ctl_args args = {.cmd = BTRFS_QUOTA_CTL_ENABLE};

	if (ioctl(fd, BTRFS_IOC_QUOTA_CTL, &args) < 0 && errno != EEXIST)
		return dockerd_fail_errno(err, errno, "Failed to enable btrfs quota");
	return 0;
}

/* What the subvolume refers to, shared with its image or not. */
static int set_limit(int dir, const char *id, uint64_t bytes, struct dockerd_error *err)
{
	struct btrfs_ioctl_qgroup_limit_args args = {
	    .lim = {.flags = BTRFS_QGROUP_LIMIT_MAX_RFER, .max_rfer = bytes}};
	int fd = tree_open(dir, id), r = -1;

	if (fd < 0)
		return dockerd_fail_errno(err, errno, "open layer %s", id);
	if (enable_quotas(fd, err) == 0)
		r = ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &args) < 0
			? dockerd_fail_errno(err, errno, "Failed to limit qgroup for %s", id)
			: 0;
	close(fd);
	return r;
}

/* As go-units prints it: "1.5GB". */
static void human_size(char out[32], uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double n = (double)bytes;
	int i = 0;

	for (; n >= 1000 && i < 6; i++)
		n /= 1000;
	snprintf(out, 32, "%.4g%s", n, units[i]);
}

static int check_size(const struct btrfs *b, const struct dockerd_layer *l, uint64_t *bytes,
		      struct dockerd_error *err)
{
	const struct dockerd_value *size = dockerd_option_get(l->options, "size");
	char human[32];

	*bytes = size ? (uint64_t)size->number : 0;
	if (!size)
		return 0;
	human_size(human, b->min_space);
	if (!*bytes)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "btrfs: invalid storage size: 0B");
	if (*bytes < b->min_space)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "btrfs: storage size cannot be less than %s", human);
	return 0;
}

static int32_t btrfs_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err);

static int32_t btrfs_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct btrfs *b = self;
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	char text[32];
	uint64_t bytes;

	if (check_size(b, l, &bytes, err) < 0 || create(&b->base, l, err) < 0)
		return -1;
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	if (bytes && tree_write(b->quotas, l->id, 0644, text, strlen(text)) < 0)
		dockerd_fail_errno(err, errno, "write %s/quotas/%s", b->base.path, l->id);
	else if ((!bytes || set_limit(b->base.begun, l->id, bytes, err) == 0) &&
		 plain_commit(b, l, err) == 0)
		return 0;
	btrfs_remove(b, l, &ignored);
	return -1;
}

static int32_t btrfs_mount(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			   struct dockerd_error *err)
{
	struct btrfs *b = self;
	char text[32];
	uint64_t bytes;

	if (tree_valid_id(l->id) && tree_read(b->quotas, l->id, text, sizeof(text)) > 0) {
		bytes = strtoull(text, NULL, 10);
		if (bytes && bytes >= b->min_space &&
		    set_limit(b->base.whole, l->id, bytes, err) < 0)
			return -1;
	}
	return plain_mount(b, l, out, err);
}

/* Newer kernels do it by themselves; where there are no quotas there is nothing to be done. */
static void forget_group(int dir, uint64_t subvolume)
{
	struct btrfs_ioctl_qgroup_create_args args = {.create = 0, .qgroupid = subvolume};

	if (subvolume)
		ioctl(dir, BTRFS_IOC_QGROUP_CREATE, &args);
}

static uint64_t subvolume_id(int dir, const char *id)
{
	int fd = tree_open(dir, id);
	uint64_t n = 0;

	if (fd >= 0 && btrfs_util_subvolume_id_fd(fd, &n))
		n = 0;
	if (fd >= 0)
		close(fd);
	return n;
}

/* ---- removing ------------------------------------------------------------------------------------------------------------------ */

/* A subvolume with all subvolumes that a container made in it; also a plain directory that somebody left. */
static int remove_at(int dir, const char *id, struct dockerd_error *err)
{
	enum btrfs_util_error e;
	uint64_t group;

	if (!tree_exists(dir, id))
		return 0;
	group = subvolume_id(dir, id);
	e = btrfs_util_delete_subvolume_fd(dir, id, BTRFS_UTIL_DELETE_SUBVOLUME_RECURSIVE);
	if (e == BTRFS_UTIL_ERROR_NOT_SUBVOLUME && tree_remove(dir, id) == 0)
		return 0;
	if (e && errno != ENOENT)
		return fail_btrfs(err, e, "remove", id);
	forget_group(dir, group);
	return 0;
}

static int32_t btrfs_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct btrfs *b = self;

	if (!tree_valid_id(l->id))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'", l->id);
	if (remove_at(b->base.whole, l->id, err) < 0)
		return -1;
	FAULT("btrfs.remove.after-subvolume");
	if (remove_at(b->base.begun, l->id, err) < 0)
		return -1;
	if (unlinkat(b->quotas, l->id, 0) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "remove %s/quotas/%s", b->base.path, l->id);
	return 0;
}

static int32_t btrfs_status(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	(void)self, (void)err;
	to->row(to, "Btrfs", "");
	return 0;
}

static int32_t btrfs_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	const char *fs;
	int fd;

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

	if (b->quotas >= 0)
		close(b->quotas);
	plain_close(b);
}

static int32_t btrfs_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	const struct dockerd_value *space = dockerd_option_get(a->options, "btrfs.min_space");
	char quotas[4096];
	struct btrfs *b;

	if (plain_open(a->root, "subvolumes", "preparing", sizeof(*b), self, err) < 0)
		return -1;
	b = *self;
	b->min_space = space ? (uint64_t)space->number : 0;
	snprintf(quotas, sizeof(quotas), "%s/quotas", a->root);
	if (tree_mkdir(AT_FDCWD, quotas, 0700) < 0 && errno != EEXIST) {
		dockerd_fail_errno(err, errno, "mkdir %s", quotas);
		b->quotas = -1;
	} else if ((b->quotas = tree_open(AT_FDCWD, quotas)) < 0) {
		dockerd_fail_errno(err, errno, "open %s", quotas);
	} else if (!b->min_space || enable_quotas(b->base.whole, err) == 0) {
		return 0;
	}
	btrfs_close(b);
	return -1;
}

static const struct dockerd_option options[] = {
    {.key = "btrfs.min_space",
     .type = DOCKERD_OPT_SIZE,
     .scope = DOCKERD_SCOPE_DAEMON,
     .help = "smallest size that a container may ask for; turns quotas of the file system on"},
    {.key = "size",
     .type = DOCKERD_OPT_SIZE,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "what the container may hold, its image's files included (by a quota group)"},
};

static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(struct dockerd_storage_ops),
	       .probe = btrfs_probe,
	       .open = btrfs_open,
	       .close = btrfs_close},
    .prepare = btrfs_prepare,
    .commit = plain_commit,
    .create_rw = btrfs_create_rw,
    .mount = btrfs_mount,
    .unmount = plain_unmount,
    .remove = btrfs_remove,
    .exists = plain_exists,
    .status = btrfs_status,
    .list = plain_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "btrfs", .version = PACKAGE_VERSION,
	       .description = "layers as btrfs subvolumes and snapshots",
	       .concurrency = DOCKERD_PER_OBJECT, .capabilities = DOCKERD_STORAGE_CAP_QUOTA,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
