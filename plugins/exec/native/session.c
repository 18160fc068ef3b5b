/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A further process in a running container, made in two steps (birth.c): the stage enters the cgroups and namespaces, installs stdio, drops
 * rights, and closes what is the host's; the process is born with 0, 1, 2 and the sync socket, the container's root and directory, and the
 * user's rights. It becomes the program.
 */
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

static int install_terminal(const struct session *s, struct error *err)
{
	auto_close slave = -1, master = -1, devpts = -1;

	devpts = open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (devpts < 0)
		return error_sys(err, errno, "open /dev/pts of the container");
	if (terminal_open(devpts, &s->process, s->stdio, &master, &slave, err) < 0 ||
	    terminal_install(slave, err) < 0)
		return -1;
	return sync_send(s->sync, SYNC_TERMINAL, master, err);
}

static int enter(struct session *s, struct error *err)
{
	if (die_with_shim(err) < 0 || sync_receive(s->sync, SYNC_GO, NULL, -1, err) != 1)
		return -1;
	if (cgroup_enter(&s->cgroup, err) < 0 || rights_labels(&s->process, err) < 0)
		return -1;
	/* Of the pid namespace only the next clone is a member. */
	if (s->different && setns(s->init, s->different) < 0)
		return error_sys(err, errno, "join the container's namespaces");
	if (s->different & CLONE_NEWUSER && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return error_sys(err, errno, "become root of the user namespace");
	prctl(PR_SET_DUMPABLE, 0);
	umask(s->process.umask >= 0 ? (mode_t)s->process.umask : 022);
	if ((s->process.terminal ? install_terminal(s, err) : stdio_install(s->stdio, err)) < 0)
		return -1;
	return rights_drop(&s->process, err) < 0 ? -1 : keep_only(&s->sync, 1, err);
}

static _Noreturn void fail(const struct session *s, const struct error *err)
{
	if (err->kind) /* none: the other side is gone, and nobody listens */
		sync_send_error(s->sync, err);
	_exit(err->kind == ERR_NO_PERMISSION ? 126 : err->kind == ERR_NO_COMMAND ? 127 : 128);
}

static _Noreturn void process_main(struct session *s)
{
	struct error err = ERROR_INIT;

	FAULT("native.session.born");
	if (birth_begin(s->sync, &err) == 0 && session_lead(&s->process, &err) == 0 &&
	    birth_wait(s->sync, &err) == 0) {
		FAULT("native.session.started");
		become(&s->process, &s->filter, &err);
	}
	fail(s, &err);
}

static _Noreturn void stage_main(struct session *s)
{
	struct error err = ERROR_INIT;

	if (enter(s, &err) < 0 || FAULT_ERR("native.session.entered", &err))
		fail(s, &err);
	if (birth_give(s->sync, &err) == 0)
		process_main(s);
	fail(s, &err);
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
	return s->different < 0 ? -1 : 0;
}

/*
 * After START the socket closes when the program was executed; if we die before it, nothing runs that the shim does not know.
 * pidfd: of the process, as soon as it is born.
 */
static int serve(struct session *s, int sync, pid_t stage, int *pidfd, struct dockerd_created *out,
		 struct error *err)
{
	pid_t pid;

	if (oom_adjust(stage, s->process.oom_score_adj, err) < 0 ||
	    sync_send(sync, SYNC_GO, -1, err) < 0 ||
	    birth_attend(sync, SYNC_DEADLINE_MS, s->process.terminal ? &out->console_fd : NULL,
			 &pid, pidfd, err) < 0)
		return -1;
	out->pid = (uint32_t)pid;
	if (birth_finish(sync, s->shim, err) < 0)
		return -1;
	FAULT("native.session.ready");
	if (sync_send(sync, SYNC_START, -1, err) < 0)
		return -1;
	return sync_receive(sync, SYNC_READY, NULL, SYNC_DEADLINE_MS, err);
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
	auto_close stage_fd = -1, pidfd = -1, ours = -1;
	pid_t stage = -1;
	int pair[2], r;

	r = doc ? prepare(&s, c, doc, err) : -1;
	if (r == 0 && (r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) < 0)
		error_sys(err, errno, "socketpair");
	if (r == 0) {
		ours = pair[0];
		s.sync = pair[1];
		stage = clone_for_shim(0, cgroup_clone_dir(&s.cgroup), &stage_fd, err);
		if (stage == 0) {
			close(ours);
			stage_main(&s);
		}
		fd_close(&s.sync);
		r = stage < 0 ? -1 : serve(&s, ours, stage, &pidfd, out, err);
		if (r < 0 && stage > 0)
			sync_last_word(ours, err);
	}
	if (r != 0) {
		if (stage > 0)
			syscall(SYS_pidfd_send_signal, stage_fd, SIGKILL, NULL, 0);
		if (pidfd >= 0)
			syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		fd_close(&out->console_fd);
	}
	session_close(&s);
	return r;
}
