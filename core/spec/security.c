/* SPDX-License-Identifier: Apache-2.0 */
/* HostConfig.SecurityOpt: "name=value", of old also "name:value". Words and numbers of the errors are moby's. */
#include "spec/spec_int.h"

#include "base/bool.h"
#include "base/mem.h"

static bool key_is(const char *opt, size_t n, const char *key)
{
	return strlen(key) == n && memcmp(opt, key, n) == 0;
}

static int one_option(const char *opt, struct security_opts *o, struct error *err)
{
	size_t n = strchr(opt, '=') ? strcspn(opt, "=") : strcspn(opt, ":");
	const char *value = opt[n] ? opt + n + 1 : NULL;
	int r = 0;

	if (streq(opt, "no-new-privileges"))
		o->no_new_privileges = o->no_new_privileges_set = true;
	else if (streq(opt, "writable-cgroups"))
		o->writable_cgroups = o->writable_cgroups_set = true;
	else if (streq(opt, "disable"))
		return 0; /* labels: there are none */
	else if (!value)
		return error_set(err, ERR_SYSTEM, "invalid --security-opt 1: \"%s\"", opt);
	else if (key_is(opt, n, "apparmor"))
		o->apparmor = value;
	else if (key_is(opt, n, "seccomp"))
		o->seccomp = value;
	else if (key_is(opt, n, "no-new-privileges")) {
		o->no_new_privileges_set = true;
		r = bool_parse(value, &o->no_new_privileges) ? 0 : -1;
	} else if (key_is(opt, n, "writable-cgroups")) {
		o->writable_cgroups_set = true;
		r = bool_parse(value, &o->writable_cgroups) ? 0 : -1;
	} else if (!key_is(opt, n, "label")) {
		r = -1;
	}
	return r < 0 ? error_set(err, ERR_SYSTEM, "invalid --security-opt 2: \"%s\"", opt) : 0;
}

int security_parse(const json *host_config, struct security_opts *out, struct error *err)
{
	*out = (struct security_opts){0};
	for (json *c = json_first(json_get(host_config, "SecurityOpt")); c; c = json_next(c))
		if (one_option(json_str(c, ""), out, err) < 0)
			return -1;
	return 0;
}

const char *spec_apparmor(const json *host_config, const struct spec_host *h)
{
	struct error ignored = ERROR_INIT;
	struct security_opts opts;

	if (str_empty(h->apparmor_profile) || security_parse(host_config, &opts, &ignored) < 0)
		return "";
	if (opts.apparmor)
		return opts.apparmor;
	return json_get_bool(host_config, "Privileged", false) ? "unconfined" : h->apparmor_profile;
}
