/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See authz.h. The list is fixed at start. Calls of drivers are guarded by the plugin room (deadline: a stuck driver denies); socket plugins are
 * asked by remote.c.
 */
#include "authz/authz.h"
#include "authz/ambiguous.h"
#include "authz/remote.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "plugin/plugin.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#define BODY_MAX (1024 * 1024)
#define RELOAD_SECONDS 10 /* how long the daemon's reload waits for a driver's */

/* One of --authorization-plugin. */
struct authorizer {
	struct plugin_instance driver; /* plugin NULL: a socket plugin of that name */
	char *name;
};
static struct authorizer *chain;
static size_t n_chain;
static bool any_remote;

/* --authz-opt NAME.key=value: those of this driver. Their keys begin with its name. */
static int own_options(const struct strlist *all, const char *name, struct pairs *out,
		       struct error *err)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < all->n; i++) {
		const char *eq = strchr(all->v[i], '=');
		auto_free char *key = NULL;

		if (!eq)
			return error_set(err, ERR_INVALID, "authz-opt '%s' is not NAME.key=value",
					 all->v[i]);
		if (strncmp(all->v[i], name, len) != 0 || all->v[i][len] != '.')
			continue;
		key = xstrndup(all->v[i], (size_t)(eq - all->v[i]));
		pairs_add(out, key, eq + 1);
	}
	return 0;
}

static int open_driver(const char *name, const struct config *c, const char *exec_root,
		       struct plugin_instance *out, struct error *err)
{
	const struct plugin *p = plugin_load(DOCKERD_KIND_AUTHZ, name, err);
	auto_pairs given = PAIRS_INIT;
	struct dockerd_options *options = NULL;
	auto_free char *state = NULL;
	int r;

	if (!p)
		return -1;
	state = xasprintf("%s/authz-%s", exec_root, p->name);
	if (dir_make_all(AT_FDCWD, state, 0700, err) < 0 ||
	    own_options(config_list(c, "authz-opts"), p->name, &given, err) < 0 ||
	    plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, &given, &options, err) < 0)
		return -1;
	r = plugin_probe(p, state, state, options, err);
	if (r == 0)
		r = plugin_open(p, state, state, options, out, err);
	plugin_options_free(options);
	return r;
}

/* Where there is no driver of that name, it is a socket plugin, as for moby. */
static int open_one(const char *name, const struct config *c, const char *exec_root,
		    struct authorizer *out, struct error *err)
{
	auto_free char *path = plugin_find(DOCKERD_KIND_AUTHZ, name, err), *why = NULL;

	out->name = xstrdup(name);
	if (path || err->kind != ERR_NOT_FOUND || strchr(name, '/')) {
		if (open_driver(name, c, exec_root, &out->driver, err) < 0)
			return error_wrap(err, "authorization plugin %s", name);
		return 0;
	}
	why = xstrdup(err->text);
	error_clear(err);
	if (authz_remote_open(name, err) < 0) {
		error_wrap(err, "failed to validate authorization plugin");
		return err->kind == ERR_NOT_FOUND
			   ? error_set(err, ERR_NOT_FOUND,
				       "failed to validate authorization plugin: plugin \"%s\" not "
				       "found; nor is there a driver: %s",
				       name, why)
			   : -1;
	}
	any_remote = true;
	return 0;
}

/* An option for a driver that is not selected is a mistake. */
static int check_addressees(const struct strlist *all, struct error *err)
{
	for (size_t i = 0; i < all->n; i++) {
		bool found = false;

		for (size_t d = 0; d < n_chain && !found; d++) {
			const struct plugin *p = chain[d].driver.plugin;
			size_t len = p ? strlen(p->name) : 0;

			found = p && !strncmp(all->v[i], p->name, len) && all->v[i][len] == '.';
		}
		if (!found)
			return error_set(
			    err, ERR_INVALID,
			    "authz-opt '%s' is for no driver of --authorization-plugin", all->v[i]);
	}
	return 0;
}

int authz_init(const struct config *c, const char *exec_root, struct error *err)
{
	const struct strlist *names = config_list(c, "authorization-plugins");

	chain = xcalloc(names->n, sizeof(*chain));
	for (size_t i = 0; i < names->n; i++) {
		if (open_one(names->v[i], c, exec_root, &chain[i], err) < 0)
			return -1;
		n_chain++;
	}
	return check_addressees(config_list(c, "authz-opts"), err);
}

bool authz_active(void)
{
	return n_chain > 0;
}

static bool is_json(const char *content_type)
{
	return content_type && strncasecmp(content_type, "application/json", 16) == 0;
}

static bool asks_responses(void)
{
	for (size_t i = 0; i < n_chain; i++)
		if (!chain[i].driver.plugin || chain[i].driver.plugin->ops.authz.response)
			return true;
	return false;
}

static bool has_body(const struct http_exchange *x)
{
	return x->chunked || x->content_length > 0;
}

/* Read a JSON body ahead, whole if it is small enough: it is in x->preread. */
static int read_ahead(struct http_exchange *x, uint32_t *state, struct error *err)
{
	const size_t most = any_remote ? AUTHZ_REMOTE_BODY_MAX : BODY_MAX;
	struct str body = STR_INIT;

	*state = DOCKERD_AUTHZ_BODY_NONE;
	if (!has_body(x))
		return 0;
	*state = DOCKERD_AUTHZ_BODY_OTHER;
	if (!is_json(http_header(x, "Content-Type")))
		return 0;
	*state = DOCKERD_AUTHZ_BODY_LARGE;
	if (x->content_length > (int64_t)most)
		return 0;
	while (body.len <= most) {
		ssize_t n = http_body_read(x, str_reserve(&body, 8192), 8192, err);

		if (n < 0) {
			str_free(&body);
			return -1;
		}
		if (n == 0) {
			*state = DOCKERD_AUTHZ_BODY_WHOLE;
			break;
		}
		body.len += (size_t)n;
		body.p[body.len] = '\0';
	}
	str_free(&x->preread);
	x->preread = body;
	return 0;
}

/* Headers as the driver may see them: credentials are withheld, as moby does. */
static struct dockerd_key_value *visible_headers(const struct pairs *headers, uint32_t *n)
{
	struct dockerd_key_value *h = xcalloc(headers->n + 1, sizeof(*h)); /* room for one more */

	*n = 0;
	for (size_t i = 0; i < headers->n; i++) {
		const char *key = headers->v[i].key;

		if (strcasecmp(key, "Authorization") && strcasecmp(key, "X-Registry-Auth") &&
		    strcasecmp(key, "X-Registry-Config"))
			h[(*n)++] = (struct dockerd_key_value){key, headers->v[i].value};
	}
	return h;
}

/* Drivers are shown less than socket plugins, as dockerd/authz.h says. */
static struct dockerd_authz_request for_driver(const struct dockerd_authz_request *r)
{
	struct dockerd_authz_request d = *r;

	if (d.body_length > BODY_MAX) {
		d.body_state = DOCKERD_AUTHZ_BODY_LARGE;
		d.body = NULL;
		d.body_length = 0;
	}
	if (d.response_length > BODY_MAX) {
		d.response_body_state = DOCKERD_AUTHZ_BODY_LARGE;
		d.response_body = NULL;
		d.response_length = 0;
	}
	return d;
}

static int ask(struct plugin_instance *d, const struct dockerd_authz_request *all, bool response,
	       struct error *err)
{
	const struct dockerd_authz_request shown = for_driver(all), *r = &shown;
	const struct dockerd_authz_ops *ops = &d->plugin->ops.authz;
	struct dockerd_authz_verdict v = {.size = sizeof(v)};
	struct dockerd_error derr = plugin_error_init();
	struct plugin_call call;
	int32_t rc;

	if (response && !ops->response)
		return 0;
	if (plugin_enter(d, response ? "response" : "request", "", &call, err) < 0)
		return -1;
	rc = response ? ops->response(d->self, r, &v, &derr) : ops->request(d->self, r, &v, &derr);
	if (plugin_leave(&call, rc, &derr, err) < 0)
		return error_set(err, ERR_DENIED, "plugin %s failed with error: %s",
				 d->plugin->name, err->text);
	if (v.verdict == DOCKERD_AUTHZ_ALLOW)
		return 0;
	v.message[sizeof(v.message) - 1] = '\0';
	return error_set(err, ERR_DENIED, "authorization denied by plugin %s: %s", d->plugin->name,
			 v.message);
}

static int ask_all(const struct dockerd_authz_request *r, bool response, struct error *err)
{
	for (size_t i = 0; i < n_chain; i++) {
		struct authorizer *a = &chain[i];

		if ((a->driver.plugin ? ask(&a->driver, r, response, err)
				      : authz_remote_ask(a->name, r, response, err)) < 0)
			return -1;
	}
	return 0;
}

static struct dockerd_authz_request base(const struct http_exchange *x, const char *route)
{
	return (struct dockerd_authz_request){.size = sizeof(struct dockerd_authz_request),
					      .user = x->peer_name,
					      .auth_method = *x->peer_name ? "TLS" : "",
					      .method = x->method,
					      .uri = x->uri,
					      .route = route,
					      .path = x->path,
					      .peer_uid = x->peer_uid,
					      .peer_gid = x->peer_gid,
					      .peer_pid = x->peer_pid};
}

/* A body that is no JSON is for its handler to refuse. */
static int check_body(const struct str *body, struct error *err)
{
	struct error ignored = ERROR_INIT;
	auto_json *j = json_parse(body->p, body->len, &ignored);

	return j ? authz_unambiguous(j, err) : 0;
}

int authz_request(struct http_exchange *x, const char *route, struct error *err)
{
	struct dockerd_authz_request r = base(x, route);
	auto_free struct dockerd_key_value *headers = NULL;

	if (read_ahead(x, &r.body_state, err) < 0)
		return -1;
	headers = visible_headers(&x->headers, &r.header_count);
	r.headers = headers;
	x->shown_state = r.body_state;
	if (r.body_state == DOCKERD_AUTHZ_BODY_WHOLE) {
		r.body = str_cstr(&x->preread);
		r.body_length = x->preread.len;
		if (check_body(&x->preread, err) < 0)
			return -1;
		if (asks_responses())
			str_add(&x->shown, r.body, x->preread.len);
	}
	return ask_all(&r, false, err);
}

int authz_response(struct http_exchange *x, const char *route, int status, const char *content_type,
		   const char *body, size_t len, struct error *err)
{
	auto_free struct dockerd_key_value *headers = NULL, *reply = NULL;
	struct dockerd_authz_request r = base(x, route);

	if (!asks_responses())
		return 0;
	headers = visible_headers(&x->headers, &r.header_count);
	r.headers = headers;
	r.body_state = x->shown_state;
	if (r.body_state == DOCKERD_AUTHZ_BODY_WHOLE) {
		r.body = str_cstr(&x->shown);
		r.body_length = x->shown.len;
	}
	r.status = status;
	reply = visible_headers(&x->reply_headers, &r.response_header_count);
	if (content_type)
		reply[r.response_header_count++] =
		    (struct dockerd_key_value){"Content-Type", content_type};
	r.response_headers = reply;
	r.response_body_state = body && !len                      ? DOCKERD_AUTHZ_BODY_NONE
				: !body || !is_json(content_type) ? DOCKERD_AUTHZ_BODY_OTHER
				: len > AUTHZ_REMOTE_BODY_MAX     ? DOCKERD_AUTHZ_BODY_LARGE
								  : DOCKERD_AUTHZ_BODY_WHOLE;
	if (r.response_body_state == DOCKERD_AUTHZ_BODY_WHOLE) {
		r.response_body = body;
		r.response_length = len;
	}
	return ask_all(&r, true, err);
}

/* A reload of its own thread, freed by it: one that hangs must not keep the daemon from hearing signals. */
static void *reload_one(void *arg)
{
	struct plugin_instance *d = arg;
	struct dockerd_error derr = plugin_error_init();
	struct error err = ERROR_INIT;
	struct plugin_call call;
	int32_t r = plugin_enter(d, "reload", "", &call, &err);

	if (r == 0) {
		r = d->plugin->ops.authz.reload(d->self, &derr);
		r = plugin_leave(&call, r, &derr, &err);
	}
	if (r < 0)
		log_error("authorization rules were not reloaded: the old ones stay", "driver",
			  d->plugin->name, "error", err.text);
	return NULL;
}

void authz_reload(void)
{
	for (size_t i = 0; i < n_chain; i++) {
		struct plugin_instance *d = &chain[i].driver;
		struct error err = ERROR_INIT;
		struct timespec until;
		pthread_t t;

		if (!d->plugin || !d->plugin->ops.authz.reload)
			continue;
		if (thread_start_joinable("authz-reload", reload_one, d, &t, &err) < 0) {
			log_error("authorization rules were not reloaded", "error", err.text);
			continue;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += RELOAD_SECONDS;
		if (pthread_timedjoin_np(t, NULL, &until) != 0) {
			log_warn("an authorization driver is still reloading its rules", "driver",
				 d->plugin->name);
			pthread_detach(t);
		}
	}
}
