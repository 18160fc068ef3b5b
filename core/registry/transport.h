/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line between the registry room and its module `registry.so`, which holds what is heavy: libcurl (and below it TLS) and libcrypto's SHA-256.
 * The module is ours and no driver: it is loaded at the first use, must be of exactly this build, and carries no promise.
 *
 * A line (struct transport) keeps connections alive between requests; one thread uses it at a time. One request is one exchange: no redirect is
 * followed and no credential added here, the room decides.
 */
#ifndef REGISTRY_TRANSPORT_H
#define REGISTRY_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/map.h"
#include "base/sha256.h"
#include "base/str.h"

/* Why there was no (whole) reply. */
enum transport_fault {
	TRANSPORT_OK,
	TRANSPORT_RESOLVE,   /* no such host */
	TRANSPORT_CONNECT,   /* errno in sys, address in peer */
	TRANSPORT_PLAIN,     /* TLS was asked for, the server speaks HTTP */
	TRANSPORT_VERIFY,    /* certificate not accepted */
	TRANSPORT_TIMEOUT,   /* nothing came, or nothing went, for too long */
	TRANSPORT_CANCELLED, /* cancel_fd became readable */
	TRANSPORT_STOPPED,   /* a callback of ours said no */
	TRANSPORT_BROKEN,    /* cut off, or anything else: text says what */
};

/* What a server's certificate and ours are about. Paths and PEM text borrowed. */
struct transport_tls {
	bool insecure;          /* nothing is verified */
	const struct str *ca;   /* PEM, beside the system's; NULL: only those */
	const char *cert, *key; /* files, NULL: none */
};

struct transport_request {
	const char *method, *url;
	const struct strlist *headers; /* "Name: value" */
	struct transport_tls tls;
	const char *proxy; /* URL; NULL or "": none */
	int cancel_fd;     /* -1: none */
	int idle_s;        /* fail when nothing moved for that long */
	/* Body: NULL read: `body` (may be NULL: none). */
	const void *body;
	size_t body_len;
	/* Bytes into buf, 0 at the end, -1: stop. The length is not known beforehand. */
	ssize_t (*read)(void *ctx, void *buf, size_t n);
	/* Before the first byte of the body: status and headers are there. -1: stop. May be NULL. */
	int (*head)(void *ctx, int status, const struct pairs *headers);
	/* -1: stop. */
	int (*write)(void *ctx, const void *p, size_t n);
	void *ctx;
};

struct transport_reply {
	int status;           /* 0: no head came */
	struct pairs headers; /* names in lower case */
	char *redirect;       /* absolute URL of a 3xx with Location, or NULL */
	enum transport_fault fault;
	int sys;
	char peer[64];
	char text[256];
};

struct transport;
struct digester;

struct registry_module {
	const char *build; /* REGISTRY_MODULE_BUILD */
	struct transport *(*open)(void);
	void (*close)(struct transport *t);
	/* Always fills `reply` (transport_reply_free). 0: a whole reply came, whatever its status. */
	int (*perform)(struct transport *t, const struct transport_request *q,
		       struct transport_reply *reply);
	struct digester *(*digest_new)(void);
	void (*digest_add)(struct digester *d, const void *p, size_t n);
	/* "sha256:..."; d can't be added to any more. */
	void (*digest_end)(struct digester *d, char out[DIGEST_TEXT]);
	void (*digest_free)(struct digester *d);
};

#define REGISTRY_MODULE_SYMBOL "dockerd_registry_module"
/* Whatever changes here changes the size or must change the number. */
#define REGISTRY_MODULE_BUILD PACKAGE_STRING " registry module 1"

/* Loaded at the first call; NULL with err. Any thread. */
const struct registry_module *registry_module(struct error *err);
void transport_reply_free(struct transport_reply *r);

#endif
