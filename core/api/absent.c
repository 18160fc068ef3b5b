/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is not there: swarm and plugins answer as a moby that is in no swarm and has none; calls of later milestones say so with 501, so that
 * no client waits for something that only looks supported.
 */
#include "api/api.h"
#include "base/mem.h"

static void reply_text(struct http_exchange *x, int status, const char *text)
{
	auto_str body = STR_INIT;

	str_puts(&body, text);
	http_reply_json(x, status, &body);
}

static void no_swarm(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	error_set(&err, ERR_UNAVAILABLE,
		  "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
		  "join\" to connect this node to swarm and try again.");
	http_reply_error(x, &err);
}

static void swarm_init(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	error_set(&err, ERR_NOT_IMPLEMENTED, "swarm mode is not supported by this daemon");
	http_reply_error(x, &err);
}

static void swarm_leave(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	error_set(&err, ERR_UNAVAILABLE, "This node is not part of a swarm");
	http_reply_error(x, &err);
}

static void no_plugins(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	reply_text(x, 200, "[]");
}

static void no_plugin(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	error_set(&err, ERR_NOT_FOUND, "plugin \"%s\" not found", http_param(x, "name"));
	http_reply_error(x, &err);
}

static void enable_plugin(struct http_exchange *x, void *ctx)
{
	const char *timeout = http_query(x, "timeout", "");
	struct error err = ERROR_INIT;
	long seconds;

	if (!*timeout) /* moby reads it first */
		error_set(&err, ERR_SYSTEM, "strconv.Atoi: parsing \"\": invalid syntax");
	if (!*timeout || api_query_int(x, "timeout", 0, &seconds, &err) < 0)
		http_reply_error(x, &err);
	else
		no_plugin(x, ctx);
}

/* What moby has under --experimental only, which this daemon refuses. */
void api_experimental(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	error_set(&err, ERR_NOT_IMPLEMENTED,
		  "This experimental feature is disabled by default. Start the Docker daemon in "
		  "experimental mode in order to enable it.");
	http_reply_error(x, &err);
}

static void not_yet(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	error_set(&err, ERR_NOT_IMPLEMENTED, "%s %s is not supported yet by this daemon", x->method,
		  x->route);
	http_reply_error(x, &err);
}

/* There is no builder, so its cache is empty; docker system prune asks for this. */
static void prune_builds(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	reply_text(x, 200, "{\"CachesDeleted\":null,\"SpaceReclaimed\":0}");
}

static void update_volume(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	error_set(&err, ERR_UNAVAILABLE,
		  "volume update only valid for cluster volumes, but swarm is unavailable");
	http_reply_error(x, &err);
}

const struct http_route api_absent_routes[] = {
    {"GET", "/swarm", no_swarm, 0},
    {"POST", "/swarm/init", swarm_init, 0},
    {"POST", "/swarm/join", swarm_init, 0},
    {"POST", "/swarm/leave", swarm_leave, 0},
    {"GET", "/swarm/unlockkey", no_swarm, 0},
    {"POST", "/swarm/update", no_swarm, 0},
    {"POST", "/swarm/unlock", no_swarm, 0},
    {"GET", "/nodes", no_swarm, 0},
    {"GET", "/nodes/{id}", no_swarm, 0},
    {"DELETE", "/nodes/{id}", no_swarm, 0},
    {"POST", "/nodes/{id}/update", no_swarm, 0},
    {"GET", "/services", no_swarm, 0},
    {"POST", "/services/create", no_swarm, 0},
    {"GET", "/services/{id}", no_swarm, 0},
    {"DELETE", "/services/{id}", no_swarm, 0},
    {"POST", "/services/{id}/update", no_swarm, 0},
    {"GET", "/services/{id}/logs", no_swarm, 0},
    {"GET", "/tasks", no_swarm, 0},
    {"GET", "/tasks/{id}", no_swarm, 0},
    {"GET", "/tasks/{id}/logs", no_swarm, 0},
    {"GET", "/secrets", no_swarm, 0},
    {"POST", "/secrets/create", no_swarm, 0},
    {"GET", "/secrets/{id}", no_swarm, 0},
    {"DELETE", "/secrets/{id}", no_swarm, 0},
    {"POST", "/secrets/{id}/update", no_swarm, 0},
    {"GET", "/configs", no_swarm, 0},
    {"POST", "/configs/create", no_swarm, 0},
    {"GET", "/configs/{id}", no_swarm, 0},
    {"DELETE", "/configs/{id}", no_swarm, 0},
    {"POST", "/configs/{id}/update", no_swarm, 0},
    {"GET", "/plugins", no_plugins, 0},
    {"GET", "/plugins/{name:*}/json", no_plugin, 0},
    {"GET", "/plugins/privileges", not_yet, 0},
    {"POST", "/plugins/pull", not_yet, 0},
    {"POST", "/plugins/create", not_yet, 0},
    {"POST", "/plugins/{name:*}/enable", enable_plugin, 0},
    {"POST", "/plugins/{name:*}/disable", no_plugin, 0},
    {"POST", "/plugins/{name:*}/push", no_plugin, 0},
    {"POST", "/plugins/{name:*}/set", no_plugin, 0},
    {"POST", "/plugins/{name:*}/upgrade", no_plugin, 0},
    {"DELETE", "/plugins/{name:*}", no_plugin, 0},
    {"GET", "/containers/{name}/checkpoints", api_experimental, 0},
    {"POST", "/containers/{name}/checkpoints", api_experimental, 0},
    {"POST", "/build", not_yet, 0},
    {"POST", "/build/prune", prune_builds, 0},
    {"PUT", "/volumes/{name}", update_volume, 0},
    {"POST", "/build/cancel", not_yet, 0},
    {"POST", "/session", not_yet, 0},
    {"POST", "/grpc", not_yet, 0},
};
const size_t api_absent_routes_count = ARRAY_LEN(api_absent_routes);
