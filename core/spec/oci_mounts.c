/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts member of the OCI text: the kernel's file systems, the container's mount points, the files that the daemon writes for it. */
#include "spec/spec_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

struct pass {
	const struct spec_input *in;
	struct jw *w;
	bool privileged, read_only_root, writable_cgroups, recursive_ro;
};

static const struct spec_mount *user_mount(const struct spec_input *in, const char *destination)
{
	for (size_t i = 0; in->mounts && i < in->mounts->n; i++)
		if (streq(in->mounts->v[i].destination, destination))
			return &in->mounts->v[i];
	return NULL;
}

static void print(struct jw *w, const char *destination, const char *type, const char *source,
		  const struct strlist *options)
{
	jw_obj(w);
	jw_kstr(w, "destination", destination);
	jw_kstr(w, "type", type);
	jw_kstr(w, "source", source);
	jw_kstrlist(w, "options", options, false);
	jw_end(w);
}

/* One of the kernel's; the user's own mount at the same place wins. */
static void kernel_fs(struct pass *p, const char *destination, const char *type, const char *source,
		      const char *options)
{
	auto_strlist list = STRLIST_INIT;

	if (user_mount(p->in, destination))
		return;
	strlist_split(&list, options, ',');
	print(p->w, destination, type, source, &list);
}

static void print_shm(struct pass *p)
{
	const char *mode = json_get_str(p->in->host_config, "IpcMode", "");
	auto_strlist bind = STRLIST_INIT;
	char options[96];

	if (streq(mode, "none") || user_mount(p->in, "/dev/shm"))
		return;
	if (streq(mode, "host") || p->in->shm_path) {
		strlist_split(&bind, "rbind,rprivate", ',');
		print(p->w, "/dev/shm", "bind", p->in->shm_path ? p->in->shm_path : "/dev/shm",
		      &bind);
		return;
	}
	snprintf(options, sizeof(options), "nosuid,noexec,nodev,mode=1777,size=%lld",
		 (long long)json_get_i64(p->in->host_config, "ShmSize", p->in->host->shm_size));
	kernel_fs(p, "/dev/shm", "tmpfs", "shm", options);
}

static void print_kernel(struct pass *p)
{
	kernel_fs(p, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	kernel_fs(p, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
	kernel_fs(p, "/dev/pts", "devpts", "devpts",
		  "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	kernel_fs(p, "/sys", "sysfs", "sysfs",
		  p->privileged ? "nosuid,noexec,nodev" : "nosuid,noexec,nodev,ro");
	kernel_fs(p, "/sys/fs/cgroup", "cgroup", "cgroup",
		  p->privileged || p->writable_cgroups ? "nosuid,noexec,nodev"
						       : "ro,nosuid,noexec,nodev");
	kernel_fs(p, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
	print_shm(p);
}

static void print_bind(struct pass *p, const char *source, const char *destination, bool recursive,
		       const char *ro, const char *propagation)
{
	auto_strlist options = STRLIST_INIT;

	strlist_add(&options, recursive ? "rbind" : "bind");
	if (ro)
		strlist_add(&options, ro);
	if (IS_SET(propagation))
		strlist_add(&options, propagation);
	print(p->w, destination, "bind", source, &options);
}

static const char *read_only_option(const struct pass *p, const struct spec_mount *m)
{
	if (!m->read_only)
		return NULL;
	return m->read_only_non_recursive || !p->recursive_ro ? "ro" : "rro";
}

static int print_user(struct pass *p, const struct spec_mount *m, struct error *err)
{
	auto_strlist options = STRLIST_INIT;

	if (m->type == SPEC_MOUNT_TMPFS) {
		if (tmpfs_merge(m->tmpfs_options, &options, err) < 0)
			return -1;
		print(p->w, m->destination, "tmpfs", "tmpfs", &options);
		return 0;
	}
	if (!m->source)
		return error_set(err, ERR_SYSTEM, "mount point %s has no source directory",
				 m->destination);
	if (m->read_only_force_recursive && !p->recursive_ro)
		return error_set(err, ERR_INVALID,
				 "recursively read-only mounts need Linux 5.12 or later");
	print_bind(p, m->source, m->destination, !m->non_recursive, read_only_option(p, m),
		   m->propagation);
	return 0;
}

/* A shared bind mount is of use only if the root receives what is mounted below it. */
static void raise_propagation(const char **root, const char *wanted)
{
	bool shared = str_ends(wanted, "shared"), slave = str_ends(wanted, "slave");

	if (shared)
		*root = "shared";
	else if (slave && !*root)
		*root = "rslave";
}

static size_t depth_of(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/' && path[1];
	return n;
}

/* What lies nearer the root is mounted first; stable otherwise. */
static int by_depth(const void *a, const void *b)
{
	const struct spec_mount *x = *(const struct spec_mount *const *)a,
				*y = *(const struct spec_mount *const *)b;
	size_t i = depth_of(x->destination), k = depth_of(y->destination);

	if (i != k)
		return i < k ? -1 : 1;
	return x < y ? -1 : x > y; /* places in one array: the order given */
}

static int print_users(struct pass *p, const char **rootfs_propagation, struct error *err)
{
	const struct spec_mounts *m = p->in->mounts;
	auto_free const struct spec_mount **sorted = NULL;

	if (!m || !m->n)
		return 0;
	sorted = xcalloc(m->n, sizeof(*sorted));
	for (size_t i = 0; i < m->n; i++)
		sorted[i] = &m->v[i];
	qsort(sorted, m->n, sizeof(*sorted), by_depth);
	for (size_t i = 0; i < m->n; i++) {
		if (print_user(p, sorted[i], err) < 0)
			return -1;
		if (sorted[i]->type == SPEC_MOUNT_BIND && sorted[i]->propagation)
			raise_propagation(rootfs_propagation, sorted[i]->propagation);
	}
	return 0;
}

static void print_daemon_file(struct pass *p, const char *source, const char *destination)
{
	if (!source || user_mount(p->in, destination))
		return;
	print_bind(p, source, destination, true,
		   p->read_only_root ? (p->recursive_ro ? "rro" : "ro") : NULL, "rprivate");
}

int oci_mounts_print(const struct spec_input *in, struct jw *w, const char **rootfs_propagation,
		     struct error *err)
{
	struct pass p = {.in = in, .w = w};
	struct security_opts opts;

	if (security_parse(in->host_config, &opts, err) < 0)
		return -1;
	p.privileged = json_get_bool(in->host_config, "Privileged", false);
	p.read_only_root = json_get_bool(in->host_config, "ReadonlyRootfs", false);
	p.writable_cgroups = opts.writable_cgroups;
	p.recursive_ro = kernel_at_least(5, 12); /* mount_setattr(2) */
	print_kernel(&p);
	if (process_wants_init(in))
		print_bind(&p, in->init_path, "/sbin/docker-init", false, "ro", NULL);
	if (print_users(&p, rootfs_propagation, err) < 0)
		return -1;
	print_daemon_file(&p, in->resolv_conf_path, "/etc/resolv.conf");
	print_daemon_file(&p, in->hostname_path, "/etc/hostname");
	print_daemon_file(&p, in->hosts_path, "/etc/hosts");
	return 0;
}
