/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One repository at one endpoint: requests with credentials, tokens and redirects. A client is shared by the threads of a job; `lock` guards its
 * tokens and its idle lines. Holds copies of all that it was made of.
 */
#ifndef REGISTRY_CLIENT_H
#define REGISTRY_CLIENT_H

#include "registry/challenge.h"
#include "registry/endpoint.h"

#include <pthread.h>

#define DOCUMENT_MAX (4 * 1024 * 1024) /* manifests, configurations, token and error replies */

struct line_pool;

struct client {
	const struct registry_module *m;
	struct endpoint ep;
	char *http_proxy, *https_proxy, *no_proxy;
	struct registry_auth auth;
	char *repository; /* path within the registry: "library/busybox" */
	char *origin; /* full name of the repository, as it is noted with layers; NULL: not noted */
	char *actions; /* "pull" or "pull,push" */
	unsigned refs;
	pthread_mutex_t lock;
	struct challenge challenge;
	struct map tokens; /* scope -> struct token* */
	struct transport *idle[8];
	size_t n_idle;
};

/* What came of a request. */
struct answer {
	struct transport_reply r;
	bool own;        /* the registry itself has answered, not a place that it has led to */
	char code[48];   /* of the registry's error: "MANIFEST_UNKNOWN", or "" */
	struct str body; /* if it was asked for, or the reply was an error */
};
void answer_free(struct answer *a);
#define auto_answer __attribute__((cleanup(answer_free))) struct answer

struct call {
	const char *method;
	const char *url; /* absolute */
	const struct strlist *headers;
	const char *mount_from; /* repository that the token must allow to read as well, or NULL */
	int cancel_fd;
	const void *body;
	size_t body_len;
	ssize_t (*read)(void *ctx, void *buf, size_t n);
	/* For a reply with 2xx; without `write` it is kept in answer.body, up to `max` bytes. */
	int (*head)(void *ctx, int status, const struct pairs *headers);
	int (*write)(void *ctx, const void *p, size_t n);
	void *ctx;
	size_t max;              /* 0: DOCUMENT_MAX */
	const struct error *why; /* what head or write failed with */
};

/* Copies; ep stays the caller's. NULL with err if the module can't be loaded. */
struct client *client_new(const struct registry_settings *s, const struct endpoint *ep,
			  const struct registry_auth *auth, const char *repository,
			  const char *actions, struct error *err);
struct client *client_ref(struct client *c);
void client_unref(struct client *c);
/* GET /v2/: learns what the registry asks for. *status may be NULL. */
int client_ping(struct client *c, int cancel_fd, int *status, struct error *err);
/* 0: 2xx. -1: no reply, or another status; err has the registry's or Go's words, a->r.status and a->code tell more. */
int client_call(struct client *c, const struct call *q, struct answer *a, struct error *err);
/* A GET or HEAD without any credentials, redirects followed: 0 whatever the status. */
int client_get(struct client *c, const struct call *q, struct answer *a, struct error *err);
/* URL below the repository: "<endpoint>/v2/<repository>/<path>"; malloc'ed. */
char *client_url(const struct client *c, const char *path);
const char *answer_header(const struct answer *a, const char *name);
/* Was there no reply at all: may another endpoint do better? */
bool answer_unreached(const struct answer *a);
/* tags.c: all tags of the repository. *a: the last answer, the caller's to free, also on failure. ERR_INVALID: more than can be meant. */
int client_tags(struct client *c, int cancel_fd, struct strlist *tags, struct answer *a,
		struct error *err);
/* Drop the token in hand: the next call gets a new one. */
void client_forget_tokens(struct client *c);

/* ---- tokens.c: what goes into Authorization ---- */
/* malloc'ed header value, or NULL: none is needed; -1 with err. Blocks for the token server. */
int client_authorize(struct client *c, const char *mount_from, int cancel_fd, char **value,
		     struct error *err);
void client_learn(struct client *c, const struct pairs *headers);
struct token;
void token_free(void *token);
/* Token of an offline kind: what `docker login` keeps. malloc'ed or NULL. */
int client_login_token(struct client *c, int cancel_fd, char **refresh, struct error *err);

/* One exchange without credentials of ours: for this room's files. */
int client_exchange(struct client *c, const struct call *q, const char *authorization,
		    struct answer *a, struct error *err);

#endif
