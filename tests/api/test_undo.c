/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that fail or hang, by fault points: what was done before them is undone, or held until it can be, and nobody else waits. Needs
 * --enable-faults.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "lib/box.h"

/* A member of a reply's JSON, by path; "" if it is not there. In a static buffer. */
static const char *member(const char *uri, const char *path)
{
	static char value[512];
	struct error err = ERROR_INIT;
	auto_strlist names = STRLIST_INIT;
	auto_reply r = {0};
	auto_json *j = NULL;
	const json *at;

	value[0] = '\0';
	if (request("GET", uri, NULL, &r) < 0)
		return value;
	j = json_parse(str_cstr(&r.body), r.body.len, &err);
	strlist_split(&names, path, '/');
	at = j;
	for (size_t i = 0; i < names.n; i++)
		at = json_get(at, names.v[i]);
	if (json_type(at) == JSON_STRING)
		snprintf(value, sizeof(value), "%s", json_str(at, ""));
	else if (json_type(at) == JSON_NUMBER)
		snprintf(value, sizeof(value), "%lld", (long long)json_i64(at, 0));
	return value;
}

static const char *endpoint(const char *container, const char *network, const char *what)
{
	return member(fmt("/v1.44/containers/%s/json", container),
		      fmt("NetworkSettings/Networks/%s/%s", network, what));
}

/* Through which link the default route of a running container leads; "" if there is none. */
static const char *default_link(const char *container)
{
	static char link[16];
	auto_str text = STR_INIT;
	auto_strlist lines = STRLIST_INIT;
	struct error err = ERROR_INIT;
	const char *pid = member(fmt("/v1.44/containers/%s/json", container), "State/Pid");

	link[0] = '\0';
	file_read_at(AT_FDCWD, fmt("/proc/%s/net/route", pid), 65536, &text, &err);
	strlist_split(&lines, str_cstr(&text), '\n');
	for (size_t i = 1; i < lines.n; i++) {
		char to[16];

		if (sscanf(lines.v[i], "%15s %15s", link, to) == 2 && !strcmp(to, "00000000"))
			return link;
	}
	link[0] = '\0';
	return link;
}

static int make_network(const char *name)
{
	return status_of("POST", "/v1.44/networks/create", fmt("{\"Name\":\"%s\"}", name));
}

static int start_in(const char *name, const char *network)
{
	make_container(name, "\"pause\"",
		       fmt(",\"HostConfig\":{\"NetworkMode\":\"%s\",\"CgroupParent\":\"%s\"}",
			   network, box_cgroup));
	return status_of("POST", fmt("/v1.44/containers/%s/start", name), NULL);
}

static int disconnect_or_not(const char *network, const char *container, const char *what)
{
	return status_of("POST", fmt("/v1.44/networks/%s/%s", network, what),
			 fmt("{\"Container\":\"%s\"}", container));
}

/* ---- volumes --------------------------------------------------------------------------------------------------------------------------- */

/* One whose files take for ever to go away: its name is free, and the others can be used. */
static void volumes_go_on(void)
{
	pid_t pid = daemon_start(false, "volume.remove.files=hang@1");
	auto_close events = dial(), slow = dial();
	auto_str seen = STR_INIT;

	ok(pid > 0, "daemon that will hang when it removes files of a volume");
	ok(status_of("POST", "/v1.44/volumes/create", "{\"Name\":\"slow\"}") == 201 &&
	       status_of("POST", "/v1.44/volumes/create", "{\"Name\":\"other\"}") == 201,
	   "two volumes");
	send_text(events, "GET /v1.44/events HTTP/1.1\r\nHost: d\r\n\r\n");
	ok(read_until(events, &seen, "\r\n\r\n"), "events");
	send_text(slow, "DELETE /v1.44/volumes/slow HTTP/1.1\r\nHost: d\r\n\r\n");
	ok(read_until(events, &seen, "destroy"), "the volume is gone for everybody");
	ok(status_of("GET", "/v1.44/volumes/slow", NULL) == 404, "it is not found");
	ok(status_of("GET", "/v1.44/volumes", NULL) == 200 &&
	       status_of("GET", "/v1.44/system/df", NULL) == 200,
	   "lists are served");
	ok(status_of("POST", "/v1.44/volumes/create", "{\"Name\":\"slow\"}") == 201 &&
	       status_of("DELETE", "/v1.44/volumes/other", NULL) == 204 &&
	       status_of("DELETE", "/v1.44/volumes/slow", NULL) == 204,
	   "its name can be used again, others be removed");
	daemon_end(pid, SIGKILL);
	pid = daemon_start(false, NULL);
	ok(access(fmt("%s/data/volumes/metadata.db", box_dir), F_OK) == 0, "the next daemon");
	ok(status_of("GET", "/v1.44/volumes/slow", NULL) == 404, "does not know it either");
	daemon_end(pid, SIGTERM);
}

/* ---- networks -------------------------------------------------------------------------------------------------------------------------- */

/* `aa` would be the better way out by its name: at the failure it has it, and gives it back. */
static void failed_connect(const char *fault)
{
	pid_t pid = daemon_start(false, fault);
	const char *link;

	ok(pid > 0, "daemon with %s", fault);
	ok(make_network("aa") == 201 && make_network("bb") == 201, "two networks");
	ok(start_in("box", "bb") == 204 && !strcmp(default_link("box"), "eth0"),
	   "a container in one has a way out: '%s'", default_link("box"));
	ok(disconnect_or_not("aa", "box", "connect") == 500, "it is connected to the other: fails");
	link = default_link("box");
	ok(!strcmp(link, "eth0"), "it has its way out as before: '%s'", link);
	ok(!*endpoint("box", "aa", "NetworkID"), "and knows nothing of the other");
	ok(status_of("DELETE", "/v1.44/networks/aa", NULL) == 204, "which can be removed");
	ok(make_network("aa") == 201 && disconnect_or_not("aa", "box", "connect") == 200 &&
	       !strcmp(default_link("box"), "eth1"),
	   "connected without a fault, the way out moves: '%s'", default_link("box"));
	ok(status_of("DELETE", "/v1.44/containers/box?force=1", NULL) == 204 &&
	       status_of("DELETE", "/v1.44/networks/aa", NULL) == 204 &&
	       status_of("DELETE", "/v1.44/networks/bb", NULL) == 204,
	   "all is removed");
	daemon_end(pid, SIGTERM);
}

/* Something behind the leaving fails: the container is out all the same, on disk too. */
static void failed_disconnect(void)
{
	pid_t pid = daemon_start(true, "container.disconnect.moved=error@1");

	ok(make_network("aa") == 201 && start_in("box", "aa") == 204, "a container");
	ok(disconnect_or_not("aa", "box", "disconnect") == 500, "a step of its leaving fails");
	ok(!*endpoint("box", "aa", "NetworkID"), "it has left");
	daemon_end(pid, SIGKILL);
	pid = daemon_start(true, NULL);
	ok(!*endpoint("box", "aa", "NetworkID"), "for the next daemon as well");
	ok(status_of("DELETE", "/v1.44/networks/aa", NULL) == 204, "the network is free");
	ok(status_of("DELETE", "/v1.44/containers/box?force=1", NULL) == 204, "all is removed");
	daemon_end(pid, SIGTERM);
}

/* The driver does not let go of a network: it is there as before, on disk too. */
static void failed_delete(void)
{
	pid_t pid = daemon_start(false, "network.delete.driver=error@1");

	ok(make_network("net") == 201 && status_of("DELETE", "/v1.44/networks/net", NULL) == 500,
	   "a network can't be removed");
	ok(status_of("GET", "/v1.44/networks/net", NULL) == 200, "so it is there");
	daemon_end(pid, SIGKILL);
	pid = daemon_start(false, NULL);
	ok(status_of("GET", "/v1.44/networks/net", NULL) == 200, "for the next daemon as well");
	ok(status_of("DELETE", "/v1.44/networks/net", NULL) == 204, "which removes it");
	daemon_end(pid, SIGTERM);
}

/* The driver does not let go of an endpoint of a container that has ended. */
static void failed_leave(void)
{
	pid_t pid = daemon_start(false, "network.disconnect.driver=error@1");
	char address[32];

	ok(make_network("net") == 201 && start_in("box", "net") == 204, "a container");
	snprintf(address, sizeof(address), "%s", endpoint("box", "net", "IPAddress"));
	ok(status_of("DELETE", "/v1.44/containers/box?force=1", NULL) == 204, "it is removed");
	ok(status_of("DELETE", "/v1.44/networks/net", NULL) == 204,
	   "its network is taken away, with the endpoint that had stayed");
	ok(make_network("net") == 201 && start_in("box", "net") == 204 &&
	       !strcmp(endpoint("box", "net", "IPAddress"), address),
	   "and made again, the address too");
	ok(status_of("DELETE", "/v1.44/containers/box?force=1", NULL) == 204 &&
	       status_of("DELETE", "/v1.44/networks/net", NULL) == 204,
	   "all is removed");
	daemon_end(pid, SIGTERM);
}

/* A running container whose endpoint could not be taken over has its address. */
static void failed_adopt(void)
{
	pid_t pid = daemon_start(true, NULL);
	char address[32], other[32];

	ok(make_network("net") == 201 && start_in("live", "net") == 204, "a container");
	snprintf(address, sizeof(address), "%s", endpoint("live", "net", "IPAddress"));
	daemon_end(pid, SIGKILL);
	pid = daemon_start(true, "network.adopt.driver=error@1");
	ok(start_in("other", "net") == 204, "another, after a daemon that could not take it over");
	snprintf(other, sizeof(other), "%s", endpoint("other", "net", "IPAddress"));
	ok(*other && strcmp(address, other) != 0, "has not its address: %s, %s", address, other);
	ok(status_of("DELETE", "/v1.44/containers/live?force=1", NULL) == 204 &&
	       status_of("DELETE", "/v1.44/containers/other?force=1", NULL) == 204 &&
	       status_of("DELETE", "/v1.44/networks/net", NULL) == 204,
	   "all is removed");
	daemon_end(pid, SIGTERM);
}

/* While a network is made it has its name, and nobody finds it. */
static void made_slowly(void)
{
	const char *body = "{\"Name\":\"slow\"}";
	pid_t pid = daemon_start(false, "network.create.made=hang@2");
	auto_close watch = inotify_init1(IN_CLOEXEC), slow = dial();
	char events[4096];

	ok(make_network("first") == 201, "a network");
	ok(inotify_add_watch(watch, fmt("%s/exec/network/unfinished", box_dir), IN_MOVED_TO) >= 0,
	   "another one is awaited");
	send_text(slow, fmt("POST /v1.44/networks/create HTTP/1.1\r\nHost: d\r\nContent-Type: "
			    "application/json\r\nContent-Length: %zu\r\n\r\n%s",
			    strlen(body), body));
	ok(read(watch, events, sizeof(events)) > 0, "it is begun");
	ok(make_network("slow") == 409, "its name is taken");
	ok(status_of("GET", "/v1.44/networks/slow", NULL) == 404 &&
	       status_of("DELETE", "/v1.44/networks/slow", NULL) == 404,
	   "nobody finds it yet");
	ok(status_of("GET", "/v1.44/networks", NULL) == 200 &&
	       status_of("DELETE", "/v1.44/networks/first", NULL) == 204,
	   "others can");
	daemon_end(pid, SIGKILL);
	pid = daemon_start(false, NULL);
	ok(status_of("GET", "/v1.44/networks/slow", NULL) == 404 && make_network("slow") == 201 &&
	       status_of("DELETE", "/v1.44/networks/slow", NULL) == 204,
	   "the next daemon has taken away what there was of it");
	daemon_end(pid, SIGTERM);
}

/* Times of a health check that no clock reaches: they are long, not past. */
static void endless_times(void)
{
	pid_t pid = daemon_start(false, NULL);
	auto_close events = dial();
	auto_str seen = STR_INIT;

	send_text(events, "GET /v1.44/events HTTP/1.1\r\nHost: d\r\n\r\n");
	ok(read_until(events, &seen, "\r\n\r\n"), "events");
	make_container("checked", "\"pause\"",
		       ",\"Healthcheck\":{\"Test\":[\"CMD\",\"/guest\",\"exit\",\"0\"],"
		       "\"Interval\":9223372036854775807,\"Timeout\":9223372036854775807,"
		       "\"StartPeriod\":9223372036854775807,\"StartInterval\":1000000}");
	ok(status_of("POST", "/v1.44/containers/checked/start", NULL) == 204, "a container");
	ok(read_until(events, &seen, "health_status: "), "is probed");
	ok(read_until(events, &seen, "health_status: healthy"), "in time");
	ok(status_of("DELETE", "/v1.44/containers/checked?force=1", NULL) == 204, "is removed");
	daemon_end(pid, SIGTERM);
}

/* A container that its policy starts again and again is removed by force, even when it is just being started. */
static void removed_within_restart(void)
{
	pid_t pid = daemon_start(false, "container.start.created=stop@2");
	auto_close rm = dial();
	auto_reply r = {0};
	int status = 0;

	make_container("loop", "\"exit\",\"1\"",
		       ",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"always\"}}");
	ok(status_of("POST", "/v1.44/containers/loop/start", NULL) == 204, "a crash loop");
	ok(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "within a restart");
	send_text(rm, "DELETE /v1.44/containers/loop?force=1 HTTP/1.1\r\nHost: d\r\n\r\n");
	kill(pid, SIGCONT);
	read_reply(rm, false, &r);
	ok(r.status == 204, "is removed by force: %d %s", r.status, str_cstr(&r.body));
	ok(status_of("GET", "/v1.44/containers/loop/json", NULL) == 404, "and gone");
	daemon_end(pid, SIGTERM);
}

static int test(void)
{
	pid_t pid = daemon_start(false, NULL);

	ok(pid > 0 && daemon_image() == 0, "image");
	daemon_end(pid, SIGTERM);
	volumes_go_on();
	failed_connect("container.connect.hosts=error@1");
	failed_connect("container.connect.save=error@1");
	failed_disconnect();
	failed_delete();
	failed_leave();
	failed_adopt();
	made_slowly();
	endless_times();
	removed_within_restart();
	if (box_failed)
		daemon_log_show();
	return box_failed ? 1 : 0;
}

int main(void)
{
#ifdef ENABLE_FAULTS
	return box_run(test);
#else
	(void)test;
	printf("1..0 # SKIP built without --enable-faults\n");
	return 77;
#endif
}
