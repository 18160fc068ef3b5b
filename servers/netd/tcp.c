/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream proxies: what comes from one socket goes through a pipe into the other by splice(2), both ways, each way ended by itself
 * (half-close). A socket is waited for only while it can do something: readable while its pipe is empty, writable while the other's
 * is not. So one slow receiver stops its sender and nobody else.
 */
#include "netd.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define CHUNK (64 * 1024)

/* One socket of a connection, and the pipe that holds what was read from it. */
struct side {
	struct handler h; /* first member */
	struct conn *conn;
	int pipe[2];
	size_t held; /* bytes in the pipe */
	bool ended;  /* end of file was read */
	bool shut;   /* nothing more is written to it */
};

struct conn {
	struct side s[2]; /* 0: who connected; 1: the container */
	bool connecting;
	struct proxy *proxy;
	struct conn *prev, *next;
};

static void conn_free(struct conn *c)
{
	for (int i = 0; i < 2; i++) {
		loop_close(&c->s[i].h);
		fd_close(&c->s[i].pipe[0]);
		fd_close(&c->s[i].pipe[1]);
	}
	if (c->prev)
		c->prev->next = c->next;
	else
		c->proxy->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	loop_free_later(c);
}

void tcp_stop(struct proxy *p)
{
	while (p->conns)
		conn_free(p->conns);
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* One step of one way. false: the connection is broken. */
static bool pump(struct side *from, struct side *to)
{
	ssize_t n;

	if (!from->held && !from->ended) {
		n = splice(from->h.fd, NULL, from->pipe[1], NULL, CHUNK,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0 && !would_block())
			return false;
		from->held = n > 0 ? (size_t)n : 0;
		from->ended = n == 0;
	}
	if (from->held) {
		n = splice(from->pipe[0], NULL, to->h.fd, NULL, from->held,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0 && !would_block())
			return false;
		from->held -= n > 0 ? (size_t)n : 0;
	}
	if (from->ended && !from->held && !to->shut) {
		shutdown(to->h.fd, SHUT_WR);
		to->shut = true;
	}
	return true;
}

/* Wait for what each socket can do next. A socket that is done both ways leaves the set: it would only report its end for ever. */
static bool wait_for(struct conn *c)
{
	for (int i = 0; i < 2; i++) {
		struct side *me = &c->s[i], *other = &c->s[!i];
		uint32_t events = 0;

		if (me->ended && me->shut) {
			loop_close(&me->h);
			continue;
		}
		if (c->connecting)
			events = i == 1 ? EPOLLOUT : 0;
		else
			events =
			    (!me->held && !me->ended ? EPOLLIN : 0) | (other->held ? EPOLLOUT : 0);
		if (loop_set(&me->h, events) < 0)
			return false;
	}
	return true;
}

static bool connected(struct conn *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->s[1].h.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error)
		return false;
	c->connecting = false;
	return true;
}

static void side_ready(struct handler *h, uint32_t events)
{
	struct side *me = (struct side *)h;
	struct conn *c = me->conn;

	if (c->connecting) {
		if (me == &c->s[0]) { /* asked for nothing: it is broken */
			conn_free(c);
			return;
		}
		if (!connected(c)) {
			conn_free(c);
			return;
		}
	} else if (events & EPOLLERR) {
		conn_free(c);
		return;
	}
	if (!pump(&c->s[0], &c->s[1]) || !pump(&c->s[1], &c->s[0]) || !wait_for(c)) {
		conn_free(c);
		return;
	}
	if (c->s[0].ended && c->s[0].shut && c->s[1].ended && c->s[1].shut)
		conn_free(c);
}

static int open_target(const struct proxy *p)
{
	auto_close fd =
	    socket(p->target.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, p->protocol);
	int on = 1;

	if (fd < 0)
		return -1;
	if (p->protocol == IPPROTO_TCP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &p->target.sa, p->target_len) < 0 && errno != EINPROGRESS)
		return -1;
	return steal_fd(&fd);
}

static void conn_new(struct proxy *p, int fd)
{
	struct conn *c = xnew(struct conn);
	int on = 1;

	for (int i = 0; i < 2; i++)
		c->s[i] = (struct side){
		    .h = {.fd = -1, .ready = side_ready}, .conn = c, .pipe = {-1, -1}};
	c->proxy = p;
	c->connecting = true;
	c->next = p->conns;
	if (c->next)
		c->next->prev = c;
	p->conns = c;
	c->s[0].h.fd = fd;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (p->protocol == IPPROTO_TCP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->s[1].h.fd = open_target(p);
	if (c->s[1].h.fd < 0 || pipe2(c->s[0].pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(c->s[1].pipe, O_CLOEXEC | O_NONBLOCK) < 0 || !wait_for(c))
		conn_free(c);
}

/* No descriptor is left: the connection is taken with the reserve and dropped, or the listener would report it for ever. */
static int reserve = -1;

void tcp_start(void)
{
	reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void drop_one(int listener)
{
	int fd;

	fd_close(&reserve);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	fd_close(&fd);
	reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void tcp_ready(struct handler *h, uint32_t events)
{
	struct proxy *p = (struct proxy *)h;

	(void)events;
	for (int i = 0; i < 16; i++) {
		int fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			conn_new(p, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE)
			drop_one(h->fd);
		return;
	}
}
