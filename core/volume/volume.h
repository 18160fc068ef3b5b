/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local volumes: directories data-root/volumes/NAME/_data. A volume is what is there; who uses it is kept in memory, from the containers
 * loaded at start. The volumes milestone adds options, labels on disk (metadata.db) and plugins.
 */
#ifndef VOLUME_VOLUME_H
#define VOLUME_VOLUME_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

int volumes_init(const char *data_root, struct error *err);

/* Find or make the volume and note that the container uses it. *path: its directory on the host, malloc'ed. */
int volume_use(const char *name, bool anonymous, const char *container_id, char **path,
	       struct error *err);
/* The container is gone; `remove`: take the volume away too if nobody else uses it. */
void volume_release(const char *name, const char *container_id, bool remove);

/* Engine API: append replies. */
int volume_create(const json *body, struct str *reply, struct error *err);
int volume_list(const json *filters, struct str *reply, struct error *err);
int volume_inspect(const char *name, struct str *reply, struct error *err);
int volume_delete(const char *name, bool force, struct error *err);
int volume_prune(const json *filters, struct str *reply, struct error *err);

#endif
