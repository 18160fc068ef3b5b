/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The iptables-restore coprocess. Batches go to its stdin. It answers nothing by itself, so each batch is followed by the listing of one
 * chain: when that line arrives, the batch is in the kernel. Its stdout is a pty, which makes stdio flush every line.
 *
 * One thread owns a fw_proc. iptables-restore(8); kept open, a batch costs a fourth of a fresh process (docs/architecture.md).
 */
#include "network/firewall.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define ANSWER_MS 30000 /* somebody else may hold the lock of xtables */
#define MARK "*raw\n-S OUTPUT\nCOMMIT\n"

static const char path_env[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

char *fw_proc_find(int family)
{
	const char *name = family == 6 ? "ip6tables-restore" : "iptables-restore";
	const char *env = secure_getenv("PATH");
	auto_strlist dirs = STRLIST_INIT;

	strlist_split(&dirs, env && *env ? env : str_after(path_env, "PATH="), ':');
	for (size_t i = 0; i < dirs.n; i++) {
		auto_free char *path = path_join(dirs.v[i], name);

		if (path[0] == '/' && access(path, X_OK) == 0)
			return steal_ptr(&path);
	}
	return NULL;
}

/* Pair of a pty in raw mode: *master for us, *slave for the child. */
static int open_pty(int *master, int *slave, struct error *err)
{
	auto_close m = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;
	char name[64];

	if (m < 0 || grantpt(m) < 0 || unlockpt(m) < 0 || ptsname_r(m, name, sizeof(name)) != 0)
		return error_sys(err, errno, "open a pty for iptables-restore");
	*slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0 || tcgetattr(*slave, &t) < 0)
		return error_sys(err, errno, "open %s", name);
	cfmakeraw(&t);
	tcsetattr(*slave, TCSANOW, &t);
	*master = steal_fd(&m);
	return 0;
}

static int start(struct fw_proc *p, struct error *err)
{
	static const char *const envp[] = {path_env, "LC_ALL=C", NULL};
	const char *argv[] = {p->program, "--wait", "--noflush", NULL};
	auto_close master = -1, slave = -1, in_r = -1, in_w = -1, err_r = -1, err_w = -1;
	int in[2], errs[2], fds[3];
	struct spawn s = {.path = p->program,
			  .argv = argv,
			  .envp = envp,
			  .fds = fds,
			  .n_fds = 3,
			  .new_session = true};

	if (open_pty(&master, &slave, err) < 0)
		return -1;
	if (pipe2(in, O_CLOEXEC) < 0)
		return error_sys(err, errno, "pipe");
	in_r = in[0];
	in_w = in[1];
	if (pipe2(errs, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_sys(err, errno, "pipe");
	err_r = errs[0];
	err_w = errs[1];
	fds[0] = in_r;
	fds[1] = slave;
	fds[2] = err_w;
	p->pid = spawn_program(&s, err);
	if (p->pid < 0) {
		p->pid = 0;
		return -1;
	}
	p->in = steal_fd(&in_w);
	p->out = steal_fd(&master);
	p->errs = steal_fd(&err_r);
	p->got = 0;
	return 0;
}

void fw_proc_end(struct fw_proc *p)
{
	if (p->pid <= 0)
		return;
	kill(p->pid, SIGTERM); /* it sits between two batches: nothing is cut */
	close(p->in);
	close(p->out);
	close(p->errs);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
}

/* It has ended, or must: collect what it said on stderr. */
static int died(struct fw_proc *p, const char *why, struct error *err)
{
	char text[800];
	size_t n = 0;
	ssize_t r;

	if (why)
		kill(p->pid, SIGKILL);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	while (n + 1 < sizeof(text) && (r = read(p->errs, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	while (n && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	close(p->in);
	close(p->out);
	close(p->errs);
	p->pid = 0;
	return error_set(err, ERR_SYSTEM, "%s failed: %s", p->program,
			 why ? why
			 : n ? text
			     : "it ended without a word");
}

/* Next line of its output into `out`. 0, or -1 after died(). */
static int next_line(struct fw_proc *p, int64_t deadline, char *out, struct error *err)
{
	for (;;) {
		char *nl = memchr(p->line, '\n', p->got);
		struct pollfd fd = {.fd = p->out, .events = POLLIN};
		int64_t left = (deadline - clock_mono_ns()) / 1000000;
		ssize_t n;

		if (nl) {
			size_t len = (size_t)(nl - p->line);

			memcpy(out, p->line, len);
			out[len] = '\0';
			if (len && out[len - 1] == '\r')
				out[len - 1] = '\0';
			p->got -= len + 1;
			memmove(p->line, nl + 1, p->got);
			return 0;
		}
		if (p->got == sizeof(p->line))
			return died(p, "a line of its listing is too long", err);
		if (left <= 0)
			return died(p, "no answer within 30 seconds", err);
		if (poll(&fd, 1, (int)left) < 0 && errno != EINTR)
			return died(p, "poll", err);
		if (!fd.revents)
			continue;
		n = read(p->out, p->line + p->got, sizeof(p->line) - p->got);
		if (n <= 0 && !(n < 0 && errno == EINTR))
			return died(p, NULL, err); /* EIO: the other end of the pty is closed */
		p->got += n > 0 ? (size_t)n : 0;
	}
}

int fw_proc_batch(struct fw_proc *p, const char *batch, struct error *err)
{
	int64_t deadline = clock_mono_ns() + ANSWER_MS * INT64_C(1000000);
	char line[sizeof(p->line)];
	auto_str text = STR_INIT;

	if (p->pid <= 0 && start(p, err) < 0)
		return -1;
	str_printf(&text, "%s" MARK, batch);
	if (fd_write_all(p->in, text.p, text.len) < 0)
		return died(p, NULL, err);
	do
		if (next_line(p, deadline, line, err) < 0)
			return -1;
	while (!str_after(
	    line, "-P OUTPUT ")); /* rules of OUTPUT left from an earlier mark are skipped */
	return 0;
}

/*
 * Three tables one after the other. Each begins with its policies; the mark's policy line comes after all of them, so counting them
 * (2 + 4 + 3) tells the end. The rules behind the mark belong to nobody.
 */
int fw_proc_list(struct fw_proc *p, struct map *present, struct error *err)
{
	static const char *const tables[] = {"raw", "nat", "filter"};
	static const unsigned int policies[] = {2, 4, 3};
	static const char list[] = "*raw\n-S\nCOMMIT\n*nat\n-S\nCOMMIT\n*filter\n-S\nCOMMIT\n" MARK;
	int64_t deadline = clock_mono_ns() + ANSWER_MS * INT64_C(1000000);
	unsigned int seen = 0, t = 0;
	static char here[] = "";

	fw_proc_end(p); /* a fresh one: nothing of an earlier mark is in its output */
	if (start(p, err) < 0)
		return -1;
	if (fd_write_all(p->in, list, sizeof(list) - 1) < 0)
		return died(p, NULL, err);
	for (;;) {
		char line[sizeof(p->line)];
		auto_str key = STR_INIT;

		if (next_line(p, deadline, line, err) < 0)
			return -1;
		if (str_after(line, "-P ")) {
			if (seen == policies[t]) {
				if (++t == ARRAY_LEN(tables))
					return 0;
				seen = 0;
			}
			seen++;
			continue;
		}
		if (strlen(line) < 4)
			continue;
		str_printf(&key, "%s %s", tables[t], line + 3);
		map_set(present, str_cstr(&key), here);
	}
}
