/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker save: one pass, nothing spooled. Layer archives are put together from the layers (tar-split), their sizes being known beforehand from
 * the split files. The archive is both an OCI layout and docker's own format, as moby writes it.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "unpack/client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MT_INDEX "application/vnd.oci.image.index.v1+json"
#define MT_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MT_CONFIG "application/vnd.oci.image.config.v1+json"
#define MT_LAYER "application/vnd.oci.image.layer.v1.tar"
#define BLOCK 512

/* An image to save. */
struct item {
	char *id;
	struct strlist tags; /* full references with a tag */
	struct layer *top;   /* held */
	struct str config, manifest;
	char manifest_digest[DIGEST_TEXT];
	int64_t created_s;
};

struct save {
	struct image_store *s;
	int fd;
	struct item *items;
	size_t n;
	struct map written; /* digests of blobs in the archive */
	struct map sizes;   /* layer digest -> uint64_t* */
};

/* ---- tar ------------------------------------------------------------------------------------------------------------------------------ */

static int put_bytes(const struct save *v, const void *p, size_t n, struct error *err)
{
	return fd_write_all(v->fd, p, n) < 0 ? error_sys(err, errno, "write archive") : 0;
}

static int put_header(const struct save *v, const char *name, char flag, uint64_t size,
		      int64_t mtime, struct error *err)
{
	char h[BLOCK] = {0};
	unsigned sum = 0;

	snprintf(h, 100, "%s", name);
	snprintf(h + 100, 8, "%07o", flag == '5' ? 0755u : 0644u);
	snprintf(h + 108, 8, "%07o", 0u);
	snprintf(h + 116, 8, "%07o", 0u);
	if (size >> 33) { /* base-256: eight octets are enough for any file */
		h[124] = (char)0x80;
		for (int i = 0; i < 8; i++)
			h[135 - i] = (char)(size >> (8 * i));
	} else {
		snprintf(h + 124, 12, "%011" PRIo64, size);
	}
	snprintf(h + 136, 12, "%011" PRIo64, mtime < 0 ? 0 : (uint64_t)mtime);
	h[156] = flag;
	memcpy(h + 257,
	       "ustar\0"
	       "00",
	       8);
	memset(h + 148, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	h[155] = ' ';
	return put_bytes(v, h, BLOCK, err);
}

static int put_padding(const struct save *v, uint64_t size, struct error *err)
{
	static const char zeros[BLOCK];

	return size % BLOCK ? put_bytes(v, zeros, BLOCK - size % BLOCK, err) : 0;
}

static int put_file(const struct save *v, const char *name, const struct str *text, int64_t mtime,
		    struct error *err)
{
	if (put_header(v, name, '0', text->len, mtime, err) < 0 ||
	    put_bytes(v, str_cstr(text), text->len, err) < 0)
		return -1;
	return put_padding(v, text->len, err);
}

/* Is the blob still missing? Then its path. */
static bool blob_path(struct save *v, const char *digest, char path[128])
{
	if (map_get(&v->written, digest))
		return false;
	map_set(&v->written, digest, v);
	snprintf(path, 128, "blobs/sha256/%s", digest_hex(digest));
	return true;
}

/* ---- what to save ----------------------------------------------------------------------------------------------------------------------- */

static struct item *item_for_locked(struct save *v, struct image_record *r)
{
	for (size_t i = 0; i < v->n; i++)
		if (streq(v->items[i].id, r->id))
			return &v->items[i];
	v->items = xreallocarray(v->items, v->n + 1, sizeof(*v->items));
	v->items[v->n] = (struct item){
	    .id = xstrdup(r->id), .top = r->top, .created_s = r->created / 1000000000};
	if (r->top)
		r->top->refs++;
	return &v->items[v->n++];
}

static void add_tag(struct item *i, const char *full)
{
	if (!strlist_has(&i->tags, full))
		strlist_add(&i->tags, full);
}

/* A name without tag stands for all tags of the repository. 1: found some. */
static int collect_repository(struct save *v, const struct reference *ref)
{
	auto_strlist all = STRLIST_INIT;
	struct map_entry *e;
	size_t i = 0;
	int found = 0;

	while ((e = map_next(&v->s->tags, &i)))
		strlist_add(&all, e->key);
	strlist_sort(&all);
	for (i = 0; i < all.n; i++) {
		auto_reference t = {0};
		struct error ignored = ERROR_INIT;
		struct image_record *r = map_get(&v->s->images, map_get(&v->s->tags, all.v[i]));

		if (r && reference_parse(all.v[i], &t, &ignored) == 0 && t.tag &&
		    streq(t.name, ref->name)) {
			add_tag(item_for_locked(v, r), all.v[i]);
			found = 1;
		}
	}
	return found;
}

static int collect(struct save *v, const char *name, struct error *err)
{
	auto_reference ref = {0};
	struct error ignored = ERROR_INIT;
	struct image_record *r;
	auto_free char *full = NULL;

	LOCK_SCOPE(&v->s->lock);
	if (!is_full_id(name) && !digest_valid(name) &&
	    reference_parse(name, &ref, &ignored) == 0 && !ref.tag && !ref.digest &&
	    collect_repository(v, &ref))
		return 0;
	r = image_find_locked(v->s, name, err);
	if (!r) /* here moby shows the name as it was given */
		return err->kind == ERR_NOT_FOUND
			   ? error_set(err, ERR_NOT_FOUND, "No such image: %s", name)
			   : -1;
	if (ref.name && ref.tag)
		full = reference_string(&ref);
	item_for_locked(v, r);
	if (full && tag_get_locked(v->s, full))
		add_tag(item_for_locked(v, r), full);
	return 0;
}

/* ---- documents -------------------------------------------------------------------------------------------------------------------------- */

static void put_descriptor(struct jw *w, const char *type, const char *digest, uint64_t size)
{
	jw_kstr(w, "mediaType", type);
	jw_kstr(w, "digest", digest);
	jw_ku64(w, "size", size);
}

/* Layers bottom up. */
static size_t chain_of(const struct layer *top, const struct layer ***out)
{
	size_t n = layer_depth(top), i = n;

	*out = xcalloc(n + 1, sizeof(**out));
	for (; top; top = top->parent)
		(*out)[--i] = top;
	return n;
}

static uint64_t size_of(const struct save *v, const struct layer *l)
{
	uint64_t *size = map_get(&v->sizes, l->diff);

	return size ? *size : 0;
}

static int measure_layers(struct save *v, const struct layer *l, struct error *err)
{
	for (; l; l = l->parent) {
		auto_free char *path =
		    xasprintf("sha256/%s/tar-split.json.gz", digest_hex(l->chain));
		auto_close split = -1;
		auto_unpacker u = UNPACKER_INIT;
		struct unpacked done;
		uint64_t *size;

		if (map_get(&v->sizes, l->diff))
			continue;
		split = openat(v->s->layerdb, path, O_RDONLY | O_CLOEXEC);
		if (split < 0)
			return error_sys(err, errno, "layer %s: %s", l->chain, path);
		if (unpacker_start(&u, true, err) < 0 ||
		    unpacker_assemble(&u, -1, split, -1, &done, err) < 0)
			return -1;
		size = xmalloc(sizeof(*size));
		*size = done.tar_size;
		map_set(&v->sizes, l->diff, size);
	}
	return 0;
}

static void print_manifest(struct save *v, struct item *i)
{
	struct jw w = jw_to(&i->manifest);
	auto_free const struct layer **chain = NULL;
	size_t n = chain_of(i->top, &chain);

	jw_obj(&w);
	jw_ki64(&w, "schemaVersion", 2);
	jw_kstr(&w, "mediaType", MT_MANIFEST);
	jw_kobj(&w, "config");
	put_descriptor(&w, MT_CONFIG, i->id, i->config.len);
	jw_end(&w);
	jw_karr(&w, "layers");
	for (size_t k = 0; k < n; k++) {
		jw_obj(&w);
		put_descriptor(&w, MT_LAYER, chain[k]->diff, size_of(v, chain[k]));
		jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
	sha256_digest(i->manifest.p, i->manifest.len, i->manifest_digest);
}

static void print_index(const struct save *v, struct str *out)
{
	struct jw w = jw_to(out);

	jw_obj(&w);
	jw_ki64(&w, "schemaVersion", 2);
	jw_kstr(&w, "mediaType", MT_INDEX);
	jw_karr(&w, "manifests");
	for (size_t i = 0; i < v->n; i++) {
		struct item *it = &v->items[i];

		for (size_t k = 0; k < (it->tags.n ? it->tags.n : 1); k++) {
			jw_obj(&w);
			put_descriptor(&w, MT_MANIFEST, it->manifest_digest, it->manifest.len);
			if (it->tags.n) {
				jw_kobj(&w, "annotations");
				jw_kstr(&w, "io.containerd.image.name", it->tags.v[k]);
				jw_kstr(&w, "org.opencontainers.image.ref.name",
					strrchr(it->tags.v[k], ':') + 1);
				jw_end(&w);
			}
			jw_end(&w);
		}
	}
	jw_end(&w);
	jw_end(&w);
}

static void print_familiar(const struct strlist *full, struct strlist *out)
{
	struct error ignored = ERROR_INIT;

	for (size_t i = 0; i < full->n; i++) {
		auto_reference ref = {0};

		if (reference_parse(full->v[i], &ref, &ignored) == 0)
			strlist_take(out, reference_familiar(&ref));
	}
}

static void print_docker_manifest(const struct save *v, struct str *out)
{
	struct jw w = jw_to(out);
	char path[128];

	jw_arr(&w);
	for (size_t i = 0; i < v->n; i++) {
		auto_free const struct layer **chain = NULL;
		auto_strlist tags = STRLIST_INIT, diffs = STRLIST_INIT;
		struct item *it = &v->items[i];
		size_t n = chain_of(it->top, &chain);

		print_familiar(&it->tags, &tags);
		jw_obj(&w);
		snprintf(path, sizeof(path), "blobs/sha256/%s", digest_hex(it->id));
		jw_kstr(&w, "Config", path);
		jw_kstrlist(&w, "RepoTags", &tags, true);
		jw_karr(&w, "Layers");
		for (size_t k = 0; k < n; k++) {
			snprintf(path, sizeof(path), "blobs/sha256/%s", digest_hex(chain[k]->diff));
			jw_str(&w, path);
			if (!strlist_has(&diffs, chain[k]->diff))
				strlist_add(&diffs, chain[k]->diff);
		}
		jw_end(&w);
		strlist_sort(&diffs);
		jw_kobj(&w, "LayerSources");
		for (size_t k = 0; k < diffs.n; k++) {
			uint64_t *size = map_get(&v->sizes, diffs.v[k]);

			jw_kobj(&w, diffs.v[k]);
			jw_kstr(&w, "mediaType", MT_LAYER);
			jw_ku64(&w, "size", size ? *size : 0);
			jw_kstr(&w, "digest", diffs.v[k]);
			jw_end(&w);
		}
		jw_end(&w);
		jw_end(&w);
	}
	jw_end(&w);
}

/* The oldest format's index: repository -> tag -> top layer. Left out if nothing is tagged, as moby does. */
static bool print_repositories(const struct save *v, struct str *out)
{
	struct pairs rows = PAIRS_INIT; /* "repo:tag" -> layer */
	struct jw w = jw_to(out);
	char last[512] = "";
	bool any;

	for (size_t i = 0; i < v->n; i++) {
		auto_strlist tags = STRLIST_INIT;

		print_familiar(&v->items[i].tags, &tags);
		for (size_t k = 0; k < tags.n && v->items[i].top; k++)
			pairs_set(&rows, tags.v[k], digest_hex(v->items[i].top->diff));
	}
	pairs_sort(&rows);
	any = rows.n > 0;
	jw_obj(&w);
	for (size_t i = 0; i < rows.n; i++) {
		char *colon = strrchr(rows.v[i].key, ':');

		*colon = '\0';
		if (!streq(last, rows.v[i].key)) {
			if (*last)
				jw_end(&w);
			snprintf(last, sizeof(last), "%s", rows.v[i].key);
			jw_kobj(&w, last);
		}
		jw_kstr(&w, colon + 1, rows.v[i].value);
	}
	if (*last)
		jw_end(&w);
	jw_end(&w);
	str_putc(out, '\n');
	pairs_free(&rows);
	return any;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------------------ */

static int put_layers(struct save *v, const struct item *i, struct error *err)
{
	auto_free const struct layer **chain = NULL;
	size_t n = chain_of(i->top, &chain);
	char path[128];

	for (size_t k = 0; k < n; k++) {
		uint64_t size = size_of(v, chain[k]);

		if (!blob_path(v, chain[k]->diff, path))
			continue;
		if (put_header(v, path, '0', size, i->created_s, err) < 0 ||
		    layer_write_tar(v->s, chain[k], v->fd, NULL, err) < 0 ||
		    put_padding(v, size, err) < 0)
			return -1;
	}
	return 0;
}

static int put_item(struct save *v, struct item *i, struct error *err)
{
	char path[128];

	if (image_read_config(v->s, i->id, &i->config, err) < 0 ||
	    measure_layers(v, i->top, err) < 0)
		return -1;
	print_manifest(v, i);
	if (put_layers(v, i, err) < 0)
		return -1;
	if (blob_path(v, i->id, path) && put_file(v, path, &i->config, i->created_s, err) < 0)
		return -1;
	if (blob_path(v, i->manifest_digest, path) && put_file(v, path, &i->manifest, 0, err) < 0)
		return -1;
	emit_event(v->s, "save", i->id, i->id);
	return 0;
}

static int put_indexes(struct save *v, struct error *err)
{
	static const char end[2 * BLOCK];
	auto_str index = STR_INIT, manifest = STR_INIT, layout = STR_INIT, repositories = STR_INIT;

	print_index(v, &index);
	print_docker_manifest(v, &manifest);
	str_puts(&layout, "{\"imageLayoutVersion\": \"1.0.0\"}");
	if (put_file(v, "index.json", &index, 0, err) < 0 ||
	    put_file(v, "manifest.json", &manifest, 0, err) < 0 ||
	    put_file(v, "oci-layout", &layout, 0, err) < 0)
		return -1;
	if (print_repositories(v, &repositories) &&
	    put_file(v, "repositories", &repositories, 0, err) < 0)
		return -1;
	return put_bytes(v, end, sizeof(end), err);
}

int image_save(struct image_store *s, const struct strlist *names, int fd, struct error *err)
{
	struct save v = {.s = s, .fd = fd};
	int r = 0;

	for (size_t i = 0; i < names->n && r == 0; i++)
		r = collect(&v, names->v[i], err);
	if (r == 0)
		r = put_header(&v, "blobs/", '5', 0, 0, err) < 0
			? -1
			: put_header(&v, "blobs/sha256/", '5', 0, 0, err);
	for (size_t i = 0; i < v.n && r == 0; i++)
		r = put_item(&v, &v.items[i], err);
	if (r == 0)
		r = put_indexes(&v, err);
	for (size_t i = 0; i < v.n; i++) {
		layer_unref(s, v.items[i].top, NULL);
		free(v.items[i].id);
		strlist_free(&v.items[i].tags);
		str_free(&v.items[i].config);
		str_free(&v.items[i].manifest);
	}
	free(v.items);
	map_free(&v.written, NULL);
	map_free(&v.sizes, free);
	return r;
}
