/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that no request waits for: the last unmount of a layer (the kernel syncs the upper file system in it) and the removal of a
 * container's layers (a few dozen files). One thread, one queue, guarded by the store's lock. What is queued is on disk under layerdb/tmp
 * before, so a kill loses nothing.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>

struct job {
	struct job *next;
	char *unmount; /* driver's layer id, or NULL: a removal */
	char *dir;     /* "tmp/rw-X", or NULL: just the reference */
	char *mount_id, *init_id;
	struct layer *parent; /* reference */
};

static void job_free(struct job *j)
{
	free(j->unmount);
	free(j->dir);
	free(j->mount_id);
	free(j->init_id);
	free(j);
}

static void job_run(struct image_store *s, struct job *j)
{
	struct error err = ERROR_INIT;

	if (j->unmount) {
		mount_end(s, j->unmount);
		return;
	}
	if (j->dir && rw_erase(s, j->dir, j->mount_id, j->init_id, &err) < 0)
		log_warn("container layer not removed; the next start tries again", "layer",
			 j->mount_id, "error", err.text);
	layer_unref(s, j->parent, NULL);
}

static void *reap(void *arg)
{
	struct image_store *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct job *j = s->jobs;

		if (!j && s->reaper_stop)
			break;
		if (!j) {
			pthread_cond_wait(&s->work, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		job_run(s, j);
		pthread_mutex_lock(&s->lock);
		s->jobs = j->next; /* only now: reaper_drain waits for what runs, too */
		if (!s->jobs)
			s->jobs_end = &s->jobs;
		job_free(j);
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int reaper_start(struct image_store *s, struct error *err)
{
	s->jobs_end = &s->jobs;
	if (thread_start_joinable("layer-reaper", reap, s, &s->reaper, err) < 0)
		return -1;
	s->reaper_running = true;
	return 0;
}

void reaper_stop(struct image_store *s)
{
	if (!s->reaper_running)
		return;
	pthread_mutex_lock(&s->lock);
	s->reaper_stop = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->reaper, NULL);
	s->reaper_running = false;
}

void reaper_drain(struct image_store *s)
{
	LOCK_SCOPE(&s->lock);
	while (s->jobs)
		pthread_cond_wait(&s->changed, &s->lock);
}

static void enqueue(struct image_store *s, struct job *j)
{
	LOCK_SCOPE(&s->lock);
	*s->jobs_end = j;
	s->jobs_end = &j->next;
	pthread_cond_signal(&s->work);
}

void reaper_unmount(struct image_store *s, const char *id)
{
	struct job *j = xnew(struct job);

	j->unmount = xstrdup(id);
	enqueue(s, j);
}

void reaper_unref(struct image_store *s, struct layer *l)
{
	struct job *j = xnew(struct job);

	j->parent = l;
	enqueue(s, j);
}

void reaper_remove(struct image_store *s, const char *dir, const char *mount_id,
		   const char *init_id, struct layer *parent)
{
	struct job *j = xnew(struct job);

	j->dir = xstrdup(dir);
	j->mount_id = xstrdup(mount_id);
	j->init_id = xstrdup(init_id);
	j->parent = parent;
	enqueue(s, j);
}
