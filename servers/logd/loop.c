/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll loop. A handler may close any watch; the struct around it lives until the round is over (loop_free_later). */
#include "logd.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

static int epoll_fd = -1;
static bool stopped;

struct grave {
	void *p;
	struct grave *next;
};
static struct grave *graves;

int loop_setup(struct error *err)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return epoll_fd < 0 ? error_sys(err, errno, "epoll_create1") : 0;
}

void loop_want(struct watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	if (w->fd < 0 || (w->added && w->events == events))
		return;
	w->events = events;
	if (!events) {
		/* epoll reports hang-ups even to those who ask for nothing: leave the set */
		if (w->added)
			epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
		w->added = false;
		return;
	}
	epoll_ctl(epoll_fd, w->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, &ev);
	w->added = true;
}

void loop_close(struct watch *w)
{
	if (w->fd < 0)
		return;
	/* the descriptor's file may live on in another process and would go on reporting */
	loop_want(w, 0);
	close(w->fd);
	w->fd = -1;
}

void loop_free_later(void *p)
{
	struct grave *g = xnew(struct grave);

	g->p = p;
	g->next = graves;
	graves = g;
}

static void bury(void)
{
	while (graves) {
		struct grave *g = graves;

		graves = g->next;
		free(g->p);
		free(g);
	}
}

void loop_end(void)
{
	bury();
	close(epoll_fd);
}

void loop_stop(void)
{
	stopped = true;
}

void loop_run(int64_t (*deadline)(void), void (*tick)(int64_t now))
{
	struct epoll_event events[64];

	stopped = false;
	while (!stopped) {
		int64_t due = deadline(), now = clock_mono_ns();
		int64_t wait = due == INT64_MAX ? -1 : due <= now ? 0 : (due - now) / 1000000 + 1;
		int n = epoll_wait(epoll_fd, events, 64, wait > 3600000 ? 3600000 : (int)wait);

		for (int i = 0; i < n; i++) {
			struct watch *w = events[i].data.ptr;

			if (w->fd >= 0 &&
			    w->added) /* not closed by an earlier handler of this round */
				w->ready(w, events[i].events);
		}
		tick(clock_mono_ns());
		bury();
	}
}
