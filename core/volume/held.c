/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which mounts plugins were asked for: a symbolic link ID -> DRIVER/VOLUME per mount in <exec-root>/volume-mounts, since symlink(2) makes name and
 * content in one step. It is there before the plugin is asked to mount, and goes when it has unmounted; so what a killed daemon leaves is
 * unmounted by the next one. Not synced: like the mounts, exec-root does not survive a reboot.
 *
 * `left`: those on record when the daemon started that no container has claimed. Guarded by `lock`, which is held over no call of a plugin.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "volume/volume_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pairs left = PAIRS_INIT; /* id -> DRIVER/VOLUME */
static int record = -1;                /* the directory */
static bool fresh;                     /* it was not there when the daemon started */

int held_init(const char *exec_root, struct error *err)
{
	auto_free char *dir = path_join(exec_root, "volume-mounts");
	auto_dir DIR *d = NULL;
	char what[PATH_MAX];
	struct dirent *e;

	fresh = !file_exists_at(AT_FDCWD, dir);
	if (dir_make_all(AT_FDCWD, dir, 0700, err) < 0)
		return -1;
	d = opendir(dir);
	record = d ? fcntl(dirfd(d), F_DUPFD_CLOEXEC, 3) : -1;
	if (record < 0)
		return error_sys(err, errno, "open %s", dir);
	while ((e = readdir(d))) {
		ssize_t n = readlinkat(record, e->d_name, what, sizeof(what) - 1);

		if (n < 0)
			continue;
		what[n] = '\0';
		pairs_add(&left, e->d_name, what);
	}
	return 0;
}

int held_add(const char *id, const char *driver, const char *name, struct error *err)
{
	auto_free char *what = xasprintf("%s/%s", driver, name);

	if (symlinkat(what, record, id) < 0 && errno != EEXIST)
		return error_sys(err, errno, "record the mount of volume %s", name);
	return 0;
}

void held_del(const char *id)
{
	unlinkat(record, id, 0);
}

bool held_claim(const char *id)
{
	bool there;
	LOCK_SCOPE(&lock);

	there = pairs_get(&left, id) != NULL;
	pairs_del(&left, id);
	/* mounted by moby, or before a reboot, whose state on disk is all we have */
	return there || fresh;
}

/* ---- Unmounting what is nobody's ---------------------------------------------------------------------------------------------------- */

static void let_go(const char *id, const char *what)
{
	const char *name = strchr(what, '/');
	auto_free char *driver = name ? xstrndup(what, (size_t)(name - what)) : NULL;
	struct error err = ERROR_INIT;

	if (!driver) {
		held_del(id);
		return;
	}
	if (driver_unmount(driver, ++name, id, true, &err) == 0)
		log_info("unmounted a volume that nobody uses", "volume", name, "driver", driver,
			 "id", id);
	else
		log_warn("plugin did not unmount a volume that nobody uses", "volume", name,
			 "driver", driver, "id", id, "error", err.text);
	if (!err.sys) /* it has answered */
		held_del(id);
}

static void *let_go_thread(void *arg)
{
	struct pairs *all = arg;

	for (size_t i = 0; i < all->n; i++)
		let_go(all->v[i].key, all->v[i].value);
	pairs_free(all);
	free(all);
	return NULL;
}

/* Takes what `all` holds. */
static void let_go_behind(struct pairs *all)
{
	struct pairs *mine = xnew(struct pairs);
	struct error err = ERROR_INIT;

	*mine = *all;
	*all = (struct pairs)PAIRS_INIT;
	if (thread_start("unmount", let_go_thread, mine, &err) == 0)
		return;
	log_error("volumes of plugins stay mounted", "error", err.text);
	pairs_free(mine);
	free(mine);
}

void held_give_up(const char *id, const char *driver, const char *name)
{
	auto_free char *what = xasprintf("%s/%s", driver, name);
	auto_pairs one = PAIRS_INIT;

	pairs_add(&one, id, what);
	let_go_behind(&one);
}

/* Those of one driver, out of `left`. */
static void take_of_driver(const char *what, struct pairs *out)
{
	size_t n = strcspn(what, "/") + 1;
	auto_free char *driver = xstrndup(what, n);

	for (size_t i = 0; i < left.n;) {
		if (strncmp(left.v[i].value, driver, n) != 0) {
			i++;
			continue;
		}
		pairs_add(out, left.v[i].key, left.v[i].value);
		pairs_del(&left, left.v[i].key);
	}
}

void held_settle(void)
{
	LOCK_SCOPE(&lock);

	while (left.n) { /* a thread for each driver: one may hang */
		auto_pairs of_one = PAIRS_INIT;

		take_of_driver(left.v[0].value, &of_one);
		let_go_behind(&of_one);
	}
}
