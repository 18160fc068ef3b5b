/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that no request waits for: the last unmount of a layer (the kernel syncs the upper file system in it), the removal of a container's layers
 * (a few dozen files), and that of image layers (any number). A thread and a queue for what belongs to containers, and one for image layers,
 * which may take seconds; both guarded by the store's lock. What is queued is on disk under layerdb/tmp before, so a kill loses nothing.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define PATIENCE_S 10 /* for one job: a driver that hangs in it holds up nobody for longer */

struct job {
	struct job *next;
	char *unmount; /* driver's layer id, or NULL: a removal */
	char *erase;   /* image layer's id in the driver, or NULL: a container's */
	char *dir;     /* "tmp/rw-X", or NULL: just the reference */
	char *mount_id, *init_id;
	struct layer *parent; /* reference */
};

static void job_free(struct job *j)
{
	free(j->unmount);
	free(j->erase);
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
	if (j->erase) {
		if (layer_erase_all(s, j->erase, j->dir, &err) < 0)
			log_warn("unused layer not removed; the next start tries again", "layer",
				 j->erase, "error", err.text);
		return;
	}
	if (j->dir && rw_erase(s, j->dir, j->mount_id, j->init_id, &err) < 0)
		log_warn("container layer not removed; the next start tries again", "layer",
			 j->mount_id, "error", err.text);
	layer_unref(s, j->parent, NULL);
}

static void *reap(void *arg)
{
	struct reaper *r = arg;
	struct image_store *s = r->s;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct job *j = r->jobs;

		if (!j && r->stop)
			break;
		if (!j) {
			pthread_cond_wait(&r->work, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		job_run(s, j);
		pthread_mutex_lock(&s->lock);
		r->jobs = j->next; /* only now: reaper_drain waits for what runs, too */
		if (!r->jobs)
			r->end = &r->jobs;
		r->done++;
		job_free(j);
		pthread_cond_broadcast(&s->changed);
	}
	r->running = false;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int reaper_start(struct image_store *s, struct error *err)
{
	static const char *const names[REAPERS] = {"layer-reaper", "layer-eraser"};

	for (size_t i = 0; i < REAPERS; i++) {
		struct reaper *r = &s->reapers[i];

		r->s = s;
		r->end = &r->jobs;
		pthread_cond_init(&r->work, NULL);
		r->running = true;
		if (thread_start_joinable(names[i], reap, r, &r->thread, err) < 0) {
			r->running = false;
			return -1;
		}
		r->started = true;
	}
	return 0;
}

/* The next job's end, or none for that long: false. With the lock held. */
static bool wait_for_job(struct image_store *s, const struct reaper *r)
{
	uint64_t before = r->done;
	struct timespec until;
	int e = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	while (r->done == before && r->running && e == 0)
		e = pthread_cond_timedwait(&s->changed, &s->lock, &until);
	return r->done != before || !r->running;
}

bool reaper_stop(struct image_store *s)
{
	/* In this order: a container's end may be a layer's. */
	for (size_t i = 0; i < REAPERS; i++) {
		struct reaper *r = &s->reapers[i];

		bool ended = false;

		pthread_mutex_lock(&s->lock);
		r->stop = true;
		pthread_cond_signal(&r->work);
		while (r->running && wait_for_job(s, r))
			;
		ended = !r->running;
		pthread_mutex_unlock(&s->lock);
		if (!ended)
			return false;
		if (r->started)
			pthread_join(r->thread, NULL);
		r->started = false;
		pthread_cond_destroy(&r->work);
	}
	return true;
}

static void drain_locked(struct image_store *s, const struct reaper *r)
{
	while (r->jobs && wait_for_job(s, r))
		;
}

void reaper_drain(struct image_store *s)
{
	LOCK_SCOPE(&s->lock);
	drain_locked(s, &s->reapers[REAP_CONTAINERS]);
}

void reaper_settle(struct image_store *s)
{
	LOCK_SCOPE(&s->lock);
	drain_locked(s, &s->reapers[REAP_CONTAINERS]);
	drain_locked(s, &s->reapers[REAP_LAYERS]);
}

static void enqueue(struct image_store *s, int which, struct job *j)
{
	struct reaper *r = &s->reapers[which];
	LOCK_SCOPE(&s->lock);

	*r->end = j;
	r->end = &j->next;
	pthread_cond_signal(&r->work);
}

void reaper_erase(struct image_store *s, const char *dir, const char *cache_id)
{
	struct job *j = xnew(struct job);

	j->dir = xstrdup(dir);
	j->erase = xstrdup(cache_id);
	enqueue(s, REAP_LAYERS, j);
}

void reaper_unmount(struct image_store *s, const char *id)
{
	struct job *j = xnew(struct job);

	j->unmount = xstrdup(id);
	enqueue(s, REAP_CONTAINERS, j);
}

void reaper_unref(struct image_store *s, struct layer *l)
{
	struct job *j = xnew(struct job);

	j->parent = l;
	enqueue(s, REAP_CONTAINERS, j);
}

void reaper_remove(struct image_store *s, const char *dir, const char *mount_id,
		   const char *init_id, struct layer *parent)
{
	struct job *j = xnew(struct job);

	j->dir = xstrdup(dir);
	j->mount_id = xstrdup(mount_id);
	j->init_id = xstrdup(init_id);
	j->parent = parent;
	enqueue(s, REAP_CONTAINERS, j);
}
