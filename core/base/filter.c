/* SPDX-License-Identifier: Apache-2.0 */
/* See filter.h. */
#include "base/filter.h"

#include <string.h>

int filter_check(const json *filters, const char *const *known, struct error *err)
{
	for (json *f = json_first(filters); f; f = json_next(f)) {
		size_t i = 0;

		while (known[i] && !streq(known[i], json_name(f)))
			i++;
		if (!known[i])
			return error_set(err, ERR_INVALID, "invalid filter '%s'", json_name(f));
	}
	return 0;
}

void filter_values(const json *filters, const char *name, struct strlist *out)
{
	const json *f = json_get(filters, name);

	for (json *v = json_first(f); v; v = json_next(v))
		strlist_add(out, json_type(f) == JSON_OBJECT ? json_name(v) : json_str(v, ""));
}

bool filter_label(const struct pairs *labels, const char *wanted)
{
	const char *eq = strchrnul(wanted, '=');
	size_t len = (size_t)(eq - wanted);

	for (size_t i = 0; i < labels->n; i++)
		if (strlen(labels->v[i].key) == len && !memcmp(labels->v[i].key, wanted, len))
			return !*eq || streq(labels->v[i].value, eq + 1);
	return false;
}

bool filter_all_labels(const struct pairs *labels, const struct strlist *wanted)
{
	for (size_t i = 0; i < wanted->n; i++)
		if (!filter_label(labels, wanted->v[i]))
			return false;
	return true;
}

bool filter_labels(const struct pairs *labels, const json *filters)
{
	auto_strlist with = STRLIST_INIT, without = STRLIST_INIT;

	filter_values(filters, "label", &with);
	filter_values(filters, "label!", &without);
	return filter_all_labels(labels, &with) &&
	       (!without.n || !filter_all_labels(labels, &without));
}
