/* SPDX-License-Identifier: Apache-2.0 */
/* Authorization plugins of the classic socket protocol. Source: docs.docker.com/engine/extend/plugins_authorization. */
#ifndef AUTHZ_REMOTE_H
#define AUTHZ_REMOTE_H

#include <dockerd/authz.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

/* Moby shows a plugin bodies up to this size, and refuses larger ones. */
#define AUTHZ_REMOTE_BODY_MAX (4 * 1024 * 1024)

/* Find and activate it; waits for one that is not up yet. Moby's words. */
int authz_remote_open(const char *name, struct error *err);
/* 0: allowed. ERR_DENIED with the plugin's reason; ERR_SYSTEM if it could not be asked, which is no permission either. May block. */
int authz_remote_ask(const char *name, const struct dockerd_authz_request *r, bool response,
		     struct error *err);
/* The question as it goes to the plugin (tests). */
void authz_remote_question(const struct dockerd_authz_request *r, bool response, struct str *out);

#endif
