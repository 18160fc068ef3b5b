/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volumes/metadata.db, bucket "volumes": name -> {"Name","Driver","Labels","Options"}, and NAME/opts.json, what the local driver mounts. Both as moby
 * has them. Records of other drivers are of plugins' volumes. Read at start, by one thread.
 */
#include "base/bolt.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "volume/volume_int.h"

#include <fcntl.h>
#include <stdlib.h>

#define BUCKET "volumes"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of db */
static struct bolt *db;

void meta_open(struct bolt *opened)
{
	db = opened;
}

int meta_put(const struct volume *v, struct error *err)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);
	LOCK_SCOPE(&lock);

	jw_obj(&w);
	jw_kstr(&w, "Name", v->name);
	jw_kstr(&w, "Driver", v->driver);
	jw_kpairs(&w, "Labels", &v->labels, !v->has_labels);
	jw_kpairs(&w, "Options", &v->options, !v->has_options);
	jw_end(&w);
	bolt_put(db, BUCKET, v->name, text.p, text.len);
	if (bolt_commit(db, err) < 0)
		return error_wrap(err, "metadata.db");
	FAULT("volume.meta.put");
	return 0;
}

int meta_del(const char *name, struct error *err)
{
	LOCK_SCOPE(&lock);

	bolt_del(db, BUCKET, name);
	return bolt_commit(db, err) < 0 ? error_wrap(err, "metadata.db") : 0;
}

static json *record(const char *name)
{
	struct error err = ERROR_INIT;
	size_t len;
	const char *text = bolt_get(db, BUCKET, name, &len);
	json *j = text ? json_parse(text, len, &err) : NULL;

	if (text && !j)
		log_warn("record of a volume is no JSON", "volume", name, "error", err.text);
	return j;
}

static void read_options(struct volume *v)
{
	static const char *const members[][2] = {
	    {"MountType", "type"}, {"MountOpts", "o"}, {"MountDevice", "device"}};
	auto_free char *path = xasprintf("%s/%s/opts.json", volumes.root, v->name);
	struct error err = ERROR_INIT;
	auto_str text = STR_INIT;
	auto_json *j = NULL;

	if (file_read_at(AT_FDCWD, path, 1 << 20, &text, &err) == 0)
		j = json_parse(str_cstr(&text), text.len, &err);
	if (!j) {
		if (err.kind != ERR_NOT_FOUND)
			log_error("options of a volume", "volume", v->name, "error", err.text);
		return;
	}
	for (size_t i = 0; i < 3; i++)
		pairs_set(&v->kept, members[i][1], json_get_str(j, members[i][0], ""));
	v->quota = json_u64(json_get(json_get(j, "Quota"), "Size"), 0);
}

static void read_record(struct volume *v, const json *j)
{
	v->has_labels = json_type(json_get(j, "Labels")) == JSON_OBJECT;
	v->has_options = json_type(json_get(j, "Options")) == JSON_OBJECT;
	json_pairs(json_get(j, "Labels"), &v->labels);
	json_pairs(json_get(j, "Options"), &v->options);
}

void meta_read(struct volume *v)
{
	auto_json *j = record(v->name);

	read_record(v, j);
	read_options(v);
}

/* Of a plugin, which says later whether it still has it. */
static void add_of_plugin(const char *name, const char *driver, const json *j)
{
	struct volume *v = volume_new(name, driver), *old;

	read_record(v, j);
	old = map_set(&volumes.table, v->name, v);
	if (old)
		volume_unref(old); /* the record says whose the name is, as for moby */
}

int meta_clean(struct error *err)
{
	auto_strlist keys = STRLIST_INIT;

	bolt_keys(db, BUCKET, "", &keys);
	for (size_t i = 0; i < keys.n; i++) {
		auto_json *j = record(keys.v[i]);
		const char *driver = json_get_str(j, "Driver", "");

		if (*driver && !driver_is_local(driver))
			add_of_plugin(keys.v[i], driver, j);
		else if (*driver && !map_get(&volumes.table, keys.v[i]))
			bolt_del(db, BUCKET, keys.v[i]);
	}
	return bolt_commit(db, err);
}

int meta_write_options(int dir, const struct volume *v, struct error *err)
{
	static const char *const members[][2] = {
	    {"MountType", "type"}, {"MountOpts", "o"}, {"MountDevice", "device"}};
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	jw_obj(&w);
	for (size_t i = 0; i < 3; i++) {
		const char *value = pairs_get(&v->kept, members[i][1]);

		jw_kstr(&w, members[i][0], value ? value : "");
	}
	jw_kobj(&w, "Quota");
	jw_ku64(&w, "Size", v->quota);
	jw_end(&w);
	jw_end(&w);
	return file_write_atomic(dir, "opts.json", text.p, text.len, 0600, true, err);
}
