/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the volume room share. `volumes.lock` guards the table and the counters, and is held over no I/O: a volume that is being made or
 * removed is `changing`, and everybody who asks for it waits until it is there or gone; one that is `busy` is mounted or filled by one thread. What
 * a volume is (name, labels, options) is constant once it is in the table, and can be read by who has a reference.
 */
#ifndef VOLUME_VOLUME_INT_H
#define VOLUME_VOLUME_INT_H

#include <pthread.h>

#include "base/map.h"
#include "volume/volume.h"

#define ANONYMOUS_LABEL "com.docker.volume.anonymous"

struct volume {
	char *name;
	struct pairs labels, options; /* as asked for */
	bool has_labels, has_options; /* else null */
	struct pairs kept;            /* of opts.json: type, o, device; what is mounted */
	struct strlist users;         /* ids of containers */
	unsigned int mounts;
	unsigned int refs; /* the table has one */
	bool busy;         /* being mounted, unmounted or filled */
	bool changing;     /* being made or removed */
};

struct volume_room {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *root; /* data-root/volumes */
	struct map table;
};
extern struct volume_room volumes;

/* ---- volume.c */
struct volume *volume_new(const char *name);
void volume_unref(struct volume *v);
/* With the lock, which is given up while it is being made or removed. Borrowed. */
struct volume *volume_find(const char *name);
char *volume_data(const char *name); /* its directory, malloc'ed */
/* Without the lock, of a volume that the caller has marked as changing. On success it is gone, the caller's pointer too. */
int volume_remove(struct volume *v, struct error *err);

/* ---- list.c */
/* References to all that are not changing, in the order of their names; free() the array after volume_unref. */
struct volume **volumes_all(size_t *n);
void volume_print(const struct volume *v, struct str *out);

/* ---- meta.c: volumes/metadata.db and NAME/opts.json. Under a lock of its own, which is held over the writes. */
void meta_open(struct bolt *opened);
int meta_put(const struct volume *v, struct error *err);
int meta_del(const char *name, struct error *err);
/* Options and labels of a volume whose directory is there. */
void meta_read(struct volume *v);
/* Forget records of volumes whose directories are gone. */
int meta_clean(struct error *err);
int meta_write_options(int dir, const struct volume *v, struct error *err);

/* ---- options.c: of the local driver */
int options_check(const json *options, struct error *err);
bool options_mount_needed(const struct volume *v);
/* Mount what they name at path. */
int options_mount(const struct volume *v, const char *path, struct error *err);

/* ---- fill.c: without the lock, the volume busy. mounted: its directory `data` is a file system of its own. */
int fill_directory(int data, const char *name, bool mounted,
		   int (*copy)(void *ctx, int dir, struct error *err), void *ctx,
		   struct error *err);
/* At start: finish or discard what a killed daemon has left. */
void fill_sweep(void);

#endif
