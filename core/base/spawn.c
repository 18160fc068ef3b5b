/* SPDX-License-Identifier: Apache-2.0 */
/* See spawn.h. */
#include "base/spawn.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MAX_FDS 32

/* What our programs may need of the environment: where the build tree is, and the faults of a test. */
static const char *const kept_names[] = {"DOCKERD_LIBEXECDIR", "DOCKERD_DRIVER_PATH",
					 "DOCKERD_FAULT", "DOCKERD_WATCHDOG_MS"};

static const char *const *keep_env(const char *out[])
{
	size_t n = 0;

	for (char **e = environ; e && *e; e++)
		for (size_t i = 0; i < ARRAY_LEN(kept_names) && n < ARRAY_LEN(kept_names); i++) {
			size_t len = strlen(kept_names[i]);

			if (!strncmp(*e, kept_names[i], len) && (*e)[len] == '=')
				out[n++] = *e;
		}
	out[n] = NULL;
	return out;
}

static struct rlimit files_at_start; /* zero: never raised */

void spawn_raise_file_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur >= rl.rlim_max)
		return;
	files_at_start = rl;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

/*
 * The targets 0..n-1 may collide with the sources, so the sources are first duplicated above the range;
 * the duplicates are close-on-exec and vanish by themselves.
 */
pid_t spawn_program(const struct spawn *s, struct error *err)
{
	const char *kept_env[ARRAY_LEN(kept_names) + 1];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int high[MAX_FDS];
	auto_close null = -1;
	sigset_t set;
	pid_t pid = -1;
	int r = 0;
	size_t made = 0;

	if (s->n_fds > MAX_FDS)
		return error_set(err, ERR_SYSTEM, "spawn %s: too many descriptors", s->path);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return error_sys(err, errno, "open /dev/null");
	for (; made < s->n_fds; made++) {
		high[made] =
		    fcntl(s->fds[made] < 0 ? null : s->fds[made], F_DUPFD_CLOEXEC, MAX_FDS);
		if (high[made] < 0) {
			r = errno;
			goto close_high;
		}
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	for (size_t i = 0; i < s->n_fds && !r; i++)
		r = posix_spawn_file_actions_adddup2(&actions, high[i], (int)i);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigfillset(&set);
	sigdelset(&set, SIGKILL);
	sigdelset(&set, SIGSTOP);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						(s->new_session ? POSIX_SPAWN_SETSID : 0)));
	if (!r)
		r = posix_spawn(&pid, s->path, &actions, &attr, (char *const *)(uintptr_t)s->argv,
				(char *const *)(uintptr_t)(s->envp ? s->envp : keep_env(kept_env)));
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
close_high:
	while (made)
		close(high[--made]);
	if (r)
		return error_sys(err, r, "start %s", s->path);
	/* it starts nothing before we have asked it to */
	if (files_at_start.rlim_max && !s->many_files)
		prlimit(pid, RLIMIT_NOFILE, &files_at_start, NULL);
	return pid;
}
