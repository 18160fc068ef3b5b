/* SPDX-License-Identifier: Apache-2.0 */
/* Capability sets. capabilities(7); the defaults are moby's. */
#include "spec/spec_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/mem.h"

/* By number, as in linux/capability.h. */
static const char *const all_caps[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

static const char *const default_caps[] = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
    "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
    "CAP_KILL",    "CAP_AUDIT_WRITE",
};

/* In the daemon's bounding set: what this kernel doesn't know, or whoever runs the daemon took away, can't be given. prctl(2) */
static bool available(size_t cap)
{
	return prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1;
}

static int cap_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(all_caps); i++)
		if (streq(all_caps[i], name))
			return (int)i;
	return -1;
}

int caps_normalise(const char *name, char **out, struct error *err)
{
	auto_str s = STR_INIT;

	for (const char *p = name; *p; p++)
		str_putc(&s, (char)toupper((unsigned char)*p));
	if (!streq(str_cstr(&s), "ALL") && !str_after(str_cstr(&s), "CAP_")) {
		char *plain = str_steal(&s);

		str_printf(&s, "CAP_%s", plain);
		free(plain);
	}
	if (!streq(str_cstr(&s), "ALL") && cap_number(str_cstr(&s)) < 0)
		return error_set(err, ERR_INVALID, "unknown capability: \"%s\"", str_cstr(&s));
	*out = str_steal(&s);
	return 0;
}

static int normalise_list(const json *list, struct strlist *out, struct error *err)
{
	for (json *c = json_first(list); c; c = json_next(c)) {
		char *one;

		if (caps_normalise(json_str(c, ""), &one, err) < 0)
			return -1;
		strlist_take(out, one);
	}
	return 0;
}

static void add_once(struct strlist *l, const char *cap)
{
	if (!strlist_has(l, cap))
		strlist_add(l, cap);
}

int caps_resolve(const json *host_config, bool privileged, struct strlist *out, struct error *err)
{
	auto_strlist add = STRLIST_INIT, drop = STRLIST_INIT;

	if (normalise_list(json_get(host_config, "CapAdd"), &add, err) < 0)
		return error_wrap(err, "invalid CapAdd");
	if (normalise_list(json_get(host_config, "CapDrop"), &drop, err) < 0)
		return error_wrap(err, "invalid CapDrop");
	if (privileged || strlist_has(&add, "ALL")) {
		for (size_t i = 0; i < ARRAY_LEN(all_caps); i++)
			if (available(i) && (privileged || !strlist_has(&drop, all_caps[i])))
				strlist_add(out, all_caps[i]);
		return 0;
	}
	if (!strlist_has(&drop, "ALL"))
		for (size_t i = 0; i < ARRAY_LEN(default_caps); i++)
			if (!strlist_has(&drop, default_caps[i]))
				strlist_add(out, default_caps[i]);
	for (size_t i = 0; i < add.n; i++)
		add_once(out, add.v[i]);
	return 0;
}

uint64_t caps_mask(const struct strlist *caps)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < caps->n; i++) {
		int c = cap_number(caps->v[i]);

		if (c >= 0)
			mask |= UINT64_C(1) << c;
	}
	return mask;
}
