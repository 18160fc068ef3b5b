/* SPDX-License-Identifier: Apache-2.0 */
/* See remote.h. Keeps nothing: plugins are known to plugin/remote by their names. */
#include "authz/remote.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "plugin/remote/remote.h"

#include <ctype.h>
#include <stdlib.h>

#define KIND "authz"

int authz_remote_open(const char *name, struct error *err)
{
	return remote_get(name, KIND, true, err) ? 0 : -1;
}

/* "content-type" -> "Content-Type", as Go has them. */
static char *canonical(const char *name)
{
	char *out = xstrdup(name);
	bool first = true;

	for (char *p = out; *p; p++) {
		*p = (char)(first ? toupper((unsigned char)*p) : tolower((unsigned char)*p));
		first = *p == '-';
	}
	return out;
}

/* One value for a name: the last. What Go's server takes out is left out. */
static void add_headers(struct jw *w, const char *member, const struct dockerd_key_value *v,
			uint32_t n)
{
	auto_pairs all = PAIRS_INIT;

	for (uint32_t i = 0; i < n; i++) {
		auto_free char *name = canonical(v[i].key);

		if (!streq(name, "Host") && !streq(name, "Transfer-Encoding"))
			pairs_set(&all, name, v[i].value);
	}
	if (all.n)
		jw_kpairs(w, member, &all, false);
}

static void add_body(struct jw *w, const char *member, const char *body, uint64_t length)
{
	auto_free char *text = length ? base64_encode(body, length) : NULL;

	if (text)
		jw_kstr(w, member, text);
}

static void add_text(struct jw *w, const char *member, const char *text)
{
	if (!str_empty(text))
		jw_kstr(w, member, text);
}

/* Nothing of a login is shown, as moby does. */
static bool shows_body(const struct dockerd_authz_request *r)
{
	return !str_ends(r->path, "/auth");
}

void authz_remote_question(const struct dockerd_authz_request *r, bool response, struct str *out)
{
	struct jw w = jw_to(out);

	jw_obj(&w);
	add_text(&w, "User", r->user);
	add_text(&w, "UserAuthNMethod", r->auth_method);
	add_text(&w, "RequestMethod", r->method);
	add_text(&w, "RequestUri", r->uri);
	if (shows_body(r))
		add_body(&w, "RequestBody", r->body, r->body_length);
	add_headers(&w, "RequestHeaders", r->headers, r->header_count);
	if (response) {
		jw_ki64(&w, "ResponseStatusCode", r->status);
		if (shows_body(r))
			add_body(&w, "ResponseBody", r->response_body, r->response_length);
		add_headers(&w, "ResponseHeaders", r->response_headers, r->response_header_count);
	}
	jw_end(&w);
}

int authz_remote_ask(const char *name, const struct dockerd_authz_request *r, bool response,
		     struct error *err)
{
	const struct remote *plugin = remote_get(name, KIND, true, err);
	auto_str question = STR_INIT;
	auto_json *reply = NULL;

	if (plugin && r->body_state == DOCKERD_AUTHZ_BODY_LARGE && shows_body(r))
		return error_set(err, ERR_SYSTEM,
				 "request body too large for authorization plugin: size exceeds %d "
				 "bytes",
				 AUTHZ_REMOTE_BODY_MAX);
	authz_remote_question(r, response, &question);
	if (plugin)
		reply =
		    remote_call(plugin, response ? "AuthZPlugin.AuthZRes" : "AuthZPlugin.AuthZReq",
				&question, REMOTE_SHORT, true, err);
	if (!reply) {
		auto_free char *why = xstrdup(err->text);

		return error_set(err, ERR_SYSTEM, "plugin %s failed with error: %s", name, why);
	}
	if (json_get_bool(reply, "Allow", false))
		return 0;
	return error_set(err, ERR_DENIED, "authorization denied by plugin %s: %s", name,
			 json_get_str(reply, "Msg", ""));
}
