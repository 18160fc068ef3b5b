/* SPDX-License-Identifier: Apache-2.0 */
/* The `filters` parameter of lists and prunes: {"name":{"value":true}}, or the older {"name":["value"]}. Source: moby api/types/filters. */
#ifndef BASE_FILTER_H
#define BASE_FILTER_H

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"

/* ERR_INVALID "invalid filter 'X'". known: NULL-terminated. */
int filter_check(const json *filters, const char *const *known, struct error *err);
/* Values of one filter, copied; nothing if it is not there. What stands behind a value in an object doesn't count. */
void filter_values(const json *filters, const char *name, struct strlist *out);
/* "key" or "key=value". */
bool filter_label(const struct pairs *labels, const char *wanted);
bool filter_all_labels(const struct pairs *labels, const struct strlist *wanted);
/* All of `label`, and not all of `label!`. */
bool filter_labels(const struct pairs *labels, const json *filters);

#endif
