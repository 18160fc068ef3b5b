/* SPDX-License-Identifier: Apache-2.0 */
/* What a process holds: descriptors, threads, mounts. Read from /proc, proc(5). */
#include "kit.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define THREADS_GONE_NS INT64_C(1000000000)

static void list_fds(struct strlist *out)
{
	auto_dir DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char target[512];
		auto_free char *line = NULL;
		ssize_t n;

		if (e->d_name[0] == '.' || atoi(e->d_name) == dirfd(d))
			continue;
		n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		line = xasprintf("%s -> %s", e->d_name, target);
		strlist_add(out, line);
	}
	strlist_sort(out);
}

static void list_mounts(struct strlist *out)
{
	auto_file FILE *f = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		char id[16], target[4096];

		/* the number, and where: what stands behind may change without anybody's doing */
		if (sscanf(line, "%15s %*s %*s %*s %4095s", id, target) == 2) {
			auto_free char *entry = xasprintf("%s %s", target, id);

			strlist_add(out, entry);
		}
	}
	strlist_sort(out);
}

static unsigned int count_threads(void)
{
	auto_dir DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	unsigned int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
#ifdef __SANITIZE_THREAD__
	n = 1; /* its runtime has a thread of its own, from the first that we make on */
#endif
	return n;
}

void snapshot_take(struct snapshot *s)
{
	*s = (struct snapshot){.threads = count_threads()};
	list_fds(&s->fds);
	list_mounts(&s->mounts);
}

void snapshot_free(struct snapshot *s)
{
	strlist_free(&s->fds);
	strlist_free(&s->mounts);
}

/* What b has and a has not, joined; NULL: nothing. */
static char *more(const struct strlist *a, const struct strlist *b)
{
	auto_strlist extra = STRLIST_INIT;

	for (size_t i = 0; i < b->n; i++)
		if (!strlist_has(a, b->v[i]))
			strlist_add(&extra, b->v[i]);
	return extra.n ? strlist_join(&extra, ", ") : NULL;
}

/* Mounts of `before` that are no more, though their place is: where that is gone as well, the host's others have taken both away. */
static char *gone(const struct strlist *now, const struct strlist *before)
{
	auto_strlist extra = STRLIST_INIT;

	for (size_t i = 0; i < before->n; i++) {
		auto_free char *place =
		    xstrndup(before->v[i], (size_t)(strrchr(before->v[i], ' ') - before->v[i]));
		struct stat st;

		if (!strlist_has(now, before->v[i]) && stat(place, &st) == 0)
			strlist_add(&extra, before->v[i]);
	}
	return extra.n ? strlist_join(&extra, ", ") : NULL;
}

void snapshot_compare(struct kit *k, const struct snapshot *before, const char *what)
{
	int64_t deadline = clock_mono_ns() + THREADS_GONE_NS;
	struct snapshot now;
	char *extra;

	/* A joined thread may stand in /proc a moment longer. */
	while (count_threads() > before->threads && clock_mono_ns() < deadline)
		sched_yield();
	snapshot_take(&now);
	if (now.threads > before->threads)
		kit_fail(k, "%s: %u thread%s left", what, now.threads - before->threads,
			 now.threads - before->threads == 1 ? " is" : "s are");
	if ((extra = more(&before->fds, &now.fds)))
		kit_fail(k, "%s: descriptor left open: %s", what, extra);
	if ((extra = more(&now.fds, &before->fds)))
		kit_fail(k, "%s: descriptor that is not the driver's was closed: %s", what, extra);
	if ((extra = more(&before->mounts, &now.mounts)))
		kit_fail(k, "%s: mount left: %s", what, extra);
	if ((extra = gone(&now.mounts, &before->mounts)))
		kit_fail(k, "%s: mount that is not the driver's is gone: %s", what, extra);
	snapshot_free(&now);
}

void snapshot_cloexec(struct kit *k, const struct snapshot *before)
{
	auto_strlist now = STRLIST_INIT;

	list_fds(&now);
	for (size_t i = 0; i < now.n; i++) {
		int flags = fcntl(atoi(now.v[i]), F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC) && !strlist_has(&before->fds, now.v[i]))
			kit_fail(k, "descriptor is not close-on-exec: %s", now.v[i]);
	}
}

static void list_below(int dir, const char *prefix, struct strlist *out)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		auto_free char *name = NULL, *line = NULL;
		auto_close sub = -1;
		struct stat st;

		if (streq(e->d_name, ".") || streq(e->d_name, "..") ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		name = xasprintf("%s%s", prefix, e->d_name);
		line = xasprintf("%s %o %lld", name, st.st_mode,
				 S_ISREG(st.st_mode) ? (long long)st.st_size : 0);
		strlist_add(out, line);
		if (!S_ISDIR(st.st_mode))
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0) {
			auto_free char *deeper = xasprintf("%s/", name);

			list_below(sub, deeper, out);
		}
	}
}

void tree_list(const char *dir, struct strlist *out)
{
	auto_close fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		list_below(fd, "", out);
	strlist_sort(out);
}
