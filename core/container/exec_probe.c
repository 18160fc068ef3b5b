/* SPDX-License-Identifier: Apache-2.0 */
/* Exec sessions of health checks: no client, no stream in logd; what they say comes by a pipe. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "container/exec_int.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Process with stdout and stderr in the pipe `to`. */
static int launch_probe(struct container *c, struct exec_session *e, int to, pid_t *pid,
			struct error *err)
{
	auto_free char *dir = container_run_dir(c->id);
	struct shim_stdio stdio = {.child = {-1, to, to}, .held = {-1, -1, -1}};
	struct exec_fds f = EXEC_FDS_NONE;
	auto_str process = STR_INIT;
	int r;

	if (exec_build_process(c, e, &process, err) < 0)
		return -1;
	r = shim_exec(dir, e->id, str_cstr(&process), &stdio, &f.created, err);
	*pid = f.created.pid;
	exec_fds_close(&f);
	return r;
}

struct exec_session *exec_probe(struct container *c, const struct strlist *command, int *out,
				struct error *err)
{
	struct exec_session *e;
	int p[2] = {-1, -1}, r;
	pid_t pid;

	if (exec_check_running(c, c->id, err) < 0)
		return NULL;
	e = xnew(struct exec_session);
	strlist_copy(&e->cmd, command);
	e->user = xstrdup("");
	e->working_dir = xstrdup("");
	e->detach_keys = xstrdup("");
	e->probe = e->attach_stdout = e->attach_stderr = true;
	e->started = e->launching = true;
	e->users = 1;
	exec_publish(c, e);
	r = pipe2(p, O_CLOEXEC) < 0 ? error_sys(err, errno, "pipe")
				    : launch_probe(c, e, p[1], &pid, err);
	fd_close(&p[1]);
	if (r < 0) {
		fd_close(&p[0]);
		exec_launch_failed(c, e, err);
		exec_put(c, e);
		return NULL;
	}
	exec_launched(c, e, pid);
	*out = p[0];
	return e;
}

void exec_probe_done(struct container *c, struct exec_session *e)
{
	exec_put(c, e);
}
