/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spec's sysctls. Most of /proc/sys is the host's whoever writes: taken is only what is part of a namespace, and only if the container does
 * not share that one with the host. The texts are runc's.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "native.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	int flag;
	const char *file;
} kinds[] = {{CLONE_NEWIPC, "ipc"}, {CLONE_NEWNET, "net"}, {CLONE_NEWUTS, "uts"}};

/* Namespaces are compared, not paths: a join may lead to the host's. Called before the parent enters anything. */
static bool is_hosts(int fd, const char *file)
{
	auto_free char *path = xasprintf("/proc/self/ns/%s", file);
	struct stat host, st;

	return fstat(fd, &st) < 0 || stat(path, &host) < 0 ||
	       (st.st_dev == host.st_dev && st.st_ino == host.st_ino);
}

/* CLONE_NEW* of the namespaces that are the container's */
static int own_namespaces(const struct launch *l)
{
	int own = (int)(l->spec.unshare & (CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS));

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (size_t i = 0; i < l->spec.n_joins; i++)
			if (l->spec.joins[i].flag == kinds[k].flag &&
			    !is_hosts(l->joins[i], kinds[k].file))
				own |= kinds[k].flag;
		if (kinds[k].flag == CLONE_NEWNET && l->container->netns_fd >= 0)
			own = is_hosts(l->container->netns_fd, "net") ? own & ~CLONE_NEWNET
								      : own | CLONE_NEWNET;
	}
	return own;
}

static bool is_of_ipc(const char *name)
{
	static const char *const names[] = {
	    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
	    "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (streq(name, names[i]))
			return true;
	return str_after(name, "fs.mqueue.") != NULL;
}

static int check(const char *name, int own, struct error *err)
{
	bool plain = !strchr(name, '/') && !strstr(name, "..");

	if (plain && is_of_ipc(name))
		return own & CLONE_NEWIPC
			   ? 0
			   : error_set(err, ERR_INVALID,
				       "sysctl \"%s\" is not allowed in the hosts ipc namespace",
				       name);
	if (plain && str_after(name, "net."))
		return own & CLONE_NEWNET
			   ? 0
			   : error_set(err, ERR_INVALID,
				       "sysctl \"%s\" not allowed in host network namespace", name);
	if (own & CLONE_NEWUTS && streq(name, "kernel.domainname"))
		return 0;
	if (own & CLONE_NEWUTS && streq(name, "kernel.hostname"))
		return error_set(
		    err, ERR_INVALID,
		    "sysctl \"%s\" is not allowed as it conflicts with the OCI \"hostname\" field",
		    name);
	return error_set(err, ERR_INVALID, "sysctl \"%s\" is not in a separate kernel namespace",
			 name);
}

int sysctls_check(const struct launch *l, struct error *err)
{
	int own = json_count(l->spec.sysctl) ? own_namespaces(l) : 0;

	for (json *j = json_first(l->spec.sysctl); j; j = json_next(j))
		if (check(json_name(j), own, err) < 0)
			return -1;
	return 0;
}

int sysctls_write(const json *list, struct error *err)
{
	for (json *j = json_first(list); j; j = json_next(j)) {
		auto_free char *path = xasprintf("/proc/sys/%s", json_name(j));

		for (char *c = path + strlen("/proc/sys/"); *c; c++)
			if (*c == '.')
				*c = '/';
		if (file_put_at(AT_FDCWD, path, json_str(j, ""), err) < 0)
			return error_wrap(err, "sysctl %s", json_name(j));
	}
	return 0;
}
