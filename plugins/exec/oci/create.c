/* SPDX-License-Identifier: Apache-2.0 */
/* What makes processes: "create", and "exec" for sessions. Both leave a process behind that is the shim's child once the runtime has ended. */
#include "../common/cgroup.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "oci.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- Terminal: the runtime connects to a socket of ours and sends the pty's master ------------------------------------------------- */

/* Short whatever exec-root is called. */
static char *console_path(const struct dockerd_container *c)
{
	return xasprintf("/proc/%d/fd/%d/console-%d", (int)getpid(), c->state_fd, (int)getpid());
}

static int console_listen(const char *path, struct error *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_close fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
		return error_sys(err, errno, "socket for the terminal");
	return steal_fd(&fd);
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], name[256];
	struct iovec iov = {name, sizeof(name)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control)};
	struct cmsghdr *h;
	int fd = -1;

	if (recvmsg(sock, &mh, MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	h = CMSG_FIRSTHDR(&mh);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(h), sizeof(int));
	return fd;
}

/* The runtime has ended: what it has to send is there. */
static int console_take(int listener, const struct dockerd_stdio *io, struct dockerd_created *out,
			struct error *err)
{
	struct winsize w = {.ws_row = (unsigned short)io->rows,
			    .ws_col = (unsigned short)io->columns};
	auto_close sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	out->console_fd = sock < 0 ? -1 : receive_fd(sock);
	if (out->console_fd < 0)
		return error_set(err, ERR_SYSTEM, "the runtime has sent no terminal");
	if ((w.ws_row || w.ws_col) && ioctl(out->console_fd, TIOCSWINSZ, &w) < 0)
		return error_sys(err, errno, "size of the terminal");
	return 0;
}

/* ---- One call that makes a process ------------------------------------------------------------------------------------------------- */

static int read_pid(const struct dockerd_container *c, struct dockerd_created *out,
		    struct error *err)
{
	auto_free char *name = call_file("pid");
	auto_str text = STR_INIT;
	long pid;

	if (file_read_at(c->state_fd, name, 64, &text, err) < 0)
		return error_wrap(err, "process number of the runtime");
	pid = strtol(str_cstr(&text), NULL, 10);
	if (pid <= 1)
		return error_set(err, ERR_SYSTEM, "the runtime reports process '%s'",
				 str_cstr(&text));
	out->pid = (uint32_t)pid;
	return 0;
}

/* command: all but what is the same for both; the container's name comes last. */
static int make(const struct oci *o, const struct dockerd_container *c, struct strlist *command,
		const struct dockerd_stdio *io, struct dockerd_created *out, struct error *err)
{
	auto_free char *pid = call_path(c, "pid", err), *console = console_path(c);
	auto_close listener = -1;
	int r = 0;

	if (!pid)
		return -1;
	strlist_add(command, "--pid-file");
	strlist_add(command, pid);
	if (io->terminal) {
		listener = console_listen(console, err);
		if (listener < 0)
			return -1;
		strlist_add(command, "--console-socket");
		strlist_add(command, console);
	}
	strlist_add(command, c->id);
	r = runtime_run(o, c, command, io, err);
	if (r == 0)
		r = read_pid(c, out, err);
	if (r == 0 && io->terminal)
		r = console_take(listener, io, out, err);
	call_remove(c, "pid");
	call_remove(c, "console");
	return r;
}

/* ---- create -------------------------------------------------------------------------------------------------------------------------- */

/* A socket born in the namespace; we do not stay there: what the runtime starts for us belongs into ours. */
static int open_network(struct dockerd_created *out, struct error *err)
{
	auto_close ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	char path[48];

	snprintf(path, sizeof(path), "/proc/%u/ns/net", out->pid);
	out->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ours < 0 || out->netns_fd < 0 || setns(out->netns_fd, CLONE_NEWNET) < 0)
		return error_sys(err, errno, "enter the new network namespace");
	out->netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (out->netlink_fd < 0)
		error_sys(err, errno, "open netlink");
	if (setns(ours, CLONE_NEWNET) < 0)
		return error_sys(err, errno, "leave the container's network namespace");
	return out->netlink_fd < 0 ? -1 : 0;
}

static int describe(const struct dockerd_container *c, struct dockerd_created *out,
		    struct error *err)
{
	struct cgroup g;

	if (cgroup_open(&g, c->state_fd, err) < 0)
		return -1;
	snprintf(out->cgroup, sizeof(out->cgroup), "%s", g.path);
	cgroup_close(&g);
	return bundle_has_network(c) ? open_network(out, err) : 0;
}

int oci_create(const struct oci *o, const struct dockerd_container *c,
	       const struct dockerd_stdio *io, struct dockerd_created *out, struct error *err)
{
	auto_free char *bundle = call_path(c, "", err);
	auto_strlist command = STRLIST_INIT;

	if (!bundle || bundle_write(c, err) < 0)
		return -1;
	strlist_add(&command, "create");
	strlist_add(&command, "--bundle");
	strlist_add(&command, bundle);
	if (make(o, c, &command, io, out, err) < 0)
		return -1;
	return FAULT_ERR("oci.create.made", err) ? -1 : describe(c, out, err);
}

/* ---- Sessions ------------------------------------------------------------------------------------------------------------------------ */

int oci_session(const struct oci *o, const struct dockerd_container *c, const char *process,
		size_t len, const struct dockerd_stdio *io, struct dockerd_created *out,
		struct error *err)
{
	auto_free char *path = call_path(c, "process", err), *name = call_file("process");
	auto_strlist command = STRLIST_INIT;
	int r;

	if (!path || file_write_atomic(c->state_fd, name, process, len, 0600, false, err) < 0)
		return -1;
	strlist_add(&command, "exec");
	strlist_add(&command, "--detach");
	strlist_add(&command, "--process");
	strlist_add(&command, path);
	r = make(o, c, &command, io, out, err);
	call_remove(c, "process");
	return r;
}
