/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound release, after the cleanup attribute of gcc and clang. Closers keep errno, accept the empty
 * value, and disarm what they closed. `steal_fd` and `steal_ptr` hand ownership on at the success return.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void fd_close(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
		*fd = -1;
	}
}

static inline void cleanup_freep(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
	*(void **)p = NULL;
}

static inline void cleanup_dirp(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}

static inline void cleanup_filep(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

static inline int steal_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

#define auto_close __attribute__((cleanup(fd_close))) int
#define auto_free __attribute__((cleanup(cleanup_freep)))
#define auto_dir __attribute__((cleanup(cleanup_dirp)))
#define auto_file __attribute__((cleanup(cleanup_filep)))
#define steal_ptr(p)                             \
	({                                       \
		__typeof__(*(p)) stolen_ = *(p); \
		*(p) = NULL;                     \
		stolen_;                         \
	})

#endif
