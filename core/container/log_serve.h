/* SPDX-License-Identifier: Apache-2.0 */
/* Logs to clients: docker logs, and the past output of attach --logs. */
#ifndef CONTAINER_LOG_SERVE_H
#define CONTAINER_LOG_SERVE_H

#include "container/container_int.h"

/*
 * The log so far, to a hijacked socket: whatever is in it and was not sent yet, by each call. To the end, and once more when nothing can be added.
 * Calls block: the client may be slow. 0, or -1 when the client is gone or the log can't be read.
 */
struct log_past;
struct log_past *log_past_open(struct container *c, int sock, bool want_out, bool want_err,
			       bool multiplexed, struct error *err);
int log_past_send(struct log_past *p, struct error *err);
void log_past_close(struct log_past *p);

#endif
