/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One inotify instance for all followers (a user may have 128 only), and a thread that turns its events into one eventfd per follower.
 * The thread starts with the first follower and ends with the instance of the driver. `lock` of struct log_instance guards the list.
 */
#include "log_file.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

struct follower {
	int wd, event;
	struct follower *next;
};

struct watch {
	struct log_instance *driver;
	int inotify, stop;
	pthread_t thread;
	struct follower *followers;
};

static void wake(struct watch *w, int wd)
{
	pthread_mutex_lock(&w->driver->lock);
	for (struct follower *f = w->followers; f; f = f->next)
		if (f->wd == wd || wd < 0) /* -1: the queue ran over, everything may have changed */
			eventfd_write(f->event, 1);
	pthread_mutex_unlock(&w->driver->lock);
}

static void *watch_thread(void *arg)
{
	struct watch *w = arg;
	struct pollfd fds[2] = {{.fd = w->inotify, .events = POLLIN},
				{.fd = w->stop, .events = POLLIN}};
	char buf[4096] __attribute__((aligned(8)));

	for (;;) {
		ssize_t n;

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			return NULL;
		n = read(w->inotify, buf, sizeof(buf));
		for (char *p = buf; n > 0 && p < buf + n;) {
			const struct inotify_event *e =
			    (const struct inotify_event *)(const void *)p;

			wake(w, e->wd);
			p += sizeof(*e) + e->len;
		}
	}
}

static struct watch *watch_new(struct log_instance *j)
{
	struct watch *w = calloc(1, sizeof(*w));
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	if (!w)
		return NULL;
	w->driver = j;
	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	w->stop = eventfd(0, EFD_CLOEXEC);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = w->inotify < 0 || w->stop < 0 ? errno
					  : pthread_create(&w->thread, &attr, watch_thread, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!r)
		return w;
	if (w->inotify >= 0)
		close(w->inotify);
	if (w->stop >= 0)
		close(w->stop);
	free(w);
	errno = r;
	return NULL;
}

int watch_add(struct log_instance *j, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
	struct follower *f = calloc(1, sizeof(*f));
	int fd = -1;

	pthread_mutex_lock(&j->lock);
	if (dir && f && (j->watch || (j->watch = watch_new(j)))) {
		/* the directory, not the file: rotation puts another file there */
		f->wd = inotify_add_watch(j->watch->inotify, dir,
					  IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF);
		f->event = f->wd < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		fd = f->event;
		if (fd >= 0) {
			f->next = j->watch->followers;
			j->watch->followers = f;
			f = NULL;
		}
	}
	pthread_mutex_unlock(&j->lock);
	free(f);
	free(dir);
	return fd;
}

void watch_drop(struct log_instance *j, int fd)
{
	struct follower **at, *f;
	bool shared = false;

	pthread_mutex_lock(&j->lock);
	for (at = &j->watch->followers; *at && (*at)->event != fd; at = &(*at)->next)
		;
	f = *at;
	if (f)
		*at = f->next;
	for (struct follower *o = j->watch->followers; f && o; o = o->next)
		shared |= o->wd == f->wd; /* inotify gives one number per directory */
	if (f && !shared)
		inotify_rm_watch(j->watch->inotify, f->wd);
	pthread_mutex_unlock(&j->lock);
	close(fd);
	free(f);
}

void watch_end(struct log_instance *j)
{
	struct watch *w = j->watch;

	if (!w)
		return;
	eventfd_write(w->stop, 1);
	pthread_join(w->thread, NULL);
	close(w->inotify);
	close(w->stop);
	free(w);
	j->watch = NULL;
}
