/* SPDX-License-Identifier: Apache-2.0 */
/* The pid file. A stale one (no such process, or one that is no dockerd: the number was reused) is replaced. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "main/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* By its executable: a process that has ended and is not reaped yet has a name but no executable. */
static bool is_dockerd(pid_t pid)
{
	auto_free char *path = xasprintf("/proc/%d/exe", (int)pid);
	char exe[4096];
	ssize_t n;

	if (pid == getpid() || (kill(pid, 0) < 0 && errno == ESRCH))
		return false;
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0)
		return false;
	exe[n] = '\0';
	return str_after(path_base(exe), "dockerd") != NULL;
}

int pidfile_write(const char *path, struct error *err)
{
	struct error missing = ERROR_INIT;
	auto_str old = STR_INIT;
	auto_free char *dir = NULL;
	char text[16];
	int n;

	if (!*path)
		return 0;
	if (file_read_at(AT_FDCWD, path, 64, &old, &missing) == 0) {
		pid_t pid = (pid_t)atoi(str_cstr(&old));

		if (pid > 0 && is_dockerd(pid))
			return error_set(err, ERR_CONFLICT, "process with PID %d is still running",
					 (int)pid);
	}
	dir = xstrndup(path, (size_t)(path_base(path) - path));
	if (*dir && dir_make_all(AT_FDCWD, dir, 0755, err) < 0)
		return -1;
	n = snprintf(text, sizeof(text), "%d", (int)getpid());
	return file_write_atomic(AT_FDCWD, path, text, (size_t)n, 0644, false, err);
}

void pidfile_remove(const char *path)
{
	struct error err = ERROR_INIT;
	auto_str text = STR_INIT;

	/* not another one's */
	if (*path && file_read_at(AT_FDCWD, path, 64, &text, &err) == 0 &&
	    atoi(str_cstr(&text)) == (int)getpid())
		unlink(path);
}
