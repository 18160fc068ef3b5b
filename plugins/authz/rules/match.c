/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a rule match? Each condition is true, false, or can't be judged (a body that is not shown). What can't be judged matches a rule that
 * denies and does not match one that allows. Bodies are read by the same code and in the same way as the daemon's handlers do.
 */
#include "rules.h"
#include "base/mem.h"

#include <fnmatch.h>
#include <strings.h>

enum tri { NO, YES, UNKNOWN };

static const char *const states[] = {[DOCKERD_AUTHZ_BODY_NONE] = "none",
				     [DOCKERD_AUTHZ_BODY_WHOLE] = "whole",
				     [DOCKERD_AUTHZ_BODY_LARGE] = "large",
				     [DOCKERD_AUTHZ_BODY_OTHER] = "other"};

const char *rules_body_state_name(uint32_t state)
{
	return state < ARRAY_LEN(states) ? states[state] : NULL;
}

/* The body, parsed when the first rule asks for it. */
struct request {
	const struct dockerd_authz_request *r;
	uint32_t body_state;
	json *body;
	bool parsed, readable;
};

/* One value or any of a list. */
#define ANY(list, c, expression)                                                    \
	({                                                                          \
		bool any_ = false;                                                  \
		const bool many_ = json_type(list) == JSON_ARRAY;                   \
		for (const json *c = many_ ? json_first(list) : (list); c && !any_; \
		     c = many_ ? json_next(c) : NULL)                               \
			any_ = (expression);                                        \
		any_;                                                               \
	})

/* '*' and '?' match slashes too; patterns hold no escapes. */
static bool glob_is(const char *pattern, const char *text)
{
	return fnmatch(pattern, text ? text : "", FNM_NOESCAPE) == 0;
}

static bool matches(const json *patterns, const char *text)
{
	return ANY(patterns, c, glob_is(json_str(c, ""), text));
}

static bool number_in(const json *numbers, int64_t v)
{
	return ANY(numbers, c, json_i64(c, INT64_MIN) == v);
}

/* "POST /containers/create", or "/containers/create" for any method. */
static bool route_is(const char *pattern, const char *route)
{
	if (*pattern == '/') {
		route = strchr(route, ' ');
		return route && glob_is(pattern, route + 1);
	}
	return glob_is(pattern, route);
}

static bool headers_match(const json *want, const struct dockerd_authz_request *r)
{
	for (const json *h = json_first(want); h; h = json_next(h)) {
		bool found = false;

		for (uint32_t i = 0; i < r->header_count && !found; i++)
			found = !strcasecmp(r->headers[i].key, json_name(h)) &&
				matches(h, r->headers[i].value);
		if (!found)
			return false;
	}
	return true;
}

/* As a handler reads it: what is absent or of another type is false, 0, "". */
static bool value_is(const json *want, const json *got)
{
	switch (json_type(want)) {
	case JSON_BOOL:
		return json_bool(got, false) == json_bool(want, false);
	case JSON_NUMBER:
		return json_i64(got, 0) == json_i64(want, 0);
	case JSON_STRING:
		return glob_is(json_str(want, ""), json_str(got, ""));
	default:
		return json_type(got) == JSON_MISSING || json_type(got) == JSON_NULL;
	}
}

/* `path`: names joined by dots; "*" is any element or member. */
static bool field_matches(const json *want, const json *at, const char *path)
{
	size_t n = strcspn(path, ".");
	char name[256];

	if (!*path)
		return ANY(want, c, value_is(c, at));
	if (n >= sizeof(name))
		return false;
	memcpy(name, path, n);
	name[n] = '\0';
	path += n + (path[n] == '.');
	if (!streq(name, "*"))
		return field_matches(want, json_get(at, name), path);
	for (const json *c = json_first(at); c; c = json_next(c))
		if (field_matches(want, c, path))
			return true;
	return false;
}

static enum tri body_matches(const json *want, struct request *q)
{
	if (q->body_state == DOCKERD_AUTHZ_BODY_LARGE || q->body_state == DOCKERD_AUTHZ_BODY_OTHER)
		return UNKNOWN;
	if (!q->parsed) {
		struct error err = ERROR_INIT;

		q->parsed = true;
		q->readable = q->body_state == DOCKERD_AUTHZ_BODY_NONE || !q->r->body_length;
		if (!q->readable) {
			q->body = json_parse(q->r->body, (size_t)q->r->body_length, &err);
			q->readable = q->body != NULL;
		}
	}
	if (!q->readable)
		return UNKNOWN;
	for (const json *f = json_first(want); f; f = json_next(f))
		if (!field_matches(f, q->body, json_name(f)))
			return NO;
	return YES;
}

static enum tri rule_matches(const struct rule *rule, struct request *q)
{
	const struct dockerd_authz_request *r = q->r;
	bool tls = r->auth_method && streq(r->auth_method, "TLS");

	if ((rule->user && !matches(rule->user, r->user)) ||
	    (rule->tls_name && !(tls && matches(rule->tls_name, r->user))) ||
	    (rule->auth_method && !matches(rule->auth_method, r->auth_method)) ||
	    (rule->method && !matches(rule->method, r->method)) ||
	    (rule->route && !ANY(rule->route, c, route_is(json_str(c, ""), r->route))) ||
	    (rule->uid && !number_in(rule->uid, r->peer_uid)) ||
	    (rule->gid && !number_in(rule->gid, r->peer_gid)) ||
	    (rule->header && !headers_match(rule->header, r)) ||
	    (rule->body_state && !matches(rule->body_state, states[q->body_state])) ||
	    (rule->status && !number_in(rule->status, r->status)))
		return NO;
	return rule->body ? body_matches(rule->body, q) : YES;
}

const struct rule *rules_match(const struct rule_set *s, const struct dockerd_authz_request *r,
			       enum phase phase)
{
	struct request q = {.r = r};
	const struct rule *found = NULL;

	/* of a daemon that does not say why: a body that is not there is one that is not shown */
	q.body_state = r->size >= offsetof(struct dockerd_authz_request, status)
			   ? r->body_state
		       : r->body ? DOCKERD_AUTHZ_BODY_WHOLE
				 : DOCKERD_AUTHZ_BODY_LARGE;
	if (q.body_state >= ARRAY_LEN(states))
		q.body_state = DOCKERD_AUTHZ_BODY_OTHER;
	for (size_t i = 0; i < s->n && !found; i++) {
		const struct rule *rule = &s->rules[i];
		enum tri m = rule->phase == phase ? rule_matches(rule, &q) : NO;

		if (m == YES || (m == UNKNOWN && !rule->allow))
			found = rule;
	}
	json_free(q.body);
	return found;
}
