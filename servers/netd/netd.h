/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of dockerd-netd share. One thread, one epoll set. netd.c: start, control connections, time; tcp.c, udp.c: proxies. */
#ifndef NETD_NETD_H
#define NETD_NETD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

/* Something in the epoll set. */
struct handler {
	int fd;
	uint32_t events; /* asked for now */
	bool in_set;
	void (*ready)(struct handler *h, uint32_t events);
};

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct conn;
struct client;

struct proxy {
	struct handler h; /* the listening socket; first member */
	char *key;        /* "proto host_ip host_port" */
	union address target;
	socklen_t target_len; /* 0: the address is held only */
	int protocol;         /* IPPROTO_TCP, _UDP, _SCTP */
	struct conn *conns;
	struct client *clients;
};

/* Put h into the set, or change what it waits for. 0 events: only errors. */
int loop_set(struct handler *h, uint32_t events);
/* Out of the set, closed; its pending events of this round are dropped. */
void loop_close(struct handler *h);
/* Release memory that pending events may still name, after this round. */
void loop_free_later(void *p);
/* Monotonic time of this round, ns. */
int64_t loop_now(void);
/* Wake udp_expire and forward_expire when the oldest is due. */
void loop_rearm(void);

/* Keep a descriptor in reserve while there are some. */
void tcp_start(void);
void tcp_ready(struct handler *h, uint32_t events);
void tcp_stop(struct proxy *p);

void udp_ready(struct handler *h, uint32_t events);
void udp_stop(struct proxy *p);
/* Close clients that were silent for 90 seconds; returns when the next is due, or INT64_MAX. */
int64_t udp_expire(void);

#endif
