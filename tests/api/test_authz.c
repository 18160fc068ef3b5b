/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authorization driver `rules` under the whole daemon: real requests, and the tricks by which a client may try to show a rule something
 * else than the handler.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "lib/box.h"

#define DENIED "authorization denied by plugin rules: no privileged containers here"
#define CREATE "/containers/create"

static const char rules[] =
    "{\"default\": \"allow\", \"rules\": [\n"
    " {\"verdict\": \"allow\", \"route\": \"POST /containers/create\",\n"
    "  \"body-state\": \"large\", \"header\": {\"x-pass\": \"large\"}},\n"
    " {\"verdict\": \"deny\", \"route\": \"POST /containers/create\",\n"
    "  \"body\": {\"HostConfig.Privileged\": true},\n"
    "  \"message\": \"no privileged containers here\"},\n"
    " {\"verdict\": \"deny\", \"route\": \"/containers/{name}/json\", \"uid\": 4242},\n"
    " {\"verdict\": \"deny\", \"route\": \"GET /info\", \"phase\": \"response\","
    " \"status\": 200, \"name\": \"secret-info\"},\n"
    " {\"verdict\": \"deny\", \"route\": \"POST /exec/{id}/start\", \"phase\": \"response\","
    " \"status\": [101, 200], \"header\": {\"x-look\": \"only\"}, \"body\": {\"Tty\": false},"
    " \"message\": \"nobody gets in\"},\n"
    " {\"verdict\": \"deny\", \"route\": \"POST /containers/{name}/attach\", \"phase\": "
    "\"response\","
    " \"status\": [101, 200], \"message\": \"nobody gets in\"}\n"
    "]}\n";

static pid_t daemon_pid;

static void write_rules(const char *text, mode_t mode)
{
	const char *path = fmt("%s/rules.json", box_dir);
	FILE *f = fopen(path, "we");

	if (!f)
		exit(2);
	fputs(text, f);
	fclose(f);
	chmod(path, mode);
}

static void expect(const char *what, const char *method, const char *uri, const char *body,
		   int status, const char *part)
{
	auto_reply r = {0};
	bool good = request(method, uri, body, &r) == 0 && r.status == status &&
		    strstr(str_cstr(&r.body), part);

	ok(good, "%s: %d", what, status);
	if (!good)
		note("got %d %s", r.status, str_cstr(&r.body));
}

/* A create request that the handler would take as privileged: denied, however it is written. */
static void denied(const char *what, const char *uri, const char *body)
{
	expect(what, "POST", uri, body, 403, DENIED);
}

/* Not denied: the handler looks for the image. */
static void passed(const char *what, const char *uri, const char *body)
{
	expect(what, "POST", uri, body, 404, "No such image: nothing");
}

/* Two readers may take it for two requests. */
static void ambiguous(const char *what, const char *uri, const char *body)
{
	expect(what, "POST", uri, body, 400, "stands there more than once");
}

static void tricks(void)
{
	static const char privileged[] =
	    "{\"Image\":\"nothing\",\"HostConfig\":{\"Privileged\":true}}";

	denied("privileged", CREATE, privileged);
	denied("with a version", "/v1.44" CREATE, privileged);
	denied("with the oldest version", "/v1.24" CREATE, privileged);
	denied("escaped path", "/v1.51/%63ontainers/%63reate", privileged);
	denied("escaped slash", "/v1.51/containers%2fcreate", privileged);
	denied("with a query", CREATE "?name=x&platform=", privileged);
	denied("names in another case", CREATE,
	       "{\"Image\":\"nothing\",\"hostconfig\":{\"PRIVILEGED\":true}}");
	denied("escaped name", CREATE,
	       "{\"Image\":\"nothing\",\"HostConfig\":{\"Privile\\u0067ed\":true}}");
	ambiguous(
	    "given twice", CREATE,
	    "{\"Image\":\"nothing\",\"HostConfig\":{\"Privileged\":false,\"Privileged\":true}}");
	ambiguous("object given twice", CREATE,
		  "{\"Image\":\"nothing\",\"HostConfig\":{},\"HostConfig\":{\"Privileged\":true}}");
	ambiguous(
	    "given twice, the last is false", CREATE,
	    "{\"Image\":\"nothing\",\"HostConfig\":{\"Privileged\":true,\"Privileged\":false}}");
	passed("not privileged", CREATE,
	       "{\"Image\":\"nothing\",\"HostConfig\":{\"Privileged\":false}}");
	passed("nothing said", CREATE, "{\"Image\":\"nothing\"}");
	passed("the word elsewhere", CREATE,
	       "{\"Image\":\"nothing\",\"Privileged\":true,\"Labels\":{\"HostConfig.Privileged\":"
	       "\"true\"}}");
	denied("garbage can't be judged", CREATE, "{\"Image\":\"nothing\",");
	expect("doubled slashes lead elsewhere", "POST", "/v1.51//containers//create", privileged,
	       301, "");
	expect("dots are no route", "POST", "/v1.51/x/../containers/create", privileged, 404, "");
	expect("another case is no route", "POST", "/v1.51/Containers/Create", privileged, 404,
	       "page not found");
}

static void sent(const char *what, const char *head, const char *body, int status, const char *part)
{
	auto_close fd = dial();
	auto_reply r = {0};
	bool good;

	send_text(fd, head);
	send_text(fd, body);
	good =
	    read_reply(fd, false, &r) == 0 && r.status == status && strstr(str_cstr(&r.body), part);
	ok(good, "%s: %d", what, status);
	if (!good)
		note("got %d %s", r.status, str_cstr(&r.body));
}

static void framing(void)
{
	static const char body[] = "{\"Image\":\"nothing\",\"HostConfig\":{\"Privileged\":true}}";
	const char *chunk =
	    fmt("5\r\n%.5s\r\n%zx\r\n%s\r\n0\r\n\r\n", body, strlen(body) - 5, body + 5);

	sent("in chunks",
	     "POST " CREATE " HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
	     "Transfer-Encoding: chunked\r\n\r\n",
	     chunk, 403, DENIED);
	sent("content type with a parameter, in another case",
	     fmt("POST " CREATE
		 " HTTP/1.1\r\nHost: d\r\nContent-Type: Application/JSON; charset=utf-8\r\n"
		 "Content-Length: %zu\r\n\r\n",
		 strlen(body)),
	     body, 403, DENIED);
	sent("another content type can't be judged",
	     fmt("POST " CREATE
		 " HTTP/1.1\r\nHost: d\r\nContent-Type: text/plain\r\nContent-Length: "
		 "%zu\r\n\r\n",
		 strlen(body)),
	     body, 403, DENIED);
	sent(
	    "no content type can't be judged",
	    fmt("POST " CREATE " HTTP/1.1\r\nHost: d\r\nContent-Length: %zu\r\n\r\n", strlen(body)),
	    body, 403, DENIED);
}

static void large(void)
{
	size_t n = (1 << 20) + 1;
	auto_free char *body = xmalloc(n + 1);

	memset(body, ' ', n);
	memcpy(body, "{\"Image\":\"nothing\"", 18);
	body[n - 1] = '}';
	body[n] = '\0';
	sent("more than 1 MiB is denied",
	     fmt("POST " CREATE " HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n",
		 n),
	     body, 403, DENIED);
	sent("more than 1 MiB is passed by a rule, and reaches the handler whole",
	     fmt("POST " CREATE " HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nX-Pass: "
		 "large\r\nContent-Length: %zu\r\n\r\n",
		 n),
	     body, 404, "No such image: nothing");
	body[n - 2] = '}';
	sent("1 MiB is looked into",
	     fmt("POST " CREATE " HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n",
		 n - 1),
	     body, 404, "No such image: nothing");
}

/* The status that a client of another user gets. */
static int status_as(uid_t uid, const char *uri)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(uid) < 0 || setuid(uid) < 0)
			_exit(1);
		_exit(status_of("GET", uri, NULL) / 100);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void peers_and_replies(void)
{
	auto_reply r = {0};

	chmod(fmt("%s/sock", box_dir), 0666);
	chmod(box_dir, 0755);
	request("GET", "/containers/x/json", NULL, &r);
	ok(r.status == 404, "root may ask for a container: %d", r.status);
	ok(status_as(4242, "/_ping") == 2, "uid 4242 may ping");
	{
		auto_reply denied_reply = {0};
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			if (setgid(4242) < 0 || setuid(4242) < 0)
				_exit(1);
			request("GET", "/containers/x/json", NULL, &denied_reply);
			_exit(denied_reply.status == 403 ? 0 : 2);
		}
		waitpid(pid, &status, 0);
		ok(status == 0, "uid 4242 may not ask for a container");
	}
	expect("a reply is withheld", "GET", "/info", NULL, 403,
	       "authorization denied by plugin rules: by rule 'secret-info'");
	expect("other replies are not", "GET", "/version", NULL, 200, "ApiVersion");
}

/* The reply to a request for a connection of its own is asked about before the connection is given away. */
static void taken_over(void)
{
	static const char upgrade[] = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
	static const char start[] = "{\"Detach\":false,\"Tty\":false}";
	auto_json *made = NULL;
	auto_reply r = {0};
	struct error err = ERROR_INIT;
	const char *id, *exec;

	if (daemon_image() < 0) {
		ok(false, "image");
		return;
	}
	id = make_container("held", "\"pause\"", "");
	ok(*id && status_of("POST", fmt("/containers/%s/start", id), NULL) == 204, "a container");
	sent("attach, upgraded",
	     fmt("POST /containers/%s/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n%s\r\n", id,
		 upgrade),
	     "", 403, "nobody gets in");
	sent("attach, not upgraded",
	     fmt("POST /containers/%s/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n", id),
	     "", 403, "nobody gets in");
	request("POST", fmt("/containers/%s/exec", id),
		"{\"Cmd\":[\"pause\"],\"AttachStdout\":true}", &r);
	made = json_parse(str_cstr(&r.body), r.body.len, &err);
	exec = json_get_str(made, "Id", "");
	sent("exec: the request's headers and body count for its reply",
	     fmt("POST /exec/%s/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
		 "X-Look: only\r\n%sContent-Length: %zu\r\n\r\n",
		 exec, upgrade, strlen(start)),
	     start, 403, "nobody gets in");
	status_of("DELETE", fmt("/containers/%s?force=1", id), NULL);
}

/* SIGHUP, and wait until the daemon says that it was done. */
static void reload(void)
{
	auto_close fd = dial();
	auto_str seen = STR_INIT;

	send_text(fd, "GET /events HTTP/1.1\r\nHost: d\r\n\r\n");
	read_until(fd, &seen, "\r\n\r\n");
	kill(daemon_pid, SIGHUP);
	ok(read_until(fd, &seen, "\"reload\""), "SIGHUP reloads");
}

static void reloading(void)
{
	const char *path = fmt("%s/log", box_dir);
	FILE *f;
	char line[2000];
	bool named = false;

	write_rules("{\"rules\": [\n\n {\"verdict\": \"deny\", \"rout\": \"x\"}]}", 0600);
	reload();
	denied("rules with a mistake: the old ones stay", CREATE,
	       "{\"Image\":\"nothing\",\"HostConfig\":{\"Privileged\":true}}");
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		named |= strstr(line, "rules.json:3: rules[0].rout: unknown key") != NULL;
	if (f)
		fclose(f);
	ok(named, "the mistake is named with its line");
	write_rules(rules, 0606);
	reload();
	denied("rules that others may write: the old ones stay", CREATE,
	       "{\"Image\":\"nothing\",\"HostConfig\":{\"Privileged\":true}}");
	write_rules("{\"default\": \"deny\", \"rules\": [{\"verdict\": \"allow\", \"route\": \"GET "
		    "/_ping\"},{\"verdict\": \"allow\", \"route\": \"GET /events\"}]}",
		    0600);
	reload();
	expect("the new rules are in force", "GET", "/version", NULL, 403,
	       "authorization denied by plugin rules: no rule allows GET /version");
	expect("and allow", "GET", "/_ping", NULL, 200, "OK");
	expect("what no route serves is denied too", "GET", "/nothing", NULL, 403, "denied");
}

static int test(void)
{
	write_rules(rules, 0600);
	box_config = fmt(
	    ",\"authorization-plugins\":[\"rules\"],\"authz-opts\":[\"rules.file=%s/rules.json\"]",
	    box_dir);
	box_config = strdup(box_config);
	daemon_pid = daemon_start(false, NULL);
	if (daemon_pid < 0) {
		daemon_log_show();
		ok(false, "the daemon starts");
		return 1;
	}
	tricks();
	framing();
	large();
	peers_and_replies();
	taken_over();
	reloading();
	if (box_failed)
		daemon_log_show();
	daemon_end(daemon_pid, SIGTERM);
	/* an option for nobody, rules that are not there: no start */
	box_config = ",\"authz-opts\":[\"rules.file=/nothing\"]";
	ok(daemon_start(false, NULL) < 0, "an option of a driver that is not selected: no start");
	box_config =
	    ",\"authorization-plugins\":[\"rules\"],\"authz-opts\":[\"rules.file=/nothing\"]";
	ok(daemon_start(false, NULL) < 0, "no rule file: no start");
	return box_failed ? 1 : 0;
}

int main(void)
{
	return box_run(test);
}
