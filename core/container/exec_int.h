/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about exec sessions share: exec.c has the table of them, exec_start.c and exec_probe.c run them. */
#ifndef CONTAINER_EXEC_INT_H
#define CONTAINER_EXEC_INT_H

#include "container/container_int.h"

/* exec.c */
/* The session's container (a reference); *out stays until exec_put. */
struct container *exec_find(const char *id, struct exec_session **out, struct error *err);
void exec_put(struct container *c, struct exec_session *e);
/* Walks over the container's sessions, NULL first: the one in hands is not freed. To be walked to its end, or exec_put. */
struct exec_session *exec_next(struct container *c, struct exec_session *last);
/* exit_code: for exec_die; NULL: the command is told. */
void exec_event(struct container *c, const struct exec_session *e, const char *action,
		const char *exit_code);
/* 0 if a process can be run in it now. */
int exec_check_running(struct container *c, const char *shown, struct error *err);
/* Give it an id, enter it, tell. */
void exec_publish(struct container *c, struct exec_session *e);

/* exec_start.c */
/* What its launch holds: the process's ends, the shim's, what the driver made. */
struct exec_fds {
	int child[3], held[3];
	struct shim_created created;
};

#define EXEC_FDS_NONE                                                     \
	{                                                                 \
		.child = {-1, -1, -1}, .held = {-1, -1, -1}, .created = { \
			.netns_fd = -1,                                   \
			.netlink_fd = -1,                                 \
			.console_fd = -1,                                 \
			.sock = -1                                        \
		}                                                         \
	}
void exec_fds_close(struct exec_fds *f);
/* OCI process object, user and groups looked up in the running container's root. */
int exec_build_process(struct container *c, const struct exec_session *e, struct str *process,
		       struct error *err);
/* From here on its end is handled; 126 and 127 as moby records them for one that could not run. */
void exec_launched(struct container *c, struct exec_session *e, pid_t pid);
void exec_launch_failed(struct container *c, struct exec_session *e, const struct error *err);

#endif
