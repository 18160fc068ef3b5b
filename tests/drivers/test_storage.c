/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage drivers on real file systems. Needs root. Runs in a mount namespace of its own, and loop devices detach themselves: nothing stays
 * even if it is killed.
 */
#include "base/error.h"
#include "base/file.h"
#include "storage_suite.h"
#include "plugin/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK "disk" /* image file of the btrfs check */

static char root[PATH_MAX]; /* of this test */
static int total;

static void die(const char *what, const char *why)
{
	printf("Bail out! %s: %s\n", what, why);
	exit(1);
}

void suite_ok(struct suite *s, const char *what)
{
	printf("ok %d - %s: %s\n", ++s->count, s->name, what);
	fflush(stdout);
}

void suite_fail(const char *file, int line, int errnum, const char *fmt, ...)
{
	va_list ap;

	printf("not ok - %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(errnum ? " (%s)\n" : "\n", strerror(errnum));
	exit(1);
}

static const char *home_of(const char *driver)
{
	static char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s-home", root, driver);
	return path;
}

static struct plugin_instance instance;

static void *open_driver(struct suite *s)
{
	const struct plugin *p;
	struct dockerd_options *o = NULL;
	struct pairs none = PAIRS_INIT;
	struct error err = ERROR_INIT;

	p = plugin_load(DOCKERD_KIND_STORAGE, s->name, &err);
	if (!p || plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, &none, &o, &err) < 0 ||
	    plugin_probe(p, home_of(s->name), root, o, &err) < 0 ||
	    plugin_open(p, home_of(s->name), root, o, &instance, &err) < 0)
		die(s->name, err.text);
	plugin_options_free(o);
	s->ops = &instance.plugin->ops.storage;
	s->capabilities = instance.plugin->capabilities;
	return instance.self;
}

static void *reopen(struct suite *s)
{
	plugin_close(&instance);
	return open_driver(s);
}

/* Fault points are read once per process, so it takes a new one. */
static int crash(struct suite *s, const char *point)
{
	char fault[128];
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(fault, sizeof(fault), "%s=kill", point);
		setenv("DOCKERD_FAULT", fault, 1);
		execl("/proc/self/exe", "test_storage", "--crash", s->name, root, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork", strerror(errno));
	return status;
}

static int crash_child(char **argv)
{
	struct suite s = {.name = argv[2], .root = root};

	snprintf(root, sizeof(root), "%s", argv[3]);
	s.self = open_driver(&s);
	suite_make_and_remove(&s);
	return 0;
}

static void run(const char *driver, const char *const *faults)
{
	struct suite s = {.name = driver,
			  .root = root,
			  .faults = faults,
			  .reopen = reopen,
			  .crash = crash,
			  .count = total};

	mkdir(home_of(driver), 0700);
	s.self = open_driver(&s);
	suite_run(&s);
	plugin_close(&instance);
	total = s.count;
}

static int program(const char *const *argv)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
									       : -1;
}

/* The file as a block device that goes away with its last user; descriptor, and its name. */
static int attach(const char *file, char name[32])
{
	struct loop_config c = {.info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC),
	    backing = open(file, O_RDWR | O_CLOEXEC), fd = -1;

	c.fd = (uint32_t)backing;
	for (int tries = 0; control >= 0 && backing >= 0 && fd < 0 && tries < 16; tries++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(name, 32, "/dev/loop%d", n);
		fd = n < 0 ? -1 : open(name, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &c) < 0) { /* another one took it */
			close(fd);
			fd = -1;
		}
	}
	if (control >= 0)
		close(control);
	if (backing >= 0)
		close(backing);
	return fd;
}

static void run_btrfs(const char *const *faults)
{
	char file[PATH_MAX + 8], device[32];
	const char *const mkfs[] = {"mkfs.btrfs", "-q", file, NULL};
	int fd, disk;

	snprintf(file, sizeof(file), "%s/" DISK, root);
	disk = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (disk < 0 || ftruncate(disk, 512 << 20) < 0)
		die(file, strerror(errno));
	close(disk);
	mkdir(home_of("btrfs"), 0700);
	if (program(mkfs) != 0 || (fd = attach(file, device)) < 0) {
		printf("ok %d # SKIP btrfs: no mkfs.btrfs or no loop device here\n", ++total);
		return;
	}
	if (mount(device, home_of("btrfs"), "btrfs", 0, NULL) < 0) {
		printf("ok %d # SKIP btrfs: %s\n", ++total, strerror(errno));
	} else {
		run("btrfs", faults);
		umount2(home_of("btrfs"), MNT_DETACH);
	}
	close(fd);
}

static bool built(const char *driver)
{
	struct error err = ERROR_INIT;
	char *path = plugin_find(DOCKERD_KIND_STORAGE, driver, &err);
	bool found = path != NULL;

	free(path);
	return found;
}

int main(int argc, char **argv)
{
#ifdef ENABLE_FAULTS
	static const char *const stacked[] = {"stacked.create.after-mkdir",
					      "stacked.create.after-marker",
					      "stacked.create.before-link",
					      "stacked.commit.before",
					      "stacked.mount.before",
					      "stacked.mount.after",
					      "stacked.unmount.after",
					      "stacked.remove.after-link",
					      NULL};
	static const char *const fuse[] = {"stacked.mount.before", "fuse-overlayfs.mount.unserved",
					   "stacked.mount.after", "stacked.unmount.after", NULL};
	static const char *const overlay[] = {"overlay.create.after-mkdir",
					      "overlay.create.after-tree",
					      "overlay.create.before-lower",
					      "overlay.commit.before",
					      "overlay.mount.before",
					      "overlay.mount.after",
					      "overlay.unmount.after",
					      "overlay.remove.after-lower",
					      NULL};
	static const char *const devicemapper[] = {"devicemapper.create.begun",
						   "devicemapper.create.made",
						   "devicemapper.create.saved",
						   "devicemapper.mount.before",
						   "devicemapper.mount.after",
						   "devicemapper.commit.before",
						   "devicemapper.unmount.after",
						   "devicemapper.remove.marked",
						   "devicemapper.delete.begun",
						   "devicemapper.delete.made",
						   NULL};
	static const char *const vfs[] = {"vfs.create.after-mkdir", "vfs.create.after-copy",
					  "plain.commit.before", "vfs.remove.after-rename", NULL};
	static const char *const btrfs[] = {"btrfs.create.after-subvolume", "plain.commit.before",
					    "btrfs.remove.after-subvolume", NULL};
#else
	static const char *const *const stacked = NULL, *const *const fuse = NULL,
					*const *const overlay = NULL, *const *const vfs = NULL,
					*const *const devicemapper = NULL,
					*const *const btrfs = NULL;
#endif
	char cwd[PATH_MAX], drivers[PATH_MAX + 16];
	struct error err = ERROR_INIT;

	if (argc == 4 && !strcmp(argv[1], "--crash"))
		return crash_child(argv);
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 77;
	}
	if (!getcwd(cwd, sizeof(cwd)))
		die("getcwd", strerror(errno));
	snprintf(drivers, sizeof(drivers), "%s/drivers", cwd);
	setenv("DOCKERD_DRIVER_PATH", drivers, 0);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("mount namespace", strerror(errno));
	snprintf(root, sizeof(root), "/var/tmp/dockerd-test-storage-%d", (int)getpid());
	if (mkdir(root, 0700) < 0)
		die(root, strerror(errno));
	if (built("overlay2"))
		run("overlay2", stacked);
	if (built("overlay"))
		run("overlay", overlay);
	if (built("fuse-overlayfs") &&
	    (access("/usr/bin/fuse-overlayfs", X_OK) < 0 || access("/dev/fuse", R_OK | W_OK) < 0))
		printf("ok %d # SKIP no fuse-overlayfs or /dev/fuse here\n", ++total);
	else if (built("fuse-overlayfs"))
		run("fuse-overlayfs", fuse);
	if (built("devicemapper") && access("/dev/mapper/control", R_OK | W_OK) == 0)
		run("devicemapper", devicemapper);
	if (built("vfs"))
		run("vfs", vfs);
	if (built("btrfs"))
		run_btrfs(btrfs);
	dir_remove_all(AT_FDCWD, root, &err);
	printf("1..%d\n", total);
	return 0;
}
