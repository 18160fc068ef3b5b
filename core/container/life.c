/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a container's run, and what follows from it: restart by policy, removal by --rm.
 *
 * Restarts wait in a list of due times that one thread sleeps over; `timer_lock` guards it. A scheduled restart carries the container's
 * token: whoever changes the token (stop, remove, start by hand) has cancelled it.
 *
 * The run directory, with the shim's journal in it, is the only record of an exit code until the container's own is written: it goes last.
 */
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/health.h"
#include "events/events.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MS INT64_C(1000000)
#define FIRST_DELAY (100 * MS) /* moby's restart manager */
#define MAX_DELAY (60000 * MS)
#define LONG_RUN (10000 * MS) /* a run this long starts the delays anew */
#define DRAIN_MS 2000         /* how long children of the dead may hold its output open */

struct due {
	struct due *next;
	struct container *c;
	int64_t at; /* monotonic */
	uint64_t token;
};

static pthread_mutex_t timer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t timer_wake;
static pthread_once_t timer_once = PTHREAD_ONCE_INIT;
static struct due *dues;
static bool
    timer_open; /* not before all containers of the last daemon are found again: their addresses and mounts are not yet taken */

void container_event(struct container *c, const char *action, const struct pairs *more)
{
	auto_pairs attrs = PAIRS_INIT;

	pthread_mutex_lock(&c->lock);
	pairs_copy(&attrs, &c->labels);
	pairs_set(&attrs, "image", c->image_name);
	pairs_set(&attrs, "name", c->name);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; more && i < more->n; i++)
		pairs_set(&attrs, more->v[i].key, more->v[i].value);
	events_publish("container", action, c->id, &attrs);
}

/* ---- Restarts ----------------------------------------------------------------------------------------------------------------- */

static void *run_restart(void *arg)
{
	struct due *d = arg;
	struct container *c = d->c;
	struct error err = ERROR_INIT;

	pthread_mutex_lock(&c->op);
	if (!c->gone && c->state.restarting && c->restart_token == d->token) {
		c->restart_count++;
		if (container_start_locked(c, &err) < 0) {
			log_error("restart failed", "container", c->id, "error", err.text);
			pthread_mutex_lock(&c->lock);
			waiters_exit(c);
			pthread_mutex_unlock(&c->lock);
		}
	}
	pthread_mutex_unlock(&c->op);
	container_unref(c);
	free(d);
	return NULL;
}

/* Take the first due out of the list, or say how long to sleep. With the lock held. */
static struct due *take_due(int64_t now, int64_t *sleep_until)
{
	struct due **best = NULL;
	struct due *d;

	*sleep_until = INT64_MAX;
	for (struct due **at = &dues; *at; at = &(*at)->next)
		if (!best || (*at)->at < (*best)->at)
			best = at;
	if (!best)
		return NULL;
	if ((*best)->at > now) {
		*sleep_until = (*best)->at;
		return NULL;
	}
	d = *best;
	*best = d->next;
	return d;
}

static void *timer_thread(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&timer_lock);
	while (!timer_open)
		pthread_cond_wait(&timer_wake, &timer_lock);
	for (;;) {
		int64_t until;
		struct due *d = take_due(clock_mono_ns(), &until);
		struct timespec ts = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
		struct error err = ERROR_INIT;

		if (d) {
			pthread_mutex_unlock(&timer_lock);
			if (thread_start("restart", run_restart, d, &err) < 0)
				run_restart(d);
			pthread_mutex_lock(&timer_lock);
		} else if (until == INT64_MAX) {
			pthread_cond_wait(&timer_wake, &timer_lock);
		} else {
			pthread_cond_timedwait(&timer_wake, &timer_lock, &ts);
		}
	}
	return NULL;
}

static void timer_start(void)
{
	pthread_condattr_t attr;
	struct error err = ERROR_INIT;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&timer_wake, &attr);
	pthread_condattr_destroy(&attr);
	if (thread_start("restarts", timer_thread, NULL, &err) < 0)
		log_error("restart policies don't work", "error", err.text);
}

void restarts_open(void)
{
	pthread_once(&timer_once, timer_start);
	LOCK_SCOPE(&timer_lock);

	timer_open = true;
	pthread_cond_signal(&timer_wake);
}

void restart_schedule(struct container *c, int64_t delay_ns)
{
	struct due *d = xnew(struct due);

	pthread_once(&timer_once, timer_start);
	d->c = container_ref(c);
	d->at = clock_mono_ns() + delay_ns;
	d->token = ++c->restart_token;
	pthread_mutex_lock(&timer_lock);
	d->next = dues;
	dues = d;
	pthread_cond_signal(&timer_wake);
	pthread_mutex_unlock(&timer_lock);
}

void restart_cancel(struct container *c)
{
	c->restart_token++;
}

/* moby's restartmanager. With c->lock held. */
static bool wants_restart(struct container *c, int exit_code)
{
	if (c->manually_stopped)
		return false;
	if (streq(c->restart_policy, "always") || streq(c->restart_policy, "unless-stopped"))
		return true;
	return streq(c->restart_policy, "on-failure") && exit_code != 0 &&
	       (c->restart_max == 0 || c->restart_count < c->restart_max);
}

static int64_t next_delay(struct container *c, int64_t ran_ns)
{
	if (!c->restart_delay || ran_ns > LONG_RUN)
		c->restart_delay = FIRST_DELAY;
	else
		c->restart_delay *= 2;
	if (c->restart_delay > MAX_DELAY)
		c->restart_delay = MAX_DELAY;
	return c->restart_delay;
}

/* ---- Exit --------------------------------------------------------------------------------------------------------------------- */

static void die_event(struct container *c, int exit_code, int64_t ran_ns)
{
	auto_pairs attrs = PAIRS_INIT;
	char code[16], secs[24];

	snprintf(code, sizeof(code), "%d", exit_code);
	snprintf(secs, sizeof(secs), "%lld", (long long)(ran_ns / 1000000000));
	pairs_set(&attrs, "exitCode", code);
	pairs_set(&attrs, "execDuration", secs);
	container_event(c, "die", &attrs);
}

static void set_ended(struct container *c, const struct shim_event *ev, bool restart)
{
	c->state.running = restart; /* moby: a container that will restart counts as running */
	c->state.restarting = restart;
	c->state.paused = false;
	c->state.pid = 0;
	c->state.exit_code = ev->exit_code;
	c->state.oom_killed = ev->oom || c->oom_seen;
	c->state.finished = ev->time ? ev->time : clock_wall_ns();
}

/* With op held: the container's processes are gone. */
static void handle_exit(struct container *c, const struct shim_event *ev)
{
	struct error err = ERROR_INIT;
	int64_t ran, delay = 0;
	bool restart, remove;

	FAULT("container.exit.seen");
	health_end(c);
	if (logd_finish(c->log_driver, c->id, DRAIN_MS, &err) < 0)
		log_warn("output of a container may be cut", "container", c->id, "error", err.text);
	c->logd_open = false;
	FAULT("container.exit.drained");
	container_release_resources(c);
	FAULT("container.exit.released");
	pthread_mutex_lock(&c->lock);
	restart = !c->user_restart && wants_restart(c, ev->exit_code);
	remove = !restart && !c->user_restart && c->auto_remove;
	set_ended(c, ev, restart);
	ran = c->state.started == CLOCK_ZERO ? 0 : c->state.finished - c->state.started;
	if (restart)
		delay = next_delay(c, ran);
	pthread_mutex_unlock(&c->lock);
	/* what --rm takes away next needs no record of its end */
	if (!remove && container_save(c, false, &err) < 0) {
		log_error("the end of a container is not on disk", "container", c->id, "error",
			  err.text);
		c->unclean = true; /* the journal is the record of it until the next start */
	} else if (!remove) {
		container_forget_run(c);
	}
	FAULT("container.exit.saved");
	die_event(c, ev->exit_code, ran);
	pthread_mutex_lock(&c->lock);
	waiters_exit(c);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	execs_cut(c);
	if (restart)
		restart_schedule(c, delay);
	else if (remove && container_remove_locked(c, true, &err) < 0)
		log_error("container is not removed", "container", c->id, "error", err.text);
	if (remove)
		container_forget_run(c);
}

void container_exited(struct container *c, const struct shim_event *ev)
{
	LOCK_SCOPE(&c->op);

	if (c->gone || !c->state.running || c->state.restarting)
		return; /* settled already */
	if (containers_closed())
		return; /* the next daemon finds it in the shim's journal */
	handle_exit(c, ev);
}

int container_wait_exit(struct container *c, int64_t timeout_ns)
{
	int64_t until = clock_mono_ns() + timeout_ns;
	struct timespec ts = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
	LOCK_SCOPE(&c->lock);

	while (c->state.running && !c->state.restarting && !c->gone) {
		if (timeout_ns < 0)
			pthread_cond_wait(&c->changed, &c->lock);
		else if (pthread_cond_timedwait(&c->changed, &c->lock, &ts))
			return c->state.running && !c->state.restarting && !c->gone ? -1 : 0;
	}
	return 0;
}
