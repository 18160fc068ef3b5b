/* SPDX-License-Identifier: Apache-2.0 */
/* See value.h: reading, comparing and printing values by the type in their row. */
#include "config/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/bool.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "config/check.h"
#include "config/units.h"

static int parse_int(const char *arg, int64_t *num, struct error *err)
{
	char *end;

	errno = 0;
	*num = strtoll(arg, &end, 0);
	if (end == arg || *end || *arg == ' ')
		return error_set(err, ERR_INVALID,
				 "strconv.ParseInt: parsing \"%s\": invalid syntax", arg);
	if (errno)
		return error_set(err, ERR_INVALID,
				 "strconv.ParseInt: parsing \"%s\": value out of range", arg);
	return 0;
}

static void set_text(struct value *v, const char *text)
{
	free(v->text);
	v->text = xstrdup(text);
}

static int add_member(const struct option *o, struct value *v, const char *arg, struct error *err)
{
	auto_str name = STR_INIT, text = STR_INIT;
	struct jw w = jw_to(&text);

	if (o->flag_json(arg, &name, &w, err) < 0)
		return -1;
	if (v->members.len)
		str_putc(&v->members, ',');
	v->is_array = name.len == 0;
	if (name.len) {
		json_quote(&v->members, name.p, name.len);
		str_putc(&v->members, ':');
	}
	str_add(&v->members, str_cstr(&text), text.len);
	return 0;
}

static int add_list(const struct option *o, struct value *v, const char *arg, struct error *err)
{
	auto_strlist parts = STRLIST_INIT;

	strlist_split(&parts, arg, o->flags & OPTF_COMMA ? ',' : '\0');
	if (!parts.n)
		strlist_add(&parts, arg);
	for (size_t i = 0; i < parts.n; i++) {
		if (o->check && o->flags & (OPTF_EARLY | OPTF_ADDRESS) &&
		    o->check(parts.v[i], false, err) < 0)
			return -1;
		strlist_add(&v->list, parts.v[i]);
	}
	return 0;
}

int value_from_flag(const struct option *o, struct value *v, const char *arg, struct error *err)
{
	const char *eq;
	bool on;

	/* the first argument replaces the default of a list; only flags came before it */
	v->source = FROM_FLAG;
	switch ((enum option_type)o->type) {
	case OPT_BOOL:
		if (!bool_parse(arg, &on))
			return error_set(err, ERR_INVALID,
					 "strconv.ParseBool: parsing \"%s\": invalid syntax", arg);
		v->num = on;
		return 0;
	case OPT_INT:
		set_text(v, arg);
		return parse_int(arg, &v->num, err);
	case OPT_SIZE:
		set_text(v, arg);
		return size_parse(arg, &v->num, err);
	case OPT_STRING:
		set_text(v, arg);
		return o->check && o->flags & (OPTF_EARLY | OPTF_ADDRESS)
			   ? o->check(arg, false, err)
			   : 0;
	case OPT_LIST:
		return add_list(o, v, arg, err);
	case OPT_MAP: {
		auto_free char *key = NULL;

		eq = strchrnul(arg, '=');
		key = xstrndup(arg, (size_t)(eq - arg));
		pairs_set(&v->map, key, *eq ? eq + 1 : "");
		return 0;
	}
	case OPT_JSON:
		return add_member(o, v, arg, err);
	}
	abort();
}

int value_flags_done(const struct option *o, struct value *v, struct error *err)
{
	auto_str text = STR_INIT;

	if (o->type != OPT_JSON || !v->members.len)
		return 0;
	str_printf(&text, v->is_array ? "[%s]" : "{%s}", v->members.p);
	v->tree = json_parse(text.p, text.len, err);
	return v->tree ? 0 : -1;
}

static int mismatch(const struct option *o, const json *j, const char *member, const char *type,
		    struct error *err)
{
	return error_set(
	    err, ERR_INVALID,
	    "invalid JSON: json: cannot unmarshal %s into Go struct field Config.%s%s%s of type %s",
	    json_go_name(j), option_key(o), member ? "." : "", member ? member : "", type);
}

static int list_from_json(const struct option *o, struct value *v, const json *j, struct error *err)
{
	size_t i = 0;

	if (json_type(j) != JSON_ARRAY)
		return mismatch(o, j, NULL, option_gotype(o), err);
	for (json *e = json_first(j); e; e = json_next(e), i++) {
		const char *s = json_str(e, json_type(e) == JSON_NULL ? "" : NULL);

		if (!s)
			return error_set(err, ERR_INVALID,
					 "invalid JSON: json: cannot unmarshal %s into "
					 "Config.%s.%zu of type string",
					 json_go_name(e), option_key(o), i);
		if (o->flags & OPTF_ADDRESS && o->check(s, true, err) < 0)
			return -1;
		strlist_add(&v->list, s);
	}
	return 0;
}

static int int_from_json(const struct option *o, struct value *v, const json *j, struct error *err)
{
	double d = json_double(j, 0);

	if (json_type(j) != JSON_NUMBER)
		return mismatch(o, j, NULL, option_gotype(o), err);
	v->num = json_i64(j, INT64_MIN);
	if (v->num == INT64_MIN || (double)v->num - d > 1e-9 || d - (double)v->num > 1e-9)
		return error_set(err, ERR_INVALID,
				 "invalid JSON: json: cannot unmarshal number %.17g into Go struct "
				 "field Config.%s of type %s",
				 d, option_key(o), option_gotype(o));
	free(v->text);
	v->text = xasprintf("%" PRId64, v->num);
	return 0;
}

static int tree_from_json(const struct option *o, struct value *v, const json *j, struct error *err)
{
	auto_str text = STR_INIT;
	bool array = o->gotype[0] == '[';

	if (json_type(j) != (array ? JSON_ARRAY : JSON_OBJECT))
		return mismatch(o, j, NULL, option_gotype(o), err);
	if (o->check_json && o->check_json(j, err) < 0)
		return -1;
	/* both sides of a mergeable option: the flag's members win */
	json_print(j, &text);
	if (v->tree && !array) {
		auto_str flags = STR_INIT;

		json_print(v->tree, &flags);
		if (text.len > 2 && flags.len > 2) {
			text.len--;
			str_printf(&text, ",%s", flags.p + 1);
		} else if (flags.len > 2) {
			str_reset(&text);
			str_puts(&text, flags.p);
		}
	}
	json_free(v->tree);
	v->tree = json_parse(text.p, text.len, err);
	return v->tree ? 0 : -1;
}

int value_from_json(const struct option *o, struct value *v, const json *j, struct error *err)
{
	const char *s = json_str(j, NULL);

	if (json_type(j) == JSON_NULL)
		return 0;
	v->source = FROM_FILE;
	switch ((enum option_type)o->type) {
	case OPT_BOOL:
		if (json_type(j) != JSON_BOOL)
			return mismatch(o, j, NULL, option_gotype(o), err);
		v->num = json_bool(j, false);
		return 0;
	case OPT_INT:
		return int_from_json(o, v, j, err);
	case OPT_SIZE:
		if (!s) {
			auto_str raw = STR_INIT;

			json_print(j, &raw);
			return error_set(err, ERR_INVALID, "invalid JSON: invalid size: \"%s\"",
					 str_cstr(&raw));
		}
		set_text(v, s);
		return size_parse(s, &v->num, err) < 0 ? error_wrap(err, "invalid JSON") : 0;
	case OPT_STRING:
		if (!s)
			return mismatch(o, j, NULL, option_gotype(o), err);
		set_text(v, s);
		return o->flags & OPTF_ADDRESS ? o->check(s, true, err) : 0;
	case OPT_LIST:
		return list_from_json(o, v, j, err);
	case OPT_MAP:
		if (json_type(j) != JSON_OBJECT)
			return mismatch(o, j, NULL, option_gotype(o), err);
		for (json *m = json_first(j); m; m = json_next(m)) {
			if (json_type(m) != JSON_STRING)
				return mismatch(o, m, json_name(m), "string", err);
			pairs_set(&v->map, json_name(m), json_str(m, ""));
		}
		return 0;
	case OPT_JSON:
		return tree_from_json(o, v, j, err);
	}
	abort();
}

void value_default(const struct option *o, struct value *v)
{
	struct error err = ERROR_INIT;

	if (o->type == OPT_STRING)
		set_text(v, o->def ? o->def : "");
	else if (o->def && value_from_flag(o, v, o->def, &err) < 0)
		abort(); /* a fault of the table; the unit test walks it */
	v->source = FROM_DEFAULT;
}

void value_copy(const struct option *o, struct value *to, const struct value *from)
{
	struct error err = ERROR_INIT;

	(void)o;
	*to = (struct value){
	    .source = from->source, .num = from->num, .text = xstrdup_null(from->text)};
	strlist_copy(&to->list, &from->list);
	pairs_copy(&to->map, &from->map);
	if (from->tree) {
		auto_str text = STR_INIT;

		json_print(from->tree, &text);
		to->tree = json_parse(text.p, text.len, &err);
	}
}

void value_free(struct value *v)
{
	free(v->text);
	strlist_free(&v->list);
	pairs_free(&v->map);
	json_free(v->tree);
	str_free(&v->members);
	*v = (struct value){0};
}

bool value_equal(const struct option *o, const struct value *a, const struct value *b)
{
	auto_str x = STR_INIT, y = STR_INIT;
	struct jw wx = jw_to(&x), wy = jw_to(&y);

	value_print(o, a, &wx);
	value_print(o, b, &wy);
	return streq(str_cstr(&x), str_cstr(&y));
}

/* Go prints maps with sorted keys. */
static void format_map(const struct pairs *map, struct str *out)
{
	auto_pairs sorted = PAIRS_INIT;

	pairs_copy(&sorted, map);
	pairs_sort(&sorted);
	str_puts(out, "map[");
	for (size_t i = 0; i < sorted.n; i++)
		str_printf(out, "%s%s:%s", i ? " " : "", sorted.v[i].key, sorted.v[i].value);
	str_putc(out, ']');
}

void value_format(const struct option *o, const struct value *v, struct str *out)
{
	switch ((enum option_type)o->type) {
	case OPT_BOOL:
		str_puts(out, v->num ? "true" : "false");
		break;
	case OPT_INT:
	case OPT_SIZE:
	case OPT_STRING:
		str_puts(out, v->text ? v->text : "");
		break;
	case OPT_LIST:
		str_putc(out, '[');
		for (size_t i = 0; i < v->list.n; i++)
			str_printf(out, "%s%s", i ? " " : "", v->list.v[i]);
		str_putc(out, ']');
		break;
	case OPT_MAP:
		format_map(&v->map, out);
		break;
	case OPT_JSON:
		json_print(v->tree, out);
		break;
	}
}

void value_print(const struct option *o, const struct value *v, struct jw *w)
{
	switch ((enum option_type)o->type) {
	case OPT_BOOL:
		jw_bool(w, v->num);
		break;
	case OPT_INT:
	case OPT_SIZE:
		jw_i64(w, v->num);
		break;
	case OPT_STRING:
		jw_str(w, v->text);
		break;
	case OPT_LIST:
		jw_strlist(w, &v->list, false);
		break;
	case OPT_MAP:
		jw_pairs(w, &v->map, false);
		break;
	case OPT_JSON:
		jw_json(w, v->tree);
		break;
	}
}
