/* SPDX-License-Identifier: Apache-2.0 */
/* Capability sets as bit masks. capabilities(7); names by libcap, sets by the system call: libcap's objects carry three sets, we have five. */
#include "native.h"

#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Unknown names (newer than this libcap or kernel) are left out: a right less, never one more. */
uint64_t caps_parse(const json *names)
{
	uint64_t set = 0;

	for (json *j = json_first(names); j; j = json_next(j)) {
		const char *name = json_str(j, "");
		char lower[64];
		cap_value_t v;
		size_t i = 0;

		for (; name[i] && i < sizeof(lower) - 1; i++)
			lower[i] = (char)tolower((unsigned char)name[i]);
		lower[i] = '\0';
		if (cap_from_name(lower, &v) == 0 && v < cap_max_bits())
			set |= UINT64_C(1) << v;
	}
	return set;
}

int caps_drop_bounding(uint64_t keep, struct error *err)
{
	for (int c = 0; c < cap_max_bits(); c++)
		if (!(keep >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EINVAL)
			return error_sys(err, errno, "drop capability %d from the bounding set", c);
	return 0;
}

int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable, struct error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){
		    .effective = (uint32_t)(effective >> 32 * i),
		    .permitted = (uint32_t)(permitted >> 32 * i),
		    .inheritable = (uint32_t)(inheritable >> 32 * i)};
	if (syscall(SYS_capset, &head, data) < 0)
		return error_sys(err, errno, "set capabilities");
	return 0;
}

int caps_set_ambient(uint64_t set, struct error *err)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return error_sys(err, errno, "clear ambient capabilities");
	for (int c = 0; c < cap_max_bits(); c++)
		if (set >> c & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0)
			return error_sys(err, errno, "raise ambient capability %d", c);
	return 0;
}
