/* SPDX-License-Identifier: Apache-2.0 */
/* See hasher.h. `lock` guards `job`; the main thread sets one when there is none, the hasher takes it away when it is done. */
#include "hasher.h"

#include "base/thread.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#define WORTH_IT (32 * 1024) /* bytes; less is hashed sooner than a thread wakes up */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running;
	void *md; /* NULL: nothing to do */
	const void *p;
	size_t n;
} job = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&job.lock);
	job.running = true;
	pthread_cond_broadcast(&job.changed);
	for (;;) {
		while (!job.md)
			pthread_cond_wait(&job.changed, &job.lock);
		pthread_mutex_unlock(&job.lock);
		EVP_DigestUpdate(job.md, job.p, job.n);
		pthread_mutex_lock(&job.lock);
		job.md = NULL;
		pthread_cond_broadcast(&job.changed);
	}
	return NULL;
}

int hasher_start(struct error *err)
{
	if (thread_start("hash", run, NULL, err) < 0)
		return -1;
	/* It must be past all that the filter would not let it do. */
	LOCK_SCOPE(&job.lock);
	while (!job.running)
		pthread_cond_wait(&job.changed, &job.lock);
	return 0;
}

void hasher_wait(void)
{
	LOCK_SCOPE(&job.lock);
	while (job.md)
		pthread_cond_wait(&job.changed, &job.lock);
}

void hasher_add(void *md, const void *p, size_t n)
{
	hasher_wait();
	if (!job.running || n < WORTH_IT) {
		EVP_DigestUpdate(md, p, n);
		return;
	}
	LOCK_SCOPE(&job.lock);
	job.md = md;
	job.p = p;
	job.n = n;
	pthread_cond_broadcast(&job.changed);
}
