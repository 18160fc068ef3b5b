/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and directories by descriptor. Every descriptor made here is close-on-exec.
 * "Under a root" functions resolve with openat2(RESOLVE_IN_ROOT): no symlink or ".." in an untrusted tree leads out of it,
 * even while the tree changes.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

/* Whole file into out (appended). Fails with ERR_TOO_LARGE beyond max bytes, ERR_NOT_FOUND if absent. */
int file_read_at(int dirfd, const char *path, size_t max, struct str *out, struct error *err);
int file_read_fd(int fd, size_t max, struct str *out, struct error *err);
/*
 * Replace a file: temporary beside it, written, fdatasync'ed if `durable`, renamed. A reader or a crash sees the old or the new
 * file whole. The rename itself reaches the disk with the file system's next commit: a power cut may bring the old file back, never
 * a half one.
 */
int file_write_atomic(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		      bool durable, struct error *err);
/*
 * The same in two steps, for who replaces several files at once, or has something better to do than to wait while the file system gives
 * back the old one's blocks (with discards, milliseconds). file_prepare writes the temporary and starts its way to the disk; file_settle
 * waits for that and renames. `old`, if not NULL: a descriptor of what was replaced, -1 if there was nothing; the blocks go when it is closed.
 */
struct file_new {
	char *tmp;
	int fd;
};
int file_prepare(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		 bool durable, struct file_new *out, struct error *err);
int file_settle(int dirfd, const char *name, struct file_new *f, bool durable, int *old,
		struct error *err);
/* Not renamed after all; safe after file_settle, too. */
void file_drop(int dirfd, struct file_new *f);
/* All of it, restarting on EINTR. 0/-1 with errno. */
int fd_write_all(int fd, const void *data, size_t len);
/* Read until n bytes or end of file; bytes read or -1 with errno. */
ssize_t fd_read_full(int fd, void *buf, size_t n);
/* Small write to a control file (cgroup, sysctl); one write(2). */
int file_put_at(int dirfd, const char *path, const char *text, struct error *err);

/* mkdir -p below dirfd. Existing directories are fine. */
int dir_make_all(int dirfd, const char *path, mode_t mode, struct error *err);
/* Open a directory (O_DIRECTORY|O_NOFOLLOW on the last part). */
int dir_open_at(int dirfd, const char *path, struct error *err);
/* rm -rf of `name` below dirfd, of any depth: never follows symlinks, never crosses mounts (it fails with EBUSY at one). Absent: fine. */
int dir_remove_all(int dirfd, const char *name, struct error *err);
bool file_exists_at(int dirfd, const char *path);

/* openat2(2) with RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS|O_CLOEXEC. fd or -1 with errno. */
int open_in_root(int rootfd, const char *path, int flags, mode_t mode);
/* mkdir -p inside an untrusted root, symlinks resolved inside it; returns the directory's fd (O_PATH) or -1 with err. */
int make_dir_in_root(int rootfd, const char *path, mode_t mode, struct error *err);

/* Clean absolute-or-relative path lexically as Go's path.Clean; malloc'ed. */
char *path_clean(const char *path);
/* dir + "/" + name, malloc'ed. */
char *path_join(const char *dir, const char *name);
/* Last component (pointer into path). */
const char *path_base(const char *path);
/* True for a single component that is neither empty, ".", ".." nor holds a slash. */
bool path_is_component(const char *name);

/* memfd holding data, rewound and sealed; fd or -1 with err. */
int memfd_from(const char *name, const void *data, size_t len, struct error *err);

#endif
