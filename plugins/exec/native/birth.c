/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a process comes into a pid namespace that has members already, some of whom may trace it (CAP_SYS_PTRACE) from its first moment on:
 *
 *	stage	a clone that nobody in there sees. It does all that needs the host's descriptors, root or rights, lets go of them, clones,
 *		says who was born, and ends.
 *	process	is born in the pid namespace with nothing but what the container has anyway. It moves when the parent knows it; READY says
 *		that from here on it dies with the shim, START that the shim lived then.
 *
 * The first process of a container that joins another's pid namespace (init.c) and exec sessions (session.c) are made so.
 */
#include "native.h"

#include <unistd.h>

pid_t birth_give(int sync, struct error *err)
{
	int pidfd = -1;
	pid_t pid = clone_for_shim(0, -1, &pidfd, err);

	if (pid <= 0)
		return pid;
	if (sync_send_born(sync, pid, pidfd, err) < 0)
		return -1;
	_exit(0);
}

int birth_begin(int sync, struct error *err)
{
	return sync_receive(sync, SYNC_GO, NULL, -1, err) == 1 ? die_with_shim(err) : -1;
}

int birth_wait(int sync, struct error *err)
{
	if (sync_send(sync, SYNC_READY, -1, err) < 0)
		return -1;
	return sync_receive(sync, SYNC_START, NULL, -1, err) == 1 ? 0 : -1;
}

static int died(int r, struct error *err)
{
	return r ? r : error_set(err, ERR_SYSTEM, "the process died during its setup");
}

int birth_attend(int sync, int timeout_ms, int *terminal, pid_t *pid, int *pidfd, struct error *err)
{
	if (terminal && died(sync_receive(sync, SYNC_TERMINAL, terminal, timeout_ms, err), err) < 0)
		return -1;
	return died(sync_receive_born(sync, pid, pidfd, timeout_ms, err), err) < 0 ? -1 : 0;
}

int birth_finish(int sync, int shim_pidfd, struct error *err)
{
	if (sync_send(sync, SYNC_GO, -1, err) < 0 ||
	    died(sync_receive(sync, SYNC_READY, NULL, SYNC_DEADLINE_MS, err), err) < 0)
		return -1;
	return shim_lives(shim_pidfd, err);
}
