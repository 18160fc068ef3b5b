/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A create request of an older client in the words of today: what its version of the API did not know is dropped or refused as moby does it, so that a
 * member which then had no meaning gets none, and what was a default then stays it. The rest of the daemon knows one version.
 */
#include "spec/spec.h"

#include "base/cleanup.h"
#include "base/mem.h"

static void drop(json *object, const char *name)
{
	while (json_type(object) == JSON_OBJECT && json_get(object, name)) /* of every spelling */
		json_free(json_take(object, name));
}

static void default_to(json *object, const char *name, const char *value)
{
	if (json_type(object) == JSON_OBJECT && !*json_get_str(object, name, ""))
		json_set_str(object, name, value);
}

static int mount_from(json *mount, int version, struct error *err)
{
	const char *type = json_get_str(mount, "Type", "");
	json *bind = json_get(mount, "BindOptions");
	struct error ignored = ERROR_INIT;

	if (version < 48 && streq(type, "image"))
		return error_set(err, ERR_INVALID, "Mount type \"Image\" needs API v1.48 or newer");
	if (version < 45 && *json_get_str(json_get(mount, "VolumeOptions"), "Subpath", ""))
		return error_set(err, ERR_INVALID,
				 "VolumeOptions.Subpath needs API v1.45 or newer");
	if (version < 44 && json_get_bool(bind, "ReadOnlyForceRecursive", false))
		return error_set(err, ERR_INVALID,
				 "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer");
	/* read-only mounts were not recursively so */
	if (version < 44 && json_type(bind) == JSON_OBJECT &&
	    json_get_bool(mount, "ReadOnly", false))
		json_set(bind, "ReadOnlyNonRecursive", json_parse("true", 4, &ignored));
	if (version < 42) {
		drop(bind, "CreateMountpoint");
		/* options of another type of mount were not looked at */
		if (!streq(type, "volume"))
			drop(mount, "VolumeOptions");
		if (!streq(type, "tmpfs"))
			drop(mount, "TmpfsOptions");
	}
	if (version < 40)
		drop(bind, "NonRecursive");
	return 0;
}

/* A container had one network and one address of its own then; an endpoint's said nothing. */
static int networks_from(json *body, const json *host, struct error *err)
{
	json *endpoints = json_get(json_get(body, "NetworkingConfig"), "EndpointsConfig");
	const char *mode = json_get_str(host, "NetworkMode", "");
	auto_str names = STR_INIT;

	if (json_count(endpoints) > 1) {
		for (json *e = json_first(endpoints); e; e = json_next(e))
			str_printf(&names, "%s%s", names.len ? ", " : "", json_name(e));
		return error_set(err, ERR_INVALID,
				 "Container cannot be created with multiple network endpoints: %s",
				 str_cstr(&names));
	}
	for (json *e = json_first(endpoints); e; e = json_next(e))
		drop(e, "MacAddress");
	if (*json_get_str(body, "MacAddress", "") &&
	    (streq(mode, "host") || streq(mode, "none") || str_after(mode, "container:")))
		return error_set(err, ERR_INVALID,
				 "conflicting options: mac-address and the network mode");
	return 0;
}

int spec_from_version(json *body, int version, bool cgroup2, struct error *err)
{
	json *host = json_get(body, "HostConfig");
	struct error ignored = ERROR_INIT;

	if (version < 41 && json_type(body) == JSON_OBJECT &&
	    (!host || json_type(host) == JSON_NULL)) {
		host = json_parse("{}", 2, &ignored);
		json_set(body, "HostConfig", host);
	}
	for (json *m = json_first(json_get(host, "Mounts")); m; m = json_next(m))
		if (mount_from(m, version, err) < 0)
			return -1;
	if (version >= 42) {
		drop(host, "KernelMemory");
	} else {
		drop(host, "ConsoleSize");
	}
	if (version < 44) {
		drop(json_get(body, "Healthcheck"), "StartInterval");
		if (networks_from(body, host, err) < 0)
			return -1;
	}
	if (version < 43)
		drop(host, "Annotations");
	if (version < 41 && !cgroup2)
		default_to(host, "CgroupnsMode", "host");
	if (version < 40) {
		default_to(host, "IpcMode", "shareable");
		drop(host, "KernelMemoryTCP");
		drop(host, "MaskedPaths"); /* a stray value must not unmask */
		drop(host, "ReadonlyPaths");
	}
	if (version < 25)
		drop(host, "AutoRemove"); /* the client did it */
	return 0;
}
