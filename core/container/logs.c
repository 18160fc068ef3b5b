/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /containers/{}/logs and the past output of attach. The log driver's reader half works from files. A driver may hang, so none is called by the
 * stream loop: a job, a thread that lives for one batch, reads ahead of what the loop sends. The first batch is read by the request's own
 * thread, so a short log takes no other. A slow client costs two batches at most.
 *
 * `lock` in struct log_stream guards what is below it. While a job is under way, reader and batch are the job's.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/log_reader.h"
#include "container/log_serve.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

/* What the client wants of each message. */
struct format {
	bool out, err, timestamps, details, multiplexed;
};

struct log_stream {
	struct container *c;
	struct log_reader *reader;
	struct format format;
	struct http_stream *stream;
	bool follow;
	pid_t
	    pid; /* of the life that is followed: as with moby, the stream ends with it even if a restart is quick */
	struct str batch;
	bool large; /* the last batch was full: the next gets its room at once */
	pthread_mutex_t lock;
	struct str ready; /* read, not yet sent */
	bool busy;        /* a job is under way */
	bool again;       /* there may be more since it began */
	bool ended;       /* nothing comes after `ready` */
	bool abandoned;   /* the stream is over: whoever ends the job frees this */
};

#define BATCH (128 * 1024)

/* ---- Messages to bytes -------------------------------------------------------------------------------------------------------- */

/* As in a form's data: clients take it apart at "," and "=". Source: moby daemon/logs.go, Go's url.QueryEscape. */
static void put_escaped(struct str *out, const char *text)
{
	for (; *text; text++)
		if (isalnum((unsigned char)*text) || strchr("-_.~", *text))
			str_putc(out, *text);
		else if (*text == ' ')
			str_putc(out, '+');
		else
			str_printf(out, "%%%02X", (unsigned char)*text);
}

static void put_details(struct str *out, const struct dockerd_log_message *m)
{
	for (uint32_t i = 0; i < m->attr_count; i++) {
		if (i)
			str_putc(out, ',');
		put_escaped(out, m->attrs[i].key);
		str_putc(out, '=');
		put_escaped(out, m->attrs[i].value);
	}
	str_putc(out, ' ');
}

static void put_message(struct str *out, const struct format *f,
			const struct dockerd_log_message *m)
{
	size_t head = out->len, len;
	char time[CLOCK_TEXT];

	if (!(m->source == DOCKERD_LOG_STDERR ? f->err : f->out))
		return;
	str_reserve(out, (size_t)m->length + 64); /* mostly once for all of it */
	if (f->multiplexed)
		str_add(out, "\0\0\0\0\0\0\0\0", 8);
	if (f->timestamps) {
		clock_format_fixed(m->time, time);
		str_puts(out, time);
		str_putc(out, ' ');
	}
	if (f->details)
		put_details(out, m);
	str_add(out, m->data, (size_t)m->length);
	if (!m->partial)
		str_putc(out, '\n');
	if (!f->multiplexed)
		return;
	len = out->len - head - 8;
	out->p[head] = m->source == DOCKERD_LOG_STDERR ? 2 : 1;
	for (int i = 0; i < 4; i++)
		out->p[head + 4 + (size_t)i] = (char)(len >> (24 - 8 * i));
}

/* ---- Opening ------------------------------------------------------------------------------------------------------------------ */

static int open_reader(struct container *c, const struct dockerd_log_read *how,
		       struct log_reader **out, struct error *err)
{
	struct stream_told told;
	int r;

	if (stream_tell(c, &told, err) < 0)
		return -1;
	r = log_reader_open(&told.stream, how, out, err);
	stream_told_free(&told);
	return r;
}

static int parse_time(struct http_exchange *x, const char *name, int64_t fallback, int64_t *out,
		      struct error *err)
{
	const char *text = http_query(x, name, "");

	*out = fallback;
	return *text && !streq(text, "0") ? clock_parse_unix(text, out, err) : 0;
}

static int parse(struct http_exchange *x, struct format *f, struct dockerd_log_read *how,
		 struct error *err)
{
	const char *tail = http_query(x, "tail", "all");
	char *end;

	*f = (struct format){.out = http_query_bool(x, "stdout", false),
			     .err = http_query_bool(x, "stderr", false),
			     .timestamps = http_query_bool(x, "timestamps", false),
			     .details = http_query_bool(x, "details", false)};
	*how = (struct dockerd_log_read){
	    .size = sizeof(*how), .follow = http_query_bool(x, "follow", false), .tail = -1};
	if (!f->out && !f->err)
		return error_set(err, ERR_INVALID,
				 "Bad parameters: you must choose at least one stream");
	if (*tail && !streq(tail, "all")) {
		how->tail = strtoll(tail, &end, 10);
		if (*end || how->tail < 0)
			how->tail = -1; /* moby takes what it can't read as "all" */
	}
	if (parse_time(x, "since", INT64_MIN, &how->since, err) < 0)
		return -1;
	return parse_time(x, "until", INT64_MAX, &how->until, err);
}

/* ---- The stream --------------------------------------------------------------------------------------------------------------- */

static bool is_down(struct container *c)
{
	LOCK_SCOPE(&c->lock);

	return c->gone || !c->state.running;
}

static bool is_over(struct log_stream *s)
{
	LOCK_SCOPE(&s->c->lock);

	return s->c->gone || !s->c->state.running || s->c->state.pid != s->pid;
}

static pid_t pid_of(struct container *c)
{
	LOCK_SCOPE(&c->lock);

	return c->state.running ? (pid_t)c->state.pid : 0;
}

static bool take_message(void *ctx, const struct dockerd_log_message *m)
{
	struct log_stream *s = ctx;

	put_message(&s->batch, &s->format, m);
	return s->batch.len < BATCH;
}

static void log_stream_free(struct log_stream *s)
{
	log_reader_close(s->reader);
	str_free(&s->batch);
	str_free(&s->ready);
	pthread_mutex_destroy(&s->lock);
	container_unref(s->c);
	free(s);
}

/* Read until the batch is full or there is nothing more; true at the end of the log. */
static bool read_batch(struct log_stream *s)
{
	struct error err = ERROR_INIT;
	int r;

	for (;;) {
		bool down =
		    is_over(s); /* asked before reading: what was written until then is found */

		pthread_mutex_lock(&s->lock);
		s->again = false;
		pthread_mutex_unlock(&s->lock);
		if (s->large)
			str_reserve(&s->batch, BATCH + BATCH / 4);
		r = log_reader_read(s->reader, take_message, s, &err);
		s->large = r > 0;
		if (r < 0)
			log_error("reading logs", "container", s->c->id, "error", err.text);
		if (r < 0 || (r == 0 && (!s->follow || down)))
			break;
		pthread_mutex_lock(&s->lock);
		r = r == 0 && s->again && !s->abandoned;
		pthread_mutex_unlock(&s->lock);
		if (!r)
			return false;
	}
	/* a reader that is followed stays open until the loop has let go of its wait_fd */
	if (!s->follow) {
		log_reader_close(s->reader);
		s->reader = NULL;
	}
	return true;
}

/* Without a copy where nothing is there yet. */
static void move(struct str *to, struct str *from)
{
	if (!to->len) {
		str_free(to);
		*to = *from;
		*from = (struct str)STR_INIT;
		return;
	}
	str_add(to, str_cstr(from), from->len);
	str_free(from);
}

/* What was read is ready to be sent. True: nobody wants it any more. */
static bool hand_over(struct log_stream *s, bool end)
{
	LOCK_SCOPE(&s->lock);

	move(&s->ready, &s->batch);
	s->ended = end;
	s->busy = false;
	if (!s->abandoned && s->stream)
		http_stream_wake(s->stream);
	return s->abandoned;
}

static void *job(void *arg)
{
	struct log_stream *s = arg;

	if (hand_over(s, read_batch(s)))
		log_stream_free(s);
	return NULL;
}

static void *last_job(void *arg)
{
	log_stream_free(arg);
	return NULL;
}

static int fill(void *ctx, struct str *out)
{
	struct log_stream *s = ctx;
	struct error err = ERROR_INIT;
	LOCK_SCOPE(&s->lock);

	move(out, &s->ready);
	if (s->ended)
		return HTTP_END;
	s->again = true;
	if (!s->busy) {
		s->busy = true;
		if (thread_start("logs", job, s, &err) < 0) {
			s->busy = false;
			log_error("reading logs", "container", s->c->id, "error", err.text);
			return HTTP_END;
		}
	}
	return HTTP_LATER;
}

static void started(void *ctx, struct http_stream *stream)
{
	struct log_stream *s = ctx;

	s->stream = stream;
	if (s->follow)
		watch_end(s->c, stream);
}

static void over(void *ctx)
{
	struct log_stream *s = ctx;
	struct error err = ERROR_INIT;
	bool busy;

	if (s->follow && s->stream)
		unwatch_end(s->c, s->stream);
	pthread_mutex_lock(&s->lock);
	s->abandoned = true;
	busy = s->busy;
	pthread_mutex_unlock(&s->lock);
	if (busy)
		return;
	/* closing may hang too */
	if (!s->reader || thread_start("logs", last_job, s, &err) < 0)
		log_stream_free(s);
}

static struct log_stream *open_stream(struct http_exchange *x, const char *name,
				      struct dockerd_log_read *how, struct error *err)
{
	struct error unflushed = ERROR_INIT;
	struct format format;
	struct container *c;
	struct log_stream *s;

	if (parse(x, &format, how, err) < 0)
		return NULL;
	c = container_find(name, err);
	if (!c)
		return NULL;
	s = xnew(struct log_stream);
	s->c = c;
	s->format = format;
	s->format.multiplexed = !c->tty;
	pthread_mutex_init(&s->lock, NULL);
	/* what is on its way becomes visible; without logd, files alone must do */
	if (!is_down(c))
		logd_flush(c->log_driver, c->id, &unflushed);
	if (open_reader(c, how, &s->reader, err) == 0)
		return s;
	log_stream_free(s);
	return NULL;
}

void container_logs(struct http_exchange *x, const char *name)
{
	struct http_source source = {.fill = fill, .done = over, .started = started, .wait_fd = -1};
	struct error err = ERROR_INIT;
	struct dockerd_log_read how;
	struct log_stream *s = open_stream(x, name, &how, &err);
	const char *type;

	if (!s) {
		http_reply_error(x, &err);
		return;
	}
	s->pid = pid_of(s->c);
	s->follow = how.follow && s->pid > 0;
	source.wait_fd = s->follow ? log_reader_wait_fd(s->reader) : -1;
	hand_over(s, read_batch(s));
	type = s->format.multiplexed && x->api_version >= 42
		   ? "application/vnd.docker.multiplexed-stream"
		   : "application/vnd.docker.raw-stream";
	http_reply_stream(x, 200, type, &source, s);
}

/* Where past output goes: straight to the client, from the request's own thread. */
struct log_past {
	struct container *c;
	struct log_reader *reader;
	struct format format;
	struct str out;
	int sock; /* borrowed */
	bool gone;
};

static bool take_past(void *ctx, const struct dockerd_log_message *m)
{
	struct log_past *p = ctx;

	put_message(&p->out, &p->format, m);
	return p->out.len < BATCH;
}

struct log_past *log_past_open(struct container *c, int sock, bool want_out, bool want_err,
			       bool multiplexed, struct error *err)
{
	/* as if it were followed: the end of what is there is not the end */
	const struct dockerd_log_read how = {
	    .size = sizeof(how), .follow = 1, .since = INT64_MIN, .until = INT64_MAX, .tail = -1};
	struct log_reader *reader;
	struct log_past *p;

	if (open_reader(c, &how, &reader, err) < 0)
		return NULL;
	p = xnew(struct log_past);
	*p = (struct log_past){
	    .c = container_ref(c),
	    .reader = reader,
	    .format = {.out = want_out, .err = want_err, .multiplexed = multiplexed},
	    .sock = sock};
	return p;
}

/* Once the client is attached as well, its socket does not block any more: that is a mark of the connection, not of our descriptor. */
static int send_past(struct log_past *p)
{
	const char *at = str_cstr(&p->out);
	size_t left = p->out.len;

	while (left) {
		ssize_t n = send(p->sock, at, left, MSG_NOSIGNAL);
		struct pollfd room = {.fd = p->sock, .events = POLLOUT};

		if (n < 0 && errno == EAGAIN)
			poll(&room, 1, -1);
		else if (n < 0 && errno != EINTR)
			return -1;
		at += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int log_past_send(struct log_past *p, struct error *err)
{
	struct error unflushed = ERROR_INIT;
	int r;

	/* as in container_logs */
	if (!is_down(p->c))
		logd_flush(p->c->log_driver, p->c->id, &unflushed);
	do {
		r = log_reader_read(p->reader, take_past, p, err);
		/* outside of the guarded call: the client may be slow */
		p->gone = p->gone || (r >= 0 && send_past(p) < 0);
		str_reset(&p->out);
	} while (r > 0 && !p->gone);
	return p->gone ? error_set(err, ERR_CANCELLED, "the client is gone") : r;
}

void log_past_close(struct log_past *p)
{
	if (!p)
		return;
	log_reader_close(p->reader);
	str_free(&p->out);
	container_unref(p->c);
	free(p);
}
