/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: parsing on top of cJSON with its traps closed, and a small streaming writer that prints as Go does.
 *
 * The tree is read with the getters below only, never by cJSON's own: they match names as Go's decoder does (in any case, the last one wins; but
 * one that is written exactly so comes first, since maps are read with them as well) and read 64-bit integers exactly (integers of 16 or more digits are kept as marked strings by
 * json_parse, because cJSON stores doubles).
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

struct cJSON;
typedef struct cJSON json; /* opaque tree node */

enum json_type {
	JSON_MISSING,
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* Parse exactly one document (trailing white space allowed). NULL and err (ERR_INVALID) if malformed. */
json *json_parse(const char *text, size_t len, struct error *err);
void json_free(json *j);
static inline void json_freep(json **j)
{
	json_free(*j);
	*j = NULL;
}
#define auto_json __attribute__((cleanup(json_freep))) json

enum json_type json_type(const json *j);
/* Member by name, as Go finds it; NULL if absent or j is no object. */
json *json_get(const json *j, const char *name);
/* Walk array elements or object members: for (json *c = json_first(j); c; c = json_next(c)). */
json *json_first(const json *j);
json *json_next(const json *j);
/* Name of an object member. */
const char *json_name(const json *j);
size_t json_count(const json *j);

/* Values; the fallback is given for a node that is NULL, null or of another type. */
const char *json_str(const json *j, const char *fallback);
bool json_bool(const json *j, bool fallback);
int64_t json_i64(const json *j, int64_t fallback);
uint64_t json_u64(const json *j, uint64_t fallback);
double json_double(const json *j, double fallback);

/* The same by member name. */
static inline const char *json_get_str(const json *j, const char *name, const char *fallback)
{
	return json_str(json_get(j, name), fallback);
}
static inline bool json_get_bool(const json *j, const char *name, bool fallback)
{
	return json_bool(json_get(j, name), fallback);
}
static inline int64_t json_get_i64(const json *j, const char *name, int64_t fallback)
{
	return json_i64(json_get(j, name), fallback);
}
/* Append the strings of an array / of an object of strings. Returns -1 if an element has another type. */
int json_strlist(const json *j, struct strlist *out);
int json_pairs(const json *j, struct pairs *out);

/* Change an object: replace or append a member. */
void json_set_str(json *object, const char *name, const char *value);
/* `value` is owned by the tree from now on. */
void json_set(json *object, const char *name, json *value);
/* Take a member out; NULL if there is none. The caller frees it. */
json *json_take(json *object, const char *name);

/* Print a tree again (unknown members of files we keep); integers stay exact. */
void json_print(const json *j, struct str *out);

/*
 * Streaming writer: appends to a str. Commas and nesting are its business.
 *	struct jw w = jw_to(&out);
 *	jw_obj(&w); jw_kstr(&w, "Id", id); jw_karr(&w, "Names"); jw_str(&w, n); jw_end(&w); jw_end(&w);
 */
struct jw {
	struct str *out;
	bool comma;
	int depth;
	uint64_t arrays; /* bit per depth: array or object; depth is limited to 63 */
};

static inline struct jw jw_to(struct str *out)
{
	return (struct jw){.out = out, .comma = false, .depth = 0, .arrays = 0};
}
void jw_obj(struct jw *w);
void jw_arr(struct jw *w);
/* Closes the innermost object or array. */
void jw_end(struct jw *w);
void jw_key(struct jw *w, const char *name);
/* NULL prints as "". `<`, `>`, `&`, U+2028/9 are escaped as Go's encoder does. */
void jw_str(struct jw *w, const char *s);
void jw_strn(struct jw *w, const char *s, size_t n);
void jw_i64(struct jw *w, int64_t v);
void jw_u64(struct jw *w, uint64_t v);
void jw_double(struct jw *w, double v);
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
/* A finished JSON value, e.g. one kept from elsewhere. */
void jw_raw(struct jw *w, const char *text, size_t n);
/* A tree, or null. */
void jw_json(struct jw *w, const json *j);
/* `["a","b"]`; `null` if the list is empty and null_if_empty (Go's nil slice). */
void jw_strlist(struct jw *w, const struct strlist *l, bool null_if_empty);
/* `{"k":"v"}` sorted by key as Go; `null` as above. */
void jw_pairs(struct jw *w, const struct pairs *p, bool null_if_empty);

/* key + value in one call */
void jw_kobj(struct jw *w, const char *name);
void jw_karr(struct jw *w, const char *name);
void jw_kstr(struct jw *w, const char *name, const char *s);
void jw_ki64(struct jw *w, const char *name, int64_t v);
void jw_ku64(struct jw *w, const char *name, uint64_t v);
void jw_kbool(struct jw *w, const char *name, bool v);
void jw_knull(struct jw *w, const char *name);
void jw_kjson(struct jw *w, const char *name, const json *j);
void jw_kstrlist(struct jw *w, const char *name, const struct strlist *l, bool null_if_empty);
/* As RFC 3339; CLOCK_ZERO is Go's zero time. */
void jw_ktime(struct jw *w, const char *name, int64_t ns);
void jw_kpairs(struct jw *w, const char *name, const struct pairs *p, bool null_if_empty);

/* Append the JSON string literal of s (quotes included) to out. */
void json_quote(struct str *out, const char *s, size_t n);

#endif
