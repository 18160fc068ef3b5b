/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: one thread that holds the event connection of every running container's shim. It decides nothing and never blocks: an exit
 * is handled by a thread of its own, because that waits for output to drain.
 *
 * `lock` guards the table; the connections are the monitor thread's own, except that monitor_remove closes one under the lock.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

struct watched {
	char id[ID_LEN + 1];
	int sock;
	uint64_t last;
	bool exit_seen;
};

struct job {
	char id[ID_LEN + 1];
	struct shim_event event;
};

static int epoll_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map watched = MAP_INIT; /* container id -> struct watched */

static void *run_job(void *arg)
{
	struct job *j = arg;
	auto_container *c = container_by_id(j->id);

	if (c) {
		if (j->event.type == SHIM_EVENT_EXIT)
			container_exited(c, &j->event);
		else
			exec_exited(c, &j->event);
	}
	free(j);
	return NULL;
}

static void oom(const char *id)
{
	auto_container *c = container_by_id(id);

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->oom_seen = true;
	pthread_mutex_unlock(&c->lock);
	container_event(c, "oom", NULL);
}

static void dispatch(struct watched *w, const struct shim_event *ev)
{
	struct error err = ERROR_INIT;
	struct job *j;

	w->last = ev->seq;
	if (ev->type == SHIM_EVENT_OOM) {
		oom(w->id);
		return;
	}
	if (ev->type != SHIM_EVENT_EXIT && ev->type != SHIM_EVENT_EXEC_EXIT)
		return;
	w->exit_seen = w->exit_seen || ev->type == SHIM_EVENT_EXIT;
	if (ev->type == SHIM_EVENT_EXEC_EXIT)
		exec_ending(w->id, ev->exec_id);
	j = xnew(struct job);
	memcpy(j->id, w->id, sizeof(j->id));
	j->event = *ev;
	if (thread_start("exit", run_job, j, &err) < 0) {
		/* it can't be handled here: it waits. The next daemon finds the exit in the shim's journal. */
		log_error("no thread for the end of a process: giving up", "container", w->id,
			  "error", err.text);
		abort();
	}
}

static void from_journal(const struct shim_event *ev, void *ctx)
{
	dispatch(ctx, ev);
}

/* The shim is dead. What it had journalled counts; without an exit record the container died with it. */
static void shim_died(struct watched *w)
{
	auto_free char *dir = container_run_dir(w->id);
	struct error err = ERROR_INIT;
	struct shim_event ev = {.type = SHIM_EVENT_EXIT, .exit_code = 137};

	if (shim_journal_read(dir, w->last, from_journal, w, &err) < 0)
		log_error("journal of a dead shim", "container", w->id, "error", err.text);
	if (w->exit_seen)
		return;
	log_error("shim died: its container was killed", "container", w->id);
	ev.seq = w->last + 1;
	ev.time = clock_wall_ns();
	dispatch(w, &ev);
}

/* With the lock held. */
static void stop_watching(struct watched *w)
{
	map_del(&watched, w->id);
	fd_close(&w->sock);
	free(w);
}

/* With the lock held: it keeps monitor_remove from freeing w under us. */
static void read_events(struct watched *w)
{
	struct error err = ERROR_INIT;
	struct shim_event ev;
	int r;

	while ((r = shim_event_next(w->sock, &ev, &err)) > 0)
		dispatch(w, &ev);
	if (r == 0 && !w->exit_seen)
		return;
	if (r < 0 && !w->exit_seen)
		shim_died(w);
	if (r < 0)
		stop_watching(w);
}

static void *run(void *arg)
{
	(void)arg;
	for (;;) {
		struct epoll_event ev;
		struct map_entry *e;
		size_t i = 0;

		if (epoll_wait(epoll_fd, &ev, 1, -1) < 1)
			continue;
		pthread_mutex_lock(&lock);
		/* the tag may be stale: it is looked up, not believed */
		while ((e = map_next(&watched, &i)))
			if (((struct watched *)e->value)->sock == ev.data.fd) {
				read_events(e->value);
				break;
			}
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

int monitor_init(struct error *err)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return error_sys(err, errno, "epoll_create");
	return thread_start("monitor", run, NULL, err);
}

int monitor_add(struct container *c, int sock, struct error *err)
{
	auto_free char *dir = container_run_dir(c->id);
	struct watched *w = xnew(struct watched);
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP};

	memcpy(w->id, c->id, sizeof(w->id));
	/* from the first event on: exec sessions that ended while nobody looked are told as well. Without the lock: a shim that does
	 * not answer must hold up its own container only. */
	w->sock = sock >= 0 && shim_follow(sock, err) == 0 ? sock : shim_subscribe(dir, 0, err);
	if (w->sock != sock)
		fd_close(&sock);
	LOCK_SCOPE(&lock);
	if (w->sock < 0) { /* died already: the journal says how */
		shim_died(w);
		free(w);
		return 0;
	}
	ev.data.fd = w->sock;
	map_set(&watched, w->id, w);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, w->sock, &ev) < 0) {
		stop_watching(w);
		return error_sys(err, errno, "watch shim of %s", c->id);
	}
	return 0;
}

void monitor_remove(const char *id)
{
	struct watched *w;
	LOCK_SCOPE(&lock);

	w = map_get(&watched, id);
	if (w)
		stop_watching(w);
}
