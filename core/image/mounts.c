/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counted mounts of the driver's layers: a container, docker cp and an export may want the same layer at once. The driver finds an existing
 * mount again (storage.h), so every mount_get asks it for a descriptor; after the last mount_put the reaper unmounts. `busy` keeps the two from
 * crossing while the store's lock is free.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>

struct mount_count {
	unsigned n;
	bool busy;
	bool ending; /* no one needs it; the reaper will unmount */
	char *
	    parent; /* of the layer; NULL: none, or not known since it was mounted by an earlier daemon */
};

void mount_count_free(void *p)
{
	free(((struct mount_count *)p)->parent);
	free(p);
}

static struct mount_count *take(struct image_store *s, const char *id)
{
	struct mount_count *m;

	LOCK_SCOPE(&s->lock);
	while ((m = map_get(&s->mounts, id)) && m->busy)
		pthread_cond_wait(&s->changed, &s->lock);
	if (!m) {
		m = xnew(struct mount_count);
		map_set(&s->mounts, id, m);
	}
	m->busy = true;
	return m;
}

static void give(struct image_store *s, const char *id, struct mount_count *m)
{
	LOCK_SCOPE(&s->lock);
	m->busy = false;
	if (!m->n && !m->ending) {
		mount_count_free(map_del(&s->mounts, id));
	}
	pthread_cond_broadcast(&s->changed);
}

int mount_get(struct image_store *s, const struct dockerd_layer *layer, int *fd, char **path,
	      struct error *err)
{
	struct dockerd_layer_dir dir = storage_dir();
	struct mount_count *m = take(s, layer->id);
	int r = STORAGE(s, err, mount, layer->id, layer, &dir);

	if (r == 0) {
		plugin_mounts_claim(dir.path);
		m->n++;
		m->ending = false;
		if (!m->parent)
			m->parent = xstrdup_null(layer->parent);
		*fd = dir.fd;
		if (path)
			*path = xstrdup(dir.path);
	}
	give(s, layer->id, m);
	return r;
}

int mount_put(struct image_store *s, const char *id, struct error *err)
{
	struct mount_count *m = take(s, id);
	bool last = m->n <= 1; /* 0: mounted by the daemon before this one */

	(void)err;
	if (m->n)
		m->n--;
	if (last)
		m->ending = true;
	give(s, id, m);
	if (last)
		reaper_unmount(s, id);
	return 0;
}

void mount_end(struct image_store *s, const char *id)
{
	struct mount_count *m = take(s, id);
	struct error err = ERROR_INIT;

	if (m->ending && STORAGE_ID(s, &err, unmount, id, m->parent) < 0)
		log_warn("layer not unmounted", "layer", id, "error", err.text);
	m->ending = false;
	give(s, id, m);
}

void mount_forget(struct image_store *s, const char *id)
{
	struct mount_count *m = take(s, id);

	m->n = 0;
	m->ending = false;
	give(s, id, m);
}
