/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deletes the host's ends of containers that have left. The kernel makes whoever deletes a link wait for a grace period; nobody has to wait
 * here, since the link is down already. If the daemon dies first, the link goes with the container's namespace.
 *
 * The thread starts with the first link and sleeps on the condition when there is none.
 */
#include "bridge.h"

#include <signal.h>
#include <stdlib.h>

struct dead_link {
	struct dead_link *next;
	unsigned int index;
};

struct reaper {
	const struct dockerd_host *host;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t wake, idle;
	struct dead_link *first;
	bool started, busy, ending;
	pthread_t thread;
};

struct reaper *reaper_new(const struct dockerd_host *host)
{
	struct reaper *r = calloc(1, sizeof(*r));

	if (r) {
		r->host = host;
		pthread_mutex_init(&r->lock, NULL);
		pthread_cond_init(&r->wake, NULL);
		pthread_cond_init(&r->idle, NULL);
	}
	return r;
}

static void delete_now(const struct reaper *r, unsigned int index)
{
	struct dockerd_error err = {.size = sizeof(err)};

	if (link_delete(index, &err) < 0)
		r->host->log(r->host, DOCKERD_LOG_WARN, err.text);
}

static void *reap(void *arg)
{
	struct reaper *r = arg;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		struct dead_link *d = r->first;

		if (!d && r->ending)
			break;
		if (!d) {
			pthread_cond_wait(&r->wake, &r->lock);
			continue;
		}
		r->first = d->next;
		r->busy = true;
		pthread_mutex_unlock(&r->lock);
		delete_now(r, d->index);
		free(d);
		pthread_mutex_lock(&r->lock);
		r->busy = false;
		if (!r->first)
			pthread_cond_broadcast(&r->idle);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* Small stack, no signals: they are the daemon's. */
static bool start(struct reaper *r)
{
	pthread_attr_t attr;
	sigset_t all, before;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r->started = pthread_create(&r->thread, &attr, reap, r) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return r->started;
}

void reaper_delete(struct reaper *r, unsigned int index)
{
	struct dead_link *d = calloc(1, sizeof(*d));
	bool running;

	pthread_mutex_lock(&r->lock);
	running = d && (r->started || start(r));
	if (running) {
		d->index = index;
		d->next = r->first;
		r->first = d;
		pthread_cond_signal(&r->wake);
	}
	pthread_mutex_unlock(&r->lock);
	if (!running) {
		delete_now(r, index);
		free(d);
	}
}

bool reaper_wait(struct reaper *r)
{
	bool waited = false;

	pthread_mutex_lock(&r->lock);
	while (r->first || r->busy) {
		waited = true;
		pthread_cond_wait(&r->idle, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return waited;
}

void reaper_free(struct reaper *r)
{
	pthread_mutex_lock(&r->lock);
	r->ending = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	if (r->started)
		pthread_join(r->thread, NULL);
	pthread_cond_destroy(&r->wake);
	pthread_cond_destroy(&r->idle);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
