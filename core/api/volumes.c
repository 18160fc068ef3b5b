/* SPDX-License-Identifier: Apache-2.0 */
/* /volumes. */
#include "api/api.h"
#include "base/mem.h"
#include "volume/volume.h"

static void list(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	auto_json *filters = NULL;

	(void)ctx;
	api_answer(x, api_filters(x, &filters, &err) < 0 ? -1 : volume_list(filters, &reply, &err),
		   200, &reply, &err);
}

static void create(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	auto_json *body = api_body_object(x, "volume.CreateOptions", &err);

	(void)ctx;
	if (json_type(json_get(body, "ClusterVolumeSpec")) == JSON_OBJECT) {
		error_set(&err, ERR_UNAVAILABLE,
			  "This node is not a swarm manager. Use \"docker swarm init\" or \"docker "
			  "swarm join\" to connect this node to swarm and try again.");
		http_reply_error(x, &err);
		return;
	}
	api_answer(x, body ? volume_create(body, &reply, &err) : -1, 201, &reply, &err);
}

static void inspect(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;

	(void)ctx;
	api_answer(x, volume_inspect(http_param(x, "name"), &reply, &err), 200, &reply, &err);
}

static void delete (struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	api_answer_empty(
	    x, volume_delete(http_param(x, "name"), http_query_bool(x, "force", false), &err), 204,
	    &err);
}

static void prune(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	auto_json *filters = NULL;

	(void)ctx;
	api_answer(x,
		   api_filters(x, &filters, &err) < 0
		       ? -1
		       : volume_prune(filters, x->api_version, &reply, &err),
		   200, &reply, &err);
}

const struct http_route api_volume_routes[] = {
    {"GET", "/volumes", list, 0},
    {"POST", "/volumes/create", create, 0},
    {"POST", "/volumes/prune", prune, 0},
    {"GET", "/volumes/{name}", inspect, 0},
    {"DELETE", "/volumes/{name}", delete, 0},
};
const size_t api_volume_routes_count = ARRAY_LEN(api_volume_routes);
