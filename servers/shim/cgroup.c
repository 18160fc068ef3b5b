/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of most containers: their control group is empty and goes by rmdir, in the one hierarchy of v2 or in each of v1 (a hybrid host's unified one among
 * them). That needs no driver, and so no further process. What does not go that easily is left to dockerd-exec: killing, subgroups, a driver that
 * has made more than control groups.
 *
 * Without the C library's directory streams, whose buffer would stay with every shim.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"
#define CGROUP_V2_MAGIC 0x63677270

struct entry { /* struct linux_dirent64, getdents64(2) */
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static bool remove_from(int root, const char *hierarchy, const char *path)
{
	char at[1400];
	int n = snprintf(at, sizeof(at), "%s%s", hierarchy, path);

	if (n < 0 || (size_t)n >= sizeof(at))
		return false;
	FAULT("shim.cgroup.one");
	return unlinkat(root, at, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTDIR;
}

/* Whatever directory lies in there: those that are no hierarchy have no such path. Links (cpu -> cpu,cpuacct) are second names. */
static bool remove_from_all(int root, const char *path)
{
	char buf[2048] __attribute__((aligned(8)));
	bool all = true;
	long n;

	while ((n = syscall(SYS_getdents64, root, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n;) {
			const struct entry *e = (const struct entry *)(void *)(buf + at);

			if (e->type == DT_DIR && e->name[0] != '.')
				all = remove_from(root, e->name, path) && all;
			at += e->reclen;
		}
	return n == 0 && all;
}

bool cgroup_remove(const char *path)
{
	auto_close root = open(ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (root < 0 || fstatfs(root, &fs) < 0 || path[0] != '/' || !path[1] || strstr(path, "/.."))
		return false;
	return fs.f_type == CGROUP_V2_MAGIC ? remove_from(root, ".", path)
					    : remove_from_all(root, path);
}
