/* SPDX-License-Identifier: Apache-2.0 */
/* See client.h. */
#include "registry/client.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define IDLE_SECONDS 60
#define ERROR_MAX (64 * 1024)
#define REDIRECTS 10
#define AGENT "User-Agent: docker/28.5.2 dockerd-in-C/" PACKAGE_VERSION

/* ---- life ------------------------------------------------------------------------------------------------------------------------- */

static void auth_copy(struct registry_auth *to, const struct registry_auth *from)
{
	*to = (struct registry_auth){
	    .username = xstrdup_null(from->username),
	    .password = xstrdup_null(from->password),
	    .identity_token = xstrdup_null(from->identity_token),
	    .registry_token = xstrdup_null(from->registry_token),
	    .server = xstrdup_null(from->server),
	};
}

struct client *client_new(const struct registry_settings *s, const struct endpoint *ep,
			  const struct registry_auth *auth, const char *repository,
			  const char *actions, struct error *err)
{
	const struct registry_module *m = registry_module(err);
	struct client *c;

	if (!m)
		return NULL;
	c = xnew(struct client);
	c->m = m;
	c->refs = 1;
	pthread_mutex_init(&c->lock, NULL);
	c->repository = xstrdup(repository);
	c->actions = xstrdup(actions);
	if (auth && !ep->mirror) /* a mirror is somebody else */
		auth_copy(&c->auth, auth);
	if (endpoint_at(s, ep->url, ep->insecure, &c->ep, err) < 0) {
		client_unref(c);
		return NULL;
	}
	c->ep.mirror = ep->mirror;
	c->http_proxy = xstrdup_null(s->http_proxy);
	c->https_proxy = xstrdup_null(s->https_proxy);
	c->no_proxy = xstrdup_null(s->no_proxy);
	return c;
}

struct client *client_ref(struct client *c)
{
	LOCK_SCOPE(&c->lock);
	c->refs++;
	return c;
}

void client_unref(struct client *c)
{
	bool last;

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	last = --c->refs == 0;
	pthread_mutex_unlock(&c->lock);
	if (!last)
		return;
	while (c->n_idle)
		c->m->close(c->idle[--c->n_idle]);
	map_free(&c->tokens, token_free);
	challenge_free(&c->challenge);
	registry_auth_free(&c->auth);
	endpoint_free(&c->ep);
	free(c->repository);
	free(c->actions);
	free(c->origin);
	free(c->http_proxy);
	free(c->https_proxy);
	free(c->no_proxy);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void answer_free(struct answer *a)
{
	transport_reply_free(&a->r);
	str_free(&a->body);
	*a = (struct answer){.code = ""};
}

static struct transport *line_take(struct client *c)
{
	LOCK_SCOPE(&c->lock);
	return c->n_idle ? c->idle[--c->n_idle] : c->m->open();
}

static void line_give(struct client *c, struct transport *t)
{
	LOCK_SCOPE(&c->lock);
	if (c->n_idle < ARRAY_LEN(c->idle))
		c->idle[c->n_idle++] = t;
	else
		c->m->close(t);
}

char *client_url(const struct client *c, const char *path)
{
	return xasprintf("%s/v2/%s/%s", c->ep.url, c->repository, path);
}

const char *answer_header(const struct answer *a, const char *name)
{
	return pairs_get(&a->r.headers, name);
}

bool answer_unreached(const struct answer *a)
{
	return a->r.status == 0 && a->r.fault != TRANSPORT_CANCELLED;
}

/* ---- errors ----------------------------------------------------------------------------------------------------------------------- */

/* `Get "URL"`, as Go's url.Error begins. */
static void go_prefix(const struct call *q, char *out, size_t n)
{
	snprintf(out, n, "%c%s \"%s\"", q->method[0], q->method + 1, q->url);
	for (char *p = out + 1; *p && *p != ' '; p++)
		*p |= 0x20;
}

static const char *verify_words(const char *text)
{
	if (strstr(text, "expired"))
		return "x509: certificate has expired or is not yet valid";
	if (strstr(text, "subject name") || strstr(text, "host name"))
		return "x509: certificate is not valid for this host name";
	return "x509: certificate signed by unknown authority";
}

static int transport_error(const struct call *q, const struct answer *a, struct error *err)
{
	const struct transport_reply *r = &a->r;
	auto_free char *host = url_host(q->url);
	char prefix[600];

	if (r->fault == TRANSPORT_CANCELLED)
		return error_set(err, ERR_CANCELLED, "context canceled");
	if (r->fault == TRANSPORT_STOPPED && q->why && q->why->kind != ERR_NONE)
		return error_set(err, q->why->kind, "%s", q->why->text);
	go_prefix(q, prefix, sizeof(prefix));
	switch (r->fault) {
	case TRANSPORT_RESOLVE:
		if (host)
			host[strcspn(host, ":")] = '\0';
		return error_set(err, ERR_SYSTEM, "%s: dial tcp: lookup %s: no such host", prefix,
				 host ? host : "");
	case TRANSPORT_CONNECT: {
		char reason[128];

		snprintf(reason, sizeof(reason), "%s", strerror(r->sys));
		reason[0] |= 0x20;
		return error_set(err, ERR_SYSTEM, "%s: dial tcp %s: connect: %s", prefix, r->peer,
				 reason);
	}
	case TRANSPORT_PLAIN:
		return error_set(err, ERR_SYSTEM,
				 "%s: http: server gave HTTP response to HTTPS client", prefix);
	case TRANSPORT_VERIFY:
		return error_set(err, ERR_SYSTEM, "%s: tls: failed to verify certificate: %s",
				 prefix, verify_words(r->text));
	case TRANSPORT_TIMEOUT:
		return error_set(err, ERR_SYSTEM, "%s: dial tcp %s: i/o timeout", prefix, r->peer);
	default:
		return error_set(err, ERR_SYSTEM, "%s: %s", prefix, r->text);
	}
}

static enum error_kind kind_of(int status, const char *code)
{
	if (streq(code, "UNKNOWN"))
		return ERR_SYSTEM;
	switch (status) {
	case 401:
		return ERR_UNAUTHORIZED;
	case 403:
		return ERR_DENIED;
	case 404:
		return ERR_NOT_FOUND;
	case 429:
		return ERR_TOO_MANY;
	default:
		return ERR_SYSTEM;
	}
}

/* "manifest unknown: manifest unknown": code in small letters, message. */
static void put_error(struct str *out, const char *code, const char *message)
{
	for (; *code; code++)
		str_putc(out, *code == '_'                   ? ' '
			      : *code >= 'A' && *code <= 'Z' ? (char)(*code + 32)
							     : *code);
	str_puts(out, ": ");
	str_puts(out, message);
}

static bool is_json(const struct answer *a)
{
	const char *type = answer_header(a, "content-type");

	return type && (str_after(type, "application/json") || strstr(type, "+json"));
}

/* {"errors":[{code,message,detail}]} or {"details":...}. Source: distribution registry/client/errors.go. */
static int registry_error(struct answer *a, struct error *err)
{
	static const struct {
		int status;
		const char *code;
	} codes[] = {{401, "UNAUTHORIZED"}, {403, "DENIED"}, {429, "TOOMANYREQUESTS"}};
	struct error bad = ERROR_INIT;
	auto_json *j = is_json(a) ? json_parse(str_cstr(&a->body), a->body.len, &bad) : NULL;
	const char *details = json_get_str(j, "details", NULL), *code = "UNKNOWN";
	int status = a->r.status;
	auto_str text = STR_INIT;

	if (status >= 500 || status < 400)
		return error_set(err, ERR_SYSTEM, "received unexpected HTTP status: %d %s", status,
				 status == 500   ? "Internal Server Error"
				 : status == 502 ? "Bad Gateway"
				 : status == 503 ? "Service Unavailable"
				 : status == 504 ? "Gateway Timeout"
						 : "");
	for (json *e = json_first(json_get(j, "errors")); e; e = json_next(e)) {
		const char *c = json_get_str(e, "code", "UNKNOWN"),
			   *m = json_get_str(e, "message", "");

		if (!a->code[0])
			snprintf(a->code, sizeof(a->code), "%s", c);
		if (text.len)
			str_putc(&text, '\n');
		put_error(&text, c, *m ? m : c);
	}
	if (text.len)
		return error_set(err, kind_of(status, a->code), "%s", str_cstr(&text));
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].status == status)
			code = codes[i].code;
	snprintf(a->code, sizeof(a->code), "%s", code);
	put_error(&text, code,
		  details         ? details
		  : a->body.len   ? str_cstr(&a->body)
		  : status == 401 ? "authentication required"
				  : "unknown error");
	return error_set(err, kind_of(status, a->code), "%s", str_cstr(&text));
}

/* ---- one exchange ----------------------------------------------------------------------------------------------------------------- */

struct receiving {
	const struct call *q;
	struct answer *a;
	bool enough, good;
	bool too_long;
};

static int on_head(void *ctx, int status, const struct pairs *headers)
{
	struct receiving *v = ctx;

	v->good = status >= 200 && status < 300;
	return v->good && v->q->head ? v->q->head(v->q->ctx, status, headers) : 0;
}

static int on_bytes(void *ctx, const void *p, size_t n)
{
	struct receiving *v = ctx;
	size_t max = v->q->max ? v->q->max : DOCUMENT_MAX;

	if (v->good && v->q->write)
		return v->q->write(v->q->ctx, p, n);
	if (!v->good && v->a->body.len + n > ERROR_MAX) {
		v->enough = true; /* to be shown; who sends on and on is not listened to */
		str_add(&v->a->body, p, ERROR_MAX - v->a->body.len);
		return -1;
	} else if (v->a->body.len + n > max) {
		v->too_long = true;
		return -1;
	}
	str_add(&v->a->body, p, n);
	return 0;
}

static ssize_t on_read(void *ctx, void *buf, size_t n)
{
	struct receiving *v = ctx;

	return v->q->read(v->q->ctx, buf, n);
}

static bool header_plain(const char *h)
{
	while (*h && *h != 0x7f && ((unsigned char)*h >= ' ' || *h == '\t'))
		h++;
	return !*h;
}

int client_exchange(struct client *c, const struct call *q, const char *authorization,
		    struct answer *a, struct error *err)
{
	struct receiving v = {.q = q, .a = a};
	auto_strlist headers = STRLIST_INIT;
	struct transport *line = line_take(c);
	const struct registry_settings proxies = {
	    .http_proxy = c->http_proxy, .https_proxy = c->https_proxy, .no_proxy = c->no_proxy};
	auto_free char *proxy = proxy_for(&proxies, q->url);
	/* What we are is shown to the registry itself only. */
	bool own = same_origin(q->url, c->ep.url);
	struct transport_request r = {
	    .method = q->method,
	    .url = q->url,
	    .headers = &headers,
	    .tls = {.insecure = c->ep.insecure,
		    .ca = &c->ep.ca,
		    .cert = own ? c->ep.cert : NULL,
		    .key = own ? c->ep.key : NULL},
	    .proxy = proxy,
	    .cancel_fd = q->cancel_fd,
	    .idle_s = IDLE_SECONDS,
	    .body = q->body,
	    .body_len = q->body_len,
	    .read = q->read ? on_read : NULL,
	    .head = on_head,
	    .write = on_bytes,
	    .ctx = &v,
	};
	int done;

	a->own = own;
	if (!url_plain(q->url)) {
		line_give(c, line);
		return error_set(err, ERR_INVALID, "%s: refused URL \"%.200s\"", q->method, q->url);
	}
	if (q->headers)
		strlist_copy(&headers, q->headers);
	strlist_add(&headers, AGENT);
	if (authorization)
		strlist_printf(&headers, "Authorization: %s", authorization);
	/* libcurl sends them as they are: a line break would begin another header, or another request */
	for (size_t i = 0; i < headers.n; i++)
		if (!header_plain(headers.v[i])) {
			line_give(c, line);
			return error_set(err, ERR_INVALID,
					 "%s %s: invalid header field value: control "
					 "characters are not sent",
					 q->method, q->url);
		}
	done = c->m->perform(line, &r, &a->r);
	line_give(c, line);
	if (v.too_long)
		return error_set(err, ERR_INVALID, "%s %s: the reply is larger than %zu bytes",
				 q->method, q->url, q->max ? q->max : (size_t)DOCUMENT_MAX);
	return done < 0 && !v.enough ? transport_error(q, a, err) : 0;
}

static bool is_redirect(const struct answer *a)
{
	int s = a->r.status;

	return a->r.redirect && (s == 301 || s == 302 || s == 303 || s == 307 || s == 308);
}

/* Follow as a GET or HEAD; only our own origin sees credentials. */
static int follow(struct client *c, const struct call *q, const char *authorization,
		  struct answer *a, struct error *err)
{
	auto_free char *url = NULL;

	for (int i = 0; is_redirect(a) && (streq(q->method, "GET") || streq(q->method, "HEAD"));
	     i++) {
		struct call next = *q;

		if (i == REDIRECTS)
			return error_set(err, ERR_SYSTEM, "%s \"%s\": stopped after 10 redirects",
					 q->method, q->url);
		free(url);
		url = steal_ptr(&a->r.redirect);
		if (str_after(q->url, "https://") && !str_after(url, "https://"))
			return error_set(err, ERR_SYSTEM,
					 "%s redirects to %s, which is not encrypted", q->url, url);
		answer_free(a);
		next.url = url;
		if (client_exchange(c, &next, same_origin(url, c->ep.url) ? authorization : NULL, a,
				    err) < 0)
			return -1;
	}
	return 0;
}

static int call_once(struct client *c, const struct call *q, struct answer *a, struct error *err)
{
	auto_free char *authorization = NULL;

	/* An upload's next place may be elsewhere. */
	if (same_origin(q->url, c->ep.url) &&
	    client_authorize(c, q->mount_from, q->cancel_fd, &authorization, err) < 0) {
		char prefix[600];

		if (err->kind == ERR_CANCELLED)
			return -1;
		go_prefix(q, prefix, sizeof(prefix));
		return streq(q->method, "GET") || streq(q->method, "HEAD")
			   ? error_wrap(err, "%s", prefix)
			   : -1;
	}
	if (client_exchange(c, q, authorization, a, err) < 0)
		return -1;
	return follow(c, q, authorization, a, err);
}

int client_call(struct client *c, const struct call *q, struct answer *a, struct error *err)
{
	*a = (struct answer){.code = ""};
	if (call_once(c, q, a, err) < 0)
		return -1;
	if (a->r.status == 401 && a->own && !q->read) {
		/* The token has run out, or is not for this: what it takes stands in the reply. */
		client_learn(c, &a->r.headers);
		client_forget_tokens(c);
		answer_free(a);
		if (call_once(c, q, a, err) < 0)
			return -1;
	}
	if (a->r.status >= 200 && a->r.status < 300)
		return 0;
	return registry_error(a, err);
}

int client_get(struct client *c, const struct call *q, struct answer *a, struct error *err)
{
	*a = (struct answer){.code = ""};
	return client_exchange(c, q, NULL, a, err) < 0 ? -1 : follow(c, q, NULL, a, err);
}

int client_ping(struct client *c, int cancel_fd, int *status, struct error *err)
{
	auto_free char *url = xasprintf("%s/v2/", c->ep.url);
	struct call q = {.method = "GET", .url = url, .cancel_fd = cancel_fd};
	auto_answer a = {.code = ""};

	if (client_get(c, &q, &a, err) < 0)
		return -1;
	if (a.own)
		client_learn(c, &a.r.headers);
	if (status)
		*status = a.r.status;
	return 0;
}
