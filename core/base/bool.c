/* SPDX-License-Identifier: Apache-2.0 */
/* See bool.h. */
#include "base/bool.h"
#include "base/mem.h"
#include "base/str.h"

bool bool_parse(const char *text, bool *value)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (streq(text, yes[i]) || streq(text, no[i])) {
			*value = streq(text, yes[i]);
			return true;
		}
	}
	return false;
}
