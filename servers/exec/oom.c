/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching a memory cgroup for its shim: an eventfd registered with memory.oom_control (v1) or an inotify on memory.events (v2).
 * Kernel: Documentation/admin-guide/cgroup-v1/memory.rst section 10, cgroup-v2.rst.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "exec.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

static bool watch_v1(const char *cgroup, int *notify, int *counter)
{
	char path[1200], line[64];
	struct error err;
	auto_close dir = -1, event = -1, control = -1;

	snprintf(path, sizeof(path), CGROUP_ROOT "/memory%s", cgroup);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return false;
	control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control < 0 || event < 0)
		return false;
	snprintf(line, sizeof(line), "%d %d", event, control);
	if (file_put_at(dir, "cgroup.event_control", line, &err) == 0)
		*notify =
		    steal_fd(&event); /* without it the counter alone still tells at the end */
	*counter = steal_fd(&control);
	return true;
}

void oom_watch(const char *cgroup, int *notify, int *counter)
{
	char path[1200];

	*notify = *counter = -1;
	if (!*cgroup || watch_v1(cgroup, notify, counter))
		return;
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/memory.events", cgroup);
	*counter = open(path, O_RDONLY | O_CLOEXEC);
	if (*counter < 0)
		return;
	*notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (*notify >= 0 && inotify_add_watch(*notify, path, IN_MODIFY) < 0)
		fd_close(notify);
}
