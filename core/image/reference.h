/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to images: [domain/]path[:tag][@digest]. Grammar, normalisation ("busybox" is docker.io/library/busybox) and error texts are
 * those of the distribution project's reference package, which every client knows. Pure.
 */
#ifndef IMAGE_REFERENCE_H
#define IMAGE_REFERENCE_H

#include <stdbool.h>

#include "base/error.h"

struct reference {
	char *name;         /* with domain: "docker.io/library/busybox" */
	char *tag, *digest; /* NULL: not given */
};

void reference_free(struct reference *r);
#define auto_reference __attribute__((cleanup(reference_free))) struct reference
/* -1 with ERR_INVALID: "invalid reference format", ... */
int reference_parse(const char *text, struct reference *out, struct error *err);
/* Tag "latest" if there is neither tag nor digest. */
void reference_default_tag(struct reference *r);
/* Short forms as people write them; malloc'ed: "busybox", "busybox:1". */
char *reference_familiar_name(const struct reference *r);
char *reference_familiar(const struct reference *r);
/* name[:tag][@digest] in full; malloc'ed. */
char *reference_string(const struct reference *r);
/* "algorithm:hex" that is well-formed and whose length fits the algorithm. */
bool digest_valid(const char *text);
/* 64 hexadecimal digits and nothing else. */
bool is_full_id(const char *text);

#endif
