/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which mounts drivers have made: a symbolic link per mount in <exec-root>/mounts, named by a hash of the mount point and leading to it, since
 * symlink(2) makes name and content in one step. It is there before the mount and goes after it, so a daemon that is killed leaves at
 * most a link too many. exec-root, like the mounts, does not survive a reboot: nothing is synced.
 *
 * `left`: targets on record when the daemon started, of which nobody has asked yet. Guarded by `lock`.
 */
#include "plugin/plugin_int.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/thread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct strlist left = STRLIST_INIT;
static int record = -1; /* the directory */

/* Two mount points of one host don't meet. */
static void name_of(const char *target, char out[17])
{
	snprintf(out, 17, "%016llx",
		 (unsigned long long)fnv64(FNV64_START, target, strlen(target)));
}

static int read_target(const char *name, char out[PATH_MAX])
{
	ssize_t n = readlinkat(record, name, out, PATH_MAX - 1);

	if (n < 0)
		return -1;
	out[n] = '\0';
	return 0;
}

/* With the lock held. */
static void not_left(const char *target)
{
	for (size_t i = left.n; i-- > 0;)
		if (streq(left.v[i], target))
			strlist_remove(&left, i);
}

static int mounted(const char *target, struct error *err)
{
	char name[17], there[PATH_MAX];
	LOCK_SCOPE(&lock);

	if (*target != '/')
		return error_set(err, ERR_INVALID, "mount point '%s' is no absolute path", target);
	name_of(target, name);
	not_left(target);
	if (symlinkat(target, record, name) == 0)
		return 0;
	/* left by a mount that was unmounted behind our back */
	if (errno == EEXIST && read_target(name, there) == 0 && streq(there, target))
		return 0;
	return error_sys(err, errno, "record the mount at %s", target);
}

static void unmounted(const char *target)
{
	char name[17];
	LOCK_SCOPE(&lock);

	name_of(target, name);
	not_left(target);
	unlinkat(record, name, 0);
}

int plugin_mounts_init(const char *dir, struct error *err)
{
	struct plugin_services s = plugin_get_services();
	auto_dir DIR *d = NULL;
	char target[PATH_MAX];
	struct dirent *e;

	if (dir_make_all(AT_FDCWD, dir, 0700, err) < 0)
		return -1;
	d = opendir(dir);
	if (!d)
		return error_sys(err, errno, "open %s", dir);
	record = fcntl(dirfd(d), F_DUPFD_CLOEXEC, 3);
	if (record < 0)
		return error_sys(err, errno, "open %s", dir);
	while ((e = readdir(d)))
		if (read_target(e->d_name, target) == 0)
			strlist_add(&left, target);
	s.mounted = mounted;
	s.unmounted = unmounted;
	plugin_set_services(&s);
	return 0;
}

void plugin_mounts_claim(const char *path)
{
	LOCK_SCOPE(&lock);

	for (size_t i = left.n; i-- > 0;) {
		const char *rest = str_after(path, left.v[i]);

		if (rest && (*rest == '\0' || *rest == '/'))
			strlist_remove(&left, i);
	}
}

void plugin_mounts_sweep(void)
{
	LOCK_SCOPE(&lock);

	for (size_t i = 0; i < left.n; i++) {
		char name[17];

		/* EINVAL: nothing is mounted there; the daemon was killed before, or has unmounted it */
		if (umount2(left.v[i], MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
			log_info("unmounted what an earlier daemon left", "target", left.v[i]);
		else if (errno != EINVAL && errno != ENOENT) {
			log_warn("a mount that an earlier daemon left is still there", "target",
				 left.v[i], "error", strerror(errno));
			continue;
		}
		name_of(left.v[i], name);
		unlinkat(record, name, 0);
	}
	strlist_free(&left);
}
