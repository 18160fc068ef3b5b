/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the http room share: the connection and how it moves between the epoll set, a worker and the stream loop. */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include <http_parser.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "http/http.h"

#define HTTP_HEAD_MAX (1024 * 1024) /* X-Registry-Config may be large; Go's limit */

/* Owned by the epoll set (armed, nobody touches it) or by exactly one thread. */
struct http_conn {
	struct http_conn *next, **prev; /* server's list, guarded by its lock */
	struct http_server *server;
	int fd;
	atomic_bool
	    armed; /* orders what the last owner wrote before what the next one reads: epoll alone promises no such thing */
	bool unix_socket;
	int64_t uid, gid, pid;
	char *name;         /* of a TLS client, or NULL */
	struct str in;      /* bytes read and not consumed; empty and freed while idle */
	size_t scanned;     /* of `in`: no end of head before this */
	http_parser parser; /* state of the body while a handler reads it */
	struct str decoded; /* body bytes decoded and not handed out */
	bool message_complete;
};

struct http_server {
	int epoll;
	int spare; /* descriptor kept for when there are no others; guarded by lock */
	http_handler handler;
	http_reply_hook reply_hook;
	void *ctx;
	pthread_mutex_t lock; /* guards conns, threads, waiting, stopping */
	pthread_cond_t quiet;
	struct http_conn *conns;
	unsigned int threads, waiting, running;
	bool stopping;
	int listeners[16];
	size_t n_listeners;
};

/* Find the end of the head in c->in: its length, 0 if it is not complete, -1 if it is too long. */
ssize_t http_head_length(struct http_conn *c);
/* Parse a complete head of that length and consume it. On failure a reply should still be possible (400). */
int http_parse_head(struct http_exchange *x, size_t len, struct error *err);
/* Feed buffered bytes to the body parser. -1: malformed. */
int http_feed_body(struct http_conn *c, struct error *err);
/* Read the rest of the body away so that the connection can be used again; false: it can't. */
bool http_drain(struct http_exchange *x);
/* Before a close with a part of the request unread: the client gets half a second to stop writing and read the reply. */
void http_linger(int fd);
void http_exchange_free(struct http_exchange *x);

/* The reply has ended on a connection that stays open: wait for the next request, or close. Gives the connection away. */
void http_conn_done(struct http_conn *c, bool keep_alive);
void http_conn_close(struct http_conn *c);
/* As http_hijack, to another protocol: 101 with the headers of a websocket's handshake. */
int http_switch(struct http_exchange *x, const char *protocol, const char *accept, int *sock,
		struct str *pending, struct error *err);
/* Blocking send of everything; -1: the client is gone. */
int http_send(int fd, const struct iovec *iov, int n);

#endif
