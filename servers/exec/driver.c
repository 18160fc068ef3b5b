/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the exec driver that the container was created with, and opening it with the daemon's options. */
#include "base/json.h"
#include "exec.h"

#include <string.h>

static int parse_options(struct run *r, struct dockerd_options **out, struct error *err)
{
	const char *text = msg_get_str(&r->config, TAG_OPTIONS);
	auto_pairs given = PAIRS_INIT;
	auto_json *doc = NULL;

	if (text) {
		doc = json_parse(text, strlen(text), err);
		if (!doc || json_pairs(doc, &given) < 0)
			return error_set(err, ERR_INVALID,
					 "options of the exec driver are no object of strings");
	}
	return plugin_options_parse(r->plugin, DOCKERD_SCOPE_DAEMON, &given, out, err);
}

int driver_open(struct run *r, struct error *err)
{
	const char *path = msg_get_str(&r->config, TAG_DRIVER);
	struct dockerd_options *options;
	int result;

	if (!path)
		return error_set(err, ERR_INVALID,
				 "configuration of the container names no exec driver");
	r->plugin = r->ahead && !strcmp(r->ahead_path, path)
			? r->ahead
			: plugin_load(DOCKERD_KIND_EXEC, path, err);
	if (!r->plugin || parse_options(r, &options, err) < 0)
		return -1;
	result = plugin_open(r->plugin, NULL, NULL, options, &r->instance, err);
	plugin_options_free(options);
	return result;
}

int driver_fail(const struct run *r, const char *op, const struct dockerd_error *from,
		struct error *to)
{
	return plugin_error(r->plugin, op, from, to);
}
