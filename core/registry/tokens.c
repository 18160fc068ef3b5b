/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization: basic credentials, or tokens of a token server (distribution's token specification, and its OAuth2 variant for identity tokens).
 * Tokens are kept per scope until shortly before they run out.
 */
#include "registry/client.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>
#include <strings.h>

#define MIN_LIFE_S 60 /* what the specification promises for tokens that don't say */
#define EARLY_S 10    /* asked anew that much before the end */
#define CLIENT_ID "docker"

struct token {
	char *text;
	int64_t until; /* monotonic ns */
};

void token_free(void *token)
{
	struct token *t = token;

	free(t->text);
	free(t);
}

/* ---- X-Registry-Auth -------------------------------------------------------------------------------------------------------------- */

void registry_auth_free(struct registry_auth *a)
{
	free(a->username);
	if (a->password)
		explicit_bzero(a->password, strlen(a->password));
	free(a->password);
	free(a->identity_token);
	free(a->registry_token);
	free(a->server);
	*a = (struct registry_auth){NULL, NULL, NULL, NULL, NULL};
}

static char *member(const json *j, const char *name)
{
	const char *v = json_get_str(j, name, "");

	return *v ? xstrdup(v) : NULL;
}

void registry_auth_json(const json *j, struct registry_auth *out)
{
	auto_free char *auth = member(j, "auth");
	size_t n;

	*out = (struct registry_auth){.username = member(j, "username"),
				      .password = member(j, "password"),
				      .identity_token = member(j, "identitytoken"),
				      .registry_token = member(j, "registrytoken"),
				      .server = member(j, "serveraddress")};
	if (auth && !out->username && !out->password) { /* "user:password" of config files */
		auto_free char *pair = (char *)base64_decode(auth, &n);
		char *colon = pair ? strchr(pair, ':') : NULL;

		if (colon) {
			out->username = xstrndup(pair, (size_t)(colon - pair));
			out->password = xstrdup(colon + 1);
		}
	}
}

void registry_auth_decode(const char *header, struct registry_auth *out)
{
	struct error bad = ERROR_INIT;
	size_t n = 0;
	auto_free char *text = str_empty(header) ? NULL : (char *)base64_decode(header, &n);
	auto_json *j = text ? json_parse(text, n, &bad) : NULL;

	registry_auth_json(j, out);
}

/* ---- tokens ----------------------------------------------------------------------------------------------------------------------- */

void client_learn(struct client *c, const struct pairs *headers)
{
	struct challenge fresh = {.basic = false};

	for (size_t i = 0; i < headers->n; i++)
		if (streq(headers->v[i].key, "www-authenticate"))
			challenge_parse(headers->v[i].value, &fresh);
	LOCK_SCOPE(&c->lock);
	if (!fresh.basic && !fresh.bearer) {
		challenge_free(&fresh);
		return;
	}
	challenge_free(&c->challenge);
	c->challenge = fresh;
}

void client_forget_tokens(struct client *c)
{
	LOCK_SCOPE(&c->lock);
	map_free(&c->tokens, token_free);
	c->tokens = (struct map)MAP_INIT;
}

static char *basic_value(const struct registry_auth *a)
{
	auto_free char *pair = xasprintf("%s:%s", a->username ? a->username : "",
					 a->password ? a->password : ""),
		       *encoded = base64_encode(pair, strlen(pair));

	return xasprintf("Basic %s", encoded);
}

static void add_scopes(struct str *to, char *const scopes[], size_t n,
		       void (*add)(struct str *, const char *, const char *))
{
	for (size_t i = 0; i < n; i++)
		add(to, "scope", scopes[i]);
}

/* name=value of a form body. */
static void form_add(struct str *body, const char *name, const char *value)
{
	auto_str q = STR_INIT;

	query_add(&q, name, value);
	if (body->len)
		str_putc(body, '&');
	str_add(body, q.p + 1, q.len - 1);
}

struct asked {
	char *realm, *service;
	char *scopes[2];
	size_t n;
	bool offline; /* a refresh token is wanted too */
};

/* POST: the identity token buys an access token. */
static int ask_oauth(struct client *c, const struct asked *k, int cancel_fd, struct answer *a,
		     struct error *err)
{
	auto_str body = STR_INIT, scope = STR_INIT;
	auto_strlist headers = STRLIST_INIT;
	struct call q = {
	    .method = "POST", .url = k->realm, .cancel_fd = cancel_fd, .headers = &headers};

	for (size_t i = 0; i < k->n; i++)
		str_printf(&scope, "%s%s", i ? " " : "", k->scopes[i]);
	if (scope.len)
		form_add(&body, "scope", str_cstr(&scope));
	form_add(&body, "service", k->service ? k->service : "");
	form_add(&body, "client_id", CLIENT_ID);
	form_add(&body, "grant_type", "refresh_token");
	form_add(&body, "refresh_token", c->auth.identity_token);
	strlist_add(&headers, "Content-Type: application/x-www-form-urlencoded");
	q.body = body.p;
	q.body_len = body.len;
	return client_exchange(c, &q, NULL, a, err);
}

static int ask_basic(struct client *c, const struct asked *k, int cancel_fd, struct answer *a,
		     struct error *err)
{
	auto_str url = STR_INIT;
	auto_free char *value = c->auth.username ? basic_value(&c->auth) : NULL;
	struct call q = {.method = "GET", .cancel_fd = cancel_fd};

	str_puts(&url, k->realm);
	if (c->auth.username)
		query_add(&url, "account", c->auth.username);
	if (k->offline) {
		query_add(&url, "client_id", CLIENT_ID);
		query_add(&url, "offline_token", "true");
	}
	add_scopes(&url, k->scopes, k->n, query_add);
	if (k->service)
		query_add(&url, "service", k->service);
	q.url = str_cstr(&url);
	return client_exchange(c, &q, value, a, err);
}

static int refused(const struct answer *a, const struct asked *k, struct error *err)
{
	struct error bad = ERROR_INIT;
	auto_json *j = json_parse(str_cstr(&a->body), a->body.len, &bad);
	const char *details = json_get_str(j, "details", NULL);
	json *first = json_first(json_get(j, "errors"));

	if (!details)
		details = json_get_str(first, "message", NULL);
	if (a->r.status == 401 || a->r.status == 403)
		return error_set(err, ERR_UNAUTHORIZED, "unauthorized: %s",
				 details ? details : "authentication required");
	return error_set(err, ERR_SYSTEM, "token server %s: unexpected HTTP status %d%s%s",
			 k->realm, a->r.status, details ? ": " : "", details ? details : "");
}

/* Asks the token server. *refresh may be NULL. */
static int fetch_token(struct client *c, const struct asked *k, int cancel_fd, struct token **out,
		       char **refresh, struct error *err)
{
	auto_answer a = {.code = ""};
	auto_json *j = NULL;
	const char *text;
	int64_t life;
	int r;

	if (str_after(c->ep.url, "https://") && !str_after(k->realm, "https://"))
		return error_set(err, ERR_SYSTEM,
				 "token server %.200s is not encrypted, but its registry is",
				 k->realm);
	r = c->auth.identity_token ? ask_oauth(c, k, cancel_fd, &a, err)
				   : ask_basic(c, k, cancel_fd, &a, err);
	if (r < 0)
		return -1;
	if (a.r.status < 200 || a.r.status >= 300)
		return refused(&a, k, err);
	j = json_parse(str_cstr(&a.body), a.body.len, err);
	if (!j)
		return error_wrap(err, "unable to decode token response");
	text = json_get_str(j, "access_token", NULL);
	if (str_empty(text))
		text = json_get_str(j, "token", NULL);
	if (str_empty(text) || strpbrk(text, "\r\n"))
		return error_set(err, ERR_SYSTEM,
				 "authorization server did not include a token in the response");
	life = json_get_i64(j, "expires_in", MIN_LIFE_S);
	if (life < MIN_LIFE_S)
		life = MIN_LIFE_S;
	if (life > 24 * 3600)
		life = 24 * 3600;
	*out = xnew(struct token);
	(*out)->text = xstrdup(text);
	(*out)->until = clock_mono_ns() + (life - EARLY_S) * 1000000000;
	if (refresh && *json_get_str(j, "refresh_token", ""))
		*refresh = xstrdup(json_get_str(j, "refresh_token", ""));
	return 0;
}

static void asked_free(struct asked *k)
{
	free(k->realm);
	free(k->service);
	free(k->scopes[0]);
	free(k->scopes[1]);
}

/* What the registry wants, copied. False: nothing that we have to answer. */
static bool learnt(struct client *c, struct asked *k, bool *basic)
{
	LOCK_SCOPE(&c->lock);
	*basic = c->challenge.basic && !c->challenge.bearer;
	if (!c->challenge.bearer)
		return c->challenge.basic;
	k->realm = xstrdup(c->challenge.realm ? c->challenge.realm : "");
	k->service = xstrdup_null(c->challenge.service);
	return true;
}

static char *cached(struct client *c, const char *key)
{
	struct token *t;
	LOCK_SCOPE(&c->lock);

	t = map_get(&c->tokens, key);
	return t && t->until > clock_mono_ns() ? xasprintf("Bearer %s", t->text) : NULL;
}

static int bearer(struct client *c, struct asked *k, const char *mount_from, int cancel_fd,
		  char **value, struct error *err)
{
	auto_free char *key = xasprintf("%s", mount_from ? mount_from : "");
	struct token *fresh = NULL, *old;

	if ((*value = cached(c, key)))
		return 0;
	if (!str_after(k->realm, "http://") && !str_after(k->realm, "https://"))
		return error_set(err, ERR_SYSTEM, "no token server is given for the registry (%s)",
				 k->realm);
	if (*c->repository)
		k->scopes[k->n++] = xasprintf("repository:%s:%s", c->repository, c->actions);
	if (mount_from)
		k->scopes[k->n++] = xasprintf("repository:%s:pull", mount_from);
	if (fetch_token(c, k, cancel_fd, &fresh, NULL, err) < 0)
		return -1;
	*value = xasprintf("Bearer %s", fresh->text);
	pthread_mutex_lock(&c->lock);
	old = map_set(&c->tokens, key, fresh);
	pthread_mutex_unlock(&c->lock);
	if (old)
		token_free(old);
	return 0;
}

int client_authorize(struct client *c, const char *mount_from, int cancel_fd, char **value,
		     struct error *err)
{
	__attribute__((cleanup(asked_free))) struct asked k = {.n = 0};
	bool basic;

	*value = NULL;
	if (c->auth.registry_token) {
		*value = xasprintf("Bearer %s", c->auth.registry_token);
		return 0;
	}
	if (!learnt(c, &k, &basic))
		return 0;
	if (!basic)
		return bearer(c, &k, mount_from, cancel_fd, value, err);
	if (!c->auth.username)
		return error_set(err, ERR_SYSTEM, "no basic auth credentials");
	*value = basic_value(&c->auth);
	return 0;
}

int client_login_token(struct client *c, int cancel_fd, char **refresh, struct error *err)
{
	__attribute__((cleanup(asked_free))) struct asked k = {.offline = true};
	struct token *t = NULL, *old;
	bool basic;

	*refresh = NULL;
	if (!learnt(c, &k, &basic) || basic)
		return 0;
	if (fetch_token(c, &k, cancel_fd, &t, refresh, err) < 0)
		return -1;
	pthread_mutex_lock(&c->lock);
	old = map_set(&c->tokens, "", t);
	pthread_mutex_unlock(&c->lock);
	if (old)
		token_free(old);
	return 0;
}
