/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay2: a layer is a directory of changes, mounted over its parents' by the kernel's overlay file system.
 * On disk as moby lays it out, so that either engine can go on with the other's layers:
 *
 *	ID/diff        the changes                        l/LINK -> ../ID/diff   short name, so that many fit into mount options
 *	ID/link        LINK, 26 letters                   ID/lower               "l/A:l/B:...", nearest parent first (not in a base layer)
 *	ID/work        for the kernel (not in a base)     ID/merged              mount point, while mounted
 *	ID/committed   nothing will be written any more   ID/incomplete          (ours) prepared, not yet committed
 *
 * A layer like another one is a directory of its own, too, since moby removes each by itself; but its diff is a symlink to the other's, and its unchanging
 * files are hard links: five directory entries and three inodes, where a container's init layer has twenty.
 *
 * A layer is whole when l/LINK exists and ID/incomplete does not: prepare makes the symlink last, remove takes it away first.
 * Nothing here syncs: the daemon syncs the file system once a layer must last, see storage.h.
 */
#include "overlay2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/tree.h"
#include "base/fault.h"

#define LINK_LEN 26
#define MAX_LAYERS 128 /* as moby; the kernel's limit is higher, a page of mount options is not */
#define LOWER_MAX (MAX_LAYERS * (LINK_LEN + 3) + 1) /* "l/" LINK ":" */

static int check_ids(const struct dockerd_layer *l, struct dockerd_error *err)
{
	if (!tree_valid_id(l->id) || !strcmp(l->id, "l"))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'",
				    l->id ? l->id : "");
	if (l->parent && (!tree_valid_id(l->parent) || !strcmp(l->parent, "l")))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid parent layer id '%s'",
				    l->parent);
	return 0;
}

/* Descriptor of root/ID, or -1 with err. */
static int open_layer(const struct overlay2 *o, const char *id, struct dockerd_error *err)
{
	int fd = tree_open(o->root, id);

	if (fd < 0)
		dockerd_fail_errno(err, errno, "layer %s", id);
	return fd;
}

static void new_link(char out[LINK_LEN + 1])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned char r[LINK_LEN];

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		abort(); /* no kernel of ours fails for so few bytes */
	for (int i = 0; i < LINK_LEN; i++)
		out[i] = letters[r[i] % 32];
	out[LINK_LEN] = '\0';
}

/* LINK of a layer; false if the layer has none. A damaged one must not lead out of l/. */
static bool read_link(int layer, char out[LINK_LEN + 2])
{
	return tree_read(layer, "link", out, LINK_LEN + 2) > 0 && tree_valid_id(out);
}

/* The `lower` file of a child of `parent`. */
static int lower_of_child(const struct overlay2 *o, const char *parent, char lower[LOWER_MAX + 1],
			  struct dockerd_error *err)
{
	int fd = open_layer(o, parent, err), n;
	char link[LINK_LEN + 2];
	ssize_t more;

	if (fd < 0)
		return -1;
	if (!read_link(fd, link)) {
		close(fd);
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "layer %s/%s is damaged: no usable 'link' file", o->path,
				    parent);
	}
	n = snprintf(lower, LOWER_MAX, "l/%s:", link);
	more = tree_read(fd, "lower", lower + n, (size_t)(LOWER_MAX - n));
	if (more < 0 && errno == ENOENT) {
		lower[n - 1] = '\0';
	} else if (more < 0) {
		int e = errno;

		close(fd);
		if (e == EFBIG)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "max depth exceeded: more than %d layers on %s",
					    MAX_LAYERS, parent);
		return dockerd_fail_errno(err, e, "read %s/%s/lower", o->path, parent);
	}
	/* A layer with children is final; moby looks at this file to mount it read-only. */
	if (!tree_exists(fd, "committed") && tree_write(fd, "committed", 0600, "", 0) < 0) {
		dockerd_fail_errno(err, errno, "write %s/%s/committed", o->path, parent);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* root and owner of the new diff directory follow the parent's, so that the mounted root looks the same. */
static int make_diff(const struct overlay2 *o, int layer, const char *parent)
{
	char path[256];
	struct stat st;

	if (tree_mkdir(layer, "diff", 0755) < 0)
		return -1;
	if (!parent)
		return 0;
	snprintf(path, sizeof(path), "%s/diff", parent);
	/* followed: a layer made like another has a link to that one's directory */
	if (fstatat(o->root, path, &st, 0) < 0)
		return -1;
	if (fchownat(layer, "diff", st.st_uid, st.st_gid, 0) < 0)
		return -1;
	return fchmodat(layer, "diff", st.st_mode & 07777, 0);
}

/* moby only ever reads these files, or replaces them. Where there can be no more links, a copy does as well. */
static int share_file(int of, int layer, const char *name, mode_t mode)
{
	char text[LOWER_MAX + 1];
	ssize_t n;

	if (linkat(of, name, layer, name, 0) == 0)
		return 0;
	n = tree_read(of, name, text, sizeof(text));
	return n < 0 ? -1 : tree_write(layer, name, mode, text, (size_t)n);
}

static int share_layer(const struct overlay2 *o, const struct dockerd_layer *l, int fd,
		       struct dockerd_error *err)
{
	char to[256];
	int of = open_layer(o, l->like, err), r = 0;

	if (of < 0)
		return -1;
	snprintf(to, sizeof(to), "../%s/diff", l->like);
	if (symlinkat(to, fd, "diff") < 0 || (l->parent && share_file(of, fd, "lower", 0644) < 0) ||
	    share_file(of, fd, "committed", 0600) < 0)
		r = dockerd_fail_errno(err, errno, "make layer %s like %s", l->id, l->like);
	close(of);
	return r;
}

static const char *like_of(const struct dockerd_layer *l)
{
	return l->size >= offsetof(struct dockerd_layer, like) + sizeof(l->like) ? l->like : NULL;
}

/* The short name, which makes the layer whole. */
static int make_link(const struct overlay2 *o, const struct dockerd_layer *l, int fd,
		     struct dockerd_error *err)
{
	char link[LINK_LEN + 1], from[64], to[256];

	do {
		new_link(link);
		if (tree_write(fd, "link", 0644, link, LINK_LEN) < 0)
			return dockerd_fail_errno(err, errno, "write %s/%s/link", o->path, l->id);
		FAULT("overlay2.create.before-link");
		snprintf(from, sizeof(from), "l/%s", link);
		snprintf(to, sizeof(to), "../%s/diff", l->id);
		if (symlinkat(to, o->root, from) == 0)
			return 0;
	} while (errno == EEXIST);
	return dockerd_fail_errno(err, errno, "make %s/%s", o->path, from);
}

static int fill_layer(const struct overlay2 *o, const struct dockerd_layer *l, int fd,
		      bool incomplete, const char *lower, struct dockerd_error *err)
{

	if (incomplete && tree_write(fd, "incomplete", 0600, "", 0) < 0)
		return dockerd_fail_errno(err, errno, "write %s/%s/incomplete", o->path, l->id);
	FAULT("overlay2.create.after-marker");
	if (make_diff(o, fd, l->parent) < 0)
		return dockerd_fail_errno(err, errno, "make %s/%s/diff", o->path, l->id);
	if (l->parent && tree_write(fd, "lower", 0644, lower, strlen(lower)) < 0)
		return dockerd_fail_errno(err, errno, "write %s/%s/lower", o->path, l->id);
	/* What is prepared is written directly and never mounted writable, so only read-write layers need a work directory. */
	if (l->parent && !incomplete && tree_mkdir(fd, "work", 0700) < 0)
		return dockerd_fail_errno(err, errno, "mkdir %s/%s/work", o->path, l->id);
	return make_link(o, l, fd, err);
}

static int32_t ov_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err);

static int create(struct overlay2 *o, const struct dockerd_layer *l, bool incomplete,
		  struct dockerd_error *err)
{
	const char *like = incomplete ? like_of(l) : NULL;
	char lower[LOWER_MAX + 1] = "";
	int fd, r;

	if (check_ids(l, err) < 0 ||
	    (l->parent && !like && lower_of_child(o, l->parent, lower, err) < 0))
		return -1;
	if (like && !tree_valid_id(like))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'", like);
	if (tree_mkdir(o->root, l->id, 0710) < 0) {
		if (errno == EEXIST)
			return dockerd_fail(err, DOCKERD_ERR_CONFLICT, "layer %s already exists",
					    l->id);
		return dockerd_fail_errno(err, errno, "mkdir %s/%s", o->path, l->id);
	}
	FAULT("overlay2.create.after-mkdir");
	fd = open_layer(o, l->id, err);
	if (fd < 0)
		r = -1;
	else if (like)
		r = share_layer(o, l, fd, err) < 0 ? -1 : make_link(o, l, fd, err);
	else
		r = fill_layer(o, l, fd, incomplete, lower, err);
	if (fd >= 0)
		close(fd);
	if (r < 0) {
		struct dockerd_error ignored = {.size = sizeof(ignored)};

		ov_remove(o, l, &ignored);
	}
	return r;
}

static int give_dir(const struct overlay2 *o, const char *id, const char *sub,
		    struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	int n = snprintf(out->path, sizeof(out->path), "%s/%s/%s", o->path, id, sub);

	if (n < 0 || (size_t)n >= sizeof(out->path))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "path of layer %s is too long", id);
	out->whiteouts = DOCKERD_WHITEOUT_OVERLAY;
	out->fd = tree_open(AT_FDCWD, out->path);
	return out->fd < 0 ? dockerd_fail_errno(err, errno, "open %s", out->path) : 0;
}

static int32_t ov_prepare(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			  struct dockerd_error *err)
{
	struct overlay2 *o = self;

	if (create(o, l, true, err) < 0)
		return -1;
	if (like_of(l)) {
		out->fd = -1;
		return 0;
	}
	return give_dir(o, l->id, "diff", out, err);
}

static int32_t ov_commit(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct overlay2 *o = self;
	int fd, r = 0;

	if (check_ids(l, err) < 0)
		return -1;
	fd = open_layer(o, l->id, err);
	if (fd < 0)
		return -1;
	FAULT("overlay2.commit.before");
	if ((!tree_exists(fd, "committed") && tree_write(fd, "committed", 0600, "", 0) < 0) ||
	    (unlinkat(fd, "incomplete", 0) < 0 && errno != ENOENT))
		r = dockerd_fail_errno(err, errno, "commit layer %s", l->id);
	close(fd);
	return r;
}

static int32_t ov_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	const struct dockerd_value *size = dockerd_option_get(l->options, "size");

	/* moby's words where the file system has none; where it has, they are not used yet */
	if (size && size->text)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "--storage-opt is supported only for overlay over xfs with "
				    "'pquota' mount option");
	return create(self, l, false, err);
}

/* ---- mounts ------------------------------------------------------------------------------------------------------------------ */

static int32_t ov_mount(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			struct dockerd_error *err)
{
	struct overlay2 *o = self;
	char lower[LOWER_MAX + 1];
	bool ro, made = false;
	ssize_t n;
	int fd, r = -1;

	if (check_ids(l, err) < 0 || (fd = open_layer(o, l->id, err)) < 0)
		return -1;
	n = tree_read(fd, "lower", lower, sizeof(lower));
	if (n < 0 && errno == ENOENT) { /* a base layer is its own view */
		close(fd);
		return give_dir(o, l->id, "diff", out, err);
	}
	if (n < 0) {
		dockerd_fail_errno(err, errno, "read %s/%s/lower", o->path, l->id);
		goto out;
	}
	ro = tree_exists(fd, "committed");
	if (tree_mkdir(fd, "merged", 0700) == 0) {
		made = true;
	} else if (errno != EEXIST) {
		dockerd_fail_errno(err, errno, "mkdir %s/%s/merged", o->path, l->id);
		goto out;
	}
	FAULT("overlay2.mount.before");
	if (tree_is_mount(fd, "merged") != 1 && overlay2_mount(o, l, lower, ro, err) < 0) {
		if (made)
			unlinkat(fd, "merged", AT_REMOVEDIR);
		goto out;
	}
	FAULT("overlay2.mount.after");
	r = give_dir(o, l->id, "merged", out, err);
out:
	close(fd);
	return r;
}

static int unmount_at(struct overlay2 *o, const char *id, int layer, struct dockerd_error *err)
{
	char target[4096];

	if (tree_is_mount(layer, "merged") == 1) {
		snprintf(target, sizeof(target), "%s/%s/merged", o->path, id);
		/* Lazily: a process that still looks into the container must not keep it from being removed. */
		if (o->host->unmount(o->host, target, MNT_DETACH, err) < 0)
			return -1;
	}
	FAULT("overlay2.unmount.after");
	if (unlinkat(layer, "merged", AT_REMOVEDIR) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "remove %s/%s/merged", o->path, id);
	return 0;
}

static int32_t ov_unmount(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	const char *id = l->id;
	struct overlay2 *o = self;
	int fd, r;

	if (!tree_valid_id(id))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'", id);
	fd = open_layer(o, id, err);
	if (fd < 0)
		return -1;
	r = unmount_at(o, id, fd, err);
	close(fd);
	return r;
}

static int32_t ov_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	const char *id = l->id;
	struct overlay2 *o = self;
	char link[LINK_LEN + 2], path[64];
	int fd;

	if (!tree_valid_id(id) || !strcmp(id, "l"))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid layer id '%s'", id);
	fd = tree_open(o->root, id);
	if (fd < 0)
		return errno == ENOENT ? 0 : dockerd_fail_errno(err, errno, "layer %s", id);
	if (unmount_at(o, id, fd, err) < 0) {
		close(fd);
		return -1;
	}
	if (read_link(fd, link)) {
		snprintf(path, sizeof(path), "l/%s", link);
		unlinkat(o->root, path, 0);
	}
	close(fd);
	FAULT("overlay2.remove.after-link");
	if (tree_remove(o->root, id) < 0)
		return dockerd_fail_errno(err, errno, "remove %s/%s", o->path, id);
	return 0;
}

/* ---- looking ----------------------------------------------------------------------------------------------------------------- */

static int32_t ov_exists(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	const char *id = l->id;
	struct overlay2 *o = self;
	char link[LINK_LEN + 2], path[64];
	int fd, r = 0;

	if (!tree_valid_id(id))
		return 0;
	fd = tree_open(o->root, id);
	if (fd < 0)
		return errno == ENOENT ? 0 : dockerd_fail_errno(err, errno, "layer %s", id);
	if (!tree_exists(fd, "incomplete") && read_link(fd, link)) {
		snprintf(path, sizeof(path), "l/%s", link);
		r = tree_exists(o->root, path);
	}
	close(fd);
	return r;
}

static int32_t ov_diff_dir(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			   struct dockerd_error *err)
{
	return check_ids(l, err) < 0 ? -1 : give_dir(self, l->id, "diff", out, err);
}

static int32_t ov_usage(void *self, const struct dockerd_layer *l, uint64_t *bytes,
			struct dockerd_error *err)
{
	struct dockerd_layer_dir dir = {.size = sizeof(dir), .fd = -1};
	int r;

	if (ov_diff_dir(self, l, &dir, err) < 0)
		return -1;
	r = tree_usage(dir.fd, bytes);
	if (r < 0)
		dockerd_fail_errno(err, errno, "measure %s", dir.path);
	close(dir.fd);
	return r;
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

/* Absolute diff directories of "l/A:l/B", joined by colons. */
static int put_lower_dirs(const struct overlay2 *o, const char *lower, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	while (*lower) {
		size_t len = strcspn(lower, ":");
		char link[64], target[256];
		ssize_t t;

		snprintf(link, sizeof(link), "%.*s", (int)len, lower);
		t = readlinkat(o->root, link, target, sizeof(target) - 1);
		if (t < 3)
			return -1;
		target[t] = '\0';
		n += (size_t)snprintf(out + n, size - n, "%s%s/%s", n ? ":" : "", o->path,
				      target + 3); /* behind "../" */
		if (n >= size)
			return -1;
		lower += len + (lower[len] == ':');
	}
	return 0;
}

static int32_t ov_metadata(void *self, const struct dockerd_layer *l, const struct dockerd_emit *to,
			   struct dockerd_error *err)
{
	struct overlay2 *o = self;
	char lower[LOWER_MAX + 1], path[4096];
	size_t size = (size_t)MAX_LAYERS * (strlen(o->path) + 140);
	char *dirs;
	int fd;

	if (check_ids(l, err) < 0 || (fd = open_layer(o, l->id, err)) < 0)
		return -1;
	dirs = tree_read(fd, "lower", lower, sizeof(lower)) > 0 ? malloc(size) : NULL;
	close(fd);
	if (dirs && put_lower_dirs(o, lower, dirs, size) == 0)
		to->row(to, "LowerDir", dirs);
	free(dirs);
	snprintf(path, sizeof(path), "%s/%s/merged", o->path, l->id);
	to->row(to, "MergedDir", path);
	snprintf(path, sizeof(path), "%s/%s/diff", o->path, l->id);
	to->row(to, "UpperDir", path);
	snprintf(path, sizeof(path), "%s/%s/work", o->path, l->id);
	to->row(to, "WorkDir", path);
	return 0;
}

static int32_t ov_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	struct overlay2 *o = self;

	if (tree_list(o->root, "l", to) < 0)
		return dockerd_fail_errno(err, errno, "read %s", o->path);
	return 0;
}

/* ---- life -------------------------------------------------------------------------------------------------------------------- */

static int32_t ov_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	const struct dockerd_value *size = dockerd_option_get(a->options, "overlay2.size");

	if (size && size->number)
		return dockerd_fail(
		    err, DOCKERD_ERR_NOT_IMPLEMENTED,
		    "overlay2.size=%s: project quotas are not supported yet; remove the option",
		    size->text);
	return overlay2_check(a->root, err);
}

static void ov_close(void *self)
{
	struct overlay2 *o = self;

	if (o->root >= 0)
		close(o->root);
	free(o->path);
	free(o);
}

static void set_kernel_options(struct overlay2 *o)
{
	bool known, redirect;

	/* With the index a lower layer mounted twice is refused; with redirects `diff` would not tell the whole change. */
	overlay2_parameter("index", &known);
	redirect = overlay2_parameter("redirect_dir", &known);
	if (known && redirect)
		strcat(o->prefix, "redirect_dir=off,");
	overlay2_parameter("index", &known);
	if (known)
		strcat(o->prefix, "index=off,");
	/* metacopy needs redirect_dir, so it goes with it. */
	o->metacopy = overlay2_parameter("metacopy", &known) && !redirect;
	if (known && redirect)
		strcat(o->prefix, "metacopy=off,");
}

static int32_t ov_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	struct overlay2 *o = calloc(1, sizeof(*o));

	if (!o)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "out of memory");
	o->host = a->host;
	o->root = tree_open(AT_FDCWD, a->root);
	o->path = strdup(a->root);
	if (o->root < 0 || !o->path) {
		dockerd_fail_errno(err, errno, "open %s", a->root);
		ov_close(o);
		return -1;
	}
	if (!DOCKERD_HAS(a->host, mount) || !DOCKERD_HAS(a->host, unmount)) {
		ov_close(o);
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "the daemon offers no mount service");
	}
	if (tree_mkdir(o->root, "l", 0700) < 0 && errno != EEXIST) {
		dockerd_fail_errno(err, errno, "mkdir %s/l", o->path);
		ov_close(o);
		return -1;
	}
	o->fs = tree_fs_name(o->root);
	set_kernel_options(o);
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
     .help = "default quota of a container (not supported yet)"},
    {.key = "size",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "quota of the container (not supported yet)"},
};

static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(struct dockerd_storage_ops),
	       .probe = ov_probe,
	       .open = ov_open,
	       .close = ov_close},
    .prepare = ov_prepare,
    .commit = ov_commit,
    .create_rw = ov_create_rw,
    .mount = ov_mount,
    .unmount = ov_unmount,
    .remove = ov_remove,
    .exists = ov_exists,
    .diff_dir = ov_diff_dir,
    .usage = ov_usage,
    .status = ov_status,
    .metadata = ov_metadata,
    .list = ov_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "overlay2", .version = PACKAGE_VERSION,
	       .description = "layers as directories, stacked by the kernel's overlay file system",
	       .concurrency = DOCKERD_PER_OBJECT,
	       .capabilities = DOCKERD_STORAGE_CAP_NATIVE_DIFF | DOCKERD_STORAGE_CAP_SHARED_PAGES |
			       DOCKERD_STORAGE_CAP_LIKE,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
