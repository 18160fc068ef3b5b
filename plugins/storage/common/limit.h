/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes of containers' layers by project quotas of the file system that holds them (../../core/base/quota.h, compiled in): overlay2, vfs.
 * The project id is kept by the layer's directory itself. Any thread.
 */
#ifndef STORAGE_LIMIT_H
#define STORAGE_LIMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <dockerd/storage.h>

struct layer_limits {
	bool supported;      /* the file system counts and enforces */
	uint64_t size;       /* bytes for a container that asks for none; 0: no limit */
	pthread_mutex_t one; /* over the choice of a project id */
	uint32_t last;       /* the id chosen last: the next is beyond it */
};

/* root: the driver's directory; size: the daemon's option, or NULL. */
void layer_limits_init(struct layer_limits *q, int root, const struct dockerd_value *size);
/* What a container's layer may hold: by its own option `size`, else the default; 0: no limit. */
uint64_t layer_limits_of(const struct layer_limits *q, const struct dockerd_layer *l);
/* The layer's directory, still empty, gets a project of its own, and that its limit. */
int layer_limits_set(struct layer_limits *q, int root, int dir, uint64_t bytes,
		     struct dockerd_error *err);
/* Project of root/name, to be given to layer_limits_release when that is gone; 0: none. */
uint32_t layer_limits_project(const struct layer_limits *q, int root, const char *name);
void layer_limits_release(const struct layer_limits *q, int root, uint32_t project);

#endif
