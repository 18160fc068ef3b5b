/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: listeners and sessions in one edge-triggered epoll set. A session has its turn when one of its sockets has news, moves a bounded amount,
 * and queues for another turn if there may be more, so that no client holds the others up.
 */
#include "tls/relay.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define LISTENERS 16

struct tls_relay {
	struct identity id;
	struct tls_hooks hooks;
	int epoll;
	int spare; /* descriptor kept for when there are no others */
	int listeners[LISTENERS];
	size_t n_listeners;
	/* by state; the oldest first, so the first is the first that is due */
	struct session_list hello, open, linger;
	size_t n_hello;
	struct session_list turns;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- Sessions in their lists -------------------------------------------------------------------------------------------------------- */

static struct session_list *list_of(struct tls_relay *r, enum session_state state)
{
	return state == SESSION_OPEN ? &r->open : state == SESSION_LINGER ? &r->linger : &r->hello;
}

static void enter(struct tls_relay *r, struct session *s)
{
	s->due = now_ms() + (s->state == SESSION_LINGER ? TLS_LINGER_MS : TLS_HELLO_MS);
	TAILQ_INSERT_TAIL(list_of(r, s->state), s, entry);
	r->n_hello += list_of(r, s->state) == &r->hello;
}

/* `state`: what it was when it entered. */
static void leave(struct tls_relay *r, struct session *s, enum session_state state)
{
	TAILQ_REMOVE(list_of(r, state), s, entry);
	r->n_hello -= list_of(r, state) == &r->hello;
}

static void drop(struct tls_relay *r, struct session *s, enum session_state state)
{
	leave(r, s, state);
	if (s->waits)
		TAILQ_REMOVE(&r->turns, s, turn);
	session_free(s);
}

static void refuse(struct tls_relay *r, struct session *s, const char *why)
{
	r->hooks.refused(s->peer, why);
	drop(r, s, s->state);
}

static void queue(struct tls_relay *r, struct session *s)
{
	if (s->waits)
		return;
	s->waits = true;
	TAILQ_INSERT_TAIL(&r->turns, s, turn);
}

static bool watch(const struct tls_relay *r, int fd, struct session *s)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				 .data.ptr = s};

	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void take_turn(struct tls_relay *r, struct session *s)
{
	enum session_state before = s->state;
	char name[256], text[128];
	const char *why = NULL;
	int daemon = -1;
	bool more;

	more = session_pump(s, &daemon, name, &why, text);
	if (daemon >= 0) {
		if (watch(r, s->plain, s)) {
			r->hooks.take(r->hooks.ctx, daemon, name);
		} else {
			why = strerror(errno);
			s->state = SESSION_DEAD;
			fd_close(&daemon);
		}
	}
	if (why)
		r->hooks.refused(s->peer, why);
	if (s->state == SESSION_DEAD) {
		drop(r, s, before);
		return;
	}
	if (list_of(r, s->state) != list_of(r, before)) {
		leave(r, s, before);
		enter(r, s);
	}
	if (more)
		queue(r, s);
}

/* ---- New clients ------------------------------------------------------------------------------------------------------------------- */

static void print_peer(const struct sockaddr_storage *a, char out[64])
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)a;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, 64, "%s:%u", host, ntohs(in->sin_port));
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(out, 64, "[%s]:%u", host, ntohs(in6->sin6_port));
	}
}

static void welcome(struct tls_relay *r, int fd, const struct sockaddr_storage *from)
{
	struct session *s;
	char peer[64];
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	print_peer(from, peer);
	if (r->n_hello >= TLS_HELLO_MAX)
		refuse(r, TAILQ_FIRST(&r->hello), "too many unfinished handshakes");
	s = session_new(&r->id, fd, peer);
	if (!s) {
		r->hooks.refused(peer, "no memory");
		return;
	}
	enter(r, s);
	if (!watch(r, fd, s))
		refuse(r, s, strerror(errno));
}

/* Out of descriptors: the spare one lets us turn the client away, instead of leaving it in the queue for ever. */
static bool turn_away(struct tls_relay *r, int listener)
{
	int fd;

	if (r->spare < 0)
		return false;
	fd_close(&r->spare);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	fd_close(&fd);
	r->spare = epoll_create1(EPOLL_CLOEXEC);
	r->hooks.trouble("a client was turned away", "no file descriptors left");
	return true;
}

static void accept_all(struct tls_relay *r, int listener)
{
	for (;;) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

		if (fd >= 0) {
			welcome(r, fd, &from);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED ||
		    ((errno == EMFILE || errno == ENFILE) && turn_away(r, listener)))
			continue;
		if (errno != EAGAIN && errno != EBADF && errno != EINVAL)
			r->hooks.trouble("accept failed", strerror(errno));
		return;
	}
}

/* ---- The loop ---------------------------------------------------------------------------------------------------------------------- */

static int64_t first_due(const struct session_list *list)
{
	const struct session *s = TAILQ_FIRST(list);

	return s ? s->due : INT64_MAX;
}

static int time_left(const struct tls_relay *r)
{
	int64_t due = first_due(&r->hello), other = first_due(&r->linger), now;

	if (!TAILQ_EMPTY(&r->turns))
		return 0;
	if (other < due)
		due = other;
	if (due == INT64_MAX)
		return -1;
	now = now_ms();
	return due > now ? (int)(due - now) : 0;
}

static void give_up_the_late(struct tls_relay *r)
{
	int64_t now = now_ms();

	while (first_due(&r->hello) <= now)
		refuse(r, TAILQ_FIRST(&r->hello), "the handshake took too long");
	while (first_due(&r->linger) <= now)
		drop(r, TAILQ_FIRST(&r->linger), SESSION_LINGER);
}

static int *listener_of(struct tls_relay *r, void *tag)
{
	return (char *)tag >= (char *)r->listeners &&
		       (char *)tag < (char *)(r->listeners + LISTENERS)
		   ? tag
		   : NULL;
}

/*
 * Which socket an event is of does not matter, but for one thing: HUP on the plain side says that the daemon has closed it. A client's socket never
 * hangs up before we have shut our side down, and then we linger.
 */
static void note(struct tls_relay *r, const struct epoll_event *ev)
{
	struct session *s = ev->data.ptr;

	if (s->state == SESSION_OPEN && ev->events & EPOLLHUP)
		s->gone = true;
	queue(r, s);
}

static void run(struct tls_relay *r)
{
	struct epoll_event ev[64];

	for (;;) {
		struct session_list now = TAILQ_HEAD_INITIALIZER(now);
		struct session *s;
		int n = epoll_wait(r->epoll, ev, 64, time_left(r));

		/* sessions first: accepting may end one of them */
		for (int i = 0; i < n; i++)
			if (!listener_of(r, ev[i].data.ptr))
				note(r, &ev[i]);
		for (int i = 0; i < n; i++)
			if (listener_of(r, ev[i].data.ptr))
				accept_all(r, *listener_of(r, ev[i].data.ptr));
		TAILQ_CONCAT(&now, &r->turns, turn);
		while ((s = TAILQ_FIRST(&now))) {
			TAILQ_REMOVE(&now, s, turn);
			s->waits = false;
			take_turn(r, s);
		}
		give_up_the_late(r);
	}
}

static struct tls_relay *open_relay(const struct tls_files *files, const struct tls_hooks *hooks,
				    struct error *err)
{
	struct tls_relay *r = xnew(struct tls_relay);

	r->hooks = *hooks;
	TAILQ_INIT(&r->hello);
	TAILQ_INIT(&r->open);
	TAILQ_INIT(&r->linger);
	TAILQ_INIT(&r->turns);
	if (identity_open(&r->id, files, err) < 0) {
		identity_free(&r->id);
		free(r);
		return NULL;
	}
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->spare = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0) {
		error_sys(err, errno, "epoll_create1");
		identity_free(&r->id);
		free(r);
		return NULL;
	}
	return r;
}

static int add_listener(struct tls_relay *r, int fd, struct error *err)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	if (r->n_listeners == LISTENERS)
		return error_set(err, ERR_INVALID, "more than %d listening sockets with TLS",
				 LISTENERS);
	ev.data.ptr = &r->listeners[r->n_listeners];
	r->listeners[r->n_listeners++] = fd;
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return error_sys(err, errno, "watch listening socket");
	return 0;
}

static void stop(struct tls_relay *r)
{
	/* not closed: the relay's thread may be about to accept, and the number may be given to another by then */
	for (size_t i = 0; i < r->n_listeners; i++)
		shutdown(r->listeners[i], SHUT_RDWR);
}

extern const struct tls_module dockerd_tls_module;
__attribute__((visibility("default"))) const struct tls_module dockerd_tls_module = {
    .build = TLS_MODULE_BUILD,
    .open = open_relay,
    .listen = add_listener,
    .stop = stop,
    .run = run,
};
