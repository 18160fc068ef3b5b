/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream loop: one thread that carries every long reply (events, logs -f, stats, wait). Each stream has one buffer of at most one
 * fill; its source is asked again only when that was sent, so a slow client costs its own buffer and nobody's time.
 *
 * `lock` guards the list of streams to look at (wake list) and starts; everything else belongs to the loop's thread.
 */
#include "http/conn.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

struct http_stream {
	struct http_conn *conn;
	struct http_source source;
	void *ctx;
	/* being sent: a chunk's head, what the source gave, and what ends the chunk, or the reply */
	char head[24];
	size_t head_len;
	struct str out;
	const char *tail;
	size_t sent; /* of all three */
	bool chunked, keep_alive, head_only;
	bool later;    /* the source said HTTP_LATER */
	bool ending;   /* the terminator is in `out` */
	bool in_epoll; /* conn->fd is in our epoll set */
	bool waking;   /* on the wake list; guarded by lock */
	struct http_stream *next_wake;
};

static struct {
	int epoll, event;
	pthread_mutex_t lock;
	struct http_stream *wake;
	bool broken;
} loop = {.lock = PTHREAD_MUTEX_INITIALIZER};
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* epoll tags: the stream's address, with bit 0 set for its source's wait_fd */
#define TAG_SOURCE 1u

static void end_stream(struct http_stream *s, bool keep_alive)
{
	struct http_conn *c = s->conn;

	if (s->source.wait_fd >= 0)
		epoll_ctl(loop.epoll, EPOLL_CTL_DEL, s->source.wait_fd, NULL);
	if (s->in_epoll)
		epoll_ctl(loop.epoll, EPOLL_CTL_DEL, c->fd, NULL);
	s->source.done(s->ctx); /* after this nobody wakes it */
	pthread_mutex_lock(&loop.lock);
	for (struct http_stream **at = &loop.wake; *at; at = &(*at)->next_wake)
		if (*at == s) {
			*at = s->next_wake;
			break;
		}
	pthread_mutex_unlock(&loop.lock);
	str_free(&s->out);
	free(s);
	http_conn_done(c, keep_alive);
}

/* Ask the source until it has something; frames it. */
static void refill(struct http_stream *s)
{
	bool some;
	int r;

	str_reset(&s->out);
	s->sent = s->head_len = 0;
	s->tail = "";
	do
		r = s->source.fill(s->ctx, &s->out);
	while (r == HTTP_MORE && s->out.len < 32768);
	s->later = r == HTTP_LATER;
	s->ending = r == HTTP_END;
	if (s->head_only)
		str_reset(&s->out);
	some = s->out.len != 0;
	if (!s->chunked || s->head_only)
		return;
	if (some)
		s->head_len = (size_t)snprintf(s->head, sizeof(s->head), "%zx\r\n", s->out.len);
	if (s->ending)
		s->tail = some ? "\r\n0\r\n\r\n" : "0\r\n\r\n";
	else if (some)
		s->tail = "\r\n";
}

static size_t to_send(const struct http_stream *s)
{
	return s->head_len + s->out.len + strlen(s->tail) - s->sent;
}

static ssize_t send_some(struct http_stream *s)
{
	struct iovec all[3] = {{s->head, s->head_len},
			       {s->out.p, s->out.len},
			       {(char *)(uintptr_t)s->tail, strlen(s->tail)}},
		     *v = all;
	struct msghdr mh = {.msg_iovlen = ARRAY_LEN(all)};
	size_t skip = s->sent;

	for (; skip && skip >= v->iov_len; v++, mh.msg_iovlen--)
		skip -= v->iov_len;
	v->iov_base = (char *)v->iov_base + skip;
	v->iov_len -= skip;
	mh.msg_iov = v;
	return sendmsg(s->conn->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Send what is there and ask for more until the socket is full or the source has nothing. */
static void pump(struct http_stream *s)
{
	for (;;) {
		ssize_t n;

		if (!to_send(s)) {
			if (s->ending) {
				end_stream(s, s->keep_alive);
				return;
			}
			if (s->later)
				break;
			refill(s);
			continue;
		}
		n = send_some(s);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			end_stream(s, false);
			return;
		}
		s->sent += (size_t)n;
	}
	if (!to_send(s)) {
		str_free(&s->out); /* 1,000 quiet streams hold no buffers */
		s->tail = "";
		s->sent = s->head_len = 0;
	}
}

static void watch(int fd, uint32_t events, uintptr_t tag, int op)
{
	struct epoll_event ev = {.events = events, .data.u64 = tag};

	if (epoll_ctl(loop.epoll, op, fd, &ev) < 0)
		log_error("stream loop can't watch a descriptor", "error", strerror(errno));
}

static void handle_wakes(void)
{
	uint64_t n;

	if (read(loop.event, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_error("stream loop", "error", strerror(errno));
	for (;;) {
		struct http_stream *s;

		pthread_mutex_lock(&loop.lock);
		s = loop.wake;
		if (s) {
			loop.wake = s->next_wake;
			s->waking = false;
		}
		pthread_mutex_unlock(&loop.lock);
		if (!s)
			return;
		if (!s->in_epoll) {
			s->in_epoll = true;
			/* edge-triggered: EPOLLOUT tells of room after EAGAIN, and costs nothing while there is room */
			watch(s->conn->fd, EPOLLRDHUP | EPOLLOUT | EPOLLET, (uintptr_t)s,
			      EPOLL_CTL_ADD);
			if (s->source.wait_fd >= 0)
				watch(s->source.wait_fd, EPOLLIN | EPOLLET,
				      (uintptr_t)s | TAG_SOURCE, EPOLL_CTL_ADD);
		}
		s->later = false;
		pump(s);
	}
}

static void *run(void *arg)
{
	(void)arg;
	for (;;) {
		struct epoll_event
		    ev[1]; /* one at a time: handling one may free the stream of another */
		struct http_stream *s;

		if (epoll_wait(loop.epoll, ev, 1, -1) < 1)
			continue;
		if (!ev[0].data.u64) {
			handle_wakes();
			continue;
		}
		s = (struct http_stream *)(uintptr_t)(ev[0].data.u64 & ~(uint64_t)TAG_SOURCE);
		if (ev[0].data.u64 & TAG_SOURCE) {
			s->later = false;
			pump(s);
		} else if (ev[0].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
			end_stream(s, false);
		} else {
			pump(s);
		}
	}
	return NULL;
}

static void start(void)
{
	struct error err = ERROR_INIT;

	loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	loop.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch(loop.event, EPOLLIN, 0, EPOLL_CTL_ADD);
	if (thread_start("streams", run, NULL, &err) < 0) {
		log_error("long replies are not possible", "error", err.text);
		loop.broken = true;
	}
}

static void ring(void)
{
	uint64_t one = 1;

	if (write(loop.event, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("stream loop", "error", strerror(errno));
}

/* Put it on the wake list for the first time. */
static void enlist(struct http_stream *s)
{
	pthread_mutex_lock(&loop.lock);
	s->next_wake = loop.wake;
	loop.wake = s;
	pthread_mutex_unlock(&loop.lock);
	ring();
}

void http_stream_wake(struct http_stream *s)
{
	bool listed;

	pthread_mutex_lock(&loop.lock);
	listed = s->waking;
	if (!listed) {
		s->waking = true;
		s->next_wake = loop.wake;
		loop.wake = s;
	}
	pthread_mutex_unlock(&loop.lock);
	if (!listed)
		ring();
}

void http_reply_stream(struct http_exchange *x, int status, const char *content_type,
		       const struct http_source *source, void *ctx)
{
	struct http_stream *s;

	pthread_once(&once, start);
	if (x->keep_alive)
		x->keep_alive = http_drain(x);
	/* a client that hung up already will be noticed by the loop */
	if (loop.broken || http_begin(x, status, content_type) < 0) {
		x->keep_alive = false;
		if (!x->status)
			x->status = status;
		source->done(ctx);
		return;
	}
	s = xnew(struct http_stream);
	*s = (struct http_stream){.conn = x->conn,
				  .source = *source,
				  .ctx = ctx,
				  .tail = "",
				  .chunked = x->reply_chunked,
				  .keep_alive = x->keep_alive,
				  .head_only = x->head_only};
	x->streaming = true;
	/* As if on the wake list already: a wake by whoever learns of the stream in `started` does nothing, so the loop can't come to
	 * its end, and free it, before we have let go of it below. */
	s->waking = true;
	if (source->started)
		source->started(ctx, s);
	enlist(s);
}
