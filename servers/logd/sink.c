/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages -> log driver. A driver that waits for nothing but the disk (DOCKERD_LOG_CAP_LOCAL) is called from the loop. Any other gets a thread per
 * stream and a queue between: `lock` guards what is below it in struct sink; the thread tells the loop through `bell` that there is room
 * again or that all is written. A sink whose write hangs is left behind with its thread, which frees it if it ever returns.
 */
#include "logd.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#define QUEUE_MAX (64 * 1024)  /* bytes, blocking mode */
#define RING_MAX (1024 * 1024) /* bytes, non-blocking mode without max-buffer-size, as moby */
#define DRIVER_MESSAGES BATCH_MAX

struct queued {
	struct queued *next;
	struct dockerd_log_message m;
	char part_id[65];
	char data[];
};

struct sink {
	struct stream *stream; /* NULL: closed by the loop */
	void *handle;          /* the driver's */
	bool threaded, non_blocking, failing;
	size_t limit;
	char *name;        /* object of guarded calls */
	struct sink *rung; /* list of the bell, guarded by bell_lock */
	bool in_bell;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct queued *head, **tail;
	size_t bytes; /* queued or being written */
	uint64_t dropped;
	bool closing, drain, drained, was_full;
};

static struct plugin_instance driver;
static bool local;
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
		bool drained;

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
		pthread_mutex_unlock(&k->lock);
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
	const struct plugin *p = plugin_load(DOCKERD_KIND_LOG, name, err);
	struct pairs none = PAIRS_INIT;
	struct dockerd_options *o = NULL;
	int r;

	if (!p || plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, &none, &o, err) < 0)
		return -1;
	r = plugin_open(p, state_dir, state_dir, o, &driver, err);
	plugin_options_free(o);
	if (r < 0)
		return -1;
	local = p->capabilities & DOCKERD_LOG_CAP_LOCAL;
	if (local)
		return 0;
	bell = (struct watch){.ready = bell_ready, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (bell.fd < 0)
		return error_sys(err, errno, "eventfd");
	loop_want(&bell, EPOLLIN);
	return 0;
}

/* ---- calling the driver ------------------------------------------------------------------------------------------------------------- */

static void deliver(struct sink *k, const struct dockerd_log_message *m, uint32_t n)
{
	const struct dockerd_log_ops *ops = &driver.plugin->ops.log;

	while (n) {
		struct dockerd_error derr = plugin_error_init();
		struct error err = ERROR_INIT;
		uint32_t done = 0;
		int32_t r;

		if (k->threaded) {
			struct plugin_call call;

			if (plugin_enter(&driver, "write", k->name, &call, &err) == 0) {
				r = ops->write(driver.self, k->handle, m, n, &done, &derr);
				r = plugin_leave(&call, r, &derr, &err);
			} else {
				r = -1;
			}
		} else {
			r = ops->write(driver.self, k->handle, m, n, &done, &derr);
			if (r != 0)
				r = plugin_error(driver.plugin, "write", &derr, &err);
		}
		if (r == 0) {
			k->failing = false;
			return;
		}
		/* the message that failed is lost, and said once until one succeeds */
		if (!k->failing)
			log_error("Error writing log message", "container", k->name, "error",
				  err.text);
		k->failing = true;
		if (done >= n)
			return;
		m += done + 1;
		n -= done + 1;
	}
}

static void flush_driver(struct sink *k)
{
	const struct dockerd_log_ops *ops = &driver.plugin->ops.log;
	struct dockerd_error derr = plugin_error_init();

	if (ops->flush && ops->flush(driver.self, k->handle, &derr) != 0)
		log_error("Error flushing log", "container", k->name, "error", derr.text);
}

/* ---- with a thread -------------------------------------------------------------------------------------------------------------------- */

static void sink_free(struct sink *k)
{
	while (k->head) {
		struct queued *q = k->head;

		k->head = q->next;
		free(q);
	}
	driver.plugin->ops.log.stream_close(driver.self, k->handle);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->work);
	free(k->name);
	free(k);
}

static void deliver_queue(struct sink *k, struct queued *list)
{
	struct dockerd_log_message *batch = xcalloc(DRIVER_MESSAGES, sizeof(*batch));

	while (list) {
		struct queued *first = list;
		uint32_t n = 0;

		for (; list && n < DRIVER_MESSAGES; list = list->next)
			batch[n++] = list->m;
		deliver(k, batch, n);
		while (first != list) {
			struct queued *q = first;

			first = q->next;
			free(q);
		}
	}
	free(batch);
}

static void *sink_thread(void *arg)
{
	struct sink *k = arg;

	pthread_mutex_lock(&k->lock);
	for (;;) {
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
			continue;
		}
		if (k->drain) {
			k->drain = false;
			pthread_mutex_unlock(&k->lock);
			flush_driver(k);
			pthread_mutex_lock(&k->lock);
			k->drained = true;
			if (!k->closing)
				ring(k);
			continue;
		}
		if (k->closing)
			break;
		pthread_cond_wait(&k->work, &k->lock);
	}
	pthread_mutex_unlock(&k->lock);
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

static struct dockerd_key_value *key_values(const struct pairs *p)
{
	struct dockerd_key_value *kv = xcalloc(p->n + 1, sizeof(*kv));

	for (size_t i = 0; i < p->n; i++)
		kv[i] = (struct dockerd_key_value){p->v[i].key, p->v[i].value};
	return kv;
}

static int open_handle(const struct told *t, void **handle, struct error *err)
{
	struct dockerd_options *o = NULL;
	struct dockerd_error derr = plugin_error_init();
	struct dockerd_key_value *labels, *env;
	struct dockerd_log_info info;
	int32_t r;

	if (plugin_options_parse(driver.plugin, DOCKERD_SCOPE_CONTAINER, &t->options, &o, err) < 0)
		return -1;
	labels = key_values(&t->labels);
	env = key_values(&t->env);
	info = (struct dockerd_log_info){
	    .size = sizeof(info),
	    .label_count = (uint32_t)t->labels.n,
	    .env_count = (uint32_t)t->env.n,
	    .container_id = t->container_id,
	    .container_name = t->container_name,
	    .image_id = t->image_id,
	    .image_name = t->image_name,
	    .command = t->command,
	    .created = t->created,
	    .log_path = t->log_path,
	    .daemon_name = t->daemon_name,
	    .labels = labels,
	    .env = env,
	    .options = o,
	};
	r = driver.plugin->ops.log.stream_open(driver.self, &info, handle, &derr);
	free(labels);
	free(env);
	plugin_options_free(o);
	return r == 0 ? 0 : plugin_error(driver.plugin, "stream_open", &derr, err);
}

struct sink *sink_open(struct stream *s, const struct told *t, bool non_blocking,
		       uint64_t max_buffer, struct error *err)
{
	struct sink *k;
	void *handle = NULL;

	if (open_handle(t, &handle, err) < 0)
		return NULL;
	k = xnew(struct sink);
	k->stream = s;
	k->handle = handle;
	k->name = xstrdup(t->container_id ? t->container_id : s->id);
	k->threaded = !local;
	k->non_blocking = non_blocking;
	k->limit = !non_blocking ? QUEUE_MAX : max_buffer ? (size_t)max_buffer : RING_MAX;
	k->tail = &k->head;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->work, NULL);
	if (k->threaded && thread_start("log-sink", sink_thread, k, err) < 0) {
		sink_free(k);
		return NULL;
	}
	return k;
}

void sink_write(struct sink *k, const struct dockerd_log_message *m, uint32_t n)
{
	FAULT("logd.sink.write");
	if (!k->threaded) {
		deliver(k, m, n);
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

bool sink_full(const struct sink *k)
{
	struct sink *mutable = (struct sink *)(uintptr_t)k;
	bool full;

	if (!k->threaded)
		return false;
	pthread_mutex_lock(&mutable->lock);
	full = k->was_full;
	pthread_mutex_unlock(&mutable->lock);
	return full;
}

void sink_drain(struct sink *k)
{
	if (!k->threaded) {
		flush_driver(k);
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
	char text[32];

	if (!k->threaded) {
		sink_free(k);
		return;
	}
	pthread_mutex_lock(&k->lock);
	snprintf(text, sizeof(text), "%" PRIu64, k->dropped);
	if (k->dropped)
		log_warn("log messages were dropped: the buffer of non-blocking mode was full",
			 "container", k->name, "messages", text);
	k->closing = true;
	k->stream = NULL;
	unring(k);
	pthread_cond_signal(&k->work);
	pthread_mutex_unlock(&k->lock);
}
