/* SPDX-License-Identifier: Apache-2.0 */
/* What takes a connection over or keeps it: attach, exec, wait, events, logs. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/box.h"

#define POST(path) "POST /v1.51" path " HTTP/1.1\r\nHost: d\r\n"
#define UPGRADE "Connection: Upgrade\r\nUpgrade: tcp\r\n"

/* Frames of a multiplexed stream: the payload of `stream` (1, 2), appended. False: not whole frames. */
static bool demux(const struct str *in, int stream, struct str *out)
{
	size_t at = 0;

	while (at + 8 <= in->len) {
		const unsigned char *h = (const unsigned char *)in->p + at;
		size_t n = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];

		if (h[0] > 2 || h[1] || h[2] || h[3] || at + 8 + n > in->len)
			return false;
		if (h[0] == stream)
			str_add(out, in->p + at + 8, n);
		at += 8 + n;
	}
	return at == in->len;
}

static void drop(const char *id)
{
	int s = status_of("DELETE", fmt("/v1.51/containers/%s?force=1&v=1", id), NULL);

	if (s != 204)
		note("delete %s: %d", id, s);
}

static int start(const char *id)
{
	auto_reply r = {0};

	request("POST", fmt("/v1.51/containers/%s/start", id), NULL, &r);
	if (r.status != 204)
		note("start: %d %s", r.status, str_cstr(&r.body));
	return r.status;
}

/* All until the server closes. */
static void read_all(int fd, struct str *to)
{
	read_until(fd, to, "\1no container writes this\1");
}

/* ---- Attach ------------------------------------------------------------------------------------------------------------------- */

/* attach before start, input sent with the request, half-close; both ways to ask, both framings */
static void attach_cat(bool upgrade, bool tty)
{
	const char *id = make_container(
	    "cat", "\"cat\"",
	    fmt(",\"OpenStdin\":true,\"StdinOnce\":true,\"AttachStdin\":true,\"Tty\":%s",
		tty ? "true" : "false"));
	auto_str seen = STR_INIT, text = STR_INIT;
	auto_close fd = dial();
	auto_reply r = {0};
	const char *type;
	bool good;

	send_text(
	    fd,
	    fmt(POST("/containers/%s/attach?stream=1&stdin=1&stdout=1&stderr=1") "%s\r\nearly\n",
		id, upgrade ? UPGRADE : ""));
	read_head(fd, &r);
	type = reply_header(&r, "Content-Type");
	ok(r.status == (upgrade ? 101 : 200) && type &&
	       streq(type, upgrade && !tty ? "application/vnd.docker.multiplexed-stream"
					   : "application/vnd.docker.raw-stream"),
	   "attach %s upgrade, %s: %d %s", upgrade ? "with" : "without", tty ? "terminal" : "pipes",
	   r.status, type ? type : "no type");
	ok(start(id) == 204, "start");
	send_text(fd, "late\n");
	if (tty)
		send_text(fd, "\4"); /* end of file of a terminal */
	else
		shutdown(fd, SHUT_WR);
	read_all(fd, &seen);
	if (tty)
		str_add(&text, str_cstr(&seen), seen.len);
	good = tty || demux(&seen, 1, &text);
	good = good &&
	       (tty ? strstr(str_cstr(&text), "early\r\n") && strstr(str_cstr(&text), "late\r\n")
		    : streq(str_cstr(&text), "early\nlate\n"));
	ok(good, "bytes sent early and late come back");
	if (!good)
		note("got %zu bytes '%s'", seen.len, str_cstr(&text));
	ok(request("POST", fmt("/v1.51/containers/%s/wait", id), NULL, &r) == 0 &&
	       strstr(str_cstr(&r.body), "\"StatusCode\":0"),
	   "it ended by its end of input");
	drop(id);
}

static void attach_errors(void)
{
	auto_reply r = {0};

	ok(status_of("POST", "/v1.51/containers/none/attach?stream=1", NULL) == 404,
	   "attach to none");
	request("POST", "/v1.51/containers/none/attach/ws?stream=1", NULL, &r);
	ok(r.status == 404, "attach/ws by POST");
}

/* Until the log has the text. */
static bool wait_log(const char *id, const char *text)
{
	auto_str seen = STR_INIT;
	auto_close fd = dial();

	send_text(fd, fmt("GET /v1.51/containers/%s/logs?follow=1&stdout=1&stderr=1 HTTP/1.1\r\n"
			  "Host: d\r\n\r\n",
			  id));
	return read_until(fd, &seen, text);
}

/* Three clients of one container; one of them leaves without a word. */
static void attach_many(void)
{
	const char *id = make_container("echo", "\"echo\"", ",\"OpenStdin\":true");
	int fd[3];

	ok(start(id) == 204 && wait_log(id, "ready\n"), "start echo");
	for (int i = 0; i < 3; i++) {
		auto_reply r = {0};
		auto_str seen = STR_INIT;

		fd[i] = dial();
		send_text(
		    fd[i],
		    fmt(POST("/containers/%s/attach?logs=1&stream=1&stdin=1&stdout=1&stderr=1")
			    UPGRADE "\r\n",
			id));
		read_head(fd[i], &r);
		ok(r.status == 101 && read_until(fd[i], &seen, "ready\n"),
		   "client %d attaches and sees the past", i);
		/* its own line comes back: it is attached */
		send_text(fd[i], fmt("line of %d\n", i));
		ok(read_until(fd[i], &seen, fmt("line of %d\n", i)), "client %d is answered", i);
	}
	close(fd[0]);
	send_text(fd[1], "to all\n");
	for (int i = 1; i < 3; i++) {
		auto_str seen = STR_INIT;

		ok(read_until(fd[i], &seen, "to all\n"), "client %d is told", i);
		close(fd[i]);
	}
	drop(id);
}

/*
 * Clients that come while a container talks get the past and all that follows: each line once, to the last. They are served at the same time, since one
 * that is not read holds up the container. It ends when all have their answer: who came after that would wait for its next start.
 */
#define COUNT_LINES 120000
#define COUNT_CLIENTS 12

static bool all_lines(const struct str *seen)
{
	auto_str text = STR_INIT;
	const char *p;

	if (!demux(seen, 1, &text))
		return false;
	p = str_cstr(&text);
	for (long i = 0; i < COUNT_LINES; i++) {
		char *end;

		if (strtol(p, &end, 10) != i || *end != '\n') {
			note("line %ld of %zu bytes: %.20s", i, text.len, p);
			return false;
		}
		p = end + 1;
	}
	return !*p;
}

static void attach_past(void)
{
	const char *id = make_container("count", fmt("\"count\",\"%d\"", COUNT_LINES), "");
	static struct str seen[COUNT_CLIENTS];
	struct pollfd p[COUNT_CLIENTS];
	size_t open = 0, done = 0, good = 0;

	ok(start(id) == 204, "start count");
	for (size_t i = 0; i < COUNT_CLIENTS; i++)
		p[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	while (done < COUNT_CLIENTS) {
		/* the next one comes when the others have got something */
		if (open < COUNT_CLIENTS) {
			auto_reply r = {0};

			p[open].fd = dial();
			send_text(p[open].fd,
				  fmt(POST("/containers/%s/attach?logs=1&stream=1&stdout=1") UPGRADE
				      "\r\n",
				      id));
			read_head(p[open++].fd, &r);
			if (open == COUNT_CLIENTS)
				status_of("POST", fmt("/v1.51/containers/%s/kill?signal=TERM", id),
					  NULL);
		}
		poll(p, COUNT_CLIENTS, 60000);
		for (size_t i = 0; i < open; i++) {
			ssize_t n = 0;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = read(p[i].fd, str_reserve(&seen[i], 65536), 65536);
			if (n > 0) {
				seen[i].len += (size_t)n;
				continue;
			}
			close(p[i].fd);
			p[i].fd = -1;
			done++;
			good += all_lines(&seen[i]);
			str_free(&seen[i]);
		}
	}
	ok(good == COUNT_CLIENTS, "past and present are one: %zu of %d clients", good,
	   COUNT_CLIENTS);
	drop(id);
}

/* ---- Exec --------------------------------------------------------------------------------------------------------------------- */

static const char *exec_create(const char *id, const char *cmd, const char *more)
{
	static char out[65];
	struct error err = ERROR_INIT;
	auto_reply r = {0};
	auto_json *j = NULL;

	request(
	    "POST", fmt("/v1.51/containers/%s/exec", id),
	    fmt("{\"AttachStdin\":true,\"AttachStdout\":true,\"AttachStderr\":true,\"Cmd\":[%s]%s}",
		cmd, more),
	    &r);
	j = json_parse(str_cstr(&r.body), r.body.len, &err);
	snprintf(out, sizeof(out), "%s", json_get_str(j, "Id", ""));
	return out;
}

static void exec_one(const char *id, bool upgrade, bool tty)
{
	const char *e = exec_create(id, "\"/guest\",\"cat\"", tty ? ",\"Tty\":true" : "");
	const char *body = tty ? "{\"Tty\":true}" : "{}";
	auto_str seen = STR_INIT, text = STR_INIT;
	auto_close fd = dial();
	auto_reply r = {0};

	send_text(fd,
		  fmt(POST("/exec/%s/start") "Content-Type: application/json\r\nContent-Length: "
					     "%zu\r\n%s\r\n%searly\n",
		      e, strlen(body), upgrade ? UPGRADE : "", body));
	read_head(fd, &r);
	ok(r.status == (upgrade ? 101 : 200), "exec %s upgrade, %s: %d",
	   upgrade ? "with" : "without", tty ? "terminal" : "pipes", r.status);
	send_text(fd, "late\n");
	if (tty)
		send_text(fd, "\4");
	else
		shutdown(fd, SHUT_WR);
	read_all(fd, &seen);
	if (tty)
		str_add(&text, str_cstr(&seen), seen.len);
	else if (!demux(&seen, 1, &text))
		str_puts(&text, "(not whole frames)");
	ok(tty ? strstr(str_cstr(&text), "early\r\n") && strstr(str_cstr(&text), "late\r\n")
	       : streq(str_cstr(&text), "early\nlate\n"),
	   "exec: bytes sent early and late come back");
	request("GET", fmt("/v1.51/exec/%s/json", e), NULL, &r);
	ok(r.status == 200 && strstr(str_cstr(&r.body), "\"Running\":false") &&
	       strstr(str_cstr(&r.body), "\"ExitCode\":0"),
	   "exec is over when its stream is");
}

static void execs(void)
{
	const char *id = make_container("exec", "\"pause\"", "");
	auto_reply r = {0};
	const char *e;

	ok(start(id) == 204, "start");
	for (int i = 0; i < 4; i++)
		exec_one(id, i & 1, i & 2);
	e = exec_create(id, "\"/guest\",\"exit\",\"7\"", "");
	ok(status_of("POST", fmt("/v1.51/exec/%s/start", e), "{\"Detach\":true}") == 200,
	   "detached exec");
	ok(status_of("POST", fmt("/v1.51/exec/%s/start", e), "{\"Detach\":true}") == 409,
	   "an exec runs once");
	e = exec_create(id, "\"/not-there\"", "");
	request("POST", fmt("/v1.51/exec/%s/start", e), "{}", &r);
	ok(r.status == 400 || r.status == 101 || r.status == 200, "exec of what is not there: %d",
	   r.status);
	ok(status_of("POST", fmt("/v1.51/exec/%s/resize?h=1&w=x", e), NULL) == 400,
	   "resize to no number");
	ok(status_of("POST", "/v1.51/exec/none/start", "{}") == 404, "exec that is none");
	ok(status_of("POST", fmt("/v1.51/containers/%s/exec", id), "{}") == 400, "exec of nothing");
	drop(id);
}

/* ---- Wait --------------------------------------------------------------------------------------------------------------------- */

static void waits(void)
{
	static const char *const conditions[] = {"", "?condition=not-running",
						 "?condition=next-exit", "?condition=removed"};
	const char *id = make_container("wait", "\"exit\",\"3\"", "");
	int fd[4];
	auto_reply r = {0};

	ok(status_of("POST", fmt("/v1.51/containers/%s/wait?condition=never", id), NULL) == 400,
	   "unknown condition");
	for (int i = 0; i < 4; i++) {
		fd[i] = dial();
		send_text(fd[i], fmt(POST("/containers/%s/wait%s") "\r\n", id, conditions[i]));
		read_head(fd[i], &r);
		ok(r.status == 200, "wait%s is answered at once", conditions[i]);
	}
	start(id);
	for (int i = 2; i < 4; i++) {
		auto_str seen = STR_INIT;

		if (i == 3)
			drop(id);
		ok(read_until(fd[i], &seen, "\"StatusCode\":3}"), "wait%s", conditions[i]);
	}
	for (int i = 0; i < 4; i++)
		close(fd[i]);
}

/* ---- Events ------------------------------------------------------------------------------------------------------------------- */

static void events(void)
{
	char since[32];
	auto_close live = dial();
	auto_str seen = STR_INIT;
	auto_reply r = {0};
	const char *id;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	snprintf(since, sizeof(since), "%lld.%09ld", (long long)ts.tv_sec, ts.tv_nsec);
	send_text(live, "GET "
			"/v1.51/"
			"events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%"
			"22die%22%5D%7D HTTP/1.1\r\nHost: d\r\n\r\n");
	read_head(live, &r);
	ok(r.status == 200, "events: the head comes before the first event");
	id = make_container("ev", "\"exit\",\"4\"", ",\"Labels\":{\"k\":\"v\"}");
	start(id);
	request("POST", fmt("/v1.51/containers/%s/wait", id), NULL, &r);
	ok(read_until(live, &seen, "\"exitCode\":\"4\"") && !strstr(str_cstr(&seen), "\"create\""),
	   "a live filter lets die through and create not");
	clock_gettime(CLOCK_REALTIME, &ts);
	request(
	    "GET",
	    fmt("/v1.51/events?since=%s&until=%lld.%09ld", since, (long long)ts.tv_sec, ts.tv_nsec),
	    NULL, &r);
	ok(r.status == 200 && strstr(str_cstr(&r.body), "\"Action\":\"create\"") &&
	       strstr(str_cstr(&r.body), "\"Action\":\"start\"") &&
	       strstr(str_cstr(&r.body), "\"k\":\"v\""),
	   "since and until give the past and end");
	request("GET",
		fmt("/v1.51/"
		    "events?since=%s&until=%lld.%09ld&filters=%%7B%%22label%%22%%3A%%7B%%22k%%3Dw%%"
		    "22%%3Atrue%%7D%%7D",
		    since, (long long)ts.tv_sec, ts.tv_nsec),
		NULL, &r);
	ok(r.status == 200 && !r.body.len, "a label that differs finds nothing");
	ok(status_of("GET", "/v1.51/events?filters=xx", NULL) == 400, "filter that is no JSON");
	ok(status_of("GET", "/v1.51/events?since=yesterday", NULL) == 500, "since that is no time");
	ok(status_of("GET", "/v1.51/events?since=20&until=10", NULL) == 400, "until before since");
	drop(id);
}

/* ---- Logs --------------------------------------------------------------------------------------------------------------------- */

static int count_lines(const struct str *s)
{
	int n = 0;

	for (size_t i = 0; i < s->len; i++)
		n += s->p[i] == '\n';
	return n;
}

static void get_logs(const char *id, const char *query, struct str *out)
{
	auto_reply r = {0};

	str_reset(out);
	request("GET", fmt("/v1.51/containers/%s/logs?%s", id, query), NULL, &r);
	if (r.status != 200 || !demux(&r.body, 1, out))
		str_puts(out, "(no logs)");
}

static void logs(void)
{
	const char *id = make_container("logs", "\"lines\",\"1000\"", "");
	auto_str text = STR_INIT, seen = STR_INIT;
	auto_close follow = dial();
	auto_reply r = {0};

	ok(status_of("GET", fmt("/v1.51/containers/%s/logs", id), NULL) == 400,
	   "logs of no stream");
	ok(status_of("GET", "/v1.51/containers/none/logs?stdout=1", NULL) == 404, "logs of none");
	start(id);
	send_text(
	    follow,
	    fmt("GET /v1.51/containers/%s/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n", id));
	read_head(follow, &r);
	ok(r.status == 200 && read_until(follow, &seen, "line 999\n"), "logs -f gives all");
	get_logs(id, "stdout=1", &text);
	ok(count_lines(&text) == 1000, "all lines: %d", count_lines(&text));
	get_logs(id, "stdout=1&tail=10", &text);
	ok(count_lines(&text) == 10 && strstr(str_cstr(&text), "line 990\n"), "tail=10");
	get_logs(id, "stdout=1&tail=0", &text);
	ok(!text.len, "tail=0");
	get_logs(id, "stdout=1&tail=nonsense", &text);
	ok(count_lines(&text) == 1000, "tail that is no number means all");
	get_logs(id, "stdout=1&until=1", &text);
	ok(!text.len, "until before the first");
	get_logs(id, "stdout=1&since=4102444800", &text);
	ok(!text.len, "since in the future");
	get_logs(id, "stdout=1&timestamps=1&tail=1", &text);
	ok(text.len > 30 && text.p[4] == '-' && strstr(text.p, "Z line 999\n"), "timestamps");
	get_logs(id, "stderr=1", &text);
	ok(!text.len, "the other stream is empty");
	/* ends when the container does */
	status_of("POST", fmt("/v1.51/containers/%s/kill", id), NULL);
	ok(read_until(follow, &seen, "\r\n0\r\n\r\n"), "logs -f ends with its container");
	drop(id);
}

static int test(void)
{
	pid_t pid = daemon_start(false, NULL);

	ok(pid > 0 && daemon_image() == 0, "daemon and image");
	if (box_failed) {
		daemon_log_show();
		return 1;
	}
	for (int i = 0; i < 4; i++)
		attach_cat(i & 1, i & 2);
	attach_errors();
	attach_many();
	for (int i = 0; i < 3; i++)
		attach_past();
	execs();
	waits();
	events();
	logs();
	ok(daemon_end(pid, 15) == 0, "daemon ends cleanly");
	if (box_failed)
		daemon_log_show();
	return box_failed != 0;
}

int main(void)
{
	return box_run(test);
}
