/* SPDX-License-Identifier: Apache-2.0 */
/* See idmap.h. */
#include "base/idmap.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct idmap *current;

bool idmap_to_host(const struct id_range *r, uint32_t n, uint32_t id, uint32_t *out)
{
	for (uint32_t i = 0; i < n && i < IDMAP_MAX; i++)
		if (id >= r[i].container && id - r[i].container < r[i].size) {
			*out = r[i].host + (id - r[i].container);
			return true;
		}
	return false;
}

uint32_t idmap_to_container(const struct id_range *r, uint32_t n, uint32_t id)
{
	for (uint32_t i = 0; i < n && i < IDMAP_MAX; i++)
		if (id >= r[i].host && id - r[i].host < r[i].size)
			return r[i].container + (id - r[i].host);
	return IDMAP_OVERFLOW;
}

void idmap_set(const struct idmap *m)
{
	current = m;
}

const struct idmap *idmap_current(void)
{
	return current;
}

uint32_t idmap_root_uid(void)
{
	uint32_t id = 0;

	if (current)
		idmap_to_host(current->uids, current->n_uids, 0, &id);
	return id;
}

uint32_t idmap_root_gid(void)
{
	uint32_t id = 0;

	if (current)
		idmap_to_host(current->gids, current->n_gids, 0, &id);
	return id;
}

int idmap_give(int dir, const char *name)
{
	if (!current)
		return 0;
	return fchownat(dir, name, idmap_root_uid(), idmap_root_gid(),
			AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH));
}

int idmap_open_way(const char *top, const char *path, struct error *err)
{
	const char *rest = str_after(path, top);
	auto_free char *at = NULL;
	struct stat st;

	if (!current || !rest || *rest != '/')
		return 0;
	at = xstrdup(path);
	for (char *slash = strchr(at + strlen(top) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (lstat(at, &st) < 0 || !S_ISDIR(st.st_mode))
			return error_sys(err, ENOTDIR, "%s", at);
		if (st.st_uid == 0 && !(st.st_mode & S_IXOTH) &&
		    !(st.st_gid == idmap_root_gid() && st.st_mode & S_IXGRP) &&
		    (lchown(at, 0, idmap_root_gid()) < 0 ||
		     chmod(at, (st.st_mode & 0700) | 0010) < 0))
			return error_sys(err, errno, "open %s to the containers' root", at);
		*slash = '/';
	}
	return 0;
}
