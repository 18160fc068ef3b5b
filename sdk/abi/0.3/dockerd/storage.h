/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage drivers: layers as directories. Runs in the daemon, with its privileges.
 *
 * A layer has an id (64 hexadecimal digits, possibly with the suffix "-init") and at most one parent. Read-only layers hold image
 * content; read-write layers belong to containers. The daemon unpacks and packs archives itself: a driver never parses tar. It deals in
 * directories, and says once which whiteout style its directories use.
 *
 * Crash rule: after kill -9 between any two steps, `open` finds a tree in which every layer that `prepare`/`create_rw` reported is whole,
 * and every other leftover can be removed with `remove` (the daemon sweeps ids that it does not know).
 *
 * Object for DOCKERD_PER_OBJECT: the layer id.
 */
#ifndef DOCKERD_STORAGE_H
#define DOCKERD_STORAGE_H

#include <dockerd/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a deletion is written in the directory that prepare hands out. */
#define DOCKERD_WHITEOUT_NONE UINT32_C(0)    /* directory is a full tree: the daemon deletes the file itself */
#define DOCKERD_WHITEOUT_OVERLAY UINT32_C(1) /* character device 0:0; xattr trusted.overlay.opaque=y on opaque directories */
#define DOCKERD_WHITEOUT_AUFS UINT32_C(2)    /* .wh. files, as in the archive */

#define DOCKERD_STORAGE_CAP_QUOTA UINT64_C(1)       /* honours the size option of a read-write layer */
#define DOCKERD_STORAGE_CAP_NATIVE_DIFF UINT64_C(2) /* diff_dir hands out a directory that holds just the layer's changes */
#define DOCKERD_STORAGE_CAP_SHARED_PAGES UINT64_C(4) /* mounts of one layer share page cache */
#define DOCKERD_STORAGE_CAP_LAST_RESORT UINT64_C(8) /* found beside another driver's, its data on disk does not count as a choice */
#define DOCKERD_STORAGE_CAP_LIKE UINT64_C(16) /* since 0.2: prepare heeds `like`: a copy of a layer costs next to nothing */

struct dockerd_layer {
	uint32_t size;
	uint32_t reserved;
	const char *id;
	const char *parent;      /* NULL: base layer */
	const char *mount_label; /* SELinux label for the mount, or NULL */
	const struct dockerd_options *options; /* container scope (read-write layers), or NULL */
	/*
	 * Since 0.2. For prepare, of a driver with CAP_LIKE: a committed layer on the same parent, which the new one shall equal, or NULL. The driver may
	 * share content: `like` stays until all that were made like it are gone, and neither is written to. It hands out no directory (fd -1).
	 */
	const char *like;
};

/* A directory handed to the daemon. */
struct dockerd_layer_dir {
	uint32_t size;
	uint32_t whiteouts; /* DOCKERD_WHITEOUT_* */
	int32_t fd;         /* directory, O_RDONLY or O_PATH; the daemon closes it */
	uint32_t reserved;
	char path[4096]; /* the same as a path, for messages and for the API (GraphDriver.Data) */
};

struct dockerd_storage_ops {
	struct dockerd_common_ops common;
	/*
	 * Make an empty layer on top of parent and hand out the directory that its content goes to. Not visible to `exists` until
	 * `commit`. With WHITEOUT_NONE drivers (vfs, btrfs) the directory already shows the parent's content.
	 */
	int32_t (*prepare)(void *self, const struct dockerd_layer *layer, struct dockerd_layer_dir *out, struct dockerd_error *err);
	/*
	 * The content is there: the layer is whole from now on. The driver need not sync: the daemon syncs the file system after this where
	 * the layer must outlive a power cut (not for the layers of containers, which it makes anew).
	 */
	int32_t (*commit)(void *self, const struct dockerd_layer *layer, struct dockerd_error *err);
	/* Make a container's read-write layer on top of parent (complete at return: no commit). */
	int32_t (*create_rw)(void *self, const struct dockerd_layer *layer, struct dockerd_error *err);
	/*
	 * Mount the layer (read-write layers writable, others read-only) and hand out its root. Calls nest: the daemon counts, and calls
	 * this once until the matching `unmount`. After a daemon restart with live containers it is called again on a mounted layer and
	 * must find the mount.
	 */
	int32_t (*mount)(void *self, const struct dockerd_layer *layer, struct dockerd_layer_dir *out, struct dockerd_error *err);
	/* Here and in `remove` and `exists`: after a crash the daemon may know no more of the layer than its id. */
	int32_t (*unmount)(void *self, const struct dockerd_layer *layer, struct dockerd_error *err);
	/* Remove layer, mounted or half-made; unknown id: success. */
	int32_t (*remove)(void *self, const struct dockerd_layer *layer, struct dockerd_error *err);
	/* 1 known and complete, 0 not, -1 error. */
	int32_t (*exists)(void *self, const struct dockerd_layer *layer, struct dockerd_error *err);
	/*
	 * NATIVE_DIFF: the directory with just this layer's changes, in the driver's whiteout style. NULL: the daemon compares
	 * mounts of the layer and its parent.
	 */
	int32_t (*diff_dir)(void *self, const struct dockerd_layer *layer, struct dockerd_layer_dir *out, struct dockerd_error *err);
	/* Bytes used by the layer itself. NULL: the daemon walks diff_dir or compares. */
	int32_t (*usage)(void *self, const struct dockerd_layer *layer, uint64_t *bytes, struct dockerd_error *err);
	/* Rows for `docker info` (Backing Filesystem, ...). NULL: none. */
	int32_t (*status)(void *self, const struct dockerd_emit *to, struct dockerd_error *err);
	/* Rows for GraphDriver.Data (MergedDir, ...). NULL: none. */
	int32_t (*metadata)(void *self, const struct dockerd_layer *layer, const struct dockerd_emit *to, struct dockerd_error *err);
	/* Every id on disk, complete or not, one row each (key: id). For the sweep at start. */
	int32_t (*list)(void *self, const struct dockerd_emit *to, struct dockerd_error *err);
};

#ifdef __cplusplus
}
#endif

#endif
