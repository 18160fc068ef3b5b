/* SPDX-License-Identifier: Apache-2.0 */
/* What shim_client.c and shim_launch.c share. */
#ifndef CONTAINER_SHIM_CALL_H
#define CONTAINER_SHIM_CALL_H

#include "container/shim_client.h"
#include "proto/msg.h"
#include "proto/shim.h"

/* The first request on a connection, greeting and request in one. */
int shim_first_call(int sock, const struct msg *request, struct msg *reply, int timeout_ms,
		    struct error *err);
/* One request over a connection of its own. ERR_NOT_FOUND, ERR_CANCELLED: no shim there, it went away. */
int shim_call(const char *dir, const struct msg *request, struct msg *reply, struct error *err);
/* The held ends are put last: the shim cuts them off. */
int shim_put_stdio(struct msg *m, const struct shim_stdio *io, struct error *err);
void shim_take_created(struct msg *reply, struct shim_created *out);

#endif
