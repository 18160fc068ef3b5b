/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting our own helper programs with posix_spawn(3): no fork of a threaded process, no inherited descriptor but those named,
 * default signal dispositions, empty signal mask.
 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct spawn {
	const char *path;        /* program, absolute */
	const char *const *argv; /* NULL-terminated */
	const char *const *envp; /* NULL: empty but for what our own programs read (spawn.c) */
	const int *fds;          /* fds[i] becomes descriptor i in the child; -1: /dev/null */
	size_t n_fds;            /* at least 3 */
	bool new_session;        /* setsid(2) */
	bool many_files;         /* gets our raised limit of descriptors, too */
};

/*
 * Raise our limit of file descriptors to what is allowed. Children get the one that we were started with, for it reaches into containers.
 * Once, before threads.
 */
void spawn_raise_file_limit(void);
/* pid, or -1 with err. The caller reaps it (waitpid or pidfd). */
pid_t spawn_program(const struct spawn *s, struct error *err);

#endif
