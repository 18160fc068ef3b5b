/* SPDX-License-Identifier: Apache-2.0 */
/* The mount itself: options as moby writes them, short names so that many layers fit. */
#include "overlay2.h"

#include <stdio.h>
#include <string.h>

#define OPTIONS_MAX 4095 /* what mount(2) takes: a page */

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

	snprintf(target, sizeof(target), "%s/%s/merged", o->base.path, l->id);
	snprintf(base, sizeof(base), "%s/", o->base.path);
	if (!strpbrk(o->base.path, ":,\\") &&
	    put_options(options, sizeof(options), o, l, base, lower, ro) <= OPTIONS_MAX)
		return o->base.host->mount(o->base.host, "overlay", target, "overlay", 0, options,
					   err);
	if (put_options(options, sizeof(options), o, l, "", lower, ro) > OPTIONS_MAX)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "layer %s: mount options of its parents exceed a page", l->id);
	return overlayfs_mount_in(o->base.host, o->base.root, target, options, err);
}
