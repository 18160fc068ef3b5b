/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded DNS: names of containers in users' networks are answered here, everything else is asked of the servers that the daemon named.
 * names.c: who is called what, in which network; answer.c: messages, pure; dns.c: sockets of containers; forward.c: questions to servers outside.
 */
#ifndef NETD_DNS_H
#define NETD_DNS_H

#include "netd.h"
#include "base/str.h"
#include "proto/msg.h"

#define DNS_MAX 65535

/* ---- names.c */

/* NETD_DNS_NAMES, NETD_DNS_FORGET. */
int names_set(const struct msg *m, struct error *err);
void names_forget(const struct msg *m);
/* Is anything known? */
bool names_any(void);
/* An address in network byte order. */
struct dns_ip {
	unsigned char b[16];
	uint8_t len; /* 4, 16; 0: none */
};
/*
 * Addresses of `len` bytes of a name as the container `sandbox` sees it: the first network of its that knows the name. True: the name is known, with
 * addresses of that family or without.
 */
bool names_find(const char *sandbox, const char *name, uint8_t len, struct dns_ip *out, size_t max,
		size_t *n);
/* "container.network" of an address, as the container sees it. */
bool names_of(const char *sandbox, const struct dns_ip *a, char out[512]);

/* ---- answer.c: RFC 1035, RFC 6891 */

struct dns_query {
	char name[256];      /* in small letters, without the dot at the end; "" the root */
	uint16_t type;       /* 1 A, 12 PTR, 28 AAAA */
	size_t question_end; /* where the question section ends */
	bool edns;
	size_t max; /* largest answer over UDP */
};
/* False: no question that is understood. */
bool dns_parse(const unsigned char *q, size_t n, struct dns_query *out);
/* An answer without records. out has room for n + 16 bytes. Returns its length. */
size_t dns_reply(const unsigned char *q, const struct dns_query *query, int rcode,
		 unsigned char *out);
/*
 * The answer from names; 0: ask outside. `turn` rotates the order of several addresses. limit: of out; what does not fit is cut, and marked so.
 */
size_t dns_local(const char *sandbox, const unsigned char *q, const struct dns_query *query,
		 unsigned int turn, unsigned char *out, size_t limit);
enum { DNS_SERVFAIL = 2, DNS_NOTIMP = 4 };

/* ---- dns.c */

struct sandbox {
	struct handler udp, tcp; /* handlers are told apart by address; udp is the first member */
	char *id;
	struct strlist servers;
	bool forward;
	struct tcp_client *clients;
	unsigned int pending; /* questions outside */
};

int dns_start(struct msg *m, struct error *err);
void dns_stop(const char *id);
bool dns_any(void);
/* Ids of containers that are served. */
void dns_list(struct strlist *out);
/* By id, NULL: gone meanwhile. */
struct sandbox *dns_sandbox(const char *id);
/* An answer to a stream client. Gone: nothing happens. */
void dns_tcp_answer(const char *id, uint64_t client, const unsigned char *p, size_t n);

/* ---- forward.c */

/* to: of a UDP client; client: serial number of a stream client, else 0. */
void forward(struct sandbox *s, const unsigned char *q, size_t n, const union address *to,
	     socklen_t to_len, uint64_t client);
/* Ask the next server where one is late. */
void forward_expire(void);
/* When the next is, INT64_MAX: never. */
int64_t forward_due(void);

/* ---- sockets.c: `dockerd-netd --sockets WHAT ARGS`, a process that ends at once */
int sockets_main(const char *what, char *const *args);

#endif
