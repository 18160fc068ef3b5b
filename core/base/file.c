/* SPDX-License-Identifier: Apache-2.0 */
/* See file.h. */
#include "base/file.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int file_read_fd(int fd, size_t max, struct str *out, struct error *err)
{
	size_t total = 0;

	for (;;) {
		size_t chunk = total < 4096 ? 4096 : 65536;
		ssize_t n = read(fd, str_reserve(out, chunk), chunk);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, errno, "read");
		if (n == 0) {
			out->p[out->len] = '\0';
			return 0;
		}
		out->len += (size_t)n;
		total += (size_t)n;
		out->p[out->len] = '\0';
		if (total > max)
			return error_set(err, ERR_TOO_LARGE, "file is larger than %zu bytes", max);
	}
}

int file_read_at(int dirfd, const char *path, size_t max, struct str *out, struct error *err)
{
	auto_close fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_sys(err, errno, "open %s", path);
	if (file_read_fd(fd, max, out, err) < 0)
		return error_wrap(err, "%s", path);
	return 0;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t fd_read_full(int fd, void *buf, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, (char *)buf + got, n - got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

int file_prepare(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		 bool durable, struct file_new *out, struct error *err)
{
	static atomic_uint counter;
	/* moby's own prefix for these, so that either engine's sweep knows them */
	const char *base = path_base(name);

	out->tmp = xasprintf("%.*s.tmp-%s%d-%u", (int)(base - name), name, base, (int)getpid(),
			     atomic_fetch_add(&counter, 1));
	out->fd =
	    openat(dirfd, out->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (out->fd < 0) {
		error_sys(err, errno, "create %s", out->tmp);
		free(out->tmp);
		out->tmp = NULL;
		return -1;
	}
	if (fchmod(out->fd, mode) < 0 || fd_write_all(out->fd, data, len) < 0) {
		error_sys(err, errno, "write %s", out->tmp);
		file_drop(dirfd, out);
		return -1;
	}
	if (durable) /* a hint: file_settle is who waits */
		sync_file_range(out->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

int file_settle(int dirfd, const char *name, struct file_new *f, bool durable, int *old,
		struct error *err)
{
	if (durable && fdatasync(f->fd) < 0) {
		error_sys(err, errno, "write %s", f->tmp);
		file_drop(dirfd, f);
		return -1;
	}
	if (old)
		*old = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (renameat(dirfd, f->tmp, dirfd, name) < 0) {
		error_sys(err, errno, "rename %s to %s", f->tmp, name);
		if (old)
			fd_close(old);
		file_drop(dirfd, f);
		return -1;
	}
	free(f->tmp);
	f->tmp = NULL;
	fd_close(&f->fd);
	return 0;
}

void file_drop(int dirfd, struct file_new *f)
{
	if (!f->tmp)
		return;
	unlinkat(dirfd, f->tmp, 0);
	free(f->tmp);
	f->tmp = NULL;
	fd_close(&f->fd);
}

int file_write_atomic(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		      bool durable, struct error *err)
{
	struct file_new f;

	return file_prepare(dirfd, name, data, len, mode, false, &f, err) < 0
		   ? -1
		   : file_settle(dirfd, name, &f, durable, NULL, err);
}

int file_put_at(int dirfd, const char *path, const char *text, struct error *err)
{
	auto_close fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return error_sys(err, errno, "open %s", path);
	do
		n = write(fd, text, strlen(text));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_sys(err, errno, "write '%s' to %s", text, path);
	return 0;
}

int dir_make_all(int dirfd, const char *path, mode_t mode, struct error *err)
{
	auto_free char *copy = xstrdup(path);

	for (char *p = copy + 1; *copy; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdirat(dirfd, copy, mode) < 0 && errno != EEXIST)
			return error_sys(err, errno, "mkdir %s", copy);
		*p = c;
		if (!c)
			break;
	}
	return 0;
}

int dir_open_at(int dirfd, const char *path, struct error *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, errno, "open directory %s", path);
	return fd;
}

/*
 * Trees come from containers and archives and may be tens of thousands of levels deep: no recursion, and two descriptors however deep
 * they are. Each directory that is met is emptied by moving its subdirectories up into `top`, and removed; so each is looked at once.
 */
struct removal {
	int top;
	unsigned int moved; /* names the next one that comes up */
	int64_t began;      /* wall clock, ns */
	uint64_t seen;
	unsigned int fresh; /* looked at, and made since, one after the other */
};

/*
 * Whoever has a directory of the tree open can fill it while it is emptied, without end. From so many entries on, every sixteenth is looked at: when so
 * many were all made after we began, we give up.
 */
#define REMOVAL_MANY 5000
#define REMOVAL_SAMPLE 16
#define REMOVAL_FRESH 100

static bool is_refilled(struct removal *r, int dir, const char *name)
{
	struct statx st;
	int64_t born;

	if (++r->seen < REMOVAL_MANY || r->seen % REMOVAL_SAMPLE ||
	    statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &st) < 0 ||
	    !(st.stx_mask & STATX_BTIME))
		return false;
	born = st.stx_btime.tv_sec * INT64_C(1000000000) + st.stx_btime.tv_nsec;
	r->fresh = born > r->began ? r->fresh + 1 : 0;
	return r->fresh >= REMOVAL_FRESH;
}

/* An entry of `dir`: a file is unlinked, an empty directory removed, others stay. 1: a directory that is not empty, 0 gone, -1. */
static int remove_entry(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return errno == ENOTEMPTY || errno == EEXIST ? 1 : -1;
}

/* Empty the directory `name` of r->top and remove it. */
static int remove_level(struct removal *r, const char *name)
{
	auto_dir DIR *d = NULL;
	struct dirent *e;
	int fd = openat(r->top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		fd_close(&fd);
		return -1;
	}
	while ((e = readdir(d))) {
		char up[32];
		int left;

		if (streq(e->d_name, ".") || streq(e->d_name, ".."))
			continue;
		if (is_refilled(r, fd, e->d_name))
			return errno = EBUSY, -1;
		left = remove_entry(fd, e->d_name);
		if (left < 0)
			return -1;
		if (!left)
			continue;
		do /* a mount point can't be moved: EBUSY */
			snprintf(up, sizeof(up), ".removed-%u", r->moved++);
		while (renameat2(fd, e->d_name, r->top, up, RENAME_NOREPLACE) < 0 &&
		       errno == EEXIST);
		if (faccessat(fd, e->d_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return errno = EBUSY, -1;
	}
	return unlinkat(r->top, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -1 : 0;
}

/* Until nothing is left in r->top. */
static int remove_content(struct removal *r)
{
	for (;;) {
		int copy = openat(r->top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		auto_dir DIR *d = copy < 0 ? NULL : fdopendir(copy);
		struct dirent *e;
		bool any = false;

		if (!d) {
			fd_close(&copy);
			return -1;
		}
		while ((e = readdir(d))) {
			int left;

			if (streq(e->d_name, ".") || streq(e->d_name, ".."))
				continue;
			any = true;
			if (is_refilled(r, r->top, e->d_name))
				return errno = EBUSY, -1;
			left = remove_entry(r->top, e->d_name);
			if (left < 0 || (left && remove_level(r, e->d_name) < 0))
				return -1;
		}
		if (!any)
			return 0;
	}
}

int dir_remove_all(int dirfd, const char *name, struct error *err)
{
	auto_close top = -1;
	struct removal r = {.began = clock_wall_ns()};
	int left = remove_entry(dirfd, name);

	if (left == 0)
		return 0;
	if (left > 0) {
		top = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r.top = top;
		if (top >= 0 && remove_content(&r) == 0 &&
		    (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT))
			return 0;
	}
	return error_sys(err, errno, "remove %s", name);
}

bool file_exists_at(int dirfd, const char *path)
{
	return faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int open_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
	    .flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
	    .mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
	    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd, tries = 0;

	do /* EAGAIN: a rename raced the walk and the kernel could not prove that ".." stayed inside */
		fd = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < 128)));
	return fd;
}

int make_dir_in_root(int rootfd, const char *path, mode_t mode, struct error *err)
{
	auto_strlist parts = STRLIST_INIT;
	auto_str at = STR_INIT;
	int fd = -1;

	strlist_split(&parts, path, '/');
	str_putc(&at, '/');
	for (size_t i = 0; i < parts.n; i++) {
		auto_close parent = -1;

		if (!*parts.v[i] || streq(parts.v[i], "."))
			continue;
		parent = open_in_root(rootfd, str_cstr(&at), O_PATH | O_DIRECTORY, 0);
		if (parent < 0)
			return error_sys(err, errno, "open %s in root", str_cstr(&at));
		/* A dangling symlink is EEXIST here and ENOENT at the next open: refused, not followed out. */
		if (!streq(parts.v[i], "..") && mkdirat(parent, parts.v[i], mode) < 0 &&
		    errno != EEXIST)
			return error_sys(err, errno, "mkdir %s%s in root", str_cstr(&at),
					 parts.v[i]);
		str_printf(&at, "%s/", parts.v[i]);
	}
	fd = open_in_root(rootfd, str_cstr(&at), O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return error_sys(err, errno, "open %s in root", str_cstr(&at));
	return fd;
}

char *path_clean(const char *path)
{
	auto_strlist parts = STRLIST_INIT, kept = STRLIST_INIT;
	bool absolute = path[0] == '/';
	auto_free char *joined = NULL;

	strlist_split(&parts, path, '/');
	for (size_t i = 0; i < parts.n; i++) {
		const char *p = parts.v[i];

		if (!*p || streq(p, "."))
			continue;
		if (!streq(p, "..")) {
			strlist_add(&kept, p);
		} else if (kept.n && !streq(kept.v[kept.n - 1], "..")) {
			strlist_remove(&kept, kept.n - 1);
		} else if (!absolute) {
			strlist_add(&kept, p);
		}
	}
	joined = strlist_join(&kept, "/");
	if (absolute)
		return xasprintf("/%s", joined);
	return xstrdup(*joined ? joined : ".");
}

char *path_join(const char *dir, const char *name)
{
	return xasprintf("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", name);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool path_is_component(const char *name)
{
	return *name && !streq(name, ".") && !streq(name, "..") && !strchr(name, '/');
}

int memfd_from(const char *name, const void *data, size_t len, struct error *err)
{
	auto_close fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return error_sys(err, errno, "memfd_create %s", name);
	if (fd_write_all(fd, data, len) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return error_sys(err, errno, "fill memfd %s", name);
	return steal_fd(&fd);
}
