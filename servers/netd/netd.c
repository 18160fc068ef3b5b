/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd-netd: published ports of all containers, by epoll and splice, and the DNS of users' networks. It belongs to no daemon: it is started at the first need, goes on when
 * the daemon is gone, and is found again at its socket by the next one. Protocol: core/proto/netd.h.
 *
 * It keeps one right of root's, to bind ports below 1024. It ends ten seconds after its last proxy and container.
 */
#include "netd.h"
#include "dns.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "proto/msg.h"
#include "proto/netd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define EVENTS 64
#define IDLE_NS (INT64_C(10) * 1000000000)

static int epfd;
static struct epoll_event round_events[EVENTS];
static int round_count;
static void **later;
static size_t n_later, cap_later;
static int64_t now_ns, empty_since;
static struct handler timer;
static struct map proxies = MAP_INIT;

/* Nothing to carry and nobody to answer. */
static bool idle(void)
{
	return !proxies.n && !dns_any();
}

/* ---- loop --------------------------------------------------------------------------------------------------------------------------------- */

int loop_set(struct handler *h, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = h};

	if (h->in_set && h->events == events)
		return 0;
	if (epoll_ctl(epfd, h->in_set ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, h->fd, &e) < 0)
		return -1;
	h->in_set = true;
	h->events = events;
	return 0;
}

void loop_close(struct handler *h)
{
	for (int i = 0; i < round_count; i++)
		if (round_events[i].data.ptr == h)
			round_events[i].data.ptr = NULL;
	fd_close(&h->fd);
	h->in_set = false;
}

void loop_free_later(void *p)
{
	if (n_later == cap_later) {
		cap_later = cap_later ? cap_later * 2 : 16;
		later = xreallocarray(later, cap_later, sizeof(*later));
	}
	later[n_later++] = p;
}

int64_t loop_now(void)
{
	return now_ns;
}

void loop_rearm(void)
{
	int64_t due = udp_expire(), asked = forward_due();
	struct itimerspec t = {0};

	if (asked < due)
		due = asked;
	if (idle() && empty_since + IDLE_NS < due)
		due = empty_since + IDLE_NS;
	if (due != INT64_MAX) {
		t.it_value.tv_sec = (time_t)(due / 1000000000);
		t.it_value.tv_nsec = (long)(due % 1000000000);
	}
	timerfd_settime(timer.fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static void timer_ready(struct handler *h, uint32_t events)
{
	uint64_t n;

	(void)events;
	if (read(h->fd, &n, sizeof(n)) < 0)
		return;
	if (idle() && now_ns >= empty_since + IDLE_NS)
		exit(0);
	forward_expire();
	loop_rearm();
}

/* ---- proxies -------------------------------------------------------------------------------------------------------------------------------- */

static int parse_address(const char *ip, uint32_t port, union address *out, socklen_t *len,
			 struct error *err)
{
	*out = (union address){0};
	if (!ip || port > 65535)
		return error_set(err, ERR_INVALID, "netd: no address");
	if (inet_pton(AF_INET, ip, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons((uint16_t)port);
		*len = sizeof(out->v4);
	} else if (inet_pton(AF_INET6, ip, &out->v6.sin6_addr) == 1) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons((uint16_t)port);
		*len = sizeof(out->v6);
	} else {
		return error_set(err, ERR_INVALID, "'%s' is no IP address", ip);
	}
	return 0;
}

static int protocol_of(const char *name)
{
	return !name                 ? -1
	       : streq(name, "tcp")  ? IPPROTO_TCP
	       : streq(name, "udp")  ? IPPROTO_UDP
	       : streq(name, "sctp") ? IPPROTO_SCTP
				     : -1;
}

/*
 * A socket that only holds its address is not set to reuse it: so nobody else can bind it, though it does not listen.
 */
static int open_socket(const struct proxy *p, const union address *at, socklen_t len,
		       struct error *err)
{
	int type = p->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, on = 1;
	auto_close fd = socket(at->sa.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, p->protocol);
	bool listens = p->target_len && type == SOCK_STREAM;

	if (fd < 0)
		return error_sys(err, errno, "socket");
	if (listens)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (type == SOCK_DGRAM) { /* answers leave from the address that was asked */
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
		if (at->sa.sa_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	}
	if (bind(fd, &at->sa, len) < 0)
		return error_sys(err, errno, "bind");
	if (listens && listen(fd, SOMAXCONN) < 0)
		return error_sys(err, errno, "listen");
	return steal_fd(&fd);
}

static void proxy_free(struct proxy *p)
{
	if (p->protocol == IPPROTO_UDP)
		udp_stop(p);
	else
		tcp_stop(p);
	loop_close(&p->h);
	free(p->key);
	loop_free_later(p);
}

/* An existing proxy takes a new target; its connections go on as they are. */
static void retarget(struct proxy *p, const union address *target)
{
	if (memcmp(&p->target, target, sizeof(*target)))
		p->target = *target;
}

static int start(const struct msg *m, struct error *err)
{
	const char *proto = msg_get_str(m, NETD_PROTO), *ip = msg_get_str(m, NETD_HOST_IP),
		   *target = msg_get_str(m, NETD_TARGET_IP);
	uint32_t port = msg_get_u32(m, NETD_HOST_PORT, 0);
	struct proxy want = {.h.fd = -1, .protocol = protocol_of(proto)}, *p;
	auto_str key = STR_INIT;
	union address at;
	socklen_t len;

	if (want.protocol < 0 || !port || parse_address(ip, port, &at, &len, err) < 0)
		return err->kind ? -1 : error_set(err, ERR_INVALID, "netd: bad protocol or port");
	if (target && parse_address(target, msg_get_u32(m, NETD_TARGET_PORT, 0), &want.target,
				    &want.target_len, err) < 0)
		return -1;
	str_printf(&key, "%s %s %u", proto, ip, port);
	p = map_get(&proxies, str_cstr(&key));
	if (p && !p->target_len == !want.target_len) {
		retarget(p, &want.target);
		return 0;
	}
	if (p) { /* held becomes forwarded, or the other way round */
		map_del(&proxies, p->key);
		proxy_free(p);
	}
	want.h.fd = open_socket(&want, &at, len, err);
	if (want.h.fd < 0)
		return -1;
	FAULT("netd.start.bound");
	want.h.ready = want.protocol == IPPROTO_UDP ? udp_ready : tcp_ready;
	p = xnew(struct proxy);
	*p = want;
	p->key = str_steal(&key);
	if (p->target_len && loop_set(&p->h, EPOLLIN) < 0) {
		error_sys(err, errno, "epoll");
		proxy_free(p);
		return -1;
	}
	map_set(&proxies, p->key, p);
	return 0;
}

/* Something has ended: perhaps it was the last. */
static void gone(void)
{
	if (idle()) {
		empty_since = now_ns;
		loop_rearm();
	}
}

static void stop(const struct msg *m)
{
	const char *proto = msg_get_str(m, NETD_PROTO), *ip = msg_get_str(m, NETD_HOST_IP);
	auto_str key = STR_INIT;
	struct proxy *p;

	str_printf(&key, "%s %s %u", proto ? proto : "", ip ? ip : "",
		   msg_get_u32(m, NETD_HOST_PORT, 0));
	p = map_del(&proxies, str_cstr(&key));
	if (p)
		proxy_free(p);
	gone();
}

/* ---- control --------------------------------------------------------------------------------------------------------------------------------- */

struct control {
	struct handler h; /* first member */
	uint32_t version; /* 0 until the handshake */
};

static int controls; /* daemons that are connected */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, so that a list in several parts is whole if nothing changes meanwhile. */
static int send_list(int sock, const struct msg *m, struct error *err)
{
	uint32_t from = msg_get_u32(m, NETD_FROM, 0);
	auto_strlist all = STRLIST_INIT;
	auto_msg reply = {0};
	struct map_entry *e;
	size_t i = 0;

	if (m->type == NETD_DNS_LIST)
		dns_list(&all);
	else
		while ((e = map_next(&proxies, &i)))
			strlist_add(&all, e->key);
	if (all.n)
		qsort(all.v, all.n, sizeof(*all.v), by_text);
	msg_init(&reply, NETD_LIST_REPLY);
	reply.seq = m->seq;
	for (i = from; i < all.n && reply.body.len < MSG_MAX / 2; i++)
		msg_put(&reply, NETD_ENTRY, all.v[i], strlen(all.v[i]));
	msg_put_u32(&reply, NETD_MORE, i < all.n);
	return msg_send(sock, &reply, err);
}

static int answer(struct control *c, struct msg *m, struct error *err)
{
	struct error bad = ERROR_INIT;
	int r = 0;

	if (m->type == MSG_HELLO)
		return msg_hello_server(c->h.fd, m, "dockerd-netd " PACKAGE_VERSION,
					NETD_VERSION_MIN, NETD_VERSION_MAX, &c->version, err);
	if (!c->version)
		return error_set(err, ERR_INVALID, "request before the handshake");
	switch (m->type) {
	case NETD_START:
		r = start(m, &bad);
		break;
	case NETD_STOP:
		stop(m);
		break;
	case NETD_LIST:
	case NETD_DNS_LIST:
		return send_list(c->h.fd, m, err);
	case NETD_DNS_NAMES:
		r = names_set(m, &bad);
		break;
	case NETD_DNS_FORGET:
		names_forget(m);
		break;
	case NETD_DNS_START:
		r = dns_start(m, &bad);
		break;
	case NETD_DNS_STOP:
		dns_stop(msg_get_str(m, NETD_SANDBOX));
		gone();
		break;
	default:
		r = error_set(&bad, ERR_NOT_IMPLEMENTED, "dockerd-netd has no request %u", m->type);
	}
	return r < 0 ? msg_reply_error(c->h.fd, m->seq, &bad, err)
		     : msg_reply_ok(c->h.fd, m->seq, err);
}

static void control_ready(struct handler *h, uint32_t events)
{
	struct control *c = (struct control *)h;
	struct error err = ERROR_INIT;
	auto_msg m = {0};
	int r;

	(void)events;
	r = msg_recv(h->fd, &m, 0, &err);
	if (r > 0)
		r = answer(c, &m, &err) < 0 ? -1 : 1;
	if (r > 0)
		return;
	if (r < 0 && err.kind != ERR_CANCELLED)
		log_warn("dockerd-netd: control connection closed", "error", err.text);
	loop_close(h);
	loop_free_later(c);
	if (--controls == 0 && idle())
		exit(0); /* the daemon went and left nothing to carry: a new one starts its own */
}

static void listener_ready(struct handler *h, uint32_t events)
{
	int fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC);
	struct timeval limit = {.tv_sec = 2};
	struct control *c;

	(void)events;
	if (fd < 0)
		return;
	/* A daemon that does not read its answers must not stop the traffic. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	c = xnew(struct control);
	c->h = (struct handler){.fd = fd, .ready = control_ready};
	if (loop_set(&c->h, EPOLLIN) < 0) {
		close(fd);
		free(c);
		return;
	}
	controls++;
}

/* ---- start ------------------------------------------------------------------------------------------------------------------------------------ */

static void keep_few_rights(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {
	    {.effective = 1u << CAP_NET_BIND_SERVICE, .permitted = 1u << CAP_NET_BIND_SERVICE}};
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_capset, &head, caps) < 0)
		log_warn("dockerd-netd keeps all rights", "error", strerror(errno));
}

static void run_round(void)
{
	round_count = epoll_wait(epfd, round_events, EVENTS, -1);
	now_ns = clock_mono_ns();
	for (int i = 0; i < round_count; i++) {
		struct handler *h = round_events[i].data.ptr;

		if (h)
			h->ready(h, round_events[i].events);
	}
	round_count = 0;
	while (n_later)
		free(later[--n_later]);
}

int main(int argc, char **argv)
{
	struct handler listener = {.fd = NETD_LISTEN_FD, .ready = listener_ready};

	if (argc >= 3 && streq(argv[1], "--sockets"))
		return sockets_main(argv[2], argv + 3);
	log_setup(LOG_LEVEL_INFO, false, false);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (chdir("/") < 0 || fcntl(NETD_LISTEN_FD, F_SETFD, FD_CLOEXEC) < 0) {
		log_error("dockerd-netd is started by dockerd, with a socket as descriptor 3");
		return 2;
	}
	fcntl(NETD_LISTEN_FD, F_SETFL, O_NONBLOCK);
	tcp_start();
	keep_few_rights();
	epfd = epoll_create1(EPOLL_CLOEXEC);
	timer = (struct handler){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
				 .ready = timer_ready};
	if (epfd < 0 || timer.fd < 0 || loop_set(&timer, EPOLLIN) < 0 ||
	    loop_set(&listener, EPOLLIN) < 0) {
		log_error("dockerd-netd can't start", "error", strerror(errno));
		return 1;
	}
	now_ns = empty_since = clock_mono_ns();
	loop_rearm();
	for (;;)
		run_round();
}
