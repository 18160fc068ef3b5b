/* SPDX-License-Identifier: Apache-2.0 */
/* See image_use.h. */
#include "container/image_use.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/image.h"

#include <stdlib.h>

json *image_use_config(const char *reference, char **image_id, struct error *err)
{
	struct image *i = image_get_config(containers.images, reference, err);
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
	return layer_rw_create(containers.images, container_id, &o, err);
}

int image_use_layer_mount(const char *container_id, int *fd, char **path, struct error *err)
{
	return layer_rw_mount(containers.images, container_id, fd, path, err);
}

int image_use_layer_unmount(const char *container_id, struct error *err)
{
	return layer_rw_unmount(containers.images, container_id, err);
}

int image_use_layer_remove(const char *container_id, struct error *err)
{
	return layer_rw_remove(containers.images, container_id, err);
}

int image_use_layer_size(const char *container_id, int64_t *rw, int64_t *root, struct error *err)
{
	uint64_t own, total;

	if (layer_rw_size(containers.images, container_id, &own, &total, err) < 0)
		return -1;
	*rw = (int64_t)own;
	*root = (int64_t)total;
	return 0;
}

int image_use_mount_hold(const char *container_id, const char *image_id, struct error *err)
{
	return image_hold(containers.images, container_id, image_id, err);
}

int image_use_mount(const char *container_id, const char *image_id, char **path, struct error *err)
{
	return image_hold_mount(containers.images, container_id, image_id, path, err);
}

void image_use_unmount(const char *container_id, const char *image_id)
{
	struct error err = ERROR_INIT;

	if (image_hold_unmount(containers.images, container_id, image_id, &err) < 0)
		log_warn("image not unmounted", "image", image_id, "error", err.text);
}

int image_use_mount_find(const char *container_id, const char *name, char **image_id, char **path,
			 struct error *err)
{
	*image_id = image_resolve(containers.images, name, err);
	if (!*image_id || image_use_mount_hold(container_id, *image_id, err) < 0 ||
	    image_use_mount(container_id, *image_id, path, err) < 0)
		return -1;
	image_use_unmount(container_id, *image_id);
	return 0;
}

void image_use_mount_release(const char *container_id)
{
	image_hold_release(containers.images, container_id);
}

bool image_use_print_driver(const char *container_id, struct jw *w)
{
	struct error err = ERROR_INIT;
	auto_pairs data = PAIRS_INIT;
	bool told = layer_rw_driver_data(containers.images, container_id, &data, &err) == 0;

	if (!told)
		pairs_free(&data);
	if (data.n)
		pairs_set(&data, "ID", container_id); /* the API's own row */
	jw_obj(w);
	jw_kpairs(w, "Data", &data, true);
	jw_kstr(w, "Name", containers.storage_driver);
	jw_end(w);
	return told;
}
