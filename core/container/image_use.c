/* SPDX-License-Identifier: Apache-2.0 */
/* See image_use.h. */
#include "container/image_use.h"
#include "base/mem.h"
#include "image/image.h"
#include "plugin/plugin.h"

#include <stdlib.h>

json *image_use_config(const char *reference, char **image_id, struct error *err)
{
	struct image *i = image_get_config(room.images, reference, err);
	json *config;

	if (!i)
		return NULL;
	config = i->config;
	i->config = NULL;
	*image_id = xstrdup(i->id);
	image_free(i);
	return config;
}

int image_use_layer_create(const char *container_id, const char *image_id, const json *host_config,
			   struct error *err)
{
	auto_pairs opts = PAIRS_INIT;
	struct layer_rw_options o = {.image_id = image_id, .storage_opt = &opts};

	json_pairs(json_get(host_config, "StorageOpt"), &opts);
	return layer_rw_create(room.images, container_id, &o, err);
}

int image_use_layer_mount(const char *container_id, int *fd, char **path, struct error *err)
{
	return layer_rw_mount(room.images, container_id, fd, path, err);
}

int image_use_layer_unmount(const char *container_id, struct error *err)
{
	return layer_rw_unmount(room.images, container_id, err);
}

int image_use_layer_remove(const char *container_id, struct error *err)
{
	return layer_rw_remove(room.images, container_id, err);
}

int image_use_layer_size(const char *container_id, int64_t *rw, int64_t *root, struct error *err)
{
	uint64_t own, total;

	if (layer_rw_size(room.images, container_id, &own, &total, err) < 0)
		return -1;
	*rw = (int64_t)own;
	*root = (int64_t)total;
	return 0;
}

void image_use_print_driver(const char *container_id, struct jw *w)
{
	struct error err = ERROR_INIT;
	auto_pairs data = PAIRS_INIT;

	if (layer_rw_driver_data(room.images, container_id, &data, &err) < 0)
		pairs_free(&data);
	jw_obj(w);
	jw_kpairs(w, "Data", &data, true);
	jw_kstr(w, "Name", room.storage_driver);
	jw_end(w);
}

/* mode and max-buffer-size are the daemon's own options of every log driver. */
static bool daemon_option(const char *key)
{
	return streq(key, "mode") || streq(key, "max-buffer-size");
}

static int check_daemon_options(const struct pairs *given, struct error *err)
{
	const char *mode = pairs_get(given, "mode");

	if (mode && !streq(mode, "blocking") && !streq(mode, "non-blocking"))
		return error_set(err, ERR_INVALID, "logger: logging mode not supported: %s", mode);
	if (pairs_get(given, "max-buffer-size") && (!mode || !streq(mode, "non-blocking")))
		return error_set(
		    err, ERR_INVALID,
		    "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
	return 0;
}

int log_options_check(const char *driver, const struct pairs *given, struct error *err)
{
	const struct plugin *p = plugin_load(DOCKERD_KIND_LOG, driver, err);
	struct dockerd_error derr = plugin_error_init();
	struct dockerd_options *options = NULL;
	auto_pairs own = PAIRS_INIT;
	int r = 0;

	if (!p && err->kind == ERR_NOT_FOUND)
		return error_set(err, ERR_INVALID,
				 "error looking up logging plugin %s: plugin \"%s\" not found",
				 driver, driver);
	if (!p || check_daemon_options(given, err) < 0)
		return -1;
	for (size_t i = 0; i < given->n; i++)
		if (!daemon_option(given->v[i].key))
			pairs_set(&own, given->v[i].key, given->v[i].value);
	if (plugin_options_parse(p, DOCKERD_SCOPE_CONTAINER, &own, &options, err) < 0)
		return -1;
	if (p->ops.log.validate && p->ops.log.validate(options, &derr) < 0)
		r = plugin_error(p, "validate", &derr, err);
	plugin_options_free(options);
	return r;
}
