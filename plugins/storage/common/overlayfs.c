/* SPDX-License-Identifier: Apache-2.0 */
/* See overlayfs.h. */
#include "overlayfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree.h"

static bool parameter(const char *name, bool *known)
{
	char path[128], value[8];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/module/overlay/parameters/%s", name);
	n = tree_read(AT_FDCWD, path, value, sizeof(value));
	*known = n > 0;
	return n > 0 && (value[0] == 'Y' || value[0] == '1' || !strncmp(value, "on", 2));
}

static int try_mount(const char *dir, struct dockerd_error *err)
{
	static const char *const subs[] = {"lower1", "lower2", "upper", "work", "merged"};
	char options[3 * 4096], merged[4096];

	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
		snprintf(merged, sizeof(merged), "%s/%s", dir, subs[i]);
		if (mkdir(merged, 0700) < 0)
			return dockerd_fail_errno(err, errno, "mkdir %s", merged);
	}
	snprintf(options, sizeof(options),
		 "lowerdir=%s/lower2:%s/lower1,upperdir=%s/upper,workdir=%s/work", dir, dir, dir,
		 dir);
	/* The kernel loads its module by itself at this call. */
	if (mount("overlay", merged, "overlay", 0, options) < 0) {
		int e = errno;

		if (e == ENODEV)
			return dockerd_fail(err, DOCKERD_ERR_UNSUITABLE,
					    "'overlay' not found as a supported filesystem on this "
					    "host: the kernel has no overlay support");
		dockerd_fail_errno(err, e, "failed to mount overlay below %s", dir);
		err->category = DOCKERD_ERR_UNSUITABLE;
		return -1;
	}
	if (umount2(merged, 0) < 0)
		return dockerd_fail_errno(err, errno, "unmount %s", merged);
	return 0;
}

/* File systems that the kernel's overlay can't have above it, or that are stacked themselves. */
static bool is_refused(const char *fs, const char *also)
{
	static const char *const refused[] = {"aufs", "ecryptfs", "nfs", "overlayfs", "zfs"};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (!strcmp(fs, refused[i]))
			return true;
	return also && !strcmp(fs, also);
}

int overlayfs_check(const char *driver, const char *path, const char *also_refused,
		    struct dockerd_error *err)
{
	char dir[4096];
	const char *fs;
	int fd = tree_open(AT_FDCWD, path), types, r;

	if (fd < 0)
		return dockerd_fail_errno(err, errno, "open %s", path);
	fs = tree_fs_name(fd);
	if (is_refused(fs, also_refused)) {
		close(fd);
		return dockerd_fail(err, DOCKERD_ERR_UNSUITABLE,
				    "'%s' is not supported over %s (%s): %s", driver, fs, path,
				    "backing file system is unsupported for this graph driver");
	}
	types = tree_has_d_type(fd);
	r = errno;
	close(fd);
	if (types < 0)
		return dockerd_fail_errno(err, r, "check %s for d_type", path);
	if (!types)
		return dockerd_fail(
		    err, DOCKERD_ERR_UNSUITABLE,
		    "%s: the backing %s filesystem of %s is formatted without d_type "
		    "support, which leads to incorrect "
		    "behavior. Reformat the filesystem with ftype=1 to enable d_type support.",
		    driver, fs, path);
	if (snprintf(dir, sizeof(dir) - 16, "%s/.check-XXXXXX", path) >= (int)sizeof(dir) - 16)
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "path %s is too long", path);
	if (!mkdtemp(dir))
		return dockerd_fail_errno(err, errno, "make a directory in %s", path);
	r = try_mount(dir, err);
	tree_remove(AT_FDCWD, dir);
	return r;
}

struct mount_job {
	const struct dockerd_host *host;
	int root;
	const char *target, *options;
	struct dockerd_error *err;
	int r;
};

/*
 * Many layers fit into the page of options only with names relative to the driver's directory. This thread has a working directory of its
 * own (unshare), so the daemon's never changes; it works on every kernel, unlike lowerdir+ of the new mount interface.
 */
static void *mount_relative(void *arg)
{
	struct mount_job *j = arg;

	if (unshare(CLONE_FS) < 0 || fchdir(j->root) < 0)
		j->r = dockerd_fail_errno(j->err, errno, "enter the directory of %s", j->target);
	else
		j->r =
		    j->host->mount(j->host, "overlay", j->target, "overlay", 0, j->options, j->err);
	return NULL;
}

int overlayfs_mount_in(const struct dockerd_host *host, int root, const char *target,
		       const char *options, struct dockerd_error *err)
{
	struct mount_job job = {host, root, target, options, err, 0};
	pthread_attr_t attr;
	pthread_t t;
	int e;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	e = pthread_create(&t, &attr, mount_relative, &job);
	pthread_attr_destroy(&attr);
	if (e)
		return dockerd_fail_errno(err, e, "start a thread to mount %s", target);
	pthread_join(t, NULL);
	return job.r;
}

void overlayfs_prefix(char prefix[64], bool *metacopy)
{
	bool known, redirect;

	prefix[0] = 0;
	/* With the index a lower layer mounted twice is refused; with redirects `diff` would not tell the whole change. */
	parameter("index", &known);
	redirect = parameter("redirect_dir", &known);
	if (known && redirect)
		strcat(prefix, "redirect_dir=off,");
	parameter("index", &known);
	if (known)
		strcat(prefix, "index=off,");
	/* metacopy needs redirect_dir, so it goes with it. */
	*metacopy = parameter("metacopy", &known) && !redirect;
	if (known && redirect)
		strcat(prefix, "metacopy=off,");
}
