/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptions of Go structs as tables, and one function that decodes a JSON value by them and prints it again as Go would: members in
 * the struct's order, zero values filled in, nil slices and maps as null, `omitempty` obeyed.
 *
 * The tables are constant; no state. See schema_container.c for those of the containers API.
 */
#ifndef SPEC_SCHEMA_H
#define SPEC_SCHEMA_H

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"

enum go_kind {
	GO_BOOL,
	GO_INT,
	GO_STRING,
	GO_SLICE,    /* of elem */
	GO_STRSLICE, /* []string that is also read from one string */
	GO_ARRAY2,   /* [2]elem: never null */
	GO_MAP,      /* string -> elem */
	GO_POINTER,  /* to elem: null if absent */
	GO_STRUCT,
};

struct go_field;
struct go_type {
	enum go_kind kind;
	const char *name; /* as Go's decoder names it in errors */
	const struct go_type *elem;
	const struct go_field *fields; /* ended by a NULL name */
	int64_t min;                   /* GO_INT: range; unsigned 64 bit has min 0 and max -1 */
	int64_t max;
};

struct go_field {
	const char *name;
	const struct go_type *type;
	bool omitempty;
};

/*
 * Append `in` (NULL or null: the zero value) as a value of type t. `replace` (may be NULL) holds finished JSON texts for members of the
 * outermost struct, which win over `in`. `path` names the value in errors: "" at the top, ".HostConfig" below.
 * ERR_INVALID in Go's words if a value has another type.
 */
int schema_print(const struct go_type *t, const json *in, const struct pairs *replace,
		 const char *path, struct str *out, struct error *err);

extern const struct go_type go_config, go_host_config, go_endpoint, go_healthcheck, go_exec_options;
extern const struct go_type go_string_list, go_string_map;

#endif
