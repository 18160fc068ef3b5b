/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives through requests and replies: the room that makes or takes one works on a pipe in a thread of its own, while the worker that has the
 * connection feeds or drains it. So rooms know nothing of HTTP, and no archive is ever held in memory.
 */
#ifndef API_PIPE_H
#define API_PIPE_H

#include "http/http.h"

/* The request's body goes to `consume`, which may stop reading early. Its result. */
int api_upload(struct http_exchange *x, int (*consume)(int fd, void *ctx, struct error *err),
	       void *ctx, struct error *err);
/*
 * Reply with what `produce` writes, status 200. An error before the first byte gets its status; after it the reply is cut off. `produce` sees
 * EPIPE when the client has gone.
 */
void api_download(struct http_exchange *x, const char *content_type,
		  int (*produce)(int fd, void *ctx, struct error *err), void *ctx);

#endif
