/* SPDX-License-Identifier: Apache-2.0 */
/* Listing, inspecting, pruning and measuring volumes. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/filter.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "events/events.h"
#include "volume/volume_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Sizes ------------------------------------------------------------------------------------------------------------------------- */

#define SIZE_DEPTH 128 /* levels that are counted: the tree is a container's, the stack is ours */

/* Hard links count once. */
static bool counted(struct map *seen, const struct stat *st)
{
	char key[40];

	if (st->st_nlink < 2)
		return false;
	snprintf(key, sizeof(key), "%llx", (unsigned long long)st->st_ino);
	return map_set(seen, key, seen) != NULL;
}

static uint64_t tree_size(int at, const char *name, struct map *seen, int depth)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t total = 0;
	struct dirent *e;

	if (!d)
		fd_close(&fd);
	while (d && (e = readdir(d))) {
		struct stat st;

		if (streq(e->d_name, ".") || streq(e->d_name, "..") ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!S_ISDIR(st.st_mode))
			total += counted(seen, &st) ? 0 : (uint64_t)st.st_size;
		else if (depth < SIZE_DEPTH)
			total += tree_size(fd, e->d_name, seen, depth + 1);
	}
	return total;
}

static uint64_t size_of(const char *name)
{
	auto_free char *data = volume_data(name);
	struct map seen = MAP_INIT;
	uint64_t size = tree_size(AT_FDCWD, data, &seen, 0);

	map_free(&seen, NULL);
	return size;
}

/* ---- Printing ---------------------------------------------------------------------------------------------------------------------- */

/* users: those it had when it was looked up; < 0: no sizes. */
static void print(struct jw *w, const struct volume *v, int64_t users)
{
	auto_free char *data = volume_data(v->name), *dir = path_join(volumes.root, v->name);
	struct stat st = {0};

	lstat(dir, &st);
	jw_obj(w);
	jw_ktime(w, "CreatedAt", st.st_ctim.tv_sec * INT64_C(1000000000));
	jw_kstr(w, "Driver", "local");
	jw_kpairs(w, "Labels", &v->labels, !v->has_labels);
	jw_kstr(w, "Mountpoint", data);
	jw_kstr(w, "Name", v->name);
	jw_kpairs(w, "Options", &v->options, !v->has_options);
	jw_kstr(w, "Scope", "local");
	if (users >= 0) {
		jw_kobj(w, "UsageData");
		jw_ki64(w, "RefCount", users);
		jw_ku64(w, "Size", size_of(v->name));
		jw_end(w);
	}
	jw_end(w);
}

void volume_print(const struct volume *v, struct str *out)
{
	struct jw w = jw_to(out);

	print(&w, v, -1);
}

int volume_inspect(const char *name, struct str *reply, struct error *err)
{
	struct volume *v;

	pthread_mutex_lock(&volumes.lock);
	v = volume_find(name);
	if (v)
		v->refs++;
	pthread_mutex_unlock(&volumes.lock);
	if (!v)
		return error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	volume_print(v, reply);
	volume_unref(v);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct volume *const *)a)->name, (*(struct volume *const *)b)->name);
}

struct volume **volumes_all(size_t *n)
{
	struct volume **all;
	struct map_entry *e;
	size_t i = 0;
	LOCK_SCOPE(&volumes.lock);

	*n = 0;
	all = xcalloc(volumes.table.n + 1, sizeof(*all));
	while ((e = map_next(&volumes.table, &i))) {
		struct volume *v = e->value;

		if (v->changing)
			continue;
		v->refs++;
		all[(*n)++] = v;
	}
	if (*n)
		qsort(all, *n, sizeof(*all), by_name);
	return all;
}

static int64_t users_of(const struct volume *v)
{
	LOCK_SCOPE(&volumes.lock);

	return (int64_t)v->users.n;
}

/* ---- Filters ----------------------------------------------------------------------------------------------------------------------- */

static bool is_true(const char *s)
{
	return streq(s, "1") || !strcasecmp(s, "true");
}

static bool is_false(const char *s)
{
	return streq(s, "0") || !strcasecmp(s, "false");
}

/* All values must say the same; -1: not given. */
static int dangling(const json *filters, int *out, struct error *err)
{
	auto_strlist values = STRLIST_INIT;
	bool yes = false, no = false, bad = false;

	*out = -1;
	filter_values(filters, "dangling", &values);
	for (size_t i = 0; i < values.n; i++) {
		yes = yes || is_true(values.v[i]);
		no = no || is_false(values.v[i]);
		bad = bad || (!is_true(values.v[i]) && !is_false(values.v[i]));
	}
	if (bad || (yes && no)) {
		auto_free char *all = strlist_join(&values, " ");

		return error_set(err, ERR_INVALID, "invalid filter 'dangling=[%s]'", all);
	}
	if (yes || no)
		*out = yes;
	return 0;
}

/* moby's: equal, or a regular expression that matches somewhere. */
static bool name_matches(const char *name, const char *wanted)
{
	regex_t re;
	bool hit;

	if (streq(name, wanted))
		return true;
	if (regcomp(&re, wanted, REG_EXTENDED | REG_NOSUB) != 0)
		return strstr(name, wanted) != NULL;
	hit = regexec(&re, name, 0, NULL, 0) == 0;
	regfree(&re);
	return hit;
}

static bool any(const json *filters, const char *name, const char *is,
		bool (*matches)(const char *is, const char *wanted))
{
	auto_strlist wanted = STRLIST_INIT;

	filter_values(filters, name, &wanted);
	for (size_t i = 0; i < wanted.n; i++)
		if (matches(is, wanted.v[i]))
			return true;
	return wanted.n == 0;
}

int volume_list(const json *filters, struct str *reply, struct error *err)
{
	static const char *const known[] = {"dangling", "name", "driver", "label", NULL};
	struct volume **all;
	struct jw w = jw_to(reply);
	int unused;
	size_t n;

	if (filter_check(filters, known, err) < 0 || dangling(filters, &unused, err) < 0)
		return -1;
	all = volumes_all(&n);
	jw_obj(&w);
	jw_karr(&w, "Volumes");
	for (size_t i = 0; i < n; i++) {
		if (any(filters, "name", all[i]->name, name_matches) &&
		    any(filters, "driver", "local", streq) &&
		    filter_labels(&all[i]->labels, filters) &&
		    (unused < 0 || unused == (users_of(all[i]) == 0)))
			print(&w, all[i], -1);
		volume_unref(all[i]);
	}
	free(all);
	jw_end(&w);
	jw_knull(&w, "Warnings");
	jw_end(&w);
	return 0;
}

int volume_usage(struct str *reply, struct error *err)
{
	struct volume **all;
	struct jw w = jw_to(reply);
	size_t n;

	(void)err;
	all = volumes_all(&n);
	jw_arr(&w);
	for (size_t i = 0; i < n; i++) {
		print(&w, all[i], users_of(all[i]));
		volume_unref(all[i]);
	}
	free(all);
	jw_end(&w);
	return 0;
}

/* ---- Prune ------------------------------------------------------------------------------------------------------------------------- */

static int parse_all(const json *filters, bool *out, struct error *err)
{
	auto_strlist values = STRLIST_INIT;

	filter_values(filters, "all", &values);
	for (size_t i = 0; i < values.n; i++) {
		const char *v = values.v[i];

		if (!is_true(v) && !is_false(v))
			return error_set(err, ERR_INVALID,
					 "invalid filter 'all': strconv.ParseBool: parsing \"%s\": "
					 "invalid syntax",
					 v);
		*out = is_true(v);
	}
	return 0;
}

/* Is it one to prune? Then it is marked as changing, the caller's to remove. */
static bool take_prunable(struct volume *v, const json *filters, bool every)
{
	LOCK_SCOPE(&volumes.lock);

	if (v->users.n || v->busy || v->changing || map_get(&volumes.table, v->name) != v ||
	    (!every && !pairs_get(&v->labels, ANONYMOUS_LABEL)) ||
	    !filter_labels(&v->labels, filters))
		return false;
	return v->changing = true;
}

static void tell_pruned(uint64_t freed)
{
	auto_free char *bytes = xasprintf("%llu", (unsigned long long)freed);
	auto_pairs attrs = PAIRS_INIT;

	pairs_set(&attrs, "reclaimed", bytes);
	events_publish("volume", "prune", "", &attrs);
}

static bool prune_one(struct volume *v, uint64_t *freed)
{
	uint64_t size = size_of(v->name);
	struct error err = ERROR_INIT;

	if (volume_remove(v, &err) < 0) {
		log_warn("volume not pruned", "volume", v->name, "error", err.text);
		return false;
	}
	*freed += size;
	return true;
}

int volume_prune(const json *filters, int api_version, struct str *reply, struct error *err)
{
	static const char *const known[] = {"label", "label!", "all", NULL};
	struct jw w = jw_to(reply);
	struct volume **all;
	uint64_t freed = 0;
	bool every = api_version < 42;
	size_t n;

	if (filter_check(filters, known, err) < 0 || parse_all(filters, &every, err) < 0)
		return -1;
	all = volumes_all(&n);
	jw_obj(&w);
	jw_karr(&w, "VolumesDeleted");
	for (size_t i = 0; i < n; i++) {
		if (take_prunable(all[i], filters, every) && prune_one(all[i], &freed))
			jw_str(&w, all[i]->name);
		volume_unref(all[i]);
	}
	free(all);
	jw_end(&w);
	jw_ku64(&w, "SpaceReclaimed", freed);
	jw_end(&w);
	tell_pruned(freed);
	return 0;
}
