/* SPDX-License-Identifier: Apache-2.0 */
/* See volume.h. Making, using, mounting and removing; lists are in list.c. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "events/events.h"
#include "volume/volume_int.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories of what is being made and being removed; no volume's name begins with a dot. */
#define NEW_PREFIX ".new-"
#define GONE_PREFIX ".gone-"

struct volume_room volumes = {.lock = PTHREAD_MUTEX_INITIALIZER,
			      .changed = PTHREAD_COND_INITIALIZER};

struct volume *volume_new(const char *name)
{
	struct volume *v = xnew(struct volume);

	v->name = xstrdup(name);
	v->refs = 1;
	return v;
}

void volume_unref(struct volume *v)
{
	bool last;

	pthread_mutex_lock(&volumes.lock);
	last = --v->refs == 0;
	pthread_mutex_unlock(&volumes.lock);
	if (!last)
		return;
	free(v->name);
	pairs_free(&v->labels);
	pairs_free(&v->options);
	pairs_free(&v->kept);
	strlist_free(&v->users);
	free(v);
}

char *volume_data(const char *name)
{
	return xasprintf("%s/%s/_data", volumes.root, name);
}

struct volume *volume_find(const char *name)
{
	struct volume *v;

	while ((v = map_get(&volumes.table, name)) && v->changing)
		pthread_cond_wait(&volumes.changed, &volumes.lock);
	return v;
}

/* It is made, or its removal has failed. */
static void settled(struct volume *v)
{
	LOCK_SCOPE(&volumes.lock);

	v->changing = false;
	pthread_cond_broadcast(&volumes.changed);
}

/* Out of the table: who has waited for it finds nothing. The table's reference is the caller's. */
static void unlist(struct volume *v)
{
	LOCK_SCOPE(&volumes.lock);

	map_del(&volumes.table, v->name);
	v->changing = false;
	pthread_cond_broadcast(&volumes.changed);
}

static bool name_ok(const char *name)
{
	if (!isalnum((unsigned char)*name) || !name[1] || strlen(name) > 255)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	return true;
}

static int check_name(const char *name, struct error *err)
{
	if (name_ok(name))
		return 0;
	if (strlen(name) == 1)
		return error_set(err, ERR_INVALID,
				 "volume name is too short, names should be at least two "
				 "alphanumeric characters");
	return error_set(err, ERR_INVALID,
			 "\"%s\" includes invalid characters for a local volume name, "
			 "only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. "
			 "If you intended to pass a host directory, use absolute path",
			 name);
}

static void publish(const char *action, const char *name)
{
	auto_pairs attrs = PAIRS_INIT;

	pairs_set(&attrs, "driver", "local");
	events_publish("volume", action, name, &attrs);
}

/* ---- Loading ---------------------------------------------------------------------------------------------------------------------- */

static void sweep_one(int dir, const char *name)
{
	struct error err = ERROR_INIT;

	if (dir_remove_all(dir, name, &err) < 0)
		log_error("what is left of a volume stays", "directory", name, "error", err.text);
}

static int load_all(struct error *err)
{
	auto_dir DIR *d = opendir(volumes.root);
	struct dirent *e;

	if (!d)
		return error_sys(err, errno, "%s", volumes.root);
	while ((e = readdir(d))) {
		auto_free char *data = volume_data(e->d_name);
		struct volume *v;
		struct stat st;

		if (str_after(e->d_name, NEW_PREFIX) || str_after(e->d_name, GONE_PREFIX))
			sweep_one(dirfd(d), e->d_name);
		if (!name_ok(e->d_name) || lstat(data, &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		v = volume_new(e->d_name);
		meta_read(v);
		map_set(&volumes.table, v->name, v);
	}
	return 0;
}

int volumes_init(const char *data_root, struct bolt *db, struct error *err)
{
	volumes.root = path_join(data_root, "volumes");
	meta_open(db);
	if (dir_make_all(AT_FDCWD, volumes.root, 0701, err) < 0 || load_all(err) < 0)
		return -1;
	fill_sweep();
	return meta_clean(err);
}

static bool is_mount(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &st) == 0 &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

void volumes_settle(void)
{
	size_t n;
	struct volume **all = volumes_all(&n);

	for (size_t i = 0; i < n; i++) {
		auto_free char *data = volume_data(all[i]->name);

		if (!all[i]->mounts && options_mount_needed(all[i]) && is_mount(data) &&
		    umount2(data, MNT_DETACH) < 0)
			log_warn("volume stays mounted", "volume", all[i]->name);
		volume_unref(all[i]);
	}
	free(all);
}

/* ---- Making ------------------------------------------------------------------------------------------------------------------------ */

static int make_directories(const struct volume *v, int root, const char *name, struct error *err)
{
	auto_close dir = -1;

	if (dir_remove_all(root, name, err) < 0)
		return -1;
	if (mkdirat(root, name, 0701) < 0)
		return error_sys(err, errno, "create volume directory %s/%s", volumes.root, name);
	dir = dir_open_at(root, name, err);
	if (dir < 0)
		return -1;
	/* whatever the umask was */
	if (fchmod(dir, 0701) < 0 || mkdirat(dir, "_data", 0755) < 0 ||
	    fchmodat(dir, "_data", 0755, 0) < 0)
		return error_sys(err, errno, "create volume directory of %s", v->name);
	return v->kept.n ? meta_write_options(dir, v, err) : 0;
}

/* The record first: without a directory it is dropped by the next start. */
static int put_on_disk(const struct volume *v, struct error *err)
{
	char fresh[sizeof(NEW_PREFIX) + ID_LEN] = NEW_PREFIX;
	auto_close root = dir_open_at(AT_FDCWD, volumes.root, err);
	struct error ignored = ERROR_INIT;

	if (root < 0)
		return -1;
	id_random(fresh + strlen(NEW_PREFIX));
	if (make_directories(v, root, fresh, err) < 0)
		goto fail;
	FAULT("volume.create.directory");
	if (meta_put(v, err) < 0)
		goto fail;
	if (renameat(root, fresh, root, v->name) < 0) {
		error_sys(err, errno, "create volume directory %s/%s", volumes.root, v->name);
		goto fail;
	}
	if (fsync(root) < 0) /* the record is on disk: so must be the name */
		log_warn("volume directory not synced", "volume", v->name);
	FAULT("volume.create.renamed");
	return 0;
fail:
	dir_remove_all(root, fresh, &ignored);
	meta_del(v->name, &ignored);
	return -1;
}

static int check_driver(const char *driver, struct error *err)
{
	if (str_empty(driver) || streq(driver, "local"))
		return 0;
	return error_set(err, ERR_NOT_FOUND,
			 "error looking up volume plugin %s: plugin \"%s\" not found", driver,
			 driver);
}

static struct volume *new_as_wished(const struct volume_wish *wish)
{
	struct volume *v = volume_new(wish->name);

	v->has_labels = json_type(wish->labels) == JSON_OBJECT || wish->anonymous;
	v->has_options = json_type(wish->options) == JSON_OBJECT;
	json_pairs(wish->labels, &v->labels);
	json_pairs(wish->options, &v->options);
	if (wish->anonymous)
		pairs_set(&v->labels, ANONYMOUS_LABEL, "");
	pairs_sort(&v->labels);
	pairs_sort(&v->options);
	pairs_copy(&v->kept, &v->options);
	return v;
}

/* A reference. A user, if one is named, is noted before anybody else can remove the volume. */
static struct volume *find_or_make(const struct volume_wish *wish, const char *user,
				   struct error *err)
{
	struct volume *v;

	if (check_driver(wish->driver, err) < 0)
		return NULL;
	pthread_mutex_lock(&volumes.lock);
	v = volume_find(wish->name);
	if (v) {
		v->refs++;
		if (user && !strlist_has(&v->users, user))
			strlist_add(&v->users, user);
		pthread_mutex_unlock(&volumes.lock);
		return v;
	}
	if (check_name(wish->name, err) < 0 || options_check(wish->options, err) < 0) {
		pthread_mutex_unlock(&volumes.lock);
		return NULL;
	}
	v = new_as_wished(wish);
	v->refs++;
	v->changing = true;
	if (user)
		strlist_add(&v->users, user);
	map_set(&volumes.table, v->name, v);
	pthread_mutex_unlock(&volumes.lock);
	if (put_on_disk(v, err) < 0) {
		unlist(v);
		volume_unref(v);
		volume_unref(v);
		return NULL;
	}
	publish("create", v->name);
	settled(v);
	return v;
}

int volume_create(const json *body, struct str *reply, struct error *err)
{
	struct volume_wish wish = {.name = json_get_str(body, "Name", ""),
				   .driver = json_get_str(body, "Driver", ""),
				   .labels = json_get(body, "Labels"),
				   .options = json_get(body, "DriverOpts")};
	char id[ID_LEN + 1];
	struct volume *v;

	if (!*wish.name) {
		id_random(id);
		wish.name = id;
		wish.anonymous = true;
	}
	v = find_or_make(&wish, NULL, err);
	if (!v)
		return error_wrap(err, "create %s", wish.name);
	volume_print(v, reply);
	volume_unref(v);
	return 0;
}

/* ---- Using ------------------------------------------------------------------------------------------------------------------------- */

int volume_use(const struct volume_wish *wish, const char *container_id, char **path,
	       struct error *err)
{
	struct volume *v = find_or_make(wish, container_id, err);

	if (!v)
		return error_wrap(err, "create %s", wish->name);
	volume_unref(v);
	*path = volume_data(wish->name);
	return 0;
}

int volume_use_again(const char *name, const char *container_id, struct error *err)
{
	struct volume *v;
	LOCK_SCOPE(&volumes.lock);

	v = volume_find(name);
	if (!v)
		return error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	if (!strlist_has(&v->users, container_id))
		strlist_add(&v->users, container_id);
	return 0;
}

static int remove_from_disk(const struct volume *v, int root, const char *gone, struct error *err)
{
	auto_free char *data = volume_data(v->name);
	struct error ignored = ERROR_INIT;

	if (options_mount_needed(v) && is_mount(data) && umount2(data, MNT_DETACH) < 0)
		return error_sys(err, errno, "unmount %s", data);
	if (renameat(root, v->name, root, gone) < 0)
		return error_sys(err, errno, "remove %s", v->name);
	FAULT("volume.remove.renamed");
	if (meta_del(v->name, &ignored) < 0)
		log_error("record of a removed volume", "volume", v->name, "error", ignored.text);
	return 0;
}

int volume_remove(struct volume *v, struct error *err)
{
	char gone[sizeof(GONE_PREFIX) + ID_LEN] = GONE_PREFIX;
	auto_close root = dir_open_at(AT_FDCWD, volumes.root, err);
	struct error ignored = ERROR_INIT;

	id_random(gone + strlen(GONE_PREFIX));
	if (root < 0 || remove_from_disk(v, root, gone, err) < 0) {
		settled(v);
		return -1;
	}
	publish("destroy", v->name);
	unlist(v); /* the name is free while its files go */
	FAULT("volume.remove.files");
	if (dir_remove_all(root, gone, &ignored) < 0)
		log_error("files of a removed volume are left for the next start", "volume",
			  v->name, "error", ignored.text);
	volume_unref(v);
	return 0;
}

void volume_release(const char *name, const char *container_id, bool remove)
{
	struct error err = ERROR_INIT;
	struct volume *v;

	pthread_mutex_lock(&volumes.lock);
	v = volume_find(name);
	for (size_t i = 0; v && i < v->users.n; i++)
		if (streq(v->users.v[i], container_id)) {
			strlist_remove(&v->users, i);
			break;
		}
	remove = remove && v && !v->users.n && !v->busy;
	if (remove)
		v->changing = true;
	pthread_mutex_unlock(&volumes.lock);
	if (remove && volume_remove(v, &err) < 0)
		log_error("volume stays", "volume", name, "error", err.text);
}

/* Marked, so that it is the caller's to remove. NULL without an error: it is not there, and needn't be. */
static struct volume *take_to_remove(const char *name, bool force, struct error *err)
{
	struct volume *v;
	LOCK_SCOPE(&volumes.lock);

	v = volume_find(name);
	if (!v) {
		if (!force)
			error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
		return NULL;
	}
	if (v->users.n || v->busy) {
		auto_free char *ids = strlist_join(&v->users, " ");

		error_set(err, ERR_CONFLICT, "remove %s: volume is in use - [%s]", name, ids);
		return NULL;
	}
	v->changing = true;
	return v;
}

int volume_delete(const char *name, bool force, struct error *err)
{
	struct volume *v = take_to_remove(name, force, err);

	if (!v)
		return err->kind ? -1 : 0;
	return volume_remove(v, err);
}

/* ---- Mounting ---------------------------------------------------------------------------------------------------------------------- */

/* The volume, which is ours alone until give_back; it has a user, so nobody removes it. */
static struct volume *take(const char *name, struct error *err)
{
	struct volume *v;
	LOCK_SCOPE(&volumes.lock);

	while ((v = volume_find(name)) && v->busy)
		pthread_cond_wait(&volumes.changed, &volumes.lock);
	if (v)
		v->busy = true;
	else
		error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	return v;
}

static void give_back(struct volume *v)
{
	LOCK_SCOPE(&volumes.lock);

	v->busy = false;
	pthread_cond_broadcast(&volumes.changed);
}

int volume_mount(const char *name, struct error *err)
{
	struct volume *v = take(name, err);
	auto_free char *data = volume_data(name);
	int r = 0;

	if (!v)
		return -1;
	/* it may be mounted yet: by the daemon before us, for a container that goes on */
	if (!v->mounts && options_mount_needed(v) && !is_mount(data))
		r = options_mount(v, data, err);
	if (r == 0)
		v->mounts++;
	give_back(v);
	return r < 0 ? error_wrap(err, "error while mounting volume '%s'", data) : 0;
}

void volume_unmount(const char *name)
{
	struct error err = ERROR_INIT;
	struct volume *v = take(name, &err);
	auto_free char *data = volume_data(name);

	if (!v)
		return;
	if (v->mounts && !--v->mounts && options_mount_needed(v) && umount2(data, 0) < 0 &&
	    umount2(data, MNT_DETACH) < 0)
		log_error("volume stays mounted", "volume", name);
	give_back(v);
}

void volume_event_mount(const char *name, const char *container_id, const char *destination,
			const char *propagation, bool rw)
{
	auto_pairs attrs = PAIRS_INIT;

	pairs_set(&attrs, "container", container_id);
	if (destination)
		pairs_set(&attrs, "destination", destination);
	pairs_set(&attrs, "driver", "local");
	if (destination) {
		pairs_set(&attrs, "propagation", propagation);
		pairs_set(&attrs, "read/write", rw ? "true" : "false");
	}
	events_publish("volume", destination ? "mount" : "unmount", name, &attrs);
}

/* ---- Filling: see fill.c ----------------------------------------------------------------------------------------------------------- */

int volume_fill(const char *name, int (*copy)(void *ctx, int dir, struct error *err), void *ctx,
		struct error *err)
{
	struct volume *v = take(name, err);
	auto_free char *path = volume_data(name);
	auto_close data = v ? dir_open_at(AT_FDCWD, path, err) : -1;
	int r = -1;

	if (data >= 0)
		r = fill_directory(data, name, options_mount_needed(v), copy, ctx, err);
	if (v)
		give_back(v);
	return r;
}
