/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the volume room share. A volume is of the driver `local`, which is this room, or of a plugin (plugin/remote), which is asked
 * for all that concerns its own: the table then only knows of it. `volumes.lock` guards the table and the counters, and is held over no I/O: a volume that is being made or
 * removed is `changing`, and everybody who asks for it waits until it is there or gone; one that is `busy` is mounted or filled by one thread. What
 * a volume is (name, driver, labels, options) is constant once it is in the table and not changing, and can be read by who has a reference.
 */
#ifndef VOLUME_VOLUME_INT_H
#define VOLUME_VOLUME_INT_H

#include <pthread.h>

#include "base/map.h"
#include "volume/volume.h"

#define ANONYMOUS_LABEL "com.docker.volume.anonymous"

struct volume {
	char *name, *driver;
	char *mountpoint;             /* of a plugin's volume, as it was last told; guarded */
	int64_t created;              /* the same */
	struct pairs labels, options; /* as asked for */
	bool has_labels, has_options; /* else null */
	struct pairs kept;            /* of opts.json: type, o, device; what is mounted */
	uint64_t quota;               /* the same: bytes that a local one may hold; 0: no limit */
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
struct volume *volume_new(const char *name, const char *driver);
void volume_unref(struct volume *v);
/* With the lock, which is given up while it is being made or removed. Borrowed. */
struct volume *volume_find(const char *name);
char *volume_data(const char *name); /* directory of a local one, malloc'ed */
bool volume_is_mount(const char *path);
/* Without the lock, of a volume that the caller has marked as changing. On success it is gone, the caller's pointer too. */
int volume_remove(struct volume *v, struct error *err);
/* volume_remove has failed, or it is made. */
void volume_settled(struct volume *v);
/* Out of the table, without its being removed; the table's reference is the caller's. */
void volume_unlist(struct volume *v);

/* ---- lookup.c: what plugins say of volumes */

struct volume_info;
/*
 * A reference to the volume that a request names, after its plugin was asked, or all plugins if nobody knows it. *info is for the caller to free;
 * a local one has none. ERR_NOT_FOUND "get NAME: no such volume".
 */
struct volume *volume_lookup(const char *name, struct volume_info *info, struct error *err);
/*
 * May v, which is there, be had by who wishes for that driver ("": any)? A plugin's is asked for. 1: yes; 0: it is gone, and forgotten; -1: the
 * name is taken. The caller has a reference, no lock.
 */
int volume_agrees(struct volume *v, const char *driver, const char *user, struct error *err);
void volume_learn(struct volume *v, const struct volume_info *info);
/* Off the table and the record, if nobody uses it; the driver is not asked. */
void volume_forget(struct volume *v);

/* ---- plugins.c: the VolumeDriver protocol; may block */

struct volume_info {
	char *name, *mountpoint;
	int64_t created; /* ns since the epoch, CLOCK_ZERO */
	json *status;    /* an object, or NULL */
};
void volume_info_free(struct volume_info *i);
bool driver_is_local(const char *driver);
/* Is there such a driver ("": local)? ERR_NOT_FOUND in moby's words. */
int driver_check(const char *driver, struct error *err);
/* "local" and the plugins that were met so far, sorted. */
void driver_names(struct strlist *out);
/* "local" or "global"; not asked for, it is what the driver last said. */
const char *driver_scope(const char *driver, bool ask);
int driver_create(const char *driver, const char *name, const struct pairs *options, bool given,
		  struct error *err);
int driver_remove(const char *driver, const char *name, struct error *err);
/* 1: *out (may be NULL) is what it says of it; 0: it has no such volume; -1: it could not be asked. */
int driver_get(const char *driver, const char *name, bool patient, struct volume_info *out,
	       struct error *err);
/* id: of this mount, for its unmount. Where it is, malloc'ed; NULL: err, whose `sys` is set if it may be mounted nevertheless. */
char *driver_mount(const char *driver, const char *name, const char *id, struct error *err);
/* err->sys is set if it may not have been asked. */
int driver_unmount(const char *driver, const char *name, const char *id, bool patient,
		   struct error *err);
/* The plugin that has such a volume, malloc'ed, or NULL. Those that are not up, or silent, are passed over. */
char *driver_probe(const char *name, struct volume_info *out);
/* f is called, one call at a time, for each plugin that is wanted: with its volumes, or why it did not tell them. */
void driver_list_all(bool (*wanted)(void *ctx, const char *driver),
		     void (*f)(void *ctx, const char *driver, const char *scope,
			       const struct volume_info *infos, size_t n, const struct error *err),
		     void *ctx);

/* ---- held.c: mounts that plugins were asked for */
int held_init(const char *exec_root, struct error *err);
int held_add(const char *id, const char *driver, const char *name, struct error *err);
void held_del(const char *id);
/* A container has this mount of an earlier daemon. False: no more, it is unmounted. */
bool held_claim(const char *id);
/* Have unmounted, behind everybody's back, what nobody has claimed; or one mount that may have been made. */
void held_settle(void);
void held_give_up(const char *id, const char *driver, const char *name);

/* ---- list.c */
/* References to all that are not changing, in the order of their names; free() the array after volume_unref. */
struct volume **volumes_all(size_t *n);
/* status: of a plugin's volume, or NULL. The caller has a reference. */
void volume_print(struct volume *v, const json *status, struct str *out);

/* ---- meta.c: volumes/metadata.db and NAME/opts.json. Under a lock of its own, which is held over the writes. */
void meta_open(struct bolt *opened);
int meta_put(const struct volume *v, struct error *err);
int meta_del(const char *name, struct error *err);
/* Options and labels of a volume whose directory is there. */
void meta_read(struct volume *v);
/* Forget records of local volumes whose directories are gone; volumes of plugins come into the table. */
int meta_clean(struct error *err);
int meta_write_options(int dir, const struct volume *v, struct error *err);

/* ---- options.c: of the local driver */
int options_check(const json *options, uint64_t *quota, struct error *err);
bool options_mount_needed(const struct volume *v);
/* Mount what they name at path. */
int options_mount(const struct volume *v, const char *path, struct error *err);
/* Have the file system limit a volume that has a quota. */
int options_limit(const struct volume *v, const char *path, struct error *err);
/* The project that limits it; 0: it was never mounted. */
uint32_t options_project(const struct volume *v);
/* A volume's directory is gone, whose project was this. */
void options_unlimit(uint32_t project);

/* ---- fill.c: without the lock, the volume busy. mounted: its directory `data` is a file system of its own. */
int fill_directory(int data, const char *name, bool mounted,
		   int (*copy)(void *ctx, int dir, struct error *err), void *ctx,
		   struct error *err);
/* At start: finish or discard what a killed daemon has left. */
void fill_sweep(void);

#endif
