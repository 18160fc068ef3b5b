/* SPDX-License-Identifier: Apache-2.0 */
/* See check.h. */
#include "config/check.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "base/bool.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/units.h"

int check_ip(const char *v, bool from_file, struct error *err)
{
	if (!*v || ip_valid(v))
		return 0;
	if (from_file)
		return error_set(err, ERR_INVALID, "invalid JSON: invalid IP address: %s", v);
	return error_set(err, ERR_INVALID, "failed to parse IP: \"%s\"", v);
}

int check_dns(const char *v, bool from_file, struct error *err)
{
	if (from_file || ip_valid(v))
		return check_ip(v, from_file, err);
	return error_set(err, ERR_INVALID, "invalid string being converted to IP address: %s", v);
}

int check_host(const char *v, bool from_file, struct error *err)
{
	auto_free char *host = host_parse(v, err);

	(void)from_file;
	return host ? 0 : -1;
}

int check_label(const char *v, bool from_file, struct error *err)
{
	static const char *const reserved[] = {"com.docker.", "io.docker.", "org.dockerproject."};
	const char *eq = strchr(v, '=');

	(void)from_file;
	if (!eq)
		return error_set(err, ERR_INVALID, "bad attribute format: %s", v);
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (strncasecmp(v, reserved[i], strlen(reserved[i])) == 0)
			return error_set(err, ERR_INVALID,
					 "label %s is not allowed: the namespaces com.docker.*, "
					 "io.docker.*, and "
					 "org.dockerproject.* are reserved for internal use",
					 v);
	return 0;
}

/* Labels of letters, digits, '-' and '_', not only digits and dots, 255 bytes at most; a dot at the end is fine, "." means no search. */
int check_domain(const char *v, bool from_file, struct error *err)
{
	const char *p = v;
	bool letter = false;

	(void)from_file;
	while (isspace((unsigned char)*p))
		p++;
	if (streq(p, "."))
		return 0;
	for (const char *label = p; *p; p++) {
		if (*p == '.') {
			if (p == label || p[-1] == '-')
				goto bad;
			label = p + 1;
		} else if (!isalnum((unsigned char)*p) && *p != '_' && (*p != '-' || p == label)) {
			goto bad;
		}
		letter |= isalpha((unsigned char)*p) != 0;
	}
	if (letter && p[-1] != '-' && strlen(v) < 256)
		return 0;
bad:
	return error_set(err, ERR_INVALID, "%s is not a valid domain", v);
}

int check_mirror(const char *v, bool from_file, struct error *err)
{
	const char *rest = strstr(v, "://");
	size_t host;

	(void)from_file;
	if (!rest || rest == v)
		return error_set(err, ERR_INVALID,
				 "invalid mirror: no scheme specified for \"%s\": must use either "
				 "'https://' or 'http://'",
				 v);
	if (!str_after(v, "http://") && !str_after(v, "https://"))
		return error_set(err, ERR_INVALID,
				 "invalid mirror: unsupported scheme \"%.*s\" in \"%s\": must use "
				 "either 'https://' or 'http://'",
				 (int)(rest - v), v, v);
	rest += 3;
	if (strpbrk(rest, "?#"))
		return error_set(err, ERR_INVALID,
				 "invalid mirror: query or fragment at end of the URI \"%s\"", v);
	host = strcspn(rest, "/");
	if (memchr(rest, '@', host))
		return error_set(err, ERR_INVALID,
				 "invalid mirror: username/password not allowed in URI");
	if (!host)
		return error_set(err, ERR_INVALID, "invalid mirror: no host in \"%s\"", v);
	return 0;
}

int check_registry(const char *v, bool from_file, struct error *err)
{
	(void)from_file;
	if (!*v || *v == '-')
		return error_set(err, ERR_INVALID,
				 "insecure registry '%s' is not valid: give a host, host:port or "
				 "network in CIDR form",
				 v);
	return 0;
}

int check_exec_opt(const char *v, bool from_file, struct error *err)
{
	const char *eq = strchr(v, '='), *rest = str_after(v, "native.");

	(void)from_file;
	if (!eq)
		return error_set(err, ERR_INVALID,
				 "invalid exec-opt (%s): must be formatted 'opt=value'", v);
	if (!rest)
		return 0; /* another driver's: checked against its table when it is loaded */
	rest = str_after(rest, "cgroupdriver=");
	if (!rest)
		return error_set(err, ERR_INVALID, "invalid exec-opt (%s): unknown option: '%.*s'",
				 v, (int)(eq - v), v);
	if (streq(rest, "systemd"))
		return error_set(err, ERR_NOT_IMPLEMENTED,
				 "not supported yet: exec-opt %s: use native.cgroupdriver=cgroupfs",
				 v);
	if (!streq(rest, "cgroupfs") && *rest)
		return error_set(
		    err, ERR_INVALID,
		    "invalid native.cgroupdriver '%s': must be 'cgroupfs' or 'systemd'", rest);
	return 0;
}

int check_log_level(const char *v, bool from_file, struct error *err)
{
	enum log_level level;
	auto_free char *lower = xstrdup(v);

	(void)from_file;
	for (char *p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (log_parse_level(lower, &level) < 0)
		return error_set(err, ERR_INVALID, "invalid logging level: %s", v);
	return 0;
}

int check_log_format(const char *v, bool from_file, struct error *err)
{
	(void)from_file;
	if (*v && !streq(v, "text") && !streq(v, "json"))
		return error_set(err, ERR_INVALID, "invalid log format: %s", v);
	return 0;
}

int check_ipc_mode(const char *v, bool from_file, struct error *err)
{
	(void)from_file;
	if (*v && !streq(v, "shareable") && !streq(v, "private"))
		return error_set(
		    err, ERR_INVALID,
		    "default IPC mode setting (%s) is invalid; use \"shareable\" or \"private\"",
		    v);
	return 0;
}

int check_cgroupns_mode(const char *v, bool from_file, struct error *err)
{
	(void)from_file;
	if (*v && !streq(v, "host") && !streq(v, "private"))
		return error_set(
		    err, ERR_INVALID,
		    "invalid default cgroup namespace (%s): use \"host\" or \"private\"", v);
	return 0;
}

static int not_negative(const char *v, const char *what, struct error *err)
{
	if (*v == '-')
		return error_set(err, ERR_INVALID, "invalid %s: %s", what, v);
	return 0;
}

int check_mtu(const char *v, bool from_file, struct error *err)
{
	(void)from_file;
	return not_negative(v, "default MTU", err);
}

int check_downloads(const char *v, bool from_file, struct error *err)
{
	(void)from_file;
	return not_negative(v, "max concurrent downloads", err);
}

int check_uploads(const char *v, bool from_file, struct error *err)
{
	(void)from_file;
	return not_negative(v, "max concurrent uploads", err);
}

int check_attempts(const char *v, bool from_file, struct error *err)
{
	(void)from_file;
	return not_negative(v, "max download attempts", err);
}

/* What becomes a header of each reply (RFC 9110, section 5.5). */
int check_header(const char *v, bool from_file, struct error *err)
{
	(void)from_file;
	for (const char *p = v; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return error_set(err, ERR_INVALID,
					 "invalid value for api-cors-header: a header has no "
					 "control characters (byte %zu)",
					 (size_t)(p - v));
	return 0;
}

int check_oom_score(const char *v, bool from_file, struct error *err)
{
	long n = strtol(v, NULL, 0);

	(void)from_file;
	if (n < -1000 || n > 1000)
		return error_set(err, ERR_INVALID,
				 "Invalid value %s, range for oom score adj is [-1000, 1000]", v);
	return 0;
}

/* moby finds these at network set-up only; telling it at --validate already costs nobody anything. */
int check_cidr(const char *v, bool from_file, struct error *err)
{
	unsigned char addr[16];
	unsigned int bits;
	int family;

	(void)from_file;
	return *v ? cidr_parse(v, &family, addr, &bits, err) : 0;
}

int check_cgroup_parent(const char *v, bool from_file, struct error *err)
{
	(void)from_file;
	if (str_ends(v, ".slice"))
		return error_set(err, ERR_INVALID,
				 "cgroup-parent for the cgroupfs driver can't be a systemd slice "
				 "(\"%s\"): give a path like \"/docker\"",
				 v);
	if (strstr(v, "..") &&
	    (str_after(v, "../") || strstr(v, "/../") || str_ends(v, "/..") || streq(v, "..")))
		return error_set(err, ERR_INVALID, "cgroup-parent \"%s\" may not contain \"..\"",
				 v);
	return 0;
}

int flag_ulimit(const char *arg, struct str *name, struct jw *w, struct error *err)
{
	struct ulimit u;

	if (ulimit_parse(arg, &u, err) < 0)
		return -1;
	str_puts(name, u.name);
	jw_obj(w);
	jw_kstr(w, "Name", u.name);
	jw_ki64(w, "Hard", u.hard);
	jw_ki64(w, "Soft", u.soft);
	jw_end(w);
	return 0;
}

int flag_runtime(const char *arg, struct str *name, struct jw *w, struct error *err)
{
	const char *eq = strchr(arg, '=');

	if (!eq || eq == arg || !eq[1])
		return error_set(err, ERR_INVALID, "invalid runtime argument: %s", arg);
	str_add(name, arg, (size_t)(eq - arg));
	if (streq(str_cstr(name), "runc"))
		return error_set(err, ERR_INVALID, "runtime name 'runc' is reserved");
	jw_obj(w);
	jw_kstr(w, "path", eq + 1);
	jw_end(w);
	return 0;
}

int flag_pool(const char *arg, struct str *name, struct jw *w, struct error *err)
{
	auto_strlist fields = STRLIST_INIT;

	(void)name;
	strlist_split(&fields, arg, ',');
	jw_obj(w);
	for (size_t i = 0; i < fields.n; i++) {
		const char *f = fields.v[i], *base = str_after(f, "base="),
			   *size = str_after(f, "size=");

		if (!strchr(f, '='))
			return error_set(err, ERR_INVALID,
					 "invalid field '%s' must be a key=value pair", f);
		if (!base && !size)
			return error_set(err, ERR_INVALID, "unexpected key '%.*s' in '%s'",
					 (int)strcspn(f, "="), f, f);
		if (base && (!strchr(base, '/') || check_cidr(base, false, err) < 0))
			return error_set(err, ERR_INVALID, "invalid base prefix \"%s\"", base);
		if (base)
			jw_kstr(w, "base", base);
		else
			jw_ki64(w, "size", strtol(size, NULL, 10));
	}
	jw_end(w);
	return 0;
}

int flag_network_opt(const char *arg, struct str *name, struct jw *w, struct error *err)
{
	const char *eq = strchr(arg, '='), *second = eq ? strchr(eq + 1, '=') : NULL;
	auto_free char *key = NULL;

	if (!second)
		return error_set(err, ERR_INVALID,
				 "invalid argument '%s': expected driver=key=value", arg);
	str_add(name, arg, (size_t)(eq - arg));
	key = xstrndup(eq + 1, (size_t)(second - eq - 1));
	jw_obj(w);
	jw_kstr(w, key, second + 1);
	jw_end(w);
	return 0;
}

static int known_feature(const char *name, bool on, struct error *err)
{
	if (on && streq(name, "containerd-snapshotter"))
		return error_set(err, ERR_NOT_IMPLEMENTED,
				 "not supported yet: feature containerd-snapshotter: images are "
				 "kept as layers of the storage driver");
	return 0;
}

int flag_feature(const char *arg, struct str *name, struct jw *w, struct error *err)
{
	const char *eq = strchrnul(arg, '=');
	bool on = true;

	str_add(name, arg, (size_t)(eq - arg));
	if (*eq && !bool_parse(eq + 1, &on))
		return error_set(err, ERR_INVALID,
				 "strconv.ParseBool: parsing \"%s\": invalid syntax", eq + 1);
	jw_bool(w, on);
	return known_feature(str_cstr(name), on, err);
}

const char *json_go_name(const json *j)
{
	static const char *const names[] = {"nothing", "null",  "bool",  "number",
					    "string",  "array", "object"};

	return names[json_type(j)];
}

static int wrong_member(const json *j, const char *key, const char *member, const char *type,
			struct error *err)
{
	return error_set(
	    err, ERR_INVALID,
	    "invalid JSON: json: cannot unmarshal %s into Go struct field Config.%s.%s of type %s",
	    json_go_name(j), key, member, type);
}

int json_ulimits(const json *j, struct error *err)
{
	for (json *u = json_first(j); u; u = json_next(u)) {
		const char *name = json_get_str(u, "Name", json_name(u));
		int64_t hard = json_get_i64(u, "Hard", 0), soft = json_get_i64(u, "Soft", 0);

		if (json_type(u) == JSON_NULL)
			continue;
		if (json_type(u) != JSON_OBJECT)
			return wrong_member(u, "default-ulimits", json_name(u), "units.Ulimit",
					    err);
		/* moby takes the file's without a look and fails at each start of a container */
		if (ulimit_resource(name) < 0)
			return error_set(err, ERR_INVALID,
					 "default-ulimits: invalid ulimit type: %s", name);
		if (hard != -1 && (soft == -1 || soft > hard))
			return error_set(err, ERR_INVALID,
					 "default-ulimits: %s: ulimit soft limit must be less than "
					 "or equal to hard limit: %lld > %lld",
					 name, (long long)soft, (long long)hard);
	}
	return 0;
}

int json_features(const json *j, struct error *err)
{
	for (json *f = json_first(j); f; f = json_next(f)) {
		if (json_type(f) != JSON_BOOL && json_type(f) != JSON_NULL)
			return wrong_member(f, "features", json_name(f), "bool", err);
		if (known_feature(json_name(f), json_bool(f, false), err) < 0)
			return -1;
	}
	return 0;
}

/* moby finds these when it starts; telling it at --validate already costs nobody anything. */
static int check_one_runtime(const json *r, struct error *err)
{
	const char *name = json_name(r), *path = json_get_str(r, "path", ""),
		   *type = json_get_str(r, "runtimeType", ""), *wrong = NULL;

	if (streq(name, "runc"))
		return error_set(err, ERR_INVALID, "runtime name 'runc' is reserved");
	if (*path && *type)
		wrong = "cannot configure both path and runtimeType for the same runtime";
	else if (!*path && !*type)
		wrong = "either a runtimeType or a path must be configured";
	else if (*type && json_count(json_get(r, "runtimeArgs")))
		wrong = "args cannot be used with a runtimeType runtime";
	else if (*path && json_count(json_get(r, "options")))
		wrong = "options cannot be used with a path runtime";
	return wrong ? error_set(err, ERR_INVALID, "runtime %s: %s", name, wrong) : 0;
}

int json_runtimes(const json *j, struct error *err)
{
	for (json *r = json_first(j); r; r = json_next(r))
		if (json_type(r) != JSON_OBJECT && json_type(r) != JSON_NULL)
			return wrong_member(r, "runtimes", json_name(r), "system.Runtime", err);
	for (json *r = json_first(j); r; r = json_next(r))
		if (check_one_runtime(r, err) < 0)
			return -1;
	return 0;
}
