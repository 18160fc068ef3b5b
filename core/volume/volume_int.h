/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the volume room share. `volumes.lock` guards all of it; a volume that is `busy` is changed by one thread, without the lock. */
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
	bool busy; /* being mounted, unmounted or filled */
};

struct volume_room {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *root; /* data-root/volumes */
	struct map table;
};
extern struct volume_room volumes;

/* ---- volume.c: with the lock */
struct volume *volume_new(const char *name);
void volume_free(struct volume *v);
char *volume_data(const char *name); /* its directory, malloc'ed */
int volume_remove(struct volume *v, struct error *err);

/* ---- meta.c: volumes/metadata.db and NAME/opts.json; with the lock */
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
