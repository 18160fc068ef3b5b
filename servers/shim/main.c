/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd-shim ID [DRIVER]: started by the daemon for one container, with a listening socket and the run directory as descriptors 3 and 4. It lives
 * until SHIM_DELETE; before a container was created, until its last client leaves. See shim.h and docs/protocols.md.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/mem.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_POLL 512

/* Between the daemon's and that of a container: the shim shall be the last of its container to go. */
static void protect_from_oom(void)
{
	auto_close fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "-998", 4) < 0)
		return; /* without the right to lower it the shim still works */
}

static int set_up(struct shim *s, struct error *err)
{
	sigset_t mask;

	/* Nothing of what the daemon may have inherited shall live on here. */
	syscall(SYS_close_range, (unsigned int)SHIM_FDS, ~0U, 0U);
	for (int fd = 3; fd < SHIM_FDS; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return error_sys(err, errno, "descriptor %d", fd);
	/* Ignoring the terminating signals: a shim ends when it is told to, or by SIGKILL. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGPIPE);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return error_sys(err, errno, "signalfd");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_sys(err, errno, "prctl");
	prctl(PR_SET_NAME, "dockerd-shim");
	protect_from_oom();
	return journal_create(s, err);
}

static void accept_client(struct shim *s)
{
	int fd = accept4(s->listen, NULL, NULL, SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return;
	c = xnew(struct client);
	c->fd = fd;
	c->next = s->clients;
	s->clients = c;
	s->accepted = true;
}

static void client_readable(struct shim *s, struct client *c)
{
	auto_msg m = {0};
	struct error err;

	if (msg_recv(c->fd, &m, -1, &err) != 1)
		c->closed = true;
	else
		request_handle(s, c, &m);
}

static void sweep_clients(struct shim *s)
{
	for (struct client **at = &s->clients; *at;) {
		struct client *c = *at;

		if (!c->closed) {
			at = &c->next;
			continue;
		}
		for (struct op *op = s->ops; op; op = op->next)
			if (op->client == c)
				op->client = NULL;
		*at = c->next;
		close(c->fd);
		free(c);
	}
}

static size_t fill(const struct shim *s, struct pollfd *p)
{
	size_t n = 0;

	p[n++] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	p[n++] = (struct pollfd){.fd = s->listen, .events = POLLIN};
	p[n++] = (struct pollfd){.fd = s->oom_notify, .events = POLLIN};
	for (const struct op *op = s->ops; op && n < MAX_POLL; op = op->next)
		p[n++] = (struct pollfd){.fd = op->sock, .events = POLLIN};
	for (const struct client *c = s->clients; c && n < MAX_POLL; c = c->next)
		p[n++] = (struct pollfd){
		    .fd = c->fd,
		    .events =
			(short)(POLLIN | (c->subscribed && c->seen < s->last_seq ? POLLOUT : 0))};
	return n;
}

static void oom_readable(struct shim *s)
{
	char drain[512];

	/* eventfd (v1) or inotify (v2). v1 also signals when the cgroup goes away: only the counter decides. */
	if (read(s->oom_notify, drain, sizeof(drain)) <= 0)
		fd_close(&s->oom_notify);
	oom_check(s);
}

static void handle(struct shim *s, const struct pollfd *p)
{
	const struct op *first_op = s->ops;
	struct client *c = s->clients;
	struct signalfd_siginfo info;
	size_t n = 3;

	/* Only appended to at the head and swept at the end: the lists match p from the saved heads on. */
	for (struct op *op = (struct op *)first_op; op && n < MAX_POLL; op = op->next, n++)
		if (p[n].revents && op->sock >= 0)
			op_readable(s, op);
	for (; c && n < MAX_POLL; c = c->next, n++) {
		if (p[n].revents & POLLOUT)
			journal_pump(s, c);
		if (p[n].revents & ~POLLOUT)
			client_readable(s, c);
	}
	if (p[2].revents)
		oom_readable(s);
	if (p[0].revents) {
		while (read(s->signals, &info, sizeof(info)) > 0)
			;
		reap(s);
	}
	if (p[1].revents)
		accept_client(s);
}

/* An operation that was begun ahead of its request keeps nobody here. */
static bool has_ops(const struct shim *s)
{
	for (const struct op *op = s->ops; op; op = op->next)
		if (!op->idle)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static struct shim s = {
	    .listen = SHIM_FD_LISTEN, .dir = SHIM_FD_DIR, .oom_notify = -1, .oom_counter = -1};
	static struct pollfd polls[MAX_POLL];
	struct error err = ERROR_INIT;

	if (set_up(&s, &err) < 0)
		return 1;
	FAULT("shim.ready");
	s.name = argc > 1 ? argv[1] : NULL;
	s.driver = argc > 2 ? argv[2] : NULL;
	if (s.driver)
		op_ahead(&s);
	while (!s.done) {
		if (s.accepted && !s.created && !s.clients && !has_ops(&s))
			return 0; /* nobody will come: the daemon died before it created anything */
		if (poll(polls, fill(&s, polls), -1) < 0 && errno != EINTR)
			return 1;
		handle(&s, polls);
		op_sweep(&s);
		op_destroy(&s);
		sweep_clients(&s);
	}
	return 0;
}
