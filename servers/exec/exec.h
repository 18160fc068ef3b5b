/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd-exec: what its files share. A short-lived, single-threaded process between a shim and an exec driver: it reads
 * the container's configuration from the run directory, loads the driver, runs one operation (create and start count as one), answers, ends.
 */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include <dockerd/exec.h>

#include "base/error.h"
#include "plugin/plugin.h"
#include "proto/msg.h"
#include "proto/shim.h"

/* Everything read from the run directory; strings point into `config`. */
struct run {
	int sock, dir;
	struct msg config;
	struct str seccomp;
	const struct plugin *plugin;
	const struct plugin *ahead; /* loaded before anybody asked, or NULL */
	const char *ahead_path;     /* by this name */
	struct plugin_instance instance;
	struct dockerd_container container;
};

/* config.c: read the configuration and fill container (descriptors of the request excepted). Cleaning up needs no profile. */
int run_load(struct run *r, bool with_seccomp, struct error *err);
/*
 * driver.c: load and open the driver that the configuration names. It was probed when the daemon started. Its calls are not guarded: this
 * process is single-threaded, and the daemon waits for it with a deadline of its own.
 */
int driver_open(struct run *r, struct error *err);
/* Error of a driver's op; returns -1. */
int driver_fail(const struct run *r, const char *op, const struct dockerd_error *from,
		struct error *to);
/* oom.c: descriptors by which the shim notices that memory ran out in `cgroup`; both -1 if the host can't tell. */
void oom_watch(const char *cgroup, int *notify, int *counter);

#endif
