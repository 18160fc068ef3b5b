/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /containers/{}/wait: a stream that has one thing to say. Waiters hang on their container, guarded by its lock. Streams that
 * only need to look again when the container ends (logs -f) hang there as well.
 */
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <stdlib.h>

struct waiter {
	struct waiter *next;
	struct container *c;
	struct http_stream *stream;
	bool removed;   /* waits for the removal */
	bool wake_only; /* somebody else's stream: woken, and that is all */
	bool done;
	int exit_code;
	char *error;
};

/* error: why the container did not run; NULL if it is removed, whatever it did before. */
static void finish(struct waiter *w, const struct container *c, const char *error)
{
	if (w->wake_only) {
		http_stream_wake(w->stream);
		return;
	}
	w->done = true;
	w->exit_code = c->state.exit_code;
	w->error = xstrdup_null(error);
	if (w->stream)
		http_stream_wake(w->stream);
}

void waiters_exit(struct container *c)
{
	for (struct waiter *w = c->waiters; w; w = w->next)
		if (!w->done && !w->removed)
			finish(w, c, c->state.error);
}

void waiters_removed(struct container *c)
{
	for (struct waiter *w = c->waiters; w; w = w->next)
		if (!w->done)
			finish(w, c, NULL);
}

void watch_end(struct container *c, struct http_stream *stream)
{
	struct waiter *w = xnew(struct waiter);
	LOCK_SCOPE(&c->lock);

	w->c = c;
	w->stream = stream;
	w->wake_only = true;
	w->next = c->waiters;
	c->waiters = w;
}

void unwatch_end(struct container *c, struct http_stream *stream)
{
	struct waiter *w = NULL;

	pthread_mutex_lock(&c->lock);
	for (struct waiter **at = &c->waiters; *at; at = &(*at)->next)
		if ((*at)->wake_only && (*at)->stream == stream) {
			w = *at;
			*at = w->next;
			break;
		}
	pthread_mutex_unlock(&c->lock);
	free(w);
}

static int fill(void *ctx, struct str *out)
{
	struct waiter *w = ctx;
	struct jw j = jw_to(out);
	LOCK_SCOPE(&w->c->lock);

	if (!w->done)
		return HTTP_LATER;
	jw_obj(&j);
	if (!str_empty(w->error)) {
		jw_kobj(&j, "Error");
		jw_kstr(&j, "Message", w->error);
		jw_end(&j);
	}
	jw_ki64(&j, "StatusCode", w->exit_code);
	jw_end(&j);
	str_putc(out, '\n');
	return HTTP_END;
}

static void started(void *ctx, struct http_stream *s)
{
	struct waiter *w = ctx;
	LOCK_SCOPE(&w->c->lock);

	w->stream = s;
}

static void over(void *ctx)
{
	struct waiter *w = ctx;

	pthread_mutex_lock(&w->c->lock);
	for (struct waiter **at = &w->c->waiters; *at; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	pthread_mutex_unlock(&w->c->lock);
	container_unref(w->c);
	free(w->error);
	free(w);
}

void container_wait(struct http_exchange *x, const char *name, const char *condition)
{
	struct http_source source = {.fill = fill, .done = over, .started = started, .wait_fd = -1};
	struct error err = ERROR_INIT;
	struct waiter *w;
	bool next = streq(condition, "next-exit"), removed = streq(condition, "removed");
	struct container *c;

	if (*condition && !next && !removed && !streq(condition, "not-running")) {
		error_set(&err, ERR_INVALID, "invalid condition: \"%s\"", condition);
		http_reply_error(x, &err);
		return;
	}
	c = container_find(name, &err);
	if (!c) {
		http_reply_error(x, &err);
		return;
	}
	w = xnew(struct waiter);
	w->c = c; /* our reference goes to the waiter */
	w->removed = removed;
	pthread_mutex_lock(&c->lock);
	w->next = c->waiters;
	c->waiters = w;
	if (c->gone || (!next && !removed && !c->state.running))
		finish(w, c, c->gone ? NULL : c->state.error);
	pthread_mutex_unlock(&c->lock);
	http_reply_stream(x, 200, "application/json", &source, w);
}
