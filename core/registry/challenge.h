/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate (RFC 9110, 11.6.1; RFC 6750, 3): what a registry asks for. Pure; its input is hostile. */
#ifndef REGISTRY_CHALLENGE_H
#define REGISTRY_CHALLENGE_H

#include <stdbool.h>

#include "base/str.h"

struct challenge {
	bool basic, bearer;
	/* of bearer; NULL: not given */
	char *realm, *service, *scope;
};

void challenge_free(struct challenge *c);
/* Adds what one header field says; it may hold several challenges. What is malformed is left out. */
void challenge_parse(const char *field, struct challenge *out);
/* name=value, percent-encoded, behind '?' or '&'. */
void query_add(struct str *url, const char *name, const char *value);

#endif
