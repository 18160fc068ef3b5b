/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging a driver without loading it here: a short-lived process (this program, --dump-plugin) does it. For drivers that run elsewhere,
 * so that a wrong one is refused when the daemon starts, not when the first container does.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "plugin/plugin_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

int plugin_judge(uint32_t kind, const char *name, struct error *err)
{
	auto_free char *what = xasprintf("%s/%s", plugin_kind_name(kind), name);
	const char *argv[] = {"dockerd", "--dump-plugin", what, NULL};
	auto_close rd = -1, wr = -1;
	auto_str said = STR_INIT;
	int p[2], status;
	int fds[3];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_sys(err, errno, "pipe");
	rd = p[0];
	wr = p[1];
	fds[0] = fds[1] = -1;
	fds[2] = wr;
	pid = spawn_program(
	    &(struct spawn){.path = "/proc/self/exe", .argv = argv, .fds = fds, .n_fds = 3}, err);
	if (pid < 0)
		return -1;
	fd_close(&wr);
	if (file_read_fd(rd, 65536, &said, err) < 0)
		str_reset(&said);
	fd_close(&rd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	while (said.len && said.p[said.len - 1] == '\n')
		said.p[--said.len] = '\0';
	if (WIFSIGNALED(status))
		return error_set(err, ERR_INVALID,
				 "%s driver %s crashed while it was loaded (signal %d)",
				 plugin_kind_name(kind), name, WTERMSIG(status));
	return error_set(err, ERR_INVALID, "%s",
			 said.len ? said.p : "driver was refused without a reason");
}
