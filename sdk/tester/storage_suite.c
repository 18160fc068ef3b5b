/* SPDX-License-Identifier: Apache-2.0 */
/* See storage_suite.h. */
#include "storage_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The text says what was expected and what was found: its reader has a driver, not this file. CAN: with the system call's error. */
#define EXPECT(cond, errnum, ...)                                            \
	do {                                                                 \
		if (!(cond))                                                 \
			suite_fail(__FILE__, __LINE__, errnum, __VA_ARGS__); \
	} while (0)
#define CHECK(cond, ...) EXPECT(cond, 0, __VA_ARGS__)
#define CAN(cond, ...) EXPECT(cond, errno, __VA_ARGS__)

/* An op that must succeed. */
#define MUST(s, op, ...)                                               \
	do {                                                           \
		struct dockerd_error e_ = {.size = sizeof(e_)};        \
		CHECK((s)->ops->op((s)->self, __VA_ARGS__, &e_) >= 0,  \
		      "%s fails, expected success: %s", #op, e_.text); \
		if ((s)->after)                                        \
			(s)->after((s), #op);                          \
	} while (0)

static const char *const WHITEOUT = "gone";

static struct dockerd_layer layer(const char *id, const char *parent)
{
	return (struct dockerd_layer){
	    .size = sizeof(struct dockerd_layer), .id = id, .parent = parent};
}

/* Before anything is written there: a descriptor of something else is the host's. */
static void check_place(const struct suite *s, int fd)
{
	size_t n = strlen(s->root);
	char link[64], at[4096];
	ssize_t len;

	CHECK(fd >= 0, "expected a descriptor of the layer's directory, got %d", fd);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, at, sizeof(at) - 1);
	at[len > 0 ? len : 0] = '\0';
	CHECK(!strncmp(at, s->root, n) && at[n] == '/',
	      "the descriptor is of %s, expected a directory below %s", at, s->root);
}

static int prepare(struct suite *s, const char *id, const char *parent, uint32_t *whiteouts)
{
	struct dockerd_layer l = layer(id, parent);
	struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1};

	MUST(s, prepare, &l, &d);
	check_place(s, d.fd);
	CHECK(fcntl(d.fd, F_GETFD) & FD_CLOEXEC, "prepare: the descriptor is not close-on-exec");
	if (whiteouts)
		*whiteouts = d.whiteouts;
	return d.fd;
}

static void commit(struct suite *s, const char *id, const char *parent)
{
	struct dockerd_layer l = layer(id, parent);

	MUST(s, commit, &l);
}

static int mount_layer(struct suite *s, const char *id, const char *parent)
{
	struct dockerd_layer l = layer(id, parent);
	struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1};
	struct stat a, b;

	MUST(s, mount, &l, &d);
	check_place(s, d.fd);
	CHECK(fstat(d.fd, &a) == 0 && stat(d.path, &b) == 0 && a.st_dev == b.st_dev &&
		  a.st_ino == b.st_ino,
	      "mount: path says %s, expected the directory that the descriptor is of", d.path);
	return d.fd;
}

/* Mounts below the driver's root, as this process sees them. */
static int mounts_of(const struct suite *s)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0, len = strlen(s->root);
	int n = 0;

	while (f && getline(&line, &size, f) > 0) {
		char target[4096];

		n += sscanf(line, "%*s %*s %*s %*s %4095s", target) == 1 &&
		     !strncmp(target, s->root, len) && target[len] == '/';
	}
	free(line);
	if (f)
		fclose(f);
	return n;
}

static void unmount_layer(struct suite *s, const char *id, int fd)
{
	struct dockerd_layer l = layer(id, NULL);

	close(fd);
	MUST(s, unmount, &l);
}

static void remove_layer(struct suite *s, const char *id)
{
	struct dockerd_layer l = layer(id, NULL);

	MUST(s, remove, &l);
}

static int exists(struct suite *s, const char *id)
{
	struct dockerd_layer l = layer(id, NULL);
	struct dockerd_error e = {.size = sizeof(e)};

	return s->ops->exists(s->self, &l, &e);
}

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CAN(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text),
	    "file %s can't be written into the directory", name);
	close(fd);
}

static bool has_text(int dir, const char *name, const char *text)
{
	char buf[64];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

static bool there(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Delete `name` the way the driver's directories say it. */
static void whiteout(int dir, const char *name, uint32_t style)
{
	if (style == DOCKERD_WHITEOUT_NONE)
		CAN(unlinkat(dir, name, 0) == 0, "file %s of the parent can't be deleted", name);
	else if (style == DOCKERD_WHITEOUT_OVERLAY)
		CAN(mknodat(dir, name, S_IFCHR, 0) == 0, "whiteout %s can't be made", name);
	else {
		char wh[64];

		snprintf(wh, sizeof(wh), ".wh.%s", name);
		put(dir, wh, "");
	}
}

/* ---- content ----------------------------------------------------------------------------------------------------------------------- */

static void fill_base(int d)
{
	struct timespec times[2] = {{1000000000, 0}, {1234567890, 123456789}};
	int fd;

	put(d, "plain", "base");
	put(d, WHITEOUT, "soon");
	CAN(mkdirat(d, "sub", 0750) == 0 && fchownat(d, "sub", 12, 34, 0) == 0,
	    "directory sub can't be made and given away");
	put(d, "sub/one", "1");
	put(d, "sub/two", "2");
	CAN(linkat(d, "plain", d, "sub/hard", 0) == 0, "a hard link can't be made");
	CAN(symlinkat("/nowhere/at all", d, "sym") == 0 &&
		fchownat(d, "sym", 5, 6, AT_SYMLINK_NOFOLLOW) == 0,
	    "a symbolic link can't be made and given away");
	CAN(mknodat(d, "null", S_IFCHR | 0666, makedev(1, 3)) == 0 &&
		fchmodat(d, "null", 0666, 0) == 0,
	    "a device can't be made");
	CAN(mknodat(d, "pipe", S_IFIFO | 0600, 0) == 0, "a FIFO can't be made");
	fd = openat(d, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CAN(fd >= 0 && ftruncate(fd, 64 << 20) == 0 && pwrite(fd, "end", 3, (64 << 20) - 3) == 3,
	    "a sparse file can't be written");
	close(fd);
	put(d, "attr", "x");
	fd = openat(d, "attr", O_RDWR | O_CLOEXEC);
	CAN(fchown(fd, 1000, 1001) == 0 && fchmod(fd, 04711) == 0, "owner and mode can't be set");
	CAN(fsetxattr(fd, "user.colour", "blue", 4, 0) == 0 &&
		fsetxattr(fd, "trusted.test", "t", 1, 0) == 0,
	    "extended attributes can't be set");
	CAN(futimens(fd, times) == 0, "times can't be set");
	close(fd);
}

static void check_base(int d)
{
	struct stat st, two;
	char v[16];
	int fd;

	CHECK(has_text(d, "plain", "base") && has_text(d, "sub/two", "2"),
	      "files plain and sub/two have another content than was written");
	CHECK(fstatat(d, "sub", &st, 0) == 0 && st.st_uid == 12 && st.st_gid == 34 &&
		  (st.st_mode & 07777) == 0750,
	      "directory sub has another owner or mode, expected 12:34 and 0750");
	CHECK(fstatat(d, "plain", &st, 0) == 0 && fstatat(d, "sub/hard", &two, 0) == 0 &&
		  st.st_ino == two.st_ino && st.st_nlink >= 2, /* more where layers share files */
	      "plain and sub/hard are two files, expected one with two names");
	CHECK(readlinkat(d, "sym", v, sizeof(v)) == 15 &&
		  fstatat(d, "sym", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == 5,
	      "sym has another target or owner than was given");
	CHECK(fstatat(d, "null", &st, 0) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3),
	      "null is not the device 1:3");
	CHECK(fstatat(d, "pipe", &st, 0) == 0 && S_ISFIFO(st.st_mode), "pipe is no FIFO");
	CHECK(fstatat(d, "sparse", &st, 0) == 0 && st.st_size == 64 << 20 && st.st_blocks < 2048,
	      "a file of 64 MiB of holes has %lld blocks, expected less than 2048",
	      (long long)st.st_blocks);
	fd = openat(d, "attr", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 1000 && st.st_gid == 1001 &&
		  (st.st_mode & 07777) == 04711,
	      "attr has another owner or mode, expected 1000:1001 and 04711");
	CHECK(st.st_mtim.tv_sec == 1234567890 && st.st_mtim.tv_nsec == 123456789,
	      "attr was modified at %lld.%09ld, expected 1234567890.123456789",
	      (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	CHECK(fgetxattr(fd, "user.colour", v, sizeof(v)) == 4 && !memcmp(v, "blue", 4),
	      "attr has lost user.colour, expected 'blue'");
	CHECK(fgetxattr(fd, "trusted.test", v, sizeof(v)) == 1,
	      "attr has lost trusted.test, expected 't'");
	close(fd);
}

/* ---- checks ------------------------------------------------------------------------------------------------------------------------ */

/* A mount that the driver makes for a layer of an image can't be written through, and goes with its unmount. */
static void check_read_only(struct suite *s)
{
	int none = mounts_of(s), d = mount_layer(s, "base", NULL), mounted = mounts_of(s) - none;

	check_base(d);
	CHECK(!mounted || (mkdirat(d, "written", 0755) < 0 && errno == EROFS),
	      "mount of a committed layer can be written to, expected a read-only mount");
	unmount_layer(s, "base", d);
	CHECK(mounts_of(s) == none, "after unmount the driver has %d mounts, expected none",
	      mounts_of(s) - none);
}

void suite_begin(struct suite *s)
{
	uint32_t style;
	int d = prepare(s, "base", NULL, &style);

	CHECK(exists(s, "base") == 0, "exists says that a layer is there before its commit");
	fill_base(d);
	close(d);
	commit(s, "base", NULL);
	CHECK(exists(s, "base") == 1, "exists does not say that a layer is there after its commit");
	check_read_only(s);
	d = prepare(s, "child", "base", &style);
	put(d, "new", "child");
	whiteout(d, WHITEOUT, style);
	if (style == DOCKERD_WHITEOUT_NONE)
		check_base(d);
	close(d);
	commit(s, "child", "base");
	d = mount_layer(s, "child", "base");
	check_base(d);
	CHECK(has_text(d, "new", "child") && !there(d, WHITEOUT),
	      "a child shows not what it adds, or shows what it has deleted");
	unmount_layer(s, "child", d);
	d = mount_layer(s, "base", NULL);
	CHECK(there(d, WHITEOUT) && !there(d, "new"),
	      "the parent shows what its child has added, or not what the child has deleted");
	unmount_layer(s, "base", d);
	s->style = style;
}

static void check_opaque(struct suite *s)
{
	uint32_t style = s->style;
	int d = prepare(s, "opaque", "child", NULL), sub;

	if (style == DOCKERD_WHITEOUT_NONE) {
		CAN(unlinkat(d, "sub/one", 0) == 0 && unlinkat(d, "sub/two", 0) == 0 &&
			unlinkat(d, "sub/hard", 0) == 0,
		    "files of directory sub can't be deleted");
	} else {
		CAN(mkdirat(d, "sub", 0755) == 0, "directory sub can't be made");
		sub = openat(d, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (style == DOCKERD_WHITEOUT_OVERLAY)
			CAN(fsetxattr(sub, "trusted.overlay.opaque", "y", 1, 0) == 0,
			    "trusted.overlay.opaque can't be set");
		else
			put(sub, ".wh..wh..opq", "");
		close(sub);
	}
	put(d, "sub/three", "3");
	close(d);
	commit(s, "opaque", "child");
	d = mount_layer(s, "opaque", "child");
	CHECK(has_text(d, "sub/three", "3") && !there(d, "sub/one") && !there(d, "sub/two") &&
		  there(d, "plain"),
	      "an opaque directory shows what is below it, or not what is in it");
	unmount_layer(s, "opaque", d);
	remove_layer(s, "opaque");
}

static void check_rw(struct suite *s)
{
	struct dockerd_layer l = layer("container", "child");
	struct dockerd_error e = {.size = sizeof(e)};
	int d, again, none = mounts_of(s);

	MUST(s, create_rw, &l);
	CHECK(exists(s, "container") == 1,
	      "exists does not say that a layer is there after create_rw");
	CHECK(s->ops->create_rw(s->self, &l, &e) < 0 && e.category == DOCKERD_ERR_CONFLICT,
	      "create_rw of an id that is there: expected -1 with DOCKERD_ERR_CONFLICT, got "
	      "category %u",
	      e.category);
	d = mount_layer(s, "container", "child");
	put(d, "written", "by container");
	CAN(unlinkat(d, "new", 0) == 0 && renameat(d, "plain", d, "moved") == 0,
	    "a container can't delete and rename files of its image");
	again = mount_layer(s, "container", "child");
	CHECK(has_text(again, "written", "by container"),
	      "a second mount of a layer shows other files than the first");
	close(again);
	unmount_layer(s, "container", d);
	CHECK(mounts_of(s) == none, "after unmount the driver has %d mounts, expected none",
	      mounts_of(s) - none);
	d = mount_layer(s, "container", "child");
	CHECK(has_text(d, "written", "by container") && !there(d, "new") &&
		  has_text(d, "moved", "base"),
	      "what a container has changed is lost at unmount");
	close(d);
	remove_layer(s, "container"); /* while mounted */
	CHECK(exists(s, "container") == 0, "exists says that a removed layer is there");
	remove_layer(s, "container");
	remove_layer(s, "never-was");
}

/* Equal to another layer, and its own: removed by itself, and none the worse when the other's user changes something. */
static void check_like(struct suite *s)
{
	struct dockerd_layer l = layer("alike", "child"), rw = layer("on-alike", "alike");
	struct dockerd_layer_dir dir = {.size = sizeof(dir), .fd = -1};
	int d;

	if (!(s->capabilities & DOCKERD_STORAGE_CAP_LIKE))
		return;
	d = prepare(s, "model", "child", NULL);
	put(d, "shared", "once");
	close(d);
	commit(s, "model", "child");
	l.like = "model";
	MUST(s, prepare, &l, &dir);
	CHECK(dir.fd == -1,
	      "prepare of a layer like another hands out descriptor %d, expected none", dir.fd);
	commit(s, "alike", "child");
	CHECK(exists(s, "alike") == 1,
	      "exists does not say that a layer is there after its commit");
	d = mount_layer(s, "alike", "child");
	CHECK(has_text(d, "shared", "once") && there(d, "plain"),
	      "a layer that is like another shows other files");
	unmount_layer(s, "alike", d);
	MUST(s, create_rw, &rw);
	d = mount_layer(s, "on-alike", "alike");
	CHECK(has_text(d, "shared", "once") && there(d, "plain"),
	      "a read-write layer above one that is like another shows other files");
	put(d, "shared", "changed");
	CHECK(has_text(d, "shared", "changed"),
	      "a container can't write over a file of a layer that is like another");
	close(d);
	remove_layer(s, "on-alike");
	remove_layer(s, "alike");
	d = mount_layer(s, "model", "child");
	CHECK(has_text(d, "shared", "once"),
	      "a file that two layers share is changed, or gone with one of them");
	unmount_layer(s, "model", d);
	remove_layer(s, "model");
}

/* The daemon ends and comes back while a container runs: the mount is found again. */
static void check_reopen(struct suite *s)
{
	int d;
	struct dockerd_layer l = layer("kept", "child");

	MUST(s, create_rw, &l);
	d = mount_layer(s, "kept", "child");
	put(d, "written", "before");
	s->self = s->reopen(s);
	CHECK(has_text(d, "written", "before"),
	      "close has taken the mount of a running container away");
	close(d);
	CHECK(exists(s, "base") == 1 && exists(s, "kept") == 1,
	      "a second instance does not know the layers of the first");
	d = mount_layer(s, "kept", "child");
	CHECK(has_text(d, "written", "before"),
	      "a second instance shows other files of a mounted layer");
	unmount_layer(s, "kept", d);
	s->self = s->reopen(s);
	remove_layer(s, "kept");
	CHECK(exists(s, "kept") == 0, "exists says that a removed layer is there");
}

#define CHAIN 125 /* what moby takes: images that are deeper exist nowhere */

/* Each layer says in one file how deep it is, and every 25th adds one of its own: cheap for drivers that copy as well. */
static void check_deep_chain(struct suite *s)
{
	char id[32], last[32] = "", parent[32] = "";
	int d;

	for (int i = 0; i < CHAIN; i++) {
		snprintf(id, sizeof(id), "chain-%d", i);
		d = prepare(s, id, i ? last : NULL, NULL);
		unlinkat(d, "depth",
			 0); /* as the daemon does: the file may be the parent's as well */
		put(d, "depth", id);
		if (i % 25 == 0)
			put(d, id, "here");
		close(d);
		commit(s, id, i ? last : NULL);
		strcpy(parent, last);
		strcpy(last, id);
	}
	d = mount_layer(s, last, parent);
	CHECK(has_text(d, "depth", last), "the last of %d layers does not show its own file",
	      CHAIN);
	for (int i = 0; i < CHAIN; i += 25) {
		snprintf(id, sizeof(id), "chain-%d", i);
		CHECK(has_text(d, id, "here"), "a chain of %d layers lacks the file of layer %s",
		      CHAIN, id);
	}
	unmount_layer(s, last, d);
	d = mount_layer(s, "chain-1", "chain-0");
	CHECK(has_text(d, "depth", "chain-1"), "a layer shows the file of one above it");
	unmount_layer(s, "chain-1", d);
	for (int i = CHAIN - 1; i >= 0; i--) {
		snprintf(id, sizeof(id), "chain-%d", i);
		remove_layer(s, id);
	}
}

static void check_deep_tree(struct suite *s)
{
	struct dockerd_layer l = layer("deep", NULL);
	int d, at;

	MUST(s, create_rw, &l);
	d = mount_layer(s, "deep", NULL);
	at = fcntl(d, F_DUPFD_CLOEXEC, 0);
	for (int i = 0; i < 1000; i++) {
		int next;

		CAN(mkdirat(at, "a-directory", 0755) == 0, "a directory can't be made at level %d",
		    i);
		next = openat(at, "a-directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	put(at, "bottom", "x");
	close(at);
	unmount_layer(s, "deep", d);
	remove_layer(s, "deep");
	CHECK(exists(s, "deep") == 0, "exists says that a removed layer is there");
}

static void check_bad_ids(struct suite *s)
{
	static const char *const bad[] = {"", ".", "..", "../x", "a/b", "/etc"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct dockerd_layer l = layer(bad[i], NULL), child = layer("fine", bad[i]);
		struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1};
		struct dockerd_error e = {.size = sizeof(e)};

		CHECK(s->ops->prepare(s->self, &l, &d, &e) < 0 && e.category && e.text[0],
		      "prepare takes '%s' as an id, expected an error", bad[i]);
		CHECK(s->ops->create_rw(s->self, &child, &e) < 0,
		      "create_rw takes '%s' as a parent, expected an error", bad[i]);
		CHECK(s->ops->remove(s->self, &l, &e) < 0,
		      "remove takes '%s' as an id, expected an error", bad[i]);
		CHECK(exists(s, bad[i]) <= 0, "exists says that '%s' is a layer", bad[i]);
	}
	CHECK(exists(s, "fine") == 0, "a create_rw that has failed leaves its layer");
}

struct worker {
	struct suite *s;
	int n;
};

static void *create_many(void *arg)
{
	struct worker *w = arg;
	char id[32], image[32];

	snprintf(image, sizeof(image), "par-image-%d", w->n);
	for (int i = 0; i < 12; i++) {
		struct dockerd_layer l = layer(id, "child");
		int d;

		if (i % 4 == 0) { /* an image is made beside */
			d = prepare(w->s, image, "child", NULL);
			put(d, "mine", image);
			close(d);
			commit(w->s, image, "child");
			remove_layer(w->s, image);
		}
		snprintf(id, sizeof(id), "par-%d-%d", w->n, i);
		MUST(w->s, create_rw, &l);
		d = mount_layer(w->s, id, "child");
		put(d, "mine", id);
		CHECK(has_text(d, "mine", id) && has_text(d, "plain", "base"),
		      "layer %s shows the files of another, used by a thread beside it", id);
		unmount_layer(w->s, id, d);
		remove_layer(w->s, id);
	}
	return NULL;
}

static void check_parallel(struct suite *s)
{
	struct worker w[8];
	pthread_t t[8];
	int n = s->serial ? 1 : 8; /* what it declares is the daemon's business to keep */

	for (int i = 0; i < n; i++) {
		w[i] = (struct worker){s, i};
		CHECK(pthread_create(&t[i], NULL, create_many, &w[i]) == 0, "no thread");
	}
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

struct names {
	char *text;
	size_t len;
};

static void collect(const struct dockerd_emit *to, const char *key, const char *value)
{
	struct names *n = to->ctx;
	size_t len = strlen(key);

	(void)value;
	n->text = realloc(n->text, n->len + len + 2);
	n->len += (size_t)sprintf(n->text + n->len, "%s ", key);
}

static char *list(struct suite *s)
{
	struct names n = {strdup(""), 0};
	struct dockerd_emit to = {.size = sizeof(to), .row = collect, .ctx = &n};

	MUST(s, list, &to);
	return n.text;
}

void suite_make_and_remove(struct suite *s)
{
	struct dockerd_layer ro = layer("crash-ro", "child"), rw = layer("crash-rw", "child");
	struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1};
	struct dockerd_error e = {.size = sizeof(e)};

	s->ops->prepare(s->self, &ro, &d, &e);
	close(d.fd);
	s->ops->commit(s->self, &ro, &e);
	s->ops->create_rw(s->self, &rw, &e);
	s->ops->mount(s->self, &rw, &d, &e);
	close(d.fd);
	s->ops->unmount(s->self, &rw, &e);
	s->ops->remove(s->self, &rw, &e);
	s->ops->remove(s->self, &ro, &e);
}

static void check_crashes(struct suite *s)
{
	static const char *const ids[] = {"crash-ro", "crash-rw"};

	for (const char *const *p = s->faults; p && *p; p++) {
		char *names;
		int status;

		status = s->crash(s, *p);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		      "fault point %s was not passed", *p);
		s->self = s->reopen(s);
		for (size_t i = 0; i < 2; i++) {
			if (exists(s, ids[i]) == 1) { /* then it must be whole */
				int d = mount_layer(s, ids[i], "child");

				check_base(d);
				unmount_layer(s, ids[i], d);
			}
			remove_layer(s, ids[i]);
			CHECK(exists(s, ids[i]) == 0,
			      "layer %s is there after its removal, after a kill at %s", ids[i],
			      *p);
		}
		names = list(s);
		CHECK(!strstr(names, "crash-"),
		      "list has layers after a kill at %s and their removal: %s", *p, names);
		free(names);
		suite_ok(s, *p);
	}
}

void suite_end(struct suite *s)
{
	char *names = list(s);

	CHECK(strstr(names, "base ") && strstr(names, "child "),
	      "list gives '%s', expected base and child among them", names);
	free(names);
	remove_layer(s, "child");
	remove_layer(s, "base");
	names = list(s);
	CHECK(!*names, "list gives '%s' after all was removed, expected nothing", names);
	free(names);
}

const struct suite_check suite_checks[] = {
    {"opaque directory", check_opaque},
    {"read-write layer: write, mount again, remove while mounted", check_rw},
    {"mounted layer is found again by a second instance", check_reopen},
    {"chain of 125 layers", check_deep_chain},
    {"a tree deeper than PATH_MAX goes", check_deep_tree},
    {"names that are no ids are refused", check_bad_ids},
    {"eight threads at once", check_parallel},
    {"a layer like another one", check_like},
    {NULL, NULL},
};

void suite_run(struct suite *s)
{
	suite_begin(s);
	suite_ok(s,
		 "base layer keeps metadata, links, devices, holes, times; child with a deletion");
	for (const struct suite_check *c = suite_checks; c->name; c++) {
		c->run(s);
		suite_ok(s, c->name);
	}
	check_crashes(s);
	suite_end(s);
	suite_ok(s, "nothing is left");
}
