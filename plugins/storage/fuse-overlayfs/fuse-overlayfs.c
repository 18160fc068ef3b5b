/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse-overlayfs: layers of ../common/stacked.h, stacked by the program of that name, a process per mount, where the kernel's overlay can't be used.
 * The mount is made by the host's service and so is on record; the program gets it as a descriptor, puts itself into the background, outlives the
 * daemon, and ends by itself when its mount is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../common/stacked.h"
#include "../common/tree.h"
#include "base/fault.h"

#define PROGRAM "fuse-overlayfs"
#define STARTS_WITHIN 60  /* seconds until the program must be in the background */
#define FUSE_FD 3         /* in the program: "/dev/fd/3" */
#define OPTIONS_MAX 16384 /* 128 layers with names below the driver's directory */

struct fuse_overlay {
	struct stacked base;
	char *program;
};

/* Absolute path of the program, or NULL. */
static char *find_program(void)
{
	const char *path = getenv("PATH");
	char *found = NULL;

	if (!path || !*path)
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	while (*path && !found) {
		size_t len = strcspn(path, ":");
		char full[4096];

		if (len && *path == '/' &&
		    snprintf(full, sizeof(full), "%.*s/" PROGRAM, (int)len, path) <
			(int)sizeof(full) &&
		    access(full, X_OK) == 0)
			found = strdup(full);
		path += len + (path[len] == ':');
	}
	return found;
}

/* Names relative to the driver's directory, in which the program starts: no character of its path needs to be escaped. */
static int put_options(char *out, size_t size, const struct dockerd_layer *l, const char *lower,
		       bool ro)
{
	int n;

	if (ro)
		n = snprintf(out, size, "lowerdir=%s/diff:%s", l->id, lower);
	else
		n = snprintf(out, size, "lowerdir=%s,upperdir=%s/diff,workdir=%s/work", lower,
			     l->id, l->id);
	return (size_t)n < size ? 0 : -1;
}

static pid_t start(const struct fuse_overlay *o, int fuse, int say, const char *options)
{
	const char *const argv[] = {PROGRAM, "-o", options, "/dev/fd/3", NULL};
	const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	pid_t pid = -1;
	int e;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
					    POSIX_SPAWN_SETSID);
	/* `say` and `fuse` are above 3: the caller sees to that */
	if ((e = posix_spawn_file_actions_addfchdir_np(&actions, o->base.root)) == 0 &&
	    (e = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
	    (e = posix_spawn_file_actions_adddup2(&actions, say, 1)) == 0 &&
	    (e = posix_spawn_file_actions_adddup2(&actions, say, 2)) == 0 &&
	    (e = posix_spawn_file_actions_adddup2(&actions, fuse, FUSE_FD)) == 0)
		e = posix_spawn(&pid, o->program, &actions, &attr, (char *const *)(uintptr_t)argv,
				(char *const *)(uintptr_t)env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	errno = e;
	return e ? -1 : pid;
}

/* Its words until it has gone into the background, which is their end, or has failed. Wait status, or -1: it was killed for its silence. */
static int wait_started(pid_t pid, int said, char *words, size_t size)
{
	struct timespec now, end;
	size_t len = 0;
	int status = -1;
	bool late = false;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += STARTS_WITHIN;
	for (;;) {
		struct pollfd p = {.fd = said, .events = POLLIN};
		char buf[512];
		ssize_t n;

		clock_gettime(CLOCK_MONOTONIC, &now);
		late = now.tv_sec >= end.tv_sec;
		if (late ||
		    (poll(&p, 1, (int)(end.tv_sec - now.tv_sec) * 1000) < 0 && errno != EINTR))
			break;
		if (!p.revents)
			continue;
		n = read(said, buf, sizeof(buf));
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n && len + 1 < size; i++)
			words[len++] = buf[i] == '\n' ? ' ' : buf[i];
	}
	while (len && words[len - 1] == ' ')
		len--;
	words[len] = '\0';
	if (late)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return late ? -1 : status;
}

static int serve(const struct fuse_overlay *o, const struct dockerd_layer *l, int fuse,
		 const char *options, struct dockerd_error *err)
{
	char words[512] = "";
	int p[2], say, status;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return dockerd_fail_errno(err, errno, "layer %s: pipe", l->id);
	say = fcntl(p[1], F_DUPFD_CLOEXEC, FUSE_FD + 1);
	close(p[1]);
	pid = say < 0 ? -1 : start(o, fuse, say, options);
	if (pid < 0)
		dockerd_fail_errno(err, errno, "start %s for layer %s", o->program, l->id);
	if (say >= 0)
		close(say);
	status = pid < 0 ? 0 : wait_started(pid, p[0], words, sizeof(words));
	close(p[0]);
	if (pid > 0 && status != 0)
		dockerd_fail(err, DOCKERD_ERR_SYSTEM, "%s failed to mount layer %s: %s", o->program,
			     l->id, words[0] ? words : "it said nothing");
	return pid < 0 || status != 0 ? -1 : 0;
}

static int stack(struct stacked *base, const struct dockerd_layer *l, const char *lower, bool ro,
		 struct dockerd_error *err)
{
	struct fuse_overlay *o = (struct fuse_overlay *)base;
	char options[OPTIONS_MAX], data[4096], target[4096];
	int opened, fuse, n, r;

	snprintf(target, sizeof(target), "%s/%s/merged", base->path, l->id);
	if (put_options(options, sizeof(options), l, lower, ro) < 0)
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "layer %s has too many parents",
				    l->id);
	opened = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	fuse = opened < 0 ? -1 : fcntl(opened, F_DUPFD_CLOEXEC, FUSE_FD + 1);
	if (opened >= 0)
		close(opened);
	if (fuse < 0)
		return dockerd_fail_errno(err, errno, "open /dev/fuse");
	n = snprintf(data, sizeof(data),
		     "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other",
		     fuse);
	if (l->mount_label && *l->mount_label)
		snprintf(data + n, sizeof(data) - (size_t)n, ",context=\"%s\"", l->mount_label);
	/* the same flags as the program's own mounts have */
	r = base->host->mount(base->host, PROGRAM, target, "fuse." PROGRAM,
			      MS_NODEV | MS_NOATIME | (ro ? MS_RDONLY : 0), data, err);
	FAULT("fuse-overlayfs.mount.unserved");
	if (r == 0 && serve(o, l, fuse, options, err) < 0) {
		struct dockerd_error ignored = {.size = sizeof(ignored)};

		base->host->unmount(base->host, target, MNT_DETACH, &ignored);
		r = -1;
	}
	close(fuse);
	return r;
}

static int32_t fo_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	char *program = find_program();
	int fd;

	(void)a;
	if (!program)
		return dockerd_fail(err, DOCKERD_ERR_UNSUITABLE,
				    "exec: \"" PROGRAM "\": executable file not found in $PATH: "
				    "install the package of that name");
	free(program);
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		dockerd_fail_errno(err, errno, "open /dev/fuse");
		err->category = DOCKERD_ERR_UNSUITABLE;
		return -1;
	}
	close(fd);
	return 0;
}

static void fo_close(void *self)
{
	struct fuse_overlay *o = self;

	stacked_shut(&o->base);
	free(o->program);
	free(o);
}

static int32_t fo_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	struct fuse_overlay *o = calloc(1, sizeof(*o));

	if (!o)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "out of memory");
	o->base.stack = stack;
	o->program = find_program();
	if (stacked_open(&o->base, a, err) < 0) {
		fo_close(o);
		return -1;
	}
	if (!o->program) {
		fo_close(o);
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, PROGRAM " is gone");
	}
	*self = o;
	return 0;
}

/* No native diff: the program marks opaque directories in ways of its own. No status: moby shows none. */
static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(struct dockerd_storage_ops),
	       .probe = fo_probe,
	       .open = fo_open,
	       .close = fo_close},
    .prepare = stacked_prepare,
    .commit = stacked_commit,
    .create_rw = stacked_create_rw,
    .mount = stacked_mount,
    .unmount = stacked_unmount,
    .remove = stacked_remove,
    .exists = stacked_exists,
    .metadata = stacked_metadata,
    .list = stacked_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "fuse-overlayfs", .version = PACKAGE_VERSION,
	       .description = "layers as directories, stacked by the program fuse-overlayfs",
	       .concurrency = DOCKERD_PER_OBJECT, .capabilities = DOCKERD_STORAGE_CAP_LIKE,
	       .ops = &ops.common);
