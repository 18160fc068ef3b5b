/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attached clients: hijacked connections of the API. Output is sent at once where the socket takes it; what it doesn't take is kept, and beyond
 * CLIENT_BUFFER_MAX the container's output waits, as with moby. Input goes to the process, past the detach sequence.
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
	if (unsent(c))
		events |= EPOLLOUT;
	/* when nothing is read from it only a full hang-up is news: EPOLLHUP comes unasked, EPOLLET keeps it to one report */
	loop_want(&c->watch, events ? events : EPOLLET);
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
		/* stdin stays open for the next client; this one is done with */
		c->closing = true;
		c->out = c->err = false;
	}
	if (c->closing && !unsent(c))
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
		if (c->closing) {
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
	c->in_ended = c->closing = true;
	c->out = c->err = false;
	if (unsent(c)) {
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

int client_add(struct stream *s, int sock, uint32_t flags, const void *pending, size_t pending_n,
	       const void *keys, size_t keys_n, struct error *err)
{
	struct client *c;

	if (keys_n > sizeof(c->keys.keys))
		return error_set(err, ERR_INVALID, "detach keys are too long (%zu bytes)", keys_n);
	c = xnew(struct client);
	c->watch = (struct watch){.ready = client_ready, .fd = sock};
	c->stream = s;
	c->in = flags & LOGD_ATTACH_IN;
	c->out = flags & LOGD_ATTACH_OUT;
	c->err = flags & LOGD_ATTACH_ERR;
	c->frames = flags & LOGD_ATTACH_FRAMES;
	if (keys_n && s->terminal) {
		memcpy(c->keys.keys, keys, keys_n);
		c->keys.n = keys_n;
	}
	fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_NONBLOCK);
	c->next = s->clients;
	s->clients = c;
	n_clients++;
	want(c);
	while (pending_n) {
		size_t n = pending_n < READ_MAX ? pending_n : READ_MAX;

		if (!pass_input(c, pending, n))
			return 0;
		pending = (const char *)pending + n;
		pending_n -= n;
	}
	want(c);
	return 0;
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
	if (!unsent(c)) {
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

void clients_send(struct stream *s, uint32_t source, const char *p, size_t n)
{
	struct client *next;

	for (struct client *c = s->clients; c; c = next) {
		next = c->next;
		if (!c->closing && (source == DOCKERD_LOG_STDERR ? c->err : c->out))
			send_to(c, source, p, n);
	}
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
		if (unsent(c))
			want(c);
		else
			client_free(c);
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
