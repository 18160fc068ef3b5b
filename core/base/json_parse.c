/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing half of json.h. cJSON 1.7 accepts more than JSON and loses 64-bit integers; a linear pass over the text
 * rejects what Go's decoder rejects and turns long integers into strings that start with a mark no JSON text can yield.
 */
#include "base/json.h"
#include "base/mem.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* 0x01 can't stand raw in a valid JSON string, and the pass writes it only here (an escaped \u0001 is told apart by the
 * digits that follow it: a client can't gain anything by imitating a number). */
#define BIG_MARK "\x01#"
#define MAX_DEPTH 900 /* cJSON has 1000 */

struct scan {
	const char *p, *end, *start;
	struct str out;
	struct error *err;
	int depth;
};

/* Go's decoder's words (encoding/json), which clients get to see: "invalid character '}' looking for beginning of value". */
static int bad(struct scan *s, const char *where)
{
	unsigned char c;
	size_t n = 1;

	if (s->p >= s->end)
		return error_set(s->err, ERR_INVALID, "unexpected end of JSON input");
	c = (unsigned char)*s->p;
	while (c >= 0xc0 && s->p + n < s->end && ((unsigned char)s->p[n] & 0xc0) == 0x80)
		n++; /* the bytes of one character */
	if (c < 0x20 || c == 0x7f) {
		const char *at = c ? strchr("\tt\nn\rr", c) : NULL;

		return at ? error_set(s->err, ERR_INVALID, "invalid character '\\%c' %s", at[1],
				      where)
			  : error_set(s->err, ERR_INVALID, "invalid character '\\x%02x' %s", c,
				      where);
	}
	if (n == 3 && !memcmp(s->p, "\xef\xbb\xbf", 3)) /* a byte order mark */
		return error_set(s->err, ERR_INVALID, "invalid character '\\ufeff' %s", where);
	return error_set(s->err, ERR_INVALID, "invalid character '%s%.*s' %s",
			 c == '\'' || c == '\\' ? "\\" : "", (int)n, s->p, where);
}

/* of so many bytes, at s->p */
static int bad_escape(struct scan *s, const char *from, size_t n)
{
	if (from + n > s->end)
		return error_set(s->err, ERR_INVALID, "unexpected end of JSON input");
	return error_set(s->err, ERR_INVALID, "invalid escape sequence `%.*s` in string", (int)n,
			 from);
}

static int scan_escape(struct scan *s)
{
	const char *at = s->p;
	unsigned int code = 0;

	s->p++;
	if (s->p >= s->end)
		return bad(s, "");
	if (*s->p != 'u') {
		if (!strchr("\"\\/bfnrt", *s->p) || !*s->p)
			return bad_escape(s, at, 2);
		s->p++;
		str_add(&s->out, at, 2);
		return 0;
	}
	s->p++;
	for (int i = 0; i < 4; i++, s->p++) {
		if (s->p >= s->end || !isxdigit((unsigned char)*s->p))
			return bad_escape(s, at, 6);
		code = code << 4 |
		       (unsigned int)(isdigit((unsigned char)*s->p) ? *s->p - '0'
								    : (*s->p | 32) - 'a' + 10);
	}
	if (code == 0)
		return error_set(s->err, ERR_INVALID, "\\u0000 is not allowed in a string");
	if (code >= 0xd800 && code <= 0xdfff) {
		unsigned int low = 0;

		if (code <= 0xdbff && s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u' &&
		    sscanf(s->p + 2, "%4x", &low) == 1 && low >= 0xdc00 && low <= 0xdfff) {
			str_add(&s->out, at, 12);
			s->p += 6;
		} else {
			str_puts(&s->out, "\\ufffd"); /* lone surrogate, as Go */
		}
		return 0;
	}
	str_add(&s->out, at, 6);
	return 0;
}

static int scan_string(struct scan *s)
{
	str_putc(&s->out, '"');
	s->p++;
	for (;;) {
		const char *run = s->p;

		while (s->p < s->end && *s->p != '"' && *s->p != '\\' &&
		       (unsigned char)*s->p >= 0x20)
			s->p++;
		str_add(&s->out, run, (size_t)(s->p - run));
		if (s->p >= s->end)
			return bad(s, "");
		if (*s->p == '"') {
			s->p++;
			str_putc(&s->out, '"');
			return 0;
		}
		if (*s->p != '\\')
			return bad(s, "in string");
		if (scan_escape(s) < 0)
			return -1;
	}
}

static int scan_digits(struct scan *s, size_t *n)
{
	if (s->p >= s->end || !isdigit((unsigned char)*s->p))
		return bad(s, "in numeric literal");
	for (; s->p < s->end && isdigit((unsigned char)*s->p); s->p++)
		++*n;
	return 0;
}

static int scan_number(struct scan *s)
{
	const char *at = s->p;
	bool integer = true;
	size_t digits = 0, rest = 0;

	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++, digits = 1; /* another digit is no part of it */
	else if (scan_digits(s, &digits) < 0)
		return -1;
	if (s->p < s->end && *s->p == '.') {
		integer = false;
		s->p++;
		if (scan_digits(s, &rest) < 0)
			return -1;
	}
	if (s->p < s->end && (*s->p | 32) == 'e') {
		integer = false;
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (scan_digits(s, &rest) < 0)
			return -1;
	}
	if (integer && digits >= 16) {
		str_puts(&s->out, "\"" BIG_MARK);
		str_add(&s->out, at, (size_t)(s->p - at));
		str_putc(&s->out, '"');
	} else {
		str_add(&s->out, at, (size_t)(s->p - at));
	}
	return 0;
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && strchr(" \t\r\n", *s->p) && *s->p)
		s->p++;
}

static int scan_word(struct scan *s, const char *word)
{
	char where[48];

	for (const char *w = word; *w; w++, s->p++)
		if (s->p >= s->end || *s->p != *w) {
			snprintf(where, sizeof(where), "in literal %s (expecting '%c')", word, *w);
			return bad(s, where);
		}
	str_puts(&s->out, word);
	return 0;
}

static int scan_value(struct scan *s); /* recurses, at most MAX_DEPTH deep */

/* One member of an object, or element of an array; then what separates it. 1: there is another, 0: that was the last. */
static int scan_member(struct scan *s, char close)
{
	bool object = close == '}', more;

	if (object) {
		if (s->p >= s->end || *s->p != '"')
			return bad(s, "looking for beginning of object key string");
		if (scan_string(s) < 0)
			return -1;
		skip_space(s);
		if (s->p >= s->end || *s->p != ':')
			return bad(s, "after object key");
		str_putc(&s->out, *s->p++);
		skip_space(s);
	}
	if (scan_value(s) < 0)
		return -1;
	skip_space(s);
	if (s->p >= s->end || (*s->p != ',' && *s->p != close))
		return bad(s, object ? "after object key:value pair" : "after array element");
	more = *s->p == ',';
	str_putc(&s->out, *s->p++);
	if (more)
		skip_space(s);
	return more;
}

static int scan_members(struct scan *s, char close)
{
	int r = 1;

	if (++s->depth > MAX_DEPTH)
		return error_set(s->err, ERR_INVALID, "exceeded max depth");
	str_putc(&s->out, *s->p++);
	skip_space(s);
	if (s->p < s->end && *s->p == close) {
		str_putc(&s->out, *s->p++);
		r = 0;
	}
	while (r > 0)
		r = scan_member(s, close);
	s->depth--;
	return r;
}

static int scan_value(struct scan *s)
{
	switch (s->p < s->end ? *s->p : '\0') {
	case '{':
		return scan_members(s, '}');
	case '[':
		return scan_members(s, ']');
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		if (s->p < s->end && (*s->p == '-' || isdigit((unsigned char)*s->p)))
			return scan_number(s);
		return bad(s, "looking for beginning of value");
	}
}

/* Copies the tokens and checks the grammar: what cJSON gets is good. */
static int scan_text(struct scan *s)
{
	skip_space(s);
	if (scan_value(s) < 0)
		return -1;
	skip_space(s);
	return s->p < s->end ? bad(s, "after top-level value") : 0;
}

json *json_parse(const char *text, size_t len, struct error *err)
{
	struct scan s = {.p = text, .end = text + len, .start = text, .err = err};
	const char *end = NULL;
	json *j = NULL;

	str_reserve(&s.out, len + len / 8);
	if (scan_text(&s) == 0) {
		/* +1: require_null_terminated reads the NUL behind the text */
		j = cJSON_ParseWithLengthOpts(str_cstr(&s.out), s.out.len + 1, &end, 1);
		if (!j)
			error_set(err, ERR_INVALID, "invalid JSON near offset %zu",
				  end ? (size_t)(end - str_cstr(&s.out)) : 0);
	}
	str_free(&s.out);
	return j;
}

void json_free(json *j)
{
	cJSON_Delete(j);
}

static const char *big_digits(const json *j)
{
	return cJSON_IsString(j) ? str_after(j->valuestring, BIG_MARK) : NULL;
}

enum json_type json_type(const json *j)
{
	if (!j)
		return JSON_MISSING;
	if (cJSON_IsNull(j))
		return JSON_NULL;
	if (cJSON_IsBool(j))
		return JSON_BOOL;
	if (cJSON_IsNumber(j) || big_digits(j))
		return JSON_NUMBER;
	if (cJSON_IsString(j))
		return JSON_STRING;
	if (cJSON_IsArray(j))
		return JSON_ARRAY;
	return JSON_OBJECT;
}

json *json_get(const json *j, const char *name)
{
	json *exact = NULL, *folded = NULL;

	if (!cJSON_IsObject(j))
		return NULL;
	for (json *c = j->child; c; c = c->next) {
		if (streq(c->string, name))
			exact = c;
		else if (strcasecmp(c->string, name) == 0)
			folded = c;
	}
	return exact ? exact : folded;
}

json *json_first(const json *j)
{
	return cJSON_IsArray(j) || cJSON_IsObject(j) ? j->child : NULL;
}

json *json_next(const json *j)
{
	return j->next;
}

const char *json_name(const json *j)
{
	return j->string ? j->string : "";
}

size_t json_count(const json *j)
{
	size_t n = 0;

	for (json *c = json_first(j); c; c = c->next)
		n++;
	return n;
}

const char *json_str(const json *j, const char *fallback)
{
	return json_type(j) == JSON_STRING ? j->valuestring : fallback;
}

bool json_bool(const json *j, bool fallback)
{
	return cJSON_IsBool(j) ? cJSON_IsTrue(j) : fallback;
}

int64_t json_i64(const json *j, int64_t fallback)
{
	const char *big = j ? big_digits(j) : NULL;
	int64_t v;

	if (big) {
		errno = 0;
		v = strtoll(big, NULL, 10);
		return errno ? fallback : v;
	}
	if (!cJSON_IsNumber(j) || j->valuedouble >= 0x1p63 || j->valuedouble < -0x1p63)
		return fallback;
	return (int64_t)j->valuedouble;
}

uint64_t json_u64(const json *j, uint64_t fallback)
{
	const char *big = j ? big_digits(j) : NULL;
	uint64_t v;

	if (big) {
		errno = 0;
		v = strtoull(big, NULL, 10);
		return errno || *big == '-' ? fallback : v;
	}
	if (!cJSON_IsNumber(j) || j->valuedouble < 0 || j->valuedouble >= 0x1p64)
		return fallback;
	return (uint64_t)j->valuedouble;
}

double json_double(const json *j, double fallback)
{
	const char *big = j ? big_digits(j) : NULL;

	if (big)
		return strtod(big, NULL);
	return cJSON_IsNumber(j) ? j->valuedouble : fallback;
}

int json_strlist(const json *j, struct strlist *out)
{
	for (json *c = json_first(j); c; c = json_next(c)) {
		const char *s = json_str(c, NULL);

		if (!s)
			return -1;
		strlist_add(out, s);
	}
	return 0;
}

int json_pairs(const json *j, struct pairs *out)
{
	for (json *c = json_first(j); c; c = json_next(c)) {
		const char *s = json_str(c, NULL);

		if (!s)
			return -1;
		pairs_set(out, json_name(c), s);
	}
	return 0;
}

json *json_take(json *object, const char *name)
{
	json *old = json_get(object, name);

	return old ? cJSON_DetachItemViaPointer(object, old) : NULL;
}

void json_set(json *object, const char *name, json *value)
{
	json *old = json_get(object, name);

	if (!old || strcmp(old->string, name)) {
		json_free(json_take(object, name));
		cJSON_AddItemToObject(object, name, value);
		return;
	}
	/* in its place: the order of members is seen by clients */
	cJSON_ReplaceItemInObjectCaseSensitive(object, name, value);
}

void json_set_str(json *object, const char *name, const char *value)
{
	json_set(object, name, cJSON_CreateString(value));
}

static void print_node(struct jw *w, const json *j)
{
	const char *big;

	switch (json_type(j)) {
	case JSON_BOOL:
		jw_bool(w, cJSON_IsTrue(j));
		break;
	case JSON_NUMBER:
		big = big_digits(j);
		if (big)
			jw_raw(w, big, strlen(big));
		else if (j->valuedouble == (double)(int64_t)j->valuedouble)
			jw_i64(w, (int64_t)j->valuedouble);
		else
			jw_double(w, j->valuedouble);
		break;
	case JSON_STRING:
		jw_str(w, j->valuestring);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		if (w->depth >= 62) {
			jw_null(w);
			break;
		}
		if (json_type(j) == JSON_ARRAY)
			jw_arr(w);
		else
			jw_obj(w);
		for (json *c = j->child; c; c = c->next) {
			if (json_type(j) == JSON_OBJECT)
				jw_key(w, c->string);
			print_node(w, c);
		}
		jw_end(w);
		break;
	case JSON_MISSING:
	case JSON_NULL:
		jw_null(w);
		break;
	}
}

void json_print(const json *j, struct str *out)
{
	struct jw w = jw_to(out);

	print_node(&w, j);
}
