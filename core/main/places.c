/* SPDX-License-Identifier: Apache-2.0 */
/* The data root and the exec root: made, locked, and named. */
#include "base/bolt.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static char *make_real(const char *path, mode_t mode, struct error *err)
{
	char *real;

	if (dir_make_all(AT_FDCWD, path, mode, err) < 0)
		return NULL;
	real = realpath(path, NULL); /* the data root may be a symlink */
	if (!real)
		error_sys(err, errno, "%s", path);
	return real;
}

/* moby keeps volumes/metadata.db (bolt) locked with flock(2) while it runs: the same lock keeps us and it apart. */
static int take_lock(struct places *p, struct error *err)
{
	auto_free char *dir = path_join(p->data_root, "volumes"),
		       *path = path_join(dir, "metadata.db");

	if (dir_make_all(AT_FDCWD, dir, 0701, err) < 0)
		return -1;
	if (bolt_open(path, &p->volumes_db, err) == 0)
		return 0;
	return err->kind == ERR_CONFLICT
		   ? error_set(err, ERR_CONFLICT,
			       "another daemon uses the data root %s (%s is locked): stop it, or "
			       "use another --data-root",
			       p->data_root, path)
		   : -1;
}

/* A random UUID (RFC 9562, version 4), as moby makes one. */
static int engine_id(struct places *p, struct error *err)
{
	auto_free char *path = path_join(p->data_root, "engine-id");
	auto_str text = STR_INIT;
	unsigned char b[16];
	char hex[33];

	if (file_read_at(AT_FDCWD, path, 256, &text, err) == 0 && text.len >= 36) {
		memcpy(p->id, text.p, 36);
		return 0;
	}
	error_clear(err);
	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return error_sys(err, errno, "getrandom");
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	hex_encode(b, sizeof(b), hex);
	snprintf(p->id, sizeof(p->id), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		 hex + 16, hex + 20);
	return file_write_atomic(AT_FDCWD, path, p->id, 36, 0600, true, err);
}

/* The containers' root must come through to its files. */
static int open_way(const char *path, struct error *err)
{
	auto_close fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fchown(fd, geteuid(), idmap_root_gid()) < 0 || fchmod(fd, 0710) < 0)
		return error_sys(err, errno, "%s", path);
	return 0;
}

/* A directory above that is not ours is not changed, but looked at. */
static int check_way(const char *path, struct error *err)
{
	auto_free char *at = xstrdup(path);

	for (char *slash = strrchr(at, '/'); slash && slash != at; slash = strrchr(at, '/')) {
		struct stat st;

		*slash = '\0';
		if (stat(at, &st) == 0 && !(st.st_mode & S_IXOTH) &&
		    !(st.st_mode & S_IXGRP && st.st_gid == idmap_root_gid()))
			return error_set(err, ERR_DENIED,
					 "a subdirectory in your graphroot path (%s) restricts "
					 "access to the remapped root uid/gid; please fix by "
					 "allowing 'o+x' permissions on existing directories",
					 path);
	}
	return 0;
}

/* Moby's: what belongs to containers of other ids is kept apart, in a directory UID.GID. */
static int remap_root(struct places *p, struct error *err)
{
	auto_free char *top = p->data_root, *path = NULL;

	path = xasprintf("%s/%u.%u", top, idmap_root_uid(), idmap_root_gid());
	p->data_root = NULL;
	log_info("Creating user namespaced daemon root", "path", path);
	if (open_way(top, err) < 0 || dir_make_all(AT_FDCWD, path, 0710, err) < 0 ||
	    open_way(path, err) < 0 || check_way(path, err) < 0)
		return -1;
	p->data_root = steal_ptr(&path);
	return 0;
}

int places_open(const struct config *c, struct places *out, struct error *err)
{
	auto_free char *tmp = NULL;

	out->data_root = make_real(config_str(c, "data-root"), 0710, err);
	if (!out->data_root || (idmap_current() && remap_root(out, err) < 0))
		return -1;
	out->exec_root = make_real(config_str(c, "exec-root"), 0711, err);
	if (!out->exec_root || take_lock(out, err) < 0)
		return -1;
	tmp = path_join(out->data_root, "tmp");
	if (dir_make_all(AT_FDCWD, tmp, 0700, err) < 0)
		return -1;
	return engine_id(out, err);
}
