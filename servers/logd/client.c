/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attached clients: hijacked connections of the API. Output is sent at once where the socket takes it; what it doesn't take is kept, and beyond
 * CLIENT_BUFFER_MAX the container's output waits, as with moby. Input goes to the process, past the detach sequence.
 *
 * Output that nobody else wants goes from the process's pipe to the client's socket without being read (splice(2)): of a frame only the head is ours.
 */
#include "logd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "proto/logd.h"

static size_t n_clients;

size_t clients_count(void)
{
	return n_clients;
}

static void unlink_client(struct client *c)
{
	struct client **at;

	if (!c->stream)
		return;
	for (at = &c->stream->clients; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	c->stream = NULL;
}

static void client_free(struct client *c)
{
	if (c->stream && c->held)
		c->stream->held--;
	if (c->held)
		request_lost_client(c->held);
	unlink_client(c);
	/* the peer sees the end even if the daemon or a thread of it still holds the socket */
	if (c->watch.fd >= 0)
		shutdown(c->watch.fd, SHUT_RDWR);
	loop_close(&c->watch);
	str_free(&c->unsent);
	str_free(&c->pending);
	loop_free_later(c);
	n_clients--;
	control_client_gone();
}

static size_t unsent(const struct client *c)
{
	return c->unsent.len - c->sent;
}

static void want(struct client *c)
{
	uint32_t events = 0;

	if (!c->in_ended && !c->pending.len)
		events |= EPOLLIN;
	if (unsent(c) && !c->held)
		events |= EPOLLOUT;
	/* when nothing is read from it only a full hang-up is news: EPOLLHUP comes unasked, EPOLLET keeps it to one report */
	loop_want(&c->watch, events ? events : EPOLLET);
}

/* It may go. */
static bool is_done(const struct client *c)
{
	return c->closing && !unsent(c) && !c->held;
}

/* It gets no more of what the process says. */
static void detach(struct client *c)
{
	c->in_ended = c->closing = true;
	c->out = c->err = false;
}

static void client_leaves(struct client *c)
{
	struct stream *s = c->stream;

	if (s && c->in && !c->in_ended && s->stdin_once && !s->terminal)
		stream_input_end(s);
	client_free(c);
	if (s)
		stream_resume(s);
}

/* Nothing more comes from it: moby's rules for what that means. */
static void input_ended(struct client *c)
{
	struct stream *s = c->stream;

	c->in_ended = true;
	if (c->in && s->stdin_once && !s->terminal) {
		stream_input_end(s);
	} else if (c->in) {
		detach(c); /* stdin stays open for the next client */
	}
	if (is_done(c))
		client_free(c);
	else
		want(c);
}

static void flush_client(struct client *c)
{
	while (unsent(c)) {
		ssize_t n = send(c->watch.fd, c->unsent.p + c->sent, unsent(c),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			client_leaves(c);
			return;
		}
		c->sent += (size_t)n;
	}
	if (!unsent(c)) {
		str_free(&c->unsent);
		c->sent = 0;
		if (is_done(c)) {
			client_free(c);
			return;
		}
	}
	want(c);
	if (c->stream)
		stream_resume(c->stream);
}

/* False: the client is gone. */
static bool pass_input(struct client *c, const char *p, size_t n)
{
	char out[READ_MAX + sizeof(c->keys.keys)];
	size_t m;
	bool typed;

	if (!c->in)
		return true; /* it did not ask for stdin: what it says is nobody's */
	typed = keys_pass(&c->keys, p, n, out, &m);
	if (m && !stream_input(c->stream, out, m))
		str_add(&c->pending, out, m);
	else if (m && !c->stream->input.len)
		clients_input_ready(c->stream); /* of others, whose turn it is */
	if (!typed)
		return true;
	detach(c);
	if (!is_done(c)) {
		want(c);
		return true;
	}
	client_free(c);
	return false;
}

static void client_ready(struct watch *w, uint32_t events)
{
	struct client *c = (struct client *)w;
	char buf[READ_MAX / 4];
	ssize_t n;

	if (events & EPOLLOUT) {
		flush_client(c);
		if (w->fd < 0)
			return;
	}
	if (c->in_ended || c->pending.len || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
		if (events & (EPOLLHUP | EPOLLERR))
			client_leaves(c);
		return;
	}
	n = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_leaves(c);
		return;
	}
	if (n == 0) {
		input_ended(c);
		return;
	}
	if (pass_input(c, buf, (size_t)n))
		want(c);
}

static void send_to(struct client *c, uint32_t source, const char *p, size_t n)
{
	unsigned char head[8] = {(unsigned char)source};
	uint32_t length = htonl((uint32_t)n);
	struct iovec iov[2] = {{head, sizeof(head)}, {(char *)(uintptr_t)p, n}};
	struct msghdr mh = {.msg_iov = c->frames ? iov : iov + 1, .msg_iovlen = c->frames ? 2 : 1};
	ssize_t r = 0;
	size_t head_n = c->frames ? sizeof(head) : 0, took;

	memcpy(head + 4, &length, 4);
	if (!unsent(c) && !c->held) {
		do
			r = sendmsg(c->watch.fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		while (r < 0 && errno == EINTR);
		if (r < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
			client_leaves(c);
			return;
		}
		if (r < 0)
			r = 0;
	}
	took = (size_t)r;
	if (took == head_n + n)
		return;
	if (took < head_n)
		str_add(&c->unsent, head + took, head_n - took);
	took = took > head_n ? took - head_n : 0;
	str_add(&c->unsent, p + took, n - took);
	want(c);
}

static bool takes(const struct client *c, uint32_t source)
{
	return !c->closing && (source == DOCKERD_LOG_STDERR ? c->err : c->out);
}

/* What the log does not have yet: the lines that have begun. */
static void send_begun(struct client *c, const struct source *src)
{
	if (src->split.tail_len && takes(c, src->split.source))
		send_to(c, src->split.source, src->split.tail, src->split.tail_len);
}

static struct client *client_new(struct stream *s, const struct attach *a)
{
	struct client *c = xnew(struct client);

	c->watch = (struct watch){.ready = client_ready, .fd = a->sock};
	c->stream = s;
	c->in = a->flags & LOGD_ATTACH_IN;
	c->out = a->flags & LOGD_ATTACH_OUT;
	c->err = a->flags & LOGD_ATTACH_ERR;
	c->frames = a->flags & LOGD_ATTACH_FRAMES;
	c->held = a->held;
	if (a->keys_n && s->terminal) {
		memcpy(c->keys.keys, a->keys, a->keys_n);
		c->keys.n = a->keys_n;
	}
	fcntl(a->sock, F_SETFL, fcntl(a->sock, F_GETFL) | O_NONBLOCK);
	c->next = s->clients;
	s->clients = c;
	n_clients++;
	return c;
}

int client_add(struct stream *s, const struct attach *a, struct client **out, struct error *err)
{
	const char *pending = a->pending;
	size_t left = a->pending_n;
	struct client *c;

	if (a->keys_n > sizeof(c->keys.keys))
		return error_set(err, ERR_INVALID, "detach keys are too long (%zu bytes)",
				 a->keys_n);
	c = client_new(s, a);
	if (out)
		*out = c; /* request_lost_client takes it back */
	if (c->held) {
		s->held++;
		stream_resume(s); /* which stops it */
		send_begun(c, &s->out);
		send_begun(c, &s->err);
	}
	want(c);
	while (left) {
		size_t n = left < READ_MAX ? left : READ_MAX;

		if (!pass_input(c, pending, n))
			return 0;
		pending += n;
		left -= n;
	}
	want(c);
	return 0;
}

void client_release(struct client *c)
{
	struct stream *s = c->stream;

	c->held = NULL;
	if (s) {
		s->held--;
		stream_resume(s);
	}
	flush_client(c);
}

void client_drop(struct client *c)
{
	c->held = NULL;
	if (c->stream)
		c->stream->held--;
	client_leaves(c);
}

void clients_send(struct stream *s, uint32_t source, const char *p, size_t n)
{
	struct client *next;

	for (struct client *c = s->clients; c; c = next) {
		next = c->next;
		if (takes(c, source))
			send_to(c, source, p, n);
	}
}

/* ---- without a copy ------------------------------------------------------------------------------------------------------------------ */

struct client *clients_single(const struct stream *s, uint32_t source)
{
	struct client *c = s->clients;

	return c && !c->next && takes(c, source) && !unsent(c) && !c->held ? c : NULL;
}

/* All of it or nothing: it is the first of a frame. */
static int send_head(struct client *c, uint32_t source, size_t n)
{
	unsigned char head[8] = {(unsigned char)source};
	uint32_t length = htonl((uint32_t)n);
	ssize_t r;

	memcpy(head + 4, &length, 4);
	do
		r = send(c->watch.fd, head, sizeof(head), MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
	while (r < 0 && errno == EINTR);
	if (r > 0 && (size_t)r < sizeof(head)) /* of a TCP socket: the rest goes the other way */
		str_add(&c->unsent, head + r, sizeof(head) - (size_t)r);
	return r < 0 ? -1 : 0;
}

ssize_t client_splice(struct client *c, const struct source *src, size_t n)
{
	size_t left = n;

	if (c->frames && send_head(c, src->split.source, n) < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return CLIENT_BUSY;
		client_leaves(c);
		return CLIENT_GONE;
	}
	while (left && !unsent(c)) {
		ssize_t r = splice(src->watch.fd, NULL, c->watch.fd, NULL, left,
				   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && (errno == EAGAIN || errno == EINVAL))
			break; /* EINVAL: a kernel, or a socket, that can't */
		if (r < 0) {
			client_leaves(c);
			return CLIENT_GONE;
		}
		left -= (size_t)r;
	}
	if (!c->frames) /* nothing was promised */
		return left == n ? CLIENT_BUSY : 0;
	return (ssize_t)left;
}

void client_keep(struct client *c, const char *p, size_t n)
{
	str_add(&c->unsent, p, n);
	want(c);
}

bool clients_full(const struct stream *s, size_t limit)
{
	for (const struct client *c = s->clients; c; c = c->next)
		if (unsent(c) > limit)
			return true;
	return false;
}

void clients_input_ready(struct stream *s)
{
	struct client *next;

	for (struct client *c = s->clients; c; c = next) {
		next = c->next;
		if (c->pending.len && stream_input(s, c->pending.p, c->pending.len)) {
			str_free(&c->pending);
			want(c);
		}
	}
}

void clients_end(struct stream *s)
{
	struct client *next;

	for (struct client *c = s->clients; c; c = next) {
		next = c->next;
		c->closing = c->in_ended = true;
		if (is_done(c))
			client_free(c);
		else
			want(c);
	}
}

void clients_leave_stream(struct stream *s)
{
	while (s->clients) {
		if (s->clients->closing)
			unlink_client(s->clients);
		else
			client_free(s->clients);
	}
}
