/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by validate.c and validate_resources.c. */
#ifndef SPEC_VALIDATE_INT_H
#define SPEC_VALIDATE_INT_H

#include "spec/spec_int.h"

/* Limits against each other and against the host. */
int validate_resources(const json *host_config, const struct spec_host *h, struct strlist *warnings,
		       struct error *err);
/* Proportional weights of block devices can be set here. */
bool host_has_blkio_weight(const struct spec_host *h);

#endif
