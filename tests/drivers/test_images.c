/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store on a real driver: round trips byte by byte, whiteouts, hostile archives, moby's rules of removal, kill -9 at each fault
 * point. Needs root; own mount namespace.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "drivers/tar_maker.h"
#include "image/image.h"
#include "base/sha256.h"
#include "plugin/plugin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifdef ENABLE_FAULTS
#define WITH_FAULTS true
#else
#define WITH_FAULTS false
#endif

static int count;
static char root[PATH_MAX];
static const char *driver;
static struct plugin_instance instance;
static struct image_store *store;
static struct error err;

#define CHECK(cond)                                                                               \
	do {                                                                                      \
		if (!(cond)) {                                                                    \
			printf("not ok - %s: %s:%d: %s: %s\n", driver, __FILE__, __LINE__, #cond, \
			       err.text);                                                         \
			exit(1);                                                                  \
		}                                                                                 \
	} while (0)

static void ok(const char *what)
{
	printf("ok %d - %s: %s\n", ++count, driver, what);
	fflush(stdout);
}

static void open_store(void)
{
	auto_free char *home = xasprintf("%s/%s", root, driver),
		       *state = xasprintf("%s/state", root);
	const struct plugin *p = plugin_load(DOCKERD_KIND_STORAGE, driver, &err);
	struct pairs none = PAIRS_INIT;
	struct dockerd_options *o = NULL;

	CHECK(p && dir_make_all(AT_FDCWD, home, 0710, &err) == 0 &&
	      dir_make_all(AT_FDCWD, state, 0700, &err) == 0);
	CHECK(plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, &none, &o, &err) == 0);
	CHECK(plugin_open(p, home, state, o, &instance, &err) == 0);
	CHECK(image_store_open(root, NULL, &instance, &store, &err) == 0);
	plugin_options_free(o);
}

static void close_store(void)
{
	image_store_close(store);
	plugin_close(&instance);
}

static int as_file(const struct str *tar)
{
	return memfd_from("tar", str_cstr(tar), tar->len, &err);
}

static int import_tar(const struct str *tar, const char *repo, char **id)
{
	struct image_import o = {.repo = repo, .message = "test"};
	auto_close fd = as_file(tar);

	error_clear(&err);
	return image_import(store, fd, &o, id, &err);
}

static int save_to_file(const char *name)
{
	auto_strlist names = STRLIST_INIT;
	int fd = memfd_create("saved", MFD_CLOEXEC);

	strlist_add(&names, name);
	CHECK(image_save(store, &names, fd, &err) == 0);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void make_plain(struct str *tar)
{
	tar_member(tar, '5', "./", "", 0755, NULL, 0);
	tar_member(tar, '5', "bin/", "", 0755, NULL, 0);
	tar_file(tar, "bin/sh", "#!");
	tar_member(tar, '1', "bin/hard", "bin/sh", 0644, NULL, 0);
	tar_member(tar, '2', "link", "/etc/passwd", 0777, NULL, 0);
	tar_pax(tar, "SCHILY.xattr.user.a", "b");
	tar_file(tar, "attr", "x");
	tar_pax(tar, "mtime", "1234567890.123456789");
	tar_file(tar,
		 "odd\xff"
		 "name",
		 "bytes that are no UTF-8");
	tar_pax(tar, "path",
		"a/very/long/path/of/directories/that/are/made/on/the/way/since/no/member/names/"
		"them/and/more/than/a/hundred/bytes");
	tar_file(tar, "short", "content");
	tar_end(tar);
	str_add(tar, "padding behind the end", 22);
}

/* ---- checks ------------------------------------------------------------------------------------------------------------------------ */

static void check_round_trip(void)
{
	auto_str tar = STR_INIT;
	auto_free char *id = NULL;
	struct image *img;
	char digest[DIGEST_TEXT];
	auto_close saved = -1;
	auto_str text = STR_INIT;

	make_plain(&tar);
	CHECK(import_tar(&tar, "plain", &id) == 0);
	img = image_get(store, "plain", &err);
	CHECK(img && streq(img->id, id) && img->n_layers == 1 && img->tags.n == 1 &&
	      streq(img->tags.v[0], "plain:latest"));
	sha256_digest(tar.p, tar.len, digest);
	CHECK(streq(img->layers[0].diff_id, digest));
	image_free(img);
	saved = save_to_file("plain"); /* fails if the layer's bytes are not those that came in */
	CHECK(file_read_fd(saved, 1 << 26, &text, &err) == 0);
	CHECK(memmem(text.p, text.len, tar.p, tar.len) != NULL);
	ok("layer comes out as it went in");
}

static void check_load(void)
{
	auto_close saved = save_to_file("plain");
	struct image_deletions gone = {0};
	auto_free char *before = image_resolve(store, "plain", &err), *after = NULL;

	CHECK(image_delete(store, "plain", false, true, &gone, &err) == 0);
	CHECK(gone.n == 3 && streq(gone.v[0].untagged, "plain:latest") &&
	      streq(gone.v[1].deleted, before));
	image_deletions_free(&gone);
	CHECK(!image_resolve(store, "plain", &err) && err.kind == ERR_NOT_FOUND &&
	      streq(err.text, "No such image: plain:latest"));
	CHECK(image_load(store, saved, NULL, NULL, &err) == 0);
	after = image_resolve(store, "plain:latest", &err);
	CHECK(after && streq(before, after));
	ok("save, remove, load");
}

static void check_refused(const char *what, struct str *tar, const char *text)
{
	auto_free char *id = NULL;

	tar_end(tar);
	if (import_tar(tar, NULL, &id) == 0 || !strstr(err.text, text)) {
		printf("not ok - %s: %s\n", what, err.text);
		exit(1);
	}
	str_reset(tar);
}

static bool outside_untouched(void)
{
	auto_free char *path = xasprintf("%s/escaped", root);

	return access(path, F_OK) < 0 && access("/escaped-by-test-images", F_OK) < 0;
}

static void check_hostile(void)
{
	auto_str t = STR_INIT;
	auto_free char *id = NULL;
	char huge[512];

	tar_file(&t, "../../../escaped", "x");
	check_refused("..", &t, "invalid ");
	tar_file(&t, "a/../../escaped", "x");
	check_refused("inner ..", &t, "invalid ");
	tar_member(&t, '1', "hard", "../../../../etc/passwd", 0644, NULL, 0);
	check_refused("hard link out", &t, "invalid ");
	tar_member(&t, '1', "hard", "/etc/passwd", 0644, NULL, 0);
	check_refused("hard link to the host's file", &t, "link hard");
	tar_member(&t, '2', "s", "../../../../..", 0777, NULL, 0);
	tar_member(&t, '1', "hard", "s/etc/passwd", 0644, NULL, 0);
	check_refused("hard link through symlink", &t, "link hard");
	tar_file(&t, "x/.wh...", "");
	check_refused("whiteout of ..", &t, "invalid whiteout");
	tar_file(&t, "twice", "a");
	tar_file(&t, "twice", "b");
	check_refused("duplicate", &t, "duplicates of file paths");
	tar_member(&t, 'x', "h", "", 0644, NULL, (size_t)2 << 20);
	check_refused("giant header", &t, "too long");
	tar_member(&t, '0', "cut", "", 0644, NULL, 1 << 20);
	check_refused("truncated", &t, "unexpected end");
	memset(huge, 'A', sizeof(huge));
	str_add(&t, huge, sizeof(huge));
	check_refused("garbage", &t, "invalid tar header");
	tar_member(&t, 'Z', "odd", "", 0644, NULL, 0);
	check_refused("unknown kind", &t, "unhandled tar header type");

	/* A symlink that points out, and a file written through it: lands inside. */
	tar_member(&t, '2', "out", "/", 0777, NULL, 0);
	tar_file(&t, "out/escaped-by-test-images", "x");
	tar_member(&t, '2', "up", "../../..", 0777, NULL, 0);
	tar_file(&t, "up/escaped", "x");
	tar_file(&t, "/absolute", "x");
	tar_end(&t);
	CHECK(import_tar(&t, "links", &id) == 0);
	CHECK(outside_untouched());
	ok("hostile archives");
}

static void on_change(void *ctx, const char *path, int kind)
{
	str_printf(ctx, "%d %s\n", kind, path);
}

static void check_container(void)
{
	static const char *const files[] = {"etc/hosts", "etc/hostname", "etc/resolv.conf",
					    "dev/console", ".dockerenv"};
	auto_free char *id = image_resolve(store, "plain", &err), *path = NULL, *committed = NULL;
	struct layer_rw_options o = {.image_id = id};
	struct image_commit c = {.container_id = "c1",
				 .parent = id,
				 .repo = "committed",
				 .config = "{}",
				 .container_config = "{}"};
	auto_str changes = STR_INIT;
	uint64_t rw, total;
	struct stat st;
	auto_close fd = -1, again = -1;

	CHECK(layer_rw_create(store, "c1", &o, &err) == 0);
	CHECK(layer_rw_create(store, "c1", &o, &err) < 0 && err.kind == ERR_CONFLICT);
	CHECK(layer_rw_mount(store, "c1", &fd, &path, &err) == 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		CHECK(fstatat(fd, files[i], &st, 0) == 0 && st.st_size == 0 &&
		      (st.st_mode & 07777) == 0755);
	CHECK(fstatat(fd, "proc", &st, 0) == 0 && fstatat(fd, "dev/pts", &st, 0) == 0 &&
	      fstatat(fd, "etc/mtab", &st, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(layer_rw_changes(store, "c1", on_change, &changes, &err) == 0 && changes.len == 0);
	CHECK(file_write_atomic(fd, "bin/new", "12345", 5, 0644, false, &err) == 0 &&
	      unlinkat(fd, "attr", 0) == 0);
	CHECK(layer_rw_changes(store, "c1", on_change, &changes, &err) == 0);
	CHECK(strstr(changes.p, "1 /bin/new\n") && strstr(changes.p, "2 /attr\n") &&
	      strstr(changes.p, "0 /bin\n"));
	CHECK(layer_rw_size(store, "c1", &rw, &total, &err) == 0 && rw == 5 && total > 5);
	CHECK(layer_rw_mount(store, "c1", &again, NULL, &err) == 0 &&
	      layer_rw_unmount(store, "c1", &err) == 0);
	CHECK(fstatat(fd, "bin/new", &st, 0) == 0);
	CHECK(image_commit(store, &c, &committed, &err) == 0);
	fd_close(&fd);
	fd_close(&again);
	CHECK(layer_rw_unmount(store, "c1", &err) == 0 && layer_rw_remove(store, "c1", &err) == 0 &&
	      !layer_rw_exists(store, "c1"));
	o.image_id = committed;
	CHECK(layer_rw_create(store, "c2", &o, &err) == 0 &&
	      layer_rw_mount(store, "c2", &fd, NULL, &err) == 0);
	CHECK(fstatat(fd, "bin/new", &st, 0) == 0 && fstatat(fd, "attr", &st, 0) < 0 &&
	      fstatat(fd, "bin/sh", &st, 0) == 0);
	fd_close(&fd);
	CHECK(layer_rw_unmount(store, "c2", &err) == 0 && layer_rw_remove(store, "c2", &err) == 0);
	ok("container layer: init files, changes, size, commit");
}

static void users(void *ctx, const char *image_id, struct image_users *out)
{
	(void)image_id;
	if (ctx)
		image_users_add(out, "abcdefabcdefabcdef", *(bool *)ctx);
}

static void check_rules(void)
{
	auto_free char *id = image_resolve(store, "plain", &err), *text = NULL;
	struct image_deletions gone = {0};
	bool running = false;

	CHECK(image_delete(store, id, true, true, &gone, &err) < 0); /* parent of `committed` */
	text = xasprintf("conflict: unable to delete %.12s (cannot be forced) - image has "
			 "dependent child images",
			 id + 7);
	CHECK(streq(err.text, text) && err.kind == ERR_CONFLICT);
	free(text);
	CHECK(image_delete(store, "committed", false, false, &gone, &err) == 0);
	image_store_set_users(store, users, &running);
	CHECK(image_delete(store, "plain", false, true, &gone, &err) < 0);
	text = xasprintf("conflict: unable to remove repository reference \"plain\" (must force) - "
			 "container abcdefabcdef is using its referenced "
			 "image %.12s",
			 id + 7);
	CHECK(streq(err.text, text));
	free(text);
	CHECK(image_delete(store, id, false, true, &gone, &err) < 0);
	text = xasprintf("conflict: unable to delete %.12s (must be forced) - image is being used "
			 "by stopped container abcdefabcdef",
			 id + 7);
	CHECK(streq(err.text, text));
	image_store_set_users(store, NULL, NULL);
	CHECK(image_tag(store, "plain", "other/name", "v1", &err) == 0);
	CHECK(image_delete(store, id, false, true, &gone, &err) < 0 &&
	      strstr(err.text, "image is referenced in multiple repositories"));
	image_deletions_free(&gone);
	CHECK(image_delete(store, "other/name:v1", false, true, &gone, &err) == 0 && gone.n == 1);
	image_deletions_free(&gone);
	CHECK(image_tag(store, "plain", "Upper", "v1", &err) < 0 && err.kind == ERR_INVALID);
	ok("rules of removal");
}

/* ---- crashes ------------------------------------------------------------------------------------------------------------------------- */

static const char *const points[] = {
    "image.layer.after-prepare",   "image.layer.after-extract",    "image.layer.after-draft",
    "image.layer.after-sync",      "image.layer.after-publish",    "image.import.after-layer",
    "image.put.after-content",     "image.tags.before-write",      "image.tags.after-write",
    "image.rw.after-init-prepare", "image.rw.after-files",         "image.rw.after-init",
    "image.rw.after-create",       "image.rw.remove.after-rename", "image.rw.remove.after-mount",
    "image.rw.remove.after-init",  "image.delete.before-content",  "image.delete.after-content",
    "image.layer.after-withdraw"};

/* All that the points lie on. */
static int crash_child(void)
{
	auto_str tar = STR_INIT;
	auto_free char *id = NULL;
	struct layer_rw_options o = {0};
	struct image_deletions gone = {0};

	open_store();
	tar_file(&tar, "crash", "crash");
	tar_end(&tar);
	CHECK(import_tar(&tar, "crash", &id) == 0);
	o.image_id = id;
	CHECK(layer_rw_create(store, "crash", &o, &err) == 0 &&
	      layer_rw_remove(store, "crash", &err) == 0);
	CHECK(image_delete(store, "crash", true, true, &gone, &err) == 0);
	close_store();
	return 0;
}

static size_t entries(const char *sub)
{
	auto_free char *path = xasprintf("%s/%s", root, sub);
	auto_dir DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	return n;
}

static void count_rows(const struct dockerd_emit *to, const char *key, const char *value)
{
	(void)key, (void)value;
	++*(size_t *)to->ctx;
}

static size_t driver_layers(void)
{
	size_t n = 0;
	struct dockerd_emit to = {.size = sizeof(to), .row = count_rows, .ctx = &n};
	struct dockerd_error e = plugin_error_init();

	CHECK(instance.plugin->ops.storage.list(instance.self, &to, &e) == 0);
	return n;
}

static void crash_at(const char *point)
{
	auto_free char *fault = xasprintf("%s=kill", point);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setenv("DOCKERD_FAULT", fault, 1);
		execl("/proc/self/exe", "test_images", "--crash", driver, root, (char *)NULL);
		_exit(127);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* A prune waits for what was removed to leave the disk. */
static void settle(void)
{
	struct image_prune dangling = {.dangling_only = true};
	struct image_deletions gone = {0};

	error_clear(&err);
	CHECK(image_prune(store, &dangling, &gone, &err) == 0);
	image_deletions_free(&gone);
}

/* After each kill: what is left is whole, and once it is removed nothing is. */
static void check_crashes(void)
{
	size_t layers, before;

	settle();
	before = driver_layers();
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		struct image_deletions gone = {0};
		auto_free char *tmp = xasprintf("image/%s/layerdb/tmp", driver),
			       *mounts = xasprintf("image/%s/layerdb/mounts", driver);
		struct image *img;

		close_store();
		crash_at(points[i]);
		error_clear(&err);
		open_store();
		img = image_get(store, "crash", &err);
		if (img) {
			auto_close saved = save_to_file("crash"); /* checks the bytes */

			CHECK(saved >= 0 && img->n_layers == 1);
			image_free(img);
		}
		settle();
		CHECK(entries(tmp) == 0);
		CHECK(layer_rw_remove(store, "crash", &err) == 0 && entries(mounts) == 0);
		error_clear(&err);
		image_delete(store, "crash", true, true, &gone, &err);
		image_deletions_free(&gone);
		settle();
		layers = driver_layers();
		if (layers != before)
			printf("# %s: %zu layers, %zu before\n", points[i], layers, before);
		CHECK(layers == before);
	}
	ok("kill -9 at each point leaves old or new");
}

static void run(const char *name)
{
	driver = name;
	snprintf(root, sizeof(root), "/var/tmp/dockerd-test-images-%d", (int)getpid());
	CHECK(mkdir(root, 0700) == 0);
	open_store();
	check_round_trip();
	check_load();
	check_hostile();
	check_container();
	check_rules();
	if (WITH_FAULTS)
		check_crashes();
	close_store();
	CHECK(dir_remove_all(AT_FDCWD, root, &err) == 0);
}

/* Run by hand the build tree is the current directory; make check says it in the environment. */
static void find_build_tree(void)
{
	char cwd[PATH_MAX], drivers[PATH_MAX + 16];

	if (!getcwd(cwd, sizeof(cwd)))
		return;
	snprintf(drivers, sizeof(drivers), "%s/drivers", cwd);
	setenv("DOCKERD_LIBEXECDIR", cwd, 0);
	setenv("DOCKERD_DRIVER_PATH", drivers, 0);
}

int main(int argc, char **argv)
{
	struct error absent = ERROR_INIT;
	auto_free char *overlay2 = NULL, *vfs = NULL;

	log_setup(LOG_LEVEL_ERROR, false, false);
	find_build_tree();
	if (argc == 4 && streq(argv[1], "--crash")) {
		driver = argv[2];
		snprintf(root, sizeof(root), "%s", argv[3]);
		return crash_child();
	}
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 77;
	}
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("Bail out! mount namespace: %s\n", strerror(errno));
		return 1;
	}
	overlay2 = plugin_find(DOCKERD_KIND_STORAGE, "overlay2", &absent);
	vfs = plugin_find(DOCKERD_KIND_STORAGE, "vfs", &absent);
	if (overlay2)
		run("overlay2");
	if (vfs)
		run("vfs");
	printf("1..%d\n", count);
	return 0;
}
