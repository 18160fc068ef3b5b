/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same raw requests to us and to a moby beside us: status, names of the headers, names, order and types of JSON members, and the words of
 * errors must be the same. What may differ is listed here, with its reason. Not asked at all: a port that is none in ExposedPorts (moby takes
 * it and fails at the start), and names with an encoded slash (404 in both; there moby looks for a container of that name). The peer's socket: DOCKERD_PEER, or /run/peer-docker.sock.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/box.h"

#define C "/v1.51/containers"
#define N "/v1.51/networks"

struct step {
	const char *method, *uri, *body;
	const char *differs; /* reason why the bodies may differ: only the status is compared */
};

static const struct step steps[] = {
    {"GET", "/_ping", NULL, NULL},
    {"HEAD", "/_ping", NULL, NULL},
    {"GET", "/nothing", NULL, NULL},
    {"GET", "/v1.51/nothing", NULL, NULL},
    {"GET", "/v1.99/_ping", NULL, NULL},
    {"GET", "/v1.99/info", NULL, NULL},
    {"GET", "/v1.12/info", NULL, NULL},
    {"GET", "/v1.51//info", NULL, NULL},
    {"GET", "/v1.51/info/", NULL, NULL},
    {"PUT", "/v1.51/info", NULL, NULL},
    {"GET", "/v1.51/version", NULL, "components name the programs that there are"},
    {"GET", "/v1.51/info", NULL, "runtimes, plugins and limits of the host differ"},
    {"GET", C "/json?filters=x", NULL, NULL},
    {"GET", C "/json?filters=%7B%22nope%22%3A%5B%22a%22%5D%7D", NULL, NULL},
    {"GET", C "/json?limit=x", NULL, NULL},
    {"POST", C "/create", "{}", NULL},
    {"POST", C "/create", "", NULL},
    {"POST", C "/create", "{", NULL},
    {"POST", C "/create", "{} x", NULL},
    {"POST", C "/create", "[]", NULL},
    {"POST", C "/create", "null", NULL},
    {"POST", C "/create", "{\"Image\":7}", NULL},
    {"POST", C "/create", "{\"Image\":\"nope-nope\"}", NULL},
    {"POST", C "/create", "{\"Image\":\"UPPER\"}", NULL},
    {"POST", C "/create?name=-x", "{\"Image\":\"guest\"}", NULL},
    {"POST", C "/create?name=cmp0", "{\"Image\":\"guest\"}", NULL},
    {"POST", C "/create",
     "{\"Image\":\"guest\",\"Cmd\":[\"/"
     "guest\"],\"HostConfig\":{\"NetworkMode\":\"nope\",\"Memory\":1}}",
     NULL},
    {"POST", C "/create",
     "{\"Image\":\"guest\",\"Cmd\":[\"/"
     "guest\"],\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"often\"}}}",
     NULL},
    {"POST", C "/create",
     "{\"Image\":\"guest\",\"Cmd\":[\"/guest\"],\"HostConfig\":{\"Binds\":[\"a:b\"]}}", NULL},
    {"POST", C "/create?name=cmp1",
     "{\"Image\":\"guest\",\"Cmd\":[\"/guest\",\"pause\"],\"Labels\":{\"b\":\"1\",\"a\":\"2\"}}",
     NULL},
    {"POST", C "/create?name=cmp1", "{\"Image\":\"guest\",\"Cmd\":[\"/guest\",\"pause\"]}",
     "the id of the other is named"},
    {"GET", C "/cmp1/json", NULL, NULL},
    {"GET", C "/cmp1/json?size=1", NULL, NULL},
    {"GET", "/v1.40/containers/cmp1/json", NULL, NULL},
    {"GET", C "/json?all=1&filters=%7B%22name%22%3A%5B%22cmp1%22%5D%7D", NULL, NULL},
    {"GET", C "/nope/json", NULL, NULL},
    {"POST", C "/nope/start", NULL, NULL},
    {"POST", C "/cmp1/stop", NULL, NULL},
    {"POST", C "/cmp1/kill", NULL, "the id is named"},
    {"POST", C "/cmp1/pause", NULL, "the id is named"},
    {"POST", C "/cmp1/unpause", NULL, "the id is named"},
    {"GET", C "/cmp1/stats?stream=0", NULL, NULL},
    {"GET", C "/cmp1/stats?stream=1&one-shot=1", NULL, NULL},
    {"GET", C "/cmp1/changes", NULL, NULL},
    {"GET", C "/cmp1/archive", NULL, NULL},
    {"GET", C "/cmp1/archive?path=/nope", NULL, NULL},
    {"PUT", C "/cmp1/archive?path=/guest", "x", NULL},
    {"POST", C "/cmp1/update", "{}", NULL},
    {"POST", C "/cmp1/update", "{\"Memory\":1}", NULL},
    {"POST", C "/nope/update", "{}", NULL},
    {"POST", "/v1.51/commit?container=nope", NULL, NULL},
    {"GET", C "/cmp1/top", NULL, "the id is named"},
    {"GET", C "/cmp1/logs", NULL, NULL},
    {"POST", C "/cmp1/wait?condition=nope", NULL, NULL},
    {"POST", C "/cmp1/resize?h=x&w=1", NULL, NULL},
    {"POST", C "/cmp1/exec", "{\"Cmd\":[\"x\"]}", "the id is named"},
    {"POST", C "/cmp1/start", NULL, NULL},
    {"POST", C "/cmp1/start", NULL, NULL},
    {"POST", C "/cmp1/start", "{\"a\":\"bcdefgh\"}", NULL},
    {"GET", C "/cmp1/json", NULL, NULL},
    {"POST", C "/cmp1/exec", "{}", NULL},
    {"POST", C "/cmp1/exec", "{\"Cmd\":[\"/guest\",\"say\",\"x\"],\"AttachStdout\":true}", NULL},
    {"GET", "/v1.51/exec/nope/json", NULL, NULL},
    {"POST", "/v1.51/exec/nope/start", "{}", NULL},
    {"POST", C "/cmp1/kill?signal=NOPE", NULL, NULL},
    {"POST", C "/cmp1/stop?t=x", NULL, NULL},
    {"POST", C "/cmp1/rename", NULL, NULL},
    {"POST", C "/cmp1/rename?name=cmp1", NULL, NULL},
    {"DELETE", C "/cmp1", NULL, NULL},
    {"POST", C "/cmp1/kill", NULL, NULL},
    {"GET", C "/cmp1/json", NULL, NULL},
    {"DELETE", C "/cmp1?v=1", NULL, NULL},
    {"DELETE", C "/cmp1", NULL, NULL},
    {"GET", "/v1.51/images/nope/json", NULL, NULL},
    {"GET", "/v1.51/images/guest/json", NULL,
     "open: moby puts Config last and leaves its empty members out"},
    {"GET", "/v1.51/images/guest/history", NULL, NULL},
    {"GET", "/v1.51/images/json?filters=%7B%22reference%22%3A%5B%22guest%22%5D%7D", NULL, NULL},
    {"GET", "/v1.51/images/json?filters=%7B%22nope%22%3A%5B%22a%22%5D%7D", NULL, NULL},
    {"DELETE", "/v1.51/images/nope", NULL, NULL},
    {"POST", "/v1.51/images/nope/tag?repo=x", NULL, NULL},
    {"POST", "/v1.51/images/guest/tag?repo=UPPER", NULL, NULL},
    {"GET", "/v1.51/volumes/nope", NULL, NULL},
    {"POST", "/v1.51/volumes/create", "{\"Name\":\"cmpv\"}", NULL},
    {"GET", "/v1.51/volumes/cmpv", NULL, NULL},
    {"POST", "/v1.51/volumes/create", "{\"Name\":\"-\"}", NULL},
    {"POST", "/v1.51/volumes/create", "{\"Name\":\"v\",\"Driver\":\"nope\"}",
     "plugins of volumes are looked for in other places"},
    {"DELETE", "/v1.51/volumes/cmpv", NULL, NULL},
    {"DELETE", "/v1.51/volumes/cmpv", NULL, NULL},
    {"GET", "/v1.51/networks/nope", NULL, NULL},
    {"GET", "/v1.51/networks/bridge", NULL, NULL},
    {"DELETE", "/v1.51/networks/bridge", NULL, NULL},
    {"DELETE", "/v1.51/networks/nope", NULL, NULL},
    {"POST", N "/create", "{}", NULL},
    {"POST", N "/create", "{\"Name\":\" \"}", NULL},
    {"POST", N "/create", "x", "where JSON breaks is told in other words"},
    {"POST", N "/create", "{\"Name\":\"host\"}", NULL},
    {"POST", N "/create", "{\"Name\":\"cmpn\",\"Driver\":\"null\"}", NULL},
    {"POST", N "/create", "{\"Name\":\"cmpn\",\"IPAM\":{\"Config\":[{\"Subnet\":\"bogus\"}]}}",
     NULL},
    {"POST", N "/create", "{\"Name\":\"cmpn\",\"IPAM\":{\"Config\":[{\"Gateway\":\"10.9.0.1\"}]}}",
     NULL},
    {"POST", N "/create",
     "{\"Name\":\"cmpn\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.3/24\"}]}}", NULL},
    {"POST", N "/create",
     "{\"Name\":\"cmpn\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.0/"
     "24\",\"Gateway\":\"10.8.0.1\"}]}}",
     NULL},
    {"POST", N "/create",
     "{\"Name\":\"cmpn\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.0/24\",\"IPRange\":\"10.8.0.0/"
     "25\"}]}}",
     NULL},
    {"POST", N "/create",
     "{\"Name\":\"cmpn\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.0/"
     "24\",\"AuxiliaryAddresses\":{\"a\":\"10.8.0.3\"}}]}}",
     NULL},
    {"POST", N "/create",
     "{\"Name\":\"cmpn\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.1.0/"
     "24\",\"AuxiliaryAddresses\":{\"a\":\"10.9.1.1\"}}]}}",
     NULL},
    {"POST", N "/create", "{\"Name\":\"cmpn\",\"EnableIPv4\":false}", NULL},
    {"POST", N "/create", "{\"Name\":\"cmpn\",\"Scope\":\"swarm\"}", NULL},
    {"POST", N "/create", "{\"Name\":\"cmpn\",\"Ingress\":true}", NULL},
    {"POST", N "/create", "{\"Name\":\"cmpn\",\"ConfigOnly\":true,\"Internal\":true}", NULL},
    {"POST", N "/create", "{\"Name\":\"cmpn\",\"ConfigFrom\":{\"Network\":\"nope\"}}", NULL},
    {"POST", N "/create",
     "{\"Name\":\"cmpn\",\"Options\":{\"com.docker.network.driver.mtu\":\"abc\"}}",
     "the option is named in other words"},
    {"POST", N "/create",
     "{\"Name\":\"cmpn\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.243.0.0/"
     "24\",\"IPRange\":\"10.243.0.128/"
     "25\",\"Gateway\":\"10.243.0.9\",\"AuxiliaryAddresses\":{\"x\":\"10.243.0.5\"}}]},\"Labels\":{"
     "\"a\":\"b\"},\"Options\":{\"foo\":\"bar\"},\"Attachable\":true}",
     NULL},
    {"POST", N "/create", "{\"Name\":\"cmpn\"}", NULL},
    {"POST", N "/create",
     "{\"Name\":\"cmpo\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.243.0.0/16\"}]}}", NULL},
    {"POST", N "/create", "{\"Name\":\"cmpo\",\"Internal\":true}", NULL},
    {"GET", N "/cmpn", NULL, NULL},
    {"GET", N "/cmpo", NULL, NULL},
    {"GET", N "/cmp", NULL, NULL},
    {"GET", N "/cmpn?scope=swarm", NULL, NULL},
    {"GET", N "/cmpn?verbose=1", NULL, NULL},
    {"GET", N "?filters=%7B%22name%22%3A%5B%22cmpn%22%5D%7D", NULL, NULL},
    {"GET", N "?filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D", NULL, NULL},
    {"GET", N "?filters=%7B%22label%22%3A%5B%22a%3Dc%22%5D%7D", NULL, NULL},
    {"GET", N "?filters=%7B%22type%22%3A%5B%22odd%22%5D%7D", NULL, NULL},
    {"GET", N "?filters=%7B%22dangling%22%3A%5B%22perhaps%22%5D%7D", NULL, NULL},
    {"GET", N "?filters=%7B%22nope%22%3A%5B%22a%22%5D%7D", NULL, NULL},
    {"POST", C "/create?name=cmpx",
     "{\"Image\":\"guest\",\"Cmd\":[\"/"
     "guest\",\"pause\"],\"HostConfig\":{\"NetworkMode\":\"cmpn\"},\"NetworkingConfig\":{"
     "\"EndpointsConfig\":{\"cmpn\":{\"Aliases\":[\"al\"],\"IPAMConfig\":{\"IPv4Address\":\"10.243."
     "0.77\"}}}}}",
     NULL},
    {"POST", C "/create?name=cmpy",
     "{\"Image\":\"guest\",\"Cmd\":[\"/"
     "guest\",\"pause\"],\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{\"IPAMConfig\":{"
     "\"IPv4Address\":\"172.17.0.9\"}}}}}",
     NULL},
    {"POST", C "/create?name=cmpy",
     "{\"Image\":\"guest\",\"Cmd\":[\"/"
     "guest\",\"pause\"],\"HostConfig\":{\"NetworkMode\":\"cmpo\"},\"NetworkingConfig\":{"
     "\"EndpointsConfig\":{\"cmpo\":{\"IPAMConfig\":{\"IPv4Address\":\"172.31.0.9\"}}}}}",
     NULL},
    {"GET", C "/cmpx/json", NULL, "paths and ids"},
    {"POST", C "/cmpx/start", NULL, NULL},
    {"GET", N "/cmpn", NULL, NULL},
    {"POST", N "/nope/connect", "{\"Container\":\"cmpx\"}", NULL},
    {"POST", N "/cmpo/connect", "{\"Container\":\"nope\"}", NULL},
    {"POST", N "/cmpo/connect", "{}", NULL},
    {"POST", N "/host/connect", "{\"Container\":\"cmpx\"}", NULL},
    {"POST", N "/none/connect", "{\"Container\":\"cmpx\"}", NULL},
    {"POST", N "/cmpn/connect", "{\"Container\":\"cmpx\"}", NULL},
    {"POST", N "/cmpo/connect",
     "{\"Container\":\"cmpx\",\"EndpointConfig\":{\"IPAMConfig\":{\"IPv4Address\":\"172.31.0.9\"}}"
     "}",
     NULL},
    {"POST", N "/bridge/connect",
     "{\"Container\":\"cmpx\",\"EndpointConfig\":{\"Aliases\":[\"x\"]}}", NULL},
    {"POST", N "/cmpo/disconnect", "{\"Container\":\"cmpx\"}", "the container's id"},
    {"POST", N "/cmpo/connect", "{\"Container\":\"cmpx\",\"EndpointConfig\":{\"Aliases\":[\"x\"]}}",
     NULL},
    {"GET", C "/cmpx/json", NULL, "paths and ids"},
    {"DELETE", N "/cmpo", NULL, "the ids of endpoints"},
    {"POST", N "/cmpo/disconnect", "{\"Container\":\"cmpx\"}", NULL},
    {"POST", N "/cmpo/disconnect", "{\"Container\":\"nope\"}", NULL},
    {"DELETE", N "/cmpo", NULL, NULL},
    {"POST", C "/cmpx/kill", NULL, NULL},
    {"DELETE", C "/cmpx?force=1", NULL, NULL},
    {"POST", N "/prune?filters=%7B%22nope%22%3A%5B%22a%22%5D%7D", NULL, NULL},
    {"POST", N "/prune?filters=%7B%22until%22%3A%5B%22x%22%5D%7D", NULL, NULL},
    {"POST", N "/prune?filters=%7B%22label%22%3A%5B%22nobody-has-this%22%5D%7D", NULL, NULL},
    {"DELETE", N "/cmpn", NULL, NULL},
    {"DELETE", N "/cmpn", NULL, NULL},
    {"GET", "/v1.51/events?since=20&until=10", NULL, NULL},
    {"GET", "/v1.51/events?since=x", NULL, NULL},
    {"GET", "/v1.51/events?filters=x", NULL, NULL},
    {"GET", "/v1.51/events?since=1&until=2&filters=%7B%22nope%22%3A%5B%22a%22%5D%7D", NULL, NULL},
    {"GET", "/v1.51/swarm", NULL, NULL},
    {"GET", "/v1.51/nodes", NULL, NULL},
    {"GET", "/v1.51/services", NULL, NULL},
    {"GET", "/v1.51/tasks", NULL, NULL},
    {"GET", "/v1.51/secrets", NULL, NULL},
    {"GET", "/v1.51/configs", NULL, NULL},
    {"POST", "/v1.51/swarm/leave", NULL, NULL},
    {"GET", "/v1.51/plugins", NULL, NULL},
    {"GET", "/v1.51/plugins/nope/json", NULL, NULL},
    {"GET", "/v1.51/system/df", NULL, "sizes and the build cache"},
};

static void add_shape(const json *j, struct str *out, const char *name)
{
	static const char *const types[] = {"-",      "null",  "bool",  "number",
					    "string", "array", "object"};
	enum json_type t = json_type(j);

	/* a map of ours to choose: its names are data */
	bool data = streq(name, "Labels") || streq(name, "Options") || streq(name, "Data") ||
		    streq(name, "Containers");

	if (streq(name, "message")) {
		str_printf(out, "\"%s\"", json_str(j, ""));
		return;
	}
	str_puts(out, types[t]);
	if (data || (t != JSON_OBJECT && t != JSON_ARRAY))
		return;
	str_putc(out, t == JSON_ARRAY ? '[' : '{');
	for (json *m = json_first(j); m; m = json_next(m)) {
		if (t == JSON_OBJECT)
			str_printf(out, "%s:", json_name(m));
		add_shape(m, out, t == JSON_OBJECT ? json_name(m) : "");
		str_putc(out, ' ');
		if (t == JSON_ARRAY)
			break; /* elements are alike */
	}
	str_putc(out, t == JSON_ARRAY ? ']' : '}');
}

static void shape(const struct reply *r, struct str *out)
{
	struct error err = ERROR_INIT;
	auto_json *j = json_parse(str_cstr(&r->body), r->body.len, &err);

	if (j)
		add_shape(j, out, "");
	else
		str_puts(out, str_cstr(&r->body));
}

static void header_names(const struct reply *r, struct str *out)
{
	auto_strlist lines = STRLIST_INIT, names = STRLIST_INIT;
	auto_free char *all = NULL;

	strlist_split(&lines, str_cstr(&r->head), '\n');
	for (size_t i = 1; i < lines.n; i++) {
		char *colon = strchr(lines.v[i], ':');

		if (colon) {
			*colon = '\0';
			/* Go announces the length or the chunks of the same body as its buffer happened to be */
			if (strcasecmp(lines.v[i], "Content-Length") &&
			    strcasecmp(lines.v[i], "Transfer-Encoding"))
				strlist_add(&names, lines.v[i]);
		}
	}
	strlist_sort(&names);
	all = strlist_join(&names, " ");
	str_puts(out, all);
}

static void compare(const struct step *s, const char *peer)
{
	auto_reply ours = {0}, theirs = {0};
	auto_str a = STR_INIT, b = STR_INIT, ha = STR_INIT, hb = STR_INIT;
	bool good;

	request(s->method, s->uri, s->body, &ours);
	request_at(peer, s->method, s->uri, s->body, &theirs);
	shape(&ours, &a);
	shape(&theirs, &b);
	header_names(&ours, &ha);
	header_names(&theirs, &hb);
	good = ours.status == theirs.status && (s->differs || streq(str_cstr(&a), str_cstr(&b))) &&
	       streq(str_cstr(&ha), str_cstr(&hb));
	ok(good, "%s %s: %d", s->method, s->uri, theirs.status);
	if (good)
		return;
	note("ours:   %d [%s] %s", ours.status, str_cstr(&ha), str_cstr(&a));
	note("theirs: %d [%s] %s", theirs.status, str_cstr(&hb), str_cstr(&b));
}

static const char *peer;

static int test(void)
{
	pid_t pid = daemon_start(false, NULL);
	auto_reply r = {0};

	ok(pid > 0 && daemon_image() == 0 && image_at(peer) == 0, "both daemons and their image");
	if (box_failed)
		return 1;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		compare(&steps[i], peer);
	request_at(peer, "DELETE", C "/cmp1?force=1&v=1", NULL, &r);
	request_at(peer, "DELETE", "/v1.51/images/guest", NULL, &r);
	ok(daemon_end(pid, 15) == 0, "daemon ends cleanly");
	return box_failed != 0;
}

int main(void)
{
	int lock;

	peer = getenv("DOCKERD_PEER");
	if (!peer)
		peer = "/run/peer-docker.sock";
	if (access(peer, W_OK) < 0) {
		printf("1..0 # SKIP no moby here to compare with: DOCKERD_PEER is not set, and "
		       "there is no %s\n",
		       peer);
		return 77;
	}
	/* one after the other: all use the same names in the one moby */
	lock =
	    open("/tmp/dockerd-test-compare.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock >= 0)
		flock(lock, LOCK_EX);
	return box_run(test);
}
