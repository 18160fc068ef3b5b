/* SPDX-License-Identifier: Apache-2.0 */
/* devicemapper: operations, options and status of the driver. See devicemapper.h. */
#include "devicemapper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../common/tree.h"
#include "base/fault.h"

#define GIB (INT64_C(1) << 30)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_reserved(const char *name)
{
	return !strcmp(name, "base") || !strcmp(name, "deviceset-metadata") ||
	       !strcmp(name, "transaction-metadata");
}

/*
 * Layers go by hexadecimal digits; one that is called as a file of metadata/ is, gets another name there.
 */
static struct dockerd_layer own(const struct dockerd_layer *l)
{
	struct dockerd_layer o = {.size = sizeof(o),
				  .id = l->id,
				  .parent = l->parent,
				  .mount_label = l->mount_label,
				  .options = l->options};

	if (o.id && !strcmp(o.id, "base"))
		o.id = "base_";
	if (o.parent && !strcmp(o.parent, "base"))
		o.parent = "base_";
	return o;
}

static int check_id(const char *id, const char *what, struct dockerd_error *err)
{
	return tree_valid_id(id) && !is_reserved(id)
		   ? 0
		   : dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid %s id '%s'", what,
				  id ? id : "");
}

static bool marked(const struct devmapper *d, const char *mark, const char *id)
{
	char name[256];

	snprintf(name, sizeof(name), ".%s-%s", mark, id);
	return tree_exists(d->metadata, name);
}

static int mark(const struct devmapper *d, const char *what, const char *id, bool on,
		struct dockerd_error *err)
{
	char name[256];

	snprintf(name, sizeof(name), ".%s-%s", what, id);
	if (on ? tree_write(d->metadata, name, 0600, "", 0) < 0
	       : unlinkat(d->metadata, name, 0) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "mark layer %s as %s", id, what);
	return 0;
}

/* ---- mounts -------------------------------------------------------------------------------------------------------------------- */

/* What dm.mountopt says, as flags of mount(2) where it has them; the rest into `data`. */
static unsigned long mount_flags(const struct devmapper *d, char *data, size_t size)
{
	static const struct {
		const char *word;
		unsigned long flag;
	} words[] = {
	    {"nodev", MS_NODEV},           {"nosuid", MS_NOSUID},     {"noexec", MS_NOEXEC},
	    {"noatime", MS_NOATIME},       {"relatime", MS_RELATIME}, {"ro", MS_RDONLY},
	    {"nodiratime", MS_NODIRATIME}, {"sync", MS_SYNCHRONOUS},  {"defaults", 0}};
	unsigned long flags = 0;
	size_t n = (size_t)snprintf(data, size, "%s", strcmp(d->fs, "xfs") ? "" : "nouuid");

	for (const char *p = d->mount_opts; *p;) {
		size_t len = strcspn(p, ","), i;

		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strlen(words[i].word) == len && !strncmp(p, words[i].word, len))
				break;
		if (i < sizeof(words) / sizeof(words[0]))
			flags |= words[i].flag;
		else if (n < size)
			n += (size_t)snprintf(data + n, size - n, "%s%.*s", n ? "," : "", (int)len,
					      p);
		p += len + (p[len] == ',');
	}
	return flags;
}

/* mnt/ID shows the device. */
static int mount_device(struct devmapper *d, const struct dockerd_layer *l,
			struct dockerd_error *err)
{
	char name[256], device[300], target[4096], data[1024];
	bool final = marked(d, "final", l->id);
	unsigned long flags = mount_flags(d, data, sizeof(data));
	int r;

	if (tree_mkdir(d->mnt, l->id, 0700) < 0 && errno != EEXIST)
		return dockerd_fail_errno(err, errno, "mkdir %s/mnt/%s", d->path, l->id);
	if (tree_is_mount(d->mnt, l->id) == 1)
		return 0;
	pthread_mutex_lock(&lock);
	r = pool_activate(d, l->id, err);
	pthread_mutex_unlock(&lock);
	FAULT("devicemapper.mount.before");
	pool_device_name(d, l->id, name);
	snprintf(device, sizeof(device), "/dev/mapper/%s", name);
	snprintf(target, sizeof(target), "%s/mnt/%s", d->path, l->id);
	if (l->mount_label && *l->mount_label)
		snprintf(data + strlen(data), sizeof(data) - strlen(data), "%scontext=\"%s\"",
			 *data ? "," : "", l->mount_label);
	if (r == 0)
		r = d->host->mount(d->host, device, target, d->fs, flags | (final ? MS_RDONLY : 0),
				   data, err);
	FAULT("devicemapper.mount.after");
	if (r < 0)
		unlinkat(d->mnt, l->id, AT_REMOVEDIR);
	return r;
}

/* A device that somebody still has open goes when he closes it. */
static int unmount_device(struct devmapper *d, const char *id, struct dockerd_error *err)
{
	char target[4096];
	int r;

	snprintf(target, sizeof(target), "%s/mnt/%s", d->path, id);
	if (tree_is_mount(d->mnt, id) == 1 &&
	    d->host->unmount(d->host, target, MNT_DETACH, err) < 0)
		return -1;
	FAULT("devicemapper.unmount.after");
	if (unlinkat(d->mnt, id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "remove %s", target);
	pthread_mutex_lock(&lock);
	r = pool_deactivate(d, id, err);
	pthread_mutex_unlock(&lock);
	return r < 0 && err->sys_errno == EBUSY ? 0 : r;
}

static int give_dir(struct devmapper *d, const char *id, struct dockerd_layer_dir *out,
		    struct dockerd_error *err)
{
	snprintf(out->path, sizeof(out->path), "%s/mnt/%s/rootfs", d->path, id);
	out->whiteouts = DOCKERD_WHITEOUT_NONE;
	out->fd = tree_open(AT_FDCWD, out->path);
	return out->fd < 0 ? dockerd_fail_errno(err, errno, "open %s", out->path) : 0;
}

/* ---- making and removing ------------------------------------------------------------------------------------------------------- */

static int32_t dm_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err);

static int create(struct devmapper *d, const struct dockerd_layer *l, bool incomplete,
		  struct dockerd_error *err)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	struct dm_device have;
	char rootfs[300];
	int r;

	if (check_id(l->id, "layer", err) < 0 ||
	    (l->parent && check_id(l->parent, "parent layer", err) < 0))
		return -1;
	if (pool_device(d, l->id, &have))
		return dockerd_fail(err, DOCKERD_ERR_CONFLICT, "layer %s already exists", l->id);
	if (mark(d, "incomplete", l->id, true, err) < 0)
		return -1;
	pthread_mutex_lock(&lock);
	r = pool_snapshot(d, l->id, l->parent, err);
	pthread_mutex_unlock(&lock);
	/* a layer without a parent has none of what others inherit */
	if (r == 0 && (incomplete || !l->parent) && (r = mount_device(d, l, err)) == 0) {
		snprintf(rootfs, sizeof(rootfs), "%s/rootfs", l->id);
		if (tree_mkdir(d->mnt, rootfs, 0755) < 0 && errno != EEXIST)
			r = dockerd_fail_errno(err, errno, "mkdir %s/mnt/%s", d->path, rootfs);
	}
	if (r == 0 && !incomplete) {
		if (!l->parent)
			r = unmount_device(d, l->id, err);
		if (r == 0)
			r = mark(d, "incomplete", l->id, false, err);
	}
	if (r < 0)
		dm_remove(d, l, &ignored);
	return r;
}

static int32_t dm_prepare(void *self, const struct dockerd_layer *given,
			  struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	const struct dockerd_layer named = own(given), *l = &named;
	return create(self, l, true, err) < 0 ? -1 : give_dir(self, l->id, out, err);
}

static int32_t dm_commit(void *self, const struct dockerd_layer *given, struct dockerd_error *err)
{
	const struct dockerd_layer named = own(given), *l = &named;
	struct devmapper *d = self;
	int fd;

	if (check_id(l->id, "layer", err) < 0)
		return -1;
	fd = tree_open(d->mnt, l->id);
	if (fd < 0 || syncfs(fd) < 0) {
		dockerd_fail_errno(err, errno, "sync layer %s", l->id);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	FAULT("devicemapper.commit.before");
	return unmount_device(d, l->id, err) < 0 || mark(d, "final", l->id, true, err) < 0 ||
		       mark(d, "incomplete", l->id, false, err) < 0
		   ? -1
		   : 0;
}

static int32_t dm_create_rw(void *self, const struct dockerd_layer *given,
			    struct dockerd_error *err)
{
	const struct dockerd_layer named = own(given), *l = &named;
	return create(self, l, false, err);
}

static int32_t dm_mount(void *self, const struct dockerd_layer *given,
			struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	const struct dockerd_layer named = own(given), *l = &named;
	if (check_id(l->id, "layer", err) < 0 || mount_device(self, l, err) < 0)
		return -1;
	return give_dir(self, l->id, out, err);
}

static int32_t dm_unmount(void *self, const struct dockerd_layer *given, struct dockerd_error *err)
{
	const struct dockerd_layer named = own(given), *l = &named;
	return check_id(l->id, "layer", err) < 0 ? -1 : unmount_device(self, l->id, err);
}

static int32_t dm_remove(void *self, const struct dockerd_layer *given, struct dockerd_error *err)
{
	const struct dockerd_layer named = own(given), *l = &named;
	struct devmapper *d = self;
	int r;

	/* from now on it is no layer, whatever becomes of the rest */
	if (check_id(l->id, "layer", err) < 0 || mark(d, "incomplete", l->id, true, err) < 0)
		return -1;
	FAULT("devicemapper.remove.marked");
	if (unmount_device(d, l->id, err) < 0)
		return -1;
	pthread_mutex_lock(&lock);
	r = pool_delete(d, l->id, err);
	pthread_mutex_unlock(&lock);
	if (r < 0)
		return -1;
	return mark(d, "final", l->id, false, err) < 0 ? -1
						       : mark(d, "incomplete", l->id, false, err);
}

static int32_t dm_exists(void *self, const struct dockerd_layer *given, struct dockerd_error *err)
{
	const struct dockerd_layer named = own(given), *l = &named;
	struct dm_device dev;

	(void)err;
	return tree_valid_id(l->id) && !is_reserved(l->id) && pool_device(self, l->id, &dev) &&
	       !marked(self, "incomplete", l->id);
}

/* Records, and marks whose record was never made. */
static int32_t dm_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	struct devmapper *d = self;
	int fd = openat(d->metadata, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir)
		return dockerd_fail_errno(err, errno, "read %s/metadata", d->path);
	while ((e = readdir(dir))) {
		const char *id = e->d_name;
		struct dm_device dev;

		if (!strncmp(id, ".incomplete-", 12) && !pool_device(d, id + 12, &dev))
			id += 12;
		else if (*id == '.' || is_reserved(id))
			continue;
		to->row(to, strcmp(id, "base_") ? id : "base", "");
	}
	closedir(dir);
	return 0;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------- */

static void human(char out[32], double bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	int i = 0;

	for (; bytes >= 1000 && i < 4; i++)
		bytes /= 1000;
	snprintf(out, 32, "%.4g%s", bytes, units[i]);
}

static void size_row(const struct dockerd_emit *to, const char *key, uint64_t bytes)
{
	char text[32];

	human(text, (double)bytes);
	to->row(to, key, text);
}

static int32_t dm_status(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	struct devmapper *d = self;
	uint64_t block = (uint64_t)d->block_sectors * 512, meta = 4096;
	struct dm_pool_status st;
	char path[4096];
	int r;

	pthread_mutex_lock(&lock);
	r = pool_status(d, &st, err);
	pthread_mutex_unlock(&lock);
	if (r < 0)
		return -1;
	to->row(to, "Pool Name", d->pool);
	size_row(to, "Pool Blocksize", block);
	size_row(to, "Base Device Size", d->base_size);
	to->row(to, "Backing Filesystem", d->fs);
	to->row(to, "Udev Sync Supported", task_udev_sync() ? "true" : "false");
	size_row(to, "Data Space Used", st.data_used * block);
	size_row(to, "Data Space Total", st.data_total * block);
	size_row(to, "Data Space Available", (st.data_total - st.data_used) * block);
	size_row(to, "Metadata Space Used", st.meta_used * meta);
	size_row(to, "Metadata Space Total", st.meta_total * meta);
	size_row(to, "Metadata Space Available", (st.meta_total - st.meta_used) * meta);
	size_row(to, "Thin Pool Minimum Free Space", st.data_total * d->min_free / 100 * block);
	to->row(to, "Deferred Removal Enabled", d->deferred ? "true" : "false");
	if (d->loops) {
		snprintf(path, sizeof(path), "%s/devicemapper/data", d->path);
		to->row(to, "Data loop file", path);
		snprintf(path, sizeof(path), "%s/devicemapper/metadata", d->path);
		to->row(to, "Metadata loop file", path);
	}
	to->row(to, "Library Version", task_library_version());
	return 0;
}

static int32_t dm_metadata(void *self, const struct dockerd_layer *given,
			   const struct dockerd_emit *to, struct dockerd_error *err)
{
	const struct dockerd_layer named = own(given), *l = &named;
	struct devmapper *d = self;
	struct dm_device dev;
	char text[300];

	if (check_id(l->id, "layer", err) < 0)
		return -1;
	if (!pool_device(d, l->id, &dev))
		return dockerd_fail(err, DOCKERD_ERR_NOT_FOUND, "Unknown device %s", l->id);
	snprintf(text, sizeof(text), "%u", dev.id);
	to->row(to, "DeviceId", text);
	pool_device_name(d, l->id, text);
	to->row(to, "DeviceName", text);
	snprintf(text, sizeof(text), "%" PRIu64, dev.size);
	to->row(to, "DeviceSize", text);
	return 0;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------- */

static int32_t dm_probe(const struct dockerd_open *a, struct dockerd_error *err)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	(void)a;
	if (fd < 0) {
		dockerd_fail_errno(err, errno,
				   "devmapper: the kernel's device-mapper can't be used: "
				   "/dev/mapper/control");
		err->category = DOCKERD_ERR_UNSUITABLE;
		return -1;
	}
	close(fd);
	return 0;
}

static void dm_close(void *self)
{
	struct devmapper *d = self;

	pthread_mutex_lock(&lock);
	if (*d->pool)
		pool_close(d);
	pthread_mutex_unlock(&lock);
	task_exit();
	if (d->metadata >= 0)
		close(d->metadata);
	if (d->mnt >= 0)
		close(d->mnt);
	if (d->root >= 0)
		close(d->root);
	free(d->options);
	free(d->path);
	free(d);
}

static int open_dirs(struct devmapper *d, const struct dockerd_open *a, struct dockerd_error *err)
{
	struct stat st;

	d->root = tree_open(AT_FDCWD, a->root);
	d->metadata = d->mnt = -1;
	d->path = strdup(a->root);
	if (d->root < 0 || !d->path || fstat(d->root, &st) < 0 ||
	    (tree_mkdir(d->root, "metadata", 0700) < 0 && errno != EEXIST) ||
	    (tree_mkdir(d->root, "mnt", 0700) < 0 && errno != EEXIST) ||
	    (d->metadata = tree_open(d->root, "metadata")) < 0 ||
	    (d->mnt = tree_open(d->root, "mnt")) < 0)
		return dockerd_fail_errno(err, errno, "open %s", a->root);
	snprintf(d->prefix, sizeof(d->prefix), "docker-%u:%u-%" PRIu64, major(st.st_dev),
		 minor(st.st_dev), (uint64_t)st.st_ino);
	return 0;
}

static void read_options(struct devmapper *d, const struct dockerd_options *o)
{
	const struct dockerd_value *fs = dockerd_option_get(o, "devicemapper.fs"),
				   *opts = dockerd_option_get(o, "devicemapper.mountopt"), *v;

	d->options = strdup(opts ? opts->text : "");
	d->mount_opts = d->options ? d->options : "";
	d->fs = fs ? (strcmp(fs->text, "xfs") ? "ext4" : "xfs")
		   : (access("/sbin/mkfs.xfs", X_OK) == 0 ? "xfs" : "ext4");
	v = dockerd_option_get(o, "devicemapper.basesize");
	d->base_size = (uint64_t)(v ? v->number : 10 * GIB);
	v = dockerd_option_get(o, "devicemapper.blocksize");
	d->block_sectors = (uint32_t)((v ? v->number : 65536) / 512);
	v = dockerd_option_get(o, "devicemapper.min_free_space");
	d->min_free = v ? (uint32_t)strtoul(v->text, NULL, 10) : 10;
	v = dockerd_option_get(o, "devicemapper.use_deferred_removal");
	d->deferred = !v || v->number;
}

static int32_t dm_open(const struct dockerd_open *a, void **self, struct dockerd_error *err)
{
	struct devmapper *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "out of memory");
	d->host = a->host;
	d->root = d->metadata = d->mnt = -1;
	task_init(a->host);
	read_options(d, a->options);
	if (!DOCKERD_HAS(a->host, mount) || !DOCKERD_HAS(a->host, unmount) ||
	    !DOCKERD_HAS(a->host, run)) {
		dm_close(d);
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "the daemon offers no mount or run service");
	}
	if (open_dirs(d, a, err) == 0) {
		snprintf(d->pool, sizeof(d->pool), "%s-pool", d->prefix);
		pthread_mutex_lock(&lock);
		r = pool_open(d, a->options, err);
		pthread_mutex_unlock(&lock);
		if (r == 0) {
			*self = d;
			return 0;
		}
	}
	dm_close(d);
	return -1;
}

/* moby's names are the aliases: options begin with the driver's name. */
#define OPTION(k, t, h)                                                \
	{                                                              \
		.key = "devicemapper." k, .alias = "dm." k, .type = t, \
		.scope = DOCKERD_SCOPE_DAEMON, .help = h               \
	}
static const struct dockerd_option options[] = {
    OPTION("thinpooldev", DOCKERD_OPT_STRING, "an existing thin pool: /dev/mapper/NAME"),
    OPTION("datadev", DOCKERD_OPT_PATH, "block device of the pool's data, with dm.metadatadev"),
    OPTION("metadatadev", DOCKERD_OPT_PATH, "block device of the pool's metadata"),
    OPTION("basesize", DOCKERD_OPT_SIZE, "size of each layer's device (10G)"),
    OPTION("loopdatasize", DOCKERD_OPT_SIZE, "size of the sparse file of data (100G)"),
    OPTION("loopmetadatasize", DOCKERD_OPT_SIZE, "size of the sparse file of metadata (2G)"),
    {.key = "devicemapper.fs",
     .alias = "dm.fs",
     .type = DOCKERD_OPT_CHOICE,
     .choices = "ext4|xfs",
     .scope = DOCKERD_SCOPE_DAEMON,
     .help = "file system of the base device (xfs, where mkfs.xfs is)"},
    {.key = "devicemapper.mkfsarg",
     .alias = "dm.mkfsarg",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_DAEMON,
     .flags = DOCKERD_OPTF_REPEAT,
     .help = "one more argument of mkfs for the base device"},
    OPTION("mountopt", DOCKERD_OPT_STRING, "mount options of layers, separated by commas"),
    {.key = "devicemapper.blocksize",
     .alias = "dm.blocksize",
     .type = DOCKERD_OPT_SIZE,
     .min = 65536,
     .max = GIB,
     .scope = DOCKERD_SCOPE_DAEMON,
     .help = "block size of a new pool (64K)"},
    OPTION("min_free_space", DOCKERD_OPT_STRING,
	   "percent of the pool that new layers leave free (10%)"),
    OPTION("use_deferred_removal", DOCKERD_OPT_BOOL,
	   "a device in use goes when it is closed (true)"),
};

static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(struct dockerd_storage_ops),
	       .probe = dm_probe,
	       .open = dm_open,
	       .close = dm_close},
    .prepare = dm_prepare,
    .commit = dm_commit,
    .create_rw = dm_create_rw,
    .mount = dm_mount,
    .unmount = dm_unmount,
    .remove = dm_remove,
    .exists = dm_exists,
    .status = dm_status,
    .metadata = dm_metadata,
    .list = dm_list,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = "devicemapper", .version = PACKAGE_VERSION,
	       .description = "layers as thin devices of a pool", .concurrency = DOCKERD_PER_OBJECT,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
