/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While the daemon ends: no new clients, and no container starts behind its back, neither one that is asked for then nor one whose start was under
 * way. The second needs --enable-faults. And what an earlier one left in tmp.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/box.h"

static int post(int fd, const char *uri, struct reply *r)
{
	send_text(fd, fmt("POST /v1.44%s HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n", uri));
	return read_reply(fd, false, r);
}

/* Its socket takes no connection. */
static bool refused(void)
{
	auto_close fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", box_dir);
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0;
}

/* Run directories of containers. */
static int left(void)
{
	DIR *d = opendir(fmt("%s/exec/containers", box_dir));
	const struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void no_start_while_ending(void)
{
	pid_t pid = daemon_start(false, NULL);
	auto_close events = dial(), kept = dial();
	auto_reply version = {0}, start = {0}, kill_it = {0};
	auto_str seen = STR_INIT;

	ok(pid > 0 && daemon_image() == 0, "daemon and image");
	make_container("slow", "\"pause\"", ",\"StopSignal\":\"WINCH\",\"StopTimeout\":600");
	make_container("late", "\"pause\"", "");
	ok(status_of("POST", "/v1.44/containers/slow/start", NULL) == 204,
	   "a container that does not end when it is asked to");
	ok(post(kept, "/containers/slow/resize?h=1&w=1", &version) == 0, "a connection is kept");
	send_text(events, "GET /v1.44/events HTTP/1.1\r\nHost: d\r\n\r\n");
	ok(read_until(events, &seen, "\r\n\r\n"), "events");
	kill(pid, SIGTERM);
	ok(read_until(events, &seen, "\"kill\""), "the daemon ends: it stops the container");
	ok(refused(), "no new client comes in");
	post(kept, "/containers/late/start", &start);
	ok(start.status == 503 && strstr(str_cstr(&start.body), "shutting down"),
	   "a start is refused: %d %s", start.status, str_cstr(&start.body));
	ok(post(kept, "/containers/slow/kill", &kill_it) == 0 && kill_it.status == 204,
	   "the other is killed");
	ok(daemon_end(pid, 0) == 0, "the daemon ends cleanly");
	ok(!left(), "and leaves no container: %d", left());
}

#ifdef ENABLE_FAULTS
static void start_under_way(void)
{
	pid_t pid = daemon_start(false, "container.start.created=stop@1");
	auto_close fd = dial();
	int status = 0;

	ok(pid > 0, "daemon that is stopped within a start");
	send_text(fd, "POST /v1.44/containers/late/start HTTP/1.1\r\nHost: d\r\n"
		      "Content-Length: 0\r\n\r\n");
	ok(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "it is");
	kill(pid, SIGTERM);
	kill(pid, SIGCONT);
	ok(daemon_end(pid, 0) == 0, "told to end, it ends cleanly");
	ok(!left(), "and leaves no container: %d", left());
}
#endif

/* What lies in tmp is removed behind the start; what can't be, here for a mount, refuses none. */
static void leftovers(void)
{
	const char *tmp = fmt("%s/data/tmp", box_dir);
	pid_t pid;
	char shm[128], big[128];

	snprintf(shm, sizeof(shm), "%s/container-x/mounts/shm", tmp);
	snprintf(big, sizeof(big), "%s/docker-import-x", tmp);
	ok(!mkdir(fmt("%s/container-x", tmp), 0700) &&
	       !mkdir(fmt("%s/container-x/mounts", tmp), 0700) && !mkdir(shm, 0700) &&
	       !mount("shm", shm, "tmpfs", 0, NULL) && !mkdir(big, 0700),
	   "a mount and a directory are left in tmp");
	pid = daemon_start(false, NULL);
	ok(pid > 0, "the daemon starts");
	ok(daemon_end(pid, SIGTERM) == 0, "and ends");
	ok(access(big, F_OK) < 0 && !access(shm, F_OK), "what could be removed is");
	ok(!umount(shm), "the mount goes");
	pid = daemon_start(false, NULL);
	daemon_end(pid, SIGTERM);
	ok(access(fmt("%s/container-x", tmp), F_OK) < 0, "and the next start removes the rest");
}

static int test(void)
{
	no_start_while_ending();
#ifdef ENABLE_FAULTS
	start_under_way();
#endif
	leftovers();
	if (box_failed)
		daemon_log_show();
	return box_failed ? 1 : 0;
}

int main(void)
{
	return box_run(test);
}
