/* SPDX-License-Identifier: Apache-2.0 */
/* Options as users type them -> typed values in the order of the driver's table. Pure. */
#include "plugin/plugin_int.h"
#include "base/bool.h"
#include "base/clock.h"
#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static const char *const type_names[] = {NULL,       "string", "bool",   "int", "size",
					 "duration", "path",   "choice", "list"};

const char *plugin_option_type_name(uint32_t type)
{
	return type < ARRAY_LEN(type_names) ? type_names[type] : NULL;
}

uint32_t plugin_option_type_parse(const char *name)
{
	for (uint32_t i = 1; i < ARRAY_LEN(type_names); i++)
		if (streq(type_names[i], name))
			return i;
	return 0;
}

/* "label.*", "*" */
static bool is_pattern(const struct dockerd_option *o)
{
	return str_ends(o->key, "*");
}

/* The row of the scope that is the key's own; else the first pattern that it fits. */
static const struct dockerd_option *find_option(const struct plugin *p, uint32_t scope,
						const char *key)
{
	const struct dockerd_option *pattern = NULL;

	for (uint32_t i = 0; i < p->option_count; i++) {
		const struct dockerd_option *o = &p->options[i];

		if (!(o->scope & scope))
			continue;
		if (streq(o->key, key) || (o->alias && streq(o->alias, key)))
			return o;
		if (!pattern && is_pattern(o) && !strncmp(o->key, key, strlen(o->key) - 1))
			pattern = o;
	}
	return pattern;
}

/* Levenshtein distance, enough for near misses. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[65];
	size_t n = strlen(b);

	if (n > 64 || strlen(a) > 64)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned int cost = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < cost)
				cost = row[j] + 1;
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			row[j] = cost;
		}
	}
	return row[n];
}

static int unknown_option(const struct plugin *p, uint32_t scope, const char *key,
			  struct error *err)
{
	const char *near = NULL;
	unsigned int best = 4;

	for (uint32_t i = 0; i < p->option_count; i++) {
		unsigned int d = distance(key, p->options[i].key);

		if (d < best && p->options[i].scope & scope) {
			best = d;
			near = p->options[i].key;
		}
	}
	if (p->kind == DOCKERD_KIND_LOG) /* moby's words */
		error_set(err, ERR_INVALID, "unknown log opt '%s' for %s log driver", key, p->name);
	else
		error_set(err, ERR_INVALID, "%s driver %s: unknown option %s",
			  plugin_kind_name(p->kind), p->name, key);
	if (near) {
		size_t len = strlen(err->text);

		snprintf(err->text + len, sizeof(err->text) - len, " (did you mean %s?)", near);
	}
	return -1;
}

/* "10m", "1.5g", "64MiB": units of 1024, as go-units RAMInBytes. */
static bool parse_size(const char *s, int64_t *out)
{
	char *end;
	double v;
	int shift = 0;

	if (!isdigit((unsigned char)*s))
		return false;
	v = strtod(s, &end);
	while (*end == ' ')
		end++;
	if (*end) {
		const char *at = strchr("kmgtp", tolower((unsigned char)*end));

		if (at)
			shift = 10 * (int)(at - "kmgtp" + 1), end++;
		if (at && (*end == 'i' || *end == 'I'))
			end++;
		if (*end == 'b' || *end == 'B')
			end++;
	}
	if (*end || v * (double)(INT64_C(1) << shift) > 9e18)
		return false;
	*out = (int64_t)(v * (double)(INT64_C(1) << shift));
	return true;
}

static bool parse_choice(const char *choices, const char *s)
{
	auto_strlist l = STRLIST_INIT;

	strlist_split(&l, choices, '|');
	return strlist_has(&l, s);
}

static bool parse_number(const struct dockerd_option *o, const char *text, int64_t *out)
{
	bool on;
	char *end;

	switch (o->type) {
	case DOCKERD_OPT_BOOL:
		if (!bool_parse(text, &on))
			return false;
		*out = on;
		return true;
	case DOCKERD_OPT_INT:
		errno = 0;
		*out = strtoll(text, &end, 10);
		return !errno && end != text && !*end;
	case DOCKERD_OPT_SIZE:
		return parse_size(text, out);
	case DOCKERD_OPT_DURATION:
		return clock_parse_duration(text, out);
	case DOCKERD_OPT_PATH:
		return *text == '/';
	case DOCKERD_OPT_CHOICE:
		return parse_choice(o->choices, text);
	default:
		return true;
	}
}

/* A limit as users type it, in the largest unit that keeps it whole. */
static void print_limit(const struct dockerd_option *o, int64_t v, struct str *out)
{
	static const struct {
		int64_t of;
		const char *name;
	} sizes[] = {{INT64_C(1) << 40, "t"}, {1 << 30, "g"}, {1 << 20, "m"}, {1 << 10, "k"}},
	  times[] = {{INT64_C(3600000000000), "h"},
		     {INT64_C(60000000000), "m"},
		     {1000000000, "s"},
		     {1000000, "ms"},
		     {1000, "us"},
		     {1, "ns"}};
	bool size = o->type == DOCKERD_OPT_SIZE, time = o->type == DOCKERD_OPT_DURATION;
	size_t n = size ? ARRAY_LEN(sizes) : time ? ARRAY_LEN(times) : 0;

	for (size_t i = 0; i < n && v; i++) {
		int64_t of = size ? sizes[i].of : times[i].of;

		if (v % of == 0) {
			str_printf(out, "%" PRId64 "%s", v / of,
				   size ? sizes[i].name : times[i].name);
			return;
		}
	}
	str_printf(out, "%" PRId64, v);
}

static int out_of_range(const struct plugin *p, const struct dockerd_option *o, const char *text,
			struct error *err)
{
	auto_str from = STR_INIT, to = STR_INIT;

	print_limit(o, o->min, &from);
	print_limit(o, o->max, &to);
	return error_set(err, ERR_INVALID, "%s driver %s: option %s: %s is out of range (%s to %s)",
			 plugin_kind_name(p->kind), p->name, o->key, text, str_cstr(&from),
			 str_cstr(&to));
}

static int parse_value(const struct plugin *p, const struct dockerd_option *o, const char *text,
		       struct dockerd_value *out, struct error *err)
{
	int64_t number = 0;

	/* the words of moby's bridge driver, which clients get to see */
	if (!parse_number(o, text, &number) && p->kind == DOCKERD_KIND_NETWORK &&
	    (o->type == DOCKERD_OPT_BOOL || o->type == DOCKERD_OPT_INT))
		return error_set(err, ERR_INVALID,
				 "failed to parse %s value: %s (strconv.%s: parsing \"%s\": "
				 "invalid syntax)",
				 o->key, text, o->type == DOCKERD_OPT_BOOL ? "ParseBool" : "Atoi",
				 text);
	if (!parse_number(o, text, &number))
		return error_set(
		    err, ERR_INVALID, "%s driver %s: option %s: '%s' is no valid %s%s%s",
		    plugin_kind_name(p->kind), p->name, o->key, text, type_names[o->type],
		    o->choices ? ", expected one of " : "", o->choices ? o->choices : "");
	if ((o->min || o->max) && (number < o->min || number > o->max) &&
	    o->type >= DOCKERD_OPT_INT && o->type <= DOCKERD_OPT_DURATION)
		return out_of_range(p, o, text, err);
	*out = (struct dockerd_value){.key = o->key, .text = xstrdup(text), .number = number};
	return 0;
}

/* The key as given, in one block with the text. */
static void keep_key(struct dockerd_value *v, const char *key)
{
	size_t n = strlen(v->text) + 1, k = strlen(key) + 1;
	char *both = xmalloc(n + k);

	memcpy(both, v->text, n);
	memcpy(both + n, key, k);
	free((void *)(uintptr_t)v->text);
	v->text = both;
	v->key = both + n;
}

bool plugin_has_option(const struct plugin *p, uint32_t scope, const char *key)
{
	return find_option(p, scope, key) != NULL;
}

int plugin_options_parse(const struct plugin *p, uint32_t scope, const struct pairs *given,
			 struct dockerd_options **out, struct error *err)
{
	struct dockerd_options *o = xcalloc(1, sizeof(*o));
	struct dockerd_value *values = xcalloc(p->option_count + given->n + 1, sizeof(*values));

	*o = (struct dockerd_options){
	    .size = sizeof(*o), .count = 0, .values = values, .value_size = sizeof(*values)};
	for (size_t i = 0; i < given->n; i++) {
		if (!find_option(p, scope, given->v[i].key)) {
			unknown_option(p, scope, given->v[i].key, err);
			goto fail;
		}
	}
	for (uint32_t i = 0; i < p->option_count; i++) {
		const struct dockerd_option *row = &p->options[i];
		const char *text = NULL;

		if (!(row->scope & scope))
			continue;
		for (size_t j = 0; j < given->n; j++) {
			if (find_option(p, scope, given->v[j].key) != row)
				continue;
			text = given->v[j].value;
			if (!(row->flags & DOCKERD_OPTF_REPEAT) && !is_pattern(row))
				continue;
			if (parse_value(p, row, text, &values[o->count++], err) < 0)
				goto fail_last;
			if (is_pattern(row))
				keep_key(&values[o->count - 1], given->v[j].key);
		}
		if (text && (row->flags & DOCKERD_OPTF_REPEAT || is_pattern(row)))
			continue;
		if (!text)
			text = row->default_value;
		if (text && parse_value(p, row, text, &values[o->count++], err) < 0)
			goto fail_last;
	}
	*out = o;
	return 0;

fail_last:
	o->count--;
fail:
	plugin_options_free(o);
	return -1;
}

void plugin_options_free(struct dockerd_options *o)
{
	if (!o)
		return;
	for (uint32_t i = 0; i < o->count; i++)
		free((void *)(uintptr_t)o->values[i].text);
	free((void *)(uintptr_t)o->values);
	free(o);
}
