/* SPDX-License-Identifier: Apache-2.0 */
/* AppArmor, where the kernel has it: the profile of containers that name none. */
#ifndef CONTAINER_APPARMOR_H
#define CONTAINER_APPARMOR_H

#include <stdbool.h>

#include "base/error.h"

#define APPARMOR_DEFAULT \
	"docker-default" /* moby's name: what an operator has put in its place stays in force */

/* The kernel has it, and it is on. Cheap enough for each start. */
bool apparmor_enabled(void);
/*
 * Make sure that APPARMOR_DEFAULT is loaded; one that is there is left as it is. Runs apparmor_parser(8) if it is not. Also before each start that needs
 * it: upgrades of distributions unload profiles. Any thread.
 */
int apparmor_load_default(struct error *err);

#endif
