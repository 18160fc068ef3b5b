/* SPDX-License-Identifier: Apache-2.0 */
/* Listing, inspecting, pruning and measuring volumes. What a plugin says of its own comes before what the table knows of them. */
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

/* One line of a list: what the table knows, or a plugin has told. */
struct entry {
	struct volume *v; /* a reference; NULL: only its plugin knows it */
	char *name, *driver, *mountpoint;
	const char *scope;
	int64_t created;
	size_t users;
};

static void entry_free(struct entry *e)
{
	free(e->name);
	free(e->driver);
	free(e->mountpoint);
	if (e->v)
		volume_unref(e->v);
}

static const struct pairs none;

static int by_member_name(const void *a, const void *b)
{
	return strcmp(json_name(*(const json *const *)a), json_name(*(const json *const *)b));
}

/* Sorted, as Go prints maps. */
static void print_status(struct jw *w, const json *status)
{
	auto_free const json **members = xcalloc(json_count(status) + 1, sizeof(*members));
	size_t n = 0;

	for (const json *m = json_first(status); m; m = json_next(m))
		members[n++] = m;
	if (n)
		qsort(members, n, sizeof(*members), by_member_name);
	jw_kobj(w, "Status");
	for (size_t i = 0; i < n; i++)
		jw_kjson(w, json_name(members[i]), members[i]);
	jw_end(w);
}

/* sized: with how much it holds, and who uses it. */
static void print(struct jw *w, const struct entry *e, const json *status, bool sized)
{
	jw_obj(w);
	jw_ktime(w, "CreatedAt", e->created);
	jw_kstr(w, "Driver", e->driver);
	jw_kpairs(w, "Labels", e->v ? &e->v->labels : &none, !e->v || !e->v->has_labels);
	jw_kstr(w, "Mountpoint", e->mountpoint);
	jw_kstr(w, "Name", e->name);
	jw_kpairs(w, "Options", e->v ? &e->v->options : &none, !e->v || !e->v->has_options);
	jw_kstr(w, "Scope", e->scope);
	if (status)
		print_status(w, status);
	if (sized) {
		jw_kobj(w, "UsageData");
		jw_ki64(w, "RefCount", (int64_t)e->users);
		jw_ku64(w, "Size", size_of(e->name));
		jw_end(w);
	}
	jw_end(w);
}

/* Takes the reference. */
static struct entry entry_of(struct volume *v)
{
	auto_free char *dir = path_join(volumes.root, v->name);
	struct entry e = {.v = v, .name = xstrdup(v->name), .driver = xstrdup(v->driver)};
	struct stat st = {0};

	if (driver_is_local(v->driver)) {
		lstat(dir, &st);
		e.created = st.st_ctim.tv_sec * INT64_C(1000000000);
		e.mountpoint = volume_data(v->name);
		e.scope = "local";
	}
	LOCK_SCOPE(&volumes.lock);
	e.users = v->users.n;
	if (!e.mountpoint) {
		e.created = v->created;
		e.mountpoint = xstrdup(v->mountpoint);
	}
	return e;
}

void volume_print(struct volume *v, const json *status, struct str *out)
{
	struct jw w = jw_to(out);
	struct entry e;

	pthread_mutex_lock(&volumes.lock);
	v->refs++;
	pthread_mutex_unlock(&volumes.lock);
	e = entry_of(v);
	if (!e.scope)
		e.scope = driver_scope(e.driver, true);
	print(&w, &e, status, false);
	entry_free(&e);
}

int volume_inspect(const char *name, struct str *reply, struct error *err)
{
	struct volume_info info;
	struct volume *v = volume_lookup(name, &info, err);

	if (v) {
		volume_print(v, info.status, reply);
		volume_unref(v);
	}
	volume_info_free(&info);
	return v ? 0 : -1;
}

void volume_drivers(struct strlist *out)
{
	driver_names(out);
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

/* ---- The list ----------------------------------------------------------------------------------------------------------------------- */

struct listing {
	const json *filters;
	struct entry *v;
	size_t n;
	struct strlist warnings, told; /* told: drivers whose lists are here */
};

static void add_entry(struct listing *l, struct entry e)
{
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = e;
}

static bool driver_wanted(void *ctx, const char *driver)
{
	const struct listing *l = ctx;

	return any(l->filters, "driver", driver, streq);
}

/* The volume if it is of this driver; *taken: another driver has the name. A reference. */
static struct volume *known_of(const char *name, const char *driver, bool *taken)
{
	struct volume *v;
	LOCK_SCOPE(&volumes.lock);

	v = map_get(&volumes.table, name);
	if (v && v->changing)
		v = NULL; /* it may be about to become this driver's */
	*taken = v && !streq(v->driver, driver);
	if (*taken)
		v = NULL;
	if (v)
		v->refs++;
	return v;
}

static void add_told(void *ctx, const char *driver, const char *scope,
		     const struct volume_info *infos, size_t n, const struct error *err)
{
	struct listing *l = ctx;

	if (err) {
		strlist_printf(&l->warnings, "list %s: %s", driver, err->text);
		return;
	}
	strlist_add(&l->told, driver);
	for (size_t i = 0; i < n; i++) {
		struct entry e = {.name = xstrdup(infos[i].name),
				  .driver = xstrdup(driver),
				  .mountpoint = xstrdup(infos[i].mountpoint),
				  .scope = scope,
				  .created = CLOCK_ZERO};
		bool taken;

		e.v = known_of(infos[i].name, driver, &taken);
		if (taken) {
			log_warn("volume is not listed: another driver has one of that name",
				 "volume", infos[i].name, "driver", driver);
			entry_free(&e);
			continue;
		}
		if (e.v) {
			LOCK_SCOPE(&volumes.lock);

			e.users = e.v->users.n;
		}
		add_entry(l, e);
	}
}

/* Those of the table, unless their plugin has said what there is. */
static void add_known(struct listing *l)
{
	size_t n;
	struct volume **all = volumes_all(&n);

	for (size_t i = 0; i < n; i++) {
		struct entry e;

		if (!driver_wanted(l, all[i]->driver) || strlist_has(&l->told, all[i]->driver)) {
			volume_unref(all[i]);
			continue;
		}
		e = entry_of(all[i]);
		if (!e.scope)
			e.scope = driver_scope(e.driver, false);
		add_entry(l, e);
	}
	free(all);
}

static int by_entry_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

int volume_list(const json *filters, struct str *reply, struct error *err)
{
	static const char *const known[] = {"dangling", "name", "driver", "label", NULL};
	struct listing l = {.filters = filters, .warnings = STRLIST_INIT, .told = STRLIST_INIT};
	struct jw w = jw_to(reply);
	int unused;

	if (filter_check(filters, known, err) < 0 || dangling(filters, &unused, err) < 0)
		return -1;
	driver_list_all(driver_wanted, add_told, &l);
	add_known(&l);
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_entry_name);
	jw_obj(&w);
	jw_karr(&w, "Volumes");
	for (size_t i = 0; i < l.n; i++) {
		const struct entry *e = &l.v[i];

		if (any(filters, "name", e->name, name_matches) &&
		    filter_labels(e->v ? &e->v->labels : &none, filters) &&
		    (unused < 0 || unused == (e->users == 0)))
			print(&w, e, NULL, false);
		entry_free(&l.v[i]);
	}
	free(l.v);
	jw_end(&w);
	jw_kstrlist(&w, "Warnings", &l.warnings, true);
	jw_end(&w);
	strlist_free(&l.warnings);
	strlist_free(&l.told);
	return 0;
}

/* As moby, without volumes that have options: what they hold is not here, mostly. */
static bool is_plain(const struct volume *v)
{
	return driver_is_local(v->driver) && !v->options.n;
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
		struct entry e = entry_of(all[i]);

		if (is_plain(all[i]))
			print(&w, &e, NULL, true);
		entry_free(&e);
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

	if (!is_plain(v) || v->users.n || v->busy || v->changing ||
	    map_get(&volumes.table, v->name) != v ||
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
