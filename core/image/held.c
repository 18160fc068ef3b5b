/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images mounted into containers (--mount type=image): the storage driver's read-only mount of the image's top layer, shared by all who want it.
 * As long as the container exists it holds that layer, also when the image was removed by force: held/CONTAINER.IMAGE names it, beside moby's
 * directories, is there before the container is, and goes after it. What no container owns any more is swept at start. `held` is guarded by the store's lock.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char *name_of(const char *cid, const char *image_id)
{
	return xasprintf("%s.%s", cid, digest_hex(image_id));
}

int held_read(struct image_store *s, struct error *err)
{
	int fd = dir_open_at(s->dir, "held", err);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return -1;
	while ((e = readdir(d))) {
		auto_str chain = STR_INIT;
		struct error why = ERROR_INIT;
		struct layer *l;

		if (e->d_name[0] == '.')
			continue;
		l = file_read_at(dirfd(d), e->d_name, DIGEST_TEXT, &chain, &why) < 0
			? NULL
			: layer_ref(s, str_cstr(&chain));
		if (!l) { /* half-written by a killed daemon: of no container, and the next hold writes it anew */
			log_warn("mounted image left out: its layer is gone", "record", e->d_name);
			continue;
		}
		map_set(&s->held, e->d_name, l);
	}
	return 0;
}

/* The image's top layer, with a reference. */
static struct layer *top_of(struct image_store *s, const char *image_id, struct error *err)
{
	struct image_record *r;

	LOCK_SCOPE(&s->lock);
	r = map_get(&s->images, image_id);
	if (!r)
		image_not_found(image_id, err);
	else if (!r->top)
		error_set(err, ERR_INVALID, "image %s has no layers: there is nothing to mount",
			  image_id);
	else
		r->top->refs++;
	return r ? r->top : NULL;
}

int image_hold(struct image_store *s, const char *cid, const char *image_id, struct error *err)
{
	auto_free char *name = name_of(cid, image_id);
	auto_close dir = dir_open_at(s->dir, "held", err);
	struct layer *l, *before;

	if (dir < 0 || !path_is_component(name))
		return dir < 0 ? -1 : error_set(err, ERR_INVALID, "invalid image '%s'", image_id);
	l = top_of(s, image_id, err);
	if (!l)
		return -1;
	if (file_write_atomic(dir, name, l->chain, strlen(l->chain), 0600, false, err) < 0) {
		layer_unref(s, l, NULL);
		return -1;
	}
	FAULT("image.hold.after-record");
	pthread_mutex_lock(&s->lock);
	before = map_set(&s->held, name, l);
	pthread_mutex_unlock(&s->lock);
	layer_unref(s, before, NULL);
	return 0;
}

/* The layer that is held; the caller's container keeps it. */
static struct layer *held_layer(struct image_store *s, const char *cid, const char *image_id,
				struct error *err)
{
	auto_free char *name = name_of(cid, image_id);
	struct layer *l;

	LOCK_SCOPE(&s->lock);
	l = map_get(&s->held, name);
	if (!l)
		image_not_found(image_id, err);
	return l;
}

int image_hold_mount(struct image_store *s, const char *cid, const char *image_id, char **path,
		     struct error *err)
{
	struct layer *l = held_layer(s, cid, image_id, err);
	struct dockerd_layer layer;
	auto_close fd = -1;

	if (!l)
		return -1;
	layer = storage_layer(l->cache_id, l->parent ? l->parent->cache_id : NULL);
	return mount_get(s, &layer, &fd, path, err);
}

int image_hold_unmount(struct image_store *s, const char *cid, const char *image_id,
		       struct error *err)
{
	struct layer *l = held_layer(s, cid, image_id, err);

	return l ? mount_put(s, l->cache_id, err) : -1;
}

void image_hold_list(struct image_store *s, struct strlist *cids)
{
	struct map_entry *e;
	size_t i = 0;

	LOCK_SCOPE(&s->lock);
	while ((e = map_next(&s->held, &i))) {
		auto_free char *cid = xstrndup(e->key, strcspn(e->key, "."));

		if (!strlist_has(cids, cid))
			strlist_add(cids, cid);
	}
}

void image_hold_release(struct image_store *s, const char *cid)
{
	auto_free char *prefix = xasprintf("%s.", cid);
	auto_strlist names = STRLIST_INIT;
	struct map_entry *e;
	size_t i = 0;

	pthread_mutex_lock(&s->lock);
	while ((e = map_next(&s->held, &i)))
		if (str_after(e->key, prefix))
			strlist_add(&names, e->key);
	pthread_mutex_unlock(&s->lock);
	for (i = 0; i < names.n; i++) {
		auto_free char *path = path_join("held", names.v[i]);
		struct layer *l;

		if (unlinkat(s->dir, path, 0) < 0 && errno != ENOENT)
			log_warn("record of a mounted image not removed", "record", names.v[i],
				 "error", strerror(errno));
		pthread_mutex_lock(&s->lock);
		l = map_del(&s->held, names.v[i]);
		pthread_mutex_unlock(&s->lock);
		if (l) /* behind the unmount that may be queued */
			reaper_unref(s, l);
	}
}

void held_close(struct image_store *s)
{
	map_free(&s->held, NULL); /* layers go with their own map */
}
