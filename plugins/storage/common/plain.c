/* SPDX-License-Identifier: Apache-2.0 */
/* See plain.h. */
#include "plain.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"

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

int plain_open(const char *root, const char *whole, const char *begun, size_t size, void **self,
	       struct dockerd_error *err)
{
	struct plain *p = calloc(1, size);

	if (!p)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "out of memory");
	p->whole_name = whole;
	p->begun_name = begun;
	p->path = strdup(root);
	p->whole = open_sub(root, whole);
	p->begun = open_sub(root, begun);
	if (!p->path || p->whole < 0 || p->begun < 0) {
		dockerd_fail_errno(err, errno, "open %s", root);
		plain_close(p);
		return -1;
	}
	*self = p;
	return 0;
}

void plain_close(void *self)
{
	struct plain *p = self;

	if (p->whole >= 0)
		close(p->whole);
	if (p->begun >= 0)
		close(p->begun);
	free(p->path);
	free(p);
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

int plain_check_new(const struct plain *p, const struct dockerd_layer *l, struct dockerd_error *err)
{
	if (check_ids(l, err) < 0)
		return -1;
	if (tree_exists(p->whole, l->id) || tree_exists(p->begun, l->id))
		return dockerd_fail(err, DOCKERD_ERR_CONFLICT, "layer %s already exists", l->id);
	return 0;
}

static int give_dir(const struct plain *p, const char *sub, const char *id,
		    struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	int n = snprintf(out->path, sizeof(out->path), "%s/%s/%s", p->path, sub, id);

	if (n < 0 || (size_t)n >= sizeof(out->path))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "path of layer %s is too long", id);
	out->whiteouts = DOCKERD_WHITEOUT_NONE;
	out->fd = tree_open(AT_FDCWD, out->path);
	return out->fd < 0 ? dockerd_fail_errno(err, errno, "open %s", out->path) : 0;
}

int plain_give_begun(const struct plain *p, const struct dockerd_layer *l,
		     struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	return give_dir(p, p->begun_name, l->id, out, err);
}

int32_t plain_commit(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	struct plain *p = self;

	if (check_ids(l, err) < 0)
		return -1;
	FAULT("plain.commit.before");
	if (renameat(p->begun, l->id, p->whole, l->id) < 0)
		return dockerd_fail_errno(err, errno, "commit layer %s", l->id);
	return 0;
}

int32_t plain_mount(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
		    struct dockerd_error *err)
{
	struct plain *p = self;

	return check_ids(l, err) < 0 ? -1 : give_dir(p, p->whole_name, l->id, out, err);
}

int32_t plain_unmount(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	(void)self, (void)l, (void)err;
	return 0;
}

int32_t plain_exists(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	(void)err;
	return tree_valid_id(l->id) && tree_exists(((struct plain *)self)->whole, l->id);
}

int32_t plain_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	struct plain *p = self;

	if (tree_list(p->whole, NULL, to) < 0 || tree_list(p->begun, NULL, to) < 0)
		return dockerd_fail_errno(err, errno, "read %s", p->path);
	return 0;
}
