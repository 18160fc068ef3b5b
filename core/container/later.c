/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving back disk space behind everybody's back: a file system that discards what it frees takes milliseconds for each file, and a container's life
 * would wait for it at every change of state. What is queued here is of no meaning any more, and nobody's at the next start: replaced files have no name,
 * removed directories lie in data-root/tmp.
 *
 * One thread, from the first need on; `lock` guards the queue.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct job {
	struct job *next;
	int fd;     /* to close, or -1 */
	char *path; /* to remove, or NULL */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static struct job *jobs, **jobs_end = &jobs;
static bool started;

static void do_job(struct job *j)
{
	struct error err = ERROR_INIT;

	fd_close(&j->fd);
	if (j->path && dir_remove_all(AT_FDCWD, j->path, &err) < 0)
		log_warn("what nobody needs is not removed; the next start tries again", "path",
			 j->path, "error", err.text);
}

static void *run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	for (;;) {
		struct job *j = jobs;

		if (!j) {
			pthread_cond_broadcast(&done);
			pthread_cond_wait(&work, &lock);
			continue;
		}
		pthread_mutex_unlock(&lock);
		do_job(j);
		pthread_mutex_lock(&lock);
		jobs = j->next; /* only now: later_drain waits for what runs, too */
		if (!jobs)
			jobs_end = &jobs;
		free(j->path);
		free(j);
	}
	return NULL;
}

static void enqueue(int fd, const char *path)
{
	struct job *j = xnew(struct job);
	struct error err = ERROR_INIT;

	j->fd = fd;
	j->path = xstrdup_null(path);
	pthread_mutex_lock(&lock);
	if (!started)
		started = thread_start("later", run, NULL, &err) == 0;
	if (started) {
		*jobs_end = j;
		jobs_end = &j->next;
		pthread_cond_signal(&work);
		j = NULL;
	}
	pthread_mutex_unlock(&lock);
	if (!j)
		return;
	do_job(j); /* no thread to be had: now, then */
	free(j->path);
	free(j);
}

void later_close(int *fd)
{
	if (*fd >= 0)
		enqueue(*fd, NULL);
	*fd = -1;
}

void later_remove(const char *path)
{
	enqueue(-1, path);
}

void later_drain(int seconds)
{
	struct timespec until;
	LOCK_SCOPE(&lock);

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	while (jobs && pthread_cond_timedwait(&done, &lock, &until) == 0)
		;
}
