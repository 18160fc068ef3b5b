/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growable byte string (always NUL-terminated behind `len`) and list of strings.
 * Both own their bytes; zero-initialised is empty; *_free resets to empty.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	char *p; /* NULL while empty and never grown; use str_cstr to read */
	size_t len, cap;
};

#define STR_INIT           \
	{                  \
		NULL, 0, 0 \
	}
#define auto_str __attribute__((cleanup(str_free))) struct str

void str_free(struct str *s);
/* Length 0, buffer kept. */
void str_reset(struct str *s);
void str_grow(struct str *s, size_t more);
/* Room for `more` bytes beyond len; returns the place to write them (then add to len). */
static inline char *str_reserve(struct str *s, size_t more)
{
	if (s->cap - s->len <= more)
		str_grow(s, more);
	return s->p + s->len;
}
void str_add(struct str *s, const void *p, size_t n);
void str_puts(struct str *s, const char *c);
static inline void str_putc(struct str *s, char c)
{
	char *to = str_reserve(s, 1);

	to[0] = c;
	to[1] = '\0';
	s->len++;
}
void str_printf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_vprintf(struct str *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Drop the first n bytes. */
void str_consume(struct str *s, size_t n);
/* Give the buffer away (malloc'ed, never NULL) and reset. */
char *str_steal(struct str *s);
static inline const char *str_cstr(const struct str *s)
{
	return s->p ? s->p : "";
}

struct strlist {
	char **v; /* v[n] is NULL once anything was added: usable as argv */
	size_t n, cap;
};

#define STRLIST_INIT       \
	{                  \
		NULL, 0, 0 \
	}
#define auto_strlist __attribute__((cleanup(strlist_free))) struct strlist

void strlist_free(struct strlist *l);
void strlist_add(struct strlist *l, const char *s);
/* Takes ownership of s. */
void strlist_take(struct strlist *l, char *s);
void strlist_printf(struct strlist *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strlist_copy(struct strlist *dst, const struct strlist *src);
bool strlist_has(const struct strlist *l, const char *s);
void strlist_remove(struct strlist *l, size_t i);
void strlist_sort(struct strlist *l);
/* Split at each `sep`; empty parts are kept; an empty string gives no part. */
void strlist_split(struct strlist *l, const char *s, char sep);
/* malloc'ed join. */
char *strlist_join(const struct strlist *l, const char *sep);

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}
static inline bool str_empty(const char *a)
{
	return !a || !*a;
}
/* Rest of s behind the prefix, or NULL. */
const char *str_after(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Lower-case hexadecimal of n bytes into out (2n+1). */
void hex_encode(const void *p, size_t n, char *out);
/* 0, or -1 if s is not 2n hexadecimal digits. */
int hex_decode(const char *s, void *out, size_t n);
/* malloc'ed standard base64 with padding. */
char *base64_encode(const void *p, size_t n);
/* Decode standard or URL alphabet, padding optional; malloc'ed and NUL-terminated, *n set; NULL if malformed. */
unsigned char *base64_decode(const char *s, size_t *n);

#endif
