/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exec driver as one around a foreign tool would be (lxc): a monitor stands between the shim and the container's process, and passes its
 * exit code on. It confines nothing; it shows that wait_pid is enough for such a driver.
 */
#include <dockerd/exec.h>

#include "base/cleanup.h"
#include "base/json.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int go = -1; /* between create and start */

static int32_t open_driver(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	static int instance;

	(void)args;
	(void)err;
	*self = &instance;
	return 0;
}

static void close_driver(void *self)
{
	(void)self;
}

/* The container's process: waits for the word, then runs the program. */
static _Noreturn void run(const struct dockerd_container *c, const struct dockerd_stdio *io,
			  int word)
{
	struct error err = ERROR_INIT;
	json *doc = json_parse(c->spec, (size_t)c->spec_length, &err);
	char *argv[16] = {NULL}, b;
	int n = 0;

	for (json *a = json_first(json_get(json_get(doc, "process"), "args")); a && n < 15;
	     a = json_next(a))
		argv[n++] = (char *)json_str(a, "");
	if (read(word, &b, 1) != 1 || fchdir(c->rootfs_fd) < 0 || chroot(".") < 0)
		_exit(128);
	dup2(io->in, 0);
	dup2(io->out, 1);
	dup2(io->err, 2);
	execvp(argv[0], argv);
	_exit(127);
}

/* Stays as the shim's child until the container's process has ended, and ends as it did. */
static _Noreturn void monitor(const struct dockerd_container *c, const struct dockerd_stdio *io,
			      int word, int report)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		run(c, io, word);
	if (write(report, &pid, sizeof(pid)) != sizeof(pid))
		_exit(128);
	/* Nobody waits for the ends of these while we live. */
	syscall(SYS_close_range, 0U, ~0U, 0U);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		kill(getpid(), WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}

static int32_t create(void *self, const struct dockerd_container *c, const struct dockerd_stdio *io,
		      struct dockerd_created *out, struct dockerd_error *err)
{
	int word[2], report[2];
	pid_t pid, child;

	(void)self;
	if (pipe(word) < 0 || pipe(report) < 0)
		return dockerd_fail_errno(err, errno, "pipe");
	pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return dockerd_fail_errno(err, errno, "clone");
	if (pid == 0) {
		close(word[1]);
		monitor(c, io, word[0], report[1]);
	}
	close(word[0]);
	close(report[1]);
	if (read(report[0], &child, sizeof(child)) != sizeof(child))
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "the monitor died");
	close(report[0]);
	go = word[1];
	out->pid = (uint32_t)child;
	if (DOCKERD_HAS_FIELD(out, wait_pid))
		out->wait_pid = (uint32_t)pid;
	return 0;
}

static int32_t start(void *self, const struct dockerd_container *c, struct dockerd_error *err)
{
	(void)self;
	(void)c;
	if (write(go, "", 1) != 1)
		return dockerd_fail_errno(err, errno, "start");
	return 0;
}

static int32_t destroy(void *self, const struct dockerd_container *c, struct dockerd_error *err)
{
	(void)self;
	(void)c;
	(void)err;
	return 0;
}

static const struct dockerd_exec_ops ops = {
    .common = {.size = sizeof(ops), .open = open_driver, .close = close_driver},
    .create = create,
    .start = start,
    .destroy = destroy,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_EXEC, .name = "monitored", .version = "1",
	       .description = "test: a monitor between shim and container",
	       .concurrency = DOCKERD_PER_OBJECT, .ops = &ops.common);
