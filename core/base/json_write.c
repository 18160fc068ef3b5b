/* SPDX-License-Identifier: Apache-2.0 */
/* The streaming JSON writer of json.h: prints what Go's encoding/json would. */
#include "base/clock.h"
#include "base/json.h"
#include "base/plain.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

/* Length of the valid UTF-8 sequence at s (at most n bytes), 0 if invalid. RFC 3629. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	if (n < len || s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return len;
}

static void quote_special(struct str *out, unsigned char c)
{
	switch (c) {
	case '"':
		str_puts(out, "\\\"");
		break;
	case '\\':
		str_puts(out, "\\\\");
		break;
	case '\n':
		str_puts(out, "\\n");
		break;
	case '\r':
		str_puts(out, "\\r");
		break;
	case '\t':
		str_puts(out, "\\t");
		break;
	case '\b':
		str_puts(out, "\\b");
		break;
	case '\f':
		str_puts(out, "\\f");
		break;
	default:
		str_printf(out, "\\u%04x", c);
	}
}

static void quote_hard(struct str *out, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n;

	str_putc(out, '"');
	while (p < end) {
		size_t len = plain_run((const char *)p, (size_t)(end - p));

		str_add(out, p, len);
		p += len;
		if (p == end)
			break;
		if (*p < 0x80) {
			quote_special(out, *p++);
			continue;
		}
		len = utf8_len(p, (size_t)(end - p));
		if (!len) {
			str_puts(out, "\\ufffd");
			p++;
		} else if (len == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] | 1) == 0xa9) {
			str_printf(out, "\\u202%c", p[2] == 0xa8 ? '8' : '9');
			p += 3;
		} else {
			str_add(out, p, len);
			p += len;
		}
	}
	str_putc(out, '"');
}

/* Most of what is printed needs no escape: it is then copied once, and the room for it asked for once. */
static void quote(struct str *out, bool comma, const char *s, size_t n, bool colon)
{
	char *to;

	if (plain_run(s, n) < n) {
		if (comma)
			str_putc(out, ',');
		quote_hard(out, s, n);
		if (colon)
			str_putc(out, ':');
		return;
	}
	to = str_reserve(out, n + 4);
	if (comma)
		*to++ = ',';
	*to++ = '"';
	memcpy(to, s, n);
	to += n;
	*to++ = '"';
	if (colon)
		*to++ = ':';
	*to = '\0';
	out->len = (size_t)(to - out->p);
}

void json_quote(struct str *out, const char *s, size_t n)
{
	quote(out, false, s, n, false);
}

static void before_value(struct jw *w)
{
	if (w->comma)
		str_putc(w->out, ',');
	w->comma = true;
}

static void open_level(struct jw *w, bool array)
{
	before_value(w);
	assert(w->depth < 63);
	w->depth++;
	if (array)
		w->arrays |= UINT64_C(1) << w->depth;
	else
		w->arrays &= ~(UINT64_C(1) << w->depth);
	str_putc(w->out, array ? '[' : '{');
	w->comma = false;
}

void jw_obj(struct jw *w)
{
	open_level(w, false);
}

void jw_arr(struct jw *w)
{
	open_level(w, true);
}

void jw_end(struct jw *w)
{
	assert(w->depth > 0);
	str_putc(w->out, w->arrays & UINT64_C(1) << w->depth ? ']' : '}');
	w->depth--;
	w->comma = true;
}

void jw_key(struct jw *w, const char *name)
{
	quote(w->out, w->comma, name, strlen(name), true);
	w->comma = false;
}

void jw_strn(struct jw *w, const char *s, size_t n)
{
	quote(w->out, w->comma, s, n, false);
	w->comma = true;
}

void jw_str(struct jw *w, const char *s)
{
	jw_strn(w, s ? s : "", s ? strlen(s) : 0);
}

static void put_digits(struct str *out, bool minus, uint64_t v)
{
	char text[24], *p = text + sizeof(text);

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	if (minus)
		*--p = '-';
	str_add(out, p, (size_t)(text + sizeof(text) - p));
}

void jw_i64(struct jw *w, int64_t v)
{
	uint64_t size = v < 0 ? -(uint64_t)v : (uint64_t)v;

	before_value(w);
	put_digits(w->out, v < 0, size);
}

void jw_u64(struct jw *w, uint64_t v)
{
	before_value(w);
	put_digits(w->out, false, v);
}

void jw_double(struct jw *w, double v)
{
	char buf[40];

	before_value(w);
	if (!isfinite(v))
		v = 0;
	/* The shortest form that reads back as the same number, as Go prints it. */
	for (int digits = 1; digits <= 17; digits++) {
		double back;

		snprintf(buf, sizeof(buf), "%.*g", digits, v);
		if (sscanf(buf, "%lf", &back) == 1 && back == v)
			break;
	}
	str_puts(w->out, buf);
}

void jw_bool(struct jw *w, bool v)
{
	before_value(w);
	str_puts(w->out, v ? "true" : "false");
}

void jw_null(struct jw *w)
{
	before_value(w);
	str_puts(w->out, "null");
}

void jw_raw(struct jw *w, const char *text, size_t n)
{
	before_value(w);
	str_add(w->out, text, n);
}

void jw_json(struct jw *w, const json *j)
{
	if (!j) {
		jw_null(w);
		return;
	}
	before_value(w);
	json_print(j, w->out);
}

void jw_strlist(struct jw *w, const struct strlist *l, bool null_if_empty)
{
	if (!l->n && null_if_empty) {
		jw_null(w);
		return;
	}
	jw_arr(w);
	for (size_t i = 0; i < l->n; i++)
		jw_str(w, l->v[i]);
	jw_end(w);
}

void jw_pairs(struct jw *w, const struct pairs *p, bool null_if_empty)
{
	auto_pairs sorted = PAIRS_INIT;

	if (!p->n && null_if_empty) {
		jw_null(w);
		return;
	}
	pairs_copy(&sorted, p);
	pairs_sort(&sorted);
	jw_obj(w);
	for (size_t i = 0; i < sorted.n; i++)
		jw_kstr(w, sorted.v[i].key, sorted.v[i].value);
	jw_end(w);
}

void jw_kobj(struct jw *w, const char *name)
{
	jw_key(w, name);
	jw_obj(w);
}

void jw_karr(struct jw *w, const char *name)
{
	jw_key(w, name);
	jw_arr(w);
}

void jw_kstr(struct jw *w, const char *name, const char *s)
{
	jw_key(w, name);
	jw_str(w, s);
}

void jw_ki64(struct jw *w, const char *name, int64_t v)
{
	jw_key(w, name);
	jw_i64(w, v);
}

void jw_ku64(struct jw *w, const char *name, uint64_t v)
{
	jw_key(w, name);
	jw_u64(w, v);
}

void jw_kbool(struct jw *w, const char *name, bool v)
{
	jw_key(w, name);
	jw_bool(w, v);
}

void jw_knull(struct jw *w, const char *name)
{
	jw_key(w, name);
	jw_null(w);
}

void jw_kjson(struct jw *w, const char *name, const json *j)
{
	jw_key(w, name);
	jw_json(w, j);
}

void jw_kstrlist(struct jw *w, const char *name, const struct strlist *l, bool null_if_empty)
{
	jw_key(w, name);
	jw_strlist(w, l, null_if_empty);
}

void jw_ktime(struct jw *w, const char *name, int64_t ns)
{
	char text[CLOCK_TEXT];

	clock_format(ns, text);
	jw_kstr(w, name, text);
}

void jw_kpairs(struct jw *w, const char *name, const struct pairs *p, bool null_if_empty)
{
	jw_key(w, name);
	jw_pairs(w, p, null_if_empty);
}
