/* SPDX-License-Identifier: Apache-2.0 */
/* Many clients, vanishing clients, and uploads without end: the daemon answers, and its memory stays flat. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/box.h"

#define IDLE 1000
#define FOLLOWERS 200
#define UPLOAD_MIB 2048

/* Under a sanitizer freed memory is kept for a while: nothing can be said about the daemon's. */
#ifdef WITH_SANITIZERS
#define SANITIZED true
#else
#define SANITIZED false
#endif

static pid_t daemon_pid;

static void raise_files(void)
{
	struct rlimit rl;

	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

static int open_fds(void)
{
	auto_dir DIR *d = opendir(fmt("/proc/%d/fd", (int)daemon_pid));
	int n = 0;

	while (d && readdir(d))
		n++;
	return n;
}

/* Served requests later, how many are open: clients that left are noticed on the way. */
static int open_fds_settled(int want)
{
	int n = open_fds();

	for (int i = 0; i < 20000 && n > want; i++) {
		status_of("GET", "/_ping", NULL);
		n = open_fds();
	}
	if (n > want) {
		auto_dir DIR *d = opendir(fmt("/proc/%d/fd", (int)daemon_pid));
		struct dirent *e;

		while (d && (e = readdir(d))) {
			char to[256] = "";

			if (readlink(fmt("/proc/%d/fd/%s", (int)daemon_pid, e->d_name), to,
				     sizeof(to) - 1) > 0)
				note("%s -> %s", e->d_name, to);
		}
	}
	return n;
}

static void exec_put(const char *id, const char *text)
{
	struct error err = ERROR_INIT;
	auto_reply r = {0};
	auto_json *j = NULL;

	request("POST", fmt("/v1.51/containers/%s/exec", id),
		fmt("{\"AttachStdout\":true,\"Cmd\":[\"/guest\",\"put\",\"%s\",\"/fifo\"]}", text),
		&r);
	j = json_parse(str_cstr(&r.body), r.body.len, &err);
	ok(r.status == 201 &&
	       status_of("POST", fmt("/v1.51/exec/%s/start", json_get_str(j, "Id", "")), "{}") ==
		   200,
	   "a line is written");
}

static void crowd(void)
{
	static int idle[IDLE], follow[FOLLOWERS];
	const char *id = make_container("crowd", "\"follow\",\"/fifo\"", "");
	long before, with;
	int fds, after, good = 0;
	auto_reply r = {0};

	ok(status_of("POST", fmt("/v1.51/containers/%s/start", id), NULL) == 204, "start");
	/* what stays open from the first stream on: its loop, the watch on log files */
	follow[0] = dial();
	send_text(
	    follow[0],
	    fmt("GET /v1.51/containers/%s/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: d\r\n\r\n", id));
	read_head(follow[0], &r);
	close(follow[0]);
	before = daemon_rss(daemon_pid);
	fds = open_fds();
	for (int i = 0; i < IDLE; i++) {
		idle[i] = dial();
		send_text(idle[i], "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
		good += read_reply(idle[i], false, &r) == 0 && r.status == 200;
	}
	ok(good == IDLE, "%d connections were served and stay open", good);
	good = 0;
	for (int i = 0; i < FOLLOWERS; i++) {
		follow[i] = dial();
		send_text(follow[i], fmt("GET /v1.51/containers/%s/logs?stdout=1&follow=1 "
					 "HTTP/1.1\r\nHost: d\r\n\r\n",
					 id));
		good += read_head(follow[i], &r) == 0 && r.status == 200;
	}
	ok(good == FOLLOWERS, "%d clients follow the logs", good);
	exec_put(id, "to the crowd");
	good = 0;
	for (int i = 0; i < FOLLOWERS; i++) {
		auto_str seen = STR_INIT;

		good += read_until(follow[i], &seen, "to the crowd");
	}
	ok(good == FOLLOWERS, "all %d are told", good);
	ok(status_of("GET", "/_ping", NULL) == 200, "ping answers");
	with = daemon_rss(daemon_pid);
	ok(SANITIZED || with - before < 8 * 1024,
	   "memory: %ld KiB before, %ld KiB with all of them", before, with);
	for (int i = 0; i < IDLE; i++)
		close(idle[i]);
	for (int i = 0; i < FOLLOWERS; i++)
		close(follow[i]);
	/* removal is answered behind all of them having been noticed or not; a second round would show a leak */
	status_of("DELETE", fmt("/v1.51/containers/%s?force=1", id), NULL);
	after = open_fds_settled(fds);
	ok(after <= fds, "descriptors: %d before, %d after", fds, after);
}

/* Uploads whose client goes away at different places. */
static void vanishing(void)
{
	static const char *const starts[] = {
	    "POST /v1.51/images/load HTTP/1.1\r\nHost: d\r\nContent-Type: "
	    "application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "POST /v1.51/images/load HTTP/1.1\r\nHost: d\r\nContent-Type: "
	    "application/x-tar\r\nContent-Length: 1000000\r\n\r\n",
	    "POST /v1.51/images/create?fromSrc=- HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n1000\r\nabc",
	    "POST /v1.51/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: "
	    "application/json\r\nContent-Length: 1000\r\n\r\n{",
	    "POST /v1.51/containers/cre",
	};
	int fds = open_fds(), after;

	for (int round = 0; round < 20; round++)
		for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
			int fd = dial();

			send_text(fd, starts[i]);
			close(fd);
		}
	ok(status_of("GET", "/_ping", NULL) == 200,
	   "100 clients left in the middle of their upload");
	after = open_fds_settled(fds);
	ok(after <= fds, "descriptors: %d before, %d after", fds, after);
}

/* 2 GB in chunks: zeros are an archive's end and what follows, bytes are no archive at all. */
static void garbage(char byte)
{
	static char chunk[8 + 65536 + 2];
	auto_close fd = dial();
	auto_reply r = {0};
	long before = daemon_rss(daemon_pid), most = before;
	bool sent = true, good;

	memcpy(chunk, "10000\r\n", 7);
	memset(chunk + 7, byte, 65536);
	memcpy(chunk + 7 + 65536, "\r\n", 2);
	send_text(fd, "POST /v1.51/images/load HTTP/1.1\r\nHost: d\r\nContent-Type: "
		      "application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < UPLOAD_MIB * 16 && sent; i++) {
		sent = send_all(fd, chunk, 7 + 65536 + 2) == 0;
		if (i % 1024 == 0 && daemon_rss(daemon_pid) > most)
			most = daemon_rss(daemon_pid);
	}
	if (sent)
		send_text(fd, "0\r\n\r\n");
	/* as moby: the reply has begun, and ends with the error */
	good = read_reply(fd, false, &r) == 0 && r.status == 200 &&
	       strstr(str_cstr(&r.body), "\"errorDetail\"");
	ok(good, "upload of garbage 0x%02x is answered: %d (%s)", (unsigned char)byte, r.status,
	   sent ? "all was taken" : "refused on the way");
	ok(SANITIZED || most - before < 8 * 1024, "memory: %ld KiB before, %ld KiB at most", before,
	   most);
	ok(status_of("GET", "/_ping", NULL) == 200, "ping answers");
}

static int test(void)
{
	raise_files();
	daemon_pid = daemon_start(false, NULL);
	ok(daemon_pid > 0 && daemon_image() == 0, "daemon and image");
	if (box_failed) {
		daemon_log_show();
		return 1;
	}
	crowd();
	vanishing();
	garbage('\0');
	garbage('x');
	ok(daemon_end(daemon_pid, 15) == 0, "daemon ends cleanly");
	if (box_failed)
		daemon_log_show();
	return box_failed != 0;
}

int main(void)
{
	return box_run(test);
}
