/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "-init" layer between image and container: places that the container's start mounts over (/etc/hosts, /dev/console, ...), so that
 * they neither show up as changes of the container nor go into commits. The list and modes are moby's.
 *
 * Writing them through a mounted view would cost a mount for every container. Instead the image's few directories concerned are looked at
 * once per image layer (the plan), and each init layer is then written directly, directories with the metadata that the image gives them.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *dir, *name;
	const char *kind; /* "dir", "file", or a symlink's target */
} items[] = {{"dev", "pts", "dir"},       {"dev", "shm", "dir"},
	     {".", "proc", "dir"},        {".", "sys", "dir"},
	     {".", ".dockerenv", "file"}, {"etc", "resolv.conf", "file"},
	     {"etc", "hosts", "file"},    {"etc", "hostname", "file"},
	     {"dev", "console", "file"},  {"etc", "mtab", "/proc/mounts"}};

static const char *const top_dirs[] = {"dev", "etc"};

struct init_plan {
	bool item_is_dir[ARRAY_LEN(items)]; /* the image has a directory there: it stays */
	bool top_is_dir[ARRAY_LEN(top_dirs)];
	struct stat top[ARRAY_LEN(top_dirs)];
};

void init_plan_free(struct init_plan *p)
{
	free(p);
}

static bool is_dir(int at, const char *name, struct stat *st)
{
	return fstatat(at, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st->st_mode);
}

/* Look at a whole tree. */
static struct init_plan *make_plan(int root)
{
	struct init_plan *p = xnew(struct init_plan);
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(top_dirs); i++)
		p->top_is_dir[i] = is_dir(root, top_dirs[i], &p->top[i]);
	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		auto_close dir =
		    openat(root, items[i].dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		p->item_is_dir[i] = dir >= 0 && is_dir(dir, items[i].name, &st);
	}
	return p;
}

/* mkdir and chmod, whatever the umask. */
static int make_dir(int at, const char *name, mode_t mode)
{
	if (mkdirat(at, name, mode) < 0)
		return errno == EEXIST ? 0 : -1;
	return fchmodat(at, name, mode, 0);
}

static int make_top(int root, const char *name, bool known, const struct stat *st)
{
	if (unlinkat(root, name, 0) < 0 && errno == EISDIR)
		return 0; /* a full tree, and there */
	if (make_dir(root, name, known ? st->st_mode & 07777 : 0755) < 0)
		return -1;
	return known ? fchownat(root, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW)
		     : idmap_give(root, name);
}

static int make_item(int dir, const char *name, const char *kind)
{
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT && errno != EISDIR && errno != EPERM)
		return -1;
	if (streq(kind, "dir"))
		return make_dir(dir, name, 0755) < 0 ? -1 : idmap_give(dir, name);
	if (streq(kind, "file")) {
		auto_close fd =
		    openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0755);

		return fd < 0 || fchmod(fd, 0755) < 0 ? -1 : idmap_give(dir, name);
	}
	return symlinkat(kind, dir, name) < 0 ? -1 : idmap_give(dir, name);
}

static int apply_plan(const struct init_plan *p, int root, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(top_dirs); i++)
		if (make_top(root, top_dirs[i], p->top_is_dir[i], &p->top[i]) < 0)
			return error_sys(err, errno, "init layer: %s", top_dirs[i]);
	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		auto_close dir = -1;

		if (p->item_is_dir[i])
			continue;
		dir = openat(root, items[i].dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0 || make_item(dir, items[i].name, items[i].kind) < 0)
			return error_sys(err, errno, "init layer: %s/%s", items[i].dir,
					 items[i].name);
	}
	return 0;
}

/* The plan of an image's top layer, made at first need. It lives as long as the layer. */
static const struct init_plan *plan_of(struct image_store *s, struct layer *parent,
				       struct error *err)
{
	struct dockerd_layer view =
	    storage_layer(parent->cache_id, parent->parent ? parent->parent->cache_id : NULL);
	struct error ignored = ERROR_INIT;
	struct init_plan *plan;
	auto_close fd = -1;

	pthread_mutex_lock(&s->lock);
	plan = parent->plan;
	pthread_mutex_unlock(&s->lock);
	if (plan)
		return plan;
	if (mount_get(s, &view, &fd, NULL, err) < 0)
		return NULL;
	plan = make_plan(fd);
	fd_close(&fd);
	if (mount_put(s, view.id, &ignored) < 0)
		log_warn("layer not unmounted", "layer", view.id, "error", ignored.text);
	LOCK_SCOPE(&s->lock);
	if (parent->plan)
		init_plan_free(plan); /* another thread was faster */
	else
		parent->plan = plan;
	return parent->plan;
}

static int fill(struct image_store *s, struct layer *parent, const struct dockerd_layer_dir *dir,
		struct error *err)
{
	static const struct init_plan nothing;
	const struct init_plan *plan = &nothing;
	struct init_plan *own = NULL;
	int r;

	if (dir->whiteouts == DOCKERD_WHITEOUT_NONE)
		plan = own = make_plan(dir->fd);
	else if (parent)
		plan = plan_of(s, parent, err);
	r = plan ? apply_plan(plan, dir->fd, err) : -1;
	if (r == 0 && !parent && idmap_give(dir->fd, "") < 0)
		r = error_sys(err, errno, "owner of the container's root");
	init_plan_free(own);
	return r;
}

/* ---- one for all containers of an image --------------------------------------------------------------------------------------------- */

/* A driver that can make a layer like another one gets one init layer per image layer, the model, and makes those of containers like it. */
char *init_model(const char *cache_id)
{
	return xasprintf("%s-init", cache_id);
}

static bool has_like(const struct image_store *s)
{
	return s->storage->plugin->capabilities & DOCKERD_STORAGE_CAP_LIKE;
}

static int make_layer(struct image_store *s, struct layer *parent, const char *id,
		      struct error *err)
{
	struct dockerd_layer layer = storage_layer(id, parent ? parent->cache_id : NULL);
	struct dockerd_layer_dir dir = storage_dir();
	int r;

	if (STORAGE(s, err, prepare, id, &layer, &dir) < 0)
		return -1;
	FAULT("image.rw.after-init-prepare");
	r = fill(s, parent, &dir, err);
	close(dir.fd);
	return r < 0 ? -1 : STORAGE(s, err, commit, id, &layer);
}

/* Synced, as the layer below: containers are made on it as long as that is there. */
static int make_model(struct image_store *s, struct layer *parent, const char *id,
		      struct error *err)
{
	int there = STORAGE_ID(s, err, exists, id, parent->cache_id);

	if (there)
		return there < 0 ? -1 : 0;
	if (STORAGE_ID(s, err, remove, id, parent->cache_id) < 0 ||
	    make_layer(s, parent, id, err) < 0)
		return -1;
	return syncfs(s->layerdb) < 0 ? error_sys(err, errno, "sync %s", s->path) : 0;
}

/* Made at first need, by one thread; the container layer that asks holds `parent`. */
static int need_model(struct image_store *s, struct layer *parent, const char *id,
		      struct error *err)
{
	static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

	if (atomic_load(&parent->has_init))
		return 0;
	LOCK_SCOPE(&making);
	if (!atomic_load(&parent->has_init) && make_model(s, parent, id, err) < 0)
		return -1;
	atomic_store(&parent->has_init, true);
	return 0;
}

int init_layer_create(struct image_store *s, struct layer *parent, const char *init_id,
		      struct error *err)
{
	auto_free char *model = parent && has_like(s) ? init_model(parent->cache_id) : NULL;
	struct dockerd_layer layer = storage_layer(init_id, parent ? parent->cache_id : NULL);
	struct dockerd_layer_dir dir = storage_dir();

	if (!model)
		return make_layer(s, parent, init_id, err);
	if (need_model(s, parent, model, err) < 0)
		return -1;
	layer.like = model;
	if (STORAGE(s, err, prepare, init_id, &layer, &dir) < 0)
		return -1;
	FAULT("image.rw.after-init-prepare");
	fd_close(&dir.fd);
	return STORAGE(s, err, commit, init_id, &layer);
}
