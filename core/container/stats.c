/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /containers/{}/stats: a sample each second, or one. A timer wakes the stream loop; reading the kernel's files does not block, so no thread
 * is needed however many clients look.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "container/container_int.h"
#include "container/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* One client. The stream loop's alone. */
struct stats {
	struct container *c;
	struct usage last;
	int timer;
	bool stream, begun;
};

/* Of one that is not running *u says nothing. */
static void sample(struct container *c, struct usage *u)
{
	auto_free char *cgroup = NULL;
	bool running, own_network;
	pid_t pid;

	pthread_mutex_lock(&c->lock);
	running = c->state.running && !c->state.restarting;
	own_network = !streq(c->network_mode, "host");
	pid = c->state.pid;
	pthread_mutex_unlock(&c->lock);
	if (running)
		cgroup = cgroup_of(c->id, pid);
	if (cgroup)
		usage_read(u, cgroup, own_network ? pid : 0);
	else
		*u = (struct usage){.time = CLOCK_ZERO};
}

static void print(struct container *c, const struct usage *u, const struct usage *before,
		  bool named, struct str *out)
{
	struct jw w = jw_to(out);

	jw_obj(&w);
	if (named) {
		pthread_mutex_lock(&c->lock);
		str_puts(out, "\"name\":\"/");
		str_printf(out, "%s\"", c->name);
		pthread_mutex_unlock(&c->lock);
		w.comma = true;
		jw_kstr(&w, "id", c->id);
	}
	jw_ktime(&w, "read", u->time);
	jw_ktime(&w, "preread", before->time);
	usage_print(&w, u, before);
	jw_end(&w);
	str_putc(out, '\n');
}

static int fill(void *ctx, struct str *out)
{
	struct stats *s = ctx;
	uint64_t expired;
	struct usage now;

	/* The first sample is due at once, the others when the timer says so. */
	if (s->begun && read(s->timer, &expired, sizeof(expired)) != sizeof(expired))
		return HTTP_LATER;
	if (s->c->gone)
		return HTTP_END;
	sample(s->c, &now);
	if (s->stream || s->begun)
		print(s->c, &now, &s->last, true, out);
	usage_free(&s->last);
	s->last = now;
	if (s->begun && !s->stream)
		return HTTP_END;
	s->begun = true;
	return HTTP_LATER;
}

static void done(void *ctx)
{
	struct stats *s = ctx;

	container_unref(s->c);
	usage_free(&s->last);
	close(s->timer);
	free(s);
}

static void reply_once(struct http_exchange *x, struct container *c, bool named)
{
	struct usage now, none = {.time = CLOCK_ZERO};
	auto_str text = STR_INIT;

	sample(c, &now);
	print(c, &now, &none, named, &text);
	usage_free(&now);
	http_reply(x, 200, "application/json", text.p, text.len);
}

static void reply_stream(struct http_exchange *x, struct container *c, bool stream)
{
	const struct itimerspec each = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};
	struct http_source source = {.fill = fill, .done = done};
	struct error err = ERROR_INIT;
	struct stats *s;
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (timer < 0 || timerfd_settime(timer, 0, &each, NULL) < 0) {
		error_sys(&err, errno, "make a timer");
		http_reply_error(x, &err);
		fd_close(&timer);
		return;
	}
	s = xnew(struct stats);
	*s = (struct stats){
	    .c = container_ref(c), .last = {.time = CLOCK_ZERO}, .timer = timer, .stream = stream};
	source.wait_fd = timer;
	http_reply_stream(x, 200, stream ? NULL : "application/json", &source, s);
}

void container_stats(struct http_exchange *x, const char *name, bool stream, bool one_shot)
{
	struct error err = ERROR_INIT;
	auto_container *c = container_find(name, &err);
	bool running;

	if (!c) {
		http_reply_error(x, &err);
		return;
	}
	if (stream && one_shot) {
		error_set(&err, ERR_INVALID, "cannot have stream=true and one-shot=true");
		http_reply_error(x, &err);
		return;
	}
	pthread_mutex_lock(&c->lock);
	running = c->state.running && !c->state.restarting;
	pthread_mutex_unlock(&c->lock);
	if (!stream && (one_shot || !running))
		reply_once(x, c, !running);
	else
		reply_stream(x, c, stream);
}
