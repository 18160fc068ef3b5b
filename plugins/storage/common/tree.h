/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What storage drivers do with directory trees, in plain libc: remove, copy, measure. Compiled into each driver.
 *
 * The trees belong to containers: they are walked by descriptor, no symlink is followed, no mount is crossed, and a tree may be deeper than
 * PATH_MAX. All functions return 0, or -1 with errno, and may run in any thread.
 */
#ifndef STORAGE_TREE_H
#define STORAGE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Deepest directory that a walk follows (it holds one descriptor per level); deeper: ELOOP. */
#define TREE_DEPTH_MAX 2048

/* rm -rf, of any depth. Absent: success. A mount point below: EBUSY. */
int tree_remove(int dirfd, const char *name);
/*
 * Copy what is in directory `from` into the existing directory `to`, and from's own metadata onto it: owners, modes, xattrs, times, hard links,
 * devices, holes. File data is shared where the file system can (FICLONE).
 */
int tree_copy(int from, int to);
/* The same, but a regular file is not copied: it gets one more name. Who writes to one must make it anew. */
int tree_share(int from, int to);
/* Sum of the sizes of all non-directories, hard links counted once (what moby calls a layer's size). */
int tree_usage(int dirfd, uint64_t *bytes);
/* Name of the file system as `docker info` prints it ("extfs", "xfs", ...); "<unknown>". */
const char *tree_fs_name(int fd);
/* 1: readdir tells file types here, 0: not, -1. Uses a temporary entry in the directory. */
int tree_has_d_type(int dirfd);
/* mkdirat with exactly this mode, whatever the umask. */
int tree_mkdir(int dirfd, const char *name, mode_t mode);
/* New small file with this text. */
int tree_write(int dirfd, const char *name, mode_t mode, const char *text, size_t len);
/* Small file into buf (NUL-terminated); length, or -1 (EFBIG if it does not fit). */
ssize_t tree_read(int dirfd, const char *name, char *buf, size_t size);
bool tree_exists(int dirfd, const char *name);
/* A directory to read; fd or -1. Never follows a symlink in the last part. */
int tree_open(int dirfd, const char *name);
/* Is the directory the root of a mount? 1/0/-1. */
int tree_is_mount(int dirfd, const char *name);
/* A row per directory in the directory but `skip` and names with a leading dot. */
struct dockerd_emit;
int tree_list(int dirfd, const char *skip, const struct dockerd_emit *to);
/* A layer id: letters, digits, "_.-", not starting with a dot; at most 128 bytes. */
bool tree_valid_id(const char *id);

/* (dev, ino) of hard-linked files met in a walk -> a number of the walker's. Zero-initialised is empty. */
struct inode_set {
	struct inode_entry {
		dev_t dev;
		ino_t ino;
		void *value;
	} * slots;
	size_t n, cap;
};
/* Entry of the pair, added with value NULL if new (*added). NULL: no memory. */
struct inode_entry *inode_set_get(struct inode_set *s, dev_t dev, ino_t ino, bool *added);
void inode_set_free(struct inode_set *s, void (*free_value)(void *));

#endif
