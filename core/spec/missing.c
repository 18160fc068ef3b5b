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

int spec_refuse_missing(const json *host_config, struct error *err)
{
	if (*json_get_str(host_config, "Cgroup", ""))
		return refuse(err, "HostConfig.Cgroup", json_get_str(host_config, "Cgroup", ""),
			      "not available");
	return check_device_requests(host_config, err);
}
