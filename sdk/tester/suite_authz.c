/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization drivers. What a driver allows is its own business; that it always comes to a verdict, or to a clean error, whatever a client
 * sends, and the same verdict each time, is not.
 */
#include "kit.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1024 * 1024)

static const struct dockerd_key_value headers[] = {
    {"Content-Type", "application/json"}, {"User-Agent", "Docker-Client/28.5"}, {"X-Odd", ""}};

static struct dockerd_authz_request request(const char *method, const char *route, const char *path)
{
	return (struct dockerd_authz_request){.size = sizeof(struct dockerd_authz_request),
					      .header_count = ARRAY_LEN(headers),
					      .user = "",
					      .auth_method = "",
					      .method = method,
					      .uri = path,
					      .route = route,
					      .path = path,
					      .headers = headers,
					      .peer_uid = 0,
					      .peer_gid = 0,
					      .peer_pid = 1};
}

static struct dockerd_authz_request create_with(const char *body, size_t n)
{
	struct dockerd_authz_request r =
	    request("POST", "POST /containers/create", "/containers/create");

	r.body = body;
	r.body_length = n;
	r.body_state = body ? DOCKERD_AUTHZ_BODY_WHOLE : DOCKERD_AUTHZ_BODY_LARGE;
	return r;
}

/* The verdict, or 0 for a clean error. */
static uint32_t ask_phase(struct kit *k, const struct dockerd_authz_request *r, bool response)
{
	const struct dockerd_authz_ops *ops = &k->plugin->ops.authz;
	struct dockerd_authz_verdict v = {.size = sizeof(v)};
	struct dockerd_error err = {.size = sizeof(err)};
	int32_t rc = response ? ops->response(k->instance.self, r, &v, &err)
			      : ops->request(k->instance.self, r, &v, &err);

	if (kit_clean(k, response ? "response" : "request", rc, &err) < 0)
		return 0;
	KIT_CHECK(k, v.verdict == DOCKERD_AUTHZ_ALLOW || v.verdict == DOCKERD_AUTHZ_DENY,
		  "%s: verdict is %u, expected allow (1) or deny (2)", r->route, v.verdict);
	KIT_CHECK(k, v.size == sizeof(v), "it changed the size of the verdict");
	KIT_CHECK(k, memchr(v.message, '\0', sizeof(v.message)), "the message does not end");
	KIT_CHECK(k, v.verdict != DOCKERD_AUTHZ_DENY || v.message[0],
		  "it denies without saying why");
	return v.verdict;
}

static void ask(struct kit *k, const struct dockerd_authz_request *r)
{
	uint32_t first = ask_phase(k, r, false);

	KIT_CHECK(k, ask_phase(k, r, false) == first, "%s: a second verdict differs", r->route);
	if (k->plugin->ops.authz.response) {
		struct dockerd_authz_request reply = *r;

		reply.status = 200;
		reply.response_headers = headers;
		reply.response_header_count = ARRAY_LEN(headers);
		reply.response_body_state = DOCKERD_AUTHZ_BODY_WHOLE;
		reply.response_body = "{}";
		reply.response_length = 2;
		first = ask_phase(k, &reply, true);
		KIT_CHECK(k, ask_phase(k, &reply, true) == first,
			  "%s: a second verdict on the reply differs", r->route);
	}
}

static void check_verdicts(struct kit *k)
{
	static const char body[] = "{\"Image\":\"busybox\",\"HostConfig\":{\"Privileged\":true}}";
	struct dockerd_authz_request all[] = {
	    request("GET", "GET /_ping", "/_ping"),
	    request("GET", "GET /containers/json", "/containers/json"),
	    request("DELETE", "DELETE /containers/{name}", "/containers/x"),
	    request("POST", "", "/nothing/serves/this"),
	    create_with(body, sizeof(body) - 1),
	};

	kit_open(k);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		ask(k, &all[i]);
}

static void check_garbage(struct kit *k)
{
	static const struct {
		const char *text;
		size_t n;
	} bodies[] = {{"", 0},
		      {"{", 1},
		      {"[]", 2},
		      {"null", 4},
		      {"\"x\"", 3},
		      {"{\"a\"", 4},
		      {"\0\0\0", 3},
		      {"{\"HostConfig\":7}", 16},
		      {"{}{}", 4},
		      {"{\"a\":\"\xff\xfe\"}", 10},
		      {"{\"a\":1e999}", 11}};
	struct dockerd_authz_request odd =
	    request("\"\\\n", "POST /containers/create", "/%00/../x");

	kit_open(k);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		/* a block of its own size: reading beyond it shows under a sanitizer */
		auto_free char *copy = xmalloc(bodies[i].n + 1);
		struct dockerd_authz_request r;

		memcpy(copy, bodies[i].text, bodies[i].n);
		copy[bodies[i].n] = '\0';
		r = create_with(copy, bodies[i].n);
		ask(k, &r);
	}
	odd.headers = NULL;
	odd.header_count = 0;
	odd.peer_uid = odd.peer_gid = odd.peer_pid = -1;
	ask(k, &odd);
}

static void check_large(struct kit *k)
{
	auto_free char *body = xmalloc(MIB + 1);
	struct dockerd_authz_request r = create_with(body, MIB);

	kit_open(k);
	memset(body, ' ', MIB);
	body[MIB] = '\0';
	memcpy(body, "{\"Image\":\"", 10);
	memset(body + 10, 'x', MIB - 12);
	memcpy(body + MIB - 2, "\"}", 2);
	ask(k, &r);
	memset(body, '[', MIB); /* a tree a million deep */
	ask(k, &r);
	r = create_with(NULL, 0);
	ask(k, &r); /* larger than is shown */
	r.body_state = DOCKERD_AUTHZ_BODY_NONE;
	ask(k, &r);
	r.body_state = DOCKERD_AUTHZ_BODY_OTHER;
	ask(k, &r);
}

/* An older daemon's request: the fields behind its size are not there. */
static void check_short_request(struct kit *k)
{
	struct dockerd_authz_request r = request("GET", "GET /info", "/info");

	kit_open(k);
	r.size = offsetof(struct dockerd_authz_request, status);
	ask_phase(k, &r, false);
}

static void check_reload(struct kit *k)
{
	struct dockerd_authz_request r = request("GET", "GET /info", "/info");
	uint32_t before;

	kit_open(k);
	if (!k->plugin->ops.authz.reload)
		kit_skip(k, "it has nothing to reload");
	before = ask_phase(k, &r, false);
	for (int i = 0; i < 100; i++) {
		struct dockerd_error err = {.size = sizeof(err)};

		kit_clean(k, "reload", k->plugin->ops.authz.reload(k->instance.self, &err), &err);
	}
	KIT_CHECK(k, ask_phase(k, &r, false) == before,
		  "reload of the same rules changed a verdict");
}

static void *ask_often(void *arg)
{
	static const char body[] = "{\"HostConfig\":{\"Privileged\":true}}";
	struct dockerd_authz_request r = create_with(body, sizeof(body) - 1);
	uint32_t first = ask_phase(arg, &r, false);

	for (int i = 0; i < 500; i++)
		KIT_CHECK((struct kit *)arg, ask_phase(arg, &r, false) == first,
			  "verdicts differ among threads");
	return NULL;
}

static void check_parallel(struct kit *k)
{
	pthread_t t[8];
	size_t n = ARRAY_LEN(t);

	kit_open(k);
	if (k->plugin->concurrency == DOCKERD_SERIAL)
		n = 1;
	for (size_t i = 0; i < n; i++)
		KIT_CHECK(k, pthread_create(&t[i], NULL, ask_often, k) == 0, "no thread");
	for (size_t i = 0; n > 1 && k->plugin->ops.authz.reload && i < 50; i++) {
		struct dockerd_error err = {.size = sizeof(err)};

		k->plugin->ops.authz.reload(k->instance.self, &err);
	}
	for (size_t i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

static void faults(struct kit *k)
{
	struct dockerd_error err = {.size = sizeof(err)};
	struct dockerd_authz_request r = create_with("{}", 2);

	if (kit_try_open(k, &err) < 0)
		return;
	ask_phase(k, &r, false);
	if (k->plugin->ops.authz.response)
		ask_phase(k, &r, true);
	if (k->plugin->ops.authz.reload)
		kit_clean(k, "reload", k->plugin->ops.authz.reload(k->instance.self, &err), &err);
}

static const struct kit_check checks[] = {
    {"always a verdict, the same each time", check_verdicts, 0},
    {"garbage as body, headers and path", check_garbage, 0},
    {"bodies of 1 MiB, deep ones, hidden ones", check_large, 0},
    {"request of an older daemon", check_short_request, 0},
    {"reload", check_reload, 0},
    {"eight threads at once, reloads between", check_parallel, 0},
};

const struct kit_suite suite_authz = {.name = "authz",
				      .checks = checks,
				      .n = ARRAY_LEN(checks),
				      .faults = faults,
				      .own_network = true};
