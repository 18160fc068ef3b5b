/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of the first process, in the container's state directory. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/procstat.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATE "init"

int state_save(int state_fd, pid_t pid, struct error *err)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %" PRIu64 "\n", (int)pid, proc_start_time(pid));
	return file_write_atomic(state_fd, STATE, text, strlen(text), 0600, false, err);
}

int state_open_init(const struct dockerd_container *c, struct error *err)
{
	auto_str text = STR_INIT;
	auto_close fd = -1;
	uint64_t start;
	int pid;

	if (file_read_at(c->state_fd, STATE, 64, &text, err) < 0 ||
	    sscanf(str_cstr(&text), "%d %" SCNu64, &pid, &start) != 2)
		return error_set(err, ERR_NOT_FOUND, "the container was not created");
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* Opened before it is compared: from here on the descriptor can't change its process. */
	if (fd < 0 || proc_start_time(pid) != start)
		return error_set(err, ERR_NOT_FOUND, "the container has ended");
	return steal_fd(&fd);
}

int oom_adjust(pid_t pid, int score, struct error *err)
{
	char path[48], text[16];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	snprintf(text, sizeof(text), "%d", score);
	return file_put_at(AT_FDCWD, path, text, err);
}
