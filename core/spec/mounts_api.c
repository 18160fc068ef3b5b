/* SPDX-License-Identifier: Apache-2.0 */
/* HostConfig.Mounts: the structured form of mount points, with its checks. Source: moby volume/mounts/linux_parser.go. */
#include "spec/mounts_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

static int bad(const json *mount, struct error *err, const char *why)
{
	auto_free char *copy = xstrdup(why); /* may be err's own text */

	return error_set(err, ERR_INVALID, "invalid mount config for type \"%s\": %s",
			 json_get_str(mount, "Type", ""), copy);
}

/* Options of another type of mount. */
static int check_options(const json *mount, const char *type, struct error *err)
{
	static const struct {
		const char *type, *member;
	} options[] = {
	    {"bind", "BindOptions"}, {"volume", "VolumeOptions"}, {"tmpfs", "TmpfsOptions"}};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (!streq(options[i].type, type) &&
		    json_type(json_get(mount, options[i].member)) == JSON_OBJECT)
			return error_set(err, ERR_INVALID,
					 "%s must not be specified on mount type \"%s\"",
					 options[i].member, type);
	return json_type(json_get(mount, "ImageOptions")) == JSON_OBJECT && !streq(type, "image")
		   ? bad(mount, err, "field ImageOptions must not be specified")
		   : 0;
}

static int parse_bind(const json *mount, struct spec_mount *m, struct error *err)
{
	const json *o = json_get(mount, "BindOptions");
	const char *source = json_get_str(mount, "Source", ""),
		   *propagation = json_get_str(o, "Propagation", "");
	auto_str why = STR_INIT;
	struct stat st;

	if (!*source)
		return bad(mount, err, "field Source must not be empty");
	if (*propagation && !mount_propagation_ok(propagation)) {
		str_printf(&why, "invalid propagation mode: %s", propagation);
		return bad(mount, err, str_cstr(&why));
	}
	if (*source != '/') {
		str_printf(&why, "invalid mount path: '%s' mount path must be absolute", source);
		return bad(mount, err, str_cstr(&why));
	}
	m->create_source = json_get_bool(o, "CreateMountpoint", false);
	if (!m->create_source && stat(source, &st) < 0 && errno == ENOENT) {
		str_printf(&why, "bind source path does not exist: %s", source);
		return bad(mount, err, str_cstr(&why));
	}
	m->type = SPEC_MOUNT_BIND;
	m->source = path_clean(source);
	m->propagation = xstrdup(*propagation ? propagation : "rprivate");
	m->mode = xstrdup("");
	m->non_recursive = json_get_bool(o, "NonRecursive", false);
	m->read_only_non_recursive = json_get_bool(o, "ReadOnlyNonRecursive", false);
	m->read_only_force_recursive = json_get_bool(o, "ReadOnlyForceRecursive", false);
	if (m->read_only && m->read_only_non_recursive && m->read_only_force_recursive)
		return bad(
		    mount, err,
		    "mount options conflict: ReadOnlyNonRecursive and ReadOnlyForceRecursive");
	return 0;
}

/* Relative, and not leading out of the volume: lexically here, and by openat2 where it is opened. */
static bool subpath_ok(const char *subpath)
{
	auto_free char *clean = path_clean(subpath);

	return *subpath != '/' && !streq(clean, "..") && !str_after(clean, "../");
}

static char *dup_object(const json *j)
{
	struct str text = STR_INIT;

	if (json_type(j) != JSON_OBJECT)
		return NULL;
	json_print(j, &text);
	return str_steal(&text);
}

static int parse_volume(const json *mount, struct spec_mount *m, struct error *err)
{
	const json *o = json_get(mount, "VolumeOptions");
	const char *source = json_get_str(mount, "Source", ""),
		   *subpath = json_get_str(o, "Subpath", "");

	if (!*source && m->read_only)
		return bad(mount, err, "must not set ReadOnly mode when using anonymous volumes");
	if (!*source && *subpath)
		return bad(mount, err, "must not set Subpath when using anonymous volumes");
	if (!subpath_ok(subpath))
		return bad(mount, err, "subpath must be a relative path within the volume");
	m->type = SPEC_MOUNT_VOLUME;
	m->name = *source ? xstrdup(source) : NULL;
	m->driver = xstrdup(json_get_str(json_get(o, "DriverConfig"), "Name", ""));
	m->no_copy = json_get_bool(o, "NoCopy", false);
	m->subpath = *subpath ? xstrdup(subpath) : NULL;
	m->labels = dup_object(json_get(o, "Labels"));
	m->options = dup_object(json_get(json_get(o, "DriverConfig"), "Options"));
	m->mode = xstrdup("");
	m->propagation = xstrdup("");
	return 0;
}

/* ["exec"] or ["uid", "5"]; only what changes nothing else than the file system. */
static int add_tmpfs_option(const json *mount, const json *option, struct str *data,
			    struct error *err)
{
	static const char *const flags[] = {"exec", "noexec"};
	const char *key = json_str(json_first(option), "");
	auto_str why = STR_INIT;

	if (json_count(option) != 1 && json_count(option) != 2)
		return bad(mount, err, "invalid option array length");
	for (size_t i = 0; json_count(option) == 1 && i < ARRAY_LEN(flags); i++) {
		if (!streq(flags[i], key))
			continue;
		str_printf(data, "%s%s", data->len ? "," : "", key);
		return 0;
	}
	str_printf(&why, "invalid option: %s", key);
	return bad(mount, err, str_cstr(&why));
}

static void add_size(struct str *data, int64_t size)
{
	static const struct {
		int shift;
		const char *suffix;
	} units[] = {{30, "g"}, {20, "m"}, {10, "k"}, {0, ""}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (size & ((INT64_C(1) << units[i].shift) - 1))
			continue;
		str_printf(data, "%ssize=%lld%s", data->len ? "," : "",
			   (long long)(size >> units[i].shift), units[i].suffix);
		return;
	}
}

static int parse_tmpfs(const json *mount, struct spec_mount *m, struct error *err)
{
	const json *o = json_get(mount, "TmpfsOptions");
	int64_t mode = json_get_i64(o, "Mode", 0), size = json_get_i64(o, "SizeBytes", 0);
	auto_str data = STR_INIT;

	if (*json_get_str(mount, "Source", ""))
		return bad(mount, err, "field Source must not be specified");
	if (m->read_only)
		str_puts(&data, "ro");
	if (mode)
		str_printf(&data, "%smode=%o", data.len ? "," : "", (unsigned int)mode);
	if (size > 0)
		add_size(&data, size);
	for (json *c = json_first(json_get(o, "Options")); c; c = json_next(c))
		if (add_tmpfs_option(mount, c, &data, err) < 0)
			return -1;
	m->type = SPEC_MOUNT_TMPFS;
	m->tmpfs_options = str_steal(&data);
	return 0;
}

static int parse_image(const json *mount, struct spec_mount *m, struct error *err)
{
	const char *source = json_get_str(mount, "Source", ""),
		   *subpath = json_get_str(json_get(mount, "ImageOptions"), "Subpath", "");

	if (!*source)
		return bad(mount, err, "field Source must not be empty");
	if (!subpath_ok(subpath))
		return bad(mount, err, "subpath must be a relative path within the volume");
	m->type = SPEC_MOUNT_IMAGE;
	m->name = xstrdup(source);
	m->subpath = *subpath ? xstrdup(subpath) : NULL;
	m->read_only = true;
	m->mode = xstrdup("");
	m->propagation = xstrdup("rprivate");
	return 0;
}

static bool is_type(const char *type)
{
	return streq(type, "bind") || streq(type, "volume") || streq(type, "tmpfs") ||
	       streq(type, "image");
}

static int parse_one(const json *mount, struct spec_mounts *out, struct error *err)
{
	const char *type = json_get_str(mount, "Type", ""),
		   *target = json_get_str(mount, "Target", "");
	struct spec_mount *m;
	char *destination;

	if (!*target)
		return bad(mount, err, "field Target must not be empty");
	destination = mount_destination(target, err);
	if (!destination)
		return bad(mount, err, err->text);
	m = mounts_add(out);
	m->destination = destination;
	m->from_mounts = true;
	m->read_only = json_get_bool(mount, "ReadOnly", false);
	if (!is_type(type))
		return bad(mount, err, "mount type unknown");
	if (check_options(mount, type, err) < 0)
		return -1;
	if (streq(type, "bind"))
		return parse_bind(mount, m, err);
	if (streq(type, "volume"))
		return parse_volume(mount, m, err);
	if (streq(type, "tmpfs"))
		return parse_tmpfs(mount, m, err);
	return parse_image(mount, m, err);
}

int mounts_parse_api(const json *host_config, struct spec_mounts *out, struct error *err)
{
	for (json *c = json_first(json_get(host_config, "Mounts")); c; c = json_next(c))
		if (parse_one(c, out, err) < 0)
			return -1;
	return 0;
}
