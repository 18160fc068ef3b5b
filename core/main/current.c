/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration in force. Old ones are never freed: a reload is rare, a reader's pointer must stay good. */
#include "main/daemon.h"

#include <stdatomic.h>

static _Atomic(struct config *) current;

const struct config *daemon_config(void)
{
	return atomic_load(&current);
}

void daemon_config_set(struct config *c)
{
	atomic_store(&current, c);
}
