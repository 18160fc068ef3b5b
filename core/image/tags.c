/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repositories.json: {"Repositories":{"busybox":{"busybox:latest":"sha256:..."}}}, keys in familiar form. Memory has it flat, by full reference.
 * Every change writes the file anew, under tags_file, and is in memory only once it is on disk.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <fcntl.h>
#include <stdlib.h>

#define FILE_NAME "repositories.json"
#define FILE_MAX (64 * 1024 * 1024)

int tags_read(struct image_store *s, struct error *err)
{
	struct error absent = ERROR_INIT;
	auto_str text = STR_INIT;
	auto_json *j = NULL;

	if (file_read_at(s->dir, FILE_NAME, FILE_MAX, &text, &absent) < 0)
		return absent.kind == ERR_NOT_FOUND
			   ? 0
			   : error_set(err, absent.kind, "%s", absent.text);
	j = json_parse(text.p, text.len, err);
	if (!j)
		return error_wrap(err, "%s/%s", s->path, FILE_NAME);
	for (json *repo = json_first(json_get(j, "Repositories")); repo; repo = json_next(repo))
		for (json *t = json_first(repo); t; t = json_next(t)) {
			auto_reference ref = {0};
			auto_free char *full = NULL;
			struct error bad = ERROR_INIT;

			if (reference_parse(json_name(t), &ref, &bad) < 0 ||
			    !digest_valid(json_str(t, ""))) {
				log_error("reference left out", "reference", json_name(t), "error",
					  bad.text);
				continue;
			}
			full = reference_string(&ref);
			free(map_set(&s->tags, full, xstrdup(json_str(t, ""))));
		}
	return 0;
}

const char *tag_get_locked(struct image_store *s, const char *full)
{
	return map_get(&s->tags, full);
}

void tags_of_locked(struct image_store *s, const char *id, struct strlist *out)
{
	struct map_entry *e;
	size_t i = 0;

	while ((e = map_next(&s->tags, &i)))
		if (streq(e->value, id))
			strlist_add(out, e->key);
	strlist_sort(out);
}

void tags_familiar_locked(struct image_store *s, const char *id, struct strlist *tags,
			  struct strlist *digests)
{
	auto_strlist all = STRLIST_INIT;
	struct error ignored = ERROR_INIT;

	tags_of_locked(s, id, &all);
	for (size_t i = 0; i < all.n; i++) {
		auto_reference ref = {0};

		if (reference_parse(all.v[i], &ref, &ignored) == 0)
			strlist_take(ref.digest ? digests : tags, reference_familiar(&ref));
	}
}

/* A line of the file: familiar repository, familiar reference, id. */
struct row {
	char *repo, *ref;
	const char *id;
};

static int by_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int r = strcmp(x->repo, y->repo);

	return r ? r : strcmp(x->ref, y->ref);
}

/* The file with one change: `full` -> id, or without `full` if id is NULL. */
static void print_file(struct image_store *s, const char *full, const char *id, struct str *out)
{
	struct row *rows = xcalloc(s->tags.n + 2, sizeof(*rows));
	struct error ignored = ERROR_INIT;
	struct jw w = jw_to(out);
	struct map_entry *e;
	size_t i = 0, n = 0;
	auto_reference ref = {0};

	while ((e = map_next(&s->tags, &i))) {
		if (streq(e->key, full) || reference_parse(e->key, &ref, &ignored) < 0)
			continue;
		rows[n++] =
		    (struct row){reference_familiar_name(&ref), reference_familiar(&ref), e->value};
		reference_free(&ref);
	}
	if (id && reference_parse(full, &ref, &ignored) == 0)
		rows[n++] =
		    (struct row){reference_familiar_name(&ref), reference_familiar(&ref), id};
	qsort(rows, n, sizeof(*rows), by_name);
	jw_obj(&w);
	jw_kobj(&w, "Repositories");
	for (i = 0; i < n; i++) {
		if (i == 0 || !streq(rows[i].repo, rows[i - 1].repo))
			jw_kobj(&w, rows[i].repo);
		jw_kstr(&w, rows[i].ref, rows[i].id);
		if (i + 1 == n || !streq(rows[i].repo, rows[i + 1].repo))
			jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
	for (i = 0; i < n; i++) {
		free(rows[i].repo);
		free(rows[i].ref);
	}
	free(rows);
}

/* tags_file is held. */
static int change(struct image_store *s, const char *full, const char *id, struct error *err)
{
	auto_str text = STR_INIT;

	pthread_mutex_lock(&s->lock);
	print_file(s, full, id, &text);
	pthread_mutex_unlock(&s->lock);
	FAULT("image.tags.before-write");
	if (file_write_atomic(s->dir, FILE_NAME, text.p, text.len, 0600, true, err) < 0)
		return -1;
	FAULT("image.tags.after-write");
	LOCK_SCOPE(&s->lock);
	free(id ? map_set(&s->tags, full, xstrdup(id)) : map_del(&s->tags, full));
	return 0;
}

int tag_set(struct image_store *s, const struct reference *ref, const char *id, struct error *err)
{
	if (tag_point(s, ref, id, err) < 0)
		return -1;
	image_touch(s, id);
	return 0;
}

int tag_point(struct image_store *s, const struct reference *ref, const char *id, struct error *err)
{
	auto_free char *full = reference_string(ref), *old = NULL;
	bool image_there;

	LOCK_SCOPE(&s->tags_file);
	pthread_mutex_lock(&s->lock);
	old = xstrdup_null(map_get(&s->tags, full));
	image_there = map_get(&s->images, id) != NULL;
	pthread_mutex_unlock(&s->lock);
	if (!image_there)
		return image_not_found(id, err);
	return old && streq(old, id) ? 0 : change(s, full, id, err);
}

int tag_remove(struct image_store *s, const char *full, const char *id, struct error *err)
{
	const char *now;
	bool there;

	LOCK_SCOPE(&s->tags_file);
	pthread_mutex_lock(&s->lock);
	now = map_get(&s->tags, full);
	there = now && (!id || streq(now, id));
	pthread_mutex_unlock(&s->lock);
	return there ? change(s, full, NULL, err) : 0;
}

int tag_parse(const char *repo, const char *tag, struct reference *out, struct error *err)
{
	auto_free char *joined = NULL;

	if (str_empty(tag))
		joined = xstrdup(repo);
	else if (strchr(tag, ':')) /* moby takes a digest in the place of the tag */
		joined = xasprintf("%s@%s", repo, tag);
	else
		joined = xasprintf("%s:%s", repo, tag);
	if (reference_parse(joined, out, err) < 0) {
		auto_reference alone = {0};
		struct error bad = ERROR_INIT;

		/* moby's words, where the name by itself would do */
		return !str_empty(tag) && reference_parse(repo, &alone, &bad) == 0
			   ? error_set(err, ERR_INVALID, "invalid tag format")
			   : -1;
	}
	if (out->digest) {
		reference_free(out);
		return error_set(err, ERR_INVALID, "cannot import digest reference");
	}
	if (streq(out->name, "docker.io/library/sha256")) {
		reference_free(out);
		return error_set(
		    err, ERR_INVALID,
		    "refusing to create an ambiguous tag using digest algorithm as name");
	}
	reference_default_tag(out);
	return 0;
}

int image_tag(struct image_store *s, const char *name, const char *repo, const char *tag,
	      struct error *err)
{
	auto_free char *id = NULL, *shown = NULL;
	auto_reference ref = {0};

	if (tag_parse(repo, tag, &ref, err) < 0)
		return -1;
	id = image_resolve(s, name, err);
	if (!id || tag_set(s, &ref, id, err) < 0)
		return -1;
	shown = reference_familiar(&ref);
	emit_event(s, "tag", id, shown);
	return 0;
}
