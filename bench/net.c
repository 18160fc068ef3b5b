/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What networks cost.
 *	net calls ROUNDS NAME=SOCKET...   start on a user's bridge with one published port, connect and disconnect, 100 networks; in turns
 *	net serve PORT                    gives every client bytes until it leaves; "ready" when it listens
 *	net flow ADDRESS PORT SECONDS     what one connection carries from a server that never stops: MB/s
 *	net dns ADDRESS NAME SECONDS      answers per second to 64 questions for an A record that are always under way; an answer of another code counts as none
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "lib/box.h"

#define NETWORKS 100

enum { START, CONNECT, DISCONNECT, MAKE, REMOVE, PHASES };
static const char *const phase_names[PHASES] = {"start", "connect", "disconnect",
						"make 100 networks", "remove them"};

struct target {
	char *name, *socket;
	double *ms[PHASES];
};

static double step(const struct target *t, const char *method, const char *uri, const char *body,
		   int status)
{
	int64_t begin = clock_mono_ns();
	auto_reply r = {0};

	if (request_at(t->socket, method, uri, body, &r) < 0 || r.status != status) {
		fprintf(stderr, "%s: %s: %d %s\n", t->name, uri, r.status, str_cstr(&r.body));
		exit(1);
	}
	return (double)(clock_mono_ns() - begin) / 1e6;
}

static void make_network(const struct target *t, const char *name, int i)
{
	step(t, "POST", "/v1.44/networks/create",
	     fmt("{\"Name\":\"%s\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.%d.%d.0/24\"}]}}", name,
		 i < 0 ? 234 : 235, i < 0 ? -i : i),
	     201);
}

static void lives(struct target *t, size_t round)
{
	step(t, "POST", "/v1.44/containers/create?name=dbench-net",
	     "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"1000\"],\"ExposedPorts\":{\"80/tcp\":{}},"
	     "\"HostConfig\":{\"NetworkMode\":\"dbench-a\",\"PortBindings\":{\"80/tcp\":[{"
	     "\"HostPort\":\"18080\"}]}}}",
	     201);
	t->ms[START][round] = step(t, "POST", "/v1.44/containers/dbench-net/start", NULL, 204);
	t->ms[CONNECT][round] = step(t, "POST", "/v1.44/networks/dbench-b/connect",
				     "{\"Container\":\"dbench-net\"}", 200);
	t->ms[DISCONNECT][round] = step(t, "POST", "/v1.44/networks/dbench-b/disconnect",
					"{\"Container\":\"dbench-net\"}", 200);
	step(t, "DELETE", "/v1.44/containers/dbench-net?force=1", NULL, 204);
}

static void networks(struct target *t, size_t round)
{
	t->ms[MAKE][round] = t->ms[REMOVE][round] = 0;
	for (int i = 0; i < NETWORKS; i++) {
		int64_t begin = clock_mono_ns();

		make_network(t, fmt("dbench-%d", i), i);
		t->ms[MAKE][round] += (double)(clock_mono_ns() - begin) / 1e6;
	}
	for (int i = 0; i < NETWORKS; i++)
		t->ms[REMOVE][round] +=
		    step(t, "DELETE", fmt("/v1.44/networks/dbench-%d", i), NULL, 204);
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print(struct target *t, size_t n, size_t rounds)
{
	printf("networks, %zu rounds, ms: median (best), ratio to %s\n", rounds, t[0].name);
	for (int p = 0; p < PHASES; p++) {
		size_t count = p >= MAKE ? 1 : rounds;

		printf("%-18s", phase_names[p]);
		for (size_t i = 0; i < n; i++) {
			qsort(t[i].ms[p], count, sizeof(double), by_value);
			printf("  %s %.2f (%.2f)", t[i].name, t[i].ms[p][count / 2], t[i].ms[p][0]);
			if (i)
				printf(" %.1fx", t[0].ms[p][count / 2] / t[i].ms[p][count / 2]);
		}
		printf("\n");
	}
}

static int calls(size_t rounds, char **argv, size_t n)
{
	struct target *t = xcalloc(n + 1, sizeof(*t));

	for (size_t i = 0; i < n; i++) {
		char *eq = strchr(argv[i], '=');

		if (!eq || !rounds)
			return 2;
		t[i].name = xstrndup(argv[i], (size_t)(eq - argv[i]));
		t[i].socket = xstrdup(eq + 1);
		for (int p = 0; p < PHASES; p++)
			t[i].ms[p] = xcalloc(rounds + 1, sizeof(double));
		make_network(&t[i], "dbench-a", -1);
		make_network(&t[i], "dbench-b", -2);
		lives(&t[i], rounds); /* not counted: everything is there afterwards */
	}
	for (size_t round = 0; round < rounds; round++)
		for (size_t i = 0; i < n; i++)
			lives(&t[i], round);
	for (size_t i = 0; i < n; i++) {
		networks(&t[i], 0);
		step(&t[i], "DELETE", "/v1.44/networks/dbench-a", NULL, 204);
		step(&t[i], "DELETE", "/v1.44/networks/dbench-b", NULL, 204);
	}
	print(t, n, rounds);
	return 0;
}

static struct sockaddr_in address_of(const char *ip, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1)
		exit(2);
	return a;
}

static int flow(const char *ip, const char *port, double seconds)
{
	const struct sockaddr_in a = address_of(ip, port);
	char *buf = xcalloc(1, 1 << 20);
	int64_t begin, end;
	double bytes = 0;
	ssize_t r;
	int fd;

	/* the server serves one client at a time: until it is there again */
	for (;;) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
		    recv(fd, buf, 1 << 20, 0) > 0)
			break;
		close(fd);
	}
	begin = clock_mono_ns();
	end = begin + (int64_t)(seconds * 1e9);
	while (clock_mono_ns() < end && (r = recv(fd, buf, 1 << 20, 0)) > 0)
		bytes += (double)r;
	printf("%.0f\n", bytes / 1e6 / ((double)(clock_mono_ns() - begin) / 1e9));
	return 0;
}

static int serve(const char *port)
{
	const struct sockaddr_in a = address_of("0.0.0.0", port);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	char *buf = xcalloc(1, 1 << 20);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 8) < 0) {
		perror("serve");
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		while (send(fd, buf, 1 << 20, MSG_NOSIGNAL) > 0)
			;
		close(fd);
	}
}

static size_t question(const char *name, unsigned char q[512])
{
	size_t at = 12;

	memcpy(q, "\0\0\1\0\0\1\0\0\0\0\0\0", 12);
	while (*name) {
		size_t len = strcspn(name, ".");

		q[at++] = (unsigned char)len;
		memcpy(q + at, name, len);
		at += len;
		name += len + (name[len] == '.');
	}
	memcpy(q + at, "\0\0\1\0\1", 5);
	return at + 5;
}

#define SOCKETS 8
#define UNDER_WAY 8 /* questions of one socket */

static int dns(const char *ip, const char *name, double seconds)
{
	const struct sockaddr_in a = address_of(ip, "53");
	struct pollfd p[SOCKETS];
	unsigned char q[512], answer[1500];
	size_t len = question(name, q);
	int64_t begin = clock_mono_ns(), end = begin + (int64_t)(seconds * 1e9);
	unsigned long good = 0, bad = 0;

	for (int i = 0; i < SOCKETS; i++) {
		p[i] = (struct pollfd){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
				       .events = POLLIN};
		if (connect(p[i].fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
			return 1;
		for (int k = 0; k < UNDER_WAY; k++)
			if (send(p[i].fd, q, len, 0) < 0)
				return 1;
	}
	while (clock_mono_ns() < end && poll(p, SOCKETS, 1000) > 0)
		for (int i = 0; i < SOCKETS; i++)
			while (p[i].revents &&
			       recv(p[i].fd, answer, sizeof(answer), MSG_DONTWAIT) >= 12) {
				if ((answer[3] & 15) == 0 && answer[7])
					good++;
				else
					bad++;
				if (send(p[i].fd, q, len, 0) < 0)
					return 1;
			}
	printf("%.0f%s\n", (double)good / ((double)(clock_mono_ns() - begin) / 1e9),
	       bad ? " (and others that were no address)" : "");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "calls"))
		return calls(strtoul(argv[2], NULL, 10), argv + 3, (size_t)argc - 3);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "flow"))
		return flow(argv[2], argv[3], atof(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "dns"))
		return dns(argv[2], argv[3], atof(argv[4]));
	fprintf(
	    stderr,
	    "usage: net calls ROUNDS NAME=SOCKET... | serve PORT | flow ADDRESS PORT SECONDS | dns "
	    "ADDRESS NAME SECONDS\n");
	return 2;
}
