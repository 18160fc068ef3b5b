/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canned SOCKET: answers what `docker run --rm IMAGE COMMAND` asks a daemon, at once and from memory, and runs nothing: what remains is the
 * CLI's own time. One container at a time.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int runs; /* containers started */

static void say(int fd, const char *text)
{
	size_t n = strlen(text);

	while (n) {
		ssize_t w = write(fd, text, n);

		if (w <= 0)
			return;
		text += w;
		n -= (size_t)w;
	}
}

static unsigned int runs_now(void)
{
	unsigned int n;

	pthread_mutex_lock(&lock);
	n = runs;
	pthread_mutex_unlock(&lock);
	return n;
}

static void await_run(unsigned int seen)
{
	pthread_mutex_lock(&lock);
	while (runs == seen)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void reply(int fd, const char *status, const char *body)
{
	char head[400];

	snprintf(head, sizeof(head),
		 "HTTP/1.1 %s\r\nApi-Version: 1.48\r\nOstype: linux\r\nServer: canned\r\n"
		 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		 status, strlen(body));
	say(fd, head);
	say(fd, body);
}

/* false: the connection is over. */
static bool answer(int fd, const char *head)
{
	unsigned int seen = runs_now();

	if (strstr(head, "/_ping")) {
		reply(fd, "200 OK", strncmp(head, "HEAD", 4) ? "OK" : "");
	} else if (strstr(head, "/containers/create")) {
		reply(fd, "201 Created", "{\"Id\":\"" ID "\",\"Warnings\":[]}");
	} else if (strstr(head, "/attach")) {
		say(fd, "HTTP/1.1 101 UPGRADED\r\nContent-Type: "
			"application/vnd.docker.multiplexed-stream\r\nConnection: "
			"Upgrade\r\nUpgrade: tcp\r\n\r\n");
		await_run(seen);
		return false;
	} else if (strstr(head, "/wait")) {
		say(fd, "HTTP/1.1 200 OK\r\nApi-Version: 1.48\r\nContent-Type: "
			"application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
		await_run(seen);
		say(fd, "11\r\n{\"StatusCode\":0}\n\r\n0\r\n\r\n");
	} else if (strstr(head, "/start")) {
		say(fd, "HTTP/1.1 204 No Content\r\nApi-Version: 1.48\r\n\r\n");
		pthread_mutex_lock(&lock);
		runs++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	} else {
		reply(fd, "200 OK", "{}");
	}
	return true;
}

static void *serve(void *arg)
{
	int fd = (int)(long)arg;
	char buf[65536];
	size_t len = 0;

	for (;;) {
		char *end, *length;
		size_t whole;
		ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
		buf[len] = '\0';
		while ((end = strstr(buf, "\r\n\r\n"))) {
			length = strcasestr(buf, "\r\ncontent-length:");
			whole = (size_t)(end + 4 - buf) +
				(length && length < end ? strtoul(length + 17, NULL, 10) : 0);
			if (len < whole)
				break;
			*end = '\0';
			if (!answer(fd, buf))
				goto out;
			memmove(buf, buf + whole, len - whole + 1);
			len -= whole;
		}
	}
out:
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 2 || strlen(argv[1]) >= sizeof(sa.sun_path)) {
		fprintf(stderr, "usage: canned SOCKET\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	strcpy(sa.sun_path, argv[1]);
	unlink(argv[1]);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 128) < 0) {
		perror(argv[1]);
		return 1;
	}
	for (;;) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_t t;

		if (c >= 0 && pthread_create(&t, NULL, serve, (void *)(long)c) == 0)
			pthread_detach(t);
	}
}
