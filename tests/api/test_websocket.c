/* SPDX-License-Identifier: Apache-2.0 */
/* GET /containers/{}/attach/ws by a client of our own, and the handshake. RFC 6455. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/box.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* of the RFC, with its answer */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define ASK                                                                                \
	"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: " KEY \
	"\r\nSec-WebSocket-Version: 13\r\n"

static int ask(const char *version, const char *name, const char *query, const char *headers,
	       struct reply *r)
{
	int fd = dial();

	send_text(fd, fmt("GET /v%s/containers/%s/attach/ws?%s HTTP/1.1\r\nHost: d\r\n%s\r\n",
			  version, name, query, headers));
	read_head(fd, r);
	return fd;
}

/* One frame of a client. */
static void put(int fd, int head, const char *data, size_t n)
{
	static const char mask[4] = {7, (char)200, 0, 99};
	auto_str s = STR_INIT;

	str_putc(&s, (char)head);
	str_putc(&s, (char)(0x80 | (n < 126 ? n : 126)));
	if (n >= 126) {
		str_putc(&s, (char)(n >> 8));
		str_putc(&s, (char)n);
	}
	str_add(&s, mask, 4);
	for (size_t i = 0; i < n; i++)
		str_putc(&s, (char)(data[i] ^ mask[i % 4]));
	send_all(fd, s.p, s.len);
}

static bool get(int fd, void *to, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t r = read(fd, (char *)to + at, n - at);

		if (r <= 0)
			return false;
		at += (size_t)r;
	}
	return true;
}

/* One frame of the server; its head's first byte, or -1 at the end. */
static int take(int fd, struct str *data)
{
	unsigned char head[2], longer[8];
	size_t n, more;

	if (!get(fd, head, 2))
		return -1;
	n = head[1];
	more = n == 126 ? 2 : n == 127 ? 8 : 0;
	if (more && !get(fd, longer, more))
		return -1;
	if (more)
		n = 0;
	for (size_t i = 0; i < more; i++)
		n = n << 8 | longer[i];
	if (!get(fd, str_reserve(data, n), n))
		return -1;
	data->len += n;
	data->p[data->len] = '\0';
	return head[0];
}

/* Messages of that kind until the text was seen. */
static bool take_until(int fd, int head, const char *text)
{
	auto_str seen = STR_INIT;

	while (!strstr(str_cstr(&seen), text))
		if (take(fd, &seen) != head) {
			note("instead of %s: %s", text, str_cstr(&seen));
			return false;
		}
	return true;
}

/* The text in any number of messages of that kind, and a pong anywhere between them. */
static bool pieces(int fd, int head, struct str *pong, const char *text)
{
	auto_str seen = STR_INIT;

	while (!strstr(str_cstr(&seen), text) || !pong->len) {
		auto_str data = STR_INIT;
		int got = take(fd, &data);

		if (got != head && got != 0x8a)
			return false;
		str_add(got == head ? &seen : pong, str_cstr(&data), data.len);
	}
	return true;
}

static bool closed(int fd, unsigned int code)
{
	auto_str data = STR_INIT;
	int head;

	do {
		str_reset(&data);
		head = take(fd, &data);
	} while (head == 0x81 || head == 0x82);
	if (head != 0x88 || data.len != 2)
		note("instead of the end: %#x and %zu bytes", (unsigned int)head, data.len);
	return head == 0x88 && data.len == 2 &&
	       ((unsigned int)(unsigned char)data.p[0] << 8 | (unsigned char)data.p[1]) == code &&
	       take(fd, &data) == -1;
}

static void talk(const char *version, int head)
{
	const char *id = make_container("echo", "\"echo\"", ",\"OpenStdin\":true");
	auto_reply r = {0};
	auto_close fd = ask(version, id, "stream=1&stdin=1&stdout=1&stderr=1", ASK, &r);
	auto_str pong = STR_INIT, long_line = STR_INIT;

	ok(r.status == 101 && reply_header(&r, "Sec-WebSocket-Accept") &&
	       streq(reply_header(&r, "Sec-WebSocket-Accept"), ACCEPT) &&
	       streq(reply_header(&r, "Upgrade"), "websocket"),
	   "version %s: handshake before the start", version);
	ok(status_of("POST", fmt("/v1.51/containers/%s/start", id), NULL) == 204, "start");
	ok(take_until(fd, head, "ready\n"), "output in messages of kind %#x", head);
	put(fd, 0x81, "text\n", 5);
	ok(take_until(fd, head, "text\n"), "a text message is input");
	put(fd, 0x02, "in ", 3);
	put(fd, 0x89, "are you there", 13);
	put(fd, 0x80, "pieces\n", 7);
	ok(pieces(fd, head, &pong, "in pieces\n"), "a fragmented message");
	ok(streq(str_cstr(&pong), "are you there"), "and the answer to the ping inside");
	for (int i = 0; i < 3000; i++)
		str_putc(&long_line, 'x');
	str_putc(&long_line, '\n');
	put(fd, 0x82, long_line.p, long_line.len);
	ok(take_until(fd, head, "x\n"), "a long one");
	put(fd, 0x88, "\x03\xe8", 2);
	ok(closed(fd, 1000), "the client ends it");
	ok(status_of("GET", fmt("/v1.51/containers/%s/json", id), NULL) == 200,
	   "the container goes on");
	fd_close(&fd);
	fd = ask(version, id, "stream=1&stdout=1&stderr=1&logs=1", ASK, &r);
	ok(r.status == 101 && take_until(fd, head, "in pieces\n"), "with what was logged before");
	status_of("POST", fmt("/v1.51/containers/%s/kill", id), NULL);
	ok(closed(fd, 1000), "it ends with the container");
	status_of("DELETE", fmt("/v1.51/containers/%s?force=1", id), NULL);
}

/* A container that neither reads nor writes: a client that leaves it is not kept, even when its input is stuck. */
static void leave_stuck(void)
{
	const char *id = make_container("deaf", "\"pause\"", ",\"OpenStdin\":true");
	auto_reply r = {0};
	auto_close fd = -1;
	struct pollfd p = {.events = POLLOUT};
	static char text[60000];
	char c;
	ssize_t n;

	ok(status_of("POST", fmt("/v1.51/containers/%s/start", id), NULL) == 204, "start");
	fd = ask("1.51", id, "stream=1&stdin=1", ASK, &r);
	p.fd = fd;
	ok(r.status == 101, "attached, for input only");
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	/* one frame that is longer than all that comes: 0x82, 64 bit of length, no mask */
	send_all(fd, "\x82\xff\0\0\0\0\x0f\0\0\0\0\0\0\0", 14);
	while (poll(&p, 1, 2000) > 0)
		if (write(fd, text, sizeof(text)) < 0 && errno != EAGAIN)
			break;
	ok(!(p.revents & (POLLERR | POLLHUP)), "its input is stuck");
	shutdown(fd, SHUT_WR);
	p.events = POLLIN;
	ok(poll(&p, 1, 60000) == 1, "the client ends its side");
	while ((n = read(fd, &c, 1)) > 0)
		;
	ok(n == 0 || errno == ECONNRESET, "the daemon ends the other");
	status_of("DELETE", fmt("/v1.51/containers/%s?force=1", id), NULL);
}

static void refuse(const char *what, const char *name, const char *query, const char *headers,
		   int status, const char *words)
{
	auto_close fd = dial();
	auto_reply r = {0};

	send_text(fd, fmt("GET /v1.51/containers/%s/attach/ws?%s HTTP/1.1\r\nHost: d\r\n%s\r\n",
			  name, query, headers));
	read_reply(fd, false, &r);
	ok(r.status == status && strstr(str_cstr(&r.body), words), "%s: %d", what, status);
	if (r.status != status)
		note("%d %s", r.status, str_cstr(&r.body));
}

/* Against the protocol: told so, and over. */
static void break_it(const char *what, const char *id, const char *bytes, size_t n)
{
	auto_reply r = {0};
	auto_close fd = ask("1.51", id, "stream=1&stdin=1&stdout=1", ASK, &r);

	send_all(fd, bytes, n);
	ok(r.status == 101 && closed(fd, 1002), "%s", what);
}

static void refusals(void)
{
	const char *id = make_container("paws", "\"echo\"", ",\"OpenStdin\":true");
	auto_reply r = {0};

	refuse("of nobody", "nope", "stream=1", ASK, 404, "No such container: nope");
	refuse("no websocket", id, "stream=1", "", 400, "not websocket protocol");
	refuse("another version", id, "stream=1",
	       "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " KEY
	       "\r\nSec-WebSocket-Version: 8\r\n",
	       400, "missing or bad WebSocket Version");
	refuse("a bad key", id, "stream=1",
	       "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: abc\r\n"
	       "Sec-WebSocket-Version: 13\r\n",
	       400, "challenge response error");
	refuse("bad detach keys", id, "stream=1&detachKeys=bad", ASK, 400,
	       "Invalid detach keys (bad) provided");
	status_of("POST", fmt("/v1.51/containers/%s/start", id), NULL);
	break_it("an unmasked frame", id, "\x81\x02hi", 4);
	break_it("a reserved bit", id,
		 "\xc1\x80"
		 "abcd",
		 6);
	break_it("an unknown opcode", id,
		 "\x83\x80"
		 "abcd",
		 6);
	break_it("a continuation of nothing", id,
		 "\x80\x80"
		 "abcd",
		 6);
	break_it("a long ping", id,
		 "\x89\xfe\x01\x00"
		 "abcd",
		 8);
	break_it("a length beyond all bounds", id,
		 "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		 "abcd",
		 14);
	status_of("POST", fmt("/v1.51/containers/%s/pause", id), NULL);
	refuse("a paused one", "paws", "stream=1", ASK, 409,
	       "container paws is paused, unpause the container before attach");
	status_of("POST", fmt("/v1.51/containers/%s/unpause", id), NULL);
	{
		auto_close fd = ask("1.51", id, "stream=1", ASK, &r);

		ok(closed(fd, 1000), "no stream wanted: over at once");
	}
	status_of("DELETE", fmt("/v1.51/containers/%s?force=1", id), NULL);
}

static int test(void)
{
	pid_t pid = daemon_start(false, NULL);

	ok(pid > 0 && daemon_image() == 0, "daemon and image");
	if (box_failed) {
		daemon_log_show();
		return 1;
	}
	talk("1.27", 0x81);
	talk("1.51", 0x82);
	refusals();
	leave_stuck();
	ok(daemon_end(pid, 15) == 0, "daemon ends cleanly");
	if (box_failed)
		daemon_log_show();
	return box_failed != 0;
}

int main(void)
{
	return box_run(test);
}
