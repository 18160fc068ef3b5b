/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers of containers: layerdb/mounts/<container>/{mount-id,init-id,parent}. The three files come first, so at start a directory without the
 * driver's layer is a leftover of a killed create or remove, and both driver layers that it names go. Nothing is synced: what a power cut
 * takes is found out in the same way.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "unpack/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void rw_free(void *p)
{
	struct rw_layer *rw = p;

	free(rw->mount_id);
	free(rw->init_id);
	free(rw->mount_label);
	free(rw);
}

int rw_erase(struct image_store *s, const char *dir, const char *mount_id, const char *init_id,
	     struct error *err)
{
	if (mount_id && STORAGE_ID(s, err, remove, mount_id, init_id) < 0)
		return -1;
	FAULT("image.rw.remove.after-mount");
	if (init_id && STORAGE_ID(s, err, remove, init_id, NULL) < 0)
		return -1;
	FAULT("image.rw.remove.after-init");
	return dir_remove_all(s->layerdb, dir, err);
}

/* ---- reading at start ---------------------------------------------------------------------------------------------------------- */

static char *read_id(int dir, const char *name)
{
	struct error ignored = ERROR_INIT;
	auto_str text = STR_INIT;

	if (file_read_at(dir, name, 4096, &text, &ignored) < 0 ||
	    !path_is_component(str_cstr(&text)))
		return NULL;
	return str_steal(&text);
}

static void rw_read(struct image_store *s, const char *cid)
{
	auto_free char *path = xasprintf("mounts/%s", cid), *parent = NULL;
	struct rw_layer *rw = xnew(struct rw_layer);
	struct error err = ERROR_INIT;
	auto_close dir = dir_open_at(s->layerdb, path, &err);
	int there = 0;

	if (dir >= 0) {
		rw->mount_id = read_id(dir, "mount-id");
		rw->init_id = read_id(dir, "init-id");
		parent = read_id(dir, "parent");
		there = rw->mount_id ? STORAGE_ID(s, &err, exists, rw->mount_id, rw->init_id) : 0;
	}
	if (dir < 0 || there < 0) {
		log_error("container layer left out", "container", cid, "error", err.text);
		rw_free(rw);
		return;
	}
	if (!there) {
		if (rw_erase(s, path, rw->mount_id, rw->init_id, &err) < 0)
			log_warn("leftover container layer not removed", "container", cid, "error",
				 err.text);
		rw_free(rw);
		return;
	}
	if (parent && !(rw->parent = layer_ref_locked(s, parent))) {
		log_error("container layer left out: its image's layer is gone", "container", cid,
			  "layer", parent);
		rw_free(rw);
		return;
	}
	rw->ready = true;
	map_set(&s->rws, cid, rw);
}

int rws_read(struct image_store *s, struct error *err)
{
	int fd = dir_open_at(s->layerdb, "mounts", err);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return -1;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			rw_read(s, e->d_name);
	return 0;
}

/* ---- making and removing ---------------------------------------------------------------------------------------------------------- */

static int write_files(struct image_store *s, const char *cid, const struct rw_layer *rw,
		       struct error *err)
{
	auto_free char *path = xasprintf("mounts/%s", cid);
	auto_close dir = -1;

	if (mkdirat(s->layerdb, path, 0755) < 0)
		return error_sys(err, errno, "mkdir %s/layerdb/%s", s->path, path);
	dir = dir_open_at(s->layerdb, path, err);
	if (dir < 0)
		return -1;
	if (file_write_atomic(dir, "mount-id", rw->mount_id, strlen(rw->mount_id), 0644, false,
			      err) < 0 ||
	    file_write_atomic(dir, "init-id", rw->init_id, strlen(rw->init_id), 0644, false, err) <
		0)
		return -1;
	return rw->parent ? file_write_atomic(dir, "parent", rw->parent->chain,
					      strlen(rw->parent->chain), 0644, false, err)
			  : 0;
}

/* In moby's words: those of its drivers. */
static int check_options(struct image_store *s, const struct pairs *given, struct error *err)
{
	const struct plugin *p = s->storage->plugin;

	for (size_t i = 0; i < given->n; i++)
		if (!plugin_has_option(p, DOCKERD_SCOPE_CONTAINER, given->v[i].key))
			return error_set(err, ERR_SYSTEM, "Unknown option %s", given->v[i].key);
	return 0;
}

static int create_driver_layer(struct image_store *s, const struct rw_layer *rw,
			       const struct pairs *storage_opt, struct error *err)
{
	static const struct pairs none = PAIRS_INIT;
	struct dockerd_layer layer = storage_layer(rw->mount_id, rw->init_id);
	struct dockerd_options *options = NULL;
	int r;

	if (check_options(s, storage_opt ? storage_opt : &none, err) < 0 ||
	    plugin_options_parse(s->storage->plugin, DOCKERD_SCOPE_CONTAINER,
				 storage_opt ? storage_opt : &none, &options, err) < 0)
		return -1;
	layer.mount_label = rw->mount_label;
	layer.options = options;
	r = init_layer_create(s, rw->parent, rw->init_id, err);
	FAULT("image.rw.after-init");
	if (r == 0)
		r = STORAGE(s, err, create_rw, rw->mount_id, &layer);
	plugin_options_free(options);
	return r;
}

/* The record, entered as not ready; takes the image's top layer. */
static struct rw_layer *reserve(struct image_store *s, const char *cid,
				const struct layer_rw_options *o, struct error *err)
{
	struct image_record *img = NULL;
	struct rw_layer *rw;

	LOCK_SCOPE(&s->lock);
	if (map_get(&s->rws, cid)) {
		error_set(err, ERR_CONFLICT, "container %s has a layer already", cid);
		return NULL;
	}
	if (!str_empty(o->image_id)) {
		img = map_get(&s->images, o->image_id);
		if (!img) {
			image_not_found(o->image_id, err);
			return NULL;
		}
	}
	rw = xnew(struct rw_layer);
	rw->mount_id = random_id();
	rw->init_id = xasprintf("%s-init", rw->mount_id);
	rw->mount_label = xstrdup_null(o->mount_label);
	rw->parent = img ? img->top : NULL;
	if (rw->parent)
		rw->parent->refs++;
	map_set(&s->rws, cid, rw);
	return rw;
}

static void drop(struct image_store *s, const char *cid, struct rw_layer *rw)
{
	pthread_mutex_lock(&s->lock);
	map_del(&s->rws, cid);
	pthread_mutex_unlock(&s->lock);
	layer_unref(s, rw->parent, NULL);
	rw_free(rw);
}

int layer_rw_create(struct image_store *s, const char *cid, const struct layer_rw_options *o,
		    struct error *err)
{
	auto_free char *dir = xasprintf("mounts/%s", cid);
	struct rw_layer *rw;
	struct error ignored = ERROR_INIT;

	if (!path_is_component(cid))
		return error_set(err, ERR_INVALID, "invalid container id '%s'", cid);
	rw = reserve(s, cid, o, err);
	if (!rw)
		return -1;
	if (write_files(s, cid, rw, err) < 0 || FAULT_ERR("image.rw.after-files", err) < 0 ||
	    create_driver_layer(s, rw, o->storage_opt, err) < 0) {
		rw_erase(s, dir, rw->mount_id, rw->init_id, &ignored);
		drop(s, cid, rw);
		return -1;
	}
	FAULT("image.rw.after-create");
	LOCK_SCOPE(&s->lock);
	rw->ready = true;
	return 0;
}

int layer_rw_remove(struct image_store *s, const char *cid, struct error *err)
{
	auto_free char *from = NULL, *to = NULL;
	struct rw_layer *rw;

	pthread_mutex_lock(&s->lock);
	rw = map_get(&s->rws, cid);
	if (rw && !rw->ready) {
		pthread_mutex_unlock(&s->lock);
		return error_set(err, ERR_CONFLICT,
				 "layer of container %s is being made or removed", cid);
	}
	if (rw)
		rw->ready = false;
	pthread_mutex_unlock(&s->lock);
	if (!rw)
		return 0;
	mount_forget(s, rw->mount_id);
	/* In tmp it is nobody's any more, on disk already; the rest needs nobody's patience. */
	from = xasprintf("mounts/%s", cid);
	to = xasprintf("tmp/rw-%.16s", rw->mount_id);
	if (renameat(s->layerdb, from, s->layerdb, to) < 0 && errno != ENOENT) {
		error_sys(err, errno, "remove %s/layerdb/%s", s->path, from);
		LOCK_SCOPE(&s->lock);
		rw->ready = true;
		return -1;
	}
	pthread_mutex_lock(&s->lock);
	map_del(&s->rws, cid);
	pthread_mutex_unlock(&s->lock);
	FAULT("image.rw.remove.after-rename");
	reaper_remove(s, to, rw->mount_id, rw->init_id, rw->parent);
	rw_free(rw);
	return 0;
}

/* ---- using ------------------------------------------------------------------------------------------------------------------------ */

/* Copies of what a driver call needs, taken under the lock. */
struct rw_ids {
	char *mount_id, *init_id, *label;
	struct image_store *s;
	struct layer *parent; /* a reference: the container may be removed meanwhile */
};

static void ids_free(struct rw_ids *i)
{
	if (i->parent)
		layer_unref(i->s, i->parent, NULL);
	free(i->mount_id);
	free(i->init_id);
	free(i->label);
}
#define auto_ids __attribute__((cleanup(ids_free))) struct rw_ids

static int get_ids(struct image_store *s, const char *cid, struct rw_ids *out, struct error *err)
{
	struct rw_layer *rw;

	LOCK_SCOPE(&s->lock);
	rw = map_get(&s->rws, cid);
	if (!rw || !rw->ready)
		return error_set(err, ERR_NOT_FOUND, "container %s has no read-write layer", cid);
	*out = (struct rw_ids){xstrdup(rw->mount_id), xstrdup(rw->init_id),
			       xstrdup_null(rw->mount_label), s, rw->parent};
	if (rw->parent)
		rw->parent->refs++;
	return 0;
}

static struct dockerd_layer layer_of(const struct rw_ids *i)
{
	struct dockerd_layer l = storage_layer(i->mount_id, i->init_id);

	l.mount_label = i->label;
	return l;
}

bool layer_rw_exists(struct image_store *s, const char *cid)
{
	LOCK_SCOPE(&s->lock);
	return map_get(&s->rws, cid) != NULL;
}

void layer_rw_list(struct image_store *s, struct strlist *out)
{
	struct map_entry *e;
	size_t i = 0;

	LOCK_SCOPE(&s->lock);
	while ((e = map_next(&s->rws, &i)))
		strlist_add(out, e->key);
}

int layer_rw_mount(struct image_store *s, const char *cid, int *fd, char **path, struct error *err)
{
	auto_ids ids = {0};
	struct dockerd_layer layer;

	if (get_ids(s, cid, &ids, err) < 0)
		return -1;
	layer = layer_of(&ids);
	return mount_get(s, &layer, fd, path, err);
}

int layer_rw_unmount(struct image_store *s, const char *cid, struct error *err)
{
	auto_ids ids = {0};

	return get_ids(s, cid, &ids, err) < 0 ? -1 : mount_put(s, ids.mount_id, err);
}

static void add_row(const struct dockerd_emit *to, const char *key, const char *value)
{
	pairs_add(to->ctx, key, value);
}

int layer_rw_driver_data(struct image_store *s, const char *cid, struct pairs *out,
			 struct error *err)
{
	struct dockerd_emit to = {.size = sizeof(to), .row = add_row, .ctx = out};
	struct dockerd_layer layer;
	auto_ids ids = {0};

	if (get_ids(s, cid, &ids, err) < 0)
		return -1;
	layer = layer_of(&ids);
	return STORAGE_HAS(s, metadata) ? STORAGE(s, err, metadata, ids.mount_id, &layer, &to) : 0;
}

/* Compare with the init layer, by what the driver offers. */
static int rw_diff(struct image_store *s, const struct rw_ids *ids, diff_fn *fn, void *ctx,
		   struct error *err)
{
	struct dockerd_layer layer = layer_of(ids),
			     init = storage_layer(ids->init_id,
						  ids->parent ? ids->parent->cache_id : NULL);
	struct dockerd_layer_dir changes = storage_dir();
	struct error ignored = ERROR_INIT;
	auto_close top = -1, lower = -1;
	bool native = STORAGE_HAS(s, diff_dir);
	int r;

	if (native ? STORAGE(s, err, diff_dir, layer.id, &layer, &changes) < 0
		   : mount_get(s, &layer, &top, NULL, err) < 0)
		return -1;
	if (native)
		top = changes.fd;
	r = mount_get(s, &init, &lower, NULL, err);
	if (r == 0) {
		r = native && changes.whiteouts == DOCKERD_WHITEOUT_OVERLAY
			? diff_overlay(top, lower, fn, ctx, err)
			: diff_trees(top, lower, fn, ctx, err);
		fd_close(&lower);
		mount_put(s, init.id, &ignored);
	}
	fd_close(&top);
	if (!native)
		mount_put(s, layer.id, &ignored);
	if (ignored.kind)
		log_warn("layer not unmounted", "error", ignored.text);
	return r;
}

struct change_sink {
	void (*change)(void *ctx, const char *path, int kind);
	void *ctx;
	uint64_t bytes;
};

static void on_change(void *ctx, const char *path, int kind, uint64_t size)
{
	struct change_sink *c = ctx;

	c->bytes += size;
	if (c->change)
		c->change(c->ctx, path, kind);
}

int layer_rw_changes(struct image_store *s, const char *cid,
		     void (*change)(void *ctx, const char *path, int kind), void *ctx,
		     struct error *err)
{
	struct change_sink c = {.change = change, .ctx = ctx};
	auto_ids ids = {0};

	return get_ids(s, cid, &ids, err) < 0 ? -1 : rw_diff(s, &ids, on_change, &c, err);
}

int layer_rw_size(struct image_store *s, const char *cid, uint64_t *rw, uint64_t *total,
		  struct error *err)
{
	struct change_sink c = {0};
	struct dockerd_layer layer;
	auto_ids ids = {0};

	if (get_ids(s, cid, &ids, err) < 0)
		return -1;
	layer = layer_of(&ids);
	if (STORAGE_HAS(s, usage)) {
		if (STORAGE(s, err, usage, layer.id, &layer, &c.bytes) < 0)
			return -1;
	} else if (rw_diff(s, &ids, on_change, &c, err) < 0) {
		return -1;
	}
	*rw = c.bytes;
	*total = c.bytes + layer_chain_size(ids.parent);
	return 0;
}

int layer_rw_export(struct image_store *s, const char *cid, int fd, struct error *err)
{
	auto_unpacker u = UNPACKER_INIT;
	struct unpacked done;
	struct error ignored = ERROR_INIT;
	auto_close root = -1;
	int r;

	if (unpacker_start(&u, true, err) < 0 || layer_rw_mount(s, cid, &root, NULL, err) < 0)
		return -1;
	r = unpacker_pack(&u, root, -1, fd, DOCKERD_WHITEOUT_AUFS, NULL, NULL, &done, err);
	fd_close(&root);
	if (layer_rw_unmount(s, cid, &ignored) < 0)
		log_warn("container not unmounted after export", "container", cid, "error",
			 ignored.text);
	return r;
}

/* ---- commit ------------------------------------------------------------------------------------------------------------------------- */

int rw_pack_changes(struct image_store *s, const char *cid, int *fd, struct layer **parent,
		    struct error *err)
{
	struct dockerd_layer_dir changes = storage_dir();
	struct error ignored = ERROR_INIT;
	struct dockerd_layer layer, init;
	auto_unpacker u = UNPACKER_INIT;
	auto_close file = -1, top = -1, lower = -1;
	struct unpacked done;
	auto_ids ids = {0};
	int r;

	file = open(s->tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file < 0)
		return error_sys(err, errno, "create a file in %s", s->tmp);
	if (unpacker_start(&u, true, err) < 0 || get_ids(s, cid, &ids, err) < 0)
		return -1;
	layer = layer_of(&ids);
	init = storage_layer(ids.init_id, ids.parent ? ids.parent->cache_id : NULL);
	if (STORAGE_HAS(s, diff_dir)) {
		if (STORAGE(s, err, diff_dir, layer.id, &layer, &changes) < 0)
			return -1;
		top = changes.fd;
		r = unpacker_pack(&u, top, -1, file, changes.whiteouts, NULL, NULL, &done, err);
	} else {
		if (mount_get(s, &layer, &top, NULL, err) < 0)
			return -1;
		r = mount_get(s, &init, &lower, NULL, err);
		if (r == 0) {
			r = unpacker_pack(&u, top, lower, file, DOCKERD_WHITEOUT_NONE, NULL, NULL,
					  &done, err);
			fd_close(&lower);
			mount_put(s, init.id, &ignored);
		}
		fd_close(&top);
		mount_put(s, layer.id, &ignored);
	}
	if (r < 0)
		return -1;
	if (lseek(file, 0, SEEK_SET) < 0)
		return error_sys(err, errno, "rewind");
	*parent = ids.parent;
	ids.parent = NULL;
	*fd = steal_fd(&file);
	return 0;
}
