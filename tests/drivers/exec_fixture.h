/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests and benches of exec drivers need: a root made from busybox, a spec as the daemon would make it, a container run through
 * shim_client. Everything lives below one temporary directory.
 */
#ifndef TESTS_EXEC_FIXTURE_H
#define TESTS_EXEC_FIXTURE_H

#include <stdbool.h>

#include "base/str.h"
#include "container/shim_client.h"

struct fixture {
	char dir[64];
	char root[96], cache[96];
	const char *driver;
	int root_fd;
	unsigned int counter;
};

/* Knobs of a spec; NULL and 0 are the usual. */
struct spec_options {
	const char *const *argv; /* NULL-terminated */
	bool terminal, host_pid, readonly_root;
	const char *extra_linux;   /* more members of "linux", with a leading comma */
	const char *extra_process; /* more members of "process", with a leading comma */
	const char *
	    resources; /* members of linux.resources behind the device rules, with a leading comma */
	const char *extra_mounts; /* more mounts, with a leading comma */
	const char *caps;         /* JSON array instead of the default set */
	const char *env, *cwd;
	unsigned int uid;
	pid_t join_pid; /* its pid namespace is joined */
};

/* A running or ended container. */
struct box {
	char id[65], dir[160];
	struct str spec;
	struct shim_create create;
	struct shim_created made;
	int in, out, events; /* our ends of stdin and of stdout+stderr; the subscription */
	int child_in, child_out;
	struct str output;
};

/* false: not root, or no busybox: skip. */
bool fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);
void fixture_spec(struct str *out, const char *id, const struct spec_options *o);
void fixture_process(struct str *out, const struct spec_options *o);
const char *fixture_seccomp(void);

/* Names and pipes; nothing runs yet. */
void box_init(struct fixture *f, struct box *b, const struct spec_options *o);
int box_create(struct box *b, struct error *err);
int box_start(struct box *b, struct error *err);
/* Read output to its end. */
void box_drain(struct box *b);
/* Block until the event (exec_id NULL: of the first process) comes; false: the shim died. */
bool box_wait(struct box *b, enum shim_event_type type, const char *exec_id, struct shim_event *ev);
void box_close(struct box *b);
int box_delete(struct box *b, struct error *err);
/* create, start, drain, wait, delete: the exit code, or -1 with err. */
int box_run(struct fixture *f, const struct spec_options *o, struct str *output, struct error *err);

#endif
