/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver in the daemon that hangs costs the requests that need it, and is named; one that crashes costs a restart of the daemon, and with live-restore
 * no container, no line of its log, no attached client and no exit code. The driver: tests/drivers/hanging.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "lib/box.h"

static char *fifo;

static pid_t start(const char *driver, bool live_restore)
{
	free(fifo);
	fifo = strdup(fmt("%s/fifo", box_dir));
	mkfifo(fifo, 0600);
	box_config = strdup(fmt(",\"authorization-plugins\":[\"%s/tests/drivers/.libs/%s.so\"],"
				"\"authz-opts\":[\"%s.fifo=%s\"]",
				getenv("DOCKERD_LIBEXECDIR"), driver, driver, fifo));
	return daemon_start(live_restore, NULL);
}

/* Until the daemon's log says so. */
static bool logged(const char *text)
{
	const char *path = fmt("%s/log", box_dir);
	auto_close watch = inotify_init1(IN_CLOEXEC);
	char events[4096];

	if (inotify_add_watch(watch, path, IN_MODIFY) < 0)
		return false;
	alarm(60);
	for (;;) {
		auto_str log = STR_INIT;
		struct error err = ERROR_INIT;

		if (file_read_at(AT_FDCWD, path, 16 << 20, &log, &err) < 0)
			return false;
		if (strstr(str_cstr(&log), text)) {
			alarm(0);
			return true;
		}
		if (read(watch, events, sizeof(events)) < 0)
			return false;
	}
}

static int ask_and_leave(const char *name)
{
	int fd = dial();

	send_text(fd, fmt("GET /v1.44/containers/%s/json HTTP/1.1\r\nHost: d\r\n\r\n", name));
	return fd;
}

static void let_go(void)
{
	auto_close fd = open(fifo, O_WRONLY | O_CLOEXEC);

	if (write(fd, "x", 1) != 1)
		ok(false, "the FIFO takes a byte");
}

static void parallel(void)
{
	pid_t pid = start("hanging", false);
	auto_close fd = -1;
	auto_reply r = {0};

	ok(pid > 0, "daemon with a driver that may hang");
	fd = ask_and_leave("hang");
	ok(logged("driver call takes long"), "the watchdog names the call");
	ok(logged("driver call is past its deadline"), "and that it is past its deadline");
	ok(status_of("GET", "/version", NULL) == 200 && status_of("GET", "/info", NULL) == 200,
	   "a parallel driver: other requests go on");
	let_go();
	ok(read_reply(fd, false, &r) == 0 && r.status == 404, "the call returns, its request too");
	ok(logged("past its deadline has returned"), "which is said");
	ok(daemon_end(pid, SIGTERM) == 0, "daemon ends cleanly");
}

static void serial(void)
{
	pid_t pid = start("hanging_serial", false);
	auto_close fd = -1;
	auto_reply waits = {0}, later = {0}, r = {0};

	fd = ask_and_leave("hang");
	ok(logged("driver call takes long"), "a serial driver hangs");
	request("GET", "/version", NULL, &waits);
	ok(waits.status == 503 && strstr(str_cstr(&waits.body), "is stuck in an earlier call"),
	   "who waits for it is refused at the deadline: %d", waits.status);
	request("GET", "/version", NULL, &later);
	ok(later.status == 503, "and the next at once: %d", later.status);
	let_go();
	ok(read_reply(fd, false, &r) == 0 && r.status == 404, "it returns");
	ok(status_of("GET", "/version", NULL) == 200, "and serves again");
	ok(daemon_end(pid, SIGTERM) == 0, "daemon ends cleanly");
}

static int attach(const char *name)
{
	auto_reply r = {0};
	int fd = dial();

	send_text(fd, fmt("POST /v1.44/containers/%s/attach?stream=1&stdin=1&stdout=1 "
			  "HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\n"
			  "Upgrade: tcp\r\n\r\n",
			  name));
	read_head(fd, &r);
	return fd;
}

static void crash(void)
{
	pid_t pid = start("hanging", true);
	auto_close fd = -1, dying = -1, ends = -1;
	auto_str seen = STR_INIT, other = STR_INIT;
	auto_reply wait = {0}, logs = {0}, running = {0};
	int status = 0, lines = 0;

	ok(daemon_image() == 0, "image");
	make_container("stays", "\"echo\"", ",\"OpenStdin\":true");
	make_container("ends", "\"cat\"", ",\"OpenStdin\":true,\"StdinOnce\":true");
	ok(status_of("POST", "/v1.44/containers/stays/start", NULL) == 204 &&
	       status_of("POST", "/v1.44/containers/ends/start", NULL) == 204,
	   "two containers run");
	fd = attach("stays");
	send_text(fd, "one\n");
	ok(read_until(fd, &seen, "one\n"), "a client is attached");
	ends = attach("ends");
	send_text(ends, "here\n");
	ok(read_until(ends, &other, "here\n"), "and one to the other");
	dying = ask_and_leave("crash");
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the driver takes the daemon along");
	send_text(fd, "two\n");
	ok(read_until(fd, &seen, "two\n"), "the client is still served");
	shutdown(ends, SHUT_WR);
	while (recv(ends, &(char){0}, 1, 0) > 0)
		;
	pid = start("hanging", true);
	ok(pid > 0, "restarted, as a supervisor does");
	send_text(fd, "three\n");
	ok(read_until(fd, &seen, "three\n"), "the client is served as ever");
	request("GET", "/v1.44/containers/stays/json", NULL, &running);
	ok(strstr(str_cstr(&running.body), "\"Running\":true") != NULL, "its container runs");
	request("POST", "/v1.44/containers/ends/wait", NULL, &wait);
	ok(strstr(str_cstr(&wait.body), "\"StatusCode\":0") != NULL,
	   "the exit of the other meanwhile is known");
	request("GET", "/v1.44/containers/stays/logs?stdout=1", NULL, &logs);
	for (size_t i = 0; i + 6 <= logs.body.len; i++)
		lines += !memcmp(logs.body.p + i, "one\n", 4) ||
			 !memcmp(logs.body.p + i, "two\n", 4) ||
			 !memcmp(logs.body.p + i, "three\n", 6);
	ok(lines == 3, "no line of its log is lost: %d", lines);
	ok(status_of("DELETE", "/v1.44/containers/stays?force=1", NULL) == 204,
	   "it can be removed");
	ok(daemon_end(pid, SIGTERM) == 0, "daemon ends cleanly");
}

/* ---- a storage driver ------------------------------------------------------------------------------------------------------------------ */

static pid_t start_storage(bool live_restore)
{
	setenv("DOCKERD_TEST_INNER", fmt("%s/drivers/storage/vfs.so", getenv("DOCKERD_LIBEXECDIR")),
	       1);
	box_config =
	    strdup(fmt(",\"storage-driver\":\"%s/tests/drivers/.libs/troubled_storage.so\"",
		       getenv("DOCKERD_LIBEXECDIR")));
	return daemon_start(live_restore, NULL);
}

static const char *in_driver(const char *name)
{
	return fmt("%s/data/troubled_storage/%s", box_dir, name);
}

/* Its call about one layer hangs: the container that needs it waits, the next one is made. */
static void storage_hangs(void)
{
	pid_t pid = start_storage(false);
	auto_close gate = -1, waits = dial();
	auto_reply r = {0};

	ok(pid > 0 && daemon_image() == 0, "daemon with a storage driver that may hang, an image");
	ok(mkfifo(in_driver("hang"), 0600) == 0, "it will");
	gate = open(in_driver("hang"), O_RDWR | O_CLOEXEC);
	{
		const char *body = "{\"Image\":\"guest\",\"Cmd\":[\"pause\"]}";

		send_text(waits,
			  fmt("POST /v1.44/containers/create?name=waits HTTP/1.1\r\nHost: d\r\n"
			      "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			      strlen(body), body));
	}
	ok(logged("op=create_rw"), "the watchdog names the call");
	unlink(in_driver("hang"));
	ok(*make_container("goes-on", "\"pause\"", "") != '\0', "another container is made");
	ok(status_of("POST", "/v1.44/containers/goes-on/start", NULL) == 204, "and runs");
	ok(status_of("GET", "/v1.44/containers/json?all=1", NULL) == 200 &&
	       status_of("GET", "/v1.44/images/json", NULL) == 200,
	   "lists are served");
	ok(write(gate, "x", 1) == 1 && read_reply(waits, false, &r) == 0 && r.status == 201,
	   "the call returns, the container is there: %d", r.status);
	ok(status_of("DELETE", "/v1.44/containers/waits", NULL) == 204 &&
	       status_of("DELETE", "/v1.44/containers/goes-on?force=1", NULL) == 204,
	   "both are removed");
	ok(daemon_end(pid, SIGTERM) == 0, "daemon ends cleanly");
}

/* It takes the daemon along in the middle of a create: nothing of that is left, what ran goes on. */
static void storage_crashes(void)
{
	pid_t pid = start_storage(true);
	auto_close dying = dial(), mark = -1;
	auto_reply running = {0}, list = {0};
	const char *body = "{\"Image\":\"guest\",\"Cmd\":[\"pause\"]}";
	int status = 0;

	make_container("stays", "\"pause\"", "");
	ok(pid > 0 && status_of("POST", "/v1.44/containers/stays/start", NULL) == 204,
	   "a container runs");
	mark = open(in_driver("crash"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	send_text(dying, fmt("POST /v1.44/containers/create?name=half HTTP/1.1\r\nHost: d\r\n"
			     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			     strlen(body), body));
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the driver takes the daemon along");
	unlink(in_driver("crash"));
	pid = start_storage(true);
	request("GET", "/v1.44/containers/stays/json", NULL, &running);
	ok(strstr(str_cstr(&running.body), "\"Running\":true") != NULL, "the container runs");
	request("GET", "/v1.44/containers/json?all=1", NULL, &list);
	ok(!strstr(str_cstr(&list.body), "/half"), "the other was never made");
	ok(*make_container("half", "\"pause\"", "") != '\0', "its name is free");
	ok(status_of("DELETE", "/v1.44/containers/half", NULL) == 204 &&
	       status_of("DELETE", "/v1.44/containers/stays?force=1", NULL) == 204,
	   "both are removed");
	ok(daemon_end(pid, SIGTERM) == 0, "daemon ends cleanly");
}

static int test(void)
{
	setenv("DOCKERD_WATCHDOG_MS", "100,400", 1);
	parallel();
	serial();
	unsetenv("DOCKERD_WATCHDOG_MS");
	crash();
	setenv("DOCKERD_WATCHDOG_MS", "100,60000", 1);
	storage_hangs();
	unsetenv("DOCKERD_WATCHDOG_MS");
	storage_crashes();
	if (box_failed)
		daemon_log_show();
	return box_failed ? 1 : 0;
}

int main(void)
{
	return box_run(test);
}
