/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes. Local ones are directories data-root/volumes/NAME/_data, their labels and options in volumes/metadata.db and opts.json as moby keeps
 * them; others are those of plugins (plugin/remote). Who uses and who has mounted a volume is kept in memory, told by the containers, from those
 * loaded at start on; what plugins have mounted is on record in exec-root as well.
 */
#ifndef VOLUME_VOLUME_H
#define VOLUME_VOLUME_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"

struct bolt;

/* db: volumes/metadata.db, borrowed for good. Finishes what a killed daemon left half-done. No plugin is asked. */
int volumes_init(const char *data_root, const char *exec_root, struct bolt *db, struct error *err);
/* All containers are loaded and have said what they use: unmount what nobody does; plugins do it later. */
void volumes_settle(void);

/* A volume that somebody wants; all borrowed. Labels and options count only if it has to be made. NULL: none were given. */
struct volume_wish {
	const char *name, *driver;
	const json *labels, *options;
	bool anonymous;
};
/*
 * Find or make the volume and note that the container uses it. *path: its directory on the host, "" if a plugin does not say before it is mounted;
 * *driver: whose it is. Both malloc'ed.
 */
int volume_use(const struct volume_wish *wish, const char *container_id, char **path, char **driver,
	       struct error *err);
/* The same for one that a container on disk names: nothing is told of it, and no plugin asked. */
int volume_use_again(const char *name, const char *driver, const char *container_id,
		     struct error *err);
/* The container is gone; `remove`: take the volume away too if nobody else uses it. */
void volume_release(const char *name, const char *container_id, bool remove);

/*
 * May block (nfs, plugins). A local one is counted: the first mounts a volume that has a device, the last unmounts it; the others have nothing to
 * mount. A plugin is asked each time, with `id` (64 digits, one for each pair of calls). *path: where it is, malloc'ed; may be NULL.
 */
int volume_mount(const char *name, const char *id, char **path, struct error *err);
void volume_unmount(const char *name, const char *id);
/* An earlier daemon has mounted it for a container, with that id (NULL: none is known). 1: it is; 0: a plugin's, and no more. */
int volume_adopt(const char *name, const char *id, struct error *err);
/* "mount" and "unmount", as moby tells of them: by container. destination NULL: unmount. */
void volume_event_mount(const char *name, const char *container_id, const char *destination,
			const char *propagation, bool rw);

/*
 * Fill a volume that is mounted at path, if it is empty, with what copy() puts into dir, whose owner, mode, times and attributes it gets as well. After a kill it is
 * empty or full: what was copied in part is discarded by the next daemon, what was copied whole is moved into place.
 */
int volume_fill(const char *name, const char *path,
		int (*copy)(void *ctx, int dir, struct error *err), void *ctx, struct error *err);

/* Names of drivers: "local" and the plugins that were met so far, sorted. */
void volume_drivers(struct strlist *out);

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
