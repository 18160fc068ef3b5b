/* SPDX-License-Identifier: Apache-2.0 */
/* /networks. */
#include "config/units.h"
#include "api/api.h"
#include "base/bool.h"
#include "base/mem.h"
#include "container/container.h"
#include "events/events.h"
#include "network/network.h"

static void list(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);
	auto_json *filters = NULL;
	struct network_list_filter f;
	int r = api_filters(x, &filters, &err);

	(void)ctx;
	f = (struct network_list_filter){.filters = filters, .containers = x->api_version < 28};
	api_answer(x, r < 0 ? r : network_print_list(&f, container_name_of, &w, &err), 200, &reply,
		   &err);
}

static void inspect(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);

	const char *verbose = http_query(x, "verbose", "");
	bool ignored;

	(void)ctx;
	if (*verbose && !bool_parse(verbose, &ignored)) {
		error_set(&err, ERR_INVALID,
			  "invalid value for verbose: %s: strconv.ParseBool: parsing \"%s\": "
			  "invalid syntax",
			  verbose, verbose);
		http_reply_error(x, &err);
		return;
	}
	api_answer(x,
		   network_print(http_param(x, "id"), http_query(x, "scope", ""), container_name_of,
				 &w, &err),
		   200, &reply, &err);
}

static void create(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_json *body = api_body_object(x, "network.CreateRequest", &err);
	auto_str id = STR_INIT, reply = STR_INIT;
	auto_strlist warnings = STRLIST_INIT;
	struct jw w = jw_to(&reply);
	int r = -1;

	(void)ctx;
	if (body && x->api_version < 48) /* all networks had it */
		json_free(json_take(body, "EnableIPv4"));
	if (body)
		r = network_create(body, &id, &warnings, &err);
	jw_obj(&w);
	jw_kstr(&w, "Id", str_cstr(&id));
	jw_kstr(&w, "Warning", warnings.n ? warnings.v[0] : "");
	jw_end(&w);
	api_answer(x, r, 201, &reply, &err);
}

static void delete (struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	api_answer_empty(x, network_delete(http_param(x, "id"), &err), 204, &err);
}

/* {"Container": ..., "EndpointConfig": {...}} */
static void connect(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_json *body = api_body_object(x, "network.ConnectOptions", &err);
	int r = body ? container_connect(http_param(x, "id"), json_get_str(body, "Container", ""),
					 json_get(body, "EndpointConfig"), &err)
		     : -1;

	(void)ctx;
	api_answer_empty(x, r, 200, &err);
}

/* {"Container": ..., "Force": false} */
static void disconnect(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_json *body = api_body_object(x, "network.DisconnectOptions", &err);
	int r = body
		    ? container_disconnect(http_param(x, "id"), json_get_str(body, "Container", ""),
					   json_get_bool(body, "Force", false), &err)
		    : -1;

	(void)ctx;
	api_answer_empty(x, r, 200, &err);
}

static void prune(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_strlist deleted = STRLIST_INIT;
	auto_json *filters = NULL;
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);
	auto_pairs attrs = PAIRS_INIT;
	int r = api_filters(x, &filters, &err);

	(void)ctx;
	if (r == 0)
		r = network_prune(filters, &deleted, &err);
	if (r == 0) {
		pairs_set(&attrs, "reclaimed", "0");
		events_publish("network", "prune", "", &attrs);
	}
	jw_obj(&w);
	jw_kstrlist(&w, "NetworksDeleted", &deleted, true);
	jw_end(&w);
	api_answer(x, r, 200, &reply, &err);
}

const struct http_route api_network_routes[] = {
    {"GET", "/networks", list, 0},
    {"GET", "/networks/", list, 0},
    {"POST", "/networks/create", create, 0},
    {"POST", "/networks/prune", prune, 0},
    {"GET", "/networks/{id}", inspect, 0},
    {"DELETE", "/networks/{id}", delete, 0},
    {"POST", "/networks/{id}/connect", connect, 0},
    {"POST", "/networks/{id}/disconnect", disconnect, 0},
};
const size_t api_network_routes_count = ARRAY_LEN(api_network_routes);
