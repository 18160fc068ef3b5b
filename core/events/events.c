/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus and its subscribers. `lock` guards the ring, the subscribers and their queues; it is held for pushes and pops only.
 * Lock order: lock, then the stream loop's (http_stream_wake).
 */
#include "events/events.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "events/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define RING 256
#define QUEUE_MAX 4096 /* events a client may lag behind before it is dropped */

struct subscriber {
	struct subscriber *next;
	struct http_stream *stream;
	json *filters;
	int64_t until; /* INT64_MAX: for ever */
	int timer;     /* timerfd for `until`, or -1 */
	struct event **queue;
	size_t first, n, cap;
	bool lagging;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct event *ring[RING];
static size_t published; /* ever */
static struct subscriber *subscribers;

static void event_put(struct event *e)
{
	if (!e || --e->refs)
		return;
	free(e->type);
	free(e->action);
	free(e->actor_id);
	pairs_free(&e->attributes);
	str_free(&e->line);
	free(e);
}

static void print(struct event *e)
{
	struct jw w = jw_to(&e->line);
	bool legacy = streq(e->type, "container") || streq(e->type, "image");
	const char *from = pairs_get(&e->attributes, "image");

	jw_obj(&w);
	if (legacy) {
		jw_kstr(&w, "status", e->action);
		jw_kstr(&w, "id", e->actor_id);
		if (streq(e->type, "container") && !str_empty(from))
			jw_kstr(&w, "from", from);
	}
	jw_kstr(&w, "Type", e->type);
	jw_kstr(&w, "Action", e->action);
	jw_kobj(&w, "Actor");
	jw_kstr(&w, "ID", e->actor_id);
	jw_kpairs(&w, "Attributes", &e->attributes, false);
	jw_end(&w);
	jw_kstr(&w, "scope", "local");
	jw_ki64(&w, "time", e->time / 1000000000);
	jw_ki64(&w, "timeNano", e->time);
	jw_end(&w);
	str_putc(&e->line, '\n');
}

static void enqueue(struct subscriber *s, struct event *e)
{
	if (s->n == QUEUE_MAX) {
		s->lagging = true;
		return;
	}
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		struct event **q = xcalloc(cap, sizeof(struct event *));

		for (size_t i = 0; i < s->n; i++)
			q[i] = s->queue[(s->first + i) % s->cap];
		free(s->queue);
		s->queue = q;
		s->cap = cap;
		s->first = 0;
	}
	e->refs++;
	s->queue[(s->first + s->n++) % s->cap] = e;
}

void events_publish(const char *type, const char *action, const char *actor_id,
		    const struct pairs *attributes)
{
	struct event *e = xnew(struct event);
	LOCK_SCOPE(&lock);

	e->refs = 1;
	e->type = xstrdup(type);
	e->action = xstrdup(action);
	e->actor_id = xstrdup(actor_id);
	pairs_copy(&e->attributes, attributes);
	e->time = clock_wall_ns();
	print(e);
	event_put(ring[published % RING]);
	ring[published++ % RING] = e;
	metrics_add(METRICS_EVENTS);
	for (struct subscriber *s = subscribers; s; s = s->next) {
		if (!event_matches(e, s->filters) || e->time > s->until)
			continue;
		enqueue(s, e);
		if (s->stream)
			http_stream_wake(s->stream);
	}
}

int events_listeners(void)
{
	int n = 0;
	LOCK_SCOPE(&lock);

	for (struct subscriber *s = subscribers; s; s = s->next)
		n++;
	return n;
}

static int fill(void *ctx, struct str *out)
{
	struct subscriber *s = ctx;
	LOCK_SCOPE(&lock);

	while (s->n && out->len < 65536) {
		struct event *e = s->queue[s->first];

		str_add(out, e->line.p, e->line.len);
		s->first = (s->first + 1) % s->cap;
		s->n--;
		event_put(e);
	}
	if (s->lagging)
		return HTTP_END;
	if (s->n)
		return HTTP_MORE;
	return clock_wall_ns() >= s->until ? HTTP_END : HTTP_LATER;
}

static void started(void *ctx, struct http_stream *stream)
{
	struct subscriber *s = ctx;
	LOCK_SCOPE(&lock);

	s->stream = stream;
}

static void done(void *ctx)
{
	struct subscriber *s = ctx;

	pthread_mutex_lock(&lock);
	for (struct subscriber **at = &subscribers; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	for (size_t i = 0; i < s->n; i++)
		event_put(s->queue[(s->first + i) % s->cap]);
	pthread_mutex_unlock(&lock);
	if (s->timer >= 0)
		close(s->timer);
	json_free(s->filters);
	free(s->queue);
	free(s);
}

static int parse_time(struct http_exchange *x, const char *name, int64_t *out, struct error *err)
{
	const char *text = http_query(x, name, "");

	return *text ? clock_parse_unix(text, out, err) : 0;
}

static int parse(struct http_exchange *x, struct subscriber *s, int64_t *since, struct error *err)
{
	const char *filters = http_query(x, "filters", "");

	s->until = INT64_MAX;
	*since = INT64_MAX;
	if (parse_time(x, "since", since, err) < 0 || parse_time(x, "until", &s->until, err) < 0)
		return -1;
	if (*since != INT64_MAX && s->until != INT64_MAX && s->until < *since)
		return error_set(
		    err, ERR_INVALID, "`since` time (%lld) cannot be after `until` time (%lld)",
		    (long long)(*since / 1000000000), (long long)(s->until / 1000000000));
	if (*filters) {
		s->filters = json_parse(filters, strlen(filters), err);
		if (!s->filters || json_type(s->filters) != JSON_OBJECT)
			return error_set(err, ERR_INVALID, "invalid filter");
		/* moby takes names that it does not know, and they filter nothing */
	}
	return 0;
}

void events_serve(struct http_exchange *x)
{
	struct subscriber *s = xnew(struct subscriber);
	struct http_source source = {.fill = fill, .done = done, .started = started, .wait_fd = -1};
	struct error err = ERROR_INIT;
	int64_t since;

	s->timer = -1;
	if (parse(x, s, &since, &err) < 0) {
		json_free(s->filters);
		free(s);
		http_reply_error(x, &err);
		return;
	}
	if (s->until != INT64_MAX && s->until > clock_wall_ns()) {
		struct itimerspec it = {.it_value = {s->until / 1000000000, s->until % 1000000000}};

		s->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
		if (s->timer >= 0)
			timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &it, NULL);
	}
	source.wait_fd = s->timer;
	pthread_mutex_lock(&lock);
	for (size_t i = published > RING ? published - RING : 0;
	     since != INT64_MAX && i < published; i++) {
		struct event *e = ring[i % RING];

		if (e->time >= since && e->time <= s->until && event_matches(e, s->filters))
			enqueue(s, e);
	}
	s->next = subscribers;
	subscribers = s;
	pthread_mutex_unlock(&lock);
	http_reply_stream(x, 200, "application/json", &source, s);
}
