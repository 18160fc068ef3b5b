/* SPDX-License-Identifier: Apache-2.0 */
/* What a process holds: descriptors, threads, mounts, and what all of it share. Read from /proc, proc(5). */
#include "kit.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- what a driver shares with the daemon ---------------------------------------------------------------------------------------------- */

static void add_environment(struct pairs *out)
{
	for (char **e = environ; e && *e; e++) {
		const char *eq = strchrnul(*e, '=');
		auto_free char *what = xasprintf("environment variable %.*s", (int)(eq - *e), *e);

		pairs_set(out, what, *eq ? eq + 1 : "");
	}
}

static void add_signals(struct pairs *out)
{
	for (int sig = 1; sig < NSIG; sig++) {
		auto_free char *what =
				   xasprintf("disposition of signal %d (%s)", sig, strsignal(sig)),
			       *is = NULL;
		struct sigaction sa;

		if (sigaction(sig, NULL, &sa) < 0)
			continue;
		if (sa.sa_handler == SIG_DFL || sa.sa_handler == SIG_IGN)
			is = xstrdup(sa.sa_handler == SIG_DFL ? "the default" : "ignored");
		else
			is = xasprintf("a handler at %p", (void *)(uintptr_t)sa.sa_handler);
		pairs_set(out, what, is);
	}
}

static void list_process(struct pairs *out)
{
	static const char *const fields[] = {"Umask", "SigBlk"};
	static const char *const names[] = {"umask", "mask of blocked signals"};
	auto_file FILE *f = fopen("/proc/thread-self/status", "re");
	auto_free char *line = NULL, *cwd = realpath("/proc/self/cwd", NULL);
	const char *locale = setlocale(LC_ALL, NULL);
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0)
		for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
			const char *value = str_after(line, fields[i]);

			if (!value || *value != ':')
				continue;
			line[strcspn(line, "\n")] = '\0';
			pairs_set(out, names[i], value + strspn(value, ":\t "));
		}
	pairs_set(out, "working directory", cwd ? cwd : "gone");
	pairs_set(out, "locale", locale ? locale : "none");
	add_environment(out);
	add_signals(out);
}

static void compare_process(struct kit *k, const struct pairs *before, const char *what)
{
	auto_pairs now = PAIRS_INIT;

	list_process(&now);
	for (size_t i = 0; i < before->n; i++) {
		const char *is = pairs_get(&now, before->v[i].key);

		if (!is || !streq(is, before->v[i].value))
			kit_fail(k,
				 "%s: the process's %s is %s, expected %s as before: the daemon "
				 "and other drivers share it",
				 what, before->v[i].key, is ? is : "gone", before->v[i].value);
	}
	for (size_t i = 0; i < now.n; i++)
		if (!pairs_get(before, now.v[i].key))
			kit_fail(k,
				 "%s: the process has the %s, expected none: the daemon and other "
				 "drivers share it",
				 what, now.v[i].key);
}

void snapshot_take(struct snapshot *s)
{
	*s = (struct snapshot){.threads = count_threads()};
	list_fds(&s->fds);
	list_mounts(&s->mounts);
	list_process(&s->process);
}

void snapshot_free(struct snapshot *s)
{
	strlist_free(&s->fds);
	strlist_free(&s->mounts);
	pairs_free(&s->process);
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
	compare_process(k, &before->process, what);
	snapshot_free(&now);
}

void snapshot_running(struct kit *k, const struct snapshot *before, const char *what)
{
	auto_strlist now = STRLIST_INIT;

	/* beside other threads a number may be another file's by the time it is looked at */
	if (gettid() != getpid())
		return;
	compare_process(k, &before->process, what);

	list_fds(&now);
	for (size_t i = 0; i < now.n; i++) {
		int flags = fcntl(atoi(now.v[i]), F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC) && !strlist_has(&before->fds, now.v[i]))
			kit_fail(k, "%s: descriptor is not close-on-exec: %s", what, now.v[i]);
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
