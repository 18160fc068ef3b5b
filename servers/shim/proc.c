/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's processes as the shim knows them: reaping, exit records, out-of-memory records.
 *
 * A child is reaped here and nowhere else, so a pid in the table that has not `ended` can't have been given to another process.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/procstat.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct proc *proc_new(struct shim *s, const char *exec_id)
{
	struct proc *p = xnew(struct proc);

	p->held[0] = p->held[1] = p->held[2] = p->console = p->pidfd = -1;
	snprintf(p->exec_id, sizeof(p->exec_id), "%s", exec_id ? exec_id : "");
	p->next = s->procs;
	s->procs = p;
	return p;
}

void proc_close_stdio(struct proc *p)
{
	for (int i = 0; i < 3; i++)
		fd_close(&p->held[i]);
	fd_close(&p->console);
}

void proc_free(struct shim *s, struct proc *p)
{
	for (struct proc **at = &s->procs; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	proc_close_stdio(p);
	fd_close(&p->pidfd);
	free(p);
}

void proc_runs(struct proc *p, pid_t pid, uint64_t start_time, pid_t wait_pid)
{
	p->pid = pid;
	p->start_time = start_time;
	p->wait_pid = wait_pid ? wait_pid : pid;
	if (p->wait_pid == pid)
		return;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* Opened before it is compared: from here on the descriptor can't change its process. */
	if (p->pidfd >= 0 && proc_start_time(pid) != start_time)
		fd_close(&p->pidfd);
}

int proc_signal(const struct proc *p, int signo)
{
	if (p->wait_pid == p->pid)
		return kill(p->pid, signo);
	if (p->pidfd < 0)
		return errno = ESRCH, -1;
	return (int)syscall(SYS_pidfd_send_signal, p->pidfd, signo, NULL, 0);
}

struct proc *proc_find(struct shim *s, const char *exec_id)
{
	for (struct proc *p = s->procs; p; p = p->next)
		if (!strcmp(p->exec_id, exec_id ? exec_id : ""))
			return p;
	return NULL;
}

static int exit_code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* memory.oom_control (v1) and memory.events (v2) both have a line "oom_kill N". */
static uint64_t read_oom_kills(int fd)
{
	char text[512];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	const char *at;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	at = strstr(text, "oom_kill ");
	return at ? strtoull(at + strlen("oom_kill "), NULL, 10) : 0;
}

void oom_check(struct shim *s)
{
	uint64_t kills;

	if (s->oom_counter < 0)
		return;
	kills = read_oom_kills(s->oom_counter);
	if (kills <= s->oom_kills)
		return;
	s->oom_kills = kills;
	journal_add(s, SHIM_EVENT_OOM, proc_find(s, NULL), 0, 0);
}

static void record_end(struct shim *s, struct proc *p, int status, int64_t time)
{
	bool init = !*p->exec_id;

	p->ended = true;
	oom_check(s); /* the kill comes before the exit, its notification may come behind */
	journal_add(s, init ? SHIM_EVENT_EXIT : SHIM_EVENT_EXEC_EXIT, p, exit_code_of(status),
		    time);
	s->ended = s->ended || init;
	/* An exec'd process without ends to hand out is done with; others wait for STDIO_DROP. */
	if (!init && p->held[0] < 0 && p->held[1] < 0 && p->held[2] < 0 && p->console < 0)
		proc_free(s, p);
}

void proc_ended_early(struct shim *s, struct proc *p)
{
	siginfo_t info = {0};

	/* Still our child, alive or not: the list below is about an earlier owner of that number. */
	if (waitid(P_PID, (id_t)p->wait_pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		return;
	for (size_t i = s->n_orphans; i-- > 0;)
		if (s->orphans[i].pid == p->wait_pid) {
			record_end(s, p, s->orphans[i].status, s->orphans[i].time);
			return;
		}
}

static void keep_orphan(struct shim *s, pid_t pid, int status)
{
	if (s->n_orphans == s->cap_orphans) {
		s->cap_orphans = s->cap_orphans ? s->cap_orphans * 2 : 8;
		s->orphans = xreallocarray(s->orphans, s->cap_orphans, sizeof(*s->orphans));
	}
	s->orphans[s->n_orphans++] =
	    (struct orphan){.pid = pid, .status = status, .time = clock_wall_ns()};
}

static struct proc *proc_of_pid(struct shim *s, pid_t pid)
{
	for (struct proc *p = s->procs; p; p = p->next)
		if (p->wait_pid == pid && !p->ended)
			return p;
	return NULL;
}

void reap(struct shim *s)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct proc *p = proc_of_pid(s, pid);
		struct op *op = op_of_pid(s, pid);

		if (p) {
			record_end(s, p, status, 0);
		} else if (op) {
			op->pid = 0;
			op->status = status;
		} else if (op_running(s)) {
			keep_orphan(s, pid, status);
		}
	}
	if (!op_running(s))
		s->n_orphans = 0;
}
