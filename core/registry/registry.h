/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registries: pull, push, login, search, distribution inspect. The only header of this room that others include.
 *
 * Speaks the Docker Registry HTTP API v2 and the OCI distribution specification. Everything that a registry says is taken for hostile: sizes are
 * limits and not promises, every digest is checked, and credentials go to the origin they are for and nowhere else.
 *
 * All functions block, may be called from any thread without locks held, and end soon after cancel_fd becomes readable (ERR_CANCELLED).
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "image/image.h"

/* What the daemon's configuration says. Borrowed, and constant for the time of a call. */
struct registry_settings {
	const struct strlist *insecure, *mirrors;
	const struct strlist *foreign; /* who may be sent layers that are not to be distributed */
	const char *http_proxy, *https_proxy, *no_proxy; /* "": the environment's */
	const char *certs_dir;                           /* /etc/docker/certs.d */
	int max_downloads, max_uploads, attempts;
	int retry_s; /* first pause between attempts; it grows by itself */
};

/* Credentials of one registry as clients send them. All may be NULL. */
struct registry_auth {
	char *username, *password;
	char *identity_token; /* for getting tokens */
	char *registry_token; /* to be used as it is */
	char *server;
};
/* X-Registry-Auth: base64 of JSON; what can't be read counts as none, as with moby. */
void registry_auth_decode(const char *header, struct registry_auth *out);
void registry_auth_json(const json *j, struct registry_auth *out);
void registry_auth_free(struct registry_auth *a);

/* ---- Progress: what a client is shown --------------------------------------------------------------------------------------------- */

struct progress;

/* wake: there is something to read, or the job has ended; called with the progress' lock held, must not block. */
struct progress *progress_new(void (*wake)(void *ctx), void *ctx);
struct progress *progress_ref(struct progress *p);
void progress_unref(struct progress *p);
/* {"status":...} with or without an id. */
void progress_message(struct progress *p, const char *id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A layer's state: {"status":...,"progressDetail":{},"id":...}. */
void progress_update(struct progress *p, const char *id, const char *status);
/* The same with numbers. Of those that come faster than ten a second for one id only the newest is kept; the last (current == total) always. id "": they are
 * nobody's in particular. */
void progress_bytes(struct progress *p, const char *id, const char *status, uint64_t current,
		    uint64_t total);
/* A finished line. */
void progress_raw(struct progress *p, const char *json_line);
/* The job is over: err (kind ERR_NONE: success) becomes the last line, if lines were written before. */
void progress_end(struct progress *p, const struct error *err);
/* Appends what is there. True: the job has ended and nothing will come any more. */
bool progress_take(struct progress *p, struct str *out);
/* Readable once something was said or the job has ended. */
int progress_ready_fd(const struct progress *p);
/* After the job has ended: was anything said before? If not, *err is what progress_end got. */
bool progress_silent(struct progress *p, struct error *err);
/* Makes cancel_fd readable: whoever wanted it has gone. */
void progress_cancel(struct progress *p);
int progress_cancel_fd(const struct progress *p);
bool progress_cancelled(const struct progress *p);

/* ---- Operations --------------------------------------------------------------------------------------------------------------------- */

/* POST /images/create?fromImage. name may carry tag or digest; tag "" and none in the name: all tags. */
int registry_pull(struct image_store *images, const struct registry_settings *s, const char *name,
		  const char *tag, const char *platform, const struct registry_auth *auth,
		  struct progress *p, struct error *err);
/* POST /images/{name}/push. tag "": all tags of the repository. */
int registry_push(struct image_store *images, const struct registry_settings *s, const char *name,
		  const char *tag, const struct registry_auth *auth, struct progress *p,
		  struct error *err);
/* POST /images/create?fromSrc=URL: http, https, or "host/path". */
int registry_import(struct image_store *images, const struct registry_settings *s, const char *src,
		    const struct image_import *o, struct progress *p, struct error *err);
/* POST /auth. token: malloc'ed identity token, or "". */
int registry_login(const struct registry_settings *s, const struct registry_auth *auth,
		   int cancel_fd, char **token, struct error *err);
/* GET /distribution/{name}/json: the reply. */
int registry_inspect(const struct registry_settings *s, const char *name,
		     const struct registry_auth *auth, int cancel_fd, struct str *reply,
		     struct error *err);

struct registry_search {
	const char *term;
	int limit; /* 0: 25 */
	/* -1: not asked for */
	int official, automated, stars;
};
/* GET /images/search: the reply. */
int registry_search(const struct registry_settings *s, const struct registry_search *q,
		    const struct registry_auth *auth, int cancel_fd, struct str *reply,
		    struct error *err);

#endif
