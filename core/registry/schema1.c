/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker schema 1, which old registries still hold: layers newest first, beside each the classic engine's JSON of its image. Read only. The
 * signatures are by keys that the document brings along itself, so they prove nothing and aren't looked at; the digest is.
 */
#include "registry/manifest.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "image/reference.h"

#include <stdlib.h>

static int read_layers(const json *list, const json *history, struct manifest *m, struct error *err)
{
	size_t n = json_count(list), i = n;

	if (json_type(list) != JSON_ARRAY || !n || n > 1024 || json_count(history) != n)
		return error_set(err, ERR_INVALID,
				 "manifest: schema 1 with %zu layers and %zu rows of history", n,
				 json_count(history));
	m->v = xcalloc(n, sizeof(*m->v));
	m->n = n;
	for (json *j = json_first(list); j; j = json_next(j)) {
		struct descriptor *d = &m->v[--i];
		const char *digest = json_get_str(j, "blobSum", "");

		if (!digest_valid(digest) || !str_after(digest, "sha256:"))
			return error_set(err, ERR_INVALID, "manifest: invalid blobSum \"%.80s\"",
					 digest);
		snprintf(d->digest, sizeof(d->digest), "%s", digest);
		d->type = xstrdup(TYPE_LAYER);
	}
	return 0;
}

static void print_row(struct jw *w, const json *v1, bool empty)
{
	auto_strlist words = STRLIST_INIT;
	auto_free char *by = NULL;

	json_strlist(json_get(json_get(v1, "container_config"), "Cmd"), &words);
	by = strlist_join(&words, " ");
	jw_obj(w);
	jw_kstr(w, "created", json_get_str(v1, "created", "1970-01-01T00:00:00Z"));
	if (*json_get_str(v1, "author", ""))
		jw_kstr(w, "author", json_get_str(v1, "author", ""));
	if (*by)
		jw_kstr(w, "created_by", by);
	if (*json_get_str(v1, "comment", ""))
		jw_kstr(w, "comment", json_get_str(v1, "comment", ""));
	if (empty)
		jw_kbool(w, "empty_layer", true);
	jw_end(w);
}

/* Rows oldest first into `history`; layers that hold nothing leave m. The newest one's document: *top. */
static int read_rows(const json *list, struct manifest *m, struct str *history, json **top,
		     struct error *err)
{
	struct jw w = jw_to(history);
	auto_free const json **rows = xcalloc(m->n, sizeof(*rows));
	size_t n = 0, kept = 0;

	for (json *h = json_first(list); h; h = json_next(h))
		rows[n++] = h;
	jw_arr(&w);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_get_str(rows[n - 1 - i], "v1Compatibility", "");
		auto_json *v1 = json_parse(text, strlen(text), err);
		bool empty;

		if (!v1)
			return error_wrap(err, "manifest: v1Compatibility");
		empty = json_get_bool(v1, "throwaway", false);
		print_row(&w, v1, empty);
		if (empty)
			free(m->v[i].type);
		else
			m->v[kept++] = m->v[i];
		/* owned once: manifest_free walks the whole list if a later row is refused */
		if (empty || kept - 1 != i)
			m->v[i].type = NULL;
		if (i == n - 1)
			*top = steal_ptr(&v1);
	}
	m->n = kept;
	jw_end(&w);
	return 0;
}

int schema1_read(const json *j, struct manifest *m, struct error *err)
{
	static const char *const not_ours[] = {"id",        "parent",   "Size",
					       "parent_id", "layer_id", "throwaway"};
	auto_str history = STR_INIT, out = STR_INIT;
	auto_json *top = NULL, *rows = NULL;

	if (read_layers(json_get(j, "fsLayers"), json_get(j, "history"), m, err) < 0 ||
	    read_rows(json_get(j, "history"), m, &history, &top, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(not_ours); i++)
		json_free(json_take(top, not_ours[i]));
	rows = json_parse(history.p, history.len, err);
	if (!rows || json_type(top) != JSON_OBJECT)
		return error_set(err, ERR_INVALID, "manifest: v1Compatibility is no object");
	json_set(top, "history", steal_ptr(&rows));
	json_print(top, &out);
	m->config1 = str_steal(&out);
	return 0;
}

int schema1_complete(const char *config1, const struct strlist *diffs, struct str *out,
		     struct error *err)
{
	auto_json *j = json_parse(config1, strlen(config1), err), *rootfs = NULL;
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	if (!j)
		return -1;
	jw_obj(&w);
	jw_kstr(&w, "type", "layers");
	jw_kstrlist(&w, "diff_ids", diffs, false);
	jw_end(&w);
	rootfs = json_parse(text.p, text.len, err);
	if (!rootfs)
		return -1;
	json_free(json_take(j, "rootfs"));
	json_set(j, "rootfs", steal_ptr(&rootfs));
	json_print(j, out);
	return 0;
}

/* The protected header of the first signature says how much of the document was signed and how it ended then. */
int schema1_payload(const char *text, size_t len, struct str *out, struct error *err)
{
	auto_json *j = json_parse(text, len, err), *head = NULL;
	json *first = json_first(json_get(j, "signatures"));
	const char *protected = json_get_str(first, "protected", "");
	auto_free char *decoded = NULL, *tail = NULL;
	size_t n = 0, tail_len = 0;
	int64_t keep;

	if (!j)
		return -1;
	if (!first) { /* unsigned: the whole of it */
		str_add(out, text, len);
		return 0;
	}
	decoded = (char *)base64_decode(protected, &n);
	head = decoded ? json_parse(decoded, n, err) : NULL;
	keep = json_get_i64(head, "formatLength", -1);
	tail = (char *)base64_decode(json_get_str(head, "formatTail", ""), &tail_len);
	if (keep < 0 || (uint64_t)keep > len || !tail)
		return error_set(err, ERR_INVALID, "manifest: malformed signature");
	str_add(out, text, (size_t)keep);
	str_add(out, tail, tail_len);
	return 0;
}
