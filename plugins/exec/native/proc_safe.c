/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts on the container's /proc. What is read and written there decides about the process (labels, ids, sysctls) and hides what is masked, so an image or
 * a user may replace only some files that tell numbers, and /proc itself by no other file system. The list and the words are runc's. The kernel is
 * asked what the target lies on: a link that leads there is no other way.
 */
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

static const char *const allowed[] = {
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/net/dev",
    "/proc/sys/crypto/fips_enabled",
};

static bool on_proc(int fd)
{
	struct statfs fs;

	return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

int proc_safe(const struct mount_plan *m, int target, struct error *err)
{
	const char *why = "it is inside /proc";

	if (streq(m->target, "/proc")) {
		if (streq(m->type, "proc") || on_proc(m->tree))
			return 0;
		why = "it is not of type proc";
	} else if (!on_proc(target)) {
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (streq(m->target, allowed[i]))
			return 0;
	return error_set(
	    err, ERR_INVALID,
	    "error mounting \"%s\" to rootfs at \"%s\": check proc-safety of %s mount: "
	    "\"%s\" cannot be mounted because %s",
	    m->source, m->target, m->target, m->target, why);
}
