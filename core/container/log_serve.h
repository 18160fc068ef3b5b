/* SPDX-License-Identifier: Apache-2.0 */
/* Logs to clients: docker logs, and the past output of attach --logs. */
#ifndef CONTAINER_LOG_SERVE_H
#define CONTAINER_LOG_SERVE_H

#include "container/container_int.h"

/* Write the whole log so far to a hijacked socket; blocks. */
int log_serve_past(struct container *c, int sock, bool want_out, bool want_err, bool multiplexed,
		   struct error *err);

#endif
