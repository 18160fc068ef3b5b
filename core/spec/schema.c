/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding and printing by the tables of schema.h, in one pass. Depth is bounded by the tables, never by the input. */
#include "spec/schema.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"

struct pass {
	struct str path; /* ".HostConfig.Ulimits.0.Soft" */
	struct str *out;
	struct error *err;
};

static int print_value(struct pass *p, const struct go_type *t, const json *in);

static const char *kind_word(const json *in)
{
	switch (json_type(in)) {
	case JSON_BOOL:
		return "bool";
	case JSON_NUMBER:
		return "number";
	case JSON_STRING:
		return "string";
	case JSON_ARRAY:
		return "array";
	default:
		return "object";
	}
}

static int mismatch(struct pass *p, const char *what, const char *type)
{
	if (!p->path.len)
		return error_set(p->err, ERR_INVALID,
				 "invalid JSON: json: cannot unmarshal %s into Go value of type %s",
				 what, type);
	return error_set(
	    p->err, ERR_INVALID,
	    "invalid JSON: json: cannot unmarshal %s into Go struct field %s of type %s", what,
	    str_cstr(&p->path), type);
}

/* JSON pointer escapes, as the decoder prints them. Returns the length to go back to. */
static size_t push(struct pass *p, const char *name)
{
	size_t was = p->path.len;

	str_putc(&p->path, '.');
	for (; *name; name++) {
		if (*name == '~')
			str_puts(&p->path, "~0");
		else if (*name == '/')
			str_puts(&p->path, "~1");
		else
			str_putc(&p->path, *name);
	}
	return was;
}

static void pop(struct pass *p, size_t was)
{
	p->path.len = was;
	if (p->path.p)
		p->path.p[was] = '\0';
}

static int print_int(struct pass *p, const struct go_type *t, const json *in)
{
	bool wide = t->min == 0 && t->max == -1; /* uint64 */
	auto_str text = STR_INIT;

	if (json_type(in) != JSON_NUMBER)
		return mismatch(p, kind_word(in), t->name);
	if (wide && json_u64(in, 0) == json_u64(in, 1) &&
	    json_double(in, 0) == (double)json_u64(in, 0)) {
		str_printf(p->out, "%llu", (unsigned long long)json_u64(in, 0));
		return 0;
	}
	/* out of range gives the fallback; a fraction is lost on the way to an integer */
	if (!wide && json_i64(in, 0) == json_i64(in, 1) &&
	    json_double(in, 0) == (double)json_i64(in, 0) && json_i64(in, 0) >= t->min &&
	    json_i64(in, 0) <= t->max) {
		str_printf(p->out, "%lld", (long long)json_i64(in, 0));
		return 0;
	}
	str_puts(&text, "number ");
	json_print(in, &text);
	return mismatch(p, str_cstr(&text), t->name);
}

static int print_slice(struct pass *p, const struct go_type *t, const json *in)
{
	char index[24];
	size_t i = 0;

	if (json_type(in) != JSON_ARRAY)
		return mismatch(p, kind_word(in), t->name);
	str_putc(p->out, '[');
	for (json *c = json_first(in); c; c = json_next(c), i++) {
		size_t was;

		snprintf(index, sizeof(index), "%zu", i);
		if (i)
			str_putc(p->out, ',');
		was = push(p, index);
		if (print_value(p, t->elem, c) < 0)
			return -1;
		pop(p, was);
	}
	str_putc(p->out, ']');
	return 0;
}

/* Tries a list of strings, then one string; the error is the second try's, without a field name. */
static int print_strslice(struct pass *p, const json *in)
{
	const char *one = json_str(in, NULL);
	size_t i = 0;

	if (!one && json_type(in) != JSON_ARRAY)
		return error_set(
		    p->err, ERR_INVALID,
		    "invalid JSON: json: cannot unmarshal %s into Go value of type string",
		    kind_word(in));
	str_putc(p->out, '[');
	if (one)
		json_quote(p->out, one, strlen(one));
	for (json *c = one ? NULL : json_first(in); c; c = json_next(c), i++) {
		const char *s = json_str(c, json_type(c) == JSON_NULL ? "" : NULL);

		if (!s)
			return error_set(p->err, ERR_INVALID,
					 "invalid JSON: json: cannot unmarshal array into Go value "
					 "of type string");
		if (i)
			str_putc(p->out, ',');
		json_quote(p->out, s, strlen(s));
	}
	str_putc(p->out, ']');
	return 0;
}

static int print_array2(struct pass *p, const struct go_type *t, const json *in)
{
	const json *c = json_first(in);

	if (in && json_type(in) != JSON_ARRAY && json_type(in) != JSON_NULL)
		return mismatch(p, kind_word(in), t->name);
	str_putc(p->out, '[');
	for (int i = 0; i < 2; i++) {
		if (i)
			str_putc(p->out, ',');
		if (print_value(p, t->elem, c) < 0)
			return -1;
		c = c ? json_next(c) : NULL;
	}
	str_putc(p->out, ']');
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(json_name(*(const json *const *)a), json_name(*(const json *const *)b));
}

/* Go prints maps sorted by key. Of equal keys the last one wins: json_get finds that one. */
static int print_map(struct pass *p, const struct go_type *t, const json *in)
{
	auto_free const json **member = NULL;
	size_t n = 0;
	bool comma = false;

	if (json_type(in) != JSON_OBJECT)
		return mismatch(p, kind_word(in), t->name);
	member = xcalloc(json_count(in) + 1, sizeof(*member));
	for (json *c = json_first(in); c; c = json_next(c))
		member[n++] = c;
	qsort(member, n, sizeof(*member), by_name);
	for (size_t i = 0; i < n; i++) {
		const char *name = json_name(member[i]);
		size_t was;

		if (i + 1 < n && streq(name, json_name(member[i + 1])))
			continue;
		str_putc(p->out, comma ? ',' : '{');
		comma = true;
		json_quote(p->out, name, strlen(name));
		str_putc(p->out, ':');
		was = push(p, name);
		if (print_value(p, t->elem, json_get(in, name)) < 0)
			return -1;
		pop(p, was);
	}
	str_puts(p->out, comma ? "}" : "{}");
	return 0;
}

static bool text_empty(const char *s, size_t n)
{
	static const char *const empty[] = {"null", "false", "0", "\"\"", "[]", "{}"};

	for (size_t i = 0; i < ARRAY_LEN(empty); i++)
		if (strlen(empty[i]) == n && memcmp(s, empty[i], n) == 0)
			return true;
	return false;
}

/* omitempty of a pointer asks for nil only: a pointer to false is printed. */
static bool omitted(const struct go_field *f, const char *s, size_t n)
{
	if (!f->omitempty)
		return false;
	return f->type->kind == GO_POINTER ? n == 4 && memcmp(s, "null", 4) == 0 : text_empty(s, n);
}

static int print_struct(struct pass *p, const struct go_type *t, const json *in,
			const struct pairs *replace)
{
	bool comma = false;

	if (in && json_type(in) != JSON_OBJECT && json_type(in) != JSON_NULL)
		return mismatch(p, kind_word(in), t->name);
	str_putc(p->out, '{');
	for (const struct go_field *f = t->fields; f && f->name; f++) {
		const char *ready = replace ? pairs_get(replace, f->name) : NULL;
		size_t start = p->out->len, value, was = push(p, f->name);

		if (comma)
			str_putc(p->out, ',');
		str_printf(p->out, "\"%s\":", f->name);
		value = p->out->len;
		if (ready)
			str_puts(p->out, ready);
		else if (print_value(p, f->type, json_get(in, f->name)) < 0)
			return -1;
		pop(p, was);
		if (omitted(f, p->out->p + value, p->out->len - value)) {
			p->out->len = start;
			p->out->p[start] = '\0';
		} else {
			comma = true;
		}
	}
	str_putc(p->out, '}');
	return 0;
}

static int print_zero(struct pass *p, const struct go_type *t)
{
	switch (t->kind) {
	case GO_BOOL:
		str_puts(p->out, "false");
		return 0;
	case GO_INT:
		str_putc(p->out, '0');
		return 0;
	case GO_STRING:
		str_puts(p->out, "\"\"");
		return 0;
	case GO_ARRAY2:
		return print_array2(p, t, NULL);
	case GO_STRUCT:
		return print_struct(p, t, NULL, NULL);
	default:
		str_puts(p->out, "null");
		return 0;
	}
}

static int print_value(struct pass *p, const struct go_type *t, const json *in)
{
	if (json_type(in) == JSON_MISSING || json_type(in) == JSON_NULL)
		return print_zero(p, t);
	switch (t->kind) {
	case GO_BOOL:
		if (json_type(in) != JSON_BOOL)
			return mismatch(p, kind_word(in), t->name);
		str_puts(p->out, json_bool(in, false) ? "true" : "false");
		return 0;
	case GO_INT:
		return print_int(p, t, in);
	case GO_STRING:
		if (json_type(in) != JSON_STRING)
			return mismatch(p, kind_word(in), t->name);
		json_quote(p->out, json_str(in, ""), strlen(json_str(in, "")));
		return 0;
	case GO_SLICE:
		return print_slice(p, t, in);
	case GO_STRSLICE:
		return print_strslice(p, in);
	case GO_ARRAY2:
		return print_array2(p, t, in);
	case GO_MAP:
		return print_map(p, t, in);
	case GO_POINTER:
		return print_value(p, t->elem, in);
	case GO_STRUCT:
		return print_struct(p, t, in, NULL);
	}
	return 0;
}

int schema_print(const struct go_type *t, const json *in, const struct pairs *replace,
		 const char *path, struct str *out, struct error *err)
{
	struct pass p = {.out = out, .err = err};
	size_t start = out->len;
	int r;

	str_puts(&p.path, path);
	r = t->kind == GO_STRUCT ? print_struct(&p, t, in, replace) : print_value(&p, t, in);
	if (r < 0) {
		out->len = start;
		if (out->p)
			out->p[start] = '\0';
	}
	str_free(&p.path);
	return r;
}
