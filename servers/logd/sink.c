/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages -> log driver. A driver that waits for nothing but the disk (DOCKERD_LOG_CAP_LOCAL) is called from the loop. Any other gets a thread per
 * stream, which opens, writes, flushes and closes, and a queue between: `lock` guards what is below it in struct sink; the thread tells the
 * loop through `bell` that it has opened, that there is room again, or that all is written. A sink that hangs is left behind with its thread,
 * which frees it if the driver ever returns; `cancel` tells the driver that it should.
 */
#include "sink.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#define QUEUE_MAX (64 * 1024)  /* bytes, blocking mode */
#define RING_MAX (1024 * 1024) /* bytes, non-blocking mode without max-buffer-size, as moby */
#define BACKOFF_FIRST (INT64_C(100) * 1000000)
#define BACKOFF_MAX (INT64_C(10) * 1000000000)

static struct watch bell;
static pthread_mutex_t bell_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sink *rung;

static void bell_ready(struct watch *w, uint32_t events)
{
	eventfd_t n;

	(void)events;
	eventfd_read(w->fd, &n);
	for (;;) {
		struct sink *k;
		struct stream *s;
		auto_free struct error *failed = NULL;
		bool drained, opened;

		pthread_mutex_lock(&bell_lock);
		k = rung;
		if (k) {
			rung = k->rung;
			k->in_bell = false;
		}
		pthread_mutex_unlock(&bell_lock);
		if (!k)
			return;
		pthread_mutex_lock(&k->lock);
		s = k->stream;
		drained = k->drained;
		k->drained = false;
		opened = !k->opening && !k->answered;
		k->answered = k->answered || opened;
		failed = k->failed;
		k->failed = NULL;
		pthread_mutex_unlock(&k->lock);
		if (opened)
			stream_sink_opened(s, failed);
		if (failed)
			continue; /* the stream has closed it */
		stream_resume(s);
		if (drained)
			stream_sink_idle(s);
	}
}

static void ring(struct sink *k)
{
	pthread_mutex_lock(&bell_lock);
	if (!k->in_bell) {
		k->in_bell = true;
		k->rung = rung;
		rung = k;
	}
	pthread_mutex_unlock(&bell_lock);
	eventfd_write(bell.fd, 1);
}

static void unring(struct sink *k)
{
	pthread_mutex_lock(&bell_lock);
	for (struct sink **at = &rung; *at; at = &(*at)->rung) {
		if (*at == k) {
			*at = k->rung;
			break;
		}
	}
	pthread_mutex_unlock(&bell_lock);
}

int sink_setup(const char *name, const char *state_dir, struct error *err)
{
	if (sink_driver_setup(name, state_dir, err) < 0)
		return -1;
	if (sink_driver_local(&sink_driver))
		return 0;
	bell = (struct watch){.ready = bell_ready, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (bell.fd < 0)
		return error_sys(err, errno, "eventfd");
	loop_want(&bell, EPOLLIN);
	return 0;
}

/* ---- from the loop -------------------------------------------------------------------------------------------------------------------- */

/* Nothing is tried twice. */
static void deliver_now(struct sink *k, const struct dockerd_log_message *m, uint32_t n)
{
	while (n) {
		struct error err = ERROR_INIT;
		uint32_t done;

		if (sink_driver_write(k, m, n, &done, &err) == 0)
			return;
		sink_say_lost(k, &err);
		done += done < n; /* the one that failed */
		m += done;
		n -= done;
	}
}

/* ---- with a thread -------------------------------------------------------------------------------------------------------------------- */

/* Whatever the reason: an operator sees at the end of each log what it lacks. */
static void report_lost(const struct sink *k, uint64_t left)
{
	uint64_t lost = k->dropped + k->refused + left;
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, lost);
	if (lost)
		log_warn("log messages were dropped", "driver", k->driver->plugin->name,
			 "container", k->name, "messages", text);
}

static void sink_free(struct sink *k)
{
	uint64_t left = 0;

	while (k->head) {
		struct queued *q = k->head;

		k->head = q->next;
		free(q);
		left++;
	}
	report_lost(k, left);
	sink_driver_close(k);
	told_free(&k->told);
	if (k->cancel >= 0)
		close(k->cancel);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->work);
	free(k->failed);
	free(k->name);
	free(k);
}

/* The sink is not there: wait before the next try. False: nobody wants one. */
static bool back_off(struct sink *k, const struct error *err)
{
	struct timespec ts;
	int64_t until;
	LOCK_SCOPE(&k->lock);

	if (!k->backoff)
		log_warn("the sink of a log is not available: messages wait", "driver",
			 k->driver->plugin->name, "container", k->name, "error", err->text);
	k->backoff = !k->backoff ? BACKOFF_FIRST : k->backoff * 2;
	if (k->backoff > BACKOFF_MAX)
		k->backoff = BACKOFF_MAX;
	until = clock_mono_ns() + k->backoff;
	ts = (struct timespec){(time_t)(until / 1000000000), (long)(until % 1000000000)};
	while (!k->closing && pthread_cond_timedwait(&k->work, &k->lock, &ts) == 0)
		;
	return !k->closing;
}

static void is_back(struct sink *k)
{
	if (k->backoff)
		log_info("the sink of a log is available again", "driver", k->driver->plugin->name,
			 "container", k->name);
	k->backoff = 0;
}

static void count_dropped(struct sink *k, uint64_t n)
{
	LOCK_SCOPE(&k->lock);

	k->dropped += n;
}

static void deliver(struct sink *k, const struct dockerd_log_message *m, uint32_t n)
{
	while (n) {
		struct error err = ERROR_INIT;
		uint32_t done;

		if (sink_driver_write(k, m, n, &done, &err) == 0) {
			is_back(k);
			return;
		}
		m += done;
		n -= done;
		if (!n)
			return;
		if (err.kind == ERR_UNAVAILABLE) {
			if (back_off(k, &err))
				continue;
		} else if (err.kind != ERR_CANCELLED) {
			sink_say_lost(k, &err);
			m++;
			n--;
			continue;
		}
		count_dropped(k, n);
		return;
	}
}

static void deliver_queue(struct sink *k, struct queued *list)
{
	auto_free struct dockerd_log_message *batch = xcalloc(BATCH_MAX, sizeof(*batch));

	while (list) {
		struct queued *first = list;
		uint32_t n = 0;

		for (; list && n < BATCH_MAX; list = list->next)
			batch[n++] = list->m;
		deliver(k, batch, n);
		while (first != list) {
			struct queued *q = first;

			first = q->next;
			free(q);
		}
	}
}

/* True when it is open. Whatever comes of it, the loop is told. */
static bool thread_open(struct sink *k)
{
	struct error err = ERROR_INIT;
	int r;

	while ((r = sink_driver_open(k, &k->told, &err)) < 0 && k->patient &&
	       err.kind == ERR_UNAVAILABLE && back_off(k, &err))
		error_clear(&err);
	if (r == 0)
		is_back(k);
	told_free(&k->told);
	pthread_mutex_lock(&k->lock);
	k->opening = false;
	if (r < 0) {
		k->failed = xnew(struct error);
		*k->failed = err;
	}
	if (!k->closing)
		ring(k);
	/* a sink that could not be opened takes nothing, and waits to be closed */
	while (r < 0 && !k->closing)
		pthread_cond_wait(&k->work, &k->lock);
	pthread_mutex_unlock(&k->lock);
	return r == 0;
}

/* With the lock held. False: nothing is left to do. */
static bool thread_step(struct sink *k)
{
	struct queued *list = k->head;
	size_t taken = k->bytes;

	if (list) {
		k->head = NULL;
		k->tail = &k->head;
		pthread_mutex_unlock(&k->lock);
		deliver_queue(k, list);
		pthread_mutex_lock(&k->lock);
		k->bytes -= taken;
		if (k->was_full && !k->closing)
			ring(k);
		k->was_full = false;
	} else if (k->drain) {
		k->drain = false;
		pthread_mutex_unlock(&k->lock);
		sink_driver_flush(k);
		pthread_mutex_lock(&k->lock);
		k->drained = true;
		if (!k->closing)
			ring(k);
	} else if (k->closing) {
		return false;
	} else {
		pthread_cond_wait(&k->work, &k->lock);
	}
	return true;
}

static void *sink_thread(void *arg)
{
	struct sink *k = arg;

	if (thread_open(k)) {
		pthread_mutex_lock(&k->lock);
		while (thread_step(k))
			;
		pthread_mutex_unlock(&k->lock);
	}
	sink_free(k);
	return NULL;
}

static void enqueue(struct sink *k, const struct dockerd_log_message *m)
{
	struct queued *q;
	size_t cost = sizeof(*q) + m->length;

	/* moby's ring drops what comes, not what is there; one message always fits */
	if (k->non_blocking && k->bytes && k->bytes + cost > k->limit) {
		k->dropped++;
		return;
	}
	q = xmalloc(cost);
	q->next = NULL;
	q->m = *m;
	memcpy(q->data, m->data, m->length);
	q->m.data = q->data;
	if (m->partial_id) {
		memcpy(q->part_id, m->partial_id, sizeof(q->part_id));
		q->m.partial_id = q->part_id;
	}
	*k->tail = q;
	k->tail = &q->next;
	k->bytes += cost;
}

/* ---- the loop's side -------------------------------------------------------------------------------------------------------------------- */

static void told_copy(struct told *to, const struct told *from)
{
	*to = (struct told){.container_id = xstrdup_null(from->container_id),
			    .container_name = xstrdup_null(from->container_name),
			    .image_id = xstrdup_null(from->image_id),
			    .image_name = xstrdup_null(from->image_name),
			    .command = xstrdup_null(from->command),
			    .log_path = xstrdup_null(from->log_path),
			    .daemon_name = xstrdup_null(from->daemon_name),
			    .copy_driver = xstrdup_null(from->copy_driver),
			    .copy_path = xstrdup_null(from->copy_path),
			    .created = from->created};
	pairs_copy(&to->labels, &from->labels);
	pairs_copy(&to->env, &from->env);
	pairs_copy(&to->options, &from->options);
	pairs_copy(&to->copy_options, &from->copy_options);
}

static int start_thread(struct sink *k, const struct told *t, struct error *err)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_destroy(&k->work);
	pthread_cond_init(&k->work, &attr);
	pthread_condattr_destroy(&attr);
	k->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->cancel < 0)
		return error_sys(err, errno, "eventfd");
	told_copy(&k->told, t);
	k->opening = true;
	return thread_start("log-sink", sink_thread, k, err);
}

static struct sink *sink_new(const struct plugin_instance *driver, struct stream *s,
			     const struct told *t)
{
	struct sink *k = xnew(struct sink);

	k->driver = driver;
	k->stream = s;
	k->name = xstrdup(t->container_id ? t->container_id : s->id);
	k->tail = &k->head;
	k->cancel = -1;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->work, NULL);
	return k;
}

struct sink *sink_open_copy(struct stream *s, const struct told *t, struct error *err)
{
	const struct plugin_instance *driver = sink_driver_copy(t->copy_driver, err);
	struct told copy = *t; /* borrows all */
	struct sink *k;

	if (!driver)
		return NULL;
	copy.log_path = t->copy_path;
	copy.options = t->copy_options;
	k = sink_new(driver, s, t);
	if (sink_driver_open(k, &copy, err) < 0) {
		sink_free(k);
		return NULL;
	}
	return k;
}

struct sink *sink_open(struct stream *s, const struct told *t, const struct sink_mode *mode,
		       struct error *err)
{
	struct sink *k = sink_new(&sink_driver, s, t);

	k->threaded = !sink_driver_local(&sink_driver);
	k->patient = mode->patient;
	k->non_blocking = mode->non_blocking;
	k->limit = !mode->non_blocking ? QUEUE_MAX
		   : mode->max_buffer  ? (size_t)mode->max_buffer
				       : RING_MAX;
	if ((k->threaded ? start_thread(k, t, err) : sink_driver_open(k, t, err)) < 0) {
		sink_free(k);
		return NULL;
	}
	return k;
}

void sink_write(struct sink *k, const struct dockerd_log_message *m, uint32_t n)
{
	FAULT("logd.sink.write");
	if (!k->threaded) {
		deliver_now(k, m, n);
		return;
	}
	pthread_mutex_lock(&k->lock);
	for (uint32_t i = 0; i < n; i++)
		enqueue(k, &m[i]);
	if (!k->non_blocking && k->bytes > k->limit)
		k->was_full = true;
	pthread_cond_signal(&k->work);
	pthread_mutex_unlock(&k->lock);
}

bool sink_full(struct sink *k)
{
	bool full;

	if (!k->threaded)
		return false;
	pthread_mutex_lock(&k->lock);
	full = k->was_full;
	pthread_mutex_unlock(&k->lock);
	return full;
}

bool sink_opening(struct sink *k)
{
	bool opening;

	if (!k->threaded)
		return false;
	pthread_mutex_lock(&k->lock);
	opening = !k->answered;
	pthread_mutex_unlock(&k->lock);
	return opening;
}

bool sink_wants(const struct sink *k)
{
	return !(k->driver->plugin->capabilities & DOCKERD_LOG_CAP_DISCARDS);
}

void sink_flush(struct sink *k)
{
	sink_driver_flush(k);
}

void sink_drain(struct sink *k)
{
	if (!k->threaded) {
		sink_driver_flush(k);
		stream_sink_idle(k->stream);
		return;
	}
	pthread_mutex_lock(&k->lock);
	k->drain = true;
	pthread_cond_signal(&k->work);
	pthread_mutex_unlock(&k->lock);
}

void sink_close(struct sink *k)
{
	if (!k->threaded) {
		sink_free(k);
		return;
	}
	pthread_mutex_lock(&k->lock);
	k->closing = true;
	k->stream = NULL;
	unring(k);
	eventfd_write(k->cancel, 1);
	pthread_cond_signal(&k->work);
	pthread_mutex_unlock(&k->lock);
}
