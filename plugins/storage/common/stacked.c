/* SPDX-License-Identifier: Apache-2.0 */
/* See stacked.h. */
#include "stacked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree.h"
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
static int open_layer(const struct stacked *o, const char *id, struct dockerd_error *err)
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
static int lower_of_child(const struct stacked *o, const char *parent, char lower[LOWER_MAX + 1],
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
static int make_diff(const struct stacked *o, int layer, const char *parent)
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

static int share_layer(const struct stacked *o, const struct dockerd_layer *l, int fd,
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
static int make_link(const struct stacked *o, const struct dockerd_layer *l, int fd,
		     struct dockerd_error *err)
{
	char link[LINK_LEN + 1], from[64], to[256];

	do {
		new_link(link);
		if (tree_write(fd, "link", 0644, link, LINK_LEN) < 0)
			return dockerd_fail_errno(err, errno, "write %s/%s/link", o->path, l->id);
		FAULT("stacked.create.before-link");
		snprintf(from, sizeof(from), "l/%s", link);
		snprintf(to, sizeof(to), "../%s/diff", l->id);
		if (symlinkat(to, o->root, from) == 0)
			return 0;
	} while (errno == EEXIST);
	return dockerd_fail_errno(err, errno, "make %s/%s", o->path, from);
}

static int fill_layer(const struct stacked *o, const struct dockerd_layer *l, int fd,
		      bool incomplete, const char *lower, struct dockerd_error *err)
{

	if (incomplete && tree_write(fd, "incomplete", 0600, "", 0) < 0)
		return dockerd_fail_errno(err, errno, "write %s/%s/incomplete", o->path, l->id);
	FAULT("stacked.create.after-marker");
	if (make_diff(o, fd, l->parent) < 0)
		return dockerd_fail_errno(err, errno, "make %s/%s/diff", o->path, l->id);
	if (l->parent && tree_write(fd, "lower", 0644, lower, strlen(lower)) < 0)
		return dockerd_fail_errno(err, errno, "write %s/%s/lower", o->path, l->id);
	/* What is prepared is written directly and never mounted writable, so only read-write layers need a work directory. */
	if (l->parent && !incomplete && tree_mkdir(fd, "work", 0700) < 0)
		return dockerd_fail_errno(err, errno, "mkdir %s/%s/work", o->path, l->id);
	return make_link(o, l, fd, err);
}

static int create(struct stacked *o, const struct dockerd_layer *l, bool incomplete,
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
	FAULT("stacked.create.after-mkdir");
	fd = open_layer(o, l->id, err);
	if (fd < 0)
		r = -1;
	else if (!incomplete && o->limit && o->limit(o, l, fd, err) < 0)
		r = -1;
	else if (like)
		r = share_layer(o, l, fd, err) < 0 ? -1 : make_link(o, l, fd, err);
	else
		r = fill_layer(o, l, fd, incomplete, lower, err);
	if (fd >= 0)
		close(fd);
	if (r < 0) {
		struct dockerd_error ignored = {.size = sizeof(ignored)};

		stacked_remove(o, l, &ignored);
	}
	return r;
}

static int give_dir(const struct stacked *o, const char *id, const char *sub,
		    struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	int n = snprintf(out->path, sizeof(out->path), "%s/%s/%s", o->path, id, sub);

	if (n < 0 || (size_t)n >= sizeof(out->path))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "path of layer %s is too long", id);
	out->whiteouts = DOCKERD_WHITEOUT_OVERLAY;
	out->fd = tree_open(AT_FDCWD, out->path);
	return out->fd < 0 ? dockerd_fail_errno(err, errno, "open %s", out->path) : 0;
}

int32_t stacked_prepare(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			struct dockerd_error *err)
{
	struct stacked *o = self;

	if (create(o, l, true, err) < 0)
		return -1;
	if (like_of(l)) {
		out->fd = -1;
		return 0;
	}
	return give_dir(o, l->id, "diff", out, err);
}

int32_t stacked_commit(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct stacked *o = self;
	int fd, r = 0;

	if (check_ids(l, err) < 0)
		return -1;
	fd = open_layer(o, l->id, err);
	if (fd < 0)
		return -1;
	FAULT("stacked.commit.before");
	if ((!tree_exists(fd, "committed") && tree_write(fd, "committed", 0600, "", 0) < 0) ||
	    (unlinkat(fd, "incomplete", 0) < 0 && errno != ENOENT))
		r = dockerd_fail_errno(err, errno, "commit layer %s", l->id);
	close(fd);
	return r;
}

int32_t stacked_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	return create(self, l, false, err);
}

/* ---- mounts ------------------------------------------------------------------------------------------------------------------ */

enum { NOT_MOUNTED, MOUNTED, DEAD /* mounted, but who served it is gone */ };

static int mount_state(int layer)
{
	int fd;

	if (tree_is_mount(layer, "merged") == 0)
		return NOT_MOUNTED;
	fd = tree_open(layer, "merged");
	if (fd < 0)
		return errno == ENOTCONN || errno == ECONNABORTED ? DEAD : NOT_MOUNTED;
	close(fd);
	return MOUNTED;
}

/* Lazily: a process that still looks into the container must not keep it from being removed. */
static int detach(struct stacked *o, const char *id, struct dockerd_error *err)
{
	char target[4096];

	snprintf(target, sizeof(target), "%s/%s/merged", o->path, id);
	return o->host->unmount(o->host, target, MNT_DETACH, err);
}

int32_t stacked_mount(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
		      struct dockerd_error *err)
{
	struct stacked *o = self;
	char lower[LOWER_MAX + 1];
	bool ro, made = false;
	ssize_t n;
	int fd, state, r = -1;

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
	FAULT("stacked.mount.before");
	state = mount_state(fd);
	if ((state == DEAD && detach(o, l->id, err) < 0) ||
	    (state != MOUNTED && o->stack(o, l, lower, ro, err) < 0)) {
		if (made)
			unlinkat(fd, "merged", AT_REMOVEDIR);
		goto out;
	}
	FAULT("stacked.mount.after");
	r = give_dir(o, l->id, "merged", out, err);
out:
	close(fd);
	return r;
}

static int unmount_at(struct stacked *o, const char *id, int layer, struct dockerd_error *err)
{
	if (mount_state(layer) != NOT_MOUNTED && detach(o, id, err) < 0)
		return -1;
	FAULT("stacked.unmount.after");
	if (unlinkat(layer, "merged", AT_REMOVEDIR) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "remove %s/%s/merged", o->path, id);
	return 0;
}

int32_t stacked_unmount(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	const char *id = l->id;
	struct stacked *o = self;
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

int32_t stacked_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	const char *id = l->id;
	struct stacked *o = self;
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
	FAULT("stacked.remove.after-link");
	if (tree_remove(o->root, id) < 0)
		return dockerd_fail_errno(err, errno, "remove %s/%s", o->path, id);
	return 0;
}

/* ---- looking ----------------------------------------------------------------------------------------------------------------- */

int32_t stacked_exists(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	const char *id = l->id;
	struct stacked *o = self;
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

int32_t stacked_diff_dir(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			 struct dockerd_error *err)
{
	return check_ids(l, err) < 0 ? -1 : give_dir(self, l->id, "diff", out, err);
}

int32_t stacked_usage(void *self, const struct dockerd_layer *l, uint64_t *bytes,
		      struct dockerd_error *err)
{
	struct dockerd_layer_dir dir = {.size = sizeof(dir), .fd = -1};
	int r;

	if (stacked_diff_dir(self, l, &dir, err) < 0)
		return -1;
	r = tree_usage(dir.fd, bytes);
	if (r < 0)
		dockerd_fail_errno(err, errno, "measure %s", dir.path);
	close(dir.fd);
	return r;
}

/* Absolute diff directories of "l/A:l/B", joined by colons. */
static int put_lower_dirs(const struct stacked *o, const char *lower, char *out, size_t size)
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

int32_t stacked_metadata(void *self, const struct dockerd_layer *l, const struct dockerd_emit *to,
			 struct dockerd_error *err)
{
	struct stacked *o = self;
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

int32_t stacked_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	struct stacked *o = self;

	if (tree_list(o->root, "l", to) < 0)
		return dockerd_fail_errno(err, errno, "read %s", o->path);
	return 0;
}

/* ---- life -------------------------------------------------------------------------------------------------------------------- */

void stacked_shut(struct stacked *o)
{
	if (o->root >= 0)
		close(o->root);
	free(o->path);
}

int stacked_open(struct stacked *o, const struct dockerd_open *a, struct dockerd_error *err)
{
	o->host = a->host;
	o->root = tree_open(AT_FDCWD, a->root);
	o->path = strdup(a->root);
	if (o->root < 0 || !o->path)
		return dockerd_fail_errno(err, errno, "open %s", a->root);
	if (!DOCKERD_HAS(a->host, mount) || !DOCKERD_HAS(a->host, unmount))
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "the daemon offers no mount service");
	if (tree_mkdir(o->root, "l", 0700) < 0 && errno != EEXIST)
		return dockerd_fail_errno(err, errno, "mkdir %s/l", o->path);
	return 0;
}
