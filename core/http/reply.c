/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: heads, whole bodies, chunks, and taking a connection over. */
#include "http/conn.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *reason(int status)
{
	switch (status) {
	case 100:
		return "Continue";
	case 101:
		return "UPGRADED";
	case 200:
		return "OK";
	case 201:
		return "Created";
	case 204:
		return "No Content";
	case 301:
		return "Moved Permanently";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 409:
		return "Conflict";
	case 413:
		return "Request Entity Too Large";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	default:
		return "Status";
	}
}

int http_send(int fd, const struct iovec *iov_in, int n)
{
	struct iovec iov[8];
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = (size_t)n};

	memcpy(iov, iov_in, sizeof(*iov) * (size_t)n);
	while (mh.msg_iovlen) {
		ssize_t w = sendmsg(fd, &mh, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		while (mh.msg_iovlen && (size_t)w >= mh.msg_iov->iov_len) {
			w -= (ssize_t)mh.msg_iov->iov_len;
			mh.msg_iov++;
			mh.msg_iovlen--;
		}
		if (mh.msg_iovlen) {
			mh.msg_iov->iov_base = (char *)mh.msg_iov->iov_base + w;
			mh.msg_iov->iov_len -= (size_t)w;
		}
	}
	return 0;
}

void http_set_header(struct http_exchange *x, const char *name, const char *value)
{
	if (!strpbrk(value, "\r\n")) /* it would be two */
		pairs_set(&x->reply_headers, name, value);
}

/* Made once a second by each thread. */
static void add_date(struct str *out)
{
	static _Thread_local struct {
		time_t of;
		char text[48];
	} last;
	time_t now = time(NULL);
	struct tm tm;

	if (now != last.of) {
		gmtime_r(&now, &tm);
		strftime(last.text, sizeof(last.text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		last.of = now;
	}
	str_puts(out, last.text);
}

static void build_head(struct http_exchange *x, struct str *out, int status,
		       const char *content_type, int64_t length)
{
	x->status = status;
	str_printf(out, "HTTP/1.1 %d %s\r\n", status, reason(status));
	for (size_t i = 0; i < x->reply_headers.n; i++)
		str_printf(out, "%s: %s\r\n", x->reply_headers.v[i].key,
			   x->reply_headers.v[i].value);
	if (content_type)
		str_printf(out, "Content-Type: %s\r\n", content_type);
	if (status == 101)
		return;
	add_date(out);
	if (length >= 0 && status != 204 && status != 304)
		str_printf(out, "Content-Length: %lld\r\n", (long long)length);
	else if (x->reply_chunked)
		str_puts(out, "Transfer-Encoding: chunked\r\n");
	if (!x->keep_alive)
		str_puts(out, "Connection: close\r\n");
	str_puts(out, "\r\n");
}

/* False: the hook refused, and its error was sent. */
static bool may_reply(struct http_exchange *x, int status, const char *content_type,
		      const char *body, size_t n)
{
	http_reply_hook hook = x->server->reply_hook;
	struct error err = ERROR_INIT;

	if (!hook || x->vetoed || hook(x, status, content_type, body, n, &err) == 0)
		return true;
	x->vetoed = true;
	http_reply_error(x, &err);
	return false;
}

void http_reply(struct http_exchange *x, int status, const char *content_type, const void *body,
		size_t n)
{
	auto_str head = STR_INIT;
	struct iovec iov[2];

	if (x->status)
		return; /* a reply has begun: nothing can be put right any more */
	if (!may_reply(x, status, content_type, body, n))
		return;
	if (!x->body_done || x->preread.len)
		x->keep_alive = x->keep_alive && http_drain(x);
	build_head(x, &head, status, content_type, (int64_t)n);
	iov[0] = (struct iovec){head.p, head.len};
	iov[1] = (struct iovec){(void *)(uintptr_t)body, n};
	if (http_send(x->conn->fd, iov, n && !x->head_only ? 2 : 1) < 0)
		x->keep_alive = false;
}

void http_reply_json(struct http_exchange *x, int status, struct str *body)
{
	str_putc(body, '\n');
	http_reply(x, status, "application/json", body->p, body->len);
}

void http_reply_empty(struct http_exchange *x, int status)
{
	http_reply(x, status, NULL, "", 0);
}

void http_reply_error(struct http_exchange *x, const struct error *err)
{
	auto_str body = STR_INIT;
	struct jw w = jw_to(&body);
	int status = error_http_status(err->kind);

	if (x->status) {
		x->keep_alive =
		    false; /* cut the reply short, so that the client sees that it is not whole */
		return;
	}
	if (status == 304) {
		http_reply_empty(x, status);
		return;
	}
	jw_obj(&w);
	jw_kstr(&w, "message", err->text);
	jw_end(&w);
	http_reply_json(x, status, &body);
}

int http_begin(struct http_exchange *x, int status, const char *content_type)
{
	auto_str head = STR_INIT;
	struct iovec iov;

	if (!may_reply(x, status, content_type, NULL, 0))
		return -1;
	x->reply_chunked = x->conn->parser.http_minor >= 1;
	if (!x->reply_chunked)
		x->keep_alive = false;
	build_head(x, &head, status, content_type, -1);
	iov = (struct iovec){head.p, head.len};
	if (http_send(x->conn->fd, &iov, 1) < 0) {
		x->keep_alive = false;
		return -1;
	}
	return 0;
}

int http_write(struct http_exchange *x, const void *p, size_t n)
{
	char size[24];
	struct iovec iov[3];
	int r;

	if (!n || x->head_only)
		return 0;
	iov[0] = (struct iovec){size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", n)};
	iov[1] = (struct iovec){(void *)(uintptr_t)p, n};
	iov[2] = (struct iovec){(void *)(uintptr_t) "\r\n", 2};
	r = x->reply_chunked ? http_send(x->conn->fd, iov, 3) : http_send(x->conn->fd, iov + 1, 1);
	if (r < 0)
		x->keep_alive = false;
	return r;
}

/* All n bytes; where the socket can't take a pipe's, by copying them. -1: the client is gone, or the pipe has less than that. */
static int pass_on(int sock, int pipe, size_t n)
{
	char buf[65536];

	while (n) {
		ssize_t r = splice(pipe, NULL, sock, NULL, n, SPLICE_F_MOVE);
		struct iovec iov = {buf, 0};

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno == EINVAL) {
			r = read(pipe, buf, n < sizeof(buf) ? n : sizeof(buf));
			iov.iov_len = r > 0 ? (size_t)r : 0;
			if (r > 0 && http_send(sock, &iov, 1) < 0)
				return -1;
		}
		if (r <= 0)
			return -1;
		n -= (size_t)r;
	}
	return 0;
}

int http_write_pipe(struct http_exchange *x, int pipe, size_t n)
{
	struct iovec end = {(void *)(uintptr_t) "\r\n", 2};
	char size[24];
	struct iovec head = {size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", n)};
	int fd = x->conn->fd;

	if ((x->reply_chunked && http_send(fd, &head, 1) < 0) || pass_on(fd, pipe, n) < 0 ||
	    (x->reply_chunked && http_send(fd, &end, 1) < 0)) {
		x->keep_alive = false;
		return -1;
	}
	return 0;
}

void http_end(struct http_exchange *x)
{
	struct iovec iov = {(void *)(uintptr_t) "0\r\n\r\n", 5};

	if (x->reply_chunked && !x->head_only && http_send(x->conn->fd, &iov, 1) < 0)
		x->keep_alive = false;
	if (x->keep_alive)
		x->keep_alive = http_drain(x);
}

/* Send the head and give the connection away, with what was read of it. */
static int give_away(struct http_exchange *x, const struct str *head, int *sock,
		     struct str *pending, struct error *err)
{
	struct http_conn *c = x->conn;
	struct iovec iov = {head->p, head->len};

	if (http_send(c->fd, &iov, 1) < 0)
		return error_set(err, ERR_CANCELLED, "the client is gone");
	str_add(pending, str_cstr(&c->decoded), c->decoded.len);
	str_add(pending, str_cstr(&c->in), c->in.len);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0}, sizeof(struct timeval));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){0}, sizeof(struct timeval));
	*sock = steal_fd(&c->fd);
	x->hijacked = true;
	return 0;
}

int http_hijack(struct http_exchange *x, const char *content_type, int *sock, struct str *pending,
		struct error *err)
{
	auto_str head = STR_INIT;

	if (!may_reply(x, x->upgrade ? 101 : 200, content_type, NULL, 0))
		return error_set(err, ERR_DENIED, "the connection may not be taken over");
	if (x->upgrade) {
		build_head(x, &head, 101, content_type, -1);
		str_puts(&head, "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
	} else {
		x->status = 200;
		str_printf(&head, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n", content_type);
	}
	return give_away(x, &head, sock, pending, err);
}

int http_switch(struct http_exchange *x, const char *protocol, const char *accept, int *sock,
		struct str *pending, struct error *err)
{
	auto_str head = STR_INIT;

	if (!may_reply(x, 101, NULL, NULL, 0))
		return error_set(err, ERR_DENIED, "the connection may not be taken over");
	x->status = 101;
	str_printf(&head,
		   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\n"
		   "Sec-WebSocket-Accept: %s\r\n\r\n",
		   protocol, accept);
	return give_away(x, &head, sock, pending, err);
}

bool http_client_gone(struct http_exchange *x)
{
	struct pollfd p = {.fd = x->conn->fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

bool http_wait(struct http_exchange *x, int fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
			      {.fd = x->conn->fd, .events = POLLRDHUP}};

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	return p[0].revents != 0;
}
