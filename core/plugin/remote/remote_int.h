/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the socket-plugin client share, and its tests see. */
#ifndef PLUGIN_REMOTE_REMOTE_INT_H
#define PLUGIN_REMOTE_REMOTE_INT_H

#include <stddef.h>
#include <stdint.h>

#include "plugin/remote/remote.h"

/* ---- discover.c: nothing is asked */

/* A name that may be part of a path: moby's plugin names. */
bool remote_name_ok(const char *name);
/* "unix:///...", "tcp://...": malloc'ed. NULL with ERR_NOT_FOUND, or with what is wrong with its file. */
char *remote_address(const char *name, struct error *err);
/* Names of all that the directories hold, sorted, each once. */
void remote_scan(struct strlist *names);

/* ---- http.c: one request on a connection of its own */

#define REMOTE_REPLY_MAX (16U * 1024 * 1024)

struct remote_reply {
	int status;
	struct str body;
};
/*
 * POST body to /PATH of the server at address. Errors are in the words of Go's client, err->sys is set. *again: it was not reached, or went away
 * without a reply, so that another try may help.
 */
int remote_post(const char *address, const char *path, const struct str *body, int seconds,
		struct remote_reply *out, bool *again, struct error *err);

#endif
