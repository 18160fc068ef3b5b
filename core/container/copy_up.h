/* SPDX-License-Identifier: Apache-2.0 */
/* Empty volumes get what the image has at their places, once, at the container's creation. */
#ifndef CONTAINER_COPY_UP_H
#define CONTAINER_COPY_UP_H

#include "container/container_int.h"

/* For each mount point that is marked `fill`. The container has its layer; it isn't published yet. */
int copy_up(struct container *c, struct error *err);

#endif
