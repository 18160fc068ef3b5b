/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start-daemon LOGFILE PROGRAM [ARGUMENT...]
 *
 * Starts a daemon in a session of its own, waits until it says READY=1 (sd_notify(3)), prints its pid. If it ends instead, shows the end of its
 * log and fails. For scripts that must not guess how long a start takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "start-daemon: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* An abstract socket: nothing to clean up. */
static int listen_notify(char name[64])
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(name, 64, "@start-daemon-%d", (int)getpid());
	memcpy(sa.sun_path + 1, name + 1, strlen(name) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) < 0)
		die("notify socket");
	return fd;
}

static void show_end(const char *path)
{
	char buf[4096];
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return;
	if (fseek(f, -(long)sizeof(buf), SEEK_END) < 0)
		rewind(f);
	n = fread(buf, 1, sizeof(buf), f);
	fwrite(buf, 1, n, stderr);
	fclose(f);
}

static pid_t start(const char *log, char **argv, const char *notify)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	setsid();
	setenv("NOTIFY_SOCKET", notify, 1);
	fd = open("/dev/null", O_RDONLY);
	dup2(fd, 0);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		_exit(126);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int main(int argc, char **argv)
{
	char notify[64], buf[256];
	int sock, pidfd;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: start-daemon LOGFILE PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	sock = listen_notify(notify);
	pid = start(argv[1], argv + 2, notify);
	if (pid < 0)
		die("fork");
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	for (;;) {
		struct pollfd p[2] = {{sock, POLLIN, 0}, {pidfd, POLLIN, 0}};

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			die("poll");
		if (p[0].revents) {
			ssize_t n = recv(sock, buf, sizeof(buf) - 1, 0);

			buf[n > 0 ? n : 0] = '\0';
			if (strstr(buf, "READY=1"))
				break;
		} else if (p[1].revents) {
			show_end(argv[1]);
			return 1;
		}
	}
	printf("%d\n", (int)pid);
	return 0;
}
