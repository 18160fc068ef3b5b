/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's files from outside: what has changed, the whole tree, and docker cp. Nothing here reads a path of the container: that is done by
 * dockerd-unpack, in a view of its own (proto/unpack.h).
 */
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "container/container_int.h"
#include "container/image_use.h"
#include "image/image.h"
#include "unpack/client.h"
#include "proto/unpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct change_list {
	struct jw w;
	size_t n;
};

static void add_change(void *ctx, const char *path, int kind)
{
	struct change_list *l = ctx;

	if (!l->n++)
		jw_arr(&l->w);
	jw_obj(&l->w);
	jw_kstr(&l->w, "Path", path);
	jw_ki64(&l->w, "Kind", kind);
	jw_end(&l->w);
}

int container_changes(const char *name, struct str *reply, struct error *err)
{
	int64_t began = clock_mono_ns();
	auto_container *c = container_find(name, err);
	struct change_list l = {.w = jw_to(reply)};

	if (!c || layer_rw_changes(containers.images, c->id, add_change, &l, err) < 0)
		return -1;
	if (l.n)
		jw_end(&l.w);
	else
		jw_null(&l.w); /* as Go prints an empty slice that was never made */
	metrics_took(METRICS_CHANGES, began);
	return 0;
}

int container_export(const char *name, int fd, struct error *err)
{
	auto_container *c = container_find(name, err);

	if (!c)
		return -1;
	if (c->state.dead || c->state.removing)
		return error_set(err, ERR_CONFLICT,
				 c->state.dead
				     ? "You cannot export container %s which is Dead"
				     : "You cannot export container %s which is being removed",
				 c->id);
	if (layer_rw_export(containers.images, c->id, fd, err) < 0)
		return -1;
	container_event(c, "export", NULL);
	return 0;
}

/* ---- docker cp -------------------------------------------------------------------------------------------------------------------- */

struct container_files {
	struct container *c;
	struct unpacker unpacker;
	struct container_path path;
	struct mounted volumes;
	char
	    *in_view; /* absolute, a trailing "/" or "/." kept: it says that a directory is meant */
	char *name;   /* its last part, as Go's filepath.Base has it */
	bool mounted;
};

static char *view_path(const char *path)
{
	auto_free char *slashed = xasprintf("/%s", path), *clean = path_clean(slashed);
	const char *base = path_base(path), *end = "";

	if (streq(base, "."))
		end = clean[1] ? "/." : ".";
	else if (!*base && clean[1])
		end = "/";
	return xasprintf("%s%s", clean, end);
}

static char *last_part(const char *path)
{
	auto_free char *copy = xstrdup(path);
	size_t n = strlen(copy);

	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	return xstrdup(n == 1 && *copy == '/' ? "/" : path_base(copy));
}

static int depth(const char *path)
{
	int n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* One inside another comes behind it, as when the container was started. */
static int by_depth(const void *a, const void *b)
{
	const struct unpack_volume *x = a, *y = b;
	int d = depth(x->path) - depth(y->path);

	return d ? d : strcmp(x->path, y->path);
}

static struct unpack_volume *volumes_of(const struct spec_mounts *m, size_t *n)
{
	struct unpack_volume *v = xcalloc(m->n + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].type != SPEC_MOUNT_TMPFS) /* it is the container's alone */
			v[(*n)++] = (struct unpack_volume){.source = m->v[i].source,
							   .path = m->v[i].destination,
							   .read_only = m->v[i].read_only};
	qsort(v, *n, sizeof(*v), by_depth);
	return v;
}

/* ids: NULL, or becomes the owner that `docker cp -a` wants: the container's user; UINT64_MAX if it has none. */
static int open_view(struct container_files *f, bool pack, uint64_t *owner, struct error *err)
{
	auto_free struct unpack_volume *volumes = NULL;
	auto_json *config = container_config(f->c, err);
	auto_json *host = container_host_config(f->c, err);
	const char *user = json_get_str(config, "User", "");
	struct spec_mounts mounts = {0};
	auto_close root = -1;
	size_t n;
	int r;

	if (!config || !host || image_use_layer_mount(f->c->id, &root, NULL, err) < 0)
		return -1;
	f->mounted = true;
	if (owner && *user && spec_user_ids(root, user, owner, err) < 0)
		return -1;
	if (mounts_mount(f->c, &f->volumes, err) < 0)
		return -1;
	if (mounts_resolve(f->c, config, host, &f->volumes, &mounts, err) < 0) {
		spec_mounts_free(&mounts);
		return -1;
	}
	volumes = volumes_of(&mounts, &n);
	r = unpacker_view(&f->unpacker, pack, root, json_get_bool(host, "ReadonlyRootfs", false),
			  volumes, n, err);
	spec_mounts_free(&mounts);
	return r;
}

static struct container_files *files_new(const char *name, const char *path, struct error *err)
{
	struct container *c = container_find(name, err);
	struct container_files *f;

	if (!c)
		return NULL;
	f = xnew(struct container_files);
	f->c = c;
	f->unpacker = (struct unpacker)UNPACKER_INIT;
	f->in_view = view_path(path);
	f->name = last_part(f->in_view);
	return f;
}

void container_files_close(struct container_files *f)
{
	struct error err = ERROR_INIT;

	unpacker_stop(&f->unpacker);
	mounts_unmount(f->c, &f->volumes);
	if (f->mounted && image_use_layer_unmount(f->c->id, &err) < 0)
		log_warn("container not unmounted after a copy", "container", f->c->id, "error",
			 err.text);
	free((char *)(uintptr_t)f->path.link);
	free(f->in_view);
	free(f->name);
	container_unref(f->c);
	free(f);
}

/* moby names the path as it was asked for. */
static int file_error(const char *path, const char *name, struct error *err)
{
	if (err->kind == ERR_NOT_FOUND)
		error_set(err, ERR_NOT_FOUND, "Could not find the file %s in container %s", path,
			  name);
	return -1;
}

struct container_files *container_files_open(const char *name, const char *path, struct error *err)
{
	struct container_files *f = files_new(name, path, err);
	struct unpack_stat st;

	if (!f)
		return NULL;
	if (open_view(f, true, NULL, err) < 0) {
		container_files_close(f);
		return NULL;
	}
	if (unpacker_view_stat(&f->unpacker, f->in_view, &st, err) < 0) {
		file_error(path, name, err);
		container_files_close(f);
		return NULL;
	}
	f->path = (struct container_path){
	    .name = f->name, .size = st.size, .mode = st.mode, .mtime = st.mtime, .link = st.link};
	return f;
}

const struct container_path *container_files_path(const struct container_files *f)
{
	return &f->path;
}

int container_files_pack(struct container_files *f, int fd, struct error *err)
{
	if (unpacker_view_pack(&f->unpacker, f->in_view, f->name, fd, err) < 0)
		return -1;
	container_event(f->c, "archive-path", NULL);
	return 0;
}

int container_files_extract(const char *name, const char *path, bool keep_dirs, bool copy_owner,
			    int fd, struct error *err)
{
	struct container_files *f = files_new(name, path, err);
	uint64_t owner = UINT64_MAX;
	int r = -1;

	if (!f)
		return -1;
	if (open_view(f, false, copy_owner ? &owner : NULL, err) == 0) {
		r = unpacker_view_extract(&f->unpacker, f->in_view, fd,
					  keep_dirs ? UNPACK_FLAG_KEEP_DIRS : 0,
					  owner == UINT64_MAX ? NULL : &owner, err);
		if (r == 0)
			container_event(f->c, "extract-to-dir", NULL);
		else
			file_error(path, name, err);
	}
	container_files_close(f);
	return r;
}
