/* SPDX-License-Identifier: Apache-2.0 */
/* The container's first process between its clone and the user's program. Everything that fails here is told to the parent. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "native.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

static int be_root(struct error *err)
{
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return error_sys(err, errno, "become root of the user namespace");
	prctl(PR_SET_DUMPABLE, 0);
	return 0;
}

/* The rights over the other namespaces come from it. */
static int enter_user(struct launch *l, struct error *err)
{
	const struct spec *s = &l->spec;

	for (size_t i = 0; i < s->n_joins; i++)
		if (s->joins[i].flag == CLONE_NEWUSER && setns(l->joins[i], CLONE_NEWUSER) < 0)
			return error_sys(err, errno, "join namespace %s", s->joins[i].path);
	if (!l->user_joined && !(s->unshare & CLONE_NEWUSER))
		return 0;
	if (be_root(err) < 0)
		return -1;
	/* of the pid namespace the next clone is the first member */
	if (l->user_joined && unshare((int)(s->unshare & ~(uint64_t)CLONE_NEWCGROUP)) < 0)
		return error_sys(err, errno, "make namespaces");
	return 0;
}

static int enter_namespaces(struct launch *l, struct error *err)
{
	const struct spec *s = &l->spec;

	for (size_t i = 0; i < s->n_joins; i++)
		if (s->joins[i].flag !=
			CLONE_NEWUSER && /* of a pid namespace: only the next clone */
		    setns(l->joins[i], s->joins[i].flag) < 0)
			return error_sys(err, errno, "join namespace %s", s->joins[i].path);
	if (l->container->netns_fd >= 0 && setns(l->container->netns_fd, CLONE_NEWNET) < 0)
		return error_sys(err, errno, "join the network namespace");
	if (s->unshare & CLONE_NEWCGROUP && unshare(CLONE_NEWCGROUP) < 0)
		return error_sys(err, errno, "make a cgroup namespace");
	return 0;
}

/* The host's descriptors go, but for those that the rest needs. */
static int let_go(struct launch *l, struct error *err)
{
	int keep[1 + MAX_LATE], n = 0;

	keep[n++] = l->sync;
	for (size_t i = 0; i < l->mounts.n; i++)
		if (l->mounts.v[i].late && l->mounts.v[i].tree >= 0)
			keep[n++] = l->mounts.v[i].tree;
	return keep_only(keep, n, err);
}

/* In a pid namespace of its own, where nobody else is yet. */
static int set_up(struct launch *l, int master, struct error *err)
{
	const struct process *p = &l->spec.process;

	/* Changes of user clear it. A set-user-ID program clears it again: then only the cgroup's cleanup kills. */
	if (session_lead(p, err) < 0 || rights_drop(p, err) < 0 || die_with_shim(err) < 0)
		return -1;
	if (sync_send(l->sync, SYNC_READY, master, err) < 0)
		return -1;
	FAULT("native.init.ready");
	if (let_go(l, err) < 0)
		return -1;
	return sync_receive(l->sync, SYNC_START, NULL, -1, err) == 1 ? 0 : -1;
}

/* In somebody else's: birth.c. What needs to be a member of it is all that is left to do after the birth. */
static int set_up_staged(struct launch *l, int master, struct error *err)
{
	pid_t pid;

	if (l->spec.process.terminal && sync_send(l->sync, SYNC_TERMINAL, master, err) < 0)
		return -1;
	if (rights_drop(&l->spec.process, err) < 0 || let_go(l, err) < 0 ||
	    FAULT_ERR("native.init.staged", err))
		return -1;
	pid = birth_give(l->sync, err);
	if (pid < 0)
		return -1;
	FAULT("native.init.born");
	if (birth_begin(l->sync, err) < 0 || root_finish(l, err) < 0 ||
	    session_lead(&l->spec.process, err) < 0)
		return -1;
	return birth_wait(l->sync, err);
}

/* In another's user namespace there has to be somebody before a namespace can be made that belongs to it. */
static int be_born(struct launch *l, struct error *err)
{
	pid_t pid;

	if (!l->user_joined)
		return 0;
	pid = birth_give(l->sync, err);
	return pid < 0 ? -1 : birth_begin(l->sync, err);
}

static int prepare(struct launch *l, int *master, struct error *err)
{
	if (die_with_shim(err) < 0 || sync_receive(l->sync, SYNC_GO, NULL, -1, err) != 1)
		return -1;
	if (cgroup_enter(&l->cgroup, err) < 0 || rights_labels(&l->spec.process, err) < 0 ||
	    enter_user(l, err) < 0 || be_born(l, err) < 0 || enter_namespaces(l, err) < 0)
		return -1;
	return FAULT_ERR("native.init.begin", err) ? -1 : root_build(l, master, err);
}

_Noreturn void init_main(struct launch *l)
{
	struct error err = ERROR_INIT;
	int master = -1, r;

	r = prepare(l, &master, &err);
	if (r == 0)
		r = l->staged ? set_up_staged(l, master, &err) : set_up(l, master, &err);
	if (r == 0 && !FAULT_ERR("native.init.started", &err))
		become(&l->spec.process, &l->filter, &err);
	if (err.kind) /* none: the other side is gone, and nobody listens */
		sync_send_error(l->sync, &err);
	_exit(err.kind == ERR_NO_PERMISSION ? 126 : err.kind == ERR_NO_COMMAND ? 127 : 128);
}
