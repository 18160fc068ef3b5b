/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Engine API: routes, version negotiation, and one file per resource that parses the request, calls one room and prints the reply.
 */
#ifndef API_API_H
#define API_API_H

#include "config/config.h"
#include "http/http.h"
#include "image/image.h"

#define API_VERSION 51 /* 1.51 */
#define API_MIN_VERSION 24

/* What API handlers may see of main. Set once before the server starts; config is replaced as a whole by a reload. */
struct api_context {
	const struct config *(*config)(void);
	struct image_store *images;
	const char *data_root, *exec_root, *storage_driver, *exec_driver_name, *daemon_id;
};
extern struct api_context api;

/* The handler for http_server_new. */
void api_serve(struct http_exchange *x, void *ctx);

/* "METHOD PATH", a line each: what an authorization driver's request->route can be. */
void api_dump_routes(struct str *out);

/* For http_server_set_reply_hook: the response phase of authorization. */
int api_reply_hook(struct http_exchange *x, int status, const char *content_type, const char *body,
		   size_t len, struct error *err);

/* What moby says of listeners that let anybody in, in the log at start and in /info. */
void api_access_warnings(struct strlist *out);

/*
 * Cancel what talks to registries and wait for it; false: some of it still runs after so many seconds (a resolver without an answer), and what it
 * uses must stay.
 */
bool api_registry_stop(int seconds);

/* One table of routes per resource; api.c concatenates them. */
#define API_TABLE(name)                        \
	extern const struct http_route name[]; \
	extern const size_t name##_count
API_TABLE(api_system_routes);
API_TABLE(api_container_routes);
API_TABLE(api_file_routes);
API_TABLE(api_image_routes);
API_TABLE(api_network_routes);
API_TABLE(api_registry_routes);
API_TABLE(api_volume_routes);
API_TABLE(api_absent_routes);

/* Reply with the text if r is 0, else with the error. */
void api_answer(struct http_exchange *x, int r, int status, struct str *body,
		const struct error *err);
/* No content (or the error). */
void api_answer_empty(struct http_exchange *x, int r, int status, const struct error *err);
/* The `filters` parameter: an object, or NULL if there is none. -1 with moby's error if malformed. */
int api_filters(struct http_exchange *x, json **out, struct error *err);
/*
 * The body as an object; nothing at all counts as an empty one. Another JSON value is refused as Go's decoder does for the struct of that name. NULL
 * with err.
 */
json *api_body_object(struct http_exchange *x, const char *go_name, struct error *err);
/* Integer parameter; -1 with err if it is no number. */
int api_query_int(struct http_exchange *x, const char *name, long fallback, long *out,
		  struct error *err);
/* "28.5.2", and the name that goes into the Server header. */
const char *api_engine_version(void);

/* metrics.c: the handler of the server behind --metrics-addr. */
void api_metrics(struct http_exchange *x, void *ctx);
/* PRETTY_NAME of os-release(5), malloc'ed. */
char *api_operating_system(void);

/* absent.c: the answer to what moby has under --experimental only. */
void api_experimental(struct http_exchange *x, void *ctx);

#endif
