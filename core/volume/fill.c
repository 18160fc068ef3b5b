/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copy-up: an empty volume gets what the image has at its place. It is prepared beside the volume as .fill-NAME.part (in a volume that is another
 * file system: inside it), synced, renamed to .fill-NAME, and moved in entry by entry. So after a kill the next daemon either discards or ends it.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "volume/volume_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FILL_PREFIX ".fill-"
#define PART ".part"

static int list(int dir, struct strlist *out, struct error *err)
{
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	if (!d)
		return error_sys(err, errno, "read a volume");
	while ((e = readdir(d)))
		if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
			strlist_add(out, e->d_name);
	return 0;
}

/* What cannot be kept here (no such attributes, no right to them) is left out, as moby does. */
static void copy_xattrs(int from, int to)
{
	char names[4096], value[65536];
	ssize_t n = flistxattr(from, names, sizeof(names));

	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
		ssize_t len = fgetxattr(from, names + i, value, sizeof(value));

		if (len >= 0 && !str_after(names + i, "trusted.overlay."))
			(void)!fsetxattr(to, names + i, value, (size_t)len, 0);
	}
}

static int copy_attributes(int from, int to, struct error *err)
{
	struct timespec times[2];
	struct stat st;

	if (fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 ||
	    fchmod(to, st.st_mode & 07777) < 0)
		return error_sys(err, errno, "set the owner of a volume");
	copy_xattrs(from, to);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return futimens(to, times) < 0 ? error_sys(err, errno, "set times of a volume") : 0;
}

static int move_in(int from, int data, const char *name, struct error *err)
{
	int r = renameat2(from, name, data, name, RENAME_NOREPLACE);

	if (r < 0 && errno == EINVAL) /* a file system that can't refuse */
		r = renameat(from, name, data, name);
	/* what somebody has put there meanwhile stays */
	return r < 0 && errno != EEXIST && errno != ENOTEMPTY
		   ? error_sys(err, errno, "move %s into a volume", name)
		   : 0;
}

static int fill_finish(int at, const char *done, int data, struct error *err)
{
	auto_strlist names = STRLIST_INIT;
	auto_close from = dir_open_at(at, done, err);
	struct stat st;
	struct timespec times[2];

	if (from < 0 || fstat(from, &st) < 0 || list(from, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		if (move_in(from, data, names.v[i], err) < 0)
			return -1;
		FAULT("volume.fill.moving");
	}
	/* the moves have changed its times */
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (futimens(from, times) < 0)
		return error_sys(err, errno, "set times of a volume");
	fsync(data);
	return copy_attributes(from, data, err) < 0 ? -1 : dir_remove_all(at, done, err);
}

static int prepare(int at, const char *part, const char *done,
		   int (*copy)(void *ctx, int dir, struct error *err), void *ctx, struct error *err)
{
	auto_close dir = -1;

	if (dir_remove_all(at, part, err) < 0)
		return -1;
	if (mkdirat(at, part, 0700) < 0)
		return error_sys(err, errno, "create %s", part);
	dir = dir_open_at(at, part, err);
	if (dir < 0 || copy(ctx, dir, err) < 0)
		return -1;
	FAULT("volume.fill.copied");
	if (syncfs(dir) < 0 || renameat(at, part, at, done) < 0 || fsync(at) < 0)
		return error_sys(err, errno, "fill a volume");
	FAULT("volume.fill.complete");
	return 0;
}

/* A mounted volume may hold what a killed daemon prepared. */
static int recover(int data, const char *part, const char *done, struct error *err)
{
	if (file_exists_at(data, done) && fill_finish(data, done, data, err) < 0)
		return -1;
	return dir_remove_all(data, part, err);
}

int fill_directory(int data, const char *name, bool mounted,
		   int (*copy)(void *ctx, int dir, struct error *err), void *ctx, struct error *err)
{
	auto_free char *done = xasprintf(FILL_PREFIX "%s", name),
		       *part = xasprintf("%s" PART, done);
	auto_close root = dir_open_at(AT_FDCWD, volumes.root, err);
	auto_strlist there = STRLIST_INIT;
	int at = mounted ? data : root;

	if (root < 0 || (mounted && recover(data, part, done, err) < 0) ||
	    list(data, &there, err) < 0)
		return -1;
	if (there.n)
		return 0;
	if (prepare(at, part, done, copy, ctx, err) < 0) {
		struct error ignored = ERROR_INIT;

		dir_remove_all(at, part, &ignored);
		return -1;
	}
	return fill_finish(at, done, data, err);
}

static void sweep_one(int root, const char *entry)
{
	const char *name = str_after(entry, FILL_PREFIX);
	auto_free char *path = volume_data(name);
	struct error err = ERROR_INIT;
	auto_close data = -1;
	bool whole = map_get(&volumes.table, name) != NULL;

	if (whole) {
		data = dir_open_at(AT_FDCWD, path, &err);
		if (data < 0 || fill_finish(root, entry, data, &err) < 0)
			log_error("volume is not filled to the end", "volume", name, "error",
				  err.text);
	} else if (dir_remove_all(root, entry, &err) < 0) {
		log_error("what is left of a copy stays", "directory", entry, "error", err.text);
	}
}

void fill_sweep(void)
{
	struct error err = ERROR_INIT;
	auto_close root = dir_open_at(AT_FDCWD, volumes.root, &err);
	auto_strlist names = STRLIST_INIT;

	if (root < 0 || list(root, &names, &err) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		if (str_after(names.v[i], FILL_PREFIX) && !str_ends(names.v[i], PART))
			sweep_one(root, names.v[i]);
		else if (str_after(names.v[i], FILL_PREFIX) &&
			 dir_remove_all(root, names.v[i], &err) < 0)
			log_error("what is left of a copy stays", "directory", names.v[i], "error",
				  err.text);
}
