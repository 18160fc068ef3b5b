/* SPDX-License-Identifier: Apache-2.0 */
/* Every request passes here: version negotiation, common headers, authorization, route. */
#include "api/api.h"
#include "authz/authz.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define ENGINE_VERSION "28.5.2"

struct api_context api;

const char *api_engine_version(void)
{
	return ENGINE_VERSION;
}

static const struct {
	const struct http_route *routes;
	const size_t *count;
} tables[] = {
    {api_container_routes, &api_container_routes_count},
    {api_file_routes, &api_file_routes_count},
    {api_system_routes, &api_system_routes_count},
    {api_registry_routes, &api_registry_routes_count}, /* before the images: /images/search */
    {api_image_routes, &api_image_routes_count},
    {api_network_routes, &api_network_routes_count},
    {api_volume_routes, &api_volume_routes_count},
    {api_absent_routes, &api_absent_routes_count},
};

void api_dump_routes(struct str *out)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (size_t k = 0; k < *tables[i].count; k++)
			str_printf(out, "%s %s\n", tables[i].routes[k].method,
				   tables[i].routes[k].pattern);
}

static const struct http_route *find_route(struct http_exchange *x)
{
	const struct http_route *r = NULL;

	for (size_t i = 0; i < ARRAY_LEN(tables) && !r; i++)
		r = http_match(x, tables[i].routes, *tables[i].count);
	return r;
}

static void not_found(struct http_exchange *x)
{
	static const char body[] = "{\"message\":\"page not found\"}\n";

	http_reply(x, 404, "application/json", body, sizeof(body) - 1);
}

/* 0, or -1 after a reply. Source: moby's server/middleware/version.go. */
static int negotiate(struct http_exchange *x)
{
	struct error err = ERROR_INIT;

	http_set_header(x, "Api-Version", "1.51");
	if (x->api_version == 0) {
		x->api_version = API_VERSION;
		return 0;
	}
	if (x->api_version > API_VERSION) {
		error_set(&err, ERR_INVALID,
			  "client version %d.%d is too new. Maximum supported API version is 1.%d",
			  x->api_version >= 1000 ? x->api_version / 1000 : 1, x->api_version % 1000,
			  API_VERSION);
		http_reply_error(x, &err);
		return -1;
	}
	if (x->api_version < API_MIN_VERSION) {
		char text[200];
		int n = snprintf(text, sizeof(text),
				 "client version 1.%d is too old. Minimum supported API version is "
				 "1.%d, please upgrade your client to a newer version\n",
				 x->api_version, API_MIN_VERSION);

		http_set_header(x, "X-Content-Type-Options", "nosniff");
		http_reply(x, 400, "text/plain; charset=utf-8", text, (size_t)n);
		return -1;
	}
	return 0;
}

/* A decoded path as part of a URL again, RFC 3986. */
static void put_path(struct str *out, const char *path)
{
	for (; *path; path++)
		if (isalnum((unsigned char)*path) || strchr("-._~!$&'()*+,;=:@/", *path))
			str_putc(out, *path);
		else
			str_printf(out, "%%%02X", (unsigned char)*path);
}

/* mux answers an unclean path with a redirect to the clean one. */
static bool redirected(struct http_exchange *x)
{
	char *clean = path_clean(x->path);
	bool same = streq(clean, x->path) ||
		    (str_ends(x->path, "/") && strlen(clean) == strlen(x->path) - 1);

	if (!same) {
		auto_str location = STR_INIT;

		put_path(&location, clean);
		str_puts(&location, strchrnul(x->uri, '?'));
		http_set_header(x, "Location", str_cstr(&location));
		http_reply_empty(x, 301);
	}
	free(clean);
	return !same;
}

/* "POST /containers/{name}/start"; "" for a path that no route serves. */
static void route_name(const struct http_exchange *x, char out[128])
{
	out[0] = '\0';
	if (*x->route)
		snprintf(out, 128, "%s %s", x->method, x->route);
}

static bool authorized(struct http_exchange *x, const struct http_route *route)
{
	struct error err = ERROR_INIT;
	char name[128];

	x->route = route ? route->pattern : "";
	route_name(x, name);
	if (authz_request(x, name, &err) == 0)
		return true;
	x->vetoed = true; /* the denial itself is not asked about */
	http_reply_error(x, &err);
	return false;
}

int api_reply_hook(struct http_exchange *x, int status, const char *content_type, const char *body,
		   size_t len, struct error *err)
{
	char name[128];

	if (!authz_active())
		return 0;
	route_name(x, name);
	return authz_response(x, name, status, content_type, body, len, err);
}

/* --api-cors-header: pages of these origins may talk to the engine. Source: moby 27's server/middleware/cors.go. */
static void allow_origins(struct http_exchange *x)
{
	const char *origins = config_str(api.config(), "api-cors-header");

	if (!*origins)
		return;
	http_set_header(x, "Access-Control-Allow-Origin", origins);
	http_set_header(x, "Access-Control-Allow-Headers",
			"Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth");
	http_set_header(x, "Access-Control-Allow-Methods", "HEAD, GET, POST, DELETE, PUT, OPTIONS");
}

void api_serve(struct http_exchange *x, void *ctx)
{
	const struct http_route *route;

	(void)ctx;
	if (strstr(x->path, "//") && redirected(x))
		return;
	route = find_route(x);
	if (!route) {
		if (!authz_active() || authorized(x, NULL))
			not_found(x);
		return;
	}
	http_set_header(x, "Ostype", "linux");
	http_set_header(x, "Server", "Docker/" ENGINE_VERSION " (linux)");
	allow_origins(x);
	if (negotiate(x) < 0)
		return;
	http_set_header(x, "Docker-Experimental",
			config_bool(api.config(), "experimental") ? "true" : "false");
	if (authz_active() && !authorized(x, route))
		return;
	log_debug("request", "method", x->method, "route", route->pattern);
	route->handler(x, NULL);
}

void api_answer(struct http_exchange *x, int r, int status, struct str *body,
		const struct error *err)
{
	if (r < 0)
		http_reply_error(x, err);
	else
		http_reply_json(x, status, body);
}

void api_answer_empty(struct http_exchange *x, int r, int status, const struct error *err)
{
	if (r < 0)
		http_reply_error(x, err);
	else
		http_reply_empty(x, status);
}

json *api_body_object(struct http_exchange *x, const char *go_name, struct error *err)
{
	static const char *const kinds[] = {[JSON_BOOL] = "bool",
					    [JSON_NUMBER] = "number",
					    [JSON_STRING] = "string",
					    [JSON_ARRAY] = "array"};
	json *body = http_body_json(x, false, err);
	enum json_type type = json_type(body);

	if (!body && err->kind == ERR_NONE)
		return json_parse("{}", 2, err);
	if (!body || type == JSON_OBJECT || type == JSON_NULL)
		return body;
	error_set(err, ERR_INVALID,
		  "invalid JSON: json: cannot unmarshal %s into Go value of type %s", kinds[type],
		  go_name);
	json_free(body);
	return NULL;
}

/* {"name":{"value":true}}, or the older {"name":["value"]} */
static bool are_filters(const json *filters)
{
	if (json_type(filters) != JSON_OBJECT)
		return false;
	for (json *f = json_first(filters); f; f = json_next(f)) {
		enum json_type type = json_type(f),
			       inside = type == JSON_ARRAY ? JSON_STRING : JSON_BOOL;

		if (type != JSON_ARRAY && type != JSON_OBJECT && type != JSON_NULL)
			return false;
		for (json *v = json_first(f); v; v = json_next(v))
			if (json_type(v) != inside)
				return false;
	}
	return true;
}

int api_filters(struct http_exchange *x, json **out, struct error *err)
{
	const char *text = http_query(x, "filters", "");
	bool none;

	*out = NULL;
	if (!*text)
		return 0;
	*out = json_parse(text, strlen(text), err);
	if (are_filters(*out))
		return 0;
	none = json_type(*out) == JSON_NULL;
	json_free(*out);
	*out = NULL;
	if (none) /* Go decodes it into no map at all */
		return 0;
	return error_set(err, ERR_INVALID, "invalid filter");
}

int api_query_int(struct http_exchange *x, const char *name, long fallback, long *out,
		  struct error *err)
{
	const char *text = http_query(x, name, "");
	char *end;

	*out = fallback;
	if (!*text)
		return 0;
	*out = strtol(text, &end, 10);
	if (*end)
		return error_set(err, ERR_SYSTEM, "strconv.Atoi: parsing \"%s\": invalid syntax",
				 text);
	return 0;
}
