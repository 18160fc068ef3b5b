/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount options, and bind mounts as detached trees: they are opened in the host's mount namespace by their host path, get their
 * attributes while nobody sees them, and are moved into the container's root by descriptor. open_tree(2), mount_setattr(2), move_mount(2).
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* sys/mount.h of glibc 2.36 and linux/mount.h exclude each other. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *data);

static const struct {
	const char *name;
	unsigned long flag;
	uint64_t attr;
	bool clear;
} options[] = {
    {"ro", MS_RDONLY, MOUNT_ATTR_RDONLY, false},
    {"rw", MS_RDONLY, MOUNT_ATTR_RDONLY, true},
    {"nosuid", MS_NOSUID, MOUNT_ATTR_NOSUID, false},
    {"suid", MS_NOSUID, MOUNT_ATTR_NOSUID, true},
    {"nodev", MS_NODEV, MOUNT_ATTR_NODEV, false},
    {"dev", MS_NODEV, MOUNT_ATTR_NODEV, true},
    {"noexec", MS_NOEXEC, MOUNT_ATTR_NOEXEC, false},
    {"exec", MS_NOEXEC, MOUNT_ATTR_NOEXEC, true},
    {"nosymfollow", MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW, false},
    {"symfollow", MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW, true},
    {"noatime", MS_NOATIME, MOUNT_ATTR_NOATIME, false},
    {"atime", MS_NOATIME, MOUNT_ATTR_NOATIME, true},
    {"nodiratime", MS_NODIRATIME, MOUNT_ATTR_NODIRATIME, false},
    {"diratime", MS_NODIRATIME, MOUNT_ATTR_NODIRATIME, true},
    {"relatime", MS_RELATIME, 0, false},
    {"norelatime", MS_RELATIME, 0, true},
    {"strictatime", MS_STRICTATIME, MOUNT_ATTR_STRICTATIME, false},
    {"sync", MS_SYNCHRONOUS, 0, false},
    {"async", MS_SYNCHRONOUS, 0, true},
    {"dirsync", MS_DIRSYNC, 0, false},
    {"mand", MS_MANDLOCK, 0, false},
    {"nomand", MS_MANDLOCK, 0, true},
    {"silent", MS_SILENT, 0, false},
    {"loud", MS_SILENT, 0, true},
    {"remount", 0, 0, false},
    {"defaults", 0, 0, false},
};

/* "ro", or "rro": the same for all mounts below. */
static bool flag_option(struct mount_options *o, const char *name)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		bool plain = streq(name, options[i].name);

		if (!plain &&
		    !(name[0] == 'r' && options[i].attr && streq(name + 1, options[i].name)))
			continue;
		o->recursive_attr = o->recursive_attr || !plain;
		if (options[i].clear) {
			o->flags &= ~options[i].flag;
			o->attr_set &= ~options[i].attr;
			/* The access time is one field, not flags: it can only be cleared whole. */
			o->attr_clear |= options[i].attr & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME
									     : options[i].attr;
		} else {
			o->flags |= options[i].flag;
			o->attr_set |= options[i].attr;
			o->attr_clear |=
			    options[i].attr & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0;
		}
		return true;
	}
	return false;
}

void mount_options_parse(struct mount_options *o, const json *list)
{
	for (json *j = json_first(list); j; j = json_next(j)) {
		const char *name = json_str(j, "");
		unsigned long propagation = propagation_parse(name);

		if (propagation) {
			o->propagation = propagation;
		} else if (streq(name, "bind") || streq(name, "rbind")) {
			o->bind = true;
			o->recursive = *name == 'r';
		} else if (!flag_option(o, name)) {
			str_printf(&o->data, "%s%s", o->data.len ? "," : "", name);
		}
	}
}

int tree_open(int dirfd, const char *path, bool recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH) |
			     (recursive ? AT_RECURSIVE : 0);

	return (int)syscall(SYS_open_tree, dirfd, path, flags);
}

int tree_attach(int tree, int target)
{
	return (int)syscall(SYS_move_mount, tree, "", target, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int set_by_remount(int fd, const struct mount_options *o)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (o->recursive_attr)
		return errno = ENOSYS, -1;
	if (o->propagation && mount(NULL, path, NULL, o->propagation, NULL) < 0)
		return -1;
	if (o->attr_set | o->attr_clear)
		return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | o->flags, NULL);
	return 0;
}

int tree_set(int fd, const struct mount_options *o, bool attached)
{
	struct mount_attr a = {.attr_set = o->attr_set, .attr_clr = o->attr_clear};
	struct mount_attr p = {.propagation = o->propagation & ~MS_REC};
	unsigned int whole = AT_EMPTY_PATH | AT_RECURSIVE;

	if (p.propagation &&
	    syscall(SYS_mount_setattr, fd, "", o->propagation & MS_REC ? whole : AT_EMPTY_PATH, &p,
		    sizeof(p)) < 0)
		return errno == ENOSYS && attached ? set_by_remount(fd, o) : -1;
	if ((a.attr_set | a.attr_clr) &&
	    syscall(SYS_mount_setattr, fd, "", o->recursive_attr ? whole : AT_EMPTY_PATH, &a,
		    sizeof(a)) < 0)
		return errno == ENOSYS && attached ? set_by_remount(fd, o) : -1;
	return 0;
}

int tree_place(int tree, int target, const struct mount_options *o)
{
	bool done = tree_set(tree, o, false) == 0;

	if (!done && errno != ENOSYS)
		return -1;
	if (tree_attach(tree, target) < 0)
		return -1;
	return done ? 0 : tree_set(tree, o, true);
}

static int open_bind(struct mount_plan *m, struct error *err)
{
	struct stat st;

	m->tree = tree_open(AT_FDCWD, m->source, m->options.recursive);
	if (m->tree < 0 || fstat(m->tree, &st) < 0)
		return error_sys(err, errno, "error mounting \"%s\" to rootfs at \"%s\"", m->source,
				 m->target);
	m->directory = S_ISDIR(st.st_mode);
	/* A clone of a shared mount is its peer: what nobody asked for must not leak out of the container. */
	if (!m->options.propagation)
		m->options.propagation = MS_SLAVE | MS_REC;
	m->attr_done = tree_set(m->tree, &m->options, false) == 0;
	if (!m->attr_done && errno != ENOSYS)
		return error_sys(err, errno, "set options of mount \"%s\"", m->target);
	return 0;
}

static int add_init(struct mount_plans *p, const char *init_path, struct error *err)
{
	struct mount_plan *m = &p->v[p->n++];

	*m = (struct mount_plan){
	    .target = "/sbin/docker-init", .type = "bind", .source = init_path, .tree = -1};
	m->options =
	    (struct mount_options){.flags = MS_RDONLY, .attr_set = MOUNT_ATTR_RDONLY, .bind = true};
	return open_bind(m, err);
}

int mount_plans_make(struct mount_plans *p, const struct spec *s, const char *init_path,
		     struct error *err)
{
	bool bound = false;

	p->v = xcalloc(json_count(s->mounts) + 1, sizeof(*p->v));
	for (json *j = json_first(s->mounts); j; j = json_next(j)) {
		struct mount_plan *m = &p->v[p->n++];

		m->tree = -1;
		m->target = json_get_str(j, "destination", "");
		m->type = json_get_str(j, "type", "");
		m->source = json_get_str(j, "source", "");
		mount_options_parse(&m->options, json_get(j, "options"));
		if (m->target[0] != '/')
			return error_set(err, ERR_INVALID, "mount destination '%s' is not absolute",
					 m->target);
		bound = bound || streq(m->target, "/sbin/docker-init");
		m->options.bind = m->options.bind || streq(m->type, "bind");
		if (m->options.bind && open_bind(m, err) < 0)
			return -1;
	}
	if (init_path && !bound && streq(s->process.argv.v[0], "/sbin/docker-init"))
		return add_init(p, init_path, err);
	return 0;
}

void mount_plans_free(struct mount_plans *p)
{
	for (size_t i = 0; i < p->n; i++) {
		fd_close(&p->v[i].tree);
		str_free(&p->v[i].options.data);
	}
	free(p->v);
	*p = (struct mount_plans){0};
}
