/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A websocket's relay: one thread per client, between its connection and a plain socket that somebody serves as if the client were there. Each
 * direction reads only when what it read before was sent, so that memory is bounded and a slow end slows the other.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/conn.h"
#include "http/http.h"
#include "http/websocket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 16384
#define LEFT_MS \
	10000 /* so long without any progress, what a client that left had sent waits to be read */

struct relay {
	int client, plain;
	int opcode;
	struct ws_in in;
	struct str to_client, to_plain;
	bool left;        /* the client sends no more; part of what it sent is still unread */
	bool plain_ended; /* nothing more comes from it */
	bool over;        /* what is in to_client is the last */
};

/* 1 something was read, 0 nothing now, -1 the end. */
static ssize_t read_some(int fd, char *buf)
{
	ssize_t n = read(fd, buf, PIECE);

	return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static int send_some(int fd, struct str *out)
{
	ssize_t n = send(fd, out->p, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	str_consume(out, (size_t)n);
	return 0;
}

static int from_client(struct relay *r, char *buf)
{
	ssize_t n = read_some(r->client, buf);

	if (n < 0)
		return -1;
	if (!ws_feed(&r->in, buf, (size_t)n, &r->to_plain, &r->to_client))
		r->over = true;
	return 0;
}

static void from_plain(struct relay *r, char *buf)
{
	static const unsigned char normal[2] = {1000 >> 8, 1000 & 255};
	ssize_t n = read_some(r->plain, buf);

	if (n > 0)
		ws_frame(&r->to_client, r->opcode, buf, (size_t)n);
	if (n >= 0)
		return;
	r->plain_ended = true;
	ws_frame(&r->to_client, WS_CLOSE, normal, sizeof(normal));
	r->over = true;
}

/* False: it is over. */
static bool step(struct relay *r, char *buf)
{
	struct pollfd p[2] = {{.fd = r->client}, {.fd = r->plain}};
	int n;

	if (r->over && !r->to_client.len)
		return false;
	/* pongs wait behind output, so a client that does not read is not read from */
	if (!r->over && !r->to_plain.len && !r->to_client.len)
		p[0].events |= POLLIN;
	else if (!r->over && !r->to_client.len && !r->left)
		p[0].events |= POLLRDHUP; /* it is not read from, but its end is to be seen */
	if (r->to_client.len)
		p[0].events |= POLLOUT;
	if (!r->over && !r->plain_ended && !r->to_client.len)
		p[1].events |= POLLIN;
	if (r->to_plain.len && !r->plain_ended)
		p[1].events |= POLLOUT;
	if (!p[1].events)
		p[1].fd = -1;
	n = poll(p, 2, r->left ? LEFT_MS : -1);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	r->left = r->left || p[0].revents & POLLRDHUP;
	if (p[0].revents & POLLOUT && send_some(r->client, &r->to_client) < 0)
		return false;
	if (p[1].revents & POLLOUT && send_some(r->plain, &r->to_plain) < 0)
		str_reset(&r->to_plain); /* it takes no input; its end is seen by reading */
	if (p[0].revents & POLLIN && from_client(r, buf) < 0)
		return false;
	if (p[0].revents & (POLLERR | POLLHUP) && !(p[0].revents & POLLIN))
		return false;
	/* nothing follows the end that the client was told of */
	if (!r->over && p[1].revents & (POLLIN | POLLERR | POLLHUP) && p[1].events & POLLIN)
		from_plain(r, buf);
	return true;
}

static void *relay_thread(void *arg)
{
	struct relay *r = arg;
	char *buf = xmalloc(PIECE);

	while (step(r, buf))
		;
	/* the client's last words before its end */
	if (r->to_plain.len && !r->plain_ended)
		send_some(r->plain, &r->to_plain);
	close(r->plain);
	close(r->client);
	str_free(&r->to_client);
	str_free(&r->to_plain);
	free(buf);
	free(r);
	return NULL;
}

/* ---- The handshake: RFC 6455, section 4.2.1 ----------------------------------------------------------------------------------------- */

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list ? list : ""; *p; p += strcspn(p, ","), p += *p == ',') {
		p += strspn(p, " \t");
		if (strncasecmp(p, word, n) == 0 && strchr(", \t", p[n]))
			return true;
	}
	return false;
}

static bool key_ok(const char *key)
{
	size_t n = 0;
	auto_free unsigned char *bytes = key ? base64_decode(key, &n) : NULL;

	return bytes && n == 16 && strlen(key) == 24;
}

/* Moby's words, as text. */
static int check(struct http_exchange *x, struct error *err)
{
	const char *version = http_header(x, "Sec-WebSocket-Version"), *words = NULL;

	if (!has_word(http_header(x, "Upgrade"), "websocket") ||
	    !has_word(http_header(x, "Connection"), "upgrade")) {
		words = "not websocket protocol";
	} else if (!version || !streq(version, "13")) {
		http_set_header(x, "Sec-WebSocket-Version", "13");
		words = "missing or bad WebSocket Version";
	} else if (!key_ok(http_header(x, "Sec-WebSocket-Key"))) {
		words = "challenge response error";
	}
	if (!words)
		return 0;
	http_reply(x, 400, "text/plain; charset=utf-8", words, strlen(words));
	return error_set(err, ERR_INVALID, "%s", words);
}

static int start(int client, int plain, int opcode, const struct str *pending, struct error *err)
{
	struct relay *r = xnew(struct relay);

	*r = (struct relay){.client = client, .plain = plain, .opcode = opcode};
	fcntl(client, F_SETFL, fcntl(client, F_GETFL) | O_NONBLOCK);
	fcntl(plain, F_SETFL, fcntl(plain, F_GETFL) | O_NONBLOCK);
	if (!ws_feed(&r->in, str_cstr(pending), pending->len, &r->to_plain, &r->to_client))
		r->over = true;
	if (thread_start("websocket", relay_thread, r, err) == 0)
		return 0;
	str_free(&r->to_client);
	str_free(&r->to_plain);
	free(r);
	return -1;
}

int http_websocket(struct http_exchange *x, int opcode, int *sock, struct error *err)
{
	auto_close client = -1, ours = -1, theirs = -1;
	auto_str pending = STR_INIT;
	char accept[29];
	int sv[2];

	if (check(x, err) < 0)
		return -1;
	ws_accept(http_header(x, "Sec-WebSocket-Key"), accept);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return error_sys(err, errno, "socketpair");
	ours = sv[0];
	theirs = sv[1];
	if (http_switch(x, "websocket", accept, &client, &pending, err) < 0)
		return -1;
	if (start(client, ours, opcode, &pending, err) < 0)
		return -1;
	client = ours = -1; /* the relay's */
	*sock = steal_fd(&theirs);
	return 0;
}
