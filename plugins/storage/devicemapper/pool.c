/* SPDX-License-Identifier: Apache-2.0 */
/* The thin pool, its transactions and the records beside it. See devicemapper.h, and Documentation/admin-guide/device-mapper/thin-provisioning.rst. */
#include "devicemapper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/tree.h"
#include "base/fault.h"

#define SECTOR 512
#define LOOP_TRIES 32

static uint64_t number(const struct dockerd_options *o, const char *key, uint64_t otherwise)
{
	const struct dockerd_value *v = dockerd_option_get(o, key);

	return v ? (uint64_t)v->number : otherwise;
}

/* ---- records ------------------------------------------------------------------------------------------------------------------- */

/* The number behind "key": in a flat JSON object; false if it is not there. */
static bool json_number(const char *text, const char *key, uint64_t *out)
{
	char quoted[64];
	const char *p;
	char *end;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	p = strstr(text, quoted);
	if (!p)
		return false;
	p += strlen(quoted);
	*out = strtoull(p, &end, 10);
	return end != p;
}

/* Complete or not at all, also after a power cut. */
static int write_record(const struct devmapper *d, const char *name, const char *text,
			struct dockerd_error *err)
{
	char tmp[256];
	int fd, r = -1;

	snprintf(tmp, sizeof(tmp), ".tmp-%s", name);
	fd = openat(d->metadata, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		if (write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fdatasync(fd) == 0)
			r = 0;
		close(fd);
	}
	if (r == 0)
		r = renameat(d->metadata, tmp, d->metadata, name);
	if (r == 0)
		r = fsync(d->metadata);
	return r < 0 ? dockerd_fail_errno(err, errno, "write %s/metadata/%s", d->path, name) : 0;
}

bool pool_device(const struct devmapper *d, const char *id, struct dm_device *out)
{
	char text[512];
	uint64_t n;

	if (tree_read(d->metadata, id, text, sizeof(text)) <= 0 ||
	    !json_number(text, "device_id", &n) || n >= DM_ID_MAX)
		return false;
	out->id = (uint32_t)n;
	return json_number(text, "size", &out->size);
}

static int save_device(const struct devmapper *d, const char *id, const struct dm_device *dev,
		       uint64_t transaction, struct dockerd_error *err)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"device_id\":%u,\"size\":%" PRIu64 ",\"transaction_id\":%" PRIu64
		 ",\"initialized\":true,\"deleted\":false}",
		 dev->id, dev->size, transaction);
	return write_record(d, id, text, err);
}

void pool_device_name(const struct devmapper *d, const char *id, char out[256])
{
	snprintf(out, 256, "%s-%s", d->prefix, id);
}

/* ---- transactions -------------------------------------------------------------------------------------------------------------- */

int pool_status(struct devmapper *d, struct dm_pool_status *st, struct dockerd_error *err)
{
	char text[512];

	if (task_status(d->pool, false, text, sizeof(text), err) < 0)
		return -1;
	if (sscanf(text, "%" SCNu64 " %" SCNu64 "/%" SCNu64 " %" SCNu64 "/%" SCNu64,
		   &st->transaction, &st->meta_used, &st->meta_total, &st->data_used,
		   &st->data_total) != 5)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "thin pool %s has failed: %s", d->pool,
				    text);
	return 0;
}

static int begin(struct devmapper *d, const char *id, uint32_t device, struct dockerd_error *err)
{
	char text[400];

	snprintf(text, sizeof(text),
		 "{\"open_transaction_id\":%" PRIu64 ",\"device_hash\":\"%s\",\"device_id\":%u}",
		 d->transaction + 1, id, device);
	return write_record(d, "transaction-metadata", text, err);
}

static int end(struct devmapper *d, struct dockerd_error *err)
{
	if (task_message(d->pool, err, "set_transaction_id %" PRIu64 " %" PRIu64, d->transaction,
			 d->transaction + 1) < 0)
		return -1;
	d->transaction++;
	return 0;
}

/* What was begun and did not end: neither device nor record. */
static int roll_back(struct devmapper *d, struct dockerd_error *err)
{
	char text[512], id[160] = "", name[256], *p;
	uint64_t opened, device;
	struct dockerd_error ignored = {.size = sizeof(ignored)};

	if (tree_read(d->metadata, "transaction-metadata", text, sizeof(text)) <= 0 ||
	    !json_number(text, "open_transaction_id", &opened) ||
	    !json_number(text, "device_id", &device) || opened <= d->transaction)
		return 0;
	p = strstr(text, "\"device_hash\":\"");
	if (p)
		sscanf(p + 15, "%150[^\"]", id);
	if (*id && tree_valid_id(id)) {
		pool_device_name(d, id, name);
		if (task_remove(name, false, err) < 0)
			return -1;
		unlinkat(d->metadata, id, 0);
	}
	task_message(d->pool, &ignored, "delete %" PRIu64, device);
	return 0;
}

/* ---- devices ------------------------------------------------------------------------------------------------------------------- */

int pool_activate(struct devmapper *d, const char *id, struct dockerd_error *err)
{
	char name[256], params[400];
	struct dm_device dev;

	if (!pool_device(d, id, &dev))
		return dockerd_fail(err, DOCKERD_ERR_NOT_FOUND, "Unknown device %s", id);
	pool_device_name(d, id, name);
	if (task_exists(name)) { /* perhaps on its way out */
		struct dockerd_error ignored = {.size = sizeof(ignored)};

		task_message(name, &ignored, "@cancel_deferred_remove");
		return 0;
	}
	snprintf(params, sizeof(params), "/dev/mapper/%s %u", d->pool, dev.id);
	return task_create(name, dev.size / SECTOR, "thin", params, err);
}

int pool_deactivate(struct devmapper *d, const char *id, struct dockerd_error *err)
{
	char name[256];

	pool_device_name(d, id, name);
	return task_remove(name, d->deferred, err);
}

static int check_space(struct devmapper *d, struct dockerd_error *err)
{
	struct dm_pool_status st;
	uint64_t min_data, min_meta;

	if (!d->min_free)
		return 0;
	if (pool_status(d, &st, err) < 0)
		return -1;
	min_data = st.data_total * d->min_free / 100;
	min_meta = st.meta_total * d->min_free / 100;
	if (st.data_total - st.data_used < (min_data ? min_data : 1))
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "devmapper: Thin Pool has %" PRIu64
				    " free data blocks which is less than minimum required %" PRIu64
				    " free data blocks. Create more free space in thin pool or use "
				    "dm.min_free_space option to change behavior",
				    st.data_total - st.data_used, min_data);
	if (st.meta_total - st.meta_used < (min_meta ? min_meta : 1))
		return dockerd_fail(
		    err, DOCKERD_ERR_SYSTEM,
		    "devmapper: Thin Pool has %" PRIu64
		    " free metadata blocks which is less than minimum required %" PRIu64
		    " free metadata blocks. Create more free metadata space in thin pool "
		    "or use dm.min_free_space option to change behavior",
		    st.meta_total - st.meta_used, min_meta);
	return 0;
}

/* "create_thin N" or "create_snap N ORIGIN" with the first N that the pool does not know, in an open transaction. */
static int create_device(struct devmapper *d, const char *id, const struct dm_device *origin,
			 struct dm_device *dev, struct dockerd_error *err)
{
	for (uint32_t tries = 0; tries < DM_ID_MAX; tries++) {
		int r;

		dev->id = d->next_id;
		d->next_id = (d->next_id + 1) % DM_ID_MAX;
		if (begin(d, id, dev->id, err) < 0)
			return -1;
		FAULT("devicemapper.create.begun");
		r = origin ? task_message(d->pool, err, "create_snap %u %u", dev->id, origin->id)
			   : task_message(d->pool, err, "create_thin %u", dev->id);
		if (r == 0)
			return 0;
		if (err->sys_errno != EEXIST)
			return -1;
	}
	return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "devmapper: Unable to find a free device ID");
}

static int register_device(struct devmapper *d, const char *id, const struct dm_device *dev,
			   struct dockerd_error *err)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};

	FAULT("devicemapper.create.made");
	if (save_device(d, id, dev, d->transaction + 1, err) == 0) {
		FAULT("devicemapper.create.saved");
		if (end(d, err) == 0)
			return 0;
		unlinkat(d->metadata, id, 0);
	}
	task_message(d->pool, &ignored, "delete %u", dev->id);
	return -1;
}

int pool_snapshot(struct devmapper *d, const char *id, const char *of, struct dockerd_error *err)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	struct dm_device origin, dev;
	char name[256];
	bool active;
	int r;

	if (!pool_device(d, of ? of : "base", &origin))
		return dockerd_fail(err, DOCKERD_ERR_NOT_FOUND, "Unknown device %s",
				    of ? of : "base");
	if (check_space(d, err) < 0)
		return -1;
	pool_device_name(d, of ? of : "base", name);
	active = task_exists(name) == 1;
	/* an active one must be quiet, so that its file system is whole in the snapshot */
	if (active && task_suspend(name, false, err) < 0)
		return -1;
	dev.size = origin.size;
	r = create_device(d, id, &origin, &dev, err);
	if (active && task_suspend(name, true, r < 0 ? &ignored : err) < 0)
		r = -1;
	return r < 0 ? -1 : register_device(d, id, &dev, err);
}

int pool_delete(struct devmapper *d, const char *id, struct dockerd_error *err)
{
	char name[256];
	struct dm_device dev;

	if (!pool_device(d, id, &dev))
		return 0;
	pool_device_name(d, id, name);
	if (task_remove(name, false, err) < 0 || begin(d, id, dev.id, err) < 0)
		return -1;
	FAULT("devicemapper.delete.begun");
	if (task_message(d->pool, err, "delete %u", dev.id) < 0 && err->sys_errno != ENODATA)
		return -1;
	FAULT("devicemapper.delete.made");
	if (unlinkat(d->metadata, id, 0) < 0 && errno != ENOENT)
		return dockerd_fail_errno(err, errno, "remove %s/metadata/%s", d->path, id);
	return end(d, err);
}

/* ---- the base device ----------------------------------------------------------------------------------------------------------- */

static int make_file_system(struct devmapper *d, const char *device,
			    const struct dockerd_options *o, struct dockerd_error *err)
{
	static const char *const xfs[] = {"/sbin/mkfs.xfs", "-q", "-K"};
	static const char *const ext4[] = {"/sbin/mkfs.ext4", "-q", "-E",
					   "nodiscard,lazy_itable_init=0,lazy_journal_init=0"};
	bool is_xfs = !strcmp(d->fs, "xfs");
	const char *argv[40];
	char said[600];
	int32_t status;
	size_t n = 0;

	for (size_t i = 0; i < (is_xfs ? 3 : 4); i++)
		argv[n++] = is_xfs ? xfs[i] : ext4[i];
	for (uint32_t i = 0; o && i < o->count && n < 36; i++)
		if (!strcmp(dockerd_option_at(o, i)->key, "devicemapper.mkfsarg"))
			argv[n++] = dockerd_option_at(o, i)->text;
	argv[n++] = device;
	argv[n] = NULL;
	if (d->host->run(d->host, argv, 600000, said, sizeof(said), &status, err) < 0)
		return -1;
	return status ? dockerd_fail(err, DOCKERD_ERR_SYSTEM, "%s %s failed: %s", argv[0], device,
				     said)
		      : 0;
}

/* The file system's own name, so that a base device of somebody else's is told from ours; as moby keeps it. */
static void read_uuid(const char *device, bool is_xfs, char out[40])
{
	unsigned char u[16] = {0};
	int fd = open(device, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (pread(fd, u, sizeof(u), is_xfs ? 32 : 1024 + 0x68) < 0)
			memset(u, 0, sizeof(u));
		close(fd);
	}
	snprintf(out, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		 u[13], u[14], u[15]);
}

static int make_base(struct devmapper *d, const struct dockerd_options *o,
		     struct dockerd_error *err)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	struct dm_device dev = {.size = d->base_size};
	char name[256], device[300], params[400], uuid[40], text[256];
	int r;

	if (create_device(d, "base", NULL, &dev, err) < 0)
		return -1;
	pool_device_name(d, "base", name);
	snprintf(device, sizeof(device), "/dev/mapper/%s", name);
	snprintf(params, sizeof(params), "/dev/mapper/%s %u", d->pool, dev.id);
	r = task_create(name, dev.size / SECTOR, "thin", params, err);
	if (r == 0) {
		r = make_file_system(d, device, o, err);
		read_uuid(device, !strcmp(d->fs, "xfs"), uuid);
		if (task_remove(name, false, r < 0 ? &ignored : err) < 0)
			r = -1;
	}
	if (r < 0) {
		task_message(d->pool, &ignored, "delete %u", dev.id);
		return -1;
	}
	snprintf(
	    text, sizeof(text),
	    "{\"next_device_id\":%u,\"BaseDeviceUUID\":\"%s\",\"BaseDeviceFilesystem\":\"%s\"}",
	    d->next_id, uuid, d->fs);
	return write_record(d, "deviceset-metadata", text, err) < 0
		   ? -1
		   : register_device(d, "base", &dev, err);
}

static int check_base(struct devmapper *d, const struct dockerd_options *o,
		      struct dockerd_error *err)
{
	char text[512];
	struct dm_device base;

	if (tree_read(d->metadata, "deviceset-metadata", text, sizeof(text)) > 0) {
		uint64_t next;

		if (json_number(text, "next_device_id", &next))
			d->next_id = (uint32_t)(next % DM_ID_MAX);
		d->fs = strstr(text, "\"BaseDeviceFilesystem\":\"xfs\"") ? "xfs" : "ext4";
	}
	if (!pool_device(d, "base", &base))
		return make_base(d, o, err);
	if (dockerd_option_get(o, "devicemapper.basesize") && d->base_size < base.size)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "devmapper: Base device size cannot be smaller than %" PRIu64,
				    base.size);
	d->base_size = base.size;
	return 0;
}

/* ---- the pool ------------------------------------------------------------------------------------------------------------------ */

/* A sparse file as a loop device that goes away with its last user; the device's name, and a descriptor that holds it until then. */
static int attach(struct devmapper *d, const char *name, uint64_t size, char device[32],
		  bool *fresh, struct dockerd_error *err)
{
	struct loop_config c = {.info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
	char path[128];
	struct stat st;
	int control, file, fd = -1;

	snprintf(path, sizeof(path), "devicemapper/%s", name);
	file = openat(d->root, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0 || fstat(file, &st) < 0 ||
	    (st.st_size == 0 && ftruncate(file, (off_t)size) < 0)) {
		dockerd_fail_errno(err, errno, "make %s/%s", d->path, path);
		if (file >= 0)
			close(file);
		return -1;
	}
	*fresh = st.st_size == 0;
	c.fd = (uint32_t)file;
	snprintf((char *)c.info.lo_file_name, sizeof(c.info.lo_file_name), "%s/%s", d->path, path);
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	for (int i = 0; control >= 0 && fd < 0 && i < LOOP_TRIES; i++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(device, 32, "/dev/loop%d", n);
		fd = n < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &c) < 0) { /* somebody else took it */
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0)
		dockerd_fail_errno(err, errno, "attach %s/%s to a loop device", d->path, path);
	if (control >= 0)
		close(control);
	close(file);
	return fd;
}

static uint64_t sectors_of(const char *device)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);

	if (fd >= 0)
		close(fd);
	return end > 0 ? (uint64_t)end / SECTOR : 0;
}

/* The pool of two devices. A fresh metadata device begins with zeros, which the kernel takes for an empty pool. */
static int make_pool(struct devmapper *d, const char *data, const char *metadata,
		     struct dockerd_error *err)
{
	char params[300];

	snprintf(params, sizeof(params), "%s %s %u 32768 1 skip_block_zeroing", metadata, data,
		 d->block_sectors);
	d->made = true;
	return task_create(d->pool, sectors_of(data), "thin-pool", params, err);
}

static int make_loop_pool(struct devmapper *d, const struct dockerd_options *o,
			  struct dockerd_error *err)
{
	char data[32], metadata[32];
	bool fresh_data = false, fresh = false;
	int a, b, r = -1;

	if (tree_mkdir(d->root, "devicemapper", 0700) < 0 && errno != EEXIST)
		return dockerd_fail_errno(err, errno, "mkdir %s/devicemapper", d->path);
	a = attach(d, "data", number(o, "devicemapper.loopdatasize", UINT64_C(100) << 30), data,
		   &fresh_data, err);
	if (a < 0)
		return -1;
	b = attach(d, "metadata", number(o, "devicemapper.loopmetadatasize", UINT64_C(2) << 30),
		   metadata, &fresh, err);
	if (b >= 0) {
		r = make_pool(d, data, metadata, err);
		close(b);
	}
	close(a);
	return r;
}

int pool_open(struct devmapper *d, const struct dockerd_options *o, struct dockerd_error *err)
{
	const struct dockerd_value *given = dockerd_option_get(o, "devicemapper.thinpooldev"),
				   *data = dockerd_option_get(o, "devicemapper.datadev"),
				   *metadata = dockerd_option_get(o, "devicemapper.metadatadev");
	struct dm_pool_status st;
	const char *name;

	if (given) {
		name = strncmp(given->text, "/dev/mapper/", 12) ? given->text : given->text + 12;
		snprintf(d->pool, sizeof(d->pool), "%s", name);
		if (!task_exists(d->pool))
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "devmapper: Non existing thin pool device: %s",
					    d->pool);
	} else if (task_exists(d->pool)) { /* of an earlier daemon */
		d->made = true;
		d->loops = !data;
	} else if (data && metadata) {
		if (make_pool(d, data->text, metadata->text, err) < 0)
			return -1;
	} else {
		d->loops = true;
		if (make_loop_pool(d, o, err) < 0)
			return -1;
	}
	if (pool_status(d, &st, err) < 0)
		return -1;
	d->transaction = st.transaction;
	if (roll_back(d, err) < 0)
		return -1;
	return check_base(d, o, err);
}

void pool_close(struct devmapper *d)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};

	if (d->made && task_open_count(d->pool) == 0)
		task_remove(d->pool, false, &ignored);
}
