/* SPDX-License-Identifier: Apache-2.0 */
/* See volume.h. `lock` guards the table of users; the directories are the truth about which volumes exist. */
#include "volume/volume.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/thread.h"
#include "events/events.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static char *root; /* data-root/volumes */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map users = MAP_INIT; /* name -> struct strlist of container ids */

int volumes_init(const char *data_root, struct error *err)
{
	root = path_join(data_root, "volumes");
	return dir_make_all(AT_FDCWD, root, 0701, err);
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
			 "create %s: \"%s\" includes invalid characters for a local volume name, "
			 "only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. "
			 "If you intended to pass a host directory, use absolute path",
			 name, name);
}

static bool volume_exists(const char *name, struct stat *st)
{
	auto_free char *data = xasprintf("%s/%s/_data", root, name);

	return name_ok(name) && lstat(data, st) == 0 && S_ISDIR(st->st_mode);
}

static void publish(const char *action, const char *name, const char *container)
{
	auto_pairs attrs = PAIRS_INIT;

	pairs_set(&attrs, "driver", "local");
	if (container)
		pairs_set(&attrs, "container", container);
	events_publish("volume", action, name, &attrs);
}

static int make(const char *name, struct error *err)
{
	auto_free char *dir = path_join(root, name), *data = NULL;
	struct stat st;

	if (check_name(name, err) < 0)
		return -1;
	if (volume_exists(name, &st))
		return 0;
	data = path_join(dir, "_data");
	if (mkdir(dir, 0701) < 0 && errno != EEXIST)
		return error_sys(err, errno, "create volume directory %s", dir);
	if (mkdir(data, 0755) < 0 && errno != EEXIST) {
		error_sys(err, errno, "create volume directory %s", data);
		rmdir(dir);
		return -1;
	}
	if (chmod(data, 0755) < 0) /* whatever the umask was */
		return error_sys(err, errno, "chmod %s", data);
	publish("create", name, NULL);
	return 0;
}

int volume_use(const char *name, bool anonymous, const char *container_id, char **path,
	       struct error *err)
{
	struct strlist *l;
	LOCK_SCOPE(&lock);

	(void)anonymous;
	if (make(name, err) < 0)
		return -1;
	l = map_get(&users, name);
	if (!l) {
		l = xnew(struct strlist);
		map_set(&users, name, l);
	}
	if (!strlist_has(l, container_id))
		strlist_add(l, container_id);
	*path = xasprintf("%s/%s/_data", root, name);
	return 0;
}

/* With the lock held. */
static int remove_volume(const char *name, struct error *err)
{
	auto_close fd = dir_open_at(AT_FDCWD, root, err);

	if (fd < 0 || dir_remove_all(fd, name, err) < 0)
		return -1;
	publish("destroy", name, NULL);
	return 0;
}

void volume_release(const char *name, const char *container_id, bool remove)
{
	struct error err = ERROR_INIT;
	struct strlist *l;
	LOCK_SCOPE(&lock);

	l = map_get(&users, name);
	for (size_t i = 0; l && i < l->n; i++)
		if (streq(l->v[i], container_id)) {
			strlist_remove(l, i);
			break;
		}
	if (l && l->n)
		return;
	if (l) {
		map_del(&users, name);
		strlist_free(l);
		free(l);
	}
	if (remove)
		remove_volume(name, &err);
}

static void print(struct jw *w, const char *name, const struct stat *st)
{
	auto_free char *data = xasprintf("%s/%s/_data", root, name);
	char created[CLOCK_TEXT];

	clock_format(st->st_ctim.tv_sec * INT64_C(1000000000), created);
	jw_obj(w);
	jw_kstr(w, "CreatedAt", created);
	jw_kstr(w, "Driver", "local");
	jw_knull(w, "Labels");
	jw_kstr(w, "Mountpoint", data);
	jw_kstr(w, "Name", name);
	jw_knull(w, "Options");
	jw_kstr(w, "Scope", "local");
	jw_end(w);
}

static int refuse_options(const json *body, struct error *err)
{
	const char *driver = json_get_str(body, "Driver", "");

	if (*driver && !streq(driver, "local"))
		return error_set(err, ERR_NOT_FOUND,
				 "error looking up volume plugin %s: plugin \"%s\" not found",
				 driver, driver);
	if (json_count(json_get(body, "DriverOpts")))
		return error_set(err, ERR_NOT_IMPLEMENTED,
				 "options of local volumes (type, o, device, size) are not "
				 "supported yet: use a bind mount");
	if (json_count(json_get(body, "Labels")))
		return error_set(
		    err, ERR_NOT_IMPLEMENTED,
		    "labels on volumes are not supported yet: create the volume without them");
	return 0;
}

int volume_create(const json *body, struct str *reply, struct error *err)
{
	const char *name = json_get_str(body, "Name", "");
	struct jw w = jw_to(reply);
	char id[ID_LEN + 1];
	struct stat st;
	LOCK_SCOPE(&lock);

	if (refuse_options(body, err) < 0)
		return -1;
	if (!*name) {
		id_random(id);
		name = id;
	}
	if (make(name, err) < 0)
		return error_wrap(err, "create %s", name);
	if (!volume_exists(name, &st))
		return error_set(err, ERR_SYSTEM, "volume %s vanished", name);
	print(&w, name, &st);
	return 0;
}

static int names(struct strlist *out, struct error *err)
{
	auto_dir DIR *d = opendir(root);
	struct dirent *e;
	struct stat st;

	if (!d)
		return error_sys(err, errno, "%s", root);
	while ((e = readdir(d)))
		if (volume_exists(e->d_name, &st))
			strlist_add(out, e->d_name);
	strlist_sort(out);
	return 0;
}

/* {"name":["a"]} and {"name":{"a":true}} */
static bool filter_value(const json *f, size_t i, const char **out)
{
	for (json *v = json_first(f); v; v = json_next(v))
		if (!i--) {
			*out = json_type(f) == JSON_OBJECT ? json_name(v) : json_str(v, "");
			return true;
		}
	return false;
}

static bool is_true(const char *v)
{
	return streq(v, "1") || !strcasecmp(v, "true");
}

static bool matches(const char *name, const json *filters)
{
	const json *f = json_get(filters, "name");
	const char *v;
	bool hit = !f || !json_count(f);

	for (size_t i = 0; filter_value(f, i, &v); i++)
		hit = hit || strstr(name, v);
	f = json_get(filters, "dangling");
	for (size_t i = 0; filter_value(f, i, &v); i++)
		hit = hit && (map_get(&users, name) == NULL) == is_true(v);
	f = json_get(filters, "driver");
	for (size_t i = 0; filter_value(f, i, &v); i++)
		hit = hit && streq(v, "local");
	f = json_get(filters, "label");
	return hit && !(f && json_count(f)); /* volumes have no labels yet */
}

static int check_filters(const json *filters, const char *const *known, struct error *err)
{
	for (json *f = json_first(filters); f; f = json_next(f)) {
		bool ok = false;

		for (size_t i = 0; known[i]; i++)
			ok = ok || streq(known[i], json_name(f));
		if (!ok)
			return error_set(err, ERR_INVALID, "invalid filter '%s'", json_name(f));
	}
	return 0;
}

int volume_list(const json *filters, struct str *reply, struct error *err)
{
	static const char *const known[] = {"dangling", "name", "driver", "label", NULL};
	auto_strlist all = STRLIST_INIT;
	struct jw w = jw_to(reply);
	LOCK_SCOPE(&lock);

	if (check_filters(filters, known, err) < 0 || names(&all, err) < 0)
		return -1;
	jw_obj(&w);
	jw_karr(&w, "Volumes");
	for (size_t i = 0; i < all.n; i++) {
		struct stat st;

		if (matches(all.v[i], filters) && volume_exists(all.v[i], &st))
			print(&w, all.v[i], &st);
	}
	jw_end(&w);
	jw_knull(&w, "Warnings");
	jw_end(&w);
	return 0;
}

int volume_inspect(const char *name, struct str *reply, struct error *err)
{
	struct jw w = jw_to(reply);
	struct stat st;
	LOCK_SCOPE(&lock);

	if (!volume_exists(name, &st))
		return error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	print(&w, name, &st);
	return 0;
}

int volume_delete(const char *name, bool force, struct error *err)
{
	const struct strlist *l;
	struct stat st;
	LOCK_SCOPE(&lock);

	if (!volume_exists(name, &st))
		return force ? 0 : error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	l = map_get(&users, name);
	if (l) {
		auto_free char *ids = strlist_join(l, ", ");

		return error_set(err, ERR_CONFLICT, "remove %s: volume is in use - [%s]", name,
				 ids);
	}
	return remove_volume(name, err);
}

static bool looks_anonymous(const char *name)
{
	return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

#define SIZE_DEPTH 128 /* levels that are counted: the tree is a container's, the stack is ours */

static uint64_t tree_size(int dirfd, const char *name, int depth)
{
	auto_dir DIR *d = NULL;
	uint64_t total = 0;
	struct dirent *e;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		fd_close(&fd);
	while (d && (e = readdir(d))) {
		struct stat st;

		if (streq(e->d_name, ".") || streq(e->d_name, "..") ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!S_ISDIR(st.st_mode))
			total += (uint64_t)st.st_size;
		else if (depth < SIZE_DEPTH)
			total += tree_size(fd, e->d_name, depth + 1);
	}
	return total;
}

int volume_prune(const json *filters, struct str *reply, struct error *err)
{
	static const char *const known[] = {"label", "label!", "all", NULL};
	auto_strlist all = STRLIST_INIT;
	struct jw w = jw_to(reply);
	uint64_t freed = 0;
	const char *v;
	bool every = filter_value(json_get(filters, "all"), 0, &v) && is_true(v);
	LOCK_SCOPE(&lock);

	if (check_filters(filters, known, err) < 0 || names(&all, err) < 0)
		return -1;
	jw_obj(&w);
	jw_karr(&w, "VolumesDeleted");
	for (size_t i = 0; i < all.n; i++) {
		auto_close fd = -1;
		uint64_t size;

		if (map_get(&users, all.v[i]) || !(every || looks_anonymous(all.v[i])) ||
		    json_count(json_get(filters, "label")))
			continue;
		fd = dir_open_at(AT_FDCWD, root, err);
		size = fd < 0 ? 0 : tree_size(fd, all.v[i], 0);
		if (remove_volume(all.v[i], err) < 0)
			return -1;
		freed += size;
		jw_str(&w, all.v[i]);
	}
	jw_end(&w);
	jw_ku64(&w, "SpaceReclaimed", freed);
	jw_end(&w);
	return 0;
}
