/* SPDX-License-Identifier: Apache-2.0 */
/* See str.h. */
#include "base/str.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void str_free(struct str *s)
{
	free(s->p);
	*s = (struct str)STR_INIT;
}

void str_reset(struct str *s)
{
	s->len = 0;
	if (s->p)
		s->p[0] = '\0';
}

void str_grow(struct str *s, size_t more)
{
	size_t need = s->len + more + 1, cap = s->cap ? s->cap : 64;

	while (cap < need)
		cap += cap / 2 + 64;
	s->p = xreallocarray(s->p, cap, 1);
	s->cap = cap;
}

void str_add(struct str *s, const void *p, size_t n)
{
	char *to = str_reserve(s, n);

	if (n)
		memcpy(to, p, n);
	s->len += n;
	s->p[s->len] = '\0';
}

void str_puts(struct str *s, const char *c)
{
	str_add(s, c, strlen(c));
}

void str_vprintf(struct str *s, const char *fmt, va_list ap)
{
	va_list again;
	char *to = str_reserve(s, 64);
	size_t room = s->cap - s->len;
	int n;

	va_copy(again, ap);
	n = vsnprintf(to, room, fmt, ap);
	if (n >= 0 && (size_t)n >= room) {
		to = str_reserve(s, (size_t)n);
		vsnprintf(to, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	if (n > 0)
		s->len += (size_t)n;
}

void str_printf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(s, fmt, ap);
	va_end(ap);
}

void str_consume(struct str *s, size_t n)
{
	if (n >= s->len) {
		str_reset(s);
		return;
	}
	memmove(s->p, s->p + n, s->len - n + 1);
	s->len -= n;
}

char *str_steal(struct str *s)
{
	char *p = s->p ? s->p : xstrdup("");

	*s = (struct str)STR_INIT;
	return p;
}

void strlist_free(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strlist)STRLIST_INIT;
}

void strlist_take(struct strlist *l, char *s)
{
	if (l->n + 2 > l->cap) {
		l->cap = l->cap ? l->cap * 2 : 8;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

void strlist_add(struct strlist *l, const char *s)
{
	strlist_take(l, xstrdup(s));
}

void strlist_printf(struct strlist *l, const char *fmt, ...)
{
	auto_str s = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(&s, fmt, ap);
	va_end(ap);
	strlist_take(l, str_steal(&s));
}

void strlist_copy(struct strlist *dst, const struct strlist *src)
{
	for (size_t i = 0; i < src->n; i++)
		strlist_add(dst, src->v[i]);
}

bool strlist_has(const struct strlist *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

void strlist_remove(struct strlist *l, size_t i)
{
	free(l->v[i]);
	memmove(&l->v[i], &l->v[i + 1], (l->n - i) * sizeof(*l->v));
	l->n--;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), compare_strings);
}

void strlist_split(struct strlist *l, const char *s, char sep)
{
	if (!*s)
		return;
	for (;;) {
		const char *end = strchrnul(s, sep);

		strlist_take(l, xstrndup(s, (size_t)(end - s)));
		if (!*end)
			return;
		s = end + 1;
	}
}

char *strlist_join(const struct strlist *l, const char *sep)
{
	struct str s = STR_INIT;

	for (size_t i = 0; i < l->n; i++) {
		if (i)
			str_puts(&s, sep);
		str_puts(&s, l->v[i]);
	}
	return str_steal(&s);
}

const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

void hex_encode(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[b[i] >> 4];
		*out++ = digits[b[i] & 15];
	}
	*out = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *s, void *out, size_t n)
{
	unsigned char *b = out;

	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(s[2 * i]);
		int lo = hi < 0 ? -1 : hex_digit(s[2 * i + 1]);

		if (lo < 0)
			return -1;
		b[i] = (unsigned char)(hi << 4 | lo);
	}
	return s[2 * n] ? -1 : 0;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *p, size_t n)
{
	const unsigned char *b = p;
	char *out = xmalloc((n + 2) / 3 * 4 + 1), *to = out;

	for (; n >= 3; n -= 3, b += 3) {
		uint32_t v = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];

		*to++ = base64_digits[v >> 18];
		*to++ = base64_digits[v >> 12 & 63];
		*to++ = base64_digits[v >> 6 & 63];
		*to++ = base64_digits[v & 63];
	}
	if (n) {
		uint32_t v = (uint32_t)b[0] << 16 | (n > 1 ? (uint32_t)b[1] << 8 : 0);

		*to++ = base64_digits[v >> 18];
		*to++ = base64_digits[v >> 12 & 63];
		*to++ = n > 1 ? base64_digits[v >> 6 & 63] : '=';
		*to++ = '=';
	}
	*to = '\0';
	return out;
}

static int base64_value(char c)
{
	if (c == '-')
		c = '+';
	else if (c == '_')
		c = '/';
	const char *at = c ? strchr(base64_digits, c) : NULL;

	return at ? (int)(at - base64_digits) : -1;
}

unsigned char *base64_decode(const char *s, size_t *n)
{
	size_t len = strlen(s);
	unsigned char *out, *to;
	uint32_t acc = 0;
	int bits = 0;

	while (len && s[len - 1] == '=')
		len--;
	if (len % 4 == 1)
		return NULL;
	out = to = xmalloc(len / 4 * 3 + 4);
	for (size_t i = 0; i < len; i++) {
		int v = base64_value(s[i]);

		if (v < 0) {
			free(out);
			return NULL;
		}
		acc = acc << 6 | (uint32_t)v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*to++ = (unsigned char)(acc >> bits);
		}
	}
	*to = '\0';
	*n = (size_t)(to - out);
	return out;
}
