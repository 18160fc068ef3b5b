/* SPDX-License-Identifier: Apache-2.0 */
/* GET /containers/json: every filter of the Engine API, alone and together, and what is said of one that makes no sense. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "lib/box.h"

static char ids[4][65]; /* of one, two, three, four */

/* URL-encoded; in one of a few static buffers. */
static const char *encoded(const char *text)
{
	static char buf[1024];
	size_t n = 0;

	for (; *text && n + 4 < sizeof(buf); text++)
		n += (size_t)snprintf(buf + n, sizeof(buf) - n, "%%%02X", (unsigned char)*text);
	return buf;
}

/* Names of what is listed, oldest last, as moby orders: "four two ". */
static void list(const char *query, const char *filters, struct str *out)
{
	auto_reply r = {0};
	struct error err = ERROR_INIT;
	auto_json *j = NULL;

	request("GET", fmt("/v1.51/containers/json?%s&filters=%s", query, encoded(filters)), NULL,
		&r);
	if (r.status != 200) {
		str_printf(out, "%d %s", r.status, str_cstr(&r.body));
		return;
	}
	j = json_parse(r.body.p, r.body.len, &err);
	for (json *c = json_first(j); c; c = json_next(c))
		str_printf(out, "%s%s", out->len ? " " : "",
			   json_str(json_first(json_get(c, "Names")), "/?") + 1);
}

static void lists(const char *filters, const char *names)
{
	auto_str got = STR_INIT;

	list("all=1", filters, &got);
	ok(!strcmp(str_cstr(&got), names), "%s: %s", filters, *names ? names : "none");
	if (strcmp(str_cstr(&got), names))
		note("got %s", str_cstr(&got));
}

static void refused(const char *filters, int status, const char *words)
{
	auto_reply r = {0};
	bool good;

	request("GET", fmt("/v1.51/containers/json?filters=%s", encoded(filters)), NULL, &r);
	good = r.status == status && strstr(str_cstr(&r.body), words);
	ok(good, "%s: %d", filters, status);
	if (!good)
		note("got %d %s", r.status, str_cstr(&r.body));
}

static void make(int i, const char *name, const char *args, const char *more)
{
	snprintf(ids[i], sizeof(ids[i]), "%s", make_container(name, args, more));
	ok(*ids[i], "a container %s", name);
}

static void post(const char *name, const char *what)
{
	int s = status_of("POST", fmt("/v1.51/containers/%s/%s", name, what), NULL);

	ok(s == 204 || s == 200, "%s %s: %d", what, name, s);
}

static void by_what_they_are(void)
{
	static const struct {
		const char *filters, *names;
	} cases[] = {
	    {"{}", "four three two one"},
	    {"{\"status\":[\"running\"]}", "two"},
	    {"{\"status\":[\"paused\"]}", "three"},
	    {"{\"status\":[\"created\",\"exited\"]}", "four one"},
	    {"{\"status\":[\"dead\"]}", ""},
	    {"{\"status\":[\"removing\",\"restarting\"]}", ""},
	    {"{\"status\":{\"running\":true}}", "two"}, /* the older form */
	    {"{\"exited\":[\"3\"]}", "one"},
	    {"{\"exited\":[\"4\",\"3\"]}", "one"},
	    {"{\"exited\":[\"0\"]}", ""},
	    {"{\"health\":[\"none\"]}", "four three two one"},
	    {"{\"health\":[\"healthy\",\"starting\",\"unhealthy\"]}", ""},
	    {"{\"is-task\":[\"false\"]}", "four three two one"},
	    {"{\"is-task\":[\"true\"]}", ""},
	    {"{\"isolation\":[\"default\"]}", "four three two one"},
	    {"{\"label\":[\"l\"]}", "two one"},
	    {"{\"label\":[\"l=1\"]}", "one"},
	    {"{\"label\":[\"l\",\"m=x=y\"]}", "two"}, /* all of them */
	    {"{\"label\":[\"L\"]}", ""},
	    {"{\"name\":[\"o\"]}", "four two one"},
	    {"{\"name\":[\"^/o\"]}", "one"},
	    {"{\"name\":[\"^one$\",\"two\"]}", "two one"},
	    {"{\"name\":[\"nobody\"]}", ""},
	    {"{\"volume\":[\"vol\"]}", "two"},
	    {"{\"volume\":[\"/at\"]}", "two"},
	    {"{\"volume\":[\"/other\"]}", ""},
	    {"{\"network\":[\"none\"]}", "three two"},
	    {"{\"network\":[\"host\"]}", "four one"},
	    {"{\"network\":[\"nobody\"]}", ""},
	    {"{\"ancestor\":[\"guest\"]}", "four three two one"},
	    {"{\"ancestor\":[\"guest:latest\"]}", "four three two one"},
	    {"{\"ancestor\":[\"guest:other\"]}", ""},
	    {"{\"before\":[\"three\"]}", "two one"},
	    {"{\"since\":[\"two\"]}", "four three"},
	    {"{\"since\":[\"one\"],\"before\":[\"four\"]}", "three two"},
	    {"{\"label\":[\"l\"],\"status\":[\"running\"]}", "two"}, /* both */
	    {"{\"label\":[\"l\"],\"status\":[\"paused\"]}", ""},
	    {"{\"expose\":[\"80\"]}", ""}, /* ports of a network, which the others' have not */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		lists(cases[i].filters, cases[i].names);
}

static void by_id(void)
{
	auto_reply r = {0};
	struct error err = ERROR_INIT;
	auto_json *j = NULL;
	auto_str got = STR_INIT;
	char image[80];

	lists(fmt("{\"id\":[\"%s\"]}", ids[1]), "two");
	lists(fmt("{\"id\":[\"%.12s\",\"%.20s\"]}", ids[1], ids[3]), "four two");
	lists("{\"id\":[\"two\"]}", ""); /* a name is no id */
	lists(fmt("{\"before\":[\"%s\"]}", ids[1]), "one");
	request("GET", "/v1.51/images/guest/json", NULL, &r);
	j = json_parse(r.body.p, r.body.len, &err);
	snprintf(image, sizeof(image), "%s", json_get_str(j, "Id", ""));
	lists(fmt("{\"ancestor\":[\"%s\"]}", image), "four three two one");
	lists(fmt("{\"ancestor\":[\"%.12s\"]}", image + 7), "four three two one");
	list("limit=2", "{}", &got);
	ok(!strcmp(str_cstr(&got), "four three"), "the last two: %s", str_cstr(&got));
	str_reset(&got);
	list("limit=1", "{\"label\":[\"l\"]}", &got);
	ok(!strcmp(str_cstr(&got), "two"), "the last with a label: %s", str_cstr(&got));
	str_reset(&got);
	list("", "{}", &got);
	ok(!strcmp(str_cstr(&got), "three two"), "what runs: %s", str_cstr(&got));
	str_reset(&got);
	list("", "{\"status\":[\"exited\"]}", &got);
	ok(!strcmp(str_cstr(&got), "one"), "a status implies all: %s", str_cstr(&got));
}

static void senseless(void)
{
	refused("{\"nosuch\":[\"x\"]}", 400, "invalid filter 'nosuch'");
	refused("{\"status\":[\"nope\"]}", 400, "invalid filter 'status=nope'");
	refused("{\"health\":[\"ill\"]}", 400, "invalid filter 'health=ill'");
	refused("{\"exited\":[\"x\"]}", 400, "strconv.Atoi: parsing \\\"x\\\": invalid syntax");
	refused("{\"is-task\":[\"maybe\"]}", 400, "invalid filter 'is-task=[maybe]'");
	refused("{\"before\":[\"nobody\"]}", 404, "No such container: nobody");
	refused("{\"since\":[\"nobody\"]}", 404, "No such container: nobody");
	refused("{\"publish\":[\"80:80\"]}", 500, "should not contain ':'");
	refused("{\"publish\":[\"x\"]}", 500, "strconv.ParseUint");
	refused("{\"expose\":[\"90-80\"]}", 500, "Invalid range specified for the Port: 90-80");
	refused("{\"expose\":[\"70000\"]}", 500, "value out of range");
	refused("no JSON", 400, "invalid");
}

static int test(void)
{
	pid_t d = daemon_start(false, NULL);

	if (d < 0 || daemon_image() < 0) {
		ok(false, "a daemon with an image");
		daemon_log_show();
		return 1;
	}
	make(0, "one", "\"exit\",\"3\"",
	     ",\"Labels\":{\"l\":\"1\"},\"HostConfig\":{\"NetworkMode\":\"host\"}");
	make(1, "two", "\"pause\"",
	     ",\"Labels\":{\"l\":\"2\",\"m\":\"x=y\"},\"HostConfig\":{\"NetworkMode\":\"none\","
	     "\"Binds\":[\"vol:/at\"]}");
	make(2, "three", "\"pause\"", ",\"HostConfig\":{\"NetworkMode\":\"none\"}");
	make(3, "four", "\"pause\"", ",\"HostConfig\":{\"NetworkMode\":\"host\"}");
	post("one", "start");
	post("one", "wait");
	post("two", "start");
	post("three", "start");
	post("three", "pause");
	by_what_they_are();
	by_id();
	senseless();
	ok(daemon_end(d, 15) == 0, "daemon ends cleanly");
	if (box_failed)
		daemon_log_show();
	return box_failed != 0;
}

int main(void)
{
	return box_run(test);
}
