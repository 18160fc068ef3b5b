/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image/DRIVER/distribution, as moby keeps it: v2metadata-by-diffid/sha256/<diff> lists compressed blobs that a layer is known as and the
 * repositories that hold them; diffid-by-digest is the way back. Hints only: damaged or missing ones cost an upload.
 */
#include "image/stack.h"
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (1024 * 1024)
#define KEEP 50 /* entries per layer, as moby */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one writer */

void blob_origins_free(struct blob_origins *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->v[i].repository);
	free(o->v);
	*o = (struct blob_origins){NULL, 0};
}

static json *read_notes(struct image_store *s, const char *diff)
{
	auto_free char *path =
	    xasprintf("distribution/v2metadata-by-diffid/sha256/%s", digest_hex(diff));
	auto_str text = STR_INIT;
	struct error absent = ERROR_INIT;

	if (file_read_at(s->dir, path, FILE_MAX, &text, &absent) < 0)
		return NULL;
	return json_parse(text.p, text.len, &absent);
}

void image_blob_origins(struct image_store *s, const char *diff, struct blob_origins *out)
{
	auto_json *list = read_notes(s, diff);
	size_t count = json_count(list), n = 0;

	*out = (struct blob_origins){xcalloc(count + 1, sizeof(*out->v)), 0};
	for (json *j = json_first(list); j; j = json_next(j)) {
		const char *digest = json_get_str(j, "Digest", ""),
			   *repository = json_get_str(j, "SourceRepository", "");

		if (!digest_valid(digest) || strlen(digest) >= DIGEST_TEXT || !*repository)
			continue;
		snprintf(out->v[n].digest, DIGEST_TEXT, "%s", digest);
		out->v[n++].repository = xstrdup(repository);
	}
	out->n = n;
	for (size_t i = 0; i < n / 2; i++) { /* the newest stands last in the file */
		struct blob_origin o = out->v[i];

		out->v[i] = out->v[n - 1 - i];
		out->v[n - 1 - i] = o;
	}
}

static int put(struct image_store *s, const char *dir, const char *name, const void *p, size_t n,
	       struct error *err)
{
	auto_free char *path = xasprintf("distribution/%s/sha256", dir),
		       *file = xasprintf("%s/%s", path, name);

	if (dir_make_all(s->dir, path, 0755, err) < 0)
		return -1;
	return file_write_atomic(s->dir, file, p, n, 0644, false, err);
}

void image_blob_note(struct image_store *s, const char *diff, const char *digest,
		     const char *repository)
{
	auto_json *list = NULL;
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);
	struct error err = ERROR_INIT;
	size_t skip;
	LOCK_SCOPE(&lock);

	list = read_notes(s, diff);
	skip = json_count(list) >= KEEP ? json_count(list) - KEEP + 1 : 0;
	jw_arr(&w);
	for (json *j = json_first(list); j; j = json_next(j)) {
		if (skip) {
			skip--;
			continue;
		}
		/* The same with somebody's key stays: it is worth more to moby. */
		if (!streq(json_get_str(j, "Digest", ""), digest) ||
		    !streq(json_get_str(j, "SourceRepository", ""), repository) ||
		    *json_get_str(j, "HMAC", ""))
			jw_json(&w, j);
	}
	jw_obj(&w);
	jw_kstr(&w, "Digest", digest);
	jw_kstr(&w, "SourceRepository", repository);
	jw_kstr(&w, "HMAC", "");
	jw_end(&w);
	jw_end(&w);
	if (put(s, "v2metadata-by-diffid", digest_hex(diff), text.p, text.len, &err) < 0 ||
	    put(s, "diffid-by-digest", digest_hex(digest), diff, strlen(diff), &err) < 0)
		log_warn("origin of a layer not noted", "layer", diff, "error", err.text);
}
