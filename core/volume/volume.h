/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local volumes: directories data-root/volumes/NAME/_data, their labels and options in volumes/metadata.db and opts.json as moby keeps them.
 * Who uses and who has mounted a volume is kept in memory, told by the containers, from those loaded at start on.
 */
#ifndef VOLUME_VOLUME_H
#define VOLUME_VOLUME_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"

struct bolt;

/* db: volumes/metadata.db, borrowed for good. Finishes what a killed daemon left half-done. */
int volumes_init(const char *data_root, struct bolt *db, struct error *err);
/* All containers are loaded and have said what they use: unmount what nobody does. */
void volumes_settle(void);

/* A volume that somebody wants; all borrowed. Labels and options count only if it has to be made. NULL: none were given. */
struct volume_wish {
	const char *name, *driver;
	const json *labels, *options;
	bool anonymous;
};
/* Find or make the volume and note that the container uses it. *path: its directory on the host, malloc'ed. */
int volume_use(const struct volume_wish *wish, const char *container_id, char **path,
	       struct error *err);
/* The same for one that a container on disk names: nothing is told of it. */
int volume_use_again(const char *name, const char *container_id, struct error *err);
/* The container is gone; `remove`: take the volume away too if nobody else uses it. */
void volume_release(const char *name, const char *container_id, bool remove);

/* Counted: the first mounts a volume that has a device, the last unmounts it; the others have nothing to mount. May block (nfs). */
int volume_mount(const char *name, struct error *err);
void volume_unmount(const char *name);
/* "mount" and "unmount", as moby tells of them: by container. destination NULL: unmount. */
void volume_event_mount(const char *name, const char *container_id, const char *destination,
			const char *propagation, bool rw);

/*
 * Fill a mounted volume, if it is empty, with what copy() puts into dir, whose owner, mode, times and attributes it gets as well. After a kill it is
 * empty or full: what was copied in part is discarded by the next daemon, what was copied whole is moved into place.
 */
int volume_fill(const char *name, int (*copy)(void *ctx, int dir, struct error *err), void *ctx,
		struct error *err);

/* Engine API: append replies. */
int volume_create(const json *body, struct str *reply, struct error *err);
int volume_list(const json *filters, struct str *reply, struct error *err);
int volume_inspect(const char *name, struct str *reply, struct error *err);
int volume_delete(const char *name, bool force, struct error *err);
/* api_version 41 and older: all that are unused, not only the anonymous ones. */
int volume_prune(const json *filters, int api_version, struct str *reply, struct error *err);
/* The list of system df: with sizes and numbers of users. */
int volume_usage(struct str *reply, struct error *err);

#endif
