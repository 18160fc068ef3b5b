/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the daemon, for containers. From its begin on none is started; all are stopped, unless live-restore; then ends are nobody's here
 * any more (the next daemon finds them in the shims' journals), and who is still at work on one is waited for, so that what he uses can be closed.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define PATIENCE_S 10 /* for a thread that is at work on a container */

static atomic_bool closing, closed;

int containers_may_start(struct error *err)
{
	return atomic_load(&closing) ? error_set(err, ERR_UNAVAILABLE,
						 "the daemon is shutting down: no container is "
						 "started any more")
				     : 0;
}

bool containers_closed(void)
{
	return atomic_load(&closed);
}

struct stopper {
	struct container *c;
	int timeout_s;
};

int container_stop_by_daemon(struct container *c, int timeout_s, struct error *err)
{
	struct error ignored = ERROR_INIT;
	bool manual;
	int r;

	pthread_mutex_lock(&c->op); /* a start that was under way is over, for better or worse */
	manual = c->manually_stopped && !c->user_restart;
	pthread_mutex_unlock(&c->op);
	r = container_stop(c->id, timeout_s, NULL, err);
	pthread_mutex_lock(&c->op);
	pthread_mutex_lock(&c->lock);
	c->manually_stopped = manual;
	pthread_mutex_unlock(&c->lock);
	if (!c->gone && container_save(c, false, &ignored) < 0)
		log_error("state of a container is not on disk", "container", c->id, "error",
			  ignored.text);
	pthread_mutex_unlock(&c->op);
	return r;
}

static void *stop_one(void *arg)
{
	struct stopper *s = arg;
	struct error err = ERROR_INIT;

	if (container_stop_by_daemon(s->c, s->timeout_s, &err) < 0 &&
	    err.kind != ERR_NOT_MODIFIED && err.kind != ERR_NOT_FOUND)
		log_error("container did not stop", "container", s->c->id, "error", err.text);
	return NULL;
}

/* It is down, and nobody is starting it. */
static bool surely_down(struct container *c)
{
	bool down;

	if (pthread_mutex_trylock(&c->op))
		return false;
	down = !c->state.running;
	pthread_mutex_unlock(&c->op);
	return down;
}

static void stop_all(struct container **all, size_t n, int timeout_s)
{
	struct stopper *stoppers = xcalloc(n, sizeof(*stoppers));
	pthread_t *threads = xcalloc(n, sizeof(*threads));
	struct error err = ERROR_INIT;
	size_t started = 0;

	for (size_t i = 0; i < n; i++) {
		if (surely_down(all[i]))
			continue;
		stoppers[started] = (struct stopper){all[i], timeout_s};
		if (thread_start_joinable("stop", stop_one, &stoppers[started], &threads[started],
					  &err) == 0)
			started++;
		else
			log_error("container is not stopped", "container", all[i]->id, "error",
				  err.text);
	}
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	free(stoppers);
	free(threads);
}

/* Whoever gets the lock from now on sees that all is closed. False: somebody has not given it back. */
static bool wait_for_workers(struct container **all, size_t n)
{
	struct timespec until;
	bool quiet = true;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	for (size_t i = 0; i < n; i++) {
		if (pthread_mutex_timedlock(&all[i]->op, &until) == 0) {
			pthread_mutex_unlock(&all[i]->op);
			continue;
		}
		log_warn("container is still being worked on", "container", all[i]->id);
		quiet = false;
	}
	return quiet;
}

bool containers_shutdown(int timeout_ms)
{
	struct container **all;
	bool quiet;
	size_t n;

	atomic_store(&closing, true);
	all = containers_all(&n);
	if (!containers.live_restore)
		stop_all(all, n, timeout_ms < 0 ? INT32_MIN : timeout_ms / 1000);
	atomic_store(&closed, true);
	quiet = wait_for_workers(all, n);
	for (size_t i = 0; i < n; i++)
		container_unref(all[i]);
	free(all);
	shim_spare_end();
	later_drain(PATIENCE_S);
	logd_shutdown();
	return quiet;
}
