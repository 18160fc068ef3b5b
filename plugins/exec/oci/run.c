/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of the runtime program. It dies with dockerd-exec, which dies with the shim; since that takes a moment, its number is on record for whoever
 * cleans up. It gets no descriptor but 0, 1, 2, and an environment of a PATH.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/procstat.h"
#include "oci.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD "runtime"
#define LOG_MAX (1 << 20)
#define STATE_DIR "state"

static char *state_path(const struct dockerd_container *c, struct error *err)
{
	char link[32], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", c->state_fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0) {
		error_sys(err, errno, "path of the state directory");
		return NULL;
	}
	path[n] = '\0';
	return xstrdup(path);
}

char *call_file(const char *what)
{
	return xasprintf("%s-%d", what, (int)getpid());
}

char *call_path(const struct dockerd_container *c, const char *what, struct error *err)
{
	auto_free char *dir = state_path(c, err);

	return dir ? *what ? xasprintf("%s/%s-%d", dir, what, (int)getpid()) : xstrdup(dir) : NULL;
}

void call_remove(const struct dockerd_container *c, const char *what)
{
	auto_free char *name = call_file(what);

	unlinkat(c->state_fd, name, 0);
}

/* ---- What it says ----------------------------------------------------------------------------------------------------------------- */

static bool says(const char *text, const char *words)
{
	return strcasestr(text, words) != NULL;
}

/* As moby's daemon tells these apart: by the words. */
static enum error_kind kind_of(const char *text)
{
	if (says(text, "executable file") || says(text, "no such file or directory"))
		return ERR_NO_COMMAND;
	if (says(text, "permission denied") || says(text, "is a directory") ||
	    says(text, "open executable: operation not permitted")) /* crun, of a directory */
		return ERR_NO_PERMISSION;
	if (says(text, "does not exist") || says(text, "container not running") ||
	    says(text, "stopped container") || says(text, "is not running"))
		return ERR_NOT_FOUND;
	return ERR_SYSTEM;
}

/* The last message of level error in the log, one JSON object a line. */
static void read_log(const struct dockerd_container *c, struct str *out)
{
	auto_free char *name = call_file("log");
	auto_str text = STR_INIT;
	auto_strlist lines = STRLIST_INIT;
	struct error ignored;

	if (file_read_at(c->state_fd, name, LOG_MAX, &text, &ignored) < 0)
		return;
	strlist_split(&lines, str_cstr(&text), '\n');
	for (size_t i = lines.n; i-- > 0 && !out->len;) {
		auto_json *entry = json_parse(lines.v[i], strlen(lines.v[i]), &ignored);

		if (streq(json_get_str(entry, "level", ""), "error") ||
		    streq(json_get_str(entry, "level", ""), "fatal"))
			str_puts(out, json_get_str(entry, "msg", ""));
	}
}

static void read_output(int fd, struct str *out)
{
	char text[900];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	if (n > 0)
		str_add(out, text, (size_t)n);
}

static int failed(const struct oci *o, const struct dockerd_container *c, int status, int output,
		  struct error *err)
{
	auto_str said = STR_INIT;

	read_log(c, &said);
	if (!said.len && output >= 0)
		read_output(output, &said);
	if (said.len)
		return error_set(err, kind_of(str_cstr(&said)), "%s", str_cstr(&said));
	/* moby's words */
	return error_set(err, ERR_SYSTEM, "%s did not terminate successfully: %s %d", o->path,
			 WIFSIGNALED(status) ? "signal" : "exit status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* ---- Running it ------------------------------------------------------------------------------------------------------------------- */

static void command_line(const struct oci *o, const char *dir, const char *log,
			 const struct strlist *command, struct strlist *out)
{
	strlist_add(out, o->path);
	strlist_copy(out, &o->args);
	strlist_add(out, "--root");
	strlist_printf(out, "%s/" STATE_DIR, dir);
	strlist_add(out, "--log");
	strlist_add(out, log);
	strlist_add(out, "--log-format");
	strlist_add(out, "json");
	strlist_copy(out, command);
}

static bool put_record(int dir)
{
	char text[64];
	int fd = openat(dir, RECORD, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), n;

	n = snprintf(text, sizeof(text), "%d %" PRIu64 "\n", (int)getpid(),
		     proc_start_time(getpid()));
	return fd >= 0 && write(fd, text, (size_t)n) == n;
}

/* In the child. fds: what become 0, 1, 2. */
static _Noreturn void become(const struct oci *o, const struct dockerd_container *c, pid_t parent,
			     const int fds[3], char *const *argv, int say)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *env[] = {path, NULL};
	int high[3], why;

	for (int i = 0; i < 3; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		if (high[i] < 0 || dup2(high[i], i) < 0)
			goto fail;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || !put_record(c->state_fd))
		goto fail;
	FAULT("oci.runtime.recorded");
	execve(o->path, argv, env);
fail:
	why = errno;
	if (write(say, &why, sizeof(why)) < 0)
		_exit(126);
	_exit(127);
}

/* Go's words, which clients look for. */
static void no_program(const struct oci *o, int why, struct error *err)
{
	if (why == ENOENT)
		error_set(err, ERR_NO_COMMAND, "fork/exec %s: no such file or directory", o->path);
	else if (why == EACCES)
		error_set(err, ERR_NO_PERMISSION, "fork/exec %s: permission denied", o->path);
	else
		error_sys(err, why, "fork/exec %s", o->path);
}

static pid_t start(const struct oci *o, const struct dockerd_container *c, const int fds[3],
		   const struct strlist *argv, struct error *err)
{
	int say[2], why = 0;
	pid_t parent = getpid(), pid;

	if (pipe2(say, O_CLOEXEC) < 0)
		return error_sys(err, errno, "pipe");
	pid = fork();
	if (pid == 0)
		become(o, c, parent, fds, argv->v, say[1]);
	close(say[1]);
	if (pid < 0)
		error_sys(err, errno, "fork");
	else if (fd_read_full(say[0], &why, sizeof(why)) == sizeof(why)) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		pid = -1;
		no_program(o, why, err);
	}
	close(say[0]);
	return pid;
}

static int run(const struct oci *o, const struct dockerd_container *c, const struct strlist *argv,
	       const struct dockerd_stdio *io, int null, int output, struct error *err)
{
	int fds[3] = {null, output, output}, status;
	pid_t pid;

	if (io && !io->terminal) {
		fds[0] = io->in < 0 ? null : io->in;
		fds[1] = io->out < 0 ? null : io->out;
		fds[2] = io->err < 0 ? null : io->err;
		output = -1; /* it is the container's */
	}
	pid = start(o, c, fds, argv, err);
	if (pid < 0)
		return -1;
	FAULT("oci.runtime.started");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_sys(err, errno, "wait for %s", o->path);
	unlinkat(c->state_fd, RECORD, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return failed(o, c, status, output, err);
}

int runtime_run(const struct oci *o, const struct dockerd_container *c,
		const struct strlist *command, const struct dockerd_stdio *io, struct error *err)
{
	auto_free char *dir = call_path(c, "", err), *log = dir ? call_path(c, "log", err) : NULL;
	auto_strlist argv = STRLIST_INIT;
	auto_close null = open("/dev/null", O_RDWR | O_CLOEXEC),
		   output = memfd_create("oci", MFD_CLOEXEC);
	int r;

	if (!log)
		return -1;
	if (null < 0 || output < 0)
		return error_sys(err, errno, "descriptors for %s", o->path);
	command_line(o, dir, log, command, &argv);
	r = run(o, c, &argv, io, null, output, err);
	call_remove(c, "log");
	return r;
}

void runtime_stop(const struct dockerd_container *c)
{
	auto_str text = STR_INIT;
	struct error ignored;
	struct pollfd p;
	uint64_t start_time;
	auto_close fd = -1;
	int pid;

	if (file_read_at(c->state_fd, RECORD, 64, &text, &ignored) < 0 ||
	    sscanf(str_cstr(&text), "%d %" SCNu64, &pid, &start_time) != 2)
		return;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* opened before it is compared: from here on the descriptor can't change its process */
	if (fd >= 0 && proc_start_time(pid) == start_time) {
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
		p = (struct pollfd){.fd = fd, .events = POLLIN};
		poll(&p, 1, 10000);
	}
	unlinkat(c->state_fd, RECORD, 0);
}
