/* SPDX-License-Identifier: Apache-2.0 */
/* What moby refuses at create and update, in its words: clients match on them. Limits are in validate_resources.c. */
#include "spec/validate_int.h"

#include <arpa/inet.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define MIN_HEALTH_NS INT64_C(1000000)

#define bad(err, ...) error_set((err), ERR_INVALID, __VA_ARGS__)

static void warn(struct strlist *warnings, const char *text)
{
	if (warnings)
		strlist_add(warnings, text);
}

/* ---- Config -------------------------------------------------------------------------------------------------------------------------- */

static int check_healthcheck(const json *config, struct error *err)
{
	static const char *const times[] = {"Interval", "Timeout", "StartPeriod", "StartInterval"};
	const json *h = json_get(config, "Healthcheck");

	if (json_type(h) != JSON_OBJECT)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		int64_t ns = json_get_i64(h, times[i], 0);

		if (ns != 0 && ns < MIN_HEALTH_NS)
			return bad(err, "%s in Healthcheck cannot be less than 1ms", times[i]);
	}
	if (json_get_i64(h, "Retries", 0) < 0)
		return bad(err, "Retries in Healthcheck cannot be negative");
	return 0;
}

static int check_config(const json *config, struct error *err)
{
	const char *dir = json_get_str(config, "WorkingDir", ""),
		   *signal = json_get_str(config, "StopSignal", "");
	struct spec_ports none;

	if (*dir && *dir != '/')
		return bad(err,
			   "the working directory '%s' is invalid, it needs to be an absolute path",
			   dir);
	if (*signal && spec_signal(signal) < 0)
		return bad(err, "invalid signal: %s", signal);
	for (json *c = json_first(json_get(config, "Env")); c; c = json_next(c))
		if (!*json_str(c, "") || *json_str(c, "") == '=')
			return bad(err, "invalid environment variable: %s", json_str(c, ""));
	if (spec_parse_ports(config, NULL, &none, err) < 0)
		return -1;
	spec_ports_free(&none);
	return check_healthcheck(config, err);
}

/* ---- HostConfig: single members ------------------------------------------------------------------------------------------------------ */

static int check_restart(const json *h, struct error *err)
{
	const json *r = json_get(h, "RestartPolicy");
	const char *name = json_get_str(r, "Name", "");
	int64_t count = json_get_i64(r, "MaximumRetryCount", 0);

	if (streq(name, "on-failure"))
		return count < 0
			   ? bad(err,
				 "invalid restart policy: maximum retry count cannot be negative")
			   : 0;
	if (*name && !streq(name, "no") && !streq(name, "always") && !streq(name, "unless-stopped"))
		return bad(err,
			   "invalid restart policy: unknown policy '%s'; use one of 'no', "
			   "'always', 'on-failure', or 'unless-stopped'",
			   name);
	if (count != 0)
		return bad(err,
			   "invalid restart policy: maximum retry count can only be used with "
			   "'on-failure'%s",
			   count < 0 ? " and cannot be negative" : "");
	return 0;
}

static int check_auto_remove(const json *h, struct error *err)
{
	const char *policy = json_get_str(json_get(h, "RestartPolicy"), "Name", "");

	if (json_get_bool(h, "AutoRemove", false) && *policy && !streq(policy, "no"))
		return bad(err, "can't create 'AutoRemove' container with restart policy");
	return 0;
}

static bool mode_in(const char *mode, const char *const *list)
{
	for (; *list; list++)
		if (streq(mode, *list))
			return true;
	return !*mode;
}

static int check_modes(const json *h, struct error *err)
{
	static const char *const ipc[] = {"none", "private", "shareable", "host", NULL},
				 *const cgroupns[] = {"private", "host", NULL};
	static const char *const host[] = {"host", NULL}, *const isolation[] = {"default", NULL};
	const char *mode = json_get_str(h, "PidMode", "");

	if (!mode_in(mode, host) && str_empty(mode_container(mode)))
		return bad(err, "invalid PID mode: %s", mode);
	mode = json_get_str(h, "IpcMode", "");
	if (!mode_in(mode, ipc) && !mode_container(mode))
		return bad(err, "invalid IPC mode: %s", mode);
	mode = json_get_str(h, "UTSMode", "");
	if (!mode_in(mode, host))
		return bad(err, "invalid UTS mode: %s", mode);
	mode = json_get_str(h, "CgroupnsMode", "");
	if (!mode_in(mode, cgroupns))
		return bad(err, "invalid cgroup namespace mode: %s", mode);
	mode = json_get_str(h, "NetworkMode", "");
	if (streq(mode, "container:"))
		return bad(err,
			   "invalid network mode: invalid container format container:<name|id>");
	mode = json_get_str(h, "Isolation", "");
	if (!mode_in(mode, isolation))
		return bad(err, "invalid isolation (%s): linux only supports 'default'", mode);
	return 0;
}

/* "name:address", where the address may be host-gateway, or IPv6 in brackets. */
static int check_extra_host(const char *entry, struct error *err)
{
	const char *colon = strchr(entry, ':');
	auto_free char *address = NULL;
	unsigned char bytes[16];
	size_t n;

	if (!colon || colon == entry)
		return bad(err, "bad format for add-host: \"%s\"", entry);
	if (streq(colon + 1, "host-gateway"))
		return 0;
	n = strlen(colon + 1);
	address =
	    colon[1] == '[' && colon[n] == ']' ? xstrndup(colon + 2, n - 2) : xstrdup(colon + 1);
	if (inet_pton(AF_INET, address, bytes) != 1 && inet_pton(AF_INET6, address, bytes) != 1)
		return bad(err, "invalid IP address in add-host: \"%s\"", colon + 1);
	return 0;
}

/* These go into files of lines (hosts, resolv.conf, hostname): a control character would make lines of its own. */
static int check_line(const char *what, const char *text, struct error *err)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return error_set(err, ERR_INVALID,
					 "invalid %s: it must not hold control characters", what);
	return 0;
}

static int check_each(const json *list, const char *what, struct error *err)
{
	for (json *c = json_first(list); c; c = json_next(c))
		if (check_line(what, json_str(c, ""), err) < 0)
			return -1;
	return 0;
}

static int check_lines(const json *config, const json *h, struct error *err)
{
	if (check_line("hostname", json_get_str(config, "Hostname", ""), err) < 0 ||
	    check_line("domain name", json_get_str(config, "Domainname", ""), err) < 0 ||
	    check_each(json_get(h, "ExtraHosts"), "extra host", err) < 0 ||
	    check_each(json_get(h, "Dns"), "DNS server", err) < 0 ||
	    check_each(json_get(h, "DnsSearch"), "DNS search domain", err) < 0)
		return -1;
	return check_each(json_get(h, "DnsOptions"), "DNS option", err);
}

static int check_lists(const json *h, struct error *err)
{
	for (json *c = json_first(json_get(h, "ExtraHosts")); c; c = json_next(c))
		if (check_extra_host(json_str(c, ""), err) < 0)
			return -1;
	for (json *c = json_first(json_get(h, "Links")); c; c = json_next(c)) {
		const char *colon = strchr(json_str(c, ""), ':');

		if (!*json_str(c, ""))
			return error_set(err, ERR_SYSTEM, "empty string specified for links");
		if (colon && strchr(colon + 1, ':'))
			return error_set(err, ERR_SYSTEM, "bad format for links: %s",
					 json_str(c, ""));
	}
	for (json *c = json_first(json_get(h, "VolumesFrom")); c; c = json_next(c)) {
		const char *spec = json_str(c, ""), *mode = strchr(spec, ':');

		if (!*spec)
			return bad(err, "volumes-from specification cannot be an empty string");
		if (mode && !streq(mode, ":ro") && !streq(mode, ":rw") && !streq(mode, ":z") &&
		    !streq(mode, ":Z"))
			return bad(err, "invalid mode: %s", mode + 1);
	}
	if (json_get(json_get(h, "Annotations"), ""))
		return bad(
		    err,
		    "invalid Annotations: the empty string is not permitted as an annotation key");
	return 0;
}

bool spec_runtime_is_shim(const char *name)
{
	const char *kind = str_after(name, "io.containerd."),
		   *dot = kind ? strrchr(kind, '.') : NULL;

	return dot && dot > kind && dot[1] == 'v' && dot[2];
}

static int check_runtime(const json *h, const struct spec_host *host, struct error *err)
{
	const char *name = json_get_str(h, "Runtime", "");

	if (!*name || streq(name, host->default_runtime ? host->default_runtime : "runc"))
		return 0;
	for (const char *const *r = host->runtimes; r && *r; r++)
		if (streq(*r, name))
			return 0;
	return spec_runtime_is_shim(name) ? 0
					  : bad(err, "unknown or invalid runtime name: %s", name);
}

/* ---- Members that contradict each other ---------------------------------------------------------------------------------------------- */

static int check_container_network(const json *config, const json *h, struct error *err)
{
	if (*json_get_str(config, "Hostname", ""))
		return bad(err, "conflicting options: hostname and the network mode");
	if (json_count(json_get(h, "Links")))
		return bad(err, "conflicting options: container type network can't be used with "
				"links. This would result in undefined "
				"behavior");
	if (json_count(json_get(h, "Dns")))
		return bad(err, "conflicting options: dns and the network mode");
	if (json_count(json_get(h, "ExtraHosts")))
		return bad(err,
			   "conflicting options: custom host-to-IP mapping and the network mode");
	if (json_count(json_get(h, "PortBindings")) || json_get_bool(h, "PublishAllPorts", false))
		return bad(
		    err,
		    "conflicting options: port publishing and the container type network mode");
	if (json_count(json_get(config, "ExposedPorts")))
		return bad(
		    err, "conflicting options: port exposing and the container type network mode");
	return 0;
}

/* Needs rights of the host, or namespaces that are the host's. */
static int check_userns(const json *h, const struct spec_host *host, struct error *err)
{
	struct security_opts security;

	if (!spec_remapped(h, host))
		return 0;
	if (json_get_bool(h, "Privileged", false))
		return bad(err, "privileged mode is incompatible with user namespaces.  You must "
				"run the container in the host namespace when running privileged "
				"mode");
	if (streq(json_get_str(h, "NetworkMode", ""), "host"))
		return bad(err, "cannot share the host's network namespace when user namespaces "
				"are enabled");
	if (streq(json_get_str(h, "PidMode", ""), "host"))
		return bad(err,
			   "cannot share the host PID namespace when user namespaces are enabled");
	if (security_parse(h, &security, err) < 0)
		return -1;
	return security.writable_cgroups
		   ? bad(err,
			 "option WritableCgroups conflicts with user namespaces and rootless mode")
		   : 0;
}

static int check_conflicts(const json *config, const json *h, struct strlist *warnings,
			   struct error *err)
{
	const char *network = json_get_str(h, "NetworkMode", "");

	if (streq(json_get_str(h, "UTSMode", ""), "host") && *json_get_str(config, "Hostname", ""))
		return bad(err, "conflicting options: hostname and the UTS mode");
	if (mode_container(network))
		return check_container_network(config, h, err);
	if (!streq(network, "host"))
		return 0;
	if (json_count(json_get(h, "Links")))
		return bad(err, "conflicting options: host type networking can't be used with "
				"links. This would result in undefined "
				"behavior");
	if (json_count(json_get(h, "PortBindings")))
		warn(warnings, "Published ports are discarded when using host network mode");
	return 0;
}

static int check_parsers(const json *config, const json *h, struct strlist *warnings,
			 struct error *err)
{
	auto_strlist caps = STRLIST_INIT;
	struct security_opts security;
	struct spec_mounts mounts;
	struct spec_ports ports;

	if (caps_resolve(h, false, &caps, err) < 0 || security_parse(h, &security, err) < 0 ||
	    spec_parse_ports(config, h, &ports, err) < 0)
		return -1;
	spec_ports_free(&ports);
	if (spec_parse_mounts(config, h, &mounts, err) < 0)
		return -1;
	for (size_t i = 0; i < mounts.n; i++)
		if (mounts.v[i].type == SPEC_MOUNT_IMAGE)
			warn(warnings, "Image mount is an experimental feature");
	spec_mounts_free(&mounts);
	return 0;
}

int spec_validate(const json *config, const json *host_config, const struct spec_host *h,
		  struct strlist *warnings, struct error *err)
{
	if (check_config(config, err) < 0 || check_restart(host_config, err) < 0 ||
	    check_auto_remove(host_config, err) < 0 || check_modes(host_config, err) < 0 ||
	    check_lines(config, host_config, err) < 0 || check_lists(host_config, err) < 0 ||
	    check_conflicts(config, host_config, warnings, err) < 0 ||
	    validate_resources(host_config, h, warnings, err) < 0 ||
	    check_runtime(host_config, h, err) < 0 || check_userns(host_config, h, err) < 0)
		return -1;
	return check_parsers(config, host_config, warnings, err);
}
