/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the store; small things that its files share. */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include "base/id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

char *random_id(void)
{
	char *id = xmalloc(ID_LEN + 1);

	id_random(id);
	return id;
}

const char *digest_hex(const char *digest)
{
	const char *colon = strchr(digest, ':');

	return colon ? colon + 1 : digest;
}

void emit_event(struct image_store *s, const char *action, const char *id, const char *name)
{
	if (s->event)
		s->event(s->event_ctx, action, id, name);
}

void image_store_set_users(struct image_store *s,
			   void (*users)(void *ctx, const char *image_id, struct image_users *out),
			   void *ctx)
{
	s->users = users;
	s->users_ctx = ctx;
}

void image_store_set_events(struct image_store *s,
			    void (*event)(void *ctx, const char *action, const char *id,
					  const char *name),
			    void *ctx)
{
	s->event = event;
	s->event_ctx = ctx;
}

void image_users_add(struct image_users *u, const char *container_id, bool running)
{
	if (u->n == u->cap) {
		u->cap = u->cap ? u->cap * 2 : 8;
		u->v = xreallocarray(u->v, u->cap, sizeof(*u->v));
	}
	u->v[u->n++] = (struct image_user){xstrdup(container_id), running};
}

void image_users_free(struct image_users *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->v[i].container_id);
	free(u->v);
	*u = (struct image_users){NULL, 0, 0};
}

const char *image_store_driver(const struct image_store *s)
{
	return s->storage->plugin->name;
}

static void add_row(const struct dockerd_emit *to, const char *key, const char *value)
{
	pairs_add(to->ctx, key, value);
}

int image_store_status(struct image_store *s, struct pairs *rows, struct error *err)
{
	struct dockerd_emit to = {.size = sizeof(to), .row = add_row, .ctx = rows};

	return STORAGE_HAS(s, status) ? STORAGE(s, err, status, NULL, &to) : 0;
}

void image_store_count(struct image_store *s, size_t *images, size_t *layers)
{
	LOCK_SCOPE(&s->lock);
	*images = s->images.n;
	*layers = s->layers.n;
}

/* The directories, with moby's modes. */
static int make_dirs(struct image_store *s, const char *data_root, struct error *err)
{
	static const struct {
		const char *name;
		mode_t mode;
	} dirs[] = {{"imagedb/content/sha256", 0700},
		    {"imagedb/metadata/sha256", 0700},
		    {"layerdb", 0700},
		    {"layerdb/sha256", 0755},
		    {"layerdb/mounts", 0755},
		    {"layerdb/tmp", 0755},
		    {"held", 0700},
		    {"distribution", 0700}};

	if (dir_make_all(AT_FDCWD, s->tmp, 0700, err) < 0 ||
	    dir_make_all(AT_FDCWD, s->path, 0700, err) < 0)
		return error_wrap(err, "image store in %s", data_root);
	s->dir = dir_open_at(AT_FDCWD, s->path, err);
	if (s->dir < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (dir_make_all(s->dir, dirs[i].name, dirs[i].mode, err) < 0)
			return error_wrap(err, "%s", s->path);
	s->layerdb = dir_open_at(s->dir, "layerdb", err);
	s->imagedb = s->layerdb < 0 ? -1 : dir_open_at(s->dir, "imagedb", err);
	return s->imagedb < 0 ? -1 : 0;
}

int image_store_open(const char *data_root, const char *tmp, struct plugin_instance *storage,
		     struct image_store **out, struct error *err)
{
	struct image_store *s = xnew(struct image_store);

	s->storage = storage;
	s->path = xasprintf("%s/image/%s", data_root, storage->plugin->name);
	s->tmp = tmp ? xstrdup(tmp) : path_join(data_root, "tmp");
	s->dir = s->layerdb = s->imagedb = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->tags_file, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (make_dirs(s, data_root, err) < 0 || reaper_start(s, err) < 0 ||
	    layers_read(s, err) < 0 || rws_read(s, err) < 0 || held_read(s, err) < 0 ||
	    layers_sweep(s, err) < 0 || images_read(s, err) < 0 || tags_read(s, err) < 0) {
		image_store_close(s);
		return -1;
	}
	layers_release_pending(s);
	load_sweep(s);
	*out = s;
	return 0;
}

void image_store_close(struct image_store *s)
{
	if (!s)
		return;
	if (!reaper_stop(s)) {
		log_warn("the storage driver hangs: the next start removes what is left");
		return;
	}
	map_free(&s->tags, free);
	map_free(&s->images, free);
	map_free(&s->rws, rw_free);
	held_close(s);
	map_free(&s->mounts, mount_count_free);
	map_free(&s->layers, layer_free);
	fd_close(&s->layerdb);
	fd_close(&s->imagedb);
	fd_close(&s->dir);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->tags_file);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s->tmp);
	free(s);
}
