/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-only layers: layerdb/sha256/<chainID>/{diff,size,cache-id,parent,tar-split.json.gz} beside the driver's own directories.
 *
 * Adding: layerdb/tmp/write-set-X with the cache-id comes first, then the driver's layer, content, the other files. From then on the layer may be
 * built upon, but it stays a draft in tmp until an image is made of it: one sync for all layers of the image, then the renames to sha256/<chainID>. Removing: rename back into tmp, then the driver's layer. So whatever lies in tmp at start names a driver layer that
 * nobody needs (unless its cache-id is in use), and the sweep touches nothing that it does not find there: the driver's directory also
 * holds layers of others (build caches).
 *
 * sha256/<chainID>/pending (ours): no image counts on this layer yet, or any more. Without references at start such a layer goes; one
 * without the file stays, since another engine's build cache may need it.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "unpack/client.h"
#include "proto/unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SMALL_FILE 4096
#define DESCRIPTOR_MAX 65536 /* bytes */
#define MAX_DEPTH 125        /* moby's limit of an image's layers */

void chain_id(const char *parent_chain, const char *diff, char out[DIGEST_TEXT])
{
	char text[2 * DIGEST_TEXT];

	if (!parent_chain || !*parent_chain)
		snprintf(out, DIGEST_TEXT, "%s", diff);
	else
		sha256_digest(
		    text, (size_t)snprintf(text, sizeof(text), "%s %s", parent_chain, diff), out);
}

void layer_free(void *layer)
{
	struct layer *l = layer;

	init_plan_free(l->plan);
	free(l->cache_id);
	free(l->draft);
	free(l);
}

uint64_t layer_chain_size(const struct layer *l)
{
	uint64_t sum = 0;

	for (; l; l = l->parent)
		sum += l->size;
	return sum;
}

size_t layer_depth(const struct layer *l)
{
	size_t n = 0;

	for (; l; l = l->parent)
		n++;
	return n;
}

struct layer *layer_ref_locked(struct image_store *s, const char *chain)
{
	struct layer *l = map_get(&s->layers, chain);

	if (l)
		l->refs++;
	return l;
}

struct layer *layer_ref(struct image_store *s, const char *chain)
{
	LOCK_SCOPE(&s->lock);
	return layer_ref_locked(s, chain);
}

/* ---- reading at start ---------------------------------------------------------------------------------------------------------- */

static int read_small(int dir, const char *name, struct str *out, struct error *err)
{
	str_reset(out);
	return file_read_at(dir, name, SMALL_FILE, out, err);
}

static struct layer *layer_load(struct image_store *s, const char *hex, int depth,
				struct error *err);

static int load_fields(struct image_store *s, struct layer *l, int dir, int depth,
		       struct error *err)
{
	auto_str text = STR_INIT;
	struct error absent = ERROR_INIT;

	if (read_small(dir, "diff", &text, err) < 0)
		return -1;
	if (!digest_valid(str_cstr(&text)) || text.len >= DIGEST_TEXT)
		return error_set(err, ERR_SYSTEM, "damaged: 'diff' is \"%s\"", str_cstr(&text));
	memcpy(l->diff, text.p, text.len + 1);
	if (read_small(dir, "size", &text, err) < 0)
		return -1;
	l->size = strtoull(str_cstr(&text), NULL, 10);
	if (read_small(dir, "cache-id", &text, err) < 0)
		return -1;
	if (!path_is_component(str_cstr(&text)))
		return error_set(err, ERR_SYSTEM, "damaged: 'cache-id' is \"%s\"", str_cstr(&text));
	l->cache_id = xstrdup(str_cstr(&text));
	if (read_small(dir, "parent", &text, &absent) < 0)
		return absent.kind == ERR_NOT_FOUND
			   ? 0
			   : error_set(err, absent.kind, "%s", absent.text);
	l->parent = map_get(&s->layers, str_cstr(&text));
	if (!l->parent)
		l->parent = layer_load(s, digest_hex(str_cstr(&text)), depth + 1, err);
	if (!l->parent)
		return -1;
	return 0;
}

static struct layer *layer_load(struct image_store *s, const char *hex, int depth,
				struct error *err)
{
	auto_free char *path = xasprintf("sha256/%s", hex);
	struct layer *l;
	auto_close dir = -1;

	if (depth > 1024 || !is_full_id(hex)) {
		error_set(err, ERR_SYSTEM, "layer %s: damaged chain", hex);
		return NULL;
	}
	dir = dir_open_at(s->layerdb, path, err);
	if (dir < 0)
		return NULL;
	l = xnew(struct layer);
	snprintf(l->chain, sizeof(l->chain), "sha256:%s", hex);
	if (load_fields(s, l, dir, depth, err) < 0) {
		error_wrap(err, "layer %s", hex);
		layer_free(l);
		return NULL;
	}
	if (l->parent)
		l->parent->refs++;
	map_set(&s->layers, l->chain, l);
	return l;
}

/* Names in layerdb/<sub>. */
static int list_dir(int at, const char *sub, struct strlist *out, struct error *err)
{
	int fd = dir_open_at(at, sub, err);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return fd < 0 ? -1 : error_sys(err, errno, "read %s", sub);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			strlist_add(out, e->d_name);
	return 0;
}

int layers_read(struct image_store *s, struct error *err)
{
	auto_strlist names = STRLIST_INIT;

	if (list_dir(s->layerdb, "sha256", &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *chain = xasprintf("sha256:%s", names.v[i]);
		struct error bad = ERROR_INIT;

		if (is_full_id(names.v[i]) && !map_get(&s->layers, chain) &&
		    !layer_load(s, names.v[i], 0, &bad))
			log_error("layer left out", "error", bad.text);
	}
	return 0;
}

static bool cache_id_used(struct image_store *s, const char *id)
{
	struct map_entry *e;
	size_t i = 0;

	while ((e = map_next(&s->layers, &i)))
		if (streq(((struct layer *)e->value)->cache_id, id))
			return true;
	return false;
}

/* A driver's layer, and first what containers shared on top of it. */
static int layer_erase(struct image_store *s, const char *cache_id, struct error *err)
{
	auto_free char *model = init_model(cache_id);

	return STORAGE_ID(s, err, remove, model, cache_id) < 0 ||
		       STORAGE_ID(s, err, remove, cache_id, NULL) < 0
		   ? -1
		   : 0;
}

/* The driver's layer that tmp/<name>/<file> names, if it is nobody's. */
static int sweep_named(struct image_store *s, const char *name, const char *file)
{
	auto_free char *path = xasprintf("tmp/%s/%s", name, file);
	struct error err = ERROR_INIT;
	auto_str id = STR_INIT;

	if (read_small(s->layerdb, path, &id, &err) < 0 || !path_is_component(str_cstr(&id)) ||
	    cache_id_used(s, str_cstr(&id)))
		return 0;
	if (layer_erase(s, str_cstr(&id), &err) == 0)
		return 0;
	log_warn("leftover layer not removed", "layer", str_cstr(&id), "error", err.text);
	return -1;
}

int layers_sweep(struct image_store *s, struct error *err)
{
	auto_strlist names = STRLIST_INIT;

	if (list_dir(s->layerdb, "tmp", &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *dir = xasprintf("tmp/%s", names.v[i]);
		struct error bad = ERROR_INIT;

		if (sweep_named(s, names.v[i], "cache-id") < 0 ||
		    sweep_named(s, names.v[i], "mount-id") < 0 ||
		    sweep_named(s, names.v[i], "init-id") < 0)
			continue; /* next start again */
		if (dir_remove_all(s->layerdb, dir, &bad) < 0)
			log_warn("leftover not removed", "error", bad.text);
	}
	return 0;
}

/* ---- adding ---------------------------------------------------------------------------------------------------------------------- */

/* A layer being made: its directory in layerdb/tmp, and the driver's. */
struct draft {
	char *dir;      /* "tmp/write-set-X" */
	char *cache_id; /* driver's id */
	int fd;         /* of dir */
	bool in_driver;
};

static int draft_open(struct image_store *s, struct draft *d, struct error *err)
{
	*d = (struct draft){.cache_id = random_id(), .fd = -1};
	d->dir = xasprintf("tmp/write-set-%.16s", d->cache_id);
	if (mkdirat(s->layerdb, d->dir, 0755) < 0)
		return error_sys(err, errno, "mkdir %s/layerdb/%s", s->path, d->dir);
	d->fd = dir_open_at(s->layerdb, d->dir, err);
	if (d->fd < 0)
		return -1;
	return file_write_atomic(d->fd, "cache-id", d->cache_id, strlen(d->cache_id), 0644, false,
				 err);
}

static void draft_close(struct draft *d)
{
	fd_close(&d->fd);
	free(d->dir);
	free(d->cache_id);
}

int layer_erase_all(struct image_store *s, const char *cache_id, const char *dir, struct error *err)
{
	return layer_erase(s, cache_id, err) < 0 ? -1 : dir_remove_all(s->layerdb, dir, err);
}

static void draft_discard(struct image_store *s, struct draft *d)
{
	struct error err = ERROR_INIT;

	if (d->in_driver && layer_erase(s, d->cache_id, &err) < 0) {
		log_warn("unused layer not removed; the next start tries again", "layer",
			 d->cache_id, "error", err.text);
		return;
	}
	if (d->dir && dir_remove_all(s->layerdb, d->dir, &err) < 0)
		log_warn("unused layer not removed", "error", err.text);
}

static int draft_write(struct draft *d, const struct layer *parent, const struct unpacked *u,
		       uint64_t size, struct error *err)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64, size);

	if (file_write_atomic(d->fd, "diff", u->digest, strlen(u->digest), 0644, false, err) < 0 ||
	    file_write_atomic(d->fd, "size", text, (size_t)n, 0644, false, err) < 0)
		return -1;
	return parent ? file_write_atomic(d->fd, "parent", parent->chain, strlen(parent->chain),
					  0644, false, err)
		      : 0;
}

/* Size as moby counts it: what the driver says about the layer, else what the archive held. */
static int draft_size(struct image_store *s, const struct dockerd_layer *layer,
		      const struct unpacked *u, uint64_t *size, struct error *err)
{
	*size = u->size;
	return STORAGE_HAS(s, usage) ? STORAGE(s, err, usage, layer->id, layer, size) : 0;
}

/* layers_commit syncs our own file system; the driver's directory may be a mount of its own. */
static int sync_content(int content, int ours)
{
	struct stat a, b;

	if (fstat(content, &a) < 0 || fstat(ours, &b) < 0)
		return -1;
	return a.st_dev == b.st_dev ? 0 : syncfs(content);
}

static int draft_fill(struct image_store *s, struct draft *d, const struct layer *parent,
		      const struct layer_source *from, struct unpacked *u, struct error *err)
{
	const char *want = from->want_diff;
	struct dockerd_layer layer = storage_layer(d->cache_id, parent ? parent->cache_id : NULL);
	struct dockerd_layer_dir dir = storage_dir();
	auto_unpacker own = UNPACKER_INIT;
	struct unpacker *unpacker = from->unpacker ? from->unpacker : &own;
	auto_close content = -1, split = -1;
	uint64_t size;

	if (unpacker == &own && unpacker_start(&own, false, err) < 0)
		return -1;
	split = openat(d->fd, "tar-split.json.gz", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (split < 0)
		return error_sys(err, errno, "create tar-split.json.gz");
	d->in_driver = true;
	if (STORAGE(s, err, prepare, layer.id, &layer, &dir) < 0)
		return -1;
	content = dir.fd;
	/* those above take their root's owner from here */
	if (!parent && idmap_give(content, "") < 0)
		return error_sys(err, errno, "owner of a layer's root");
	FAULT("image.layer.after-prepare");
	if (unpacker_extract(unpacker, from->fd, content, split, dir.whiteouts, 0, u, err) < 0) {
		struct error better = ERROR_INIT;

		/* Whoever feeds us may know why the archive ended early. */
		if (from->verify && from->verify(from->ctx, &better) < 0)
			*err = better;
		return -1;
	}
	if (from->verify && from->verify(from->ctx, err) < 0)
		return -1;
	if (want && !streq(want, u->digest))
		return error_set(err, ERR_INVALID,
				 "layer is damaged: its digest is %s, expected %s", u->digest,
				 want);
	FAULT("image.layer.after-extract");
	if (file_write_atomic(d->fd, "pending", "", 0, 0644, false, err) < 0)
		return -1;
	if (from->foreign && file_write_atomic(d->fd, "descriptor.json", from->foreign,
					       strlen(from->foreign), 0644, false, err) < 0)
		return -1;
	if (STORAGE(s, err, commit, layer.id, &layer) < 0 ||
	    draft_size(s, &layer, u, &size, err) < 0 || draft_write(d, parent, u, size, err) < 0)
		return -1;
	if (sync_content(content, d->fd) < 0)
		return error_sys(err, errno, "sync layer");
	return 0;
}

/* Make the draft a layer. If an equal one came first, that is the result (and the draft stays to be discarded). */
static struct layer *draft_publish(struct image_store *s, struct draft *d, struct layer *parent,
				   const struct unpacked *u, uint64_t size)
{
	char chain[DIGEST_TEXT];
	struct layer *l;

	chain_id(parent ? parent->chain : NULL, u->digest, chain);
	LOCK_SCOPE(&s->lock);
	l = layer_ref_locked(s, chain);
	if (l)
		return l;
	l = xnew(struct layer);
	memcpy(l->chain, chain, sizeof(chain));
	snprintf(l->diff, sizeof(l->diff), "%s", u->digest);
	l->cache_id = steal_ptr(&d->cache_id);
	l->draft = steal_ptr(&d->dir);
	l->parent = parent;
	l->size = size;
	l->refs = 1;
	if (parent)
		parent->refs++;
	map_set(&s->layers, l->chain, l);
	return l;
}

static int sync_dir(int at, const char *name, struct error *err)
{
	auto_close fd = dir_open_at(at, name, err);

	return fd < 0 ? -1 : fsync(fd) < 0 ? error_sys(err, errno, "sync %s", name) : 0;
}

/* What was removed leaves the disk later: where it is needed, that is waited for. */
static bool space_is_short(const struct image_store *s)
{
	struct statvfs v;

	return fstatvfs(s->layerdb, &v) == 0 && v.f_bavail < v.f_blocks / 8;
}

struct layer *layer_add(struct image_store *s, struct layer *parent, int fd, const char *want,
			struct error *err)
{
	struct layer_source from = {.fd = fd, .want_diff = want};

	return layer_add_from(s, parent, &from, err);
}

struct layer *layer_add_from(struct image_store *s, struct layer *parent,
			     const struct layer_source *from, struct error *err)
{
	struct layer *l = NULL;
	struct unpacked u = {0};
	struct draft d;
	auto_str size = STR_INIT;

	if (space_is_short(s))
		reaper_settle(s);
	if (layer_depth(parent) >= MAX_DEPTH) {
		error_set(err, ERR_INVALID, "max depth exceeded");
		return NULL;
	}
	if (draft_open(s, &d, err) == 0 && draft_fill(s, &d, parent, from, &u, err) == 0 &&
	    read_small(d.fd, "size", &size, err) == 0)
		l = draft_publish(s, &d, parent, &u, strtoull(str_cstr(&size), NULL, 10));
	FAULT("image.layer.after-draft");
	if (!l || d.cache_id) /* failed, or not needed */
		draft_discard(s, &d);
	draft_close(&d);
	return l;
}

static int publish(struct image_store *s, struct layer *l, struct error *err)
{
	auto_free char *to = xasprintf("sha256/%s", digest_hex(l->chain));
	LOCK_SCOPE(&s->lock);

	if (renameat(s->layerdb, l->draft, s->layerdb, to) < 0)
		return error_sys(err, errno, "rename %s to %s", l->draft, to);
	free(l->draft);
	l->draft = NULL;
	return 0;
}

int layers_commit(struct image_store *s, const struct layer *top, struct error *err)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	struct layer *drafts[MAX_DEPTH + 1];
	size_t n = 0;
	LOCK_SCOPE(&one);

	/* Drafts lie above what is committed; the caller's reference holds all of them. */
	pthread_mutex_lock(&s->lock);
	for (struct layer *l = (struct layer *)top; l && n < ARRAY_LEN(drafts); l = l->parent)
		if (l->draft)
			drafts[n++] = l;
	pthread_mutex_unlock(&s->lock);
	if (!n)
		return 0;
	if (syncfs(s->layerdb) < 0)
		return error_sys(err, errno, "sync layers");
	FAULT("image.layer.after-sync");
	while (n-- > 0) {
		if (publish(s, drafts[n], err) < 0)
			return -1;
		FAULT("image.layer.after-publish");
	}
	return sync_dir(s->layerdb, "sha256", err);
}

/* ---- pending ------------------------------------------------------------------------------------------------------------------------ */

void layer_set_pending(struct image_store *s, const struct layer *l, bool pending)
{
	for (; l; l = pending ? NULL : l->parent) {
		auto_free char *path = xasprintf("sha256/%s/pending", digest_hex(l->chain));
		auto_close fd = -1;

		if (!pending && unlinkat(s->layerdb, path, 0) < 0 && errno == ENOENT)
			continue;
		if (pending)
			fd = openat(s->layerdb, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	}
}

void layers_release_pending(struct image_store *s)
{
	auto_strlist chains = STRLIST_INIT;
	struct map_entry *e;
	size_t i = 0;

	while ((e = map_next(&s->layers, &i))) {
		auto_free char *path = xasprintf("sha256/%s/pending", digest_hex(e->key));

		if (((struct layer *)e->value)->refs == 0 && file_exists_at(s->layerdb, path))
			strlist_add(&chains, e->key);
	}
	for (i = 0; i < chains.n; i++)
		layer_unref(s, layer_ref(s, chains.v[i]), NULL);
}

/* ---- removing -------------------------------------------------------------------------------------------------------------------- */

/* Takes l out of the map and its directory into tmp, if nobody holds it. */
static bool withdraw(struct image_store *s, struct layer *l, char **tmp)
{
	auto_free char *from = xasprintf("sha256/%s", digest_hex(l->chain));

	LOCK_SCOPE(&s->lock);
	if (--l->refs)
		return false;
	*tmp = xasprintf("tmp/remove-%.16s", l->cache_id);
	if (renameat(s->layerdb, l->draft ? l->draft : from, s->layerdb, *tmp) < 0)
		log_error("layer not removed", "layer", l->chain, "error", strerror(errno));
	map_del(&s->layers, l->chain);
	return true;
}

void layer_unref(struct image_store *s, struct layer *l, struct image_deletions *deleted)
{
	while (l) {
		struct layer *parent = l->parent;
		auto_free char *dir = NULL;

		if (!withdraw(s, l, &dir))
			return;
		FAULT("image.layer.after-withdraw");
		reaper_erase(s, dir, l->cache_id);
		if (deleted) {
			deletions_add(deleted, NULL, l->chain);
			deleted->reclaimed += l->size;
		}
		layer_free(l);
		l = parent;
	}
}

/* ---- reading content --------------------------------------------------------------------------------------------------------------- */

bool layer_foreign(struct image_store *s, const struct layer *l, struct str *descriptor)
{
	auto_free char *path = xasprintf("sha256/%s/descriptor.json", digest_hex(l->chain));
	struct error absent = ERROR_INIT;

	return file_read_at(s->layerdb, path, DESCRIPTOR_MAX, descriptor, &absent) == 0 &&
	       descriptor->len > 0;
}

int layer_write_tar(struct image_store *s, const struct layer *l, int fd, uint64_t *size,
		    struct error *err)
{
	return layer_write_tar_as(s, l, fd, false, -1, size, err);
}

int layer_write_tar_as(struct image_store *s, const struct layer *l, int fd, bool gzip, int counter,
		       uint64_t *size, struct error *err)
{
	struct dockerd_layer layer =
	    storage_layer(l->cache_id, l->parent ? l->parent->cache_id : NULL);
	struct dockerd_layer_dir dir = storage_dir();
	auto_free char *path = xasprintf("sha256/%s/tar-split.json.gz", digest_hex(l->chain));
	auto_close split = openat(s->layerdb, path, O_RDONLY | O_CLOEXEC), content = -1;
	auto_unpacker u = UNPACKER_INIT;
	struct unpacked done = {0};
	struct error ignored = ERROR_INIT;
	bool native = STORAGE_HAS(s, diff_dir);
	int r;

	if (split < 0)
		return error_sys(err, errno, "layer %s: %s", l->chain, path);
	if (unpacker_start(&u, true, err) < 0)
		return -1;
	/* Without directories of single layers each directory is the whole tree, in which the layer's files lie as well. */
	r = native ? STORAGE(s, err, diff_dir, layer.id, &layer, &dir)
		   : mount_get(s, &layer, &dir.fd, NULL, err);
	if (r < 0)
		return -1;
	content = dir.fd;
	r = unpacker_assemble_as(&u, content, split, fd, gzip, counter, &done, err);
	if (!native && mount_put(s, l->cache_id, &ignored) < 0)
		log_warn("layer not unmounted", "error", ignored.text);
	if (r < 0)
		return error_wrap(err, "layer %s", l->chain);
	if (!streq(done.digest, l->diff))
		return error_set(err, ERR_SYSTEM,
				 "layer %s is damaged: its content has digest %s, not %s", l->chain,
				 done.digest, l->diff);
	if (size)
		*size = done.tar_size;
	return 0;
}
