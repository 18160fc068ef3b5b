/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is it JSON, and if not, why not in the words of Go's encoding/json: operators search for them. base/json.h parses what passes here.
 */
#include <ctype.h>

#include "config/value.h"

#define DEPTH_MAX 500

struct text {
	const char *p, *end;
	struct error *err;
	int depth;
};

static int ended(struct text *t)
{
	return error_set(t->err, ERR_INVALID, "unexpected end of JSON input");
}

static int bad(struct text *t, const char *context)
{
	unsigned char c;

	if (t->p >= t->end)
		return ended(t);
	c = (unsigned char)*t->p;
	if (c == '\'')
		return error_set(t->err, ERR_INVALID, "invalid character '\\'' %s", context);
	if (c == '\n')
		return error_set(t->err, ERR_INVALID, "invalid character '\\n' %s", context);
	if (c == '\t')
		return error_set(t->err, ERR_INVALID, "invalid character '\\t' %s", context);
	if (c == '\r')
		return error_set(t->err, ERR_INVALID, "invalid character '\\r' %s", context);
	if (c < 0x20 || c == 0x7f)
		return error_set(t->err, ERR_INVALID, "invalid character '\\x%02x' %s", c, context);
	return error_set(t->err, ERR_INVALID, "invalid character '%c' %s", c, context);
}

static void blank(struct text *t)
{
	while (t->p < t->end && (*t->p == ' ' || *t->p == '\t' || *t->p == '\n' || *t->p == '\r'))
		t->p++;
}

static int string(struct text *t)
{
	for (t->p++; t->p < t->end; t->p++) {
		if (*t->p == '"') {
			t->p++;
			return 0;
		}
		if ((unsigned char)*t->p < 0x20)
			return bad(t, "in string literal");
		if (*t->p != '\\')
			continue;
		t->p++;
		if (t->p < t->end && *t->p == 'u') {
			for (int i = 0; i < 4; i++) {
				t->p++;
				if (t->p >= t->end || !isxdigit((unsigned char)*t->p))
					return bad(t, "in \\u hexadecimal character escape");
			}
		} else if (t->p < t->end && (!*t->p || !strchr("\"\\/bfnrt", *t->p))) {
			return bad(t, "in string escape code");
		}
	}
	return ended(t);
}

static int digits(struct text *t, const char *context)
{
	if (t->p >= t->end || !isdigit((unsigned char)*t->p))
		return bad(t, context);
	while (t->p < t->end && isdigit((unsigned char)*t->p))
		t->p++;
	return 0;
}

static int number(struct text *t)
{
	if (*t->p == '-')
		t->p++;
	if (t->p < t->end && *t->p == '0')
		t->p++;
	else if (digits(t, "in numeric literal") < 0)
		return -1;
	if (t->p < t->end && *t->p == '.') {
		t->p++;
		if (digits(t, "after decimal point in numeric literal") < 0)
			return -1;
	}
	if (t->p < t->end && (*t->p == 'e' || *t->p == 'E')) {
		t->p++;
		if (t->p < t->end && (*t->p == '+' || *t->p == '-'))
			t->p++;
		return digits(t, "in exponent of numeric literal");
	}
	return 0;
}

static int word(struct text *t, const char *w)
{
	char context[64];

	for (const char *c = w; *c; c++, t->p++) {
		if (t->p < t->end && *t->p == *c)
			continue;
		snprintf(context, sizeof(context), "in literal %s (expecting '%c')", w, *c);
		return bad(t, context);
	}
	return 0;
}

static int value(struct text *t);

static int object(struct text *t)
{
	t->p++;
	blank(t);
	if (t->p < t->end && *t->p == '}') {
		t->p++;
		return 0;
	}
	for (;;) {
		if (t->p >= t->end || *t->p != '"')
			return bad(t, "looking for beginning of object key string");
		if (string(t) < 0)
			return -1;
		blank(t);
		if (t->p >= t->end || *t->p != ':')
			return bad(t, "after object key");
		t->p++;
		if (value(t) < 0)
			return -1;
		if (t->p < t->end && *t->p == '}') {
			t->p++;
			return 0;
		}
		if (t->p >= t->end || *t->p != ',')
			return bad(t, "after object key:value pair");
		t->p++;
		blank(t);
	}
}

static int array(struct text *t)
{
	t->p++;
	blank(t);
	if (t->p < t->end && *t->p == ']') {
		t->p++;
		return 0;
	}
	for (;;) {
		if (value(t) < 0)
			return -1;
		if (t->p < t->end && *t->p == ']') {
			t->p++;
			return 0;
		}
		if (t->p >= t->end || *t->p != ',')
			return bad(t, "after array element");
		t->p++;
	}
}

/* A value and the blanks on both sides. */
static int value(struct text *t)
{
	int r;

	blank(t);
	if (t->p >= t->end)
		return ended(t);
	if (++t->depth > DEPTH_MAX)
		return error_set(t->err, ERR_INVALID, "exceeded max depth");
	switch (*t->p) {
	case '{':
		r = object(t);
		break;
	case '[':
		r = array(t);
		break;
	case '"':
		r = string(t);
		break;
	case 't':
		r = word(t, "true");
		break;
	case 'f':
		r = word(t, "false");
		break;
	case 'n':
		r = word(t, "null");
		break;
	default:
		r = *t->p == '-' || isdigit((unsigned char)*t->p)
			? number(t)
			: bad(t, "looking for beginning of value");
	}
	t->depth--;
	if (r == 0)
		blank(t);
	return r;
}

int syntax_check(const char *text, size_t len, struct error *err)
{
	struct text t = {.p = text, .end = text + len, .err = err, .depth = 0};

	if (value(&t) < 0)
		return -1;
	return t.p < t.end ? bad(&t, "after top-level value") : 0;
}
