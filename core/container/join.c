/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See join.h. A shareable /dev/shm is mounted on the host, at moby's path containers/ID/mounts/shm, since nothing can be bound out of another
 * mount namespace. It exists from the container's start to its end; behind a kill -9 the next daemon's handling of that end takes it away.
 */
#include "container/join.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/procstat.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Names at the creation --------------------------------------------------------------------------------------------------------- */

static int resolve(json *host, const char *mode_of, bool must, struct error *err)
{
	const char *name = str_after(json_get_str(host, mode_of, ""), "container:");
	struct error ignored = ERROR_INIT;
	auto_container *other = NULL;
	auto_free char *mode = NULL;

	if (str_empty(name))
		return 0;
	other = container_find(name, must ? err : &ignored);
	if (!other && must) {
		err->kind = ERR_INVALID;
		return -1;
	}
	if (!other)
		return 0;
	mode = xasprintf("container:%s", other->id);
	json_set_str(host, mode_of, mode);
	return 0;
}

int join_resolve(json *host, struct error *err)
{
	if (resolve(host, "IpcMode", true, err) < 0 || resolve(host, "PidMode", true, err) < 0)
		return -1;
	return resolve(host, "NetworkMode", false, err);
}

/* ---- Namespaces -------------------------------------------------------------------------------------------------------------------- */

/* A running process of another container, told from a later one of the same number by its start time. */
struct donor {
	struct container *c;
	pid_t pid;
	uint64_t start_time;
	bool running, restarting;
	const char *state;
};

static int find_donor(const char *name, struct donor *d, struct error *err)
{
	*d = (struct donor){.c = *name ? container_find(name, err) : NULL};
	if (!*name)
		return error_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"");
	if (!d->c)
		return -1;
	LOCK_SCOPE(&d->c->lock);
	d->pid = d->c->state.pid;
	d->start_time = d->c->state.start_time;
	d->running = d->c->state.running;
	d->restarting = d->c->state.restarting;
	d->state = container_state_name(d->c);
	return 0;
}

static int check_donor(const struct donor *d, struct error *err)
{
	if (!d->running)
		return error_set(err, ERR_CONFLICT, "container %s is not running", d->c->id);
	if (d->restarting)
		return error_set(err, ERR_CONFLICT,
				 "container %s is restarting, wait until the container is running",
				 d->c->id);
	return 0;
}

/* The number may have become somebody else's: looked at again when the namespace is open. */
static int open_ns(const struct donor *d, const char *kind, struct joined_ns *out,
		   struct error *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)d->pid, kind);
	out->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (out->fd < 0 && errno != ENOENT)
		return error_sys(err, errno, "open %s", path);
	if (out->fd < 0 || proc_start_time(d->pid) != d->start_time)
		return error_set(err, ERR_CONFLICT, "container %s is not running", d->c->id);
	out->path = xasprintf("/proc/%d/fd/%d", (int)getpid(), out->fd);
	return 0;
}

/* Rights over a namespace are those in the user namespace that owns it: who joins one joins both. */
static int open_owner(const struct donor *d, struct joined *out, struct error *err)
{
	if (!out->remapped || out->user.fd >= 0)
		return 0;
	return open_ns(d, "user", &out->user, err);
}

/* Who shares a network goes by the name that it has there. */
static int take_hostname(struct container *c, struct container *of, json *config, struct error *err)
{
	auto_str text = STR_INIT;
	auto_json *theirs = NULL;

	pthread_mutex_lock(&of->lock);
	theirs = json_parse(of->config, strlen(of->config), err);
	pthread_mutex_unlock(&of->lock);
	if (!theirs)
		return -1;
	json_set_str(config, "Hostname", json_get_str(theirs, "Hostname", ""));
	json_set_str(config, "Domainname", json_get_str(theirs, "Domainname", ""));
	json_print(config, &text);
	pthread_mutex_lock(&c->lock);
	free(c->config);
	c->config = str_steal(&text);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static int join_network(struct container *c, const char *name, json *config, struct joined *out,
			struct error *err)
{
	struct donor d;
	int r = find_donor(name, &d, err);

	if (r < 0) {
		err->kind = ERR_SYSTEM;
		return error_wrap(err, "joining network namespace of container");
	}
	if (!d.running)
		r = error_set(err, ERR_CONFLICT,
			      "cannot join network namespace of a non running container: container "
			      "%s is %s",
			      d.c->name, d.state);
	else if (d.restarting)
		r = check_donor(&d, err);
	if (r == 0)
		r = open_ns(&d, "net", &out->net, err);
	if (r == 0)
		r = open_owner(&d, out, err);
	if (r == 0)
		r = take_hostname(c, d.c, config, err);
	free(out->files_of);
	out->files_of = xstrdup(d.c->id);
	container_unref(d.c);
	return r;
}

static int join_pid(const char *name, struct joined *out, struct error *err)
{
	struct donor d;
	int r = find_donor(name, &d, err);

	if (r == 0)
		r = check_donor(&d, err);
	if (r == 0)
		r = open_ns(&d, "pid", &out->pid, err);
	if (r == 0)
		r = open_owner(&d, out, err);
	if (d.c)
		container_unref(d.c);
	if (r == 0)
		return 0;
	err->kind = ERR_SYSTEM;
	return error_wrap(err, "failed to join PID namespace");
}

static int join_ipc(const char *name, struct joined *out, struct error *err)
{
	auto_free char *shm = NULL;
	struct donor d;
	struct stat st;
	int r = find_donor(name, &d, err);

	if (r < 0)
		err->kind = ERR_INVALID;
	else
		r = check_donor(&d, err);
	if (r == 0)
		r = open_ns(&d, "ipc", &out->ipc, err);
	if (r == 0)
		r = open_owner(&d, out, err);
	if (r == 0) {
		shm = shm_path(d.c);
		if (!*shm || stat(shm, &st) < 0 || !S_ISDIR(st.st_mode))
			r = error_set(err, ERR_INVALID,
				      "container %s: non-shareable IPC (hint: use "
				      "IpcMode:shareable for the donor container)",
				      d.c->id);
	}
	if (d.c)
		container_unref(d.c);
	if (r < 0)
		return error_wrap(err, "failed to join IPC namespace");
	out->shm_path = steal_ptr(&shm);
	return 0;
}

/* ---- /dev/shm ------------------------------------------------------------------------------------------------------------------------ */

static char *own_shm(const char *id)
{
	auto_free char *dir = container_dir(id);

	return path_join(dir, "mounts/shm");
}

static bool mounts_over_shm(const struct container *c)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (streq(c->mounts[i].destination, "/dev/shm"))
			return true;
	return false;
}

#define CHAIN_MAX 16 /* as deep as anybody shares another one's; what is on disk may name a ring */

char *shm_path(const struct container *c)
{
	auto_container *donor = NULL;
	const char *other;

	for (int i = 0; i < CHAIN_MAX && (other = str_after(c->ipc_mode, "container:")); i++) {
		struct container *next = container_by_id(other);

		if (donor)
			container_unref(donor);
		c = donor = next;
		if (!c)
			return xstrdup("");
	}
	if (streq(c->ipc_mode, "host"))
		return xstrdup("/dev/shm");
	if (streq(c->ipc_mode, "shareable") && !mounts_over_shm(c))
		return own_shm(c->id);
	return xstrdup("");
}

static int shm_mount(struct container *c, const json *host, struct error *err)
{
	auto_free char *path = shm_path(c);
	char data[96];

	if (!*path)
		return 0;
	snprintf(data, sizeof(data), "mode=1777,size=%lld,uid=%u,gid=%u",
		 (long long)json_get_i64(host, "ShmSize", 64 << 20), idmap_root_uid(),
		 idmap_root_gid());
	if (dir_make_all(AT_FDCWD, path, 0700, err) < 0)
		return error_wrap(err, "mounting shm tmpfs");
	shm_unmount(c);
	if (mount("shm", path, "tmpfs", MS_NOEXEC | MS_NOSUID | MS_NODEV, data) < 0)
		return error_sys(err, errno, "mounting shm tmpfs");
	FAULT("container.start.shm");
	return 0;
}

void shm_unmount(const struct container *c)
{
	auto_free char *path = streq(c->ipc_mode, "shareable") ? own_shm(c->id) : NULL;

	if (path && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
	    errno != ENOENT)
		log_error("shared memory of a container is still mounted", "container", c->id,
			  "error", strerror(errno));
}

/* ---- All of it ------------------------------------------------------------------------------------------------------------------------ */

const char *container_files_of(const struct container *c)
{
	const char *other = str_after(c->network_mode, "container:");

	return other ? other : c->id;
}

int join_others(struct container *c, json *config, const json *host, struct joined *out,
		struct error *err)
{
	const char *net = str_after(c->network_mode, "container:"),
		   *pid = str_after(json_get_str(host, "PidMode", ""), "container:"),
		   *ipc = str_after(c->ipc_mode, "container:");

	out->files_of = xstrdup(c->id);
	out->remapped = spec_remapped(host, spec_host());
	if (net && join_network(c, net, config, out, err) < 0)
		return -1;
	if (ipc && join_ipc(ipc, out, err) < 0)
		return -1;
	if (pid && join_pid(pid, out, err) < 0)
		return -1;
	if (!streq(c->ipc_mode, "shareable"))
		return 0;
	if (shm_mount(c, host, err) < 0)
		return -1;
	out->shm_path = shm_path(c);
	if (!*out->shm_path) {
		free(out->shm_path);
		out->shm_path = NULL;
	}
	return 0;
}

static void ns_free(struct joined_ns *ns)
{
	fd_close(&ns->fd);
	free(ns->path);
}

void joined_free(struct joined *j)
{
	ns_free(&j->net);
	ns_free(&j->pid);
	ns_free(&j->ipc);
	ns_free(&j->user);
	free(j->shm_path);
	free(j->files_of);
	*j = (struct joined)JOINED_INIT;
}
