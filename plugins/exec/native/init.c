/* SPDX-License-Identifier: Apache-2.0 */
/* The container's first process between its clone and the user's program. Everything that fails here is told to the parent. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "native.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

static int enter_namespaces(struct launch *l, struct error *err)
{
	const struct spec *s = &l->spec;

	for (size_t i = 0; i < s->n_joins;
	     i++) /* a user namespace first: it gives the rights over the others */
		if (s->joins[i].flag == CLONE_NEWUSER && setns(l->joins[i], CLONE_NEWUSER) < 0)
			return error_sys(err, errno, "join namespace %s", s->joins[i].path);
	for (size_t i = 0; i < s->n_joins; i++)
		if (!(s->joins[i].flag & (CLONE_NEWUSER | CLONE_NEWPID)) &&
		    setns(l->joins[i], s->joins[i].flag) < 0)
			return error_sys(err, errno, "join namespace %s", s->joins[i].path);
	if (l->container->netns_fd >= 0 && setns(l->container->netns_fd, CLONE_NEWNET) < 0)
		return error_sys(err, errno, "join the network namespace");
	if (s->unshare & CLONE_NEWCGROUP && unshare(CLONE_NEWCGROUP) < 0)
		return error_sys(err, errno, "make a cgroup namespace");
	return 0;
}

static int be_root(const struct spec *s, struct error *err)
{
	if (!(s->unshare & CLONE_NEWUSER))
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return error_sys(err, errno, "become root of the user namespace");
	prctl(PR_SET_DUMPABLE, 0);
	return 0;
}

static int set_up(struct launch *l, struct error *err)
{
	const struct process *p = &l->spec.process;
	auto_close master = -1;

	if (die_with_shim(err) < 0 || sync_receive(l->sync, SYNC_GO, NULL, -1, err) != 1)
		return -1;
	if (cgroup_enter(&l->cgroup, err) < 0 || rights_labels(p, err) < 0 ||
	    be_root(&l->spec, err) < 0 || enter_namespaces(l, err) < 0)
		return -1;
	if (FAULT_ERR("native.init.begin", err) || root_build(l, &master, err) < 0)
		return -1;
	/* Changes of user clear it. A set-user-ID program clears it again: then only the cgroup's cleanup kills. */
	if (session_lead(p, err) < 0 || rights_drop(p, err) < 0 || die_with_shim(err) < 0)
		return -1;
	if (sync_send(l->sync, SYNC_READY, master, err) < 0)
		return -1;
	fd_close(&master);
	FAULT("native.init.ready");
	if (keep_only(&l->sync, err) < 0)
		return -1;
	return sync_receive(l->sync, SYNC_START, NULL, -1, err) == 1 ? 0 : -1;
}

_Noreturn void init_main(struct launch *l)
{
	struct error err = ERROR_INIT;

	if (set_up(l, &err) == 0 && !FAULT_ERR("native.init.started", &err))
		become(&l->spec.process, &l->filter, &err);
	if (err.kind) /* none: the other side is gone, and nobody listens */
		sync_send_error(l->sync, &err);
	_exit(err.kind == ERR_NO_PERMISSION ? 126 : err.kind == ERR_NO_COMMAND ? 127 : 128);
}
