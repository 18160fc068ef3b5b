/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up rows of the option table by flag, letter and key; a hundred rows are walked faster than a map is built. */
#include "config/table.h"

#include <string.h>

const char *option_key(const struct option *o)
{
	return o->key ? o->key : o->flag;
}

static bool has_alias(const struct option *o, const char *prefix, const char *name, size_t len)
{
	size_t skip = strlen(prefix);

	for (const char *p = o->aliases; p && *p;) {
		size_t n = strcspn(p, " ");

		if (n == skip + len && !strncmp(p, prefix, skip) && !strncmp(p + skip, name, len) &&
		    (skip || *p != '-'))
			return true;
		p += n + (p[n] == ' ');
	}
	return false;
}

int option_by_flag(const char *name, size_t len)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];

		if (o->flag && ((strlen(o->flag) == len && !strncmp(o->flag, name, len)) ||
				has_alias(o, "--", name, len)))
			return (int)i;
	}
	return -1;
}

int option_by_letter(char letter)
{
	for (size_t i = 0; i < option_count; i++)
		if (option_table[i].letter == letter ||
		    has_alias(&option_table[i], "-", &letter, 1))
			return (int)i;
	return -1;
}

int option_by_key(const char *key)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];

		if (strcmp(option_key(o), key) == 0 || has_alias(o, "", key, strlen(key)))
			return (int)i;
	}
	return -1;
}

const char *option_gotype(const struct option *o)
{
	static const char *const names[] = {
	    "bool", "string", "int", "string", "[]string", "map[string]string", "object"};

	return o->gotype ? o->gotype : names[o->type];
}
