/* SPDX-License-Identifier: Apache-2.0 */
/* /containers and /exec. */
#include "api/api.h"
#include "base/mem.h"
#include "container/container.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME http_param(x, "name")

static void create(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	auto_json *body = http_body_json(x, true, &err);

	(void)ctx;
	api_answer(x,
		   body
		       ? container_create(http_query(x, "name", ""),
					  x->api_version >= 41 ? http_query(x, "platform", "") : "",
					  body, x->api_version, &reply, &err)
		       : -1,
		   201, &reply, &err);
}

static void list(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	auto_json *filters = NULL;
	struct container_list how = {.all = http_query_bool(x, "all", false),
				     .size = http_query_bool(x, "size", false)};
	long limit = 0;
	int r = api_filters(x, &filters, &err);

	(void)ctx;
	if (r == 0)
		r = api_query_int(x, "limit", 0, &limit, &err);
	how.limit = (int)limit;
	how.filters = filters;
	api_answer(x, r < 0 ? r : container_list(&how, &reply, &err), 200, &reply, &err);
}

static void inspect(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;

	(void)ctx;
	api_answer(x, container_inspect(NAME, http_query_bool(x, "size", false), &reply, &err), 200,
		   &reply, &err);
}

static void start(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	/* the HostConfig that clients before 1.24 sent here is refused, as moby does */
	if (x->content_length > 7 || x->chunked) {
		error_set(&err, ERR_INVALID,
			  "starting container with non-empty request body was deprecated since API "
			  "v1.22 and removed in v1.24");
		http_reply_error(x, &err);
		return;
	}
	api_answer_empty(x, container_start(NAME, http_query(x, "detachKeys", ""), &err), 204,
			 &err);
}

/* t: seconds, -1 for ever; absent: the container's own. */
static int stop_values(struct http_exchange *x, int *timeout, const char **signal,
		       struct error *err)
{
	long t;

	if (api_query_int(x, "t", INT32_MIN, &t, err) < 0)
		return -1;
	*timeout = (int)t;
	*signal = x->api_version >= 42 ? http_query(x, "signal", "") : "";
	return 0;
}

static void stop(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	const char *signal;
	int timeout;

	(void)ctx;
	api_answer_empty(x,
			 stop_values(x, &timeout, &signal, &err) < 0
			     ? -1
			     : container_stop(NAME, timeout, signal, &err),
			 204, &err);
}

static void restart(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	const char *signal;
	int timeout;

	(void)ctx;
	api_answer_empty(x,
			 stop_values(x, &timeout, &signal, &err) < 0
			     ? -1
			     : container_restart(NAME, timeout, signal, &err),
			 204, &err);
}

static void kill_it(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	api_answer_empty(x, container_kill(NAME, http_query(x, "signal", ""), &err), 204, &err);
}

static void pause_it(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	api_answer_empty(x, container_pause(NAME, &err), 204, &err);
}

static void unpause(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	api_answer_empty(x, container_unpause(NAME, &err), 204, &err);
}

static void rename_it(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	api_answer_empty(x, container_rename(NAME, http_query(x, "name", ""), &err), 204, &err);
}

static int size_values(struct http_exchange *x, uint32_t *h, uint32_t *w, struct error *err)
{
	const char *names[2] = {"h", "w"};
	uint32_t *to[2] = {h, w};

	for (int i = 0; i < 2; i++) {
		const char *text = http_query(x, names[i], "");
		char *end;
		unsigned long v = strtoul(text, &end, 10);

		if (!*text || *end || *text == '-' || v > UINT32_MAX)
			return error_set(err, ERR_INVALID,
					 "invalid resize %s \"%s\": invalid syntax",
					 i ? "width" : "height", text);
		*to[i] = (uint32_t)v;
	}
	return 0;
}

static void update(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	auto_json *body = http_body_json(x, false, &err);

	(void)ctx;
	api_answer(x, err.kind ? -1 : container_update(NAME, body, &reply, &err), 200, &reply,
		   &err);
}

static void resize(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	uint32_t h, w;

	(void)ctx;
	api_answer_empty(x,
			 size_values(x, &h, &w, &err) < 0 ? -1 : container_resize(NAME, h, w, &err),
			 200, &err);
}

static void top(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;

	(void)ctx;
	api_answer(x, container_top(NAME, http_query(x, "ps_args", ""), &reply, &err), 200, &reply,
		   &err);
}

static void delete (struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	api_answer_empty(x,
			 container_delete(NAME, http_query_bool(x, "force", false),
					  http_query_bool(x, "v", false),
					  http_query_bool(x, "link", false), &err),
			 204, &err);
}

static void prune(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	auto_json *filters = NULL;

	(void)ctx;
	api_answer(x,
		   api_filters(x, &filters, &err) < 0 ? -1 : container_prune(filters, &reply, &err),
		   200, &reply, &err);
}

static void wait_for(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	container_wait(x, NAME, x->api_version >= 30 ? http_query(x, "condition", "") : "");
}

static void attach(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	container_attach(x, NAME);
}

static void attach_ws(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	container_attach_ws(x, NAME);
}

static void stats(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	container_stats(x, NAME, http_query_bool(x, "stream", true),
			x->api_version >= 41 && http_query_bool(x, "one-shot", false));
}

static void logs(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	container_logs(x, NAME);
}

/* ---- Exec --------------------------------------------------------------------------------------------------------------------- */

static void exec_new(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	auto_json *body = http_body_json(x, true, &err);

	(void)ctx;
	api_answer(x, body ? exec_create(NAME, body, &reply, &err) : -1, 201, &reply, &err);
}

static void exec_run(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	exec_start(x, http_param(x, "id"));
}

static void exec_show(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;

	(void)ctx;
	api_answer(x, exec_inspect(http_param(x, "id"), &reply, &err), 200, &reply, &err);
}

static void exec_size(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	uint32_t h, w;

	(void)ctx;
	api_answer_empty(
	    x, size_values(x, &h, &w, &err) < 0 ? -1 : exec_resize(http_param(x, "id"), h, w, &err),
	    200, &err);
}

const struct http_route api_container_routes[] = {
    {"GET", "/containers/json", list, 0},
    {"POST", "/containers/create", create, 0},
    {"POST", "/containers/prune", prune, 0},
    {"GET", "/containers/{name}/json", inspect, HTTP_SLASHES},
    {"POST", "/containers/{name}/start", start, HTTP_SLASHES},
    {"POST", "/containers/{name}/wait", wait_for, HTTP_SLASHES},
    {"POST", "/containers/{name}/attach", attach, HTTP_SLASHES},
    {"GET", "/containers/{name}/attach/ws", attach_ws, HTTP_SLASHES},
    {"GET", "/containers/{name}/logs", logs, HTTP_SLASHES},
    {"POST", "/containers/{name}/stop", stop, HTTP_SLASHES},
    {"POST", "/containers/{name}/restart", restart, HTTP_SLASHES},
    {"POST", "/containers/{name}/kill", kill_it, HTTP_SLASHES},
    {"POST", "/containers/{name}/pause", pause_it, HTTP_SLASHES},
    {"POST", "/containers/{name}/unpause", unpause, HTTP_SLASHES},
    {"POST", "/containers/{name}/rename", rename_it, HTTP_SLASHES},
    {"POST", "/containers/{name}/resize", resize, HTTP_SLASHES},
    {"POST", "/containers/{name}/update", update, HTTP_SLASHES},
    {"GET", "/containers/{name}/top", top, HTTP_SLASHES},
    {"GET", "/containers/{name}/stats", stats, HTTP_SLASHES},
    /* before the container's own route, which takes slashes */
    {"DELETE", "/containers/{name}/checkpoints/{checkpoint}", api_experimental, 0},
    {"DELETE", "/containers/{name}", delete, HTTP_SLASHES},
    {"POST", "/containers/{name}/exec", exec_new, HTTP_SLASHES},
    {"POST", "/exec/{id}/start", exec_run, 0},
    {"GET", "/exec/{id}/json", exec_show, 0},
    {"POST", "/exec/{id}/resize", exec_size, 0},
};
const size_t api_container_routes_count = ARRAY_LEN(api_container_routes);
