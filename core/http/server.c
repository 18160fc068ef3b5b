/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers and connections. Every worker waits on the same epoll set; connections are armed one-shot, so that a connection is in one
 * thread's hands at a time. No request changes threads on its way, and a slow client costs a worker only while a handler serves it.
 */
#include "http/conn.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <malloc.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define MAX_THREADS 2048
#define KEEP_WAITING 2 /* idle workers that stay */
#define IDLE_MS 5000   /* a surplus worker ends after this */
#define FIRST_READ 4096

struct http_server *http_server_new(http_handler handler, void *ctx)
{
	struct http_server *s = xnew(struct http_server);

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->handler = handler;
	s->ctx = ctx;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->quiet, NULL);
	return s;
}

void http_server_set_reply_hook(struct http_server *s, http_reply_hook hook)
{
	s->reply_hook = hook;
}

/* A listener's epoll tag is the address of its slot in server->listeners; anything else is a connection. */
static int *listener_of(struct http_server *s, void *tag)
{
	return (char *)tag >= (char *)s->listeners &&
		       (char *)tag < (char *)(s->listeners + ARRAY_LEN(s->listeners))
		   ? tag
		   : NULL;
}

int http_server_listen(struct http_server *s, int fd, struct error *err)
{
	/* edge-triggered: a connection wakes one worker, not all that wait; accept_all takes all there are */
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	if (s->n_listeners == ARRAY_LEN(s->listeners))
		return error_set(err, ERR_INVALID, "more than %zu listening sockets",
				 ARRAY_LEN(s->listeners));
	s->listeners[s->n_listeners] = fd;
	ev.data.ptr = &s->listeners[s->n_listeners];
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
	    epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return error_sys(err, errno, "watch listening socket");
	s->n_listeners++;
	return 0;
}

/* ---- Connections -------------------------------------------------------------------------------------------------------------- */

void http_conn_close(struct http_conn *c)
{
	struct http_server *s = c->server;

	fd_close(
	    &c->fd); /* disarmed: no event comes, even if a child that is being started still holds it */
	pthread_mutex_lock(&s->lock);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	pthread_mutex_unlock(&s->lock);
	str_free(&c->in);
	str_free(&c->decoded);
	free(c->name);
	free(c);
}

static void arm(struct http_conn *c, int op)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c};

	if (http_head_length(c) > 0)
		ev.events |=
		    EPOLLOUT; /* a pipelined request is here already: wake a worker at once */

	atomic_store_explicit(&c->armed, true, memory_order_release);
	if (epoll_ctl(c->server->epoll, op, c->fd, &ev) < 0)
		http_conn_close(c);
}

void http_conn_done(struct http_conn *c, bool keep_alive)
{
	if (!keep_alive || c->fd < 0) {
		http_conn_close(c);
		return;
	}
	str_free(&c->decoded);
	if (!c->in.len)
		str_free(&c->in);
	c->scanned = 0;
	arm(c, EPOLL_CTL_MOD);
}

static void set_peer(struct http_conn *c)
{
	/* without any progress for so long, a peer that holds a worker is given up; hijacked connections are not read or written that way */
	const struct timeval patience = {.tv_sec = 300};
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int on = 1;

	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));

	c->uid = c->gid = c->pid = -1;
	if (c->name) /* the pair is our own: its credentials say nothing of the client */
		return;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid > 0) {
		c->unix_socket = true;
		c->uid = cred.uid;
		c->gid = cred.gid;
		c->pid = cred.pid;
	} else {
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
}

/* Out of descriptors: the spare one lets us turn the client away, instead of leaving it in the queue for ever. */
static bool turn_away(struct http_server *s, int listener)
{
	int fd;
	LOCK_SCOPE(&s->lock);

	if (s->spare < 0)
		return false;
	fd_close(&s->spare);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	log_error("a client was turned away: no file descriptors left", "limit", "RLIMIT_NOFILE");
	fd_close(&fd);
	s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return true;
}

/* name: NULL, or of a client whose connection is relayed. */
static void take(struct http_server *s, int fd, const char *name)
{
	struct http_conn *c = xnew(struct http_conn);

	c->server = s;
	c->fd = fd;
	c->name = name ? xstrdup(name) : NULL;
	set_peer(c);
	pthread_mutex_lock(&s->lock);
	c->next = s->conns;
	c->prev = &s->conns;
	if (c->next)
		c->next->prev = &c->next;
	s->conns = c;
	pthread_mutex_unlock(&s->lock);
	arm(c, EPOLL_CTL_ADD);
}

void http_server_take(struct http_server *s, int fd, const char *name)
{
	take(s, fd, name);
}

static void accept_all(struct http_server *s, int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 && (errno == EMFILE || errno == ENFILE) && turn_away(s, listener))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN && errno != ENOTSOCK && errno != EINVAL)
				log_error("accept failed", "error", strerror(errno));
			return;
		}
		take(s, fd, NULL);
	}
}

/* ---- Requests ----------------------------------------------------------------------------------------------------------------- */

/* One request whose head is complete. True: the connection is still ours and open for another. */
static bool run_one(struct http_conn *c, size_t head_len)
{
	struct http_exchange x = {.server = c->server,
				  .conn = c,
				  .peer_uid = c->uid,
				  .peer_gid = c->gid,
				  .peer_pid = c->pid,
				  .peer_name = c->name ? c->name : "",
				  .route = "",
				  .method = ""};
	struct error err = ERROR_INIT;
	bool keep, gone;

	if (http_parse_head(&x, head_len, &err) < 0) {
		x.keep_alive = false;
		x.body_done = true;
		http_reply(&x, 400, "text/plain; charset=utf-8", "400 Bad Request", 15);
	} else {
		c->server->handler(&x, c->server->ctx);
	}
	if (!x.status && !x.hijacked &&
	    !x.streaming) { /* a handler that forgot: never leave a client hanging */
		error_set(&err, ERR_SYSTEM, "no reply to %s %s", x.method, x.path);
		http_reply_error(&x, &err);
	}
	gone = x.streaming;
	keep = x.keep_alive && !x.hijacked;
	if (!keep && !gone && !x.hijacked && !x.body_done && !x.expect_continue)
		http_linger(c->fd);
	http_exchange_free(&x);
	if (gone)
		return false;
	if (!keep) {
		http_conn_close(c);
		return false;
	}
	return true;
}

static void refuse_head(struct http_conn *c)
{
	static const char text[] = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: "
				   "text/plain; charset=utf-8\r\n"
				   "Connection: close\r\n\r\n431 Request Header Fields Too Large";
	struct iovec iov = {(void *)(uintptr_t)text, sizeof(text) - 1};

	http_send(c->fd, &iov, 1);
	http_conn_close(c);
}

/* Read what is there; run every complete request; arm again or close. */
static void serve(struct http_conn *c)
{
	atomic_load_explicit(&c->armed, memory_order_acquire);
	for (;;) {
		ssize_t n = http_head_length(c);

		if (n < 0) {
			refuse_head(c);
			return;
		}
		if (n > 0) {
			if (!run_one(c, (size_t)n))
				return;
			str_free(&c->decoded);
			continue;
		}
		n = recv(c->fd, str_reserve(&c->in, FIRST_READ), FIRST_READ, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (!c->in.len)
				str_free(&c->in);
			arm(c, EPOLL_CTL_MOD);
			return;
		}
		if (n <= 0) {
			http_conn_close(c);
			return;
		}
		c->in.len += (size_t)n;
		c->in.p[c->in.len] = '\0';
	}
}

/* ---- Workers ------------------------------------------------------------------------------------------------------------------ */

static void *worker(void *arg);

/* Called with the lock held: somebody must wait while the caller works. */
static void ensure_waiter(struct http_server *s)
{
	struct error err = ERROR_INIT;

	if (s->waiting || s->threads >= MAX_THREADS || s->stopping)
		return;
	if (thread_start("http", worker, s, &err) < 0) {
		log_error("requests may have to wait", "error", err.text);
		return;
	}
	s->threads++;
	s->waiting++;
}

static void *worker(void *arg)
{
	struct http_server *s = arg;

	for (;;) {
		struct epoll_event ev;
		int n = epoll_wait(s->epoll, &ev, 1, IDLE_MS);
		int *listener;

		pthread_mutex_lock(&s->lock);
		if (s->stopping || (n == 0 && s->waiting > KEEP_WAITING)) {
			bool calm;

			s->waiting--;
			calm = --s->threads == KEEP_WAITING;
			pthread_cond_broadcast(&s->quiet);
			pthread_mutex_unlock(&s->lock);
			if (calm) /* the burst is over: what it took lies in pieces all over the heap */
				malloc_trim(0);
			return NULL;
		}
		if (n <= 0) {
			pthread_mutex_unlock(&s->lock);
			continue;
		}
		s->waiting--;
		s->running++;
		ensure_waiter(s);
		pthread_mutex_unlock(&s->lock);
		listener = listener_of(s, ev.data.ptr);
		if (listener)
			accept_all(s, *listener);
		else
			serve(ev.data.ptr);
		pthread_mutex_lock(&s->lock);
		s->waiting++;
		if (!--s->running)
			pthread_cond_broadcast(&s->quiet);
		pthread_mutex_unlock(&s->lock);
	}
}

int http_server_start(struct http_server *s, struct error *err)
{
	for (int i = 0; i < KEEP_WAITING; i++) {
		if (thread_start("http", worker, s, err) < 0)
			return -1;
		pthread_mutex_lock(&s->lock);
		s->threads++;
		s->waiting++;
		pthread_mutex_unlock(&s->lock);
	}
	return 0;
}

void http_server_close(struct http_server *s)
{
	LOCK_SCOPE(&s->lock);

	/* the number is kept: a worker may be about to accept from it, and must not find somebody else's file there */
	for (size_t i = 0; i < s->n_listeners; i++) {
		epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listeners[i], NULL);
		if (s->spare < 0 || dup3(s->spare, s->listeners[i], O_CLOEXEC) < 0)
			log_error("listening socket stays open", "error", strerror(errno));
	}
}

bool http_server_stop(struct http_server *s, int timeout_ms)
{
	struct timespec until;
	bool quiet;

	http_server_close(s);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (s->running)
		if (pthread_cond_timedwait(&s->quiet, &s->lock, &until))
			break;
	quiet = !s->running;
	pthread_mutex_unlock(&s->lock);
	return quiet;
}
