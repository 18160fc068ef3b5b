/* SPDX-License-Identifier: Apache-2.0 */
/* See volume.h. Making, using and removing; mount.c has the mounts, list.c the lists, lookup.c what plugins know. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/idmap.h"
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

struct volume *volume_new(const char *name, const char *driver)
{
	struct volume *v = xnew(struct volume);

	v->name = xstrdup(name);
	v->driver = xstrdup(driver);
	v->mountpoint = xstrdup("");
	v->created = CLOCK_ZERO;
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
	free(v->driver);
	free(v->mountpoint);
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

void volume_settled(struct volume *v)
{
	LOCK_SCOPE(&volumes.lock);

	v->changing = false;
	pthread_cond_broadcast(&volumes.changed);
}

/* Who has waited for it finds nothing. */
void volume_unlist(struct volume *v)
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

static void publish(const char *action, const struct volume *v)
{
	auto_pairs attrs = PAIRS_INIT;

	pairs_set(&attrs, "driver", v->driver);
	events_publish("volume", action, v->name, &attrs);
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
		v = volume_new(e->d_name, "local");
		meta_read(v);
		map_set(&volumes.table, v->name, v);
	}
	return 0;
}

int volumes_init(const char *data_root, const char *exec_root, struct bolt *db, struct error *err)
{
	volumes.root = path_join(data_root, "volumes");
	meta_open(db);
	if (dir_make_all(AT_FDCWD, volumes.root, 0701, err) < 0 || held_init(exec_root, err) < 0 ||
	    load_all(err) < 0)
		return -1;
	fill_sweep();
	return meta_clean(err);
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
	    fchmodat(dir, "_data", 0755, 0) < 0 || idmap_give(dir, "_data") < 0)
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

static struct volume *new_as_wished(const struct volume_wish *wish)
{
	struct volume *v = volume_new(wish->name, str_empty(wish->driver) ? "local" : wish->driver);

	v->has_labels = json_type(wish->labels) == JSON_OBJECT || wish->anonymous;
	v->has_options = json_type(wish->options) == JSON_OBJECT;
	json_pairs(wish->labels, &v->labels);
	json_pairs(wish->options, &v->options);
	if (wish->anonymous)
		pairs_set(&v->labels, ANONYMOUS_LABEL, "");
	pairs_sort(&v->labels);
	pairs_sort(&v->options);
	if (driver_is_local(v->driver))
		pairs_copy(&v->kept, &v->options);
	return v;
}

static int make_local(struct volume *v, const struct volume_wish *wish, struct error *err)
{
	if (check_name(wish->name, err) < 0 || options_check(wish->options, &v->quota, err) < 0 ||
	    put_on_disk(v, err) < 0)
		return -1;
	publish("create", v);
	return 0;
}

static int make_of_plugin(struct volume *v, struct error *err)
{
	struct volume_info info = {0};
	int have = driver_get(v->driver, v->name, false, &info, err);

	if (have > 0)
		volume_learn(v, &info);
	volume_info_free(&info);
	error_clear(err);
	if (have <= 0 && driver_create(v->driver, v->name, &v->options, v->has_options, err) < 0)
		return -1;
	FAULT("volume.create.plugin");
	if (meta_put(v, err) < 0)
		return -1;
	publish("create", v);
	return 0;
}

/* A plugin had it, before anybody has asked for it: as it is. */
static bool found_elsewhere(struct volume *v, struct error *err)
{
	struct volume_info info = {0};
	char *driver = driver_probe(v->name, &info);

	if (!driver)
		return false;
	free(v->driver);
	v->driver = driver;
	v->has_labels = v->has_options = false;
	pairs_free(&v->labels);
	pairs_free(&v->options);
	pairs_free(&v->kept);
	volume_learn(v, &info);
	volume_info_free(&info);
	if (meta_put(v, err) < 0)
		log_error("a plugin's volume is not on record", "volume", v->name, "error",
			  err->text);
	error_clear(err);
	return true;
}

/* It is in the table, marked as changing. */
static int make(struct volume *v, const struct volume_wish *wish, struct error *err)
{
	if (str_empty(wish->driver) && !wish->anonymous && found_elsewhere(v, err))
		return 0;
	return driver_is_local(v->driver) ? make_local(v, wish, err) : make_of_plugin(v, err);
}

static void drop_user(struct volume *v, const char *user)
{
	LOCK_SCOPE(&volumes.lock);

	for (size_t i = v->users.n; i-- > 0;)
		if (streq(v->users.v[i], user))
			strlist_remove(&v->users, i);
}

/* A reference; *fresh: it was not there, and is to be made. *added: the user is new to it. */
static struct volume *take_or_add(const struct volume_wish *wish, const char *user, bool *fresh,
				  bool *added)
{
	struct volume *v;
	LOCK_SCOPE(&volumes.lock);

	v = volume_find(wish->name);
	*fresh = !v;
	if (!v) {
		v = new_as_wished(wish);
		v->changing = true;
		map_set(&volumes.table, v->name, v);
	}
	v->refs++;
	*added = user && !strlist_has(&v->users, user);
	if (*added)
		strlist_add(&v->users, user);
	return v;
}

/* A reference. A user, if one is named, is noted before anybody else can remove the volume. */
static struct volume *find_or_make(const struct volume_wish *wish, const char *user,
				   struct error *err)
{
	bool fresh, added;
	struct volume *v;
	int good;

	if (driver_check(wish->driver, err) < 0)
		return NULL;
	for (;;) {
		v = take_or_add(wish, user, &fresh, &added);
		good = fresh ? 1 : volume_agrees(v, wish->driver, user, err);
		if (fresh && make(v, wish, err) == 0)
			volume_settled(v);
		else if (fresh) {
			volume_unlist(v);
			volume_unref(v);
			good = -1;
		}
		if (good > 0)
			return v;
		if (added)
			drop_user(v, user);
		volume_unref(v);
		if (good < 0)
			return NULL;
	}
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
	volume_print(v, NULL, reply);
	volume_unref(v);
	return 0;
}

/* ---- Using ------------------------------------------------------------------------------------------------------------------------- */

int volume_use(const struct volume_wish *wish, const char *container_id, char **path, char **driver,
	       struct error *err)
{
	struct volume *v = find_or_make(wish, container_id, err);

	if (!v)
		return error_wrap(err, "create %s", wish->name);
	*driver = xstrdup(v->driver);
	if (driver_is_local(v->driver)) {
		*path = volume_data(wish->name);
	} else {
		LOCK_SCOPE(&volumes.lock);

		*path = xstrdup(v->mountpoint);
	}
	volume_unref(v);
	return 0;
}

int volume_use_again(const char *name, const char *driver, const char *container_id,
		     struct error *err)
{
	struct volume *v;
	LOCK_SCOPE(&volumes.lock);

	v = volume_find(name);
	if (!v && !str_empty(driver) && !driver_is_local(driver)) {
		/* its plugin will say whether there is one */
		v = volume_new(name, driver);
		map_set(&volumes.table, v->name, v);
	}
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

	if (options_mount_needed(v) && volume_is_mount(data) && umount2(data, MNT_DETACH) < 0)
		return error_sys(err, errno, "unmount %s", data);
	if (renameat(root, v->name, root, gone) < 0)
		return error_sys(err, errno, "remove %s", v->name);
	FAULT("volume.remove.renamed");
	if (meta_del(v->name, &ignored) < 0)
		log_error("record of a removed volume", "volume", v->name, "error", ignored.text);
	return 0;
}

static int remove_of_plugin(struct volume *v, struct error *err)
{
	struct error ignored = ERROR_INIT;

	if (driver_remove(v->driver, v->name, err) < 0) {
		volume_settled(v);
		return error_wrap(err, "remove %s", v->name);
	}
	FAULT("volume.remove.plugin");
	if (meta_del(v->name, &ignored) < 0)
		log_error("record of a removed volume", "volume", v->name, "error", ignored.text);
	publish("destroy", v);
	volume_unlist(v);
	volume_unref(v);
	return 0;
}

static int remove_local(struct volume *v, struct error *err)
{
	char gone[sizeof(GONE_PREFIX) + ID_LEN] = GONE_PREFIX;
	auto_close root = dir_open_at(AT_FDCWD, volumes.root, err);
	struct error ignored = ERROR_INIT;
	uint32_t project = v->quota ? options_project(v) : 0;

	id_random(gone + strlen(GONE_PREFIX));
	if (root < 0 || remove_from_disk(v, root, gone, err) < 0) {
		volume_settled(v);
		return -1;
	}
	publish("destroy", v);
	volume_unlist(v); /* the name is free while its files go */
	FAULT("volume.remove.files");
	if (dir_remove_all(root, gone, &ignored) < 0)
		log_error("files of a removed volume are left for the next start", "volume",
			  v->name, "error", ignored.text);
	options_unlimit(project);
	volume_unref(v);
	return 0;
}

int volume_remove(struct volume *v, struct error *err)
{
	return driver_is_local(v->driver) ? remove_local(v, err) : remove_of_plugin(v, err);
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

/* Marked, so that it is the caller's to remove. False: somebody uses it, or it went meanwhile. */
static int take_to_remove(struct volume *v, struct error *err)
{
	LOCK_SCOPE(&volumes.lock);

	while (v->changing)
		pthread_cond_wait(&volumes.changed, &volumes.lock);
	if (map_get(&volumes.table, v->name) != v)
		return error_set(err, ERR_NOT_FOUND, "get %s: no such volume", v->name);
	if (v->users.n || v->busy) {
		auto_free char *ids = strlist_join(&v->users, ", ");

		return error_set(err, ERR_CONFLICT, "remove %s: volume is in use - [%s]", v->name,
				 ids);
	}
	v->changing = true;
	return 0;
}

int volume_delete(const char *name, bool force, struct error *err)
{
	struct volume_info info;
	struct volume *v = volume_lookup(name, &info, err);
	int r = v ? take_to_remove(v, err) : -1;

	volume_info_free(&info);
	if (r == 0) {
		r = volume_remove(v, err);
		if (r < 0 && force && !driver_is_local(v->driver))
			volume_forget(v);
	}
	if (v)
		volume_unref(v);
	if (r < 0 && force && err->kind == ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	return r;
}
