/* SPDX-License-Identifier: Apache-2.0 */
/* Listing, inspecting, pruning and measuring volumes. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/filter.h"
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

static void print(struct jw *w, const struct volume *v, bool usage)
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
	if (usage) {
		jw_kobj(w, "UsageData");
		jw_ki64(w, "RefCount", (int64_t)v->users.n);
		jw_ku64(w, "Size", size_of(v->name));
		jw_end(w);
	}
	jw_end(w);
}

int volume_inspect(const char *name, struct str *reply, struct error *err)
{
	struct jw w = jw_to(reply);
	const struct volume *v;
	LOCK_SCOPE(&volumes.lock);

	v = map_get(&volumes.table, name);
	if (!v)
		return error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	print(&w, v, false);
	return 0;
}

static void names(struct strlist *out)
{
	struct map_entry *e;
	size_t i = 0;

	while ((e = map_next(&volumes.table, &i)))
		strlist_add(out, e->key);
	strlist_sort(out);
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
	auto_strlist all = STRLIST_INIT;
	struct jw w = jw_to(reply);
	int unused;
	LOCK_SCOPE(&volumes.lock);

	if (filter_check(filters, known, err) < 0 || dangling(filters, &unused, err) < 0)
		return -1;
	names(&all);
	jw_obj(&w);
	jw_karr(&w, "Volumes");
	for (size_t i = 0; i < all.n; i++) {
		const struct volume *v = map_get(&volumes.table, all.v[i]);

		if (any(filters, "name", v->name, name_matches) &&
		    any(filters, "driver", "local", streq) && filter_labels(&v->labels, filters) &&
		    (unused < 0 || unused == (v->users.n == 0)))
			print(&w, v, false);
	}
	jw_end(&w);
	jw_knull(&w, "Warnings");
	jw_end(&w);
	return 0;
}

int volume_usage(struct str *reply, struct error *err)
{
	auto_strlist all = STRLIST_INIT;
	struct jw w = jw_to(reply);
	LOCK_SCOPE(&volumes.lock);

	(void)err;
	names(&all);
	jw_arr(&w);
	for (size_t i = 0; i < all.n; i++)
		print(&w, map_get(&volumes.table, all.v[i]), true);
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

static bool prunable(const struct volume *v, const json *filters, bool every)
{
	return !v->users.n && !v->busy && (every || pairs_get(&v->labels, ANONYMOUS_LABEL)) &&
	       filter_labels(&v->labels, filters);
}

static void tell_pruned(uint64_t freed)
{
	auto_free char *bytes = xasprintf("%llu", (unsigned long long)freed);
	auto_pairs attrs = PAIRS_INIT;

	pairs_set(&attrs, "reclaimed", bytes);
	events_publish("volume", "prune", "", &attrs);
}

int volume_prune(const json *filters, int api_version, struct str *reply, struct error *err)
{
	static const char *const known[] = {"label", "label!", "all", NULL};
	auto_strlist list = STRLIST_INIT;
	struct jw w = jw_to(reply);
	uint64_t freed = 0;
	bool every = api_version < 42;
	LOCK_SCOPE(&volumes.lock);

	if (filter_check(filters, known, err) < 0 || parse_all(filters, &every, err) < 0)
		return -1;
	names(&list);
	jw_obj(&w);
	jw_karr(&w, "VolumesDeleted");
	for (size_t i = 0; i < list.n; i++) {
		struct volume *v = map_get(&volumes.table, list.v[i]);
		uint64_t size;

		if (!prunable(v, filters, every))
			continue;
		size = size_of(list.v[i]);
		if (volume_remove(v, err) < 0)
			return -1;
		freed += size;
		jw_str(&w, list.v[i]);
	}
	jw_end(&w);
	jw_ku64(&w, "SpaceReclaimed", freed);
	jw_end(&w);
	tell_pruned(freed);
	return 0;
}
