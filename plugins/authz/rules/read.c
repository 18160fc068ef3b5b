/* SPDX-License-Identifier: Apache-2.0 */
/* The rule file: every key is known and of its type, or the file is refused with the place. */
#include "rules.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILE_MAX (4 * 1024 * 1024)

struct reading {
	const char *path;
	struct str text;
	struct error *err;
};

enum shape { STRINGS, NUMBERS, HEADERS, FIELDS, ONE_STRING };

/* Where the rule's text begins: the n-th object two levels deep. */
static size_t rule_offset(const struct str *text, size_t n)
{
	int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text->len; i++) {
		char c = text->p[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (c == '{' && depth == 2 && n-- == 0)
				return i;
			depth++;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return 0;
}

static unsigned int line_of(const struct str *text, size_t offset)
{
	unsigned int line = 1;

	for (size_t i = 0; i < offset && i < text->len; i++)
		line += text->p[i] == '\n';
	return line;
}

/* Refuse what stands at `key` of a rule (rule -1: of the file). */
static int refuse(struct reading *r, long rule, const char *key, const char *what)
{
	size_t from = rule < 0 ? 0 : rule_offset(&r->text, (size_t)rule);
	auto_free char *quoted = xasprintf("\"%s\"", key);
	const char *at = strstr(str_cstr(&r->text) + from, quoted);
	unsigned int line = line_of(&r->text, at ? (size_t)(at - r->text.p) : from);

	if (rule < 0)
		return error_set(r->err, ERR_INVALID, "%s:%u: \"%s\": %s", r->path, line, key,
				 what);
	return error_set(r->err, ERR_INVALID, "%s:%u: rules[%ld].%s: %s", r->path, line, rule, key,
			 what);
}

static bool is_scalar(const json *j)
{
	enum json_type t = json_type(j);

	return t == JSON_STRING || t == JSON_NUMBER || t == JSON_BOOL || t == JSON_NULL;
}

/* One value, or a list of them that is not empty. */
static bool all_of(const json *j, bool (*good)(const json *))
{
	if (json_type(j) != JSON_ARRAY)
		return good(j);
	if (!json_first(j))
		return false;
	for (const json *c = json_first(j); c; c = json_next(c))
		if (!good(c))
			return false;
	return true;
}

static bool is_string(const json *j)
{
	return json_type(j) == JSON_STRING;
}

static bool is_number(const json *j)
{
	return json_type(j) == JSON_NUMBER;
}

static bool fits(const json *j, enum shape shape)
{
	switch (shape) {
	case ONE_STRING:
		return is_string(j);
	case STRINGS:
		return all_of(j, is_string);
	case NUMBERS:
		return all_of(j, is_number);
	case HEADERS:
	case FIELDS:
		if (json_type(j) != JSON_OBJECT || !json_first(j))
			return false;
		for (const json *c = json_first(j); c; c = json_next(c))
			if (!*json_name(c) || !all_of(c, shape == HEADERS ? is_string : is_scalar))
				return false;
		return true;
	}
	return false;
}

static const char *const expected[] = {[STRINGS] = "expected a string or a list of strings",
				       [NUMBERS] = "expected a number or a list of numbers",
				       [HEADERS] =
					   "expected an object of header names and patterns",
				       [FIELDS] = "expected an object of field paths and values",
				       [ONE_STRING] = "expected a string"};

static int check_states(struct reading *r, long i, const json *j)
{
	for (const json *c = json_type(j) == JSON_ARRAY ? json_first(j) : j; c;
	     c = json_type(j) == JSON_ARRAY ? json_next(c) : NULL) {
		bool known = false;

		for (uint32_t s = 0; rules_body_state_name(s); s++)
			known |= streq(json_str(c, ""), rules_body_state_name(s));
		if (!known)
			return refuse(r, i, "body-state", "expected none, whole, large or other");
	}
	return 0;
}

static int read_member(struct reading *r, long i, struct rule *rule, const json *j)
{
	const struct {
		const char *key;
		enum shape shape;
		const json **to;
	} keys[] = {
	    {"user", STRINGS, &rule->user},
	    {"tls-name", STRINGS, &rule->tls_name},
	    {"auth-method", STRINGS, &rule->auth_method},
	    {"method", STRINGS, &rule->method},
	    {"route", STRINGS, &rule->route},
	    {"uid", NUMBERS, &rule->uid},
	    {"gid", NUMBERS, &rule->gid},
	    {"header", HEADERS, &rule->header},
	    {"body", FIELDS, &rule->body},
	    {"body-state", STRINGS, &rule->body_state},
	    {"status", NUMBERS, &rule->status},
	    {"verdict", ONE_STRING, NULL},
	    {"phase", ONE_STRING, NULL},
	    {"name", ONE_STRING, NULL},
	    {"message", ONE_STRING, NULL},
	};
	const char *key = json_name(j), *text = json_str(j, "");

	for (size_t n = 0; n < ARRAY_LEN(keys); n++) {
		if (!streq(keys[n].key, key))
			continue;
		if (!fits(j, keys[n].shape))
			return refuse(r, i, key, expected[keys[n].shape]);
		if (keys[n].to) {
			if (*keys[n].to)
				return refuse(r, i, key, "stands twice");
			*keys[n].to = j;
			return keys[n].to == &rule->body_state ? check_states(r, i, j) : 0;
		}
		if (streq(key, "verdict") && !streq(text, "allow") && !streq(text, "deny"))
			return refuse(r, i, key, "expected allow or deny");
		if (streq(key, "phase") && !streq(text, "request") && !streq(text, "response"))
			return refuse(r, i, key, "expected request or response");
		return 0;
	}
	return refuse(r, i, key, "unknown key");
}

static int read_rule(struct reading *r, long i, struct rule *rule, const json *j)
{
	const char *phase = json_get_str(j, "phase", "request");

	if (json_type(j) != JSON_OBJECT)
		return error_set(r->err, ERR_INVALID, "%s: rules[%ld]: expected an object", r->path,
				 i);
	for (const json *c = json_first(j); c; c = json_next(c))
		if (read_member(r, i, rule, c) < 0)
			return -1;
	if (!json_get(j, "verdict"))
		return refuse(r, i, "verdict", "is missing: allow or deny");
	rule->allow = streq(json_get_str(j, "verdict", ""), "allow");
	rule->phase = streq(phase, "response") ? PHASE_RESPONSE : PHASE_REQUEST;
	if (rule->status && rule->phase == PHASE_REQUEST)
		return refuse(r, i, "status", "a request has none: set \"phase\": \"response\"");
	rule->name = json_get_str(j, "name", NULL) ? xstrdup(json_get_str(j, "name", ""))
						   : xasprintf("rules[%ld]", i);
	if (json_get_str(j, "message", NULL))
		rule->message = xstrdup(json_get_str(j, "message", ""));
	return 0;
}

static int read_all(struct reading *r, struct rule_set *s)
{
	const json *rules = json_get(s->tree, "rules");
	const char *fallback = json_get_str(s->tree, "default", "deny");

	if (json_type(s->tree) != JSON_OBJECT)
		return error_set(r->err, ERR_INVALID, "%s:1: expected an object", r->path);
	for (const json *c = json_first(s->tree); c; c = json_next(c))
		if (!streq(json_name(c), "rules") && !streq(json_name(c), "default"))
			return refuse(r, -1, json_name(c), "unknown key");
	if (json_get(s->tree, "default") && !streq(fallback, "allow") &&
	    (!streq(fallback, "deny") || json_type(json_get(s->tree, "default")) != JSON_STRING))
		return refuse(r, -1, "default", "expected allow or deny");
	if (json_type(rules) != JSON_ARRAY)
		return refuse(r, -1, "rules", "expected a list of rules");
	s->default_allow = streq(fallback, "allow");
	s->rules = xcalloc(json_count(rules) + 1, sizeof(*s->rules));
	for (const json *c = json_first(rules); c; c = json_next(c)) {
		struct rule *rule = &s->rules[s->n];

		s->n++;
		if (read_rule(r, (long)s->n - 1, rule, c) < 0)
			return -1;
		s->has_response |= rule->phase == PHASE_RESPONSE;
	}
	return 0;
}

/* Who may write the rules may do everything. */
static int read_file(struct reading *r)
{
	auto_close fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(r->err, errno, "rule file %s", r->path);
	if (!S_ISREG(st.st_mode))
		return error_set(r->err, ERR_INVALID, "rule file %s is no regular file", r->path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return error_set(r->err, ERR_DENIED,
				 "rule file %s is owned by uid %u, expected root", r->path,
				 st.st_uid);
	if (st.st_mode & S_IWOTH)
		return error_set(r->err, ERR_DENIED,
				 "rule file %s is writable by others (mode %04o): chmod o-w it",
				 r->path, st.st_mode & 07777);
	return file_read_fd(fd, FILE_MAX, &r->text, r->err);
}

struct rule_set *rules_read(const char *path, struct error *err)
{
	struct reading r = {.path = path, .err = err};
	struct rule_set *s = xcalloc(1, sizeof(*s));
	size_t offset;
	const char *at;
	int rc = read_file(&r);

	if (rc == 0) {
		s->tree = json_parse(str_cstr(&r.text), r.text.len, err);
		rc = s->tree ? read_all(&r, s) : -1;
		at = strstr(err->text, "offset ");
		if (!s->tree && at && sscanf(at, "offset %zu", &offset) == 1)
			error_wrap(err, "%s:%u", path, line_of(&r.text, offset));
		else if (!s->tree)
			error_wrap(err, "%s", path);
	}
	str_free(&r.text);
	if (rc < 0) {
		rules_free(s);
		return NULL;
	}
	return s;
}

void rules_free(struct rule_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->rules[i].name);
		free(s->rules[i].message);
	}
	free(s->rules);
	json_free(s->tree);
	free(s);
}
