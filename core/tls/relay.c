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
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define LISTENERS 16
#define ACCEPTS 32   /* in a pass */
#define SHAKING_MS 5 /* in a pass */

struct tls_relay {
	struct identity id;
	struct tls_hooks hooks;
	int epoll;
	int spare; /* descriptor kept for when there are no others */
	int listeners[LISTENERS];
	size_t n_listeners;
	atomic_bool stopping;
	unsigned int pass;
	bool more_clients; /* listeners may have more */
	/* by state; the oldest first, so the first is the first that is due */
	struct session_list hello, open, gone, linger;
	size_t n_hello, n_linger;
	struct session_list turns; /* of those that shook hands, or are at their end */
	struct session_list
	    shaking; /* handshakes are dear, and come from anybody: what time is left */
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
	switch (state) {
	case SESSION_OPEN:
		return &r->open;
	case SESSION_GONE:
		return &r->gone;
	case SESSION_LINGER:
		return &r->linger;
	default:
		return &r->hello;
	}
}

static size_t *count_of(struct tls_relay *r, const struct session_list *list)
{
	return list == &r->hello ? &r->n_hello : list == &r->linger ? &r->n_linger : NULL;
}

static void drop(struct tls_relay *r, struct session *s, enum session_state state);

static void enter(struct tls_relay *r, struct session *s)
{
	struct session_list *list = list_of(r, s->state);
	size_t *count = count_of(r, list);

	if (s->state == SESSION_LINGER && r->n_linger >= TLS_LINGER_MAX)
		drop(r, TAILQ_FIRST(&r->linger), SESSION_LINGER);
	s->due = now_ms() + (s->state == SESSION_LINGER ? TLS_LINGER_MS
			     : s->state == SESSION_GONE ? TLS_GONE_MS
							: TLS_HELLO_MS);
	TAILQ_INSERT_TAIL(list, s, entry);
	if (count)
		++*count;
}

/* Out of the set by hand: a child that another thread is just starting may hold the same sockets open, and events of a freed session would come. */
static void unwatch(const struct tls_relay *r, const struct session *s)
{
	epoll_ctl(r->epoll, EPOLL_CTL_DEL, s->sock, NULL);
	if (s->plain >= 0)
		epoll_ctl(r->epoll, EPOLL_CTL_DEL, s->plain, NULL);
}

/* `state`: what it was when it entered. */
static void leave(struct tls_relay *r, struct session *s, enum session_state state)
{
	struct session_list *list = list_of(r, state);
	size_t *count = count_of(r, list);

	TAILQ_REMOVE(list, s, entry);
	if (count)
		--*count;
}

/* Whose turn it is waits in the list of its kind. */
static struct session_list *turns_of(struct tls_relay *r, const struct session *s)
{
	return s->shakes ? &r->shaking : &r->turns;
}

static void drop(struct tls_relay *r, struct session *s, enum session_state state)
{
	leave(r, s, state);
	if (s->waits)
		TAILQ_REMOVE(turns_of(r, s), s, turn);
	unwatch(r, s);
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
	s->shakes = list_of(r, s->state) == &r->hello;
	s->pass = r->pass;
	TAILQ_INSERT_TAIL(turns_of(r, s), s, turn);
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
	for (int i = 0; !atomic_load(&r->stopping); i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		int fd;

		if (i == ACCEPTS) {
			r->more_clients = true;
			return;
		}
		fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
		if (fd >= 0) {
			welcome(r, fd, &from);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED ||
		    ((errno == EMFILE || errno == ENFILE) && turn_away(r, listener)))
			continue;
		if (errno != EAGAIN && errno != ENOTSOCK)
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
	int64_t due = first_due(&r->hello), linger = first_due(&r->linger),
		gone = first_due(&r->gone), now;

	if (!TAILQ_EMPTY(&r->turns) || !TAILQ_EMPTY(&r->shaking) || r->more_clients)
		return 0;
	if (linger < due)
		due = linger;
	if (gone < due)
		due = gone;
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
	while (first_due(&r->gone) <= now)
		drop(r, TAILQ_FIRST(&r->gone), SESSION_GONE);
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

	if (s->state == SESSION_OPEN && ev->events & EPOLLHUP) {
		leave(r, s, SESSION_OPEN);
		s->state = SESSION_GONE;
		enter(r, s);
	}
	queue(r, s);
}

/* All that wait now; what is queued meanwhile waits for the next pass. Any of them may be dropped by another's turn. */
static void take_turns(struct tls_relay *r)
{
	struct session *s;

	r->pass++;
	while ((s = TAILQ_FIRST(&r->turns)) && s->pass != r->pass) {
		TAILQ_REMOVE(&r->turns, s, turn);
		s->waits = false;
		take_turn(r, s);
	}
}

static void shake_hands(struct tls_relay *r)
{
	int64_t until = now_ms() + SHAKING_MS;
	struct session *s;

	while ((s = TAILQ_FIRST(&r->shaking)) && now_ms() < until) {
		TAILQ_REMOVE(&r->shaking, s, turn);
		s->waits = false;
		take_turn(r, s);
	}
}

static void run(struct tls_relay *r)
{
	struct epoll_event ev[64];

	for (;;) {
		int n = epoll_wait(r->epoll, ev, 64, time_left(r));
		bool clients = r->more_clients;

		/* sessions first: accepting may end one of them */
		for (int i = 0; i < n; i++)
			if (listener_of(r, ev[i].data.ptr))
				clients = true;
			else
				note(r, &ev[i]);
		take_turns(r);
		r->more_clients = false;
		for (size_t i = 0; clients && i < r->n_listeners; i++)
			accept_all(r, r->listeners[i]);
		shake_hands(r);
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
	TAILQ_INIT(&r->gone);
	TAILQ_INIT(&r->shaking);
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

/*
 * The sockets go, their numbers stay: the relay's thread may be about to accept, and must not find somebody else's file there. Not shut down, which
 * a listener that systemd has opened would not survive there.
 */
static void stop(struct tls_relay *r)
{
	auto_close nothing = epoll_create1(EPOLL_CLOEXEC);

	atomic_store(&r->stopping, true);
	for (size_t i = 0; i < r->n_listeners; i++) {
		epoll_ctl(r->epoll, EPOLL_CTL_DEL, r->listeners[i], NULL);
		if (nothing < 0 || dup3(nothing, r->listeners[i], O_CLOEXEC) < 0)
			r->hooks.trouble("listening socket stays open", strerror(errno));
	}
}

extern const struct tls_module dockerd_tls_module;
__attribute__((visibility("default"))) const struct tls_module dockerd_tls_module = {
    .build = TLS_MODULE_BUILD,
    .open = open_relay,
    .listen = add_listener,
    .stop = stop,
    .run = run,
};
