/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the module share. Everything here belongs to the relay's thread, except what `open` makes before that thread starts.
 *
 *	identity.c	who we are and whom we trust: files, random numbers, mbedTLS's configuration
 *	session.c	one client: handshake, bytes both ways, the end
 *	relay.c		all of them: one epoll set
 */
#ifndef TLS_RELAY_H
#define TLS_RELAY_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "tls/module.h"

#define TLS_CHUNK 16384 /* what a record holds at most */
/* A client that has not shaken hands, or does not take note of the end, for so long is given up. */
#define TLS_HELLO_MS 30000
#define TLS_LINGER_MS 5000
#define TLS_GONE_MS 30000 /* what the daemon said last, to a client that does not read it */
/* Clients that have not proved themselves are bounded: beyond so many handshakes, or ends, at once the oldest goes. */
#define TLS_HELLO_MAX 256
#define TLS_LINGER_MAX 256

struct identity {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_x509_crt ca, cert;
	mbedtls_pk_context key;
	mbedtls_ssl_config conf;
};

/* -1 with err, in moby's words; whatever happened, `id` may be freed. */
int identity_open(struct identity *id, const struct tls_files *f, struct error *err);
void identity_free(struct identity *id);
/* Text of an mbedTLS error. */
const char *identity_error(int code, char buf[128]);

/* One direction. `bytes` is allocated when the handshake is over. */
struct flow {
	unsigned char *bytes;
	size_t at, len;
	bool ended; /* nothing more comes */
	bool told;  /* and the other side knows */
};

enum session_state {
	SESSION_NEW,
	SESSION_HANDSHAKE,
	SESSION_OPEN,
	SESSION_GONE, /* open, and the daemon has closed its side altogether */
	SESSION_LINGER,
	SESSION_DEAD
};

struct session {
	TAILQ_ENTRY(session) entry; /* in the list of its state */
	TAILQ_ENTRY(session) turn;  /* in the list of those that wait for their turn */
	bool waits, shakes;         /* shakes: in which of the two lists */
	unsigned int pass;          /* in which it began to wait */
	enum session_state state;
	int64_t due; /* CLOCK_MONOTONIC ms; not while OPEN */
	int sock;    /* the client's */
	int plain;   /* ours of the pair; -1 before the handshake is over */
	mbedtls_ssl_context ssl;
	struct flow in, out; /* client to daemon, daemon to client */
	char peer[64];
};

TAILQ_HEAD(session_list, session);

/* sock is the session's, whatever happens. NULL: no memory for its state (mbedTLS). */
struct session *session_new(struct identity *id, int sock, const char *peer);
void session_free(struct session *s);
/*
 * Move what can be moved without waiting, a bounded amount of it. True: there may be more, give it another turn. s->state tells what became of
 * it; from HANDSHAKE to OPEN `daemon` is the other end of s->plain, the caller's, and `name` the client's.
 */
bool session_pump(struct session *s, int *daemon, char name[256], const char **why, char text[128]);

#endif
