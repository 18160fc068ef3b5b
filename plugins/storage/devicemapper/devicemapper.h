/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devicemapper: a layer is a thin device of a pool, made as a snapshot of its parent's. On disk as moby had it:
 *
 *	devicemapper/data, metadata        sparse files of the pool, on loop devices, unless the pool is somebody else's
 *	metadata/ID, metadata/base         {"device_id":N,"size":BYTES,"transaction_id":N,"initialized":true,"deleted":false}
 *	metadata/deviceset-metadata        next_device_id, UUID and file system of the base device
 *	metadata/transaction-metadata      what is under way: {"open_transaction_id":N,"device_hash":"ID","device_id":N}
 *	metadata/.incomplete-ID, .final-ID (ours) prepared, not yet committed; committed: mounted read-only
 *	mnt/ID                             mount point; layers are in rootfs of their device
 *
 * A change of the pool and of metadata/ is one transaction: it is written down, made, and then the pool's own number goes up, which the kernel commits
 * with the change. What is written down with a number that the pool has not reached is taken back at the next start.
 *
 * One lock is over all work with the pool: libdevmapper is for one thread, whatever the number of instances.
 */
#ifndef DEVICEMAPPER_H
#define DEVICEMAPPER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <dockerd/storage.h>

#define DM_ID_MAX (1u << 24) /* thin device ids are 24 bits */

/* Constant after open, but for what `lock` guards. */
struct devmapper {
	const struct dockerd_host *host;
	int root, metadata, mnt;
	char *path;
	char prefix[64]; /* of device names: "docker-8:1-1234" */
	char pool[80];   /* name of the thin pool */
	bool loops;      /* the pool is ours, on loop devices of files */
	bool made; /* the pool was set up by us or an earlier daemon: it goes when nobody uses it */
	const char *fs;         /* of the base device: "ext4", "xfs" */
	const char *mount_opts; /* dm.mountopt, or "" */
	char *options;          /* copy that mount_opts lies in */
	uint64_t base_size;     /* bytes */
	uint32_t block_sectors; /* of a new pool */
	uint32_t min_free;      /* percent */
	bool discard, deferred;
	uint64_t transaction; /* of the pool; lock */
	uint32_t next_id;     /* lock */
};

/* A file of metadata/. */
struct dm_device {
	uint32_t id;
	uint64_t size;
};

struct dm_pool_status {
	uint64_t transaction, meta_used, meta_total, data_used, data_total; /* blocks */
};

/* ---- task.c: libdevmapper. All with the lock held; -1 with err. ---- */

/* An instance begins, ends: the library's state is the process's. */
void task_init(const struct dockerd_host *host);
void task_exit(void);
const char *task_library_version(void);
bool task_udev_sync(void);
/* 1: the device is active, 0: not. */
int task_exists(const char *name);
int task_open_count(const char *name);
/* New active device of one target over so many sectors. */
int task_create(const char *name, uint64_t sectors, const char *target, const char *params,
		struct dockerd_error *err);
/* Gone already: success. Busy: -1 with sys_errno EBUSY, or it goes when its last user does, if `deferred`. */
int task_remove(const char *name, bool deferred, struct dockerd_error *err);
int task_suspend(const char *name, bool resume, struct dockerd_error *err);
int task_message(const char *pool, struct dockerd_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Parameters of the pool's only target, as the kernel prints them. */
int task_status(const char *name, bool table, char *out, size_t size, struct dockerd_error *err);

/* ---- pool.c: the pool and its records ---- */

/* The pool is there and its records are settled; the base device exists. */
int pool_open(struct devmapper *d, const struct dockerd_options *o, struct dockerd_error *err);
/* Deactivates what nobody uses. */
void pool_close(struct devmapper *d);
int pool_status(struct devmapper *d, struct dm_pool_status *st, struct dockerd_error *err);
/* Snapshot `id` of `of` (NULL: of the base device). Lock held. */
int pool_snapshot(struct devmapper *d, const char *id, const char *of, struct dockerd_error *err);
/* The device and its record go; unknown: success. Lock held. */
int pool_delete(struct devmapper *d, const char *id, struct dockerd_error *err);
bool pool_device(const struct devmapper *d, const char *id, struct dm_device *out);
/* Lock held. */
int pool_activate(struct devmapper *d, const char *id, struct dockerd_error *err);
int pool_deactivate(struct devmapper *d, const char *id, struct dockerd_error *err);
void pool_device_name(const struct devmapper *d, const char *id, char out[256]);

#endif
