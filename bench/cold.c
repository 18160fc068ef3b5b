/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cold ROUNDS SOCKET PROGRAM ARGS...: start a daemon, knock at its socket until a ping is answered, end it, and so on: the time from one to
 * the other. Looks every 0.2 ms, since there is nothing to wait on before the socket exists.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* 1: answered. A daemon may let a client wait that came early. */
static int ping(const struct sockaddr_un *sa)
{
	static const char text[] = "GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ok;
	char buf[64];

	ok = fd >= 0 && connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 &&
	     send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL) > 0 &&
	     recv(fd, buf, sizeof(buf), 0) > 12 && !strncmp(buf + 8, " 200", 4);
	if (fd >= 0)
		close(fd);
	return ok;
}

static double once(const struct sockaddr_un *sa, char **argv)
{
	const struct timespec pause = {0, 200000};
	posix_spawn_file_actions_t quiet;
	double begin = now_ms(), ms;
	pid_t pid;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ)) {
		perror(argv[0]);
		exit(1);
	}
	posix_spawn_file_actions_destroy(&quiet);
	while (!ping(sa)) {
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			fprintf(stderr, "%s ended\n", argv[0]);
			exit(1);
		}
		nanosleep(&pause, NULL);
	}
	ms = now_ms() - begin;
	kill(pid, SIGTERM);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return ms;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	double *v = calloc(rounds + 1, sizeof(*v));

	if (!rounds || !v || strlen(argv[2]) >= sizeof(sa.sun_path)) {
		fprintf(stderr, "usage: cold ROUNDS SOCKET PROGRAM ARGS...\n");
		return 2;
	}
	strcpy(sa.sun_path, argv[2]);
	for (size_t i = 0; i < rounds; i++)
		v[i] = once(&sa, argv + 3);
	qsort(v, rounds, sizeof(*v), by_value);
	printf("%.1f (best %.1f)\n", v[rounds / 2], v[0]);
	free(v);
	return 0;
}
