/* SPDX-License-Identifier: Apache-2.0 */
/* See closer.h. `lock` guards the queue. */
#include "closer.h"

#include "base/thread.h"

#include <stdbool.h>
#include <unistd.h>

#define QUEUE_MAX 64

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running;
	int fds[QUEUE_MAX];
	size_t n;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&queue.lock);
	queue.running = true;
	pthread_cond_broadcast(&queue.changed);
	for (;;) {
		int fd;

		while (!queue.n)
			pthread_cond_wait(&queue.changed, &queue.lock);
		fd = queue.fds[--queue.n];
		pthread_mutex_unlock(&queue.lock);
		close(fd);
		pthread_mutex_lock(&queue.lock);
	}
	return NULL;
}

int closer_start(struct error *err)
{
	if (thread_start("close", run, NULL, err) < 0)
		return -1;
	/* It must be past all that the filter would not let it do. */
	LOCK_SCOPE(&queue.lock);
	while (!queue.running)
		pthread_cond_wait(&queue.changed, &queue.lock);
	return 0;
}

void closer_add(int fd)
{
	bool full;

	pthread_mutex_lock(&queue.lock);
	full = !queue.running || queue.n == QUEUE_MAX;
	if (!full) {
		queue.fds[queue.n++] = fd;
		pthread_cond_signal(&queue.changed);
	}
	pthread_mutex_unlock(&queue.lock);
	if (full)
		close(fd);
}
