/* SPDX-License-Identifier: Apache-2.0 */
/* See box.h: a client that sends exactly the bytes it is told, and believes no reply. */
#include "lib/box.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SILENCE_S 20

const char *fmt(const char *f, ...)
{
	static char buf[16][2048];
	static unsigned int at;
	char *to = buf[at++ % 16];
	va_list ap;

	va_start(ap, f);
	vsnprintf(to, sizeof(buf[0]), f, ap);
	va_end(ap);
	return to;
}

void reply_free(struct reply *r)
{
	str_free(&r->head);
	str_free(&r->body);
	*r = (struct reply){0};
}

const char *reply_header(const struct reply *r, const char *name)
{
	static char value[1024];
	size_t n = strlen(name);

	for (const char *p = strchr(str_cstr(&r->head), '\n'); p; p = strchr(p, '\n')) {
		p++;
		if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
			p += n + 1;
			p += strspn(p, " ");
			snprintf(value, sizeof(value), "%.*s", (int)strcspn(p, "\r\n"), p);
			return value;
		}
	}
	return NULL;
}

int dial_path(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval tv = {SILENCE_S, 0};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

int dial(void)
{
	return dial_path(fmt("%s/sock", box_dir));
}

int send_all(int fd, const void *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t w = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		at += (size_t)w;
	}
	return 0;
}

int send_text(int fd, const char *text)
{
	return send_all(fd, text, strlen(text));
}

/* By single bytes: nothing behind the end is taken. */
static int read_line(int fd, struct str *to)
{
	size_t start = to->len;

	for (;;) {
		ssize_t n = recv(fd, str_reserve(to, 1), 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		to->p[++to->len] = '\0';
		if (to->p[to->len - 1] == '\n')
			return (int)(to->len - start);
	}
}

int read_head(int fd, struct reply *r)
{
	int n;

	reply_free(r);
	do {
		n = read_line(fd, &r->head);
		if (n < 0)
			return -1;
	} while (n > 2);
	if (sscanf(str_cstr(&r->head), "HTTP/1.%*d %d", &r->status) != 1)
		return -1;
	r->closes =
	    reply_header(r, "Connection") && !strcasecmp(reply_header(r, "Connection"), "close");
	return 0;
}

static int read_exactly(int fd, struct str *to, size_t n)
{
	while (n) {
		ssize_t got = recv(fd, str_reserve(to, n), n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		to->len += (size_t)got;
		to->p[to->len] = '\0';
		n -= (size_t)got;
	}
	return 0;
}

static int read_chunks(int fd, struct str *to)
{
	for (;;) {
		auto_str line = STR_INIT;
		unsigned long n;

		if (read_line(fd, &line) < 0)
			return -1;
		n = strtoul(line.p, NULL, 16);
		if (n && read_exactly(fd, to, n) < 0)
			return -1;
		str_reset(&line);
		if (read_line(fd, &line) != 2)
			return -1;
		if (!n)
			return 0;
	}
}

int read_reply(int fd, bool head_only, struct reply *r)
{
	const char *length, *coding;

	if (read_head(fd, r) < 0)
		return -1;
	if (head_only || r->status == 204 || r->status == 304 || r->status < 200)
		return 0;
	coding = reply_header(r, "Transfer-Encoding");
	if (coding && !strcasecmp(coding, "chunked"))
		return read_chunks(fd, &r->body);
	length = reply_header(r, "Content-Length");
	if (length)
		return read_exactly(fd, &r->body, strtoul(length, NULL, 10));
	r->closes = true;
	while (read_exactly(fd, &r->body, 1) == 0)
		;
	return 0;
}

int request_at(const char *socket, const char *method, const char *uri, const char *body,
	       struct reply *r)
{
	auto_close fd = dial_path(socket);
	auto_str out = STR_INIT;

	reply_free(r);
	if (fd < 0)
		return -1;
	str_printf(&out, "%s %s HTTP/1.1\r\nHost: d\r\n", method, uri);
	if (body)
		str_printf(&out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			   strlen(body));
	str_printf(&out, "\r\n%s", body ? body : "");
	/* a server may answer before it has read everything */
	send_all(fd, out.p, out.len);
	return read_reply(fd, streq(method, "HEAD"), r);
}

int request(const char *method, const char *uri, const char *body, struct reply *r)
{
	return request_at(fmt("%s/sock", box_dir), method, uri, body, r);
}

int status_of(const char *method, const char *uri, const char *body)
{
	auto_reply r = {0};

	return request(method, uri, body, &r) < 0 ? 0 : r.status;
}

bool read_until(int fd, struct str *seen, const char *text)
{
	while (!seen->len || !memmem(seen->p, seen->len, text, strlen(text))) {
		ssize_t n = recv(fd, str_reserve(seen, 4096), 4096, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		seen->len += (size_t)n;
		seen->p[seen->len] = '\0';
	}
	return true;
}

const char *make_container(const char *name, const char *args, const char *more)
{
	static char id[4][65];
	static unsigned int at;
	char *to = id[at++ % 4];
	struct error err = ERROR_INIT;
	auto_reply r = {0};
	auto_json *j = NULL;

	*to = '\0';
	if (request(
		"POST", fmt("/v1.51/containers/create?name=%s", name),
		fmt("{\"Image\":\"guest\",\"Entrypoint\":[\"/guest\"],\"Cmd\":[%s]%s}", args, more),
		&r) < 0 ||
	    r.status != 201) {
		note("create %s: %d %s", name, r.status, str_cstr(&r.body));
		return to;
	}
	j = json_parse(r.body.p, r.body.len, &err);
	snprintf(to, sizeof(id[0]), "%s", json_get_str(j, "Id", ""));
	return to;
}
