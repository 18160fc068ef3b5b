/* SPDX-License-Identifier: Apache-2.0 */
/* See ambiguous.h. The names of each object are sorted, so that a body of a megabyte takes no longer than its parsing. */
#include "authz/ambiguous.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_map(const char *name)
{
	static const char *const maps[] = {"Annotations",  "AuxiliaryAddresses",
					   "DriverOpts",   "EndpointsConfig",
					   "ExposedPorts", "Labels",
					   "Options",      "PortBindings",
					   "StorageOpt",   "Sysctls",
					   "Tmpfs",        "Volumes"};

	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		if (strcasecmp(name, maps[i]) == 0)
			return true;
	return false;
}

/* Simple case folding of Unicode, as far as it ends in ASCII. */
static char *fold(const char *name, bool map)
{
	struct str out = STR_INIT;

	for (const char *p = name; *p; p++) {
		if (!map && p[0] == '\xc5' && p[1] == '\xbf') {
			str_putc(&out, 's');
			p++;
		} else if (!map && p[0] == '\xe2' && p[1] == '\x84' && p[2] == '\xaa') {
			str_putc(&out, 'k');
			p += 2;
		} else {
			str_putc(&out, map ? *p : (char)tolower((unsigned char)*p));
		}
	}
	return str_steal(&out);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_names(const json *object, bool map, struct error *err)
{
	size_t n = json_count(object), k = 0;
	char **names = xcalloc(n + 1, sizeof(*names));
	int r = 0;

	for (const json *m = json_first(object); m; m = json_next(m))
		names[k++] = fold(json_name(m), map);
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 1; i < n && r == 0; i++)
		if (streq(names[i - 1], names[i]))
			r = error_set(
			    err, ERR_INVALID,
			    "invalid JSON: member \"%.64s\" stands there more than once: "
			    "an authorization plugin may read another one than the engine",
			    names[i]);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return r;
}

static int check(const json *j, bool map, struct error *err)
{
	bool object = json_type(j) == JSON_OBJECT;

	if (object && check_names(j, map, err) < 0)
		return -1;
	for (const json *m = json_first(j); m; m = json_next(m))
		if (check(m, object && !map && is_map(json_name(m)), err) < 0)
			return -1;
	return 0;
}

int authz_unambiguous(const json *body, struct error *err)
{
	return check(body, false, err);
}
