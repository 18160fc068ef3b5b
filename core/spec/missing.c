/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that are not built yet and would change behaviour or security: refused, each by its name, never ignored. */
#include "spec/spec_int.h"

#include "base/cleanup.h"

static int refuse(struct error *err, const char *field, const char *value, const char *what)
{
	return error_set(err, ERR_NOT_IMPLEMENTED, "%s: \"%s\": %s", field, value, what);
}

/* No driver answers device requests: moby's words for that. */
static int check_device_requests(const json *h, struct error *err)
{
	const json *request = json_first(json_get(h, "DeviceRequests"));
	auto_str caps = STR_INIT;

	if (!request)
		return 0;
	str_putc(&caps, '[');
	for (json *set = json_first(json_get(request, "Capabilities")); set; set = json_next(set)) {
		str_puts(&caps, caps.len > 1 ? " [" : "[");
		for (json *c = json_first(set); c; c = json_next(c))
			str_printf(&caps, "%s%s", c == json_first(set) ? "" : " ", json_str(c, ""));
		str_putc(&caps, ']');
	}
	str_putc(&caps, ']');
	return error_set(err, ERR_SYSTEM,
			 "could not select device driver \"%s\" with capabilities: %s",
			 json_get_str(request, "Driver", ""), str_cstr(&caps));
}

static int check_driver(const char *name, struct error *err)
{
	if (!*name || streq(name, "local"))
		return 0;
	return error_set(err, ERR_NOT_FOUND,
			 "error looking up volume plugin %s: plugin \"%s\" not found", name, name);
}

static int check_volume_drivers(const json *config, const json *h, struct error *err)
{
	struct spec_mounts m;
	int r = 0;

	if (spec_parse_mounts(config, h, &m, err) < 0)
		return -1;
	for (size_t i = 0; r == 0 && i < m.n; i++)
		if (m.v[i].type == SPEC_MOUNT_VOLUME)
			r = check_driver(m.v[i].driver, err) < 0
				? error_wrap(err, "create %s", m.v[i].name ? m.v[i].name : "")
				: 0;
	spec_mounts_free(&m);
	return r;
}

int spec_refuse_missing(const json *config, const json *host_config, struct error *err)
{
	if (json_count(json_get(host_config, "StorageOpt")))
		return refuse(err, "HostConfig.StorageOpt",
			      json_name(json_first(json_get(host_config, "StorageOpt"))),
			      "--storage-opt of a container is not available yet");
	if (*json_get_str(host_config, "Cgroup", ""))
		return refuse(err, "HostConfig.Cgroup", json_get_str(host_config, "Cgroup", ""),
			      "not available");
	if (check_device_requests(host_config, err) < 0)
		return -1;
	return check_volume_drivers(config, host_config, err);
}
