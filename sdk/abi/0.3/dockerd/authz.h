/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization drivers: asked before each request is handled and before its reply is sent. Runs in the daemon. Several drivers are asked in the
 * order configured; each must allow. An error, a verdict that is missing, or a call past its deadline denies.
 *
 * In the response phase everything of the request is shown again, with what is about to be sent. A connection that is about to be taken over
 * (attach, exec: status 101, or 200 without an upgrade) is a reply without a body: denied, it stays HTTP and the client gets the denial.
 *
 * Object for concurrency: none (PER_OBJECT counts as PARALLEL).
 */
#ifndef DOCKERD_AUTHZ_H
#define DOCKERD_AUTHZ_H

#include <dockerd/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DOCKERD_AUTHZ_ALLOW UINT32_C(1)
#define DOCKERD_AUTHZ_DENY UINT32_C(2)

/* Why `body` is what it is. */
#define DOCKERD_AUTHZ_BODY_NONE UINT32_C(0)  /* the request has none */
#define DOCKERD_AUTHZ_BODY_WHOLE UINT32_C(1) /* JSON, all of it */
#define DOCKERD_AUTHZ_BODY_LARGE UINT32_C(2) /* JSON of more than 1 MiB: not shown */
#define DOCKERD_AUTHZ_BODY_OTHER UINT32_C(3) /* of another type: not shown */

struct dockerd_authz_request {
	uint32_t size;
	uint32_t header_count;
	const char *user;        /* TLS common name, or "" */
	const char *auth_method; /* "TLS" or "" */
	const char *method;      /* as sent: "POST" */
	const char *uri;         /* as sent, undecoded: for logs. Rules match `route`. */
	const char *route;       /* the route that will serve it: "POST /containers/{name}/start"; "" if none does (404) */
	const char *path;        /* decoded and cleaned path without the version prefix */
	const struct dockerd_key_value *headers; /* authorization headers are withheld */
	const char *body;        /* JSON body up to 1 MiB, byte for byte as the handler reads it; NULL: see body_state */
	uint64_t body_length;
	int64_t peer_uid, peer_gid, peer_pid; /* SO_PEERCRED of a unix socket; -1 otherwise */
	uint32_t body_state; /* DOCKERD_AUTHZ_BODY_*: of the request */
	/* Response phase, else 0 and NULL: */
	int32_t status; /* HTTP status */
	uint32_t response_body_state; /* DOCKERD_AUTHZ_BODY_*: NONE for an empty body, OTHER for a stream, a taken-over connection, and what is no JSON */
	uint32_t response_header_count;
	const struct dockerd_key_value *response_headers; /* as they will be sent */
	const char *response_body; /* JSON body up to 1 MiB; NULL: see response_body_state */
	uint64_t response_length;
};

struct dockerd_authz_verdict {
	uint32_t size;
	uint32_t verdict;  /* DOCKERD_AUTHZ_*; 0 denies */
	char message[512]; /* shown to the client on denial */
};

struct dockerd_authz_ops {
	struct dockerd_common_ops common;
	int32_t (*request)(void *self, const struct dockerd_authz_request *r, struct dockerd_authz_verdict *v, struct dockerd_error *err);
	/* NULL: responses are not looked at. */
	int32_t (*response)(void *self, const struct dockerd_authz_request *r, struct dockerd_authz_verdict *v, struct dockerd_error *err);
	/* SIGHUP: read own files again; on error the old rules stay. NULL: nothing to reload. */
	int32_t (*reload)(void *self, struct dockerd_error *err);
};

#ifdef __cplusplus
}
#endif

#endif
