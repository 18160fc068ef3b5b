/* SPDX-License-Identifier: Apache-2.0 */
/* The container's view of its control groups: the spec's mount of type cgroup. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int mount_v2(const struct launch *l, int target, const struct mount_plan *m)
{
	auto_close tree = -1;
	auto_free char *path = NULL;

	if (l->spec.unshare & CLONE_NEWCGROUP)
		return fchdir(target) < 0 ? -1
					  : mount("cgroup", ".", "cgroup2", m->options.flags, NULL);
	path = xasprintf("/sys/fs/cgroup%s", l->cgroup.path);
	tree = tree_open(AT_FDCWD, path, false);
	if (tree < 0)
		return -1;
	return tree_place(tree, target, &m->options);
}

/* One v1 hierarchy at target/NAME: of our namespace's root, or our own directory bound. */
static int mount_hierarchy(const struct launch *l, int i, int base, const struct mount_plan *m)
{
	const char *name = l->cgroup.names[i];
	auto_close at = -1, tree = -1;
	auto_free char *path = NULL;

	if (mkdirat(base, name, 0755) < 0 && errno != EEXIST)
		return -1;
	at = openat(base, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0)
		return -1;
	if (l->spec.unshare & CLONE_NEWCGROUP) {
		bool named = streq(name, "systemd");

		return fchdir(at) < 0 ? -1
				      : mount("cgroup", ".", "cgroup", m->options.flags,
					      named ? "none,name=systemd" : name);
	}
	/* By path: the open directories belong to the parent's mounts, of which we have copies. */
	path = xasprintf("/sys/fs/cgroup/%s%s", name, l->cgroup.path);
	tree = tree_open(AT_FDCWD, path, false);
	if (tree < 0)
		return -1;
	return tree_place(tree, at, &m->options);
}

static int mount_v1(const struct launch *l, int target, const struct mount_plan *m)
{
	auto_close base = -1;

	if (fchdir(target) < 0 ||
	    mount("tmpfs", ".", "tmpfs", m->options.flags & ~(unsigned long)MS_RDONLY, "mode=755") <
		0)
		return -1;
	base = open_in_root(l->root_tree, m->target, O_PATH | O_DIRECTORY, 0);
	if (base < 0)
		return -1;
	for (int i = 0; i < l->cgroup.n; i++) {
		if (i == l->cgroup.unified) /* runc does not show it either */
			continue;
		if (mount_hierarchy(l, i, base, m) < 0)
			return -1;
		/* "cpu,cpuacct" is also found as "cpu" and "cpuacct" */
		if (strchr(l->cgroup.names[i], ',')) {
			auto_strlist parts = STRLIST_INIT;

			strlist_split(&parts, l->cgroup.names[i], ',');
			for (size_t k = 0; k < parts.n; k++)
				if (symlinkat(l->cgroup.names[i], base, parts.v[k]) < 0 &&
				    errno != EEXIST)
					return -1;
		}
	}
	return 0;
}

int cgroup_mount(struct launch *l, const struct mount_plan *m, struct error *err)
{
	auto_close target = root_target(l->root_tree, m->target, true, err);

	if (target < 0)
		return -1;
	if (!*l->cgroup.path)
		return 0;
	if ((l->cgroup.v2 ? mount_v2(l, target, m) : mount_v1(l, target, m)) < 0)
		return error_sys(err, errno, "error mounting \"cgroup\" to rootfs at \"%s\"",
				 m->target);
	return 0;
}
