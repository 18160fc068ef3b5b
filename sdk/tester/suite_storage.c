/* SPDX-License-Identifier: Apache-2.0 */
/* Storage drivers: the checks of storage_suite.c, each with a process and a root of its own; optional ops; a sequence for faults. */
#include "kit.h"
#include "storage_suite.h"
#include "suite_storage.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kit *current; /* suite_fail is not told */

void suite_ok(struct suite *s, const char *what)
{
	(void)s;
	(void)what;
}

void suite_fail(const char *file, int line, int errnum, const char *fmt, ...)
{
	char text[1500];
	va_list ap;

	(void)file;
	(void)line;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kit_fail(current, errnum ? "%s (%s)" : "%s", text, strerror(errnum));
}

static void after(struct suite *s, const char *op)
{
	struct kit *k = s->ctx;

	snapshot_running(k, k->before, op);
}

static void *reopen(struct suite *s)
{
	struct kit *k = s->ctx;

	kit_close(k);
	kit_open(k);
	return k->instance.self;
}

struct suite storage_begin(struct kit *k)
{
	static char real[PATH_MAX];
	struct suite s = {
	    .reopen = reopen, .after = after, .ctx = k, .root = realpath(k->root, real)};

	if (geteuid() != 0)
		kit_skip(k, "needs root");
	current = k;
	kit_open(k);
	s.name = k->plugin->name;
	s.ops = &k->plugin->ops.storage;
	s.self = k->instance.self;
	s.capabilities = k->plugin->capabilities;
	s.serial = k->plugin->concurrency == DOCKERD_SERIAL;
	suite_begin(&s);
	return s;
}

static void run(struct kit *k, const char *name)
{
	struct suite s = storage_begin(k);

	for (const struct suite_check *c = suite_checks; name && c->name; c++)
		if (streq(c->name, name))
			c->run(&s);
	suite_end(&s);
}

static void check_layers(struct kit *k)
{
	run(k, NULL);
}

#define PART(i)                               \
	static void part_##i(struct kit *k)   \
	{                                     \
		run(k, suite_checks[i].name); \
	}
PART(0)
PART(1)
PART(2)
PART(3)
PART(4)
PART(5)
PART(6)
PART(7)

static void count_row(const struct dockerd_emit *to, const char *key, const char *value)
{
	if (key && *key && value)
		++*(int *)to->ctx;
}

/* What may be missing, where it is there. */
static void check_optional(struct kit *k)
{
	struct suite s = storage_begin(k);
	const struct dockerd_storage_ops *ops = s.ops;
	struct dockerd_layer child = storage_layer("child", "base");
	struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1};
	int rows = 0;
	struct dockerd_emit to = {.size = sizeof(to), .row = count_row, .ctx = &rows};
	uint64_t bytes = UINT64_MAX;

	if (ops->usage) {
		KIT_MUST(k, storage, usage, &child, &bytes);
		KIT_CHECK(k, bytes < (UINT64_C(1) << 40), "usage: %llu bytes",
			  (unsigned long long)bytes);
	}
	if (ops->status) {
		KIT_MUST(k, storage, status, &to);
		KIT_CHECK(k, rows > 0, "status: no rows");
	}
	if (ops->metadata)
		KIT_MUST(k, storage, metadata, &child, &to);
	if (k->plugin->capabilities & DOCKERD_STORAGE_CAP_NATIVE_DIFF) {
		struct stat st;

		KIT_MUST(k, storage, diff_dir, &child, &d);
		KIT_CHECK(k, d.fd >= 0 && fstatat(d.fd, "new", &st, 0) == 0,
			  "diff_dir lacks what the layer added");
		KIT_CHECK(k, fstatat(d.fd, "sub/one", &st, 0) < 0,
			  "diff_dir shows what is the parent's");
		close(d.fd);
	}
	suite_end(&s);
}

static bool has_whiteout(int dir, const char *name, uint32_t style)
{
	char wh[64];
	struct stat st;

	snprintf(wh, sizeof(wh), "%s%s", style == DOCKERD_WHITEOUT_AUFS ? ".wh." : "", name);
	return fstatat(dir, wh, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (style != DOCKERD_WHITEOUT_OVERLAY || (S_ISCHR(st.st_mode) && st.st_rdev == 0));
}

static void write_file(struct kit *k, int dir, const char *name, const char *text)
{
	auto_close fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	KIT_CHECK(k, fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		  "%s can't be written in a container's layer: %s", name, strerror(errno));
}

/* Each way in which a container changes its files: `docker diff` and commit see no other than the driver shows. */
static void check_diff(struct kit *k)
{
	struct suite s = storage_begin(k);
	struct dockerd_layer box = storage_layer("box", "child");
	struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1},
				 diff = {.size = sizeof(d), .fd = -1};
	struct stat st;

	KIT_MUST(k, storage, create_rw, &box);
	KIT_MUST(k, storage, mount, &box, &d);
	write_file(k, d.fd, "sub/added", "a");
	write_file(k, d.fd, "plain", "more");
	KIT_CHECK(k,
		  mkdirat(d.fd, "fresh", 0700) == 0 && unlinkat(d.fd, "new", 0) == 0 &&
		      fchmodat(d.fd, "attr", 0600, 0) == 0 &&
		      symlinkat("x", d.fd, "fresh/link") == 0,
		  "a container's layer can't be changed: %s", strerror(errno));
	close(d.fd);
	KIT_MUST(k, storage, unmount, &box);
	KIT_MUST(k, storage, diff_dir, &box, &diff);
	KIT_CHECK(
	    k, fstatat(diff.fd, "sub/added", &st, 0) == 0,
	    "diff_dir lacks a file that was added in a directory of the parent's (sub/added)");
	KIT_CHECK(k, fstatat(diff.fd, "plain", &st, 0) == 0 && st.st_size == 8,
		  "diff_dir lacks a file of the parent's that was written to (plain)");
	KIT_CHECK(k, fstatat(diff.fd, "attr", &st, 0) == 0 && (st.st_mode & 07777) == 0600,
		  "diff_dir lacks a file of the parent's whose mode was changed (attr)");
	KIT_CHECK(k, fstatat(diff.fd, "fresh/link", &st, AT_SYMLINK_NOFOLLOW) == 0,
		  "diff_dir lacks a new directory and the link in it (fresh/link)");
	KIT_CHECK(k, has_whiteout(diff.fd, "new", diff.whiteouts),
		  "diff_dir lacks the deletion of a file of the parent's (new), in its style of "
		  "whiteouts");
	KIT_CHECK(k, fstatat(diff.fd, "sub/one", &st, 0) < 0,
		  "diff_dir shows what is the parent's (sub/one)");
	close(diff.fd);
	KIT_MUST(k, storage, remove, &box);
	suite_end(&s);
}

static void check_unknown(struct kit *k)
{
	struct suite s = storage_begin(k);
	struct dockerd_layer orphan = storage_layer("orphan", "never-was"),
			     nobody = storage_layer("never-was", NULL);
	struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1};

	KIT_CHECK(k, KIT_CALL(k, storage, prepare, &orphan, &d) < 0,
		  "prepare on a parent that does not exist succeeds");
	KIT_CHECK(k, KIT_CALL(k, storage, create_rw, &orphan) < 0,
		  "create_rw on a parent that does not exist succeeds");
	KIT_CHECK(k, KIT_CALL(k, storage, mount, &nobody, &d) < 0,
		  "mount of a layer that does not exist succeeds");
	KIT_CALL(k, storage, unmount, &nobody);
	KIT_CHECK(k, KIT_CALL(k, storage, exists, &orphan) <= 0, "it left the layer behind");
	suite_end(&s);
}

/* Everything once; whatever fails, remove takes it away afterwards. */
static void faults(struct kit *k)
{
	struct dockerd_error err = {.size = sizeof(err)};
	struct dockerd_layer base = storage_layer("base", NULL), rw = storage_layer("rw", "base");
	struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1};
	int32_t r = 0;

	if (geteuid() != 0)
		kit_skip(k, "needs root");
	if (kit_try_open(k, &err) < 0)
		return;
	if (KIT_CALL(k, storage, prepare, &base, &d) == 0) {
		close(d.fd);
		r = KIT_CALL(k, storage, commit, &base);
	}
	if (r == 0 && KIT_CALL(k, storage, exists, &base) == 1 &&
	    KIT_CALL(k, storage, create_rw, &rw) == 0) {
		d.fd = -1;
		if (KIT_CALL(k, storage, mount, &rw, &d) == 0) {
			close(d.fd);
			if (KIT_CALL(k, storage, unmount, &rw) < 0)
				KIT_MUST(k, storage, unmount, &rw);
		}
	}
	if (KIT_CALL(k, storage, remove, &rw) < 0)
		KIT_MUST(k, storage, remove, &rw);
	if (KIT_CALL(k, storage, remove, &base) < 0)
		KIT_MUST(k, storage, remove, &base);
	KIT_CHECK(
	    k, KIT_CALL(k, storage, exists, &rw) == 0 && KIT_CALL(k, storage, exists, &base) == 0,
	    "a layer is still there after its removal");
}

static const struct kit_check checks[] = {
    {"layers: metadata, links, devices, holes, times; deletion in a child", check_layers, 0},
    {"opaque directory", part_0, 0},
    {"read-write layer: write, mount again, remove while mounted", part_1, 0},
    {"mounted layer is found again by a second instance", part_2, 0},
    {"chain of 125 layers", part_3, 0},
    {"a tree deeper than PATH_MAX goes", part_4, 0},
    {"names that are no ids are refused", part_5, 0},
    {"eight threads at once", part_6, 0},
    {"a layer like another one", part_7, 0},
    {"usage, status, metadata, diff_dir", check_optional, 0},
    {"diff_dir shows every kind of change", check_diff, DOCKERD_STORAGE_CAP_NATIVE_DIFF},
    {"size of a container's layer", storage_check_size, DOCKERD_STORAGE_CAP_QUOTA},
    {"full disk", storage_check_full, 0},
    {"read-only disk", storage_check_read_only, 0},
    {"layers and parents that do not exist", check_unknown, 0},
};

const struct kit_suite suite_storage = {
    .name = "storage", .checks = checks, .n = ARRAY_LEN(checks), .faults = faults};
