/* SPDX-License-Identifier: Apache-2.0 */
/* See closer.h. `lock` guards the queue. */
#include "closer.h"

#include "base/thread.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#define QUEUE_MAX 64

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running, busy;
	struct {
		int fd;
		bool write;
	} v[QUEUE_MAX];
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
		bool write;

		while (!queue.n)
			pthread_cond_wait(&queue.changed, &queue.lock);
		fd = queue.v[--queue.n].fd;
		write = queue.v[queue.n].write;
		queue.busy = true;
		pthread_mutex_unlock(&queue.lock);
		if (write)
			sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* only a head start */
		close(fd);
		pthread_mutex_lock(&queue.lock);
		queue.busy = false;
		if (!queue.n)
			pthread_cond_broadcast(&queue.changed);
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

void closer_add(int fd, bool write)
{
	bool full;

	pthread_mutex_lock(&queue.lock);
	full = !queue.running || queue.n == QUEUE_MAX;
	if (!full) {
		queue.v[queue.n].fd = fd;
		queue.v[queue.n++].write = write;
		pthread_cond_broadcast(&queue.changed);
	}
	pthread_mutex_unlock(&queue.lock);
	if (full)
		close(fd);
}

void closer_wait(void)
{
	LOCK_SCOPE(&queue.lock);
	while (queue.n || queue.busy)
		pthread_cond_wait(&queue.changed, &queue.lock);
}
