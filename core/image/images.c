/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: imagedb/content/sha256/<id> is the configuration document, whose digest is the id; imagedb/metadata/sha256/<id>/{parent,lastUpdated} is
 * what the engine notes beside it. The document is read when it is asked for; in memory stay ids, times and layers.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX \
	(8 * 1024 * 1024) /* bytes of a configuration document; real ones have a few KiB */

int image_read_config(struct image_store *s, const char *id, struct str *text, struct error *err)
{
	auto_free char *path = xasprintf("content/sha256/%s", digest_hex(id));
	char digest[DIGEST_TEXT];

	if (file_read_at(s->imagedb, path, CONFIG_MAX, text, err) < 0)
		return error_wrap(err, "image %s", id);
	sha256_digest(str_cstr(text), text->len, digest);
	if (!streq(digest, id))
		return error_set(err, ERR_SYSTEM,
				 "image %s is damaged: its configuration has digest %s", id,
				 digest);
	return 0;
}

const char *json_created(const json *config)
{
	return json_get_str(config, "created", "");
}

/* Top layer that a document's rootfs describes, referenced; *top NULL for none. */
static int find_top(struct image_store *s, const json *config, struct layer **top,
		    struct error *err)
{
	char chain[DIGEST_TEXT] = "";
	bool any = false;

	*top = NULL;
	for (json *d = json_first(json_get(json_get(config, "rootfs"), "diff_ids")); d;
	     d = json_next(d)) {
		char next[DIGEST_TEXT];

		if (!digest_valid(json_str(d, "")) || strlen(json_str(d, "")) >= DIGEST_TEXT)
			return error_set(err, ERR_INVALID, "invalid diff_id \"%s\"",
					 json_str(d, ""));
		chain_id(chain, json_str(d, ""), next);
		memcpy(chain, next, sizeof(chain));
		any = true;
	}
	if (any && !(*top = layer_ref(s, chain)))
		return error_set(err, ERR_NOT_FOUND, "layer %s does not exist", chain);
	return 0;
}

static struct image_record *record_new(const char *id, const json *config, struct layer *top)
{
	struct image_record *r = xnew(struct image_record);

	snprintf(r->id, sizeof(r->id), "%s", id);
	r->top = top;
	r->last_tag = CLOCK_ZERO;
	if (!clock_parse(json_created(config), &r->created))
		r->created = CLOCK_ZERO;
	return r;
}

static void read_metadata(struct image_store *s, struct image_record *r)
{
	auto_free char *parent = xasprintf("metadata/sha256/%s/parent", digest_hex(r->id));
	auto_free char *updated = xasprintf("metadata/sha256/%s/lastUpdated", digest_hex(r->id));
	struct error absent = ERROR_INIT;
	auto_str text = STR_INIT;

	if (file_read_at(s->imagedb, parent, 256, &text, &absent) == 0 &&
	    digest_valid(str_cstr(&text)) && text.len < DIGEST_TEXT)
		memcpy(r->parent, text.p, text.len + 1);
	str_reset(&text);
	if (file_read_at(s->imagedb, updated, 256, &text, &absent) < 0 ||
	    !clock_parse(str_cstr(&text), &r->last_tag))
		r->last_tag = CLOCK_ZERO;
}

static int load_one(struct image_store *s, const char *hex, struct error *err)
{
	auto_free char *id = xasprintf("sha256:%s", hex);
	auto_str text = STR_INIT;
	auto_json *config = NULL;
	struct image_record *r;
	struct layer *top;

	if (image_read_config(s, id, &text, err) < 0)
		return -1;
	config = json_parse(text.p, text.len, err);
	if (!config || find_top(s, config, &top, err) < 0)
		return -1;
	r = record_new(id, config, top);
	read_metadata(s, r);
	map_set(&s->images, id, r);
	return 0;
}

int images_read(struct image_store *s, struct error *err)
{
	int fd = dir_open_at(s->imagedb, "content/sha256", err);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return -1;
	while ((e = readdir(d))) {
		struct error bad = ERROR_INIT;

		if (is_full_id(e->d_name) && load_one(s, e->d_name, &bad) < 0)
			log_error("image left out", "image", e->d_name, "error", bad.text);
	}
	return 0;
}

/* ---- putting ---------------------------------------------------------------------------------------------------------------------- */

static int write_metadata(struct image_store *s, const char *id, const char *name,
			  const char *value, struct error *err)
{
	auto_free char *dir = xasprintf("metadata/sha256/%s", digest_hex(id)),
		       *file = xasprintf("%s/%s", dir, name);

	if (dir_make_all(s->imagedb, dir, 0700, err) < 0)
		return -1;
	return file_write_atomic(s->imagedb, file, value, strlen(value), 0600, false, err);
}

void image_touch(struct image_store *s, const char *id)
{
	struct error err = ERROR_INIT;
	struct image_record *r;
	char now[CLOCK_TEXT];
	int64_t t = clock_wall_ns();

	clock_format(t, now);
	if (write_metadata(s, id, "lastUpdated", now, &err) < 0)
		log_warn("time of tag not recorded", "image", id, "error", err.text);
	LOCK_SCOPE(&s->lock);
	r = map_get(&s->images, id);
	if (r)
		r->last_tag = t;
}

int image_put(struct image_store *s, const char *text, size_t len, const char *parent,
	      struct layer *top, char out[DIGEST_TEXT], struct error *err)
{
	auto_json *config = json_parse(text, len, err);
	auto_free char *path = NULL;
	struct image_record *r, *old;

	if (!config) {
		layer_unref(s, top, NULL);
		return error_wrap(err, "image configuration");
	}
	sha256_digest(text, len, out);
	path = xasprintf("content/sha256/%s", digest_hex(out));
	if (layers_commit(s, top, err) < 0 ||
	    file_write_atomic(s->imagedb, path, text, len, 0600, true, err) < 0 ||
	    (!str_empty(parent) && write_metadata(s, out, "parent", parent, err) < 0)) {
		layer_unref(s, top, NULL);
		return -1;
	}
	FAULT("image.put.after-content");
	layer_set_pending(s, top, false);
	r = record_new(out, config, top);
	snprintf(r->parent, sizeof(r->parent), "%s", parent ? parent : "");
	pthread_mutex_lock(&s->lock);
	old = map_get(&s->images, out);
	if (!old)
		map_set(&s->images, out, r);
	else if (!str_empty(parent))
		memcpy(old->parent, r->parent, sizeof(r->parent));
	pthread_mutex_unlock(&s->lock);
	if (old) {
		layer_unref(s, top, NULL);
		free(r);
	}
	return 0;
}

/* ---- finding ---------------------------------------------------------------------------------------------------------------------- */

int image_not_found(const char *name, struct error *err)
{
	auto_reference ref = {0};
	auto_free char *shown = NULL;
	struct error ignored = ERROR_INIT;

	if (digest_valid(name) || is_full_id(name))
		shown = xasprintf("%s%s", is_full_id(name) ? "sha256:" : "", name);
	else if (reference_parse(name, &ref, &ignored) == 0) {
		reference_default_tag(&ref);
		shown = reference_familiar(&ref);
	}
	return error_set(err, ERR_NOT_FOUND, "No such image: %s", shown ? shown : name);
}

/* Image whose hexadecimal id begins with prefix, if it is one only. */
static struct image_record *find_short(struct image_store *s, const char *prefix)
{
	const char *hex = str_after(prefix, "sha256:") ? str_after(prefix, "sha256:") : prefix;
	struct image_record *found = NULL;
	struct map_entry *e;
	size_t i = 0, n = strlen(hex);

	if (!n || strspn(hex, "0123456789abcdef") != n)
		return NULL;
	while ((e = map_next(&s->images, &i)))
		if (!strncmp(digest_hex(e->key), hex, n)) {
			if (found)
				return NULL;
			found = e->value;
		}
	return found;
}

struct image_record *image_find_locked(struct image_store *s, const char *name, struct error *err)
{
	auto_reference ref = {0};
	auto_free char *full = NULL;
	struct image_record *r = NULL;
	const char *id;

	if (is_full_id(name) || digest_valid(name)) {
		full = xasprintf("%s%s", is_full_id(name) ? "sha256:" : "", name);
		r = map_get(&s->images, full);
		if (!r)
			image_not_found(name, err);
		return r;
	}
	if (reference_parse(name, &ref, err) < 0)
		return NULL;
	reference_default_tag(&ref);
	if (ref.tag && ref.digest) { /* the digest decides, as in moby's store */
		free(ref.tag);
		ref.tag = NULL;
	}
	full = reference_string(&ref);
	id = tag_get_locked(s, full);
	r = id ? map_get(&s->images, id) : NULL;
	if (!r)
		r = find_short(s, name);
	if (!r)
		image_not_found(name, err);
	return r;
}

bool image_has_children_locked(struct image_store *s, const char *id)
{
	struct map_entry *e;
	size_t i = 0;

	while ((e = map_next(&s->images, &i)))
		if (streq(((struct image_record *)e->value)->parent, id))
			return true;
	return false;
}

char *image_resolve(struct image_store *s, const char *name, struct error *err)
{
	struct image_record *r;

	LOCK_SCOPE(&s->lock);
	r = image_find_locked(s, name, err);
	return r ? xstrdup(r->id) : NULL;
}

/* ---- snapshots --------------------------------------------------------------------------------------------------------------------- */

static void fill_layers(struct image *i, const struct layer *top)
{
	i->n_layers = layer_depth(top);
	i->layers = xcalloc(i->n_layers + 1, sizeof(*i->layers));
	for (size_t n = i->n_layers; top; top = top->parent)
		i->layers[--n] =
		    (struct image_layer_info){xstrdup(top->diff), xstrdup(top->chain), top->size};
}

static void add_row(const struct dockerd_emit *to, const char *key, const char *value)
{
	pairs_add(to->ctx, key, value);
}

static int fill_driver_data(struct image_store *s, struct image *i, const struct layer *top,
			    struct error *err)
{
	struct dockerd_emit to = {.size = sizeof(to), .row = add_row, .ctx = &i->driver_data};
	struct dockerd_layer layer;

	if (!top || !STORAGE_HAS(s, metadata))
		return 0;
	layer = storage_layer(top->cache_id, top->parent ? top->parent->cache_id : NULL);
	return STORAGE(s, err, metadata, layer.id, &layer, &to);
}

static struct image *snapshot(struct image_store *s, const char *name, bool whole,
			      struct error *err)
{
	struct image *i = xnew(struct image);
	struct image_record *r;
	struct layer *top = NULL;
	int failed;

	pthread_mutex_lock(&s->lock);
	r = image_find_locked(s, name, err);
	if (r) {
		top = r->top;
		if (top)
			top->refs++; /* the driver is asked below without the lock */
		i->id = xstrdup(r->id);
		i->parent = xstrdup(r->parent);
		i->created = r->created;
		i->last_tag = r->last_tag;
		i->size = layer_chain_size(top);
		tags_familiar_locked(s, r->id, &i->tags, &i->digests);
		if (whole)
			fill_layers(i, top);
	}
	pthread_mutex_unlock(&s->lock);
	failed = !r || image_read_config(s, i->id, &i->text, err) < 0 ||
		 (whole && fill_driver_data(s, i, top, err) < 0);
	if (!failed)
		i->config = json_parse(i->text.p, i->text.len, err);
	if (r)
		layer_unref(s, top, NULL);
	if (i->config)
		return i;
	image_free(i);
	return NULL;
}

struct image *image_get(struct image_store *s, const char *name, struct error *err)
{
	return snapshot(s, name, true, err);
}

struct image *image_get_config(struct image_store *s, const char *name, struct error *err)
{
	return snapshot(s, name, false, err);
}

void image_free(struct image *i)
{
	if (!i)
		return;
	for (size_t n = 0; n < i->n_layers; n++) {
		free(i->layers[n].diff_id);
		free(i->layers[n].chain_id);
	}
	free(i->layers);
	free(i->id);
	free(i->parent);
	str_free(&i->text);
	json_free(i->config);
	strlist_free(&i->tags);
	strlist_free(&i->digests);
	pairs_free(&i->driver_data);
	free(i);
}

/* ---- history ------------------------------------------------------------------------------------------------------------------------ */

/* Ids of image and ancestors: row n of the history belongs to the n-th if they exist. */
static void fill_ids(struct image_store *s, const struct image *i, struct image_history *h)
{
	const char *id = i->id;
	struct image_record *r;

	LOCK_SCOPE(&s->lock);
	for (size_t n = 0; n < h->n && id && *id; n++) {
		struct strlist digests = STRLIST_INIT;

		free(h->v[n].id);
		h->v[n].id = xstrdup(id);
		tags_familiar_locked(s, id, &h->v[n].tags, &digests);
		strlist_free(&digests);
		r = map_get(&s->images, id);
		id = r ? r->parent : NULL;
	}
}

int image_history_get(struct image_store *s, const char *name, struct image_history *out,
		      struct error *err)
{
	struct image *i = image_get(s, name, err);
	size_t layer = 0, n = 0, count;
	json *rows;

	*out = (struct image_history){NULL, 0};
	if (!i)
		return -1;
	rows = json_get(i->config, "history");
	count = json_count(rows);
	out->v = xcalloc(count + 1, sizeof(*out->v));
	out->n = count;
	for (json *j = json_first(rows); j; j = json_next(j), n++) {
		struct image_history_row *row = &out->v[count - 1 - n]; /* newest first */
		int64_t created;

		row->id = xstrdup("<missing>");
		row->created_by = xstrdup(json_get_str(j, "created_by", ""));
		row->comment = xstrdup(json_get_str(j, "comment", ""));
		row->created = clock_parse(json_get_str(j, "created", ""), &created)
				   ? created / 1000000000
				   : 0;
		if (!json_get_bool(j, "empty_layer", false) && layer < i->n_layers)
			row->size = i->layers[layer++].size;
	}
	fill_ids(s, i, out);
	image_free(i);
	return 0;
}

void image_history_free(struct image_history *h)
{
	for (size_t n = 0; n < h->n; n++) {
		free(h->v[n].id);
		free(h->v[n].created_by);
		free(h->v[n].comment);
		strlist_free(&h->v[n].tags);
	}
	free(h->v);
	*h = (struct image_history){NULL, 0};
}
