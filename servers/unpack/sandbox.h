/* SPDX-License-Identifier: Apache-2.0 */
/* What is left to a process that reads other people's archives: few capabilities, few system calls. */
#ifndef UNPACK_SANDBOX_H
#define UNPACK_SANDBOX_H

#include <stdbool.h>

#include "base/error.h"

/* Irrevocable for this process. `pack` keeps CAP_SYS_ADMIN (to read trusted.* attributes); what it could do with it the filter denies. */
int sandbox_enter(bool pack, struct error *err);

#endif
