/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay2: layers of ../common/stacked.h, mounted over their parents' by the kernel's overlay file system; sizes of containers by project quotas of
 * the file system below.
 */
#include "overlay2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/tree.h"

static int32_t ov_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct overlay2 *o = self;

	/* moby's words; here ext4 does as well */
	if (dockerd_option_get(l->options, "size") && !o->limits.supported)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "--storage-opt is supported only for overlay over xfs with "
				    "'pquota' mount option");
	return stacked_create_rw(o, l, err);
}

/* What is made in the directory inherits the project: changes, and the work directory from which the kernel moves them. */
static int limit(struct stacked *base, const struct dockerd_layer *l, int dir,
		 struct dockerd_error *err)
{
	struct overlay2 *o = (struct overlay2 *)base;
	uint64_t bytes = layer_limits_of(&o->limits, l);

	return bytes ? layer_limits_set(&o->limits, base->root, dir, bytes, err) : 0;
}

static int32_t ov_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct overlay2 *o = self;
	uint32_t project =
	    tree_valid_id(l->id) ? layer_limits_project(&o->limits, o->base.root, l->id) : 0;

	if (stacked_remove(o, l, err) < 0)
		return -1;
	layer_limits_release(&o->limits, o->base.root, project);
	return 0;
}

static int32_t ov_status(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	struct overlay2 *o = self;

	(void)err;
	to->row(to, "Backing Filesystem", o->fs);
	to->row(to, "Supports d_type", "true"); /* probe refuses anything else */
	to->row(to, "Using metacopy", o->metacopy ? "true" : "false");
	to->row(to, "Native Overlay Diff", "true"); /* redirect_dir is off in our mounts */
	to->row(to, "userxattr", "false");
	return 0;
}

/* moby's reasons; a file system other than xfs may do. */
static int check_size(const char *root, const struct dockerd_value *size, struct dockerd_error *err)
{
	int fd = tree_open(AT_FDCWD, root);
	struct layer_limits q;
	const char *fs;

	if (fd < 0)
		return dockerd_fail_errno(err, errno, "open %s", root);
	layer_limits_init(&q, fd, size);
	fs = tree_fs_name(fd);
	close(fd);
	if (q.supported)
		return 0;
	if (strcmp(fs, "xfs") != 0 && strcmp(fs, "extfs") != 0)
		return dockerd_fail(
		    err, DOCKERD_ERR_INVALID,
		    "Storage Option overlay2.size only supported for backingFS XFS. Found %s", fs);
	return dockerd_fail(err, DOCKERD_ERR_INVALID,
			    "Storage option overlay2.size not supported. Filesystem does not "
			    "support Project Quota: Filesystem does not support, or has not "
			    "enabled quotas (%s on %s: mount it with prjquota)",
			    root, fs);
}

static int32_t ov_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	const struct dockerd_value *size = dockerd_option_get(a->options, "overlay2.size");

	if (overlayfs_check("overlay2", a->root, NULL, err) < 0)
		return -1;
	return size && size->number ? check_size(a->root, size, err) : 0;
}

static void ov_close(void *self)
{
	struct overlay2 *o = self;

	stacked_shut(&o->base);
	free(o);
}

static int32_t ov_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	struct overlay2 *o = calloc(1, sizeof(*o));

	if (!o)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "out of memory");
	o->base.stack = overlay2_mount;
	o->base.limit = limit;
	if (stacked_open(&o->base, a, err) < 0) {
		ov_close(o);
		return -1;
	}
	layer_limits_init(&o->limits, o->base.root,
			  dockerd_option_get(a->options, "overlay2.size"));
	o->fs = tree_fs_name(o->base.root);
	overlayfs_prefix(o->prefix, &o->metacopy);
	*self = o;
	return 0;
}

static const struct dockerd_option options[] = {
    {.key = "overlay2.override_kernel_check",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_DAEMON,
     .flags = DOCKERD_OPTF_DEPRECATED,
     .help = "accepted and ignored: every supported kernel is new enough"},
    {.key = "overlay2.size",
     .type = DOCKERD_OPT_SIZE,
     .scope = DOCKERD_SCOPE_DAEMON,
     .help = "what a container may write, if it asks for no size (needs project quotas: prjquota)"},
    {.key = "size",
     .type = DOCKERD_OPT_SIZE,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "what the container may write (needs project quotas: prjquota)"},
};

static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(struct dockerd_storage_ops),
	       .probe = ov_probe,
	       .open = ov_open,
	       .close = ov_close},
    .prepare = stacked_prepare,
    .commit = stacked_commit,
    .create_rw = ov_create_rw,
    .mount = stacked_mount,
    .unmount = stacked_unmount,
    .remove = ov_remove,
    .exists = stacked_exists,
    .diff_dir = stacked_diff_dir,
    .usage = stacked_usage,
    .status = ov_status,
    .metadata = stacked_metadata,
    .list = stacked_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "overlay2", .version = PACKAGE_VERSION,
	       .description = "layers as directories, stacked by the kernel's overlay file system",
	       .concurrency = DOCKERD_PER_OBJECT,
	       .capabilities = DOCKERD_STORAGE_CAP_QUOTA | DOCKERD_STORAGE_CAP_NATIVE_DIFF |
			       DOCKERD_STORAGE_CAP_SHARED_PAGES | DOCKERD_STORAGE_CAP_LIKE,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
