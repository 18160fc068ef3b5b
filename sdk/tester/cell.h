/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container for the exec suite: the check is its parent, as dockerd-shim would be, and each operation runs in a helper process that opens the
 * driver afresh, as dockerd-exec would.
 */
#ifndef TESTER_CELL_H
#define TESTER_CELL_H

#include "kit.h"

#include <sys/types.h>

/* Answer of a helper, in memory shared with it. */
struct cell_answer {
	int32_t r;
	struct dockerd_error err;
	struct dockerd_created made;
};

struct cell {
	struct kit *k;
	char id[65];
	struct str spec;
	char *root, *dir, *cache;
	int root_fd, state_fd;
	int in, out; /* our ends of stdin, and of stdout and stderr; -1: none */
	int child_in, child_out;
	bool terminal;
	int console;        /* pty master */
	pid_t helper, init; /* helper: between create and start */
	bool ended;         /* init, with exit_code */
	int exit_code;
	int go, come;
	struct cell_answer *answer;
	char cgroup[1024];
};

/* A root with busybox; the check is skipped where there is none. argv: NULL-terminated. */
void cell_init(struct kit *k, struct cell *c, const char *const *argv, bool terminal);
/* In a helper. Result of the op as it left it in c->answer; the helper stays for cell_start or cell_drop. */
int32_t cell_create(struct cell *c);
int32_t cell_start(struct cell *c);
/* The other side is gone before the start: the helper undoes. */
void cell_drop(struct cell *c);
/* Create and start must succeed. */
void cell_run(struct cell *c);
/* An exec session: its pid is in c->answer->made. Output comes through c->out. */
int32_t cell_exec(struct cell *c, const char *const *argv);
enum cell_op { CELL_DESTROY, CELL_SIGNAL, CELL_PAUSE, CELL_RESUME, CELL_UPDATE };
int32_t cell_op(struct cell *c, enum cell_op op, int signo);
/* Output to its end, or `want` bytes. */
void cell_read(struct cell *c, struct str *out, size_t want);
/* Exit code of a process that is our child: 128+n for signals. */
int cell_wait(struct cell *c, pid_t pid);
/* Destroy must succeed; nothing of it may be left. */
void cell_end(struct cell *c);

#endif
