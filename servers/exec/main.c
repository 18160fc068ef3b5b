/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd-exec: one operation of an exec driver. Started by a shim with a socket (descriptor 3) and the run directory (4); or by the
 * daemon as "dockerd-exec destroy" with the directory alone, to clean up behind a dead shim.
 *
 * It dies with its shim, and holds a lock on the run directory while it makes or unmakes a container: a cleanup never
 * overtakes what it cleans up. The lock is inherited by a first process that was not yet executed, and dies with it.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/procstat.h"
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

static inline const struct dockerd_exec_ops *ops_of(const struct run *r)
{
	return &r->plugin->ops.exec;
}

static void fill_stdio(struct msg *m, struct dockerd_stdio *io)
{
	*io = (struct dockerd_stdio){.size = sizeof(*io), .in = -1, .out = -1, .err = -1};
	io->terminal = msg_get_u32(m, TAG_TERMINAL, 0);
	io->rows = msg_get_u32(m, TAG_ROWS, 0);
	io->columns = msg_get_u32(m, TAG_COLUMNS, 0);
	if (io->terminal)
		return;
	io->in = msg_take_fd(m, TAG_CHILD_IN);
	io->out = msg_take_fd(m, TAG_CHILD_IN + 1);
	io->err = msg_take_fd(m, TAG_CHILD_IN + 2);
}

static void close_stdio(struct dockerd_stdio *io)
{
	fd_close(&io->in);
	fd_close(&io->out);
	fd_close(&io->err);
}

static int put_fd(struct msg *m, uint16_t tag, int *fd)
{
	int r = *fd >= 0 ? msg_put_fd(m, tag, *fd) : 0;

	fd_close(fd);
	return r;
}

/* The answer to create and exec. The shim takes the OOM descriptors: they stand last. */
static int send_created(struct run *r, uint32_t seq, struct dockerd_created *made, bool watch,
			struct error *err)
{
	auto_msg m = {0};
	int notify = -1, counter = -1, bad;

	msg_init(&m, SHIM_CREATED);
	m.seq = seq;
	msg_put_u32(&m, TAG_PID, made->pid);
	msg_put_u64(&m, TAG_START_TIME, proc_start_time((pid_t)made->pid));
	if (made->wait_pid)
		msg_put_u32(&m, TAG_WAIT_PID, made->wait_pid);
	msg_put_str(&m, TAG_CGROUP, made->cgroup);
	if (r->plugin->capabilities & DOCKERD_EXEC_CAP_CGROUP)
		msg_put_u32(&m, TAG_JUST_CGROUP, 1);
	bad = put_fd(&m, TAG_NETNS, &made->netns_fd) | put_fd(&m, TAG_NETLINK, &made->netlink_fd) |
	      put_fd(&m, TAG_CONSOLE, &made->console_fd);
	if (watch)
		oom_watch(made->cgroup, &notify, &counter);
	bad |= put_fd(&m, TAG_OOM_NOTIFY, &notify) | put_fd(&m, TAG_OOM_COUNTER, &counter);
	if (bad)
		return error_sys(err, errno, "pass descriptors");
	return msg_send(r->sock, &m, err);
}

static void undo(struct run *r)
{
	struct dockerd_error derr = plugin_error_init();

	ops_of(r)->destroy(r->instance.self, &r->container, &derr);
}

/* Create, tell, wait for the word, start. The shim closing its end means: undo. */
static int create_and_start(struct run *r, struct msg *m, struct error *err)
{
	struct dockerd_created made = {
	    .size = sizeof(made), .netns_fd = -1, .netlink_fd = -1, .console_fd = -1};
	struct dockerd_error derr = plugin_error_init();
	struct dockerd_stdio io;
	struct error recv_err;
	auto_msg word = {0};

	r->container.rootfs_fd = msg_take_fd(m, TAG_ROOTFS);
	r->container.netns_fd = msg_take_fd(m, TAG_NETNS);
	fill_stdio(m, &io);
	if (ops_of(r)->create(r->instance.self, &r->container, &io, &made, &derr) < 0)
		return driver_fail(r, "create", &derr, err);
	close_stdio(&io);
	r->container.init_pid = made.pid;
	FAULT("exec.create.done");
	if (send_created(r, m->seq, &made, true, err) < 0) {
		undo(r);
		return -1;
	}
	if (msg_recv(r->sock, &word, -1, &recv_err) != 1 || word.type != SHIM_START) {
		undo(r);
		return error_set(err, ERR_CANCELLED, "not started");
	}
	m->seq = word.seq;
	FAULT("exec.start.before");
	if (ops_of(r)->start(r->instance.self, &r->container, &derr) < 0)
		return driver_fail(r, "start", &derr, err);
	FAULT("exec.start.after");
	return msg_reply_ok(r->sock, m->seq, err);
}

static int request_text(struct msg *m, struct str *out, struct error *err)
{
	const char *text = msg_get_str(m, TAG_TEXT);
	auto_close fd = msg_take_fd(m, TAG_TEXT_FD);

	if (fd >= 0) {
		if (lseek(fd, 0, SEEK_SET) < 0)
			return error_sys(err, errno, "rewind request");
		return file_read_fd(fd, 16 * 1024 * 1024, out, err);
	}
	if (!text)
		return error_set(err, ERR_INVALID, "request without a text");
	str_puts(out, text);
	return 0;
}

static int exec_session(struct run *r, struct msg *m, struct error *err)
{
	struct dockerd_created made = {
	    .size = sizeof(made), .netns_fd = -1, .netlink_fd = -1, .console_fd = -1};
	struct dockerd_error derr = plugin_error_init();
	struct dockerd_stdio io;
	auto_str text = STR_INIT;

	if (!ops_of(r)->exec)
		return error_set(err, ERR_NOT_IMPLEMENTED,
				 "the exec driver can't run further processes");
	if (request_text(m, &text, err) < 0)
		return -1;
	fill_stdio(m, &io);
	if (ops_of(r)->exec(r->instance.self, &r->container, text.p, text.len, &io, &made, &derr) <
	    0)
		return driver_fail(r, "exec", &derr, err);
	FAULT("exec.session.done");
	return send_created(r, m->seq, &made, false, err);
}

static int simple(struct run *r, struct msg *m, struct error *err)
{
	const struct dockerd_exec_ops *ops = ops_of(r);
	const struct dockerd_container *c = &r->container;
	struct dockerd_error derr = plugin_error_init();
	auto_str text = STR_INIT;
	int32_t result = -2;

	if (m->type == SHIM_UPDATE && request_text(m, &text, err) < 0)
		return -1;
	if (m->type == SHIM_PAUSE && ops->pause)
		result = ops->pause(r->instance.self, c, &derr);
	else if (m->type == SHIM_RESUME && ops->resume)
		result = ops->resume(r->instance.self, c, &derr);
	else if (m->type == SHIM_UPDATE && ops->update)
		result = ops->update(r->instance.self, c, text.p, text.len, &derr);
	else if (m->type == SHIM_SIGNAL && ops->signal)
		result = ops->signal(r->instance.self, c, (int32_t)msg_get_u32(m, TAG_SIGNAL, 0), 1,
				     &derr);
	else if (m->type == SHIM_DELETE)
		result = ops->destroy(r->instance.self, c, &derr);
	if (result == -2)
		return error_set(err, ERR_NOT_IMPLEMENTED,
				 "the exec driver can't do that (request %u)", m->type);
	if (result < 0)
		return driver_fail(r, "operation", &derr, err);
	return msg_reply_ok(r->sock, m->seq, err);
}

/* Creating and deleting exclude each other; the rest needs no lock: the shim orders it. */
static int lock_dir(struct run *r, struct error *err)
{
	auto_close again = -1;
	int r2;

	/* An open file description of our own: the shim's is shared by all that it starts. */
	again = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (again < 0)
		return error_sys(err, errno, "open run directory");
	do
		r2 = flock(again, LOCK_EX);
	while (r2 < 0 && errno == EINTR);
	if (r2 < 0)
		return error_sys(err, errno, "lock run directory");
	steal_fd(&again); /* held until the process ends */
	return 0;
}

/* The shim may have been started by an older daemon than the one that installed us. */
static int greet(struct run *r, struct error *err)
{
	auto_msg hello = {0};
	uint32_t version;

	/* also if the shim died before its death was ours */
	if (msg_recv(r->sock, &hello, -1, err) != 1)
		return -1;
	return msg_hello_server(r->sock, &hello, "dockerd-exec " PACKAGE_VERSION, EXEC_PROTOCOL_MIN,
				EXEC_PROTOCOL_MAX, &version, err);
}

static int run_request(struct run *r, struct msg *m, struct error *err)
{
	if ((m->type == SHIM_CREATE || m->type == SHIM_DELETE) && lock_dir(r, err) < 0)
		return -1;
	if (run_load(r, m->type == SHIM_CREATE || m->type == SHIM_EXEC, err) < 0 ||
	    driver_open(r, err) < 0)
		return -1;
	r->container.init_pid = msg_get_u32(m, TAG_INIT_PID, 0);
	if (m->type == SHIM_CREATE)
		return create_and_start(r, m, err);
	if (m->type == SHIM_EXEC)
		return exec_session(r, m, err);
	return simple(r, m, err);
}

static int destroy_directly(struct run *r, struct error *err)
{
	struct dockerd_error derr = plugin_error_init();

	if (lock_dir(r, err) < 0 || run_load(r, false, err) < 0 || driver_open(r, err) < 0)
		return -1;
	if (ops_of(r)->destroy(r->instance.self, &r->container, &derr) < 0)
		return driver_fail(r, "destroy", &derr, err);
	return 0;
}

int main(int argc, char **argv)
{
	static struct run r = {.sock = EXEC_FD_SOCKET, .dir = EXEC_FD_DIR};
	struct error err = ERROR_INIT, send_err;
	bool direct = argc > 1 && !strcmp(argv[1], "destroy");
	auto_msg m = {0};

	/* A process of a container must not look into us while we are in its namespaces. */
	prctl(PR_SET_DUMPABLE, 0);
	for (int fd = 3; fd < EXEC_FDS; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (direct) {
		if (destroy_directly(&r, &err) == 0)
			return 0;
		if (dprintf(STDERR_FILENO, "%s\n", err.text) < 0)
			return 2;
		return 1;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* while nobody has asked yet; the configuration says again which driver it is, and a refusal is told then */
	if (argc > 1) {
		r.ahead_path = argv[1];
		r.ahead = plugin_load(DOCKERD_KIND_EXEC, r.ahead_path, &(struct error)ERROR_INIT);
	}
	if (greet(&r, &err) < 0 || msg_recv(r.sock, &m, -1, &err) != 1)
		return 1;
	if (run_request(&r, &m, &err) < 0) {
		msg_reply_error(r.sock, m.seq, &err, &send_err);
		return 1;
	}
	return 0;
}
