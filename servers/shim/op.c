/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver operations: each is one dockerd-exec process with a socket to us. The request is forwarded as it came; its answer goes
 * to the client that asked, after what must be remembered of it was recorded.
 *
 * A process that enters a container still maps dockerd-exec's file until it executes the user's program: the file is therefore executed
 * through a read-only mount that no mount namespace holds (or, on kernels before 5.12, from a sealed copy), so that nobody who
 * gets hold of /proc/PID/exe in there can write to the program of the host.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/spawn.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPEN_EXEC_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static int sealed_copy(const char *path, struct error *err)
{
	auto_close from = open(path, O_RDONLY | O_CLOEXEC),
		   to = memfd_create("dockerd-exec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char buf[4096];
	ssize_t n;

	if (from < 0 || to < 0)
		return error_sys(err, errno, "open %s", path);
	while ((n = fd_read_full(from, buf, sizeof(buf))) > 0)
		if (fd_write_all(to, buf, (size_t)n) < 0)
			return error_sys(err, errno, "copy %s", path);
	if (n < 0 || fcntl(to, F_ADD_SEALS, OPEN_EXEC_SEALS) < 0)
		return error_sys(err, errno, "copy %s", path);
	return steal_fd(&to);
}

/* Descriptor through which `path` can be executed but never written. open_tree(2), mount_setattr(2). */
static int open_program(const char *path, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
	auto_close tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC);

	if (tree >= 0 &&
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		return steal_fd(&tree);
	return sealed_copy(path, err);
}

static pid_t start_exec(struct shim *s, int sock, struct error *err)
{
	auto_free char *path = program_path("dockerd-exec");
	auto_close program = open_program(path, err);
	int fds[EXEC_FDS] = {-1, -1, -1, sock, s->dir};
	const char *argv[] = {"dockerd-exec", s->driver, NULL};
	char link[32];

	if (program < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", program);
	return spawn_program(
	    &(struct spawn){.path = link, .argv = argv, .fds = fds, .n_fds = EXEC_FDS}, err);
}

static struct op *op_new(struct shim *s, struct error *err)
{
	struct op *op;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		error_sys(err, errno, "socketpair");
		return NULL;
	}
	op = xnew(struct op);
	op->sock = pair[0];
	op->pid = start_exec(s, pair[1], err);
	close(pair[1]);
	if (op->pid < 0 || msg_hello_send(op->sock, PACKAGE_NAME "-shim " PACKAGE_VERSION,
					  EXEC_PROTOCOL_MIN, EXEC_PROTOCOL_MAX, err) < 0) {
		close(op->sock);
		if (op->pid > 0) {
			kill(op->pid, SIGKILL);
			waitpid(op->pid, NULL, 0);
		}
		free(op);
		return NULL;
	}
	op->next = s->ops;
	s->ops = op;
	return op;
}

static struct op *op_idle(struct shim *s)
{
	for (struct op *op = s->ops; op; op = op->next)
		if (op->idle && op->sock >= 0)
			return op;
	return NULL;
}

void op_ahead(struct shim *s)
{
	struct error err = ERROR_INIT;
	struct op *op = op_new(s, &err);

	if (op)
		op->idle = true;
}

int op_begin(struct shim *s, struct client *c, struct msg *m, struct proc *proc, struct error *err)
{
	struct proc *init = proc_find(s, NULL);
	struct op *op = m->type == SHIM_CREATE ? op_idle(s) : NULL;

	if (m->type != SHIM_CREATE && init && init->pid && !init->ended)
		msg_put_u32(m, TAG_INIT_PID, (uint32_t)init->pid);
	if (!op)
		op = op_new(s, err);
	if (!op)
		return -1;
	op->idle = false;
	op->type = m->type;
	op->client = c;
	op->seq = m->seq;
	op->proc = proc;
	/* the request goes right behind the hello: both are read when dockerd-exec is up */
	if (msg_send(op->sock, m, err) == 0)
		return 0;
	/* it is gone, or goes when it sees the closed socket */
	op->client = NULL;
	op->proc = NULL;
	op->type = 0;
	fd_close(&op->sock);
	return -1;
}

void op_destroy(struct shim *s)
{
	struct error err = ERROR_INIT;
	auto_msg m = {0};

	/* not beside another operation, nor behind the back of a creation that waits for its start: then who asked for that deletes */
	if (!s->ended || s->destroyed || op_running(s))
		return;
	for (const struct op *op = s->ops; op; op = op->next)
		if (op->sock >= 0)
			return;
	if (*s->cgroup && cgroup_remove(s->cgroup)) {
		s->destroyed = true;
		return;
	}
	s->ended = false; /* once: if it fails, the daemon's request is the second try */
	msg_init(&m, SHIM_DELETE);
	op_begin(s, NULL, &m, NULL, &err);
}

int op_continue(struct shim *s, struct op *op, struct client *c, struct msg *m, struct error *err)
{
	(void)s;
	op->type = m->type;
	op->client = c;
	op->seq = m->seq;
	return msg_send(op->sock, m, err);
}

struct op *op_of_pid(struct shim *s, pid_t pid)
{
	for (struct op *op = s->ops; op; op = op->next)
		if (op->pid == pid)
			return op;
	return NULL;
}

bool op_running(const struct shim *s)
{
	for (const struct op *op = s->ops; op; op = op->next)
		if (op->sock >= 0 && op->type)
			return true;
	return false;
}

/* Forget operations whose process is reaped and answered. */
void op_sweep(struct shim *s)
{
	for (struct op **at = &s->ops; *at;) {
		struct op *op = *at;

		if (op->sock < 0 && !op->pid) {
			*at = op->next;
			free(op);
		} else {
			at = &op->next;
		}
	}
}

static void answer(struct op *op, struct msg *m)
{
	struct error err;

	m->seq = op->seq;
	if (op->client && msg_send(op->client->fd, m, &err) < 0)
		op->client->closed = true;
	op->client = NULL;
}

static void fail(struct shim *s, struct op *op, const struct error *e)
{
	if (op->client)
		client_reply_error(op->client, op->seq, e);
	op->client = NULL;
	/* A first process that was never made leaves `created` unset: the client deletes. */
	if (op->proc && !op->proc->pid)
		proc_free(s, op->proc);
	op->proc = NULL;
}

static void keep_cgroup(struct shim *s, const struct msg *m)
{
	const char *path = msg_get_str(m, TAG_CGROUP);

	/* one that does not fit is left to the driver's destroy */
	if (path && strlen(path) < sizeof(s->cgroup) && msg_get_u32(m, TAG_JUST_CGROUP, 0))
		snprintf(s->cgroup, sizeof(s->cgroup), "%s", path);
}

/* The driver has made a process. */
static void process_made(struct shim *s, struct op *op, struct msg *m)
{
	struct proc *p = op->proc;
	int console;

	op->proc = NULL;
	proc_runs(p, (pid_t)msg_get_u32(m, TAG_PID, 0), msg_get_u64(m, TAG_START_TIME, 0),
		  (pid_t)msg_get_u32(m, TAG_WAIT_PID, 0));
	console = msg_take_fd(m, TAG_CONSOLE);
	if (console >= 0) { /* a copy stays with us */
		p->console = fcntl(console, F_DUPFD_CLOEXEC, 3);
		m->fds[msg_get_u32(m, TAG_CONSOLE, 0)] = console;
	}
	if (op->type == SHIM_CREATE) {
		s->oom_notify = msg_take_fd(m, TAG_OOM_NOTIFY);
		s->oom_counter = msg_take_fd(m, TAG_OOM_COUNTER);
		s->created = true;
		keep_cgroup(s, m);
		msg_trim(m);
	}
	FAULT("shim.op.made");
	journal_add(s, op->type == SHIM_CREATE ? SHIM_EVENT_CREATED : SHIM_EVENT_EXEC_STARTED, p, 0,
		    0);
	proc_ended_early(s, p);
}

static void finish(struct op *op)
{
	fd_close(&op->sock);
	op->type = 0;
}

/* What dockerd-exec says. A create that worked keeps the operation open for the start. */
void op_readable(struct shim *s, struct op *op)
{
	auto_msg m = {0};
	struct error err = ERROR_INIT;
	bool wait_start;

	if (msg_recv(op->sock, &m, -1, &err) != 1) {
		if (op->pid > 0 && waitpid(op->pid, &op->status, 0) == op->pid)
			op->pid = 0;
		error_set(&err, ERR_SYSTEM, "the exec driver's process ended early (%s %d)",
			  WIFSIGNALED(op->status) ? "signal" : "status",
			  WIFSIGNALED(op->status) ? WTERMSIG(op->status) : WEXITSTATUS(op->status));
		fail(s, op, &err);
		finish(op);
		return;
	}
	if (m.type == MSG_ERROR)
		msg_to_error(&m, &err);
	else if (!op->version)
		msg_hello_agree(&m, EXEC_PROTOCOL_MIN, EXEC_PROTOCOL_MAX, &op->version, &err);
	if (err.kind) {
		fail(s, op, &err);
		finish(op);
		return;
	}
	if (m.type == MSG_HELLO)
		return;
	wait_start = op->type == SHIM_CREATE;
	if (op->type == SHIM_START)
		journal_add(s, SHIM_EVENT_STARTED, proc_find(s, NULL), 0, 0);
	if (op->type == SHIM_DELETE) {
		/* Nothing of the container may be left when the answer is out. */
		if (op->pid > 0 && waitpid(op->pid, NULL, 0) == op->pid)
			op->pid = 0;
		s->destroyed = true;
		s->done = op->client != NULL;
	}
	if (m.type == SHIM_CREATED && op->proc) {
		process_made(s, op, &m);
		FAULT("shim.op.recorded");
	}
	answer(op, &m);
	if (wait_start)
		op->type = 0;
	else
		finish(op);
}
