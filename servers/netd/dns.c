/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets at which containers ask: one for datagrams and one for streams each, made in the container's namespace (sockets.c) and handed over
 * by the daemon. A stream client asks one question after the other.
 */
#include "dns.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "proto/netd.h"

#include <stdlib.h>
#include <sys/epoll.h>

#define CLIENTS_MAX 256 /* streams of one container */
#define BATCH 64

struct tcp_client {
	struct handler h; /* first member */
	struct sandbox *sandbox;
	struct tcp_client *prev, *next;
	uint64_t serial;
	size_t got;
	bool waiting; /* for an answer from outside */
	unsigned char in[2 + 2048];
};

static struct map sandboxes = MAP_INIT; /* id -> struct sandbox */
static uint64_t serials;
static unsigned int turn;

bool dns_any(void)
{
	return sandboxes.n != 0;
}

struct sandbox *dns_sandbox(const char *id)
{
	return map_get(&sandboxes, id);
}

void dns_list(struct strlist *out)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&sandboxes, &i));)
		strlist_add(out, e->key);
}

/* ---- datagrams ---------------------------------------------------------------------------------------------------------------------------- */

static void udp_question(struct sandbox *s, const unsigned char *q, size_t n,
			 const union address *from, socklen_t len)
{
	unsigned char out[DNS_MAX > 4096 ? 4096 : DNS_MAX];
	struct dns_query query;
	size_t limit, m;

	if (!dns_parse(q, n, &query))
		return; /* no question: no answer */
	limit = query.max < sizeof(out) ? query.max : sizeof(out);
	m = dns_local(s->id, q, &query, turn++, out, limit);
	if (!m) {
		forward(s, q, n, from, len, 0);
		return;
	}
	sendto(s->udp.fd, out, m, MSG_DONTWAIT, &from->sa, len);
}

static void udp_asked(struct handler *h, uint32_t events)
{
	struct sandbox *s = (struct sandbox *)h;
	unsigned char q[2048];

	(void)events;
	for (int i = 0; i < BATCH && s->udp.fd >= 0; i++) {
		union address from = {0};
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(s->udp.fd, q, sizeof(q), MSG_DONTWAIT, &from.sa, &len);

		if (n < 0)
			return;
		udp_question(s, q, (size_t)n, &from, len);
	}
}

/* ---- streams ------------------------------------------------------------------------------------------------------------------------------ */

static void client_free(struct tcp_client *c)
{
	*(c->prev ? &c->prev->next : &c->sandbox->clients) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	loop_close(&c->h);
	loop_free_later(c);
}

/* Answers are small: one that does not fit into the socket's buffer at once is of a client that does not read. */
static bool client_send(struct tcp_client *c, const unsigned char *p, size_t n)
{
	unsigned char head[2] = {(unsigned char)(n >> 8), (unsigned char)n};
	struct iovec v[2] = {{head, 2}, {(void *)(uintptr_t)p, n}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

	return sendmsg(c->h.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n + 2;
}

/* The next question, if it is there whole. False: the client is to go. */
static bool client_question(struct tcp_client *c)
{
	while (c->got >= 2 && !c->waiting) {
		size_t n = (size_t)c->in[0] << 8 | c->in[1], m;
		static unsigned char out[16384];
		unsigned char q[sizeof(c->in)];
		struct dns_query query;

		if (n > sizeof(c->in) - 2)
			return false;
		if (c->got < n + 2)
			return true;
		memcpy(q, c->in + 2, n);
		c->got -= n + 2;
		memmove(c->in, c->in + n + 2, c->got);
		if (!dns_parse(q, n, &query))
			return false;
		m = dns_local(c->sandbox->id, q, &query, turn++, out, sizeof(out));
		c->waiting = !m;
		if (m && !client_send(c, out, m))
			return false;
		if (!m) { /* may answer at once, and that may end the client */
			forward(c->sandbox, q, n, NULL, 0, c->serial);
			return true;
		}
	}
	return true;
}

static void client_ready(struct handler *h, uint32_t events)
{
	struct tcp_client *c = (struct tcp_client *)h;
	ssize_t n = recv(h->fd, c->in + c->got, sizeof(c->in) - c->got, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	c->got += (size_t)n;
	if (!client_question(c) || (c->h.fd >= 0 && c->got == sizeof(c->in) && c->waiting))
		client_free(c);
}

void dns_tcp_answer(const char *id, uint64_t serial, const unsigned char *p, size_t n)
{
	struct sandbox *s = dns_sandbox(id);

	for (struct tcp_client *c = s ? s->clients : NULL; c; c = c->next) {
		if (c->serial != serial)
			continue;
		c->waiting = false;
		if (!client_send(c, p, n) || !client_question(c))
			client_free(c);
		return;
	}
}

static void stream_asked(struct handler *h, uint32_t events)
{
	struct sandbox *s = (struct sandbox *)(void *)((char *)h - offsetof(struct sandbox, tcp));
	int fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct tcp_client *c;
	unsigned int n = 0;

	(void)events;
	for (c = s->clients; c; c = c->next)
		n++;
	if (fd < 0)
		return;
	c = xcalloc(1, sizeof(*c));
	c->h = (struct handler){.fd = fd, .ready = client_ready};
	c->sandbox = s;
	c->serial = ++serials;
	if (n >= CLIENTS_MAX || loop_set(&c->h, EPOLLIN) < 0) {
		close(fd);
		free(c);
		return;
	}
	c->next = s->clients;
	if (c->next)
		c->next->prev = c;
	s->clients = c;
}

/* ---- control ------------------------------------------------------------------------------------------------------------------------------ */

static void close_sockets(struct sandbox *s)
{
	while (s->clients)
		client_free(s->clients);
	loop_close(&s->udp);
	loop_close(&s->tcp);
}

static int take_sockets(struct sandbox *s, struct msg *m, struct error *err)
{
	auto_close udp = msg_take_fd(m, NETD_UDP), tcp = msg_take_fd(m, NETD_TCP);

	if (udp < 0 || tcp < 0)
		return s->udp.fd >= 0 ? 0
				      : error_set(err, ERR_NOT_FOUND,
						  "netd: container %s has no sockets", s->id);
	close_sockets(s);
	s->udp = (struct handler){.fd = steal_fd(&udp), .ready = udp_asked};
	s->tcp = (struct handler){.fd = steal_fd(&tcp), .ready = stream_asked};
	return loop_set(&s->udp, EPOLLIN) < 0 || loop_set(&s->tcp, EPOLLIN) < 0
		   ? error_sys(err, errno, "epoll")
		   : 0;
}

int dns_start(struct msg *m, struct error *err)
{
	const char *id = msg_get_str(m, NETD_SANDBOX);
	const void *data;
	size_t pos = 0, len;
	struct sandbox *s;
	bool new;

	if (!id)
		return error_set(err, ERR_INVALID, "netd: DNS of nobody");
	s = dns_sandbox(id);
	new = !s;
	if (new) {
		s = xnew(struct sandbox);
		s->udp.fd = s->tcp.fd = -1;
		s->id = xstrdup(id);
	}
	if (take_sockets(s, m, err) < 0) {
		if (new) {
			close_sockets(s);
			free(s->id);
			loop_free_later(s);
		}
		return -1;
	}
	strlist_free(&s->servers);
	while (msg_next(m, NETD_SERVER, &pos, &data, &len))
		strlist_take(&s->servers, xstrndup(data, len));
	s->forward = msg_get_u32(m, NETD_FORWARD, 0) != 0;
	if (new)
		map_set(&sandboxes, s->id, s);
	return 0;
}

void dns_stop(const char *id)
{
	struct sandbox *s = id ? map_del(&sandboxes, id) : NULL;

	if (!s)
		return;
	close_sockets(s);
	strlist_free(&s->servers);
	free(s->id);
	loop_free_later(s);
}
