/* SPDX-License-Identifier: Apache-2.0 */
/* Dockerfile instructions given with import and commit ("CMD [...]", "ENV A=b"), applied to an image's config object. Pure. */
#ifndef IMAGE_CHANGES_H
#define IMAGE_CHANGES_H

#include "base/error.h"
#include "base/json.h"

/* `base` (NULL: empty) with the changes, printed as moby's container config into out. ERR_INVALID for what is not allowed. */
int changes_apply(const json *base, const struct strlist *changes, struct str *out,
		  struct error *err);
/* The config of no container. */
void changes_empty_container(struct str *out);

#endif
