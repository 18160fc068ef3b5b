/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagram proxies: each sender gets a connected socket of its own to the container, so that answers find their way back; it is closed
 * after 90 silent seconds, as moby does. All clients of all proxies hang in one list, the longest silent first.
 */
#include "netd.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define SILENT_NS (INT64_C(90) * 1000000000)
#define MAX_CLIENTS 16384
#define BATCH 32

struct client {
	struct handler h; /* first member; connected to the container */
	struct proxy *proxy;
	char key[112];
	union address from; /* who asks */
	socklen_t from_len;
	union address local; /* what was asked: answers leave from there */
	int64_t last;
	struct client *older, *newer; /* all clients by time */
	struct client *prev, *next;   /* of the proxy */
};

static struct client *oldest, *newest;
static struct map clients = MAP_INIT;
static char datagram[65536];

static void time_unlink(struct client *c)
{
	*(c->older ? &c->older->newer : &oldest) = c->newer;
	*(c->newer ? &c->newer->older : &newest) = c->older;
}

static void time_append(struct client *c)
{
	c->last = loop_now();
	c->older = newest;
	c->newer = NULL;
	*(newest ? &newest->newer : &oldest) = c;
	newest = c;
}

static void touch(struct client *c)
{
	time_unlink(c);
	time_append(c);
}

static void client_free(struct client *c)
{
	time_unlink(c);
	map_del(&clients, c->key);
	*(c->prev ? &c->prev->next : &c->proxy->clients) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	loop_close(&c->h);
	loop_free_later(c);
}

void udp_stop(struct proxy *p)
{
	while (p->clients)
		client_free(p->clients);
}

int64_t udp_expire(void)
{
	while (oldest && oldest->last + SILENT_NS <= loop_now())
		client_free(oldest);
	return oldest ? oldest->last + SILENT_NS : INT64_MAX;
}

/* Destination address of a received datagram (IP_PKTINFO, ip(7); IPV6_PKTINFO, ipv6(7)). */
static void read_local(struct msghdr *m, union address *local)
{
	*local = (union address){0};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			local->v4 =
			    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = info.ipi_addr};
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			local->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
							  .sin6_addr = info.ipi6_addr,
							  .sin6_scope_id = info.ipi6_ifindex};
		}
	}
}

/* Send an answer from the address that the client wrote to. */
static void send_back(struct client *c, size_t len)
{
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {0};
	struct iovec iov = {.iov_base = datagram, .iov_len = len};
	struct msghdr m = {.msg_name = &c->from,
			   .msg_namelen = c->from_len,
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control};
	struct cmsghdr *h = (struct cmsghdr *)(void *)control;

	if (c->local.sa.sa_family == AF_INET) {
		struct in_pktinfo info = {.ipi_spec_dst = c->local.v4.sin_addr};

		h->cmsg_level = IPPROTO_IP;
		h->cmsg_type = IP_PKTINFO;
		h->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(h), &info, sizeof(info));
		m.msg_controllen = CMSG_SPACE(sizeof(info));
	} else if (c->local.sa.sa_family == AF_INET6) {
		struct in6_pktinfo info = {.ipi6_addr = c->local.v6.sin6_addr};

		if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
			info.ipi6_ifindex = c->local.v6.sin6_scope_id;
		h->cmsg_level = IPPROTO_IPV6;
		h->cmsg_type = IPV6_PKTINFO;
		h->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(h), &info, sizeof(info));
		m.msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		m.msg_control = NULL;
	}
	sendmsg(c->proxy->h.fd, &m, 0); /* lost like any datagram if it can't be sent */
}

static void client_ready(struct handler *h, uint32_t events)
{
	struct client *c = (struct client *)h;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		ssize_t n = recv(h->fd, datagram, sizeof(datagram), 0);

		if (n < 0) {
			if (errno == ECONNREFUSED) /* nobody listens in the container yet */
				continue;
			return;
		}
		touch(c);
		send_back(c, (size_t)n);
	}
}

static void make_key(const struct proxy *p, const union address *from, char out[112])
{
	char ip[INET6_ADDRSTRLEN] = "";
	bool v4 = from->sa.sa_family == AF_INET;

	inet_ntop(from->sa.sa_family, v4 ? (const void *)&from->v4.sin_addr : &from->v6.sin6_addr,
		  ip, sizeof(ip));
	snprintf(out, 112, "%p %s %u %u", (const void *)p, ip,
		 ntohs(v4 ? from->v4.sin_port : from->v6.sin6_port),
		 v4 ? 0 : from->v6.sin6_scope_id);
}

static struct client *client_new(struct proxy *p, const char *key, const union address *from,
				 socklen_t from_len)
{
	auto_close fd =
	    socket(p->target.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct client *c;

	if (clients.n >= MAX_CLIENTS)
		client_free(oldest);
	if (fd < 0 || connect(fd, &p->target.sa, p->target_len) < 0)
		return NULL;
	c = xnew(struct client);
	c->h = (struct handler){.fd = fd, .ready = client_ready};
	if (loop_set(&c->h, EPOLLIN) < 0) {
		free(c);
		return NULL;
	}
	(void)steal_fd(&fd);
	c->proxy = p;
	snprintf(c->key, sizeof(c->key), "%s", key);
	c->from = *from;
	c->from_len = from_len;
	c->next = p->clients;
	if (c->next)
		c->next->prev = c;
	p->clients = c;
	map_set(&clients, c->key, c);
	time_append(c);
	if (oldest == c) /* the first: the clock has to be set */
		loop_rearm();
	return c;
}

void udp_ready(struct handler *h, uint32_t events)
{
	struct proxy *p = (struct proxy *)h;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		char control[256], key[112];
		union address from;
		struct iovec iov = {.iov_base = datagram, .iov_len = sizeof(datagram)};
		struct msghdr m = {.msg_name = &from,
				   .msg_namelen = sizeof(from),
				   .msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(h->fd, &m, 0);
		struct client *c;

		if (n < 0)
			return;
		make_key(p, &from, key);
		c = map_get(&clients, key);
		if (c)
			touch(c);
		else
			c = client_new(p, key, &from, m.msg_namelen);
		if (!c)
			continue;
		read_local(&m, &c->local);
		if (send(c->h.fd, datagram, (size_t)n, 0) < 0 && errno == ECONNREFUSED)
			send(c->h.fd, datagram, (size_t)n,
			     0); /* the error was of an earlier datagram */
	}
}
