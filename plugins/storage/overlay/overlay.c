/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay: the older driver of two directories. An image's layer is a whole tree whose files are hard links to its parent's; a container is one mount
 * over its image's topmost tree, however many layers that stands on. On disk as moby had it:
 *
 *	ID/root      a whole tree (image)             ID/lower-id  the layer whose root is below (container, init layer)
 *	ID/tmproot   the same while it is made        ID/upper     the changes to it
 *	ID/merged    mount point, while mounted       ID/work      for the kernel
 *	ID/incomplete  (ours) prepared, not yet committed, in a layer without a root
 *
 * A layer is whole when it has a root, or a lower-id without incomplete: those are made last, and taken away first. The init layer of a
 * container (ID-init) is a layer of changes, too: its container begins with a copy of them. Nothing here syncs: see storage.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dockerd/storage.h>

#include "../common/overlayfs.h"
#include "../common/tree.h"
#include "base/fault.h"

#define OPTIONS_MAX 4095
#define ID_MAX 128

/* Constant after open; the daemon guarantees one call at a time per layer. */
struct overlay {
	const struct dockerd_host *host;
	int root;        /* data-root/overlay */
	char *path;      /* the same, absolute */
	char prefix[64]; /* mount options that every mount begins with */
	const char *fs;  /* backing file system */
};

static int check_id(const char *id, const char *what, struct dockerd_error *err)
{
	return tree_valid_id(id) ? 0
				 : dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid %s id '%s'",
						what, id ? id : "");
}

/* Descriptor of root/ID, or -1 with err. */
static int open_layer(const struct overlay *o, const char *id, struct dockerd_error *err)
{
	int fd = tree_open(o->root, id);

	return fd < 0 ? dockerd_fail_errno(err, errno, "layer %s", id) : fd;
}

/* false: the layer has a tree of its own, or is not whole. */
static bool read_lower(int layer, char id[ID_MAX + 2])
{
	return tree_read(layer, "lower-id", id, ID_MAX + 2) > 0 && tree_valid_id(id);
}

static bool is_whole(int layer)
{
	char id[ID_MAX + 2];

	return tree_exists(layer, "root") ||
	       (read_lower(layer, id) && !tree_exists(layer, "incomplete"));
}

static int give_dir(const struct overlay *o, const char *id, const char *sub, uint32_t whiteouts,
		    struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	int n = snprintf(out->path, sizeof(out->path), "%s/%s/%s", o->path, id, sub);

	if (n < 0 || (size_t)n >= sizeof(out->path))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "path of layer %s is too long", id);
	out->whiteouts = whiteouts;
	out->fd = tree_open(AT_FDCWD, out->path);
	return out->fd < 0 ? dockerd_fail_errno(err, errno, "open %s", out->path) : 0;
}

/* ---- making -------------------------------------------------------------------------------------------------------------------- */

/* layer/tmproot with all of the parent's tree. */
static int make_tree(int layer, int parent)
{
	int from, to, r = -1;

	if (tree_mkdir(layer, "tmproot", 0755) < 0)
		return -1;
	if (parent < 0)
		return 0;
	from = tree_open(parent, "root");
	to = tree_open(layer, "tmproot");
	if (from >= 0 && to >= 0)
		r = tree_share(from, to);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return r;
}

/* layer/upper: on a tree an empty directory like its root; on another layer of changes a copy of those. */
static int make_upper(int layer, int parent)
{
	bool on_tree = tree_exists(parent, "root");
	int from = tree_open(parent, on_tree ? "root" : "upper"), to = -1, r = -1;
	struct stat st;

	if (from >= 0 && fstat(from, &st) == 0 &&
	    tree_mkdir(layer, "upper", st.st_mode & 07777) == 0)
		to = tree_open(layer, "upper");
	if (to >= 0)
		r = on_tree ? fchown(to, st.st_uid, st.st_gid) : tree_copy(from, to);
	if (r == 0 && on_tree)
		r = fchmod(to, st.st_mode & 07777); /* chown clears bits */
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return r < 0 || tree_mkdir(layer, "work", 0700) < 0 ? -1 : 0;
}

static int make_changes(int layer, int parent, const char *parent_id, bool incomplete)
{
	char lower[ID_MAX + 2];

	if (incomplete && tree_write(layer, "incomplete", 0600, "", 0) < 0)
		return -1;
	if (make_upper(layer, parent) < 0)
		return -1;
	FAULT("overlay.create.before-lower");
	if (tree_exists(parent, "root"))
		snprintf(lower, sizeof(lower), "%s", parent_id);
	else if (!read_lower(parent, lower)) {
		errno = EUCLEAN;
		return -1;
	}
	return tree_write(layer, "lower-id", 0644, lower, strlen(lower));
}

static bool is_init(const char *id)
{
	size_t n = strlen(id);

	return n > 5 && !strcmp(id + n - 5, "-init");
}

static int32_t overlay_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err);

/* rw: a container's, complete at return. */
static int fill(struct overlay *o, const struct dockerd_layer *l, int layer, int parent, bool rw,
		struct dockerd_error *err)
{
	int r;

	if (parent >= 0 && !is_whole(parent))
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "layer %s/%s is damaged or half-made",
				    o->path, l->parent);
	if (parent >= 0 && (rw || is_init(l->id) || !tree_exists(parent, "root")))
		r = make_changes(layer, parent, l->parent, !rw);
	else {
		r = make_tree(layer, parent);
		FAULT("overlay.create.after-tree");
		if (r == 0 && rw)
			r = renameat(layer, "tmproot", layer, "root");
	}
	return r < 0 ? dockerd_fail_errno(err, errno, "make layer %s/%s", o->path, l->id) : 0;
}

static int create(struct overlay *o, const struct dockerd_layer *l, bool rw,
		  struct dockerd_error *err)
{
	int layer, parent = -1, r = -1;

	if (check_id(l->id, "layer", err) < 0 ||
	    (l->parent && (check_id(l->parent, "parent layer", err) < 0 ||
			   (parent = open_layer(o, l->parent, err)) < 0)))
		return -1;
	if (tree_mkdir(o->root, l->id, 0700) < 0) {
		if (errno == EEXIST)
			dockerd_fail(err, DOCKERD_ERR_CONFLICT, "layer %s already exists", l->id);
		else
			dockerd_fail_errno(err, errno, "mkdir %s/%s", o->path, l->id);
		goto out;
	}
	FAULT("overlay.create.after-mkdir");
	layer = open_layer(o, l->id, err);
	if (layer >= 0) {
		r = fill(o, l, layer, parent, rw, err);
		close(layer);
	}
	if (r < 0) {
		struct dockerd_error ignored = {.size = sizeof(ignored)};

		overlay_remove(o, l, &ignored);
	}
out:
	if (parent >= 0)
		close(parent);
	return r;
}

static int32_t overlay_prepare(void *self, const struct dockerd_layer *l,
			       struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	struct overlay *o = self;
	bool tree;
	int fd;

	if (create(o, l, false, err) < 0)
		return -1;
	fd = open_layer(o, l->id, err);
	if (fd < 0)
		return -1;
	tree = tree_exists(fd, "tmproot");
	close(fd);
	return tree ? give_dir(o, l->id, "tmproot", DOCKERD_WHITEOUT_NONE, out, err)
		    : give_dir(o, l->id, "upper", DOCKERD_WHITEOUT_OVERLAY, out, err);
}

static int32_t overlay_commit(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct overlay *o = self;
	int fd, r;

	if (check_id(l->id, "layer", err) < 0 || (fd = open_layer(o, l->id, err)) < 0)
		return -1;
	FAULT("overlay.commit.before");
	r = tree_exists(fd, "tmproot") ? renameat(fd, "tmproot", fd, "root")
				       : unlinkat(fd, "incomplete", 0);
	if (r < 0 && !(errno == ENOENT && is_whole(fd)))
		r = dockerd_fail_errno(err, errno, "commit layer %s", l->id);
	else
		r = 0;
	close(fd);
	return r;
}

static int32_t overlay_create_rw(void *self, const struct dockerd_layer *l,
				 struct dockerd_error *err)
{
	return create(self, l, true, err);
}

/* ---- mounts -------------------------------------------------------------------------------------------------------------------- */

/* Where `base` is the directory of all layers with a slash behind it, or nothing. */
static int put_options(char *out, const struct overlay *o, const struct dockerd_layer *l,
		       const char *base, const char *lower, bool ro)
{
	int n;

	if (ro)
		n = snprintf(out, OPTIONS_MAX + 1, "%slowerdir=%s%s/upper:%s%s/root", o->prefix,
			     base, l->id, base, lower);
	else
		n = snprintf(out, OPTIONS_MAX + 1,
			     "%slowerdir=%s%s/root,upperdir=%s%s/upper,workdir=%s%s/work",
			     o->prefix, base, lower, base, l->id, base, l->id);
	if (n <= OPTIONS_MAX && l->mount_label && *l->mount_label)
		n += snprintf(out + n, (size_t)(OPTIONS_MAX + 1 - n), ",context=\"%s\"",
			      l->mount_label);
	return n <= OPTIONS_MAX ? 0 : -1;
}

static int mount_changes(struct overlay *o, const struct dockerd_layer *l, const char *lower,
			 bool ro, struct dockerd_error *err)
{
	char options[OPTIONS_MAX + 1], base[4096], target[4096];

	snprintf(target, sizeof(target), "%s/%s/merged", o->path, l->id);
	snprintf(base, sizeof(base), "%s/", o->path);
	if (!strpbrk(o->path, ":,\\") && put_options(options, o, l, base, lower, ro) == 0)
		return o->host->mount(o->host, "overlay", target, "overlay", 0, options, err);
	if (put_options(options, o, l, "", lower, ro) < 0)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "layer %s: mount options exceed a page", l->id);
	return overlayfs_mount_in(o->host, o->root, target, options, err);
}

/* A layer that was prepared belongs to nobody who may write: only init layers come here so. */
static int mount_at(struct overlay *o, const struct dockerd_layer *l, int layer, const char *lower,
		    struct dockerd_error *err)
{
	bool made = tree_mkdir(layer, "merged", 0700) == 0;

	if (!made && errno != EEXIST)
		return dockerd_fail_errno(err, errno, "mkdir %s/%s/merged", o->path, l->id);
	FAULT("overlay.mount.before");
	if (tree_is_mount(layer, "merged") != 1 &&
	    mount_changes(o, l, lower, is_init(l->id), err) < 0) {
		if (made)
			unlinkat(layer, "merged", AT_REMOVEDIR);
		return -1;
	}
	FAULT("overlay.mount.after");
	return 0;
}

static int32_t overlay_mount(void *self, const struct dockerd_layer *l,
			     struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	struct overlay *o = self;
	char lower[ID_MAX + 2];
	int fd, r;

	if (check_id(l->id, "layer", err) < 0 || (fd = open_layer(o, l->id, err)) < 0)
		return -1;
	if (tree_exists(fd, "root"))
		r = give_dir(o, l->id, "root", DOCKERD_WHITEOUT_NONE, out, err);
	else if (!read_lower(fd, lower))
		r = dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				 "layer %s/%s is damaged: no usable lower-id", o->path, l->id);
	else
		r = mount_at(o, l, fd, lower, err) < 0
			? -1
			: give_dir(o, l->id, "merged", DOCKERD_WHITEOUT_OVERLAY, out, err);
	close(fd);
	return r;
}

static int unmount_at(struct overlay *o, const char *id, int layer, struct dockerd_error *err)
{
	char target[4096];

	snprintf(target, sizeof(target), "%s/%s/merged", o->path, id);
	/* Lazily: a process that still looks into the container must not keep it from being removed. */
	if (tree_is_mount(layer, "merged") == 1 &&
	    o->host->unmount(o->host, target, MNT_DETACH, err) < 0)
		return -1;
	FAULT("overlay.unmount.after");
	if (unlinkat(layer, "merged", AT_REMOVEDIR) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "remove %s", target);
	return 0;
}

static int32_t overlay_unmount(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct overlay *o = self;
	int fd, r;

	if (check_id(l->id, "layer", err) < 0 || (fd = open_layer(o, l->id, err)) < 0)
		return -1;
	r = unmount_at(o, l->id, fd, err);
	close(fd);
	return r;
}

static int32_t overlay_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct overlay *o = self;
	int fd;

	if (check_id(l->id, "layer", err) < 0)
		return -1;
	fd = tree_open(o->root, l->id);
	if (fd < 0)
		return errno == ENOENT ? 0 : dockerd_fail_errno(err, errno, "layer %s", l->id);
	if (unmount_at(o, l->id, fd, err) < 0) {
		close(fd);
		return -1;
	}
	/* What makes it whole goes first. */
	tree_remove(fd, "tmproot");
	renameat(fd, "root", fd, "tmproot");
	unlinkat(fd, "lower-id", 0);
	close(fd);
	FAULT("overlay.remove.after-lower");
	if (tree_remove(o->root, l->id) < 0)
		return dockerd_fail_errno(err, errno, "remove %s/%s", o->path, l->id);
	return 0;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------- */

static int32_t overlay_exists(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct overlay *o = self;
	int fd, r;

	if (!tree_valid_id(l->id))
		return 0;
	fd = tree_open(o->root, l->id);
	if (fd < 0)
		return errno == ENOENT ? 0 : dockerd_fail_errno(err, errno, "layer %s", l->id);
	r = is_whole(fd);
	close(fd);
	return r;
}

static int32_t overlay_status(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	(void)err;
	to->row(to, "Backing Filesystem", ((struct overlay *)self)->fs);
	to->row(to, "Supports d_type", "true"); /* probe refuses anything else */
	return 0;
}

static int32_t overlay_metadata(void *self, const struct dockerd_layer *l,
				const struct dockerd_emit *to, struct dockerd_error *err)
{
	static const char *const rows[][2] = {
	    {"UpperDir", "upper"}, {"WorkDir", "work"}, {"MergedDir", "merged"}};
	struct overlay *o = self;
	char lower[ID_MAX + 2], path[4096];
	int fd;
	bool tree;

	if (check_id(l->id, "layer", err) < 0 || (fd = open_layer(o, l->id, err)) < 0)
		return -1;
	tree = tree_exists(fd, "root") || !read_lower(fd, lower);
	close(fd);
	if (tree) {
		snprintf(path, sizeof(path), "%s/%s/root", o->path, l->id);
		to->row(to, "RootDir", path);
		return 0;
	}
	snprintf(path, sizeof(path), "%s/%s/root", o->path, lower);
	to->row(to, "LowerDir", path);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", o->path, l->id, rows[i][1]);
		to->row(to, rows[i][0], path);
	}
	return 0;
}

static int32_t overlay_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	struct overlay *o = self;

	return tree_list(o->root, NULL, to) < 0 ? dockerd_fail_errno(err, errno, "read %s", o->path)
						: 0;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------- */

static int32_t overlay_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	return overlayfs_check("overlay", a->root, "btrfs", err);
}

static void overlay_close(void *self)
{
	struct overlay *o = self;

	if (o->root >= 0)
		close(o->root);
	free(o->path);
	free(o);
}

static int32_t overlay_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	struct overlay *o = calloc(1, sizeof(*o));
	bool metacopy;

	if (!o)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "out of memory");
	o->host = a->host;
	o->root = tree_open(AT_FDCWD, a->root);
	o->path = strdup(a->root);
	if (o->root < 0 || !o->path) {
		dockerd_fail_errno(err, errno, "open %s", a->root);
		overlay_close(o);
		return -1;
	}
	if (!DOCKERD_HAS(a->host, mount) || !DOCKERD_HAS(a->host, unmount)) {
		overlay_close(o);
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "the daemon offers no mount service");
	}
	o->fs = tree_fs_name(o->root);
	overlayfs_prefix(o->prefix, &metacopy);
	*self = o;
	return 0;
}

static const struct dockerd_option options[] = {
    {.key = "overlay.override_kernel_check",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_DAEMON,
     .flags = DOCKERD_OPTF_DEPRECATED,
     .help = "accepted and ignored: every supported kernel is new enough"},
};

static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(struct dockerd_storage_ops),
	       .probe = overlay_probe,
	       .open = overlay_open,
	       .close = overlay_close},
    .prepare = overlay_prepare,
    .commit = overlay_commit,
    .create_rw = overlay_create_rw,
    .mount = overlay_mount,
    .unmount = overlay_unmount,
    .remove = overlay_remove,
    .exists = overlay_exists,
    .status = overlay_status,
    .metadata = overlay_metadata,
    .list = overlay_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "overlay", .version = PACKAGE_VERSION,
	       .description = "images as whole trees of hard links, containers mounted over them",
	       .concurrency = DOCKERD_PER_OBJECT, .capabilities = DOCKERD_STORAGE_CAP_SHARED_PAGES,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
