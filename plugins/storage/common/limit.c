/* SPDX-License-Identifier: Apache-2.0 */
/* See limit.h. */
#include "limit.h"
#include "tree.h"

#include <unistd.h>

#include "base/error.h"
#include "base/quota.h"

/* Volumes of the same file system take theirs from below: the two never choose the same one at the same moment. */
#define FIRST_PROJECT (1u << 20)
#define LAST_PROJECT (1u << 31)

void layer_limits_init(struct layer_limits *q, int root, const struct dockerd_value *size)
{
	pthread_mutex_init(&q->one, NULL);
	q->supported = quota_supported(root);
	q->size = size ? (uint64_t)size->number : 0;
	q->last = FIRST_PROJECT;
}

uint64_t layer_limits_of(const struct layer_limits *q, const struct dockerd_layer *l)
{
	const struct dockerd_value *own = dockerd_option_get(l->options, "size");

	return own ? (uint64_t)own->number : q->size;
}

int layer_limits_set(struct layer_limits *q, int root, int dir, uint64_t bytes,
		     struct dockerd_error *err)
{
	struct error why = ERROR_INIT;
	int r;

	pthread_mutex_lock(&q->one);
	r = quota_limit(root, dir, q->last, bytes, &why);
	if (r == 0)
		q->last = quota_project(dir);
	if (q->last < FIRST_PROJECT || q->last >= LAST_PROJECT)
		q->last = FIRST_PROJECT;
	pthread_mutex_unlock(&q->one);
	return r < 0 ? dockerd_fail(err, DOCKERD_ERR_SYSTEM, "%s", why.text) : 0;
}

uint32_t layer_limits_project(const struct layer_limits *q, int root, const char *name)
{
	int fd = q->supported ? tree_open(root, name) : -1;
	uint32_t project = 0;

	if (fd >= 0) {
		project = quota_project(fd);
		close(fd);
	}
	return project;
}

void layer_limits_release(const struct layer_limits *q, int root, uint32_t project)
{
	if (q->supported)
		quota_release(root, project);
}
