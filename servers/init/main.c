/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker-init: first process of a container run with --init. Starts the command in a process group of its own (with the terminal,
 * if there is one), passes every signal on to it, reaps whatever is orphaned in the container, and ends as the command ended.
 * Usage: docker-init [--] COMMAND [ARGUMENT...]
 *
 * Static, because it runs on any image's files; the behaviour is that of tini without options (the reference's docker-init).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, const char *which)
{
	dprintf(STDERR_FILENO, "docker-init: %s %s: %s\n", what, which, strerror(errno));
}

static void run_child(char **argv, const sigset_t *old)
{
	setpgid(0, 0);
	/* A background group may not take the terminal, unless it ignores the objection. */
	signal(SIGTTOU, SIG_IGN);
	if (isatty(STDIN_FILENO) && tcsetpgrp(STDIN_FILENO, getpid()) < 0 && errno != ENOTTY &&
	    errno != ENXIO)
		say("take the terminal for", argv[0]);
	signal(SIGTTOU, SIG_DFL);
	sigprocmask(SIG_SETMASK, old, NULL);
	execvp(argv[0], argv);
	say("exec", argv[0]);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Reap all that has ended. The command's exit code, or -1 while it runs. */
static int reap_all(pid_t child)
{
	int status, code = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == child)
			code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return code;
}

int main(int argc, char **argv)
{
	char **command = argv + 1;
	sigset_t all, old;
	siginfo_t info;
	pid_t child;
	int code = -1;

	if (argc > 1 && !strcmp(argv[1], "--"))
		command++;
	if (argc < 2 || !*command) {
		dprintf(STDERR_FILENO, "Usage: docker-init [--] COMMAND [ARGUMENT...]\n");
		return 1;
	}
	sigfillset(&all);
	/* Faults of our own must stay fatal. */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	sigdelset(&all, SIGTRAP);
	sigprocmask(SIG_SETMASK, &all, &old);
	child = fork();
	if (child < 0) {
		say("fork for", command[0]);
		return 1;
	}
	if (child == 0)
		run_child(command, &old);
	while (code < 0) {
		if (sigwaitinfo(&all, &info) < 0)
			continue;
		if (info.si_signo == SIGCHLD)
			code = reap_all(child);
		else
			kill(child, info.si_signo);
	}
	return code;
}
