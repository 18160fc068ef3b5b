/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization: asks the drivers and socket plugins of --authorization-plugin, in order, before a request is handled and before its reply is sent. Without any,
 * both calls are one comparison.
 */
#ifndef AUTHZ_AUTHZ_H
#define AUTHZ_AUTHZ_H

#include "base/error.h"
#include "config/config.h"
#include "http/http.h"

int authz_init(const struct config *c, const char *exec_root, struct error *err);
bool authz_active(void);
/*
 * Request phase: `route` is "METHOD /pattern". Reads a JSON body of at most 1 MiB (with socket plugins: 4 MiB) ahead (the handler gets the same bytes). -1: denied
 * (ERR_DENIED, moby's words), an error, or a time-out.
 */
int authz_request(struct http_exchange *x, const char *route, struct error *err);
/* Response phase, before anything is sent. body NULL: a stream, or a connection that is about to be taken over. */
int authz_response(struct http_exchange *x, const char *route, int status, const char *content_type,
		   const char *body, size_t len, struct error *err);
/* SIGHUP. */
void authz_reload(void);

#endif
