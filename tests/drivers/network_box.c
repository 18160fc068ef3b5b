/* SPDX-License-Identifier: Apache-2.0 */
/* See network_box.h. */
#include "network_box.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAYLOAD 300000 /* more than a pipe and a socket buffer hold */
#define FAILS_AFTER_MS 1500

struct command {
	char what; /* s: serve, e: echo */
	char proto[5], ip[46];
	uint16_t port;
};

static int new_socket(const char *proto, int family)
{
	return socket(family, (strncmp(proto, "udp", 3) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC,
		      0);
}

static socklen_t fill(const char *ip, uint16_t port, struct sockaddr_storage *sa)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)sa;

	memset(sa, 0, sizeof(*sa));
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, ip, &v6->sin6_addr);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static bool echo_udp(int fd)
{
	char out[] = "datagram", in[64];

	return send(fd, out, sizeof(out), 0) == sizeof(out) &&
	       recv(fd, in, sizeof(in), 0) == sizeof(out) && !memcmp(in, out, sizeof(out));
}

/* Everything out, half-close, everything back: the answer only comes if the half-close got through. */
static bool echo_tcp(int fd)
{
	static char out[PAYLOAD], in[PAYLOAD];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 31);
	memset(in, 0, sizeof(in));
	while (n < sizeof(out)) {
		ssize_t w = send(fd, out + n, sizeof(out) - n, MSG_NOSIGNAL);

		if (w <= 0)
			return false;
		n += (size_t)w;
	}
	shutdown(fd, SHUT_WR);
	for (n = 0; n < sizeof(in);) {
		ssize_t r = recv(fd, in + n, sizeof(in) - n, 0);

		if (r <= 0)
			return false;
		n += (size_t)r;
	}
	return recv(fd, in, 1, 0) == 0 && !memcmp(in + 1, out + 1, sizeof(out) - 1);
}

bool echo_from_here(const char *proto, const char *ip, uint16_t port, int timeout_ms)
{
	struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	struct sockaddr_storage sa;
	socklen_t len = fill(ip, port, &sa);
	int fd = new_socket(proto, sa.ss_family);
	bool ok = false;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, len) == 0)
		ok = strcmp(proto, "udp") ? echo_tcp(fd) : echo_udp(fd);
	close(fd);
	return ok;
}

static void serve_tcp(int l, int report)
{
	for (;;) {
		struct sockaddr_storage from;
		const struct sockaddr_in *v4 = (const void *)&from;
		const struct sockaddr_in6 *v6 = (const void *)&from;
		socklen_t len = sizeof(from);
		int fd = accept4(l, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
		static char buf[PAYLOAD];
		size_t n = 0;
		ssize_t r;
		char text[64] = "";

		if (fd < 0)
			return;
		if (from.ss_family == AF_INET)
			inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
		else
			inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
		if (write(report, text, sizeof(text)) < 0)
			return;
		while (n < sizeof(buf) && (r = read(fd, buf + n, sizeof(buf) - n)) > 0)
			n += (size_t)r;
		/* To the end of file: a missing half-close shows as an answer that never comes. */
		while (read(fd, text, 1) > 0)
			;
		for (size_t k = 0; k < n; k += (size_t)r)
			if ((r = write(fd, buf + k, n - k)) <= 0)
				break;
		close(fd);
	}
}

static void serve_udp(int l)
{
	for (;;) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		char buf[2048];
		ssize_t n = recvfrom(l, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

		if (n < 0 || sendto(l, buf, (size_t)n, 0, (struct sockaddr *)&from, len) < 0)
			return;
	}
}

/* A server runs in a process of its own that dies with the box. */
static bool serve(const struct command *c, int report)
{
	struct sockaddr_storage sa;
	socklen_t len = fill(c->proto[3] == '6' ? "::" : "0.0.0.0", c->port, &sa);
	int fd = new_socket(c->proto, sa.ss_family), on = 1;
	bool udp = !strncmp(c->proto, "udp", 3);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 || (!udp && listen(fd, 16) < 0))
		return false;
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		if (udp)
			serve_udp(fd);
		else
			serve_tcp(fd, report);
		_exit(0);
	}
	close(fd);
	return true;
}

static void child(int sock, int report)
{
	int nl, yes = 1;
	struct command c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	if (unshare(CLONE_NEWNET) < 0)
		_exit(1);
	nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	(void)yes;
	if (write(sock, &nl, sizeof(nl)) < 0)
		_exit(1);
	while (read(sock, &c, sizeof(c)) == sizeof(c)) {
		bool ok = c.what == 's' ? serve(&c, report)
					: echo_from_here(c.proto, c.ip, c.port, FAILS_AFTER_MS);

		if (write(sock, &ok, sizeof(ok)) < 0)
			break;
	}
	kill(0, SIGKILL); /* the servers: this is a process group of its own */
	_exit(0);
}

void box_open(struct box *b)
{
	int sv[2], nl, pidfd;
	char path[64];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		abort();
	b->pid = fork();
	if (b->pid == 0) {
		close(sv[0]);
		setpgid(0, 0);
		child(sv[1], sv[1]);
	}
	close(sv[1]);
	b->sock = sv[0];
	if (read(b->sock, &nl, sizeof(nl)) != sizeof(nl))
		abort();
	snprintf(path, sizeof(path), "/proc/%d/ns/net", b->pid);
	b->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	pidfd = (int)syscall(SYS_pidfd_open, b->pid, 0);
	b->netlink_fd = (int)syscall(SYS_pidfd_getfd, pidfd, nl, 0);
	close(pidfd);
	if (b->netns_fd < 0 || b->netlink_fd < 0)
		abort();
	/* The child's own copy would keep the namespace alive no longer than itself. */
}

void box_close(struct box *b)
{
	if (b->pid <= 0)
		return;
	kill(-b->pid, SIGKILL);
	waitpid(b->pid, NULL, 0);
	close(b->sock);
	close(b->netns_fd);
	close(b->netlink_fd);
	b->pid = 0;
}

static bool ask(struct box *b, char what, const char *proto, const char *ip, uint16_t port)
{
	struct command c = {.what = what, .port = port};
	char answer[64];
	ssize_t n;

	snprintf(c.proto, sizeof(c.proto), "%s", proto);
	snprintf(c.ip, sizeof(c.ip), "%s", ip);
	if (write(b->sock, &c, sizeof(c)) != sizeof(c))
		return false;
	/* Reports of accepted connections (64 bytes) may stand before the answer (1 byte). */
	do
		n = read(b->sock, answer, sizeof(answer));
	while (n == sizeof(answer));
	return n == 1 && answer[0];
}

bool box_serve(struct box *b, const char *proto, uint16_t port)
{
	return ask(b, 's', proto, "", port);
}

bool box_echo(struct box *b, const char *proto, const char *ip, uint16_t port)
{
	return ask(b, 'e', proto, ip, port);
}

bool box_accept_from(struct box *b, char out[64])
{
	return read(b->sock, out, 64) == 64;
}
