/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request heads and bodies by http-parser. The head is parsed at once when it is complete; the same parser then decodes the body while the
 * handler reads it, and stops exactly at its end: the bytes behind are the next request, or raw stream after a hijack.
 */
#include "http/conn.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PASS_MAX (1 << 20)    /* of one splice */
#define COPY_MAX (128 * 1024) /* of one read, where that can't be */
#define DRAIN_MAX (256 * 1024)
#define DRAIN_NS (INT64_C(2) * 1000000000)
#define LINGER_NS (INT64_C(500) * 1000000)

ssize_t http_head_length(struct http_conn *c)
{
	const char *p = c->in.p, *at, *end = p + c->in.len;
	size_t from = c->scanned > 3 ? c->scanned - 3 : 0;

	if (!c->in.len)
		return 0;
	c->scanned = c->in.len;
	/* a line may end by LF alone, RFC 9112 2.2 */
	for (at = p + from; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
		if (end - at > 1 && at[1] == '\n')
			return at + 2 - p;
		if (end - at > 2 && at[1] == '\r' && at[2] == '\n')
			return at + 3 - p;
	}
	return c->in.len > HTTP_HEAD_MAX ? -1 : 0;
}

/* ---- http-parser callbacks ---------------------------------------------------------------------------------------------------- */

struct head_state {
	struct http_exchange *x;
	struct str uri, name, value;
	bool in_value, bad;
};

static void flush_header(struct head_state *h)
{
	if (!h->name.len)
		return;
	if (memchr(h->name.p, ' ', h->name.len) || memchr(h->name.p, '\t', h->name.len))
		h->bad =
		    true; /* "Name : value" is refused by RFC 9112 5.1, but not by http-parser */
	pairs_add(&h->x->headers, str_cstr(&h->name), str_cstr(&h->value));
	str_reset(&h->name);
	str_reset(&h->value);
}

static int on_url(http_parser *p, const char *at, size_t n)
{
	str_add(&((struct head_state *)p->data)->uri, at, n);
	return 0;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
	struct head_state *h = p->data;

	if (h->in_value)
		flush_header(h);
	h->in_value = false;
	str_add(&h->name, at, n);
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct head_state *h = p->data;

	h->in_value = true;
	str_add(&h->value, at, n);
	return 0;
}

static int on_headers_complete(http_parser *p)
{
	flush_header(p->data);
	return 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
	str_add(&((struct http_conn *)p->data)->decoded, at, n);
	return 0;
}

static int on_complete(http_parser *p)
{
	((struct http_conn *)p->data)->message_complete = true;
	http_parser_pause(p, 1);
	return 0;
}

/* A message that ends with its head is complete while the head is parsed. */
static int on_complete_in_head(http_parser *p)
{
	((struct head_state *)p->data)->x->conn->message_complete = true;
	http_parser_pause(p, 1);
	return 0;
}

/* ---- Head --------------------------------------------------------------------------------------------------------------------- */

static void read_fields(struct http_exchange *x, const http_parser *p)
{
	const char *expect = http_header(x, "Expect");

	x->method = http_method_str((enum http_method)p->method);
	x->head_only = p->method == HTTP_HEAD;
	x->chunked = p->flags & F_CHUNKED;
	x->content_length =
	    x->chunked || p->content_length == UINT64_MAX ? -1 : (int64_t)p->content_length;
	x->upgrade = http_header(x, "Upgrade") && *http_header(x, "Upgrade");
	x->keep_alive = http_should_keep_alive(p);
	x->expect_continue = expect && !strcasecmp(expect, "100-continue");
}

int http_parse_head(struct http_exchange *x, size_t len, struct error *err)
{
	static const http_parser_settings settings = {
	    .on_url = on_url,
	    .on_header_field = on_field,
	    .on_header_value = on_value,
	    .on_headers_complete = on_headers_complete,
	    .on_message_complete = on_complete_in_head,
	};
	struct http_conn *c = x->conn;
	struct head_state h = {.x = x};
	bool version_given, ok;
	int r = -1;

	http_parser_init(&c->parser, HTTP_REQUEST);
	http_parser_set_max_header_size(HTTP_HEAD_MAX);
	c->parser.data = &h;
	c->message_complete = false;
	str_reset(&c->decoded);
	http_parser_execute(&c->parser, &settings, c->in.p, len);
	ok = HTTP_PARSER_ERRNO(&c->parser) == HPE_OK ||
	     (HTTP_PARSER_ERRNO(&c->parser) == HPE_PAUSED && c->message_complete);
	if (!ok)
		error_set(err, ERR_INVALID, "malformed HTTP request: %s",
			  http_errno_description(HTTP_PARSER_ERRNO(&c->parser)));
	else if (h.bad || c->parser.http_major != 1)
		error_set(err, ERR_INVALID, "malformed HTTP request: %s",
			  h.bad ? "space in a header name" : "unsupported HTTP version");
	else
		r = 0;
	str_consume(&c->in, len);
	c->scanned = 0;
	c->parser.data = c;
	if (r == 0) {
		read_fields(x, &c->parser);
		x->uri = str_steal(&h.uri);
		r = http_parse_uri(x, x->uri, 0, &version_given, err);
	}
	/* http-parser takes an upgrade request without a body for complete; one with a body goes on */
	x->body_done = c->message_complete || (!x->chunked && x->content_length <= 0);
	str_free(&h.uri);
	str_free(&h.name);
	str_free(&h.value);
	return r;
}

/* ---- Body --------------------------------------------------------------------------------------------------------------------- */

int http_feed_body(struct http_conn *c, struct error *err)
{
	static const http_parser_settings settings = {.on_body = on_body,
						      .on_message_complete = on_complete};
	size_t used;

	if (c->message_complete || !c->in.len)
		return 0;
	used = http_parser_execute(&c->parser, &settings, c->in.p, c->in.len);
	if (HTTP_PARSER_ERRNO(&c->parser) != HPE_OK && HTTP_PARSER_ERRNO(&c->parser) != HPE_PAUSED)
		return error_set(err, ERR_INVALID, "malformed request body: %s",
				 http_errno_description(HTTP_PARSER_ERRNO(&c->parser)));
	str_consume(&c->in, used);
	return 0;
}

static ssize_t receive(struct http_conn *c, void *buf, size_t n, struct error *err)
{
	ssize_t got;

	do
		got = recv(c->fd, buf, n, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_sys(err, errno, "read request body");
	if (got == 0)
		return error_set(err, ERR_INVALID, "unexpected EOF");
	return got;
}

static ssize_t take(struct str *from, void *buf, size_t n)
{
	if (n > from->len)
		n = from->len;
	memcpy(buf, from->p, n);
	str_consume(from, n);
	return (ssize_t)n;
}

/* Content-Length bodies go straight into the handler's buffer. */
static ssize_t read_plain(struct http_exchange *x, void *buf, size_t n, struct error *err)
{
	struct http_conn *c = x->conn;
	int64_t left = x->content_length - x->body_read;
	ssize_t got;

	if (left <= 0) {
		x->body_done = true;
		return 0;
	}
	if ((int64_t)n > left)
		n = (size_t)left;
	got = c->in.len ? take(&c->in, buf, n) : receive(c, buf, n, err);
	if (got > 0) {
		x->body_read += got;
		x->body_done = x->body_read == x->content_length;
	}
	return got;
}

static ssize_t read_chunked(struct http_exchange *x, void *buf, size_t n, struct error *err)
{
	struct http_conn *c = x->conn;

	while (!c->decoded.len && !c->message_complete) {
		ssize_t got;

		if (!c->in.len) {
			got = receive(c, str_reserve(&c->in, COPY_MAX), COPY_MAX, err);
			if (got < 0)
				return -1;
			c->in.len += (size_t)got;
		}
		if (http_feed_body(c, err) < 0)
			return -1;
	}
	if (!c->decoded.len) {
		x->body_done = true;
		return 0;
	}
	n = (size_t)take(&c->decoded, buf, n);
	x->body_read += (int64_t)n;
	return (ssize_t)n;
}

ssize_t http_body_read(struct http_exchange *x, void *buf, size_t n, struct error *err)
{
	if (x->preread.len)
		return take(&x->preread, buf, n);
	if (x->body_done && !x->conn->decoded.len)
		return 0;
	if (x->expect_continue) {
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
		struct iovec iov = {(void *)(uintptr_t)go_on, sizeof(go_on) - 1};

		x->expect_continue = false;
		if (http_send(x->conn->fd, &iov, 1) < 0)
			return error_set(err, ERR_CANCELLED, "the client is gone");
	}
	return x->chunked ? read_chunked(x, buf, n, err) : read_plain(x, buf, n, err);
}

ssize_t http_body_pass(struct http_exchange *x, int pipe, struct error *err)
{
	bool plain = !x->chunked && !x->expect_continue && !x->preread.len && !x->conn->in.len &&
		     x->content_length > x->body_read;
	auto_free char *buf = NULL;
	ssize_t n = -1;

	if (plain) {
		int64_t left = x->content_length - x->body_read;

		do
			n = splice(x->conn->fd, NULL, pipe, NULL,
				   left < PASS_MAX ? (size_t)left : PASS_MAX, SPLICE_F_MOVE);
		while (n < 0 && errno == EINTR);
		if (n < 0 && errno != EINVAL)
			return error_sys(err, errno, "read request body");
		if (n == 0)
			return error_set(err, ERR_INVALID, "unexpected EOF");
	}
	if (n > 0) {
		x->body_read += n;
		x->body_done = x->body_read == x->content_length;
		return n;
	}
	buf = xmalloc(COPY_MAX);
	n = http_body_read(x, buf, COPY_MAX, err);
	if (n > 0 && fd_write_all(pipe, buf, (size_t)n) < 0)
		return error_sys(err, errno, "pass request body on");
	return n;
}

int http_body_all(struct http_exchange *x, size_t max, struct str *out, struct error *err)
{
	for (;;) {
		ssize_t n = http_body_read(x, str_reserve(out, 8192), 8192, err);

		if (n < 0)
			return -1;
		if (n == 0) {
			out->p[out->len] = '\0';
			return 0;
		}
		out->len += (size_t)n;
		if (out->len > max)
			return error_set(err, ERR_TOO_LARGE,
					 "request body is larger than %zu bytes", max);
	}
}

/* Something to read within the time; CLOCK_MONOTONIC ns. */
static bool readable_until(int fd, int64_t until)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left = until - clock_mono_ns();

	return left > 0 && poll(&p, 1, (int)(left / 1000000) + 1) > 0;
}

/* Chunks that nobody wants, until the time is over or they are too many. */
static bool drain_chunks(struct http_exchange *x, int64_t until)
{
	struct http_conn *c = x->conn;
	struct error err = ERROR_INIT;
	size_t total = 0;

	for (;;) {
		ssize_t n;

		str_reset(&c->decoded);
		if (c->message_complete) {
			x->body_done = true;
			return true;
		}
		if (!c->in.len) {
			if (total > DRAIN_MAX || !readable_until(c->fd, until))
				return false;
			n = recv(c->fd, str_reserve(&c->in, 32768), 32768, MSG_DONTWAIT);
			if (n <= 0)
				return false;
			c->in.len += (size_t)n;
			total += (size_t)n;
		}
		if (http_feed_body(c, &err) < 0)
			return false;
	}
}

/*
 * Short bodies that nobody wanted are waited for, as net/http does: a client that is still writing when we close may never read the reply.
 * A slow sender does not hold us for long.
 */
bool http_drain(struct http_exchange *x)
{
	int64_t until = clock_mono_ns() + DRAIN_NS;
	struct error err = ERROR_INIT;
	char buf[8192];

	str_reset(&x->preread);
	if (x->expect_continue && !x->body_done)
		return false; /* it was never sent */
	if (x->chunked && !x->body_done)
		return drain_chunks(x, until);
	if (x->content_length - x->body_read > DRAIN_MAX)
		return false;
	for (int i = 0; i < DRAIN_MAX / (int)sizeof(buf) + 2; i++) {
		ssize_t n;

		if (x->body_done && !x->conn->decoded.len)
			return true;
		if (!x->conn->in.len && !readable_until(x->conn->fd, until))
			return false;
		n = http_body_read(x, buf, sizeof(buf), &err);
		if (n <= 0)
			return n == 0;
	}
	return false;
}

void http_linger(int fd)
{
	int64_t until = clock_mono_ns() + LINGER_NS;
	char buf[8192];

	shutdown(fd, SHUT_WR);
	while (readable_until(fd, until) && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static bool is_json_type(const char *type)
{
	size_t n = strcspn(type, ";");

	while (n && type[n - 1] == ' ')
		n--;
	return n == strlen("application/json") && !strncasecmp(type, "application/json", n);
}

/* A whole object, and something after it: what Go's decoder reads and what moby then complains of. */
static bool more_behind_object(const char *p, size_t n)
{
	struct error ignored = ERROR_INIT;
	auto_json *j = NULL;
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < n; i++) {
		if (quoted && p[i] == '\\')
			i++;
		else if (p[i] == '"')
			quoted = !quoted;
		else if (!quoted && p[i] == '{')
			depth++;
		else if (!quoted && p[i] == '}' && --depth == 0)
			return (j = json_parse(p, i + 1, &ignored)) && i + 1 < n;
	}
	return false;
}

json *http_body_json(struct http_exchange *x, bool required, struct error *err)
{
	const char *type = http_header(x, "Content-Type");
	auto_str body = STR_INIT;
	json *j;

	error_clear(err);
	if (http_body_all(x, 16 * 1024 * 1024, &body, err) < 0)
		return NULL;
	if (type && !*type && !body.len)
		type = NULL;
	if (type && !*type) {
		error_set(err, ERR_INVALID,
			  "malformed Content-Type header (): mime: no media type");
		return NULL;
	}
	if (type && !is_json_type(type)) {
		if (body.len || required)
			error_set(
			    err, ERR_INVALID,
			    "unsupported Content-Type header (%s): must be 'application/json'",
			    type);
		return NULL;
	}
	if (!body.len) {
		if (required)
			error_set(err, ERR_INVALID,
				  "invalid JSON: got EOF while reading request body");
		return NULL;
	}
	if (!type) {
		error_set(err, ERR_INVALID,
			  "unsupported Content-Type header (): must be 'application/json'");
		return NULL;
	}
	j = json_parse(str_cstr(&body), body.len, err);
	if (!j && streq(err->text, "unexpected end of JSON input"))
		error_set(err, ERR_INVALID, "invalid JSON: unexpected EOF");
	else if (!j && more_behind_object(str_cstr(&body), body.len))
		error_set(err, ERR_INVALID, "unexpected content after JSON");
	else if (!j)
		error_wrap(err, "invalid JSON");
	return j;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
	for (size_t i = 0; i < x->headers.n; i++)
		if (!strcasecmp(x->headers.v[i].key, name))
			return x->headers.v[i].value;
	return NULL;
}

const char *http_query(const struct http_exchange *x, const char *name, const char *fallback)
{
	const char *v = pairs_get(&x->query, name);

	return v ? v : fallback;
}

bool http_has_query(const struct http_exchange *x, const char *name)
{
	return pairs_get(&x->query, name) != NULL;
}

bool http_query_bool(const struct http_exchange *x, const char *name, bool fallback)
{
	static const char *const no[] = {"", "0", "no", "false", "none"};
	const char *v = pairs_get(&x->query, name);

	if (!v)
		return fallback;
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (!strcasecmp(v, no[i]))
			return false;
	return true;
}

const char *http_param(const struct http_exchange *x, const char *name)
{
	const char *v = pairs_get(&x->params, name);

	return v ? v : "";
}

void http_exchange_free(struct http_exchange *x)
{
	free((void *)(uintptr_t)x->uri);
	free(x->path);
	pairs_free(&x->query);
	pairs_free(&x->headers);
	pairs_free(&x->params);
	pairs_free(&x->reply_headers);
	str_free(&x->preread);
	str_free(&x->shown);
}
