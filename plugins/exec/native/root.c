/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's root, built by the first process in its own mount namespace while it still sees the host: the root's tree is attached,
 * everything is mounted below it by descriptor, and at the end it becomes "/". No path of the image is followed by string: targets are
 * resolved with openat2(RESOLVE_IN_ROOT), filesystems are mounted on "." of an open directory.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_LINKS 40

static int target_at(int root, const char *path, bool directory, int depth, struct error *err);

/* `base` in `parent` does not resolve: follow a dangling link inside the root, or make it. */
static int make_missing(int root, int parent, const char *dir, const char *base, bool directory,
			int depth, struct error *err)
{
	char link[PATH_MAX];
	auto_free char *to = NULL;
	auto_close made = -1;
	ssize_t n = readlinkat(parent, base, link, sizeof(link) - 1);

	if (n > 0) {
		link[n] = '\0';
		to = *link == '/' ? xstrdup(link) : xasprintf("%s/%s", dir, link);
		return target_at(root, to, directory, depth + 1, err);
	}
	if (directory) {
		if (mkdirat(parent, base, 0755) < 0 && errno != EEXIST)
			return error_sys(err, errno, "mkdir %s/%s in the container's root", dir,
					 base);
	} else {
		made = openat(parent, base, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY,
			      0755);
		if (made < 0 && errno != EEXIST)
			return error_sys(err, errno, "create %s/%s in the container's root", dir,
					 base);
	}
	to = xasprintf("%s/%s", dir, base);
	made = open_in_root(root, to, O_PATH | (directory ? O_DIRECTORY : 0), 0);
	return made < 0 ? error_sys(err, errno, "open %s in the container's root", to)
			: steal_fd(&made);
}

static int target_at(int root, const char *path, bool directory, int depth, struct error *err)
{
	int fd = open_in_root(root, path, O_PATH | (directory ? O_DIRECTORY : 0), 0);
	auto_free char *clean = NULL, *dir = NULL;
	auto_close parent = -1;
	const char *base;

	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd
			       : error_sys(err, errno, "open %s in the container's root", path);
	if (depth > MAX_LINKS)
		return error_sys(err, ELOOP, "open %s in the container's root", path);
	clean = xstrdup(path);
	for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/'; n--)
		clean[n - 1] = '\0';
	base = path_base(clean);
	dir = xstrndup(clean, (size_t)(base - clean));
	parent = target_at(root, *dir ? dir : "/", true, depth + 1, err);
	if (parent < 0)
		return -1;
	if (streq(base, "..") || streq(base, ".") || !*base)
		return error_set(err, ERR_INVALID, "path %s leads through what does not exist",
				 path);
	return make_missing(root, parent, *dir ? dir : "/", base, directory, depth, err);
}

int root_target(int root, const char *path, bool directory, struct error *err)
{
	return target_at(root, path, directory, 0, err);
}

static int attach_bind(struct launch *l, struct mount_plan *m, struct error *err)
{
	auto_close target = root_target(l->root_tree, m->target, m->directory, err);

	if (target < 0 || proc_safe(m, target, err) < 0)
		return -1;
	if (tree_attach(m->tree, target) < 0 ||
	    (!m->attr_done && tree_set(m->tree, &m->options, true) < 0))
		return error_sys(err, errno, "error mounting \"%s\" to rootfs at \"%s\"", m->source,
				 m->target);
	return 0;
}

/* runc: a tmpfs over an existing directory takes its mode; what the user says comes behind and wins. Where there was none it is everybody's. */
static void tmpfs_mode(const struct mount_plan *m, int there, struct str *data)
{
	struct stat st;

	if (streq(m->type, "tmpfs") && there >= 0 && fstat(there, &st) == 0)
		str_printf(data, "mode=%04o%s", st.st_mode & 07777, m->options.data.len ? "," : "");
	str_add(data, m->options.data.p, m->options.data.len);
}

static int mount_new(struct launch *l, const struct mount_plan *m, struct error *err)
{
	const char *label = l->spec.mount_label;
	auto_str data = STR_INIT;
	auto_close there = open_in_root(l->root_tree, m->target, O_PATH | O_DIRECTORY, 0),
		   target = root_target(l->root_tree, m->target, true, err);

	if (target < 0 || proc_safe(m, target, err) < 0)
		return -1;
	tmpfs_mode(m, there, &data);
	if (*label && !streq(m->type, "proc") && !streq(m->type, "sysfs"))
		str_printf(&data, "%scontext=\"%s\"", data.len ? "," : "", label);
	if (fchdir(target) < 0)
		return error_sys(err, errno, "enter %s", m->target);
	/* mount(2) resolves "." to what is on top here: the directory below the new mount, at the mounts of before */
	if (mount(m->source, ".", m->type, m->options.flags, str_cstr(&data)) < 0)
		return error_sys(err, errno, "error mounting \"%s\" to rootfs at \"%s\"", m->type,
				 m->target);
	if (m->options.propagation) {
		auto_close made = open_in_root(l->root_tree, m->target, O_PATH | O_DIRECTORY, 0);
		struct mount_options only = {.propagation = m->options.propagation};

		if (made < 0 || tree_set(made, &only, true) < 0)
			return error_sys(err, errno, "set propagation of \"%s\"", m->target);
	}
	return 0;
}

bool root_is_late(const struct launch *l, const char *path)
{
	for (size_t i = 0; i < l->mounts.n; i++) {
		const char *rest =
		    l->mounts.v[i].late ? str_after(path, l->mounts.v[i].target) : NULL;

		if (rest && (!*rest || *rest == '/'))
			return true;
	}
	return false;
}

/* Their targets are made now: the root may be read-only afterwards, and the user without the right. */
static int put_off(struct launch *l, struct error *err)
{
	size_t trees = 0;

	for (size_t i = 0; i < l->mounts.n; i++) {
		struct mount_plan *m = &l->mounts.v[i];
		auto_close target = -1;
		bool below = root_is_late(l, m->target);

		m->late = below || streq(m->type, "proc");
		if (m->late && m->tree >= 0 && ++trees > MAX_LATE)
			return error_set(err, ERR_INVALID, "more than %d mounts below %s", MAX_LATE,
					 "/proc");
		if (m->late && !below)
			target = root_target(l->root_tree, m->target, true, err);
		if (m->late && !below && target < 0)
			return -1;
	}
	return 0;
}

static int mount_all(struct launch *l, bool late, struct error *err)
{
	for (size_t i = 0; i < l->mounts.n; i++) {
		struct mount_plan *m = &l->mounts.v[i];
		int r;

		if (m->late != late)
			continue;
		if (m->tree >= 0)
			r = attach_bind(l, m, err);
		else if (streq(m->type, "cgroup") || streq(m->type, "cgroup2"))
			r = cgroup_mount(l, m, err);
		else
			r = mount_new(l, m, err);
		if (r < 0)
			return -1;
	}
	return 0;
}

/* The detached tree of the root onto "/" of our copy of the host's mounts: on top of everything, so pivot_root can take it. */
static int attach_root(struct launch *l, struct error *err)
{
	unsigned long propagation =
	    l->spec.root_propagation ? l->spec.root_propagation : MS_SLAVE | MS_REC;
	struct mount_options own = {.propagation = MS_PRIVATE};
	auto_close top = -1;

	if (mount(NULL, "/", NULL, propagation & MS_SHARED ? MS_SLAVE | MS_REC : propagation,
		  NULL) < 0)
		return error_sys(err, errno, "make the host's mounts private");
	top = open(l->container->rootfs_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top < 0 || tree_attach(l->root_tree, top) < 0)
		return error_sys(err, errno, "attach the root");
	if (tree_set(l->root_tree, &own, true) < 0)
		return error_sys(err, errno, "make the root private");
	return 0;
}

static int pivot(struct launch *l, struct error *err)
{
	auto_close old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (old < 0 || fchdir(l->root_tree) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return error_sys(err, errno, "pivot_root");
	/* The old root lies over the new one now, and "." is below it: pivot_root(2), "pivot_root(".", ".")". */
	if (fchdir(old) < 0 || mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
	    umount2(".", MNT_DETACH) < 0)
		return error_sys(err, errno, "leave the host's mounts");
	if (chdir("/") < 0)
		return error_sys(err, errno, "chdir /");
	return 0;
}

static int make_read_only(struct launch *l, struct error *err)
{
	struct mount_options ro = {.flags = MS_RDONLY, .attr_set = 1 /* MOUNT_ATTR_RDONLY */};

	if (l->spec.readonly_root && tree_set(l->root_tree, &ro, true) < 0)
		return error_sys(err, errno, "make the root read-only");
	return 0;
}

/* Of "/": pivot_root(2) takes no shared mount. */
static int set_propagation(const struct launch *l, struct error *err)
{
	unsigned long wanted = l->spec.root_propagation & (MS_SHARED | MS_UNBINDABLE);

	if (wanted && mount(NULL, "/", NULL, l->spec.root_propagation, NULL) < 0)
		return error_sys(err, errno, "set propagation of the root");
	return 0;
}

/* One that lies in a mount was not there to be made before; who can't make it hears of it by chdir(2). */
static void make_cwd(struct launch *l)
{
	struct error ignored = ERROR_INIT;
	int made;

	if (root_is_late(l, l->spec.process.cwd))
		return;
	made = root_target(l->root_tree, l->spec.process.cwd, true, &ignored);
	fd_close(&made);
}

static int set_names(const struct spec *s, struct error *err)
{
	if (*s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return error_sys(err, errno, "set hostname '%s'", s->hostname);
	if (*s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return error_sys(err, errno, "set domain name '%s'", s->domainname);
	return 0;
}

static int make_terminal(struct launch *l, int *master, int *slave, struct error *err)
{
	auto_close devpts = -1, console = -1, tree = -1, dev = -1;

	if (!l->spec.process.terminal)
		return 0;
	devpts = open_in_root(l->root_tree, "/dev/pts", O_PATH | O_DIRECTORY, 0);
	if (devpts < 0)
		return error_sys(err, errno, "open /dev/pts of the container");
	if (terminal_open(devpts, &l->spec.process, l->stdio, master, slave, err) < 0)
		return -1;
	dev = root_target(l->root_tree, "/dev", true, err);
	if (dev < 0)
		return -1;
	console =
	    openat(dev, "console", O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_RDONLY | O_NONBLOCK, 0620);
	fd_close(&console);
	console = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	tree = tree_open(*slave, "", false);
	if (console < 0 || tree < 0 || tree_attach(tree, console) < 0)
		return error_sys(err, errno, "bind /dev/console");
	return 0;
}

int root_build(struct launch *l, int *console_master, struct error *err)
{
	auto_close slave = -1;

	umask(0);
	if (attach_root(l, err) < 0 || FAULT_ERR("native.root.attached", err))
		return -1;
	if (l->staged && put_off(l, err) < 0)
		return -1;
	if (mount_all(l, false, err) < 0 || FAULT_ERR("native.root.mounted", err))
		return -1;
	make_cwd(l);
	if (devices_make(l, err) < 0 || make_terminal(l, console_master, &slave, err) < 0)
		return -1;
	if (set_names(&l->spec, err) < 0 || sysctls_write(l->spec.sysctl, err) < 0)
		return -1;
	if (paths_readonly(l, false, err) < 0 || paths_mask(l, false, err) < 0 ||
	    make_read_only(l, err) < 0)
		return -1;
	if (FAULT_ERR("native.root.built", err) || pivot(l, err) < 0 || set_propagation(l, err) < 0)
		return -1;
	umask(l->spec.process.umask >= 0 ? (mode_t)l->spec.process.umask : 022);
	if (slave >= 0)
		return terminal_install(slave, err);
	return stdio_install(l->stdio, err);
}

int root_finish(struct launch *l, struct error *err)
{
	int r = -1;

	l->root_tree = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->root_tree < 0)
		return error_sys(err, errno, "open the container's root");
	if (mount_all(l, true, err) == 0 && paths_readonly(l, true, err) == 0 &&
	    paths_mask(l, true, err) == 0)
		r = 0;
	fd_close(&l->root_tree);
	for (size_t i = 0; i < l->mounts.n; i++)
		if (l->mounts.v[i].late)
			fd_close(&l->mounts.v[i].tree);
	return r;
}
