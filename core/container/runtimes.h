/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HostConfig.Runtime -> the exec driver that runs the container. "runc" is the daemon's own one; what `runtimes` of the configuration names is a program
 * that the exec driver oci calls.
 */
#ifndef CONTAINER_RUNTIMES_H
#define CONTAINER_RUNTIMES_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"
#include "config/config.h"

struct runtime {
	char *driver;  /* path of the exec driver's file */
	char *options; /* a JSON object of strings, or NULL */
	bool program;  /* it is not our own: its words for a failed creation stand alone */
};
#define RUNTIME_INIT              \
	{                         \
		NULL, NULL, false \
	}
void runtime_free(struct runtime *r);

/* By the configuration in force; "" is the daemon's own driver. ERR_SYSTEM in moby's words for what can't be run. */
int runtime_choose(const char *name, struct runtime *out, struct error *err);
/* Names that --runtime takes. */
void runtime_names(const struct config *c, struct strlist *out);
/* exec-opts as options of the daemon's exec driver: its key -> value. */
void runtime_exec_options(const struct config *c, struct pairs *out);

#endif
