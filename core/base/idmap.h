/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of containers' user namespaces against the host's: ranges, as in /proc/PID/uid_map. The daemon has one such map for all containers
 * (userns-remap), set at its start and constant from then on; or none.
 *
 * Plain data: it travels in messages between our processes as it is.
 */
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define IDMAP_MAX 32

struct id_range {
	uint32_t container, host, size;
};

struct idmap {
	uint32_t n_uids, n_gids;
	struct id_range uids[IDMAP_MAX], gids[IDMAP_MAX];
};

/* What the kernel shows for an id that has no place in a namespace: /proc/sys/kernel/overflowuid. */
#define IDMAP_OVERFLOW 65534u

/* False: the container id is in no range. */
bool idmap_to_host(const struct id_range *r, uint32_t n, uint32_t id, uint32_t *out);
/* IDMAP_OVERFLOW for what is in no range, as the container sees it. */
uint32_t idmap_to_container(const struct id_range *r, uint32_t n, uint32_t id);

/* Before threads. The map is borrowed for the life of the process. */
void idmap_set(const struct idmap *m);
/* NULL: containers have the host's ids. */
const struct idmap *idmap_current(void);
/* Host ids of the containers' root; 0 without a map. */
uint32_t idmap_root_uid(void);
uint32_t idmap_root_gid(void);
/* fchownat to them, links not followed; nothing without a map. 0/-1 with errno. name "": dir itself, may be O_PATH. */
int idmap_give(int dir, const char *name);
/*
 * Directories between `top` and `path`, neither included, which are ours alone: their group becomes the containers' root's, which may pass them. For
 * runtimes, which go to a root by its path from inside of the user namespace.
 */
int idmap_open_way(const char *top, const char *path, struct error *err);

#endif
