/* SPDX-License-Identifier: Apache-2.0 */
/* /networks. */
#include "api/api.h"
#include "base/mem.h"
#include "container/container.h"
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
	f.filters = filters;
	api_answer(x, r < 0 ? r : network_print_list(&f, container_name_of, &w, &err), 200, &reply,
		   &err);
}

static void inspect(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);

	(void)ctx;
	api_answer(x, network_print(http_param(x, "id"), container_name_of, &w, &err), 200, &reply,
		   &err);
}

static void create(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_json *body = http_body_json(x, true, &err);
	auto_str id = STR_INIT, reply = STR_INIT;
	auto_strlist warnings = STRLIST_INIT;
	struct jw w = jw_to(&reply);
	int r = body ? network_create(body, &id, &warnings, &err) : -1;

	(void)ctx;
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

static void not_yet(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	error_set(&err, ERR_NOT_IMPLEMENTED,
		  "connecting containers to further networks is not supported yet: use --network "
		  "bridge, host, none or container:ID");
	http_reply_error(x, &err);
}

static void prune(struct http_exchange *x, void *ctx)
{
	auto_str reply = STR_INIT;

	(void)ctx;
	str_puts(
	    &reply,
	    "{\"NetworksDeleted\":null}"); /* predefined networks are never pruned, and there are no others yet */
	http_reply_json(x, 200, &reply);
}

const struct http_route api_network_routes[] = {
    {"GET", "/networks", list, 0},
    {"GET", "/networks/", list, 0},
    {"POST", "/networks/create", create, 0},
    {"POST", "/networks/prune", prune, 0},
    {"GET", "/networks/{id}", inspect, 0},
    {"DELETE", "/networks/{id}", delete, 0},
    {"POST", "/networks/{id}/connect", not_yet, 0},
    {"POST", "/networks/{id}/disconnect", not_yet, 0},
};
const size_t api_network_routes_count = ARRAY_LEN(api_network_routes);
