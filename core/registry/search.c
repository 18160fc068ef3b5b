/* SPDX-License-Identifier: Apache-2.0 */
/* docker search: the index of version 1, which the Hub still serves. */
#include "registry/client.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>

#define HUB_INDEX "https://index.docker.io"

/* "localhost:5000/foo" asks that registry for foo; anything else the Hub. */
static void split_term(const char *term, char **host, char **name)
{
	const char *slash = strchr(term, '/');
	size_t n = slash ? (size_t)(slash - term) : 0;

	*host = NULL;
	if (slash && (memchr(term, '.', n) || memchr(term, ':', n) ||
		      (n == 9 && !memcmp(term, "localhost", 9))))
		*host = xstrndup(term, n);
	if (*host && (streq(*host, "docker.io") || streq(*host, "index.docker.io"))) {
		free(*host);
		*host = NULL;
		term = slash + 1;
	} else if (*host) {
		term = slash + 1;
	}
	if (!*host && str_after(term, "library/"))
		term += strlen("library/");
	*name = xstrdup(term);
}

static bool wanted(const json *j, const struct registry_search *q)
{
	if (q->official >= 0 && json_get_bool(j, "is_official", false) != q->official)
		return false;
	if (q->automated >= 0 && json_get_bool(j, "is_automated", false) != q->automated)
		return false;
	return q->stars < 0 || json_get_i64(j, "star_count", 0) >= q->stars;
}

static int print_results(const struct str *body, const struct registry_search *q, struct str *reply,
			 struct error *err)
{
	auto_json *j = json_parse(str_cstr(body), body->len, err);
	struct jw w = jw_to(reply);

	if (!j)
		return error_wrap(err, "error decoding registry search results");
	jw_arr(&w);
	for (json *r = json_first(json_get(j, "results")); r; r = json_next(r)) {
		if (!wanted(r, q))
			continue;
		jw_obj(&w);
		jw_ki64(&w, "star_count", json_get_i64(r, "star_count", 0));
		jw_kbool(&w, "is_official", json_get_bool(r, "is_official", false));
		jw_kstr(&w, "name", json_get_str(r, "name", ""));
		jw_kbool(&w, "is_automated", json_get_bool(r, "is_automated", false));
		jw_kstr(&w, "description", json_get_str(r, "description", ""));
		jw_end(&w);
	}
	jw_end(&w);
	return 0;
}

static int ask(const struct registry_settings *s, const char *base, bool insecure,
	       const struct registry_search *q, const char *name, const struct registry_auth *auth,
	       int cancel_fd, struct answer *a, struct error *err)
{
	struct endpoint ep = {.url = NULL};
	auto_str url = STR_INIT;
	auto_free char *limit = xasprintf("%d", q->limit ? q->limit : 25), *pair = NULL,
		       *encoded = NULL, *value = NULL;
	auto_strlist headers = STRLIST_INIT;
	struct call call = {.method = "GET", .headers = &headers, .cancel_fd = cancel_fd};
	struct client *c = NULL;
	int r = endpoint_at(s, base, insecure, &ep, err);

	str_printf(&url, "%s/v1/search", base);
	query_add(&url, "q", name);
	query_add(&url, "n", limit);
	call.url = str_cstr(&url);
	strlist_add(&headers, "X-Docker-Token: true");
	if (r == 0)
		c = client_new(s, &ep, NULL, "", "", err);
	if (c && auth->username && !auth->identity_token) {
		pair = xasprintf("%s:%s", auth->username, auth->password ? auth->password : "");
		encoded = base64_encode(pair, strlen(pair));
		value = xasprintf("Basic %s", encoded);
	}
	r = c ? client_exchange(c, &call, value, a, err) : -1;
	client_unref(c);
	endpoint_free(&ep);
	return r;
}

int registry_search(const struct registry_settings *s, const struct registry_search *q,
		    const struct registry_auth *auth, int cancel_fd, struct str *reply,
		    struct error *err)
{
	auto_free char *host = NULL, *name = NULL, *secure = NULL, *plain = NULL;
	auto_answer a = {.code = ""};
	bool insecure;
	int r;

	split_term(q->term, &host, &name);
	insecure = host && registry_is_insecure(s, host);
	secure = host ? xasprintf("https://%s", host) : xstrdup(HUB_INDEX);
	r = ask(s, secure, insecure, q, name, auth, cancel_fd, &a, err);
	if (r < 0 && insecure && err->kind != ERR_CANCELLED) {
		error_clear(err);
		answer_free(&a);
		plain = xasprintf("http://%s", host);
		r = ask(s, plain, true, q, name, auth, cancel_fd, &a, err);
	}
	if (r < 0)
		return -1;
	if (a.r.status != 200)
		return error_set(err, ERR_SYSTEM, "Unexpected status code %d", a.r.status);
	return print_results(&a.body, q, reply, err);
}
