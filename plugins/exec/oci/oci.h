/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oci exec driver: what its files share. It writes the daemon's specification as an OCI bundle and lets a runtime program (runc, crun, ...) make
 * the container. The runtime is a short-lived child of dockerd-exec; what it leaves behind becomes the shim's child, because the shim is the next
 * subreaper above.
 *
 *	oci.c      descriptor and ops        create.c  create, and exec sessions
 *	bundle.c   config.json               run.c     the runtime program: one call of it, what it says when it fails
 *
 * In the container's state directory: config.json (the bundle is the directory itself), `state` (the runtime's --root), `cgroup` (see
 * ../common/cgroup.h), `runtime` (the runtime program that is under way), and while a call lasts pid-N, log-N, process-N, console-N, N being
 * dockerd-exec's process number. All of it goes with the directory.
 *
 * Everything runs in dockerd-exec, single-threaded.
 */
#ifndef OCI_OCI_H
#define OCI_OCI_H

#include <dockerd/exec.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

struct oci {
	char *path;          /* of the runtime program, absolute */
	struct strlist args; /* before its command */
};

/* ---- run.c */
/* A file of this call's own in the state directory, "pid-N"; malloc'ed. */
char *call_file(const char *what);
/* The same as a path for the runtime; malloc'ed. */
char *call_path(const struct dockerd_container *c, const char *what, struct error *err);
void call_remove(const struct dockerd_container *c, const char *what);
/*
 * Run "RUNTIME ARGS --root .. --log .. COMMAND" to its end. io: the descriptors that become those of the container's process; NULL: none. Fails with what
 * the runtime wrote to its log, or else to its standard error.
 */
int runtime_run(const struct oci *o, const struct dockerd_container *c,
		const struct strlist *command, const struct dockerd_stdio *io, struct error *err);
/* One that an earlier dockerd-exec was killed over: end it, and wait until it is gone. */
void runtime_stop(const struct dockerd_container *c);

/* ---- bundle.c: config.json from the daemon's specification; also the cgroup's path on record. */
int bundle_write(const struct dockerd_container *c, struct error *err);
/* Does the specification make a network namespace? After bundle_write. */
bool bundle_has_network(const struct dockerd_container *c);

/* ---- create.c */
int oci_create(const struct oci *o, const struct dockerd_container *c,
	       const struct dockerd_stdio *io, struct dockerd_created *out, struct error *err);
int oci_session(const struct oci *o, const struct dockerd_container *c, const char *process,
		size_t len, const struct dockerd_stdio *io, struct dockerd_created *out,
		struct error *err);

#endif
