/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to servers outside. Each has a socket of its own (so the kernel chooses an unforeseeable port, and only that server's answers come
 * in) and is asked of one server after the other. A question that came by stream goes out by stream. All hang in one list, the oldest first.
 */
#include "dns.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define WAIT_NS (INT64_C(3) * 1000000000) /* for one server */
#define PENDING_MAX 1024                  /* of one container, as moby */

struct question {
	struct handler h; /* first member */
	char *sandbox;
	union address from; /* UDP client */
	socklen_t from_len;
	uint64_t client; /* stream client, 0: none */
	size_t server;   /* that is being asked */
	int64_t due;
	struct question *prev, *next;
	size_t n, got;
	unsigned char *answer; /* of a stream: length and message */
	bool sent;
	unsigned char q[]; /* with two bytes of length in front */
};

static struct question *first, *last;

static void unlink_question(struct question *x)
{
	*(x->prev ? &x->prev->next : &first) = x->next;
	*(x->next ? &x->next->prev : &last) = x->prev;
	x->prev = x->next = NULL;
}

static void append(struct question *x)
{
	x->due = loop_now() + WAIT_NS;
	x->prev = last;
	x->next = NULL;
	*(last ? &last->next : &first) = x;
	last = x;
	loop_rearm();
}

static void question_free(struct question *x)
{
	struct sandbox *s = dns_sandbox(x->sandbox);

	if (s && s->pending)
		s->pending--;
	unlink_question(x);
	loop_close(&x->h);
	free(x->sandbox);
	free(x->answer);
	x->answer = NULL;
	loop_free_later(x);
}

static void give(const struct question *x, const unsigned char *p, size_t n)
{
	struct sandbox *s = dns_sandbox(x->sandbox);

	if (!s)
		return;
	if (x->client)
		dns_tcp_answer(x->sandbox, x->client, p, n);
	else
		sendto(s->udp.fd, p, n, MSG_DONTWAIT, &x->from.sa, x->from_len);
}

static void fail(const struct question *x)
{
	struct dns_query query;
	unsigned char out[2048 + 16];

	if (dns_parse(x->q + 2, x->n, &query))
		give(x, out, dns_reply(x->q + 2, &query, DNS_SERVFAIL, out));
}

static bool resolve_server(const char *text, union address *out, socklen_t *len)
{
	*out = (union address){0};
	if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(53);
		*len = sizeof(out->v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) != 1)
		return false;
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(53);
	*len = sizeof(out->v6);
	return true;
}

static void answered(struct handler *h, uint32_t events);

/* Ask the server that it is the turn of, or the next that can be asked. False: none is left. */
static bool ask(struct question *x, const struct sandbox *s)
{
	for (; x->server < s->servers.n; x->server++) {
		union address at;
		socklen_t len;
		bool stream = x->client != 0;
		int fd;

		loop_close(&x->h);
		x->got = 0;
		x->sent = false;
		if (!resolve_server(s->servers.v[x->server], &at, &len))
			continue;
		fd = socket(at.sa.sa_family,
			    (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			continue;
		x->h = (struct handler){.fd = fd, .ready = answered};
		if ((connect(fd, &at.sa, len) < 0 && errno != EINPROGRESS) ||
		    (!stream && send(fd, x->q + 2, x->n, MSG_DONTWAIT) < 0) ||
		    loop_set(&x->h, stream ? EPOLLOUT : EPOLLIN) < 0)
			continue;
		x->sent = !stream;
		return true;
	}
	return false;
}

static void next_server(struct question *x)
{
	struct sandbox *s = dns_sandbox(x->sandbox);

	x->server++;
	unlink_question(x);
	append(x);
	if (s && ask(x, s))
		return;
	fail(x);
	question_free(x);
}

/* Is it the answer to what was asked? Same number, same question, but for the case of letters. */
static bool belongs(const struct question *x, const unsigned char *p, size_t n)
{
	struct dns_query asked, told;
	unsigned char head[2048];
	size_t len = n < sizeof(head) ? n : sizeof(head);

	if (n < 12 || !(p[2] & 0x80) || memcmp(p, x->q + 2, 2) != 0)
		return false;
	memcpy(head, p, len);
	head[2] &= 0x7f; /* read it as a question */
	return dns_parse(x->q + 2, x->n, &asked) && dns_parse(head, len, &told) &&
	       asked.type == told.type && streq(asked.name, told.name);
}

static void datagram(struct question *x)
{
	static unsigned char in[DNS_MAX];
	ssize_t n = recv(x->h.fd, in, sizeof(in), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) { /* refused */
		next_server(x);
		return;
	}
	if (!belongs(x, in, (size_t)n))
		return;
	if ((in[3] & 0xf) == DNS_SERVFAIL && dns_sandbox(x->sandbox) &&
	    x->server + 1 < dns_sandbox(x->sandbox)->servers.n) {
		next_server(x);
		return;
	}
	give(x, in, (size_t)n);
	question_free(x);
}

static void stream(struct question *x)
{
	size_t want = 2;
	ssize_t n;

	if (!x->sent) {
		if (send(x->h.fd, x->q, x->n + 2, MSG_DONTWAIT | MSG_NOSIGNAL) !=
			(ssize_t)x->n + 2 ||
		    loop_set(&x->h, EPOLLIN) < 0) {
			next_server(x);
			return;
		}
		x->sent = true;
		return;
	}
	if (!x->answer)
		x->answer = xmalloc(2 + DNS_MAX);
	n = recv(x->h.fd, x->answer + x->got, 2 + DNS_MAX - x->got, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		next_server(x);
		return;
	}
	x->got += (size_t)n;
	if (x->got >= 2)
		want = 2 + ((size_t)x->answer[0] << 8 | x->answer[1]);
	if (x->got < want || x->got < 2)
		return;
	if (!belongs(x, x->answer + 2, want - 2)) {
		next_server(x);
		return;
	}
	give(x, x->answer + 2, want - 2);
	question_free(x);
}

static void answered(struct handler *h, uint32_t events)
{
	struct question *x = (struct question *)h;

	(void)events;
	if (x->client)
		stream(x);
	else
		datagram(x);
}

void forward(struct sandbox *s, const unsigned char *q, size_t n, const union address *to,
	     socklen_t to_len, uint64_t client)
{
	struct question *x = xcalloc(1, sizeof(*x) + n + 2);

	*x = (struct question){.h.fd = -1, .sandbox = xstrdup(s->id), .client = client, .n = n};
	if (to) {
		x->from = *to;
		x->from_len = to_len;
	}
	x->q[0] = (unsigned char)(n >> 8);
	x->q[1] = (unsigned char)n;
	memcpy(x->q + 2, q, n);
	s->pending++;
	append(x);
	if (s->forward && s->pending <= PENDING_MAX && ask(x, s))
		return;
	fail(x);
	question_free(x);
}

void forward_expire(void)
{
	while (first && first->due <= loop_now())
		next_server(first);
}

int64_t forward_due(void)
{
	return first ? first->due : INT64_MAX;
}
