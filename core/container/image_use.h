/* SPDX-License-Identifier: Apache-2.0 */
/* What the container room needs of the image room, in its own terms: one place to look when that changes. */
#ifndef CONTAINER_IMAGE_USE_H
#define CONTAINER_IMAGE_USE_H

#include "base/json.h"
#include "container/container_int.h"

/* The image's configuration document and its id ("sha256:..."), or NULL with moby's error. */
json *image_use_config(const char *reference, char **image_id, struct error *err);
/* The container's read-write layer. */
int image_use_layer_create(const char *container_id, const char *image_id, const json *host_config,
			   struct error *err);
/* Directory fd of the mounted root, and its path (malloc'ed). */
int image_use_layer_mount(const char *container_id, int *fd, char **path, struct error *err);
int image_use_layer_unmount(const char *container_id, struct error *err);
int image_use_layer_remove(const char *container_id, struct error *err);
/* Bytes of the read-write layer and of the whole root. */
int image_use_layer_size(const char *container_id, int64_t *rw, int64_t *root, struct error *err);
/* Images mounted into the container: the one that `name` means now, held for it, and where it is when it is mounted (both malloc'ed). */
int image_use_mount_find(const char *container_id, const char *name, char **image_id, char **path,
			 struct error *err);
int image_use_mount_hold(const char *container_id, const char *image_id, struct error *err);
int image_use_mount(const char *container_id, const char *image_id, char **path, struct error *err);
void image_use_unmount(const char *container_id, const char *image_id);
void image_use_mount_release(const char *container_id);
/* GraphDriver member of inspect. False: the driver could not say, its data are missing. */
bool image_use_print_driver(const char *container_id, struct jw *w);

#endif
