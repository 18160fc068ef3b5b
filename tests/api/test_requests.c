/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon under raw HTTP: what a request may look like, how it may arrive, and that a bad one costs nobody else anything. The words and
 * statuses are moby's (tests/compat compares them beside it).
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/box.h"

static bool body_has(const struct reply *r, const char *text)
{
	return strstr(str_cstr(&r->body), text) != NULL;
}

/* Raw bytes on a connection of their own; the first reply. */
static int raw(const char *text, struct reply *r)
{
	auto_close fd = dial();

	send_text(fd, text);
	return read_reply(fd, false, r);
}

static void expect(const char *what, const char *text, int status, const char *part)
{
	auto_reply r = {0};
	int got = raw(text, &r);
	bool good = got == 0 && r.status == status && body_has(&r, part);

	ok(good, "%s: %d", what, status);
	if (!good)
		note("got %d %d %s", got, r.status, str_cstr(&r.body));
}

static void versions(void)
{
	expect("no version", "GET /info HTTP/1.1\r\nHost: d\r\n\r\n", 200, "\"ID\"");
	expect("oldest version", "GET /v1.24/version HTTP/1.1\r\nHost: d\r\n\r\n", 200,
	       "\"MinAPIVersion\":\"1.24\"");
	expect("too old", "GET /v1.23/version HTTP/1.1\r\nHost: d\r\n\r\n", 400,
	       "client version 1.23 is too old. Minimum supported API version is 1.24");
	expect("too new", "GET /v1.99/version HTTP/1.1\r\nHost: d\r\n\r\n", 400,
	       "client version 1.99 is too new. Maximum supported API version is 1.51");
	expect("unknown path", "GET /v1.51/nothing HTTP/1.1\r\nHost: d\r\n\r\n", 404,
	       "{\"message\":\"page not found\"}");
	expect("unknown method", "PATCH /v1.51/info HTTP/1.1\r\nHost: d\r\n\r\n", 404,
	       "page not found");
	expect("absolute form", "GET http://d/v1.51/_ping HTTP/1.1\r\nHost: d\r\n\r\n", 200, "OK");
	expect("slash encoded in a name",
	       "GET /v1.51/containers/a%2fb/json HTTP/1.1\r\nHost: d\r\n\r\n", 404, "");
	expect("NUL encoded in a name",
	       "GET /v1.51/containers/a%00b/json HTTP/1.1\r\nHost: d\r\n\r\n", 400, "");
	expect("escape that is none", "GET /v1.51/containers/a%zz/json HTTP/1.1\r\nHost: d\r\n\r\n",
	       400, "");
	expect("escape cut off", "GET /v1.51/containers/a%4 HTTP/1.1\r\nHost: d\r\n\r\n", 400, "");
}

static void ping_headers(void)
{
	static const char *const names[] = {"Api-Version",
					    "Builder-Version",
					    "Docker-Experimental",
					    "Ostype",
					    "Server",
					    "Cache-Control",
					    "Pragma",
					    "Swarm"};
	static const char *const methods[] = {"GET", "HEAD"};

	for (int m = 0; m < 2; m++) {
		auto_reply r = {0};
		bool all = true;

		request(methods[m], "/_ping", NULL, &r);
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (!reply_header(&r, names[i])) {
				note("%s is missing", names[i]);
				all = false;
			}
		ok(r.status == 200 && all, "%s /_ping carries what clients negotiate with",
		   methods[m]);
		ok(m ? !r.body.len : streq(str_cstr(&r.body), "OK"), "%s /_ping body", methods[m]);
	}
}

static void json_bodies(void)
{
#define CREATE "POST /v1.51/containers/create HTTP/1.1\r\nHost: d\r\n"
#define TYPE "Content-Type: application/json\r\n"
	expect("no body", CREATE TYPE "Content-Length: 0\r\n\r\n", 400, "");
	expect("wrong content type",
	       CREATE "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 400,
	       "must be 'application/json'");
	expect("content type with charset",
	       CREATE "Content-Type: application/json; charset=utf-8\r\nContent-Length: "
		      "21\r\n\r\n{\"Image\":\"not-there\"}\n",
	       404, "No such image: not-there:latest");
	expect("no content type", CREATE "Content-Length: 2\r\n\r\n{}", 400, "");
	expect("bad JSON", CREATE TYPE "Content-Length: 5\r\n\r\n{\"a\":", 400, "invalid JSON");
	expect("trailing data", CREATE TYPE "Content-Length: 5\r\n\r\n{} {}", 400, "");
	expect("unknown members",
	       CREATE TYPE "Content-Length: 30\r\n\r\n{\"Image\":\"not-there\",\"x\":[{}]}", 404,
	       "No such image");
	expect("wrong type of a member", CREATE TYPE "Content-Length: 11\r\n\r\n{\"Image\":7}", 400,
	       "");
}

static void framing(void)
{
	static const char chunks[] =
	    "5\r\n{\"Ima\r\n6;ext=1\r\nge\":\"n\r\na\r\not-there\"}\r\n0\r\nTrailer: x\r\n\r\n";
	static const char whole[] = CREATE TYPE "Transfer-Encoding: chunked\r\n\r\n";
	auto_close fd = dial();
	auto_reply r = {0};
	bool good;

	/* each byte in a packet of its own; the reply must be the one of the whole */
	for (size_t i = 0; i < sizeof(whole) - 1; i++)
		send_all(fd, whole + i, 1);
	for (size_t i = 0; i < sizeof(chunks) - 1; i++)
		send_all(fd, chunks + i, 1);
	good = read_reply(fd, false, &r) == 0;
	ok(good && r.status == 404 && body_has(&r, "No such image: not-there"),
	   "chunked request byte by byte");
	send_text(fd, "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
	ok(read_reply(fd, false, &r) == 0 && r.status == 200,
	   "the connection goes on behind its trailer");

	good = true;
	for (size_t cut = 1; cut < sizeof(chunks) - 1 && good; cut++) {
		auto_close c = dial();

		send_text(c, whole);
		send_all(c, chunks, cut);
		send_all(c, chunks + cut, sizeof(chunks) - 1 - cut);
		good = read_reply(c, false, &r) == 0 && r.status == 404;
	}
	ok(good, "a chunked body cut in two at each byte");
	expect("both lengths",
	       CREATE TYPE "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
	       "");
	expect("two lengths", CREATE TYPE "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
	       400, "");
	expect("negative length", CREATE TYPE "Content-Length: -1\r\n\r\n", 400, "");
	expect("chunk size that is none", CREATE TYPE "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
	       400, "");
	expect("chunk size beyond 64 bits",
	       CREATE TYPE "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400, "");
	expect("blank before the colon", "GET /_ping HTTP/1.1\r\nHost : d\r\n\r\n", 400, "");
	expect("no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", 400, "");
	expect("other coding", CREATE TYPE "Transfer-Encoding: gzip\r\n\r\n", 400, "");
	expect("only line feeds", "GET /_ping HTTP/1.1\nHost: d\n\n", 200, "OK");
}

static void pipelined(void)
{
	auto_close fd = dial();
	auto_str out = STR_INIT;
	bool good = true;

	for (int i = 0; i < 50; i++)
		str_printf(&out, "GET /v1.51/containers/none-%d/json HTTP/1.1\r\nHost: d\r\n\r\n",
			   i);
	str_puts(&out, "POST /v1.51/containers/create HTTP/1.1\r\nHost: d\r\n" TYPE
		       "Content-Length: 1\r\n\r\n{GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
	send_all(fd, out.p, out.len);
	for (int i = 0; i < 50 && good; i++) {
		auto_reply r = {0};

		good = read_reply(fd, false, &r) == 0 && r.status == 404 &&
		       body_has(&r, fmt("none-%d\"", i));
	}
	ok(good, "50 pipelined requests are answered in order");
	for (int i = 0; i < 2; i++) {
		auto_reply r = {0};

		ok(read_reply(fd, false, &r) == 0 && r.status == (i ? 200 : 400),
		   i ? "and the request behind a bad body" : "a bad body in the pipe");
	}
}

static void expect_continue(void)
{
	auto_close fd = dial();
	auto_reply r = {0};

	send_text(fd, CREATE TYPE "Expect: 100-continue\r\nContent-Length: 21\r\n\r\n");
	ok(read_reply(fd, false, &r) == 0 && r.status == 100,
	   "100-continue is said before the body is read");
	send_text(fd, "{\"Image\":\"not-there\"}");
	ok(read_reply(fd, false, &r) == 0 && r.status == 404, "and the answer after it");
	fd_close(&fd);
	fd = dial();
	send_text(fd, "POST /v1.51/nothing HTTP/1.1\r\nHost: d\r\nExpect: "
		      "100-continue\r\nContent-Length: 21\r\n\r\n");
	ok(read_reply(fd, false, &r) == 0 && r.status == 404,
	   "a refused request is not asked for its body");
}

static void large_heads(void)
{
	auto_str out = STR_INIT;
	auto_reply r = {0};
	auto_close fd = dial();
	char *fill;

	str_puts(&out, "GET /_ping HTTP/1.1\r\nHost: d\r\nX-Registry-Config: ");
	fill = str_reserve(&out, 900000);
	memset(fill, 'a', 900000);
	out.len += 900000;
	str_puts(&out, "\r\n\r\n");
	send_all(fd, out.p, out.len);
	ok(read_reply(fd, false, &r) == 0 && r.status == 200, "a head of 900 kB");
	str_reset(&out);
	fd_close(&fd);
	fd = dial();
	str_puts(&out, "GET /_ping HTTP/1.1\r\nHost: d\r\nX-Registry-Config: ");
	fill = str_reserve(&out, 2000000);
	memset(fill, 'a', 2000000);
	out.len += 2000000;
	str_puts(&out, "\r\n\r\n");
	send_all(fd, out.p, out.len);
	ok(read_reply(fd, false, &r) == 0 && r.status == 431, "a head of 2 MB is refused with 431");
	ok(status_of("GET", "/_ping", NULL) == 200, "and nobody else notices");
}

/* The same connection after each kind of error that leaves it usable. */
static void keep_alive(void)
{
	static const char *const lines[] = {
	    "GET /v1.51/nothing HTTP/1.1\r\nHost: d\r\n\r\n",
	    "GET /v1.99/info HTTP/1.1\r\nHost: d\r\n\r\n",
	    "GET /v1.51/containers/none/json HTTP/1.1\r\nHost: d\r\n\r\n",
	    CREATE TYPE "Content-Length: 3\r\n\r\n{x}",
	    CREATE "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\n{x}",
	    "POST /v1.51/nothing HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\n\r\nabcde",
	    "DELETE /v1.51/containers/none HTTP/1.1\r\nHost: d\r\n\r\n",
	    "HEAD /v1.51/info HTTP/1.1\r\nHost: d\r\n\r\n",
	};
	auto_close fd = dial();
	bool good = true;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines) && good; i++) {
		auto_reply r = {0};

		send_text(fd, lines[i]);
		good = read_reply(fd, lines[i][0] == 'H', &r) == 0 && r.status >= 200;
		send_text(fd, "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
		good = good && read_reply(fd, false, &r) == 0 && r.status == 200;
		if (!good)
			note("after %s", lines[i]);
	}
	ok(good, "a connection stays usable after errors");
	{
		auto_close old = dial();
		auto_reply r = {0};
		char c;

		send_text(old, "GET /_ping HTTP/1.0\r\n\r\n");
		ok(read_reply(old, false, &r) == 0 && r.status == 200 && recv(old, &c, 1, 0) == 0,
		   "HTTP/1.0 is answered and closed");
	}
}

static void redirects(void)
{
	auto_reply r = {0};

	ok(request("GET", "//info?x=%0d%0a", NULL, &r) == 0 && r.status == 301 &&
	       streq(reply_header(&r, "Location"), "/info?x=%0d%0a"),
	   "an unclean path is redirected with its query");
	ok(request("GET", "//a%0d%0aX-Evil:%20yes%3f", NULL, &r) == 0 && r.status == 301 &&
	       streq(reply_header(&r, "Location"), "/a%0D%0AX-Evil:%20yes%3F") &&
	       !reply_header(&r, "X-Evil"),
	   "and can't put headers into the reply");
}

/* Clients that write head and body apart: a reply that came in between, with the end of the connection, would meet them writing. */
static void unwanted_bodies(void)
{
	static const char head[] = "POST /v1.51/nothing HTTP/1.1\r\nHost: d\r\nContent-Length: ";
	auto_close first = dial(), fd = -1;
	struct pollfd p = {.fd = first, .events = POLLIN};
	char *megabytes = calloc(1, 1 << 20);
	auto_reply r = {0};

	send_text(p.fd, head);
	send_text(p.fd, "5\r\n\r\n");
	ok(poll(&p, 1, 50) == 0, "a short body that nobody wants is waited for");
	send_text(p.fd, "abcde");
	ok(read_reply(p.fd, false, &r) == 0 && r.status == 404 && !r.closes,
	   "then comes the reply");
	send_text(p.fd, "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
	ok(read_reply(p.fd, false, &r) == 0 && r.status == 200, "and the connection goes on");
	send_text(
	    p.fd,
	    "POST /v1.51/nothing HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r");
	ok(poll(&p, 1, 50) == 0, "so are short chunks");
	send_text(p.fd, "\nabc\r\n0\r\n\r\n");
	ok(read_reply(p.fd, false, &r) == 0 && r.status == 404 && !r.closes, "to their end");
	send_text(
	    p.fd,
	    "POST /v1.51/nothing HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r");
	ok(read_reply(p.fd, false, &r) == 0 && r.status == 404 && r.closes, "but not for ever");
	fd = dial();
	send_text(fd, head);
	send_text(fd, "1048576\r\n\r\n");
	ok(send_all(fd, megabytes, 1 << 20) == 0 && read_reply(fd, false, &r) == 0 &&
	       r.status == 404 && r.closes,
	   "a large one is let in, the reply is read, the connection ends");
	free(megabytes);
}

static int test(void)
{
	pid_t pid = daemon_start(false, NULL);

	ok(pid > 0, "daemon starts");
	if (pid < 0) {
		daemon_log_show();
		return 1;
	}
	versions();
	ping_headers();
	json_bodies();
	framing();
	pipelined();
	expect_continue();
	large_heads();
	keep_alive();
	unwanted_bodies();
	redirects();
	ok(daemon_end(pid, 15) == 0, "daemon ends cleanly");
	if (box_failed)
		daemon_log_show();
	return box_failed != 0;
}

int main(void)
{
	return box_run(test);
}
