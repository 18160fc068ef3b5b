/* SPDX-License-Identifier: Apache-2.0 */
/* The key sequence that leaves an attached session: "ctrl-p,ctrl-q", "a,b", "DEL". */
#include "spec/spec.h"

#include <strings.h>

static int one_key(const char *key)
{
	const char *ctrl = str_after(key, "ctrl-");

	if (key[0] && !key[1])
		return (unsigned char)key[0];
	if (streq(key, "DEL"))
		return 127;
	if (!ctrl || !ctrl[0] || ctrl[1])
		return -1;
	if (*ctrl >= 'a' && *ctrl <= 'z')
		return *ctrl - 'a' + 1;
	if (*ctrl == '@')
		return 0;
	return strchr("[\\]^_", *ctrl) ? *ctrl - '@' : -1;
}

int spec_detach_keys(const char *names, struct str *bytes, struct error *err)
{
	auto_strlist keys = STRLIST_INIT;

	strlist_split(&keys, names, ',');
	for (size_t i = 0; i < keys.n; i++) {
		int code = one_key(keys.v[i]);

		if (code < 0)
			return error_set(
			    err, ERR_INVALID,
			    "Invalid detach keys (%s) provided: Unknown character: '%s'", names,
			    keys.v[i]);
		str_putc(bytes, (char)code);
	}
	return 0;
}
