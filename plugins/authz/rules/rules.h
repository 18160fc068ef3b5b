/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization driver `rules`: its rules in memory. Immutable once read; rules.c guards which ones are in force. */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include <dockerd/authz.h>

#include "base/json.h"

enum phase { PHASE_REQUEST, PHASE_RESPONSE };

/* A rule's conditions are the nodes of its JSON text, checked once when the file is read; NULL: no condition. */
struct rule {
	char *name, *message;
	bool allow;
	enum phase phase;
	const json *user, *tls_name, *auth_method, *method, *route, *uid, *gid, *header, *body,
	    *body_state, *status;
};

struct rule_set {
	json *tree; /* owns what the rules point into */
	bool default_allow, has_response;
	struct rule *rules;
	size_t n;
};

/* Read and check a file. Errors name file, line and what is wrong. */
struct rule_set *rules_read(const char *path, struct error *err);
void rules_free(struct rule_set *s);

/* The first rule that matches; NULL: the default decides. */
const struct rule *rules_match(const struct rule_set *s, const struct dockerd_authz_request *r,
			       enum phase phase);
/* Names of DOCKERD_AUTHZ_BODY_*. */
const char *rules_body_state_name(uint32_t state);

#endif
