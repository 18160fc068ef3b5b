/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 of the daemon under twenty running containers, with live-restore: a new daemon finds all as they are. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/box.h"

#define N 20

static bool served(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(18081),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval tv = {10, 0};
	auto_close fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_str seen = STR_INIT;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
	       read_until(fd, &seen, "served\n");
}

static int start(const char *id)
{
	return status_of("POST", fmt("/v1.51/containers/%s/start", id), NULL);
}

static bool exec_says(const char *id, const char *text)
{
	struct error err = ERROR_INIT;
	auto_reply r = {0};
	auto_json *j = NULL;

	request("POST", fmt("/v1.51/containers/%s/exec", id),
		fmt("{\"AttachStdout\":true,\"Cmd\":[\"/guest\",\"say\",\"%s\"]}", text), &r);
	j = json_parse(str_cstr(&r.body), r.body.len, &err);
	request("POST", fmt("/v1.51/exec/%s/start", json_get_str(j, "Id", "")), "{}", &r);
	return r.status == 200 && r.body.len > 8 && strstr(r.body.p + 8, text);
}

static bool field_is(const char *name, const char *part)
{
	auto_reply r = {0};

	request("GET", fmt("/v1.51/containers/%s/json", name), NULL, &r);
	return r.status == 200 && strstr(str_cstr(&r.body), part);
}

static int attach(const char *name)
{
	auto_reply r = {0};
	int fd = dial();

	send_text(fd, fmt("POST /v1.51/containers/%s/attach?stream=1&stdin=1&stdout=1 "
			  "HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\n"
			  "Upgrade: tcp\r\n\r\n",
			  name));
	read_head(fd, &r);
	return fd;
}

static int test(void)
{
	pid_t pid = daemon_start(true, NULL);
	auto_str seen = STR_INIT, other = STR_INIT;
	auto_close fd = -1;
	auto_reply r = {0};
	int good = 0, ends;

	ok(pid > 0 && daemon_image() == 0, "daemon and image");
	for (int i = 0; i < N && !box_failed; i++)
		good +=
		    start(make_container(fmt("c%d", i), "\"echo\"", ",\"OpenStdin\":true")) == 204;
	make_container("web", "\"serve\",\"80\"",
		       ",\"ExposedPorts\":{\"80/tcp\":{}},\"HostConfig\":{\"PortBindings\":{\"80/"
		       "tcp\":[{\"HostPort\":\"18081\"}]}}");
	make_container("ends", "\"cat\"", ",\"OpenStdin\":true,\"StdinOnce\":true");
	ok(good == N && start("web") == 204 && start("ends") == 204, "%d containers run", good + 2);
	ok(served(), "the published port serves");
	fd = attach("c0");
	send_text(fd, "before\n");
	ok(read_until(fd, &seen, "before\n"), "a client is attached");
	/* its head alone does not say that it is attached */
	ends = attach("ends");
	send_text(ends, "here\n");
	ok(read_until(ends, &other, "here\n"), "so is another");

	daemon_end(pid, SIGKILL);
	ok(served(), "no daemon: the published port serves");
	send_text(fd, "between\n");
	ok(read_until(fd, &seen, "between\n"), "no daemon: the client is still attached");
	shutdown(ends, SHUT_WR); /* its container ends while nobody looks */
	while (recv(ends, &(char){0}, 1, 0) > 0)
		;
	close(ends);
	pid = daemon_start(true, NULL);
	ok(pid > 0, "the daemon starts again");
	good = 0;
	for (int i = 0; i < N; i++)
		good += field_is(fmt("c%d", i), "\"Running\":true");
	ok(good == N && field_is("web", "\"Running\":true"), "%d containers run on", good);
	request("POST", "/v1.51/containers/ends/wait", NULL, &r);
	ok(strstr(str_cstr(&r.body), "\"StatusCode\":0") &&
	       field_is("ends", "\"Status\":\"exited\",\"Running\":false"),
	   "an exit meanwhile is known");
	send_text(fd, "after\n");
	ok(read_until(fd, &seen, "after\n"), "the client is attached as ever");
	ok(served(), "the published port serves");
	request("GET", "/v1.51/containers/c0/logs?stdout=1", NULL, &r);
	good = 0;
	for (size_t i = 0; i + 8 < r.body.len; i++)
		good +=
		    !memcmp(r.body.p + i, "before\n", 7) || !memcmp(r.body.p + i, "between\n", 8);
	ok(good == 2, "the logs hold what was said before and between");
	good = 0;
	for (int i = 0; i < N; i++)
		good += exec_says(fmt("c%d", i), "hello");
	ok(good == N, "exec works in %d", good);
	good = 0;
	for (int i = 0; i < N; i++)
		good += status_of("DELETE", fmt("/v1.51/containers/c%d?force=1", i), NULL) == 204;
	ok(good == N && status_of("DELETE", "/v1.51/containers/web?force=1", NULL) == 204,
	   "%d can be removed", good);
	ok(!served(), "the port is closed with its container");
	ok(daemon_end(pid, SIGTERM) == 0, "daemon ends cleanly");
	if (box_failed)
		daemon_log_show();
	return box_failed != 0;
}

int main(void)
{
	return box_run(test);
}
