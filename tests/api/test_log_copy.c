/* SPDX-License-Identifier: Apache-2.0 */
/* docker logs of containers whose log driver can't be read: the local copy, beside syslog whose server is this test. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/box.h"

static void expect(const char *what, const char *method, const char *uri, const char *body,
		   int status, const char *words)
{
	auto_reply r = {0};
	bool good;

	request(method, uri, body, &r);
	good = r.status == status && strstr(str_cstr(&r.body), words);
	ok(good, "%s: %d", what, status);
	if (!good)
		note("got %d %s, expected %s", r.status, str_cstr(&r.body), words);
}

/* A server of syslog: datagrams, read when the test wants to. */
static int server(const char *path)
{
	const struct timeval patience = {.tv_sec = 30};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

static bool receives(int fd, const char *text)
{
	char line[1024];
	ssize_t n = recv(fd, line, sizeof(line) - 1, 0);

	if (n < 0)
		return false;
	line[n] = '\0';
	return strstr(line, text) != NULL;
}

static const char *socket_path(void)
{
	return fmt("%s/syslog", box_dir);
}

static void make(const char *what, const char *name, const char *cmd, const char *options,
		 int status, const char *words)
{
	expect(what, "POST", fmt("/v1.51/containers/create?name=%s", name),
	       fmt("{\"Image\":\"guest\",\"Cmd\":[\"/guest\",%s],\"HostConfig\":{\"LogConfig\":{"
		   "\"Type\":\"syslog\",\"Config\":{\"syslog-address\":\"unixgram://%s\"%s}}}}",
		   cmd, socket_path(), options),
	       status, words);
}

static void run(const char *name)
{
	expect("start", "POST", fmt("/v1.51/containers/%s/start", name), NULL, 204, "");
	expect("end", "POST", fmt("/v1.51/containers/%s/wait", name), NULL, 200,
	       "\"StatusCode\":0}");
}

/* Frames of one line each: stream, length, text. */
#define FRAME_ONE "\1\0\0\0\0\0\0\4one\n"
#define FRAME_TWO "\1\0\0\0\0\0\0\4two\n"

static void logs_are(const char *what, const char *name, const char *query, const void *want,
		     size_t len)
{
	auto_reply r = {0};

	request("GET", fmt("/v1.51/containers/%s/logs?%s", name, query), NULL, &r);
	ok(r.status == 200 && r.body.len == len && (!len || !memcmp(r.body.p, want, len)),
	   "%s: %zu bytes", what, len);
	if (r.status != 200 || r.body.len != len)
		note("got %d, %zu bytes", r.status, r.body.len);
}

#define LOGS_ARE(what, name, query, text) logs_are(what, name, query, text, sizeof(text) - 1)

/* ---- The copy ---------------------------------------------------------------------------------------------------------------------- */

static void copied(int fd)
{
	make("a container with syslog", "cc", "\"say\",\"one\",\"two\"", "", 201, "");
	LOGS_ARE("before its start", "cc", "stdout=1", "");
	run("cc");
	ok(receives(fd, ": one") && receives(fd, ": two"), "the server has both lines");
	LOGS_ARE("so has the copy", "cc", "stdout=1&stderr=1", FRAME_ONE FRAME_TWO);
	LOGS_ARE("tail", "cc", "stdout=1&tail=1", FRAME_TWO);
	LOGS_ARE("the other stream", "cc", "stderr=1", "");
	LOGS_ARE("follow ends with it", "cc", "stdout=1&follow=1", FRAME_ONE FRAME_TWO);
	expect("the log is no file for others", "GET", "/v1.51/containers/cc/json", NULL, 200,
	       "\"LogPath\":\"\"");
	run("cc");
	ok(receives(fd, ": one") && receives(fd, ": two"), "the server has the next two");
	LOGS_ARE("all of its lives", "cc", "stdout=1", FRAME_ONE FRAME_TWO FRAME_ONE FRAME_TWO);
}

static void refusals(void)
{
	make("a copy that is maybe wanted", "bad", "\"say\",\"one\"",
	     ",\"cache-disabled\":\"maybe\"", 400,
	     "invalid value for option cache-disabled: maybe");
	make("no copy", "no", "\"exit\",\"0\"", ",\"cache-disabled\":\"true\"", 201, "");
	run("no");
	expect("has no logs", "GET", "/v1.51/containers/no/logs?stdout=1", NULL, 501,
	       "configured logging driver does not support reading");
}

/* A server that reads nothing holds up neither the container nor the copy. */
static void stuck(void)
{
	auto_str seen = STR_INIT;
	auto_close follow = dial();
	auto_reply r = {0};

	make("output for a server that is stuck", "st", "\"lines\",\"1000\"",
	     ",\"mode\":\"non-blocking\",\"max-buffer-size\":\"4k\"", 201, "");
	expect("start", "POST", "/v1.51/containers/st/start", NULL, 204, "");
	send_text(follow,
		  "GET /v1.51/containers/st/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n");
	read_head(follow, &r);
	ok(r.status == 200 && read_until(follow, &seen, "line 999\n"), "the copy has all of it");
	expect("removed", "DELETE", "/v1.51/containers/st?force=1", NULL, 204, "");
}

static int test(void)
{
	pid_t pid = daemon_start(false, NULL);
	auto_close fd = server(socket_path());

	ok(pid > 0 && daemon_image() == 0, "daemon and image");
	if (!box_failed) {
		copied(fd);
		refusals();
		daemon_end(pid, SIGKILL);
		pid = daemon_start(false, NULL);
		LOGS_ARE("the copy is there after kill -9 of the daemon", "cc", "stdout=1&tail=2",
			 FRAME_ONE FRAME_TWO);
		stuck();
	}
	ok(daemon_end(pid, SIGTERM) == 0, "daemon ends cleanly");
	if (box_failed)
		daemon_log_show();
	return box_failed != 0;
}

int main(void)
{
	return box_run(test);
}
