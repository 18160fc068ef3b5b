/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only program of the test image: static, so that the image is this one file. What it does is its first argument.
 *
 *	say TEXT...      one line per argument on stdout, end
 *	both TEXT        the text on stdout and on stderr, end
 *	exit N           end with N
 *	cat              stdin to stdout until its end
 *	pause            "ready" on stdout; until a signal; SIGTERM ends with 0
 *	echo             "ready"; then each line of stdin goes to stdout, until its end; then pause
 *	lines N          N numbered lines, then pause
 *	count N          N numbered lines in writes of five bytes; SIGTERM ends it, when all are written
 *	follow FILE      "ready"; each time something opens FILE (a fifo it makes) and writes, that goes to stdout
 *	serve PORT       answers each TCP connection with "served\n"
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void end(int sig)
{
	(void)sig;
	_exit(0);
}

static int rest(void)
{
	for (;;)
		pause();
	return 0;
}

static void copy(int from)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(1, buf, (size_t)n) != n)
			_exit(1);
}

static void say(const char *text)
{
	if (dprintf(1, "%s\n", text) < 0)
		_exit(1);
}

static int follow(const char *path)
{
	if (mkfifo(path, 0666) < 0)
		return 1;
	say("ready");
	for (;;) {
		int fd = open(path, O_RDONLY);

		copy(fd);
		close(fd);
	}
}

static int serve(int port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 16) < 0)
		return 1;
	say("ready");
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (c >= 0 && write(c, "served\n", 7) != 7)
			return 1;
		close(c);
	}
}

/* No write ends where a line does. */
static int count(int lines)
{
	char buf[32];
	size_t n = 0;
	sigset_t term;
	int sig;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	for (int i = 0; i < lines; i++) {
		n += (size_t)snprintf(buf + n, sizeof(buf) - n, "%d\n", i);
		while (n >= 5) {
			if (write(1, buf, 5) != 5)
				return 1;
			memmove(buf, buf + 5, n -= 5);
		}
	}
	return write(1, buf, n) != (ssize_t)n || sigwait(&term, &sig) != 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "pause", *arg = argc > 2 ? argv[2] : "";

	signal(SIGTERM, end);
	if (!strcmp(what, "say")) {
		for (int i = 2; i < argc; i++)
			say(argv[i]);
		return 0;
	}
	if (!strcmp(what, "both")) {
		say(arg);
		return dprintf(2, "%s\n", arg) < 0;
	}
	if (!strcmp(what, "exit"))
		return atoi(arg);
	if (!strcmp(what, "cat")) {
		copy(0);
		return 0;
	}
	if (!strcmp(what, "lines")) {
		for (int i = 0; i < atoi(arg); i++)
			printf("line %d\n", i);
		fflush(stdout);
		return rest();
	}
	if (!strcmp(what, "count"))
		return count(atoi(arg));
	if (!strcmp(what, "follow"))
		return follow(arg);
	if (!strcmp(what, "serve"))
		return serve(atoi(arg));
	/* put TEXT FILE: for exec beside `follow` */
	if (!strcmp(what, "put") && argc > 3) {
		int fd = open(argv[3], O_WRONLY);

		return dprintf(fd, "%s\n", arg) < 0;
	}
	say("ready");
	if (!strcmp(what, "echo"))
		copy(0);
	return rest();
}
