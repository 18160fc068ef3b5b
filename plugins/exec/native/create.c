/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side of create: prepare what the first process is born with, clone it, and serve it until it waits for its start. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t clone_for_shim(uint64_t flags, int cgroup_dir, int *pidfd, struct error *err)
{
	struct clone_args a = {.flags = flags | CLONE_PARENT | CLONE_PIDFD,
			       .pidfd = (uint64_t)(uintptr_t)pidfd};
	pid_t pid;

	if (cgroup_dir >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cgroup_dir;
	}
	pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	if (pid < 0)
		return error_sys(err, errno, "clone");
	return pid;
}

static void launch_close(struct launch *l)
{
	mount_plans_free(&l->mounts);
	filter_free(&l->filter);
	cgroup_close(&l->cgroup);
	fd_close(&l->root_tree);
	fd_close(&l->shim);
	fd_close(&l->sync);
	for (size_t i = 0; i < l->spec.n_joins; i++)
		fd_close(&l->joins[i]);
	spec_free(&l->spec);
}

static int open_joins(struct launch *l, struct error *err)
{
	for (size_t i = 0; i < l->spec.n_joins; i++) {
		const struct join *j = &l->spec.joins[i];

		l->joins[i] = open(j->path, O_RDONLY | O_CLOEXEC);
		if (l->joins[i] < 0)
			return error_sys(err, errno, "open namespace %s", j->path);
		l->staged = l->staged || j->flag == CLONE_NEWPID;
		/* what is made before it is entered belongs to the host's, and can't be mounted in there */
		l->user_joined = l->user_joined || j->flag == CLONE_NEWUSER;
	}
	if (l->staged && l->user_joined)
		return error_set(err, ERR_NOT_IMPLEMENTED,
				 "native: the pid namespace of another container can't be shared "
				 "while containers have user namespaces: use a runtime program "
				 "(--runtime), or --userns=host for both");
	if (l->container->netns_fd >= 0)
		l->spec.unshare &= ~(uint64_t)CLONE_NEWNET;
	return 0;
}

static int prepare(struct launch *l, struct error *err)
{
	const struct dockerd_container *c = l->container;

	l->shim = (int)syscall(SYS_pidfd_open, getppid(), 0);
	if (l->shim < 0)
		return error_sys(err, errno, "open the shim");
	if (spec_parse(&l->spec, c->spec, c->spec_length, err) < 0)
		return -1;
	for (size_t i = 0; i < l->spec.n_joins; i++)
		l->joins[i] = -1;
	if (c->seccomp &&
	    filter_prepare(&l->filter, c->seccomp, c->seccomp_digest, c->cache, err) < 0)
		return -1;
	l->root_tree = tree_open(c->rootfs_fd, "", true);
	if (l->root_tree < 0)
		return error_sys(err, errno, "open the root %s", c->rootfs_path);
	if (mount_plans_make(&l->mounts, &l->spec, c->init_path, err) < 0 ||
	    open_joins(l, err) < 0 || sysctls_check(l, err) < 0)
		return -1;
	if (cgroup_find(&l->cgroup, l->spec.cgroup, err) < 0 ||
	    cgroup_create(&l->cgroup, c->state_fd, err) < 0)
		return -1;
	return cgroup_limit(&l->cgroup, l->spec.resources, true, err);
}

static int write_map(pid_t pid, const char *file, const json *maps, struct error *err)
{
	auto_str text = STR_INIT;
	char path[48];

	for (json *m = json_first(maps); m; m = json_next(m))
		str_printf(&text, "%lld %lld %lld\n", (long long)json_get_i64(m, "containerID", 0),
			   (long long)json_get_i64(m, "hostID", 0),
			   (long long)json_get_i64(m, "size", 0));
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return file_put_at(AT_FDCWD, path, str_cstr(&text), err);
}

/* In the new network namespace: a netlink socket for the daemon, and "lo" up. Done here while the child mounts. */
static int open_network(int pidfd, pid_t pid, struct dockerd_created *out, struct error *err)
{
	struct ifreq lo = {.ifr_name = "lo"};
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	out->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (out->netns_fd < 0 || setns(pidfd, CLONE_NEWNET) < 0)
		return error_sys(err, errno, "enter the new network namespace");
	out->netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (out->netlink_fd < 0)
		return error_sys(err, errno, "open netlink");
	lo.ifr_flags = IFF_UP;
	if (ioctl(out->netlink_fd, SIOCSIFFLAGS, &lo) < 0)
		return error_sys(err, errno, "bring lo up");
	return 0;
}

/* The namespaces and limits that are made from outside, before the child moves. */
static int dress_child(struct launch *l, pid_t pid, struct error *err)
{
	if (oom_adjust(pid, l->spec.process.oom_score_adj, err) < 0)
		return -1;
	if (l->spec.unshare & CLONE_NEWUSER &&
	    (write_map(pid, "uid_map", l->spec.uid_map, err) < 0 ||
	     write_map(pid, "gid_map", l->spec.gid_map, err) < 0))
		return -1;
	return 0;
}

static int save_pid(struct launch *l, pid_t pid, struct dockerd_created *out, struct error *err)
{
	out->pid = (uint32_t)pid;
	return state_save(l->container->state_fd, pid, err) < 0 ||
		       FAULT_ERR("native.create.state-saved", err)
		   ? -1
		   : 0;
}

static int serve_child(struct launch *l, int sync, int pidfd, pid_t pid,
		       struct dockerd_created *out, struct error *err)
{
	int r;

	if (dress_child(l, pid, err) < 0 || sync_send(sync, SYNC_GO, -1, err) < 0)
		return -1;
	FAULT("native.create.released");
	if (l->spec.unshare & CLONE_NEWNET && open_network(pidfd, pid, out, err) < 0) {
		struct error told = ERROR_INIT;

		/* a child that died during its setup has said why */
		if (sync_receive(sync, SYNC_READY, &out->console_fd, -1, &told) < 0)
			*err = told;
		return -1;
	}
	if (save_pid(l, pid, out, err) < 0)
		return -1;
	r = sync_receive(sync, SYNC_READY, &out->console_fd, -1, err);
	if (r == 0)
		return error_set(err, ERR_SYSTEM,
				 "the container's first process died during its setup");
	return r < 0 ? -1 : shim_lives(l->shim, err);
}

/* The same by way of a stage (birth.c). It may end as soon as it moves, so its network is looked at before. */
static int serve_stage(struct launch *l, int sync, int stage_fd, pid_t stage, int *pidfd,
		       struct dockerd_created *out, struct error *err)
{
	pid_t pid;

	if (dress_child(l, stage, err) < 0)
		return -1;
	if (l->spec.unshare & CLONE_NEWNET && open_network(stage_fd, stage, out, err) < 0)
		return -1;
	if (sync_send(sync, SYNC_GO, -1, err) < 0 ||
	    birth_attend(sync, -1, l->spec.process.terminal ? &out->console_fd : NULL, &pid, pidfd,
			 err) < 0)
		return -1;
	return save_pid(l, pid, out, err) < 0 ? -1 : birth_finish(sync, l->shim, err);
}

/* By way of a stage that has entered another's user namespace: born there, the process goes on as any first one. */
static int serve_joined(struct launch *l, int sync, pid_t stage, int *pidfd,
			struct dockerd_created *out, struct error *err)
{
	pid_t pid;
	int r;

	if (dress_child(l, stage, err) < 0 || sync_send(sync, SYNC_GO, -1, err) < 0 ||
	    birth_attend(sync, -1, NULL, &pid, pidfd, err) < 0)
		return -1;
	if (l->spec.unshare & CLONE_NEWNET && open_network(*pidfd, pid, out, err) < 0)
		return -1;
	if (save_pid(l, pid, out, err) < 0 || sync_send(sync, SYNC_GO, -1, err) < 0)
		return -1;
	r = sync_receive(sync, SYNC_READY, &out->console_fd, -1, err);
	if (r == 0)
		return error_set(err, ERR_SYSTEM,
				 "the container's first process died during its setup");
	return r < 0 ? -1 : shim_lives(l->shim, err);
}

static void take_down(int child_fd, int born_fd, struct dockerd_created *out)
{
	if (child_fd >= 0)
		syscall(SYS_pidfd_send_signal, child_fd, SIGKILL, NULL, 0);
	if (born_fd >= 0)
		syscall(SYS_pidfd_send_signal, born_fd, SIGKILL, NULL, 0);
	fd_close(&out->netns_fd);
	fd_close(&out->netlink_fd);
	fd_close(&out->console_fd);
}

int native_create(const struct dockerd_container *c, const struct dockerd_stdio *io,
		  struct dockerd_created *out, int *sync, struct error *err)
{
	struct launch l = {.container = c, .stdio = io, .root_tree = -1, .shim = -1, .sync = -1};
	auto_close pidfd = -1, born = -1, ours = -1;
	struct error ignored;
	pid_t pid = -1;
	int pair[2], r;

	r = prepare(&l, err);
	if (r == 0) {
		r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
		if (r < 0)
			error_sys(err, errno, "socketpair");
	}
	if (r == 0) {
		ours = pair[0];
		l.sync = pair[1];
		/* The cgroup namespace must be made inside the cgroup: init.c */
		pid =
		    clone_for_shim(l.user_joined ? 0 : l.spec.unshare & ~(uint64_t)CLONE_NEWCGROUP,
				   cgroup_clone_dir(&l.cgroup), &pidfd, err);
		if (pid == 0) {
			close(ours);
			init_main(&l);
		}
		fd_close(&l.sync);
		FAULT("native.create.cloned");
		if (pid < 0)
			r = -1;
		else if (l.user_joined)
			r = serve_joined(&l, ours, pid, &born, out, err);
		else if (l.staged)
			r = serve_stage(&l, ours, pidfd, pid, &born, out, err);
		else
			r = serve_child(&l, ours, pidfd, pid, out, err);
		if (r < 0 && pid > 0)
			sync_last_word(ours, err);
	}
	if (r == 0) {
		snprintf(out->cgroup, sizeof(out->cgroup), "%s", l.cgroup.path);
		*sync = steal_fd(&ours);
	} else {
		take_down(pidfd, born, out);
		cgroup_destroy(&l.cgroup, &ignored);
	}
	launch_close(&l);
	return r;
}
