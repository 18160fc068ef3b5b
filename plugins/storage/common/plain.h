/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers as whole directories, one below another's name: what drivers have in common whose layers need no mount (vfs, btrfs). A layer being
 * made lies in a folder of its own and gets its place by rename, so that what is in its place is whole. Compiled into each driver.
 */
#ifndef STORAGE_PLAIN_H
#define STORAGE_PLAIN_H

#include <stddef.h>

#include <dockerd/storage.h>

/* Constant after open; the daemon guarantees one call at a time per layer. */
struct plain {
	int whole, begun;                    /* directories of finished and of begun layers */
	char *path;                          /* of the root */
	const char *whole_name, *begun_name; /* static */
};

/* size: of the driver's instance, whose first member is a struct plain; the rest is zero. */
int plain_open(const char *root, const char *whole, const char *begun, size_t size, void **self,
	       struct dockerd_error *err);
void plain_close(void *self);
/* Ids that are path components, and a name that is free. */
int plain_check_new(const struct plain *p, const struct dockerd_layer *l,
		    struct dockerd_error *err);
/* The begun layer's directory. */
int plain_give_begun(const struct plain *p, const struct dockerd_layer *l,
		     struct dockerd_layer_dir *out, struct dockerd_error *err);

/* Ops. */
int32_t plain_commit(void *self, const struct dockerd_layer *l, struct dockerd_error *err);
int32_t plain_mount(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
		    struct dockerd_error *err);
int32_t plain_unmount(void *self, const struct dockerd_layer *l, struct dockerd_error *err);
int32_t plain_exists(void *self, const struct dockerd_layer *l, struct dockerd_error *err);
int32_t plain_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err);

#endif
