/* SPDX-License-Identifier: Apache-2.0 */
/* Storage drivers where there is no room: the size of a container's layer, a full disk, a disk that can't be written. */
#include "kit.h"
#include "storage_suite.h"
#include "suite_storage.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Writes until it is told to stop; errno then, 0 if all went in. */
static int storage_fill(int dir, const char *name, size_t bytes)
{
	static const char zeros[65536];
	auto_close fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int why = fd < 0 ? errno : 0;

	for (size_t n = 0; !why && n < bytes;) {
		ssize_t did = write(fd, zeros, sizeof(zeros)); /* the last one may be short */

		if (did < 0)
			why = errno;
		else
			n += (size_t)did;
	}
	if (!why && fsync(fd) < 0)
		why = errno;
	return why;
}

/* As a container: who has CAP_SYS_RESOURCE is limited by some file systems, and not by others. */
static void drop_resource(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) == 0) {
		d[0].effective &= ~(UINT32_C(1) << CAP_SYS_RESOURCE);
		syscall(SYS_capset, &h, d);
	}
}

/* Where the file system has no quotas, a container that wants one is refused, and nothing of it is left; where it has, the limit holds. */
void storage_check_size(struct kit *k)
{
	struct suite s = storage_begin(k);
	auto_pairs small = PAIRS_INIT;
	struct dockerd_layer box = storage_layer("small", "child"),
			     free_one = storage_layer("unlimited", "child");
	struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1};
	struct dockerd_options *o;
	int32_t r;

	drop_resource();
	pairs_add(&small, "size", "8m");
	o = kit_options(k, DOCKERD_SCOPE_CONTAINER, &small);
	box.options = o;
	r = KIT_CALL(k, storage, create_rw, &box);
	if (r < 0)
		KIT_CHECK(k, KIT_CALL(k, storage, exists, &box) == 0,
			  "create_rw with a size fails and leaves the layer");
	for (int i = 0; r == 0 && i < 2; i++) { /* after a second mount as well */
		int why;

		KIT_MUST(k, storage, mount, &box, &d);
		why = storage_fill(d.fd, "big", 24 << 20);
		KIT_CHECK(k, why == ENOSPC || why == EDQUOT,
			  "a layer of size 8m takes 24 MiB, or fails otherwise: %s", strerror(why));
		KIT_CHECK(k, unlinkat(d.fd, "big", 0) == 0,
			  "a full layer does not let a file go: %s", strerror(errno));
		close(d.fd);
		KIT_MUST(k, storage, unmount, &box);
	}
	plugin_options_free(o);
	KIT_MUST(k, storage, create_rw, &free_one);
	KIT_MUST(k, storage, mount, &free_one, &d);
	KIT_CHECK(k, storage_fill(d.fd, "big", 24 << 20) == 0,
		  "a layer without a size has a limit");
	close(d.fd);
	KIT_MUST(k, storage, unmount, &free_one);
	KIT_MUST(k, storage, remove, &free_one);
	KIT_MUST(k, storage, remove, &box);
	suite_end(&s);
	if (r < 0)
		kit_skip(k, "no quotas on this file system: refused, as it should be");
}

/* Layers until the disk is full: the one that does not go in leaves nothing that is taken for a layer, those before stay whole, and all of it goes. */
void storage_check_full(struct kit *k)
{
	struct dockerd_layer base = storage_layer("base", NULL);
	struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1};
	struct dockerd_error err = {.size = sizeof(err)};
	struct stat st;
	char id[32];
	int why = 0, n = 0;

	if (geteuid() != 0)
		kit_skip(k, "needs root");
	if (mount("tmpfs", k->root, "tmpfs", 0, "size=3m,mode=700") < 0)
		kit_skip(k, "no tmpfs can be mounted here");
	if (kit_try_open(k, &err) < 0)
		kit_skip(k, "not on tmpfs: %s", err.text);
	KIT_MUST(k, storage, prepare, &base, &d);
	KIT_CHECK(k, mkdirat(d.fd, "dir", 0755) == 0 && storage_fill(d.fd, "dir/f", 1 << 20) == 0,
		  "1 MiB does not go onto a disk of 3 MiB");
	close(d.fd);
	KIT_MUST(k, storage, commit, &base);
	while (!why && ++n < 5) {
		struct dockerd_layer l = storage_layer(id, "base");

		snprintf(id, sizeof(id), "full-%d", n);
		d.fd = -1;
		why = KIT_CALL(k, storage, prepare, &l, &d) < 0 ? ENOSPC : 0;
		if (why) {
			KIT_CHECK(k, KIT_CALL(k, storage, exists, &l) == 0,
				  "prepare fails on a full disk, and leaves the layer");
			break;
		}
		why = storage_fill(d.fd, "f", 1 << 20);
		close(d.fd);
	}
	KIT_CHECK(k, why == ENOSPC, "a disk of 3 MiB never gets full: %s", strerror(why));
	for (int i = 1; i <= n; i++) {
		struct dockerd_layer l = storage_layer(id, "base"),
				     rw = storage_layer("rw", "base");

		/* full to the brim: a container may be made or not, but not half */
		if (i == 1 && KIT_CALL(k, storage, create_rw, &rw) < 0)
			KIT_CHECK(k, KIT_CALL(k, storage, exists, &rw) == 0,
				  "create_rw fails on a full disk, and leaves the layer");
		KIT_MUST(k, storage, remove, &rw);
		snprintf(id, sizeof(id), "full-%d", i);
		KIT_MUST(k, storage, remove, &l);
		KIT_CHECK(k, KIT_CALL(k, storage, exists, &l) == 0,
			  "a layer is there after its removal from a full disk");
	}
	d.fd = -1;
	KIT_MUST(k, storage, mount, &base, &d);
	KIT_CHECK(k, fstatat(d.fd, "dir/f", &st, 0) == 0 && st.st_size == 1 << 20,
		  "a full disk has damaged a layer that was whole");
	close(d.fd);
	KIT_MUST(k, storage, unmount, &base);
	KIT_MUST(k, storage, remove, &base);
	kit_close(k);
	umount2(k->root, MNT_DETACH);
}

static void remount(struct kit *k, bool read_only)
{
	KIT_CHECK(k,
		  mount(NULL, k->root, NULL, MS_REMOUNT | MS_BIND | (read_only ? MS_RDONLY : 0),
			NULL) == 0,
		  "the kit can't remount %s: %s", k->root, strerror(errno));
}

/* The disk has turned read-only, as after a fault of it: errors, not lies; when it is back, so is everything. */
void storage_check_read_only(struct kit *k)
{
	struct suite s = storage_begin(k);
	struct dockerd_layer base = storage_layer("base", NULL), new = storage_layer("new", "base"),
			     rw = storage_layer("rw", "base");
	struct dockerd_layer_dir d = {.size = sizeof(d), .fd = -1};
	struct dockerd_error err = {.size = sizeof(err)};

	kit_close(k);
	if (mount(k->root, k->root, NULL, MS_BIND, NULL) < 0)
		kit_skip(k, "no bind mounts here");
	remount(k, true);
	if (kit_try_open(k, &err) == 0) {
		KIT_CHECK(k, KIT_CALL(k, storage, exists, &base) == 1,
			  "a layer is not there because the disk is read-only");
		KIT_CHECK(k, KIT_CALL(k, storage, prepare, &new, &d) < 0,
			  "prepare succeeds on a read-only disk");
		KIT_CHECK(k, KIT_CALL(k, storage, create_rw, &rw) < 0,
			  "create_rw succeeds on a read-only disk");
		KIT_CHECK(k,
			  KIT_CALL(k, storage, exists, &new) == 0 &&
			      KIT_CALL(k, storage, exists, &rw) == 0,
			  "a layer that could not be made is there");
		KIT_CHECK(k, KIT_CALL(k, storage, remove, &base) < 0,
			  "remove succeeds on a read-only disk");
		kit_close(k);
	}
	remount(k, false);
	umount2(k->root, MNT_DETACH);
	kit_open(k);
	s.self = k->instance.self;
	suite_end(&s);
}
