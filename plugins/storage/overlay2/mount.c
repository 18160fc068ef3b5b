/* SPDX-License-Identifier: Apache-2.0 */
/* The mount itself: options as moby writes them, short names so that many layers fit. */
#include "overlay2.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OPTIONS_MAX 4095 /* what mount(2) takes: a page */

struct mount_job {
	struct overlay2 *o;
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

	if (unshare(CLONE_FS) < 0 || fchdir(j->o->base.root) < 0)
		j->r = dockerd_fail_errno(j->err, errno, "enter %s", j->o->base.path);
	else
		j->r = j->o->base.host->mount(j->o->base.host, "overlay", j->target, "overlay", 0,
					      j->options, j->err);
	return NULL;
}

static int run_relative(struct mount_job *j)
{
	pthread_attr_t attr;
	pthread_t t;
	int e;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	e = pthread_create(&t, &attr, mount_relative, j);
	pthread_attr_destroy(&attr);
	if (e)
		return dockerd_fail_errno(j->err, e, "start a thread to mount %s", j->target);
	pthread_join(t, NULL);
	return j->r;
}

/* "l/A:l/B" with `base` (root + "/" or nothing) in front of each. */
static size_t put_lowers(char *out, size_t size, const char *base, const char *lower)
{
	size_t n = 0;

	while (*lower && n < size) {
		size_t len = strcspn(lower, ":");

		n += (size_t)snprintf(out + n, size - n, "%s%s%.*s", n ? ":" : "", base, (int)len,
				      lower);
		lower += len + (lower[len] == ':');
	}
	return n;
}

static size_t put_options(char *out, size_t size, const struct overlay2 *o,
			  const struct dockerd_layer *l, const char *base, const char *lower,
			  bool ro)
{
	size_t n = (size_t)snprintf(out, size, "%slowerdir=", o->prefix);

	if (ro)
		n += (size_t)snprintf(out + n, size - n, "%s%s/diff:", base, l->id);
	n += put_lowers(out + n, size - n, base, lower);
	if (!ro && n < size)
		n += (size_t)snprintf(out + n, size - n, ",upperdir=%s%s/diff,workdir=%s%s/work",
				      base, l->id, base, l->id);
	if (l->mount_label && *l->mount_label && n < size)
		n += (size_t)snprintf(out + n, size - n, ",context=\"%s\"", l->mount_label);
	return n;
}

int overlay2_mount(struct stacked *self, const struct dockerd_layer *l, const char *lower, bool ro,
		   struct dockerd_error *err)
{
	struct overlay2 *o = (struct overlay2 *)self;
	char options[OPTIONS_MAX + 1], base[4096], target[4096];
	struct mount_job job = {.o = o, .target = target, .options = options, .err = err, .r = 0};

	snprintf(target, sizeof(target), "%s/%s/merged", o->base.path, l->id);
	snprintf(base, sizeof(base), "%s/", o->base.path);
	if (!strpbrk(o->base.path, ":,\\") &&
	    put_options(options, sizeof(options), o, l, base, lower, ro) <= OPTIONS_MAX)
		return o->base.host->mount(o->base.host, "overlay", target, "overlay", 0, options,
					   err);
	if (put_options(options, sizeof(options), o, l, "", lower, ro) > OPTIONS_MAX)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "layer %s: mount options of its parents exceed a page", l->id);
	return run_relative(&job);
}
