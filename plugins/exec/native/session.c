/* SPDX-License-Identifier: Apache-2.0 */
/* A further process in a running container: a clone that enters the cgroups and namespaces of the first process, and becomes the program. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	int flag;
} kinds[] = {{"user", CLONE_NEWUSER},    {"pid", CLONE_NEWPID}, {"mnt", CLONE_NEWNS},
	     {"net", CLONE_NEWNET},      {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS},
	     {"cgroup", CLONE_NEWCGROUP}};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

struct session {
	struct process process;
	struct filter filter;
	struct cgroup cgroup;
	const struct dockerd_stdio *stdio;
	int init, sync, shim;
	int different; /* CLONE_NEW* in which the container differs from us */
};

/* setns(2) by pidfd fails for a namespace that one is in already (user), so ask which differ. */
static int find_different(int init_pid, struct error *err)
{
	int flags = 0;

	for (size_t i = 0; i < KINDS; i++) {
		char theirs[48], ours[32];
		struct stat a, b;

		snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", init_pid, kinds[i].name);
		snprintf(ours, sizeof(ours), "/proc/self/ns/%s", kinds[i].name);
		if (stat(ours, &b) < 0)
			continue;
		if (stat(theirs, &a) < 0)
			return error_sys(err, errno, "look at the container's namespaces");
		if (a.st_ino != b.st_ino)
			flags |= kinds[i].flag;
	}
	return flags;
}

static int enter(struct session *s, int *master, struct error *err)
{
	auto_close slave = -1, devpts = -1;

	if (die_with_shim(s->shim, err) < 0 || sync_receive(s->sync, SYNC_GO, NULL, err) != 1)
		return -1;
	if (cgroup_enter(&s->cgroup, err) < 0)
		return -1;
	if (s->different & ~CLONE_NEWPID && setns(s->init, s->different & ~CLONE_NEWPID) < 0)
		return error_sys(err, errno, "join the container's namespaces");
	if (s->different & CLONE_NEWUSER && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return error_sys(err, errno, "become root of the user namespace");
	prctl(PR_SET_DUMPABLE, 0);
	if (setsid() < 0)
		return error_sys(err, errno, "setsid");
	umask(s->process.umask >= 0 ? (mode_t)s->process.umask : 022);
	if (!s->process.terminal)
		return stdio_install(s->stdio, err);
	devpts = open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (devpts < 0)
		return error_sys(err, errno, "open /dev/pts of the container");
	if (terminal_open(devpts, &s->process, s->stdio, master, &slave, err) < 0)
		return -1;
	return terminal_install(slave, err);
}

static _Noreturn void session_main(struct session *s)
{
	struct error err = ERROR_INIT, ignored;
	int master = -1;

	if (enter(s, &master, &err) == 0 &&
	    sync_send(s->sync, SYNC_READY, master, NULL, &err) == 0 &&
	    sync_receive(s->sync, SYNC_START, NULL, &err) == 1) {
		fd_close(&master);
		become(&s->process, &s->filter, s->shim, &err);
	}
	if (err.kind)
		sync_send(s->sync, SYNC_ERROR, -1, &err, &ignored);
	_exit(err.kind == ERR_NO_PERMISSION ? 126 : err.kind == ERR_NO_COMMAND ? 127 : 128);
}

static int prepare(struct session *s, const struct dockerd_container *c, json *process,
		   struct error *err)
{
	s->shim = (int)syscall(SYS_pidfd_open, getppid(), 0);
	if (s->shim < 0)
		return error_sys(err, errno, "open the shim");
	if (process_parse(&s->process, process, err) < 0)
		return -1;
	if (c->seccomp &&
	    filter_prepare(&s->filter, c->seccomp, c->seccomp_digest, c->cache, err) < 0)
		return -1;
	s->init = state_open_init(c, err);
	if (s->init < 0 || cgroup_open(&s->cgroup, c->state_fd, err) < 0)
		return -1;
	s->different = find_different((int)c->init_pid, err);
	if (s->different < 0)
		return -1;
	if (s->different & CLONE_NEWPID && setns(s->init, CLONE_NEWPID) < 0)
		return error_sys(err, errno, "join the container's pid namespace");
	return 0;
}

/*
 * READY brings the terminal. After START the socket closes when the program was executed; if we die before it, nothing runs that the
 * shim does not know.
 */
static int serve(struct session *s, int sync, pid_t pid, struct dockerd_created *out,
		 struct error *err)
{
	int r;

	out->pid = (uint32_t)pid;
	if (oom_adjust(pid, s->process.oom_score_adj, err) < 0 ||
	    sync_send(sync, SYNC_GO, -1, NULL, err) < 0)
		return -1;
	r = sync_receive(sync, SYNC_READY, &out->console_fd, err);
	if (r == 0)
		return error_set(err, ERR_SYSTEM, "the process died during its setup");
	FAULT("native.session.ready");
	if (r < 0 || sync_send(sync, SYNC_START, -1, NULL, err) < 0)
		return -1;
	return sync_receive(sync, SYNC_READY, NULL, err) == 0 ? 0 : -1;
}

static void session_close(struct session *s)
{
	process_free(&s->process);
	filter_free(&s->filter);
	cgroup_close(&s->cgroup);
	fd_close(&s->init);
	fd_close(&s->sync);
	fd_close(&s->shim);
}

int native_session(const struct dockerd_container *c, const char *text, size_t len,
		   const struct dockerd_stdio *io, struct dockerd_created *out, struct error *err)
{
	struct session s = {.stdio = io, .init = -1, .sync = -1, .shim = -1};
	auto_json *doc = json_parse(text, len, err);
	auto_close pidfd = -1, ours = -1;
	pid_t pid = -1;
	int pair[2], r;

	r = doc ? prepare(&s, c, doc, err) : -1;
	if (r == 0 && (r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) < 0)
		error_sys(err, errno, "socketpair");
	if (r == 0) {
		ours = pair[0];
		s.sync = pair[1];
		pid = clone_for_shim(0, cgroup_clone_dir(&s.cgroup), &pidfd, err);
		if (pid == 0) {
			close(ours);
			session_main(&s);
		}
		fd_close(&s.sync);
		r = pid < 0 ? -1 : serve(&s, ours, pid, out, err);
	}
	if (r < 0) {
		if (pid > 0)
			syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		fd_close(&out->console_fd);
	}
	session_close(&s);
	return r;
}
