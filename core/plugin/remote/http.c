/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A POST to a socket plugin: blocking, on a connection of its own, with one time limit for all of it. The reply is bounded by what has come, not
 * by what its head claims. See remote_int.h.
 */
#include "plugin/remote/remote_int.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <http_parser.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define HOST "plugin.moby.localhost" /* what moby calls the host behind a unix socket */
#define ACCEPT "application/vnd.docker.plugins.v1.2+json"

struct call {
	const char *where; /* path of the socket, or HOST:PORT */
	bool local;
	const char *path;
	int64_t until; /* monotonic ns */
	int fd;
	struct remote_reply *out;
	bool complete, too_large;
};

/* ---- Errors, as Go's client words them ------------------------------------------------------------------------------------------------ */

static int failed(const struct call *c, int why, struct error *err, const char *what)
{
	char reason[128];

	if (why == EAGAIN || why == EINPROGRESS || why == ETIMEDOUT) {
		why = ETIMEDOUT;
		what = "";
		snprintf(reason, sizeof(reason), "context deadline exceeded");
	} else { /* Go's names of errors begin in lower case */
		snprintf(reason, sizeof(reason), "%s", strerror(why));
		if (*reason >= 'A' && *reason <= 'Z')
			*reason = (char)(*reason + ('a' - 'A'));
	}
	error_set(err, ERR_SYSTEM, "Post \"http://%s/%s\": %s%s", c->local ? HOST : c->where,
		  c->path, what, reason);
	err->sys = why;
	return -1;
}

static int broken(const struct call *c, const char *text, struct error *err)
{
	error_set(err, ERR_SYSTEM, "Post \"http://%s/%s\": %s", c->local ? HOST : c->where, c->path,
		  text);
	err->sys = EPROTO;
	return -1;
}

/* ---- The connection ----------------------------------------------------------------------------------------------------------------- */

/* What is left of the time, for the next system call of that direction. False: nothing. */
static bool limit(const struct call *c, int fd, int option)
{
	int64_t left = c->until - clock_mono_ns();
	struct timeval tv;

	if (left <= 0)
		return false;
	left = left / 1000 + 1;
	tv = (struct timeval){.tv_sec = left / 1000000, .tv_usec = left % 1000000};
	return setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv)) == 0;
}

static int connect_unix(struct call *c, struct error *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_free char *what = xasprintf("dial unix %s: connect: ", c->where);
	int r;

	if (strlen(c->where) >= sizeof(a.sun_path))
		return failed(c, EINVAL, err, what);
	memcpy(a.sun_path, c->where, strlen(c->where));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return failed(c, errno, err, what);
	do
		r = limit(c, c->fd, SO_SNDTIMEO) ? connect(c->fd, (struct sockaddr *)&a, sizeof(a))
						 : (errno = ETIMEDOUT, -1);
	while (r < 0 && errno == EINTR);
	return r < 0 ? failed(c, errno, err, what) : 0;
}

static int connect_tcp(struct call *c, struct error *err)
{
	const char *colon = strrchr(c->where, ':');
	size_t n = colon ? (size_t)(colon - c->where) : strlen(c->where);
	bool bracketed = n > 1 && c->where[0] == '[' && c->where[n - 1] == ']';
	auto_free char *host = xstrndup(c->where + bracketed, n - 2 * bracketed),
		       *what = xasprintf("dial tcp %s: connect: ", c->where);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
	int why = EHOSTUNREACH;

	if (getaddrinfo(host, colon ? colon + 1 : "80", &hints, &all) != 0)
		return failed(c, EHOSTUNREACH, err, what);
	for (struct addrinfo *a = all; a; a = a->ai_next) {
		fd_close(&c->fd);
		c->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (c->fd >= 0 && limit(c, c->fd, SO_SNDTIMEO) &&
		    connect(c->fd, a->ai_addr, a->ai_addrlen) == 0) {
			freeaddrinfo(all);
			return 0;
		}
		why = errno;
	}
	freeaddrinfo(all);
	return failed(c, why, err, what);
}

static int send_request(struct call *c, const struct str *body, struct error *err)
{
	auto_str text = STR_INIT;
	size_t sent = 0;

	str_printf(&text,
		   "POST /%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: dockerd\r\nAccept: " ACCEPT
		   "\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
		   c->path, c->local ? HOST : c->where, body ? body->len : 0);
	if (body)
		str_add(&text, body->p, body->len);
	while (sent < text.len) {
		ssize_t n = limit(c, c->fd, SO_SNDTIMEO)
				? send(c->fd, text.p + sent, text.len - sent, MSG_NOSIGNAL)
				: (errno = ETIMEDOUT, -1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(c, errno, err, "write: ");
		sent += (size_t)n;
	}
	return 0;
}

/* ---- The reply ---------------------------------------------------------------------------------------------------------------------- */

static int on_body(http_parser *p, const char *at, size_t n)
{
	struct call *c = p->data;

	if (c->out->body.len + n > REMOTE_REPLY_MAX) {
		c->too_large = true;
		return 1;
	}
	str_add(&c->out->body, at, n);
	return 0;
}

static int on_complete(http_parser *p)
{
	struct call *c = p->data;

	if (p->status_code / 100 == 1) {
		str_reset(&c->out->body); /* the reply is yet to come */
		return 0;
	}
	c->out->status = (int)p->status_code;
	c->complete = true;
	http_parser_pause(p, 1);
	return 0;
}

static int read_reply(struct call *c, bool *any, struct error *err)
{
	static const http_parser_settings settings = {.on_body = on_body,
						      .on_message_complete = on_complete};
	http_parser parser;
	char buf[8192];

	http_parser_init(&parser, HTTP_RESPONSE);
	parser.data = c;
	*any = false;
	while (!c->complete) {
		ssize_t n = limit(c, c->fd, SO_RCVTIMEO) ? recv(c->fd, buf, sizeof(buf), 0)
							 : (errno = ETIMEDOUT, -1);
		size_t used;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(c, errno, err, "read: ");
		*any = *any || n > 0;
		used = http_parser_execute(&parser, &settings, buf, (size_t)n); /* 0: the end */
		if (c->complete)
			break;
		if (c->too_large)
			return broken(c, "the reply is larger than 16 MiB", err);
		if (n == 0)
			return broken(c, *any ? "unexpected EOF" : "EOF", err);
		if (used != (size_t)n)
			return broken(c,
				      "net/http: HTTP/1.x transport connection broken: "
				      "malformed HTTP response",
				      err);
	}
	return 0;
}

int remote_post(const char *address, const char *path, const struct str *body, int seconds,
		struct remote_reply *out, bool *again, struct error *err)
{
	const char *local = str_after(address, "unix://"), *tcp = str_after(address, "tcp://");
	struct call c = {.where = local ? local
				  : tcp ? tcp
					: str_after(address, "http://"),
			 .local = local != NULL,
			 .path = path,
			 .until = clock_mono_ns() + seconds * INT64_C(1000000000),
			 .fd = -1,
			 .out = out};
	bool any = false;
	int r;

	*again = true;
	r = local ? connect_unix(&c, err) : connect_tcp(&c, err);
	if (r == 0)
		r = send_request(&c, body, err);
	if (r == 0)
		r = read_reply(&c, &any, err);
	*again = r < 0 && !any && err->sys != ETIMEDOUT;
	fd_close(&c.fd);
	return r;
}
