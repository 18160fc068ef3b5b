/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd-logd DRIVER STATE-DIRECTORY: started by the daemon with its listening socket as descriptor 3 and a pipe as stdout, on which it says
 * why it can't serve, or nothing. It outlives the daemon: own session, nobody's child, and ends only when told to and nothing is left to read.
 */
#include "logd.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define LISTENER 3

static int setup(const char *driver, const char *state_dir, struct error *err)
{
	if (loop_setup(err) < 0)
		return -1;
	fcntl(LISTENER, F_SETFD, FD_CLOEXEC);
	fcntl(LISTENER, F_SETFL, fcntl(LISTENER, F_GETFL) | O_NONBLOCK);
	if (sink_setup(driver, state_dir, err) < 0)
		return -1;
	return control_setup(LISTENER, err);
}

/* Descriptors of many containers and clients: as many as we may have. */
static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	int null;
	pid_t pid;

	if (argc != 3) {
		fprintf(stderr,
			"usage: dockerd-logd DRIVER STATE-DIRECTORY (started by dockerd)\n");
		return 2;
	}
	/* the daemon reaps the parent at once and never has to know when we end */
	pid = fork();
	if (pid != 0)
		_exit(pid < 0);
	setsid();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_DUMPABLE, 0);
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 256 * 1024);
	raise_limit();
	log_setup(LOG_LEVEL_INFO, false, false);
	if (chdir("/") < 0 || setup(argv[1], argv[2], &err) < 0) {
		fd_write_all(STDOUT_FILENO, err.text, strlen(err.text));
		return 1;
	}
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	loop_run(stream_deadline, stream_tick);
	control_end();
	loop_end();
	_exit(0); /* threads may still be in a driver that hangs */
}
