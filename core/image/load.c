/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker load: the stream is spooled as plain files below data-root/tmp (manifests come behind the layers that they order), then each
 * layer that is not here yet is unpacked from its file. The spool is untrusted: opened below its root only.
 */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "unpack/client.h"
#include "proto/unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFESTS_MAX 200 /* of one archive; each costs a look at up to 8 MiB */

#define DOC_MAX (8 * 1024 * 1024)
#define SPOOL_PREFIX "docker-import-"

struct load {
	struct image_store *s;
	int root; /* of the spool */
	struct unpacker unpacker;
	void (*progress)(void *ctx, const char *line);
	void *ctx;
	struct map
	    uses; /* inode of a layer's file -> how many images still want it, as a pointer; known for manifest.json only */
};

/* The last image that wants a layer's file has read it: what is not on disk yet need not go there with the layers' sync. */
static int drop_spooled(void *ctx, struct error *err)
{
	(void)err;
	if (ftruncate(*(int *)ctx, 0) < 0)
		log_warn("spool not emptied", "error", strerror(errno));
	return 0;
}

/* Files by their inode: several names may lead to one. False: no such regular file. */
static bool spooled_key(const struct load *l, const char *file, char key[24])
{
	auto_close fd = open_in_root(l->root, file, O_PATH, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	snprintf(key, 24, "%llu", (unsigned long long)st.st_ino);
	return true;
}

static bool last_use(struct load *l, const char *file)
{
	char key[24];
	uintptr_t n;

	if (!spooled_key(l, file, key))
		return false;
	n = (uintptr_t)map_get(&l->uses, key);
	if (n > 1)
		map_set(&l->uses, key, (void *)(n - 1));
	return n == 1;
}

static int read_doc(const struct load *l, const char *name, struct str *out, struct error *err)
{
	auto_close fd = open_in_root(l->root, name, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return error_sys(err, errno, "open %s in the archive", name);
	str_reset(out);
	return file_read_fd(fd, DOC_MAX, out, err) < 0 ? error_wrap(err, "%s", name) : 0;
}

static void say(const struct load *l, const char *fmt, const char *what)
{
	auto_str line = STR_INIT;

	str_puts(&line, fmt);
	str_puts(&line, what);
	str_putc(&line, '\n');
	if (l->progress)
		l->progress(l->ctx, str_cstr(&line));
}

/* One layer: the one that we have, or the archive's file. Takes `parent`, returns a reference. */
static struct layer *load_layer(struct load *l, struct layer *parent, const char *diff,
				const char *file, struct error *err)
{
	char chain[DIGEST_TEXT];
	struct layer *next;
	bool last = last_use(l, file);
	auto_close fd = -1;

	chain_id(parent ? parent->chain : NULL, diff, chain);
	next = layer_ref(l->s, chain);
	if (!next) {
		struct layer_source from = {
		    .want_diff = diff, .ctx = &fd, .unpacker = &l->unpacker};

		fd = open_in_root(l->root, file, O_RDWR | O_NONBLOCK, 0);
		from.fd = fd;
		if (last)
			from.verify = drop_spooled;
		if (fd < 0)
			error_sys(err, errno, "open layer %s in the archive", file);
		else
			next = layer_add_from(l->s, parent, &from, err);
	}
	layer_unref(l->s, parent, NULL);
	return next;
}

static int load_layers(struct load *l, const json *config, const struct strlist *files,
		       struct layer **top, struct error *err)
{
	json *diffs = json_get(json_get(config, "rootfs"), "diff_ids");
	size_t i = 0;

	*top = NULL;
	if (json_count(diffs) != files->n)
		return error_set(err, ERR_INVALID,
				 "invalid manifest, layers length mismatch: expected %zu, got %zu",
				 json_count(diffs), files->n);
	for (json *d = json_first(diffs); d; d = json_next(d), i++) {
		const char *diff = json_str(d, "");

		if (!digest_valid(diff) || !str_after(diff, "sha256:")) {
			layer_unref(l->s, *top, NULL);
			return error_set(err, ERR_INVALID,
					 "invalid diff_id \"%s\" in the image's configuration",
					 diff);
		}
		*top = load_layer(l, *top, diff, files->v[i], err);
		if (!*top)
			return -1;
	}
	return 0;
}

static int load_tag(const struct load *l, const char *name, const char *id, struct error *err)
{
	auto_reference ref = {0};
	auto_free char *shown = NULL, *full = NULL, *old = NULL;

	if (reference_parse(name, &ref, err) < 0)
		return error_wrap(err, "invalid tag \"%s\"", name);
	if (ref.digest)
		return 0; /* a tag was asked for */
	reference_default_tag(&ref);
	shown = reference_familiar(&ref);
	full = reference_string(&ref);
	pthread_mutex_lock(&l->s->lock);
	old = xstrdup_null(tag_get_locked(l->s, full));
	pthread_mutex_unlock(&l->s->lock);
	if (old && !streq(old, id)) {
		auto_str line = STR_INIT;

		str_printf(
		    &line,
		    "The image %s already exists, renaming the old one with ID %s to empty string",
		    shown, old);
		say(l, "", str_cstr(&line));
	}
	if (tag_set(l->s, &ref, id, err) < 0)
		return -1;
	say(l, "Loaded image: ", shown);
	return 0;
}

static int load_image(struct load *l, const char *config_file, const struct strlist *files,
		      const struct strlist *tags, const char *parent, struct error *err)
{
	auto_str text = STR_INIT;
	auto_json *config = NULL;
	char id[DIGEST_TEXT];
	const char *os;
	struct layer *top;

	if (read_doc(l, config_file, &text, err) < 0)
		return -1;
	config = json_parse(str_cstr(&text), text.len, err);
	if (!config)
		return error_wrap(err, "%s", config_file);
	os = json_get_str(config, "os", "linux");
	if (!streq(os, "linux") && *os)
		return error_set(err, ERR_INVALID, "cannot load %s image on linux", os);
	if (load_layers(l, config, files, &top, err) < 0)
		return -1;
	FAULT("image.load.after-layers");
	if (image_put(l->s, text.p, text.len, digest_valid(parent) ? parent : NULL, top, id, err) <
	    0)
		return -1;
	for (size_t i = 0; i < tags->n; i++)
		if (load_tag(l, tags->v[i], id, err) < 0)
			return -1;
	if (!tags->n) {
		image_touch(l->s, id);
		say(l, "Loaded image ID: ", id);
	}
	emit_event(l->s, "load", id, id);
	return 0;
}

static void count_uses(struct load *l, const json *manifests)
{
	for (json *m = json_first(manifests); m; m = json_next(m))
		for (json *f = json_first(json_get(m, "Layers")); f; f = json_next(f)) {
			char key[24];

			if (spooled_key(l, json_str(f, ""), key))
				map_set(&l->uses, key,
					(void *)((uintptr_t)map_get(&l->uses, key) + 1));
		}
}

/* manifest.json of docker save. */
static int load_manifest(struct load *l, const struct str *text, struct error *err)
{
	auto_json *j = json_parse(str_cstr(text), text->len, err);

	if (!j || json_type(j) != JSON_ARRAY)
		return j ? error_set(err, ERR_INVALID, "manifest.json: not a list")
			 : error_wrap(err, "manifest.json");
	count_uses(l, j);
	for (json *m = json_first(j); m; m = json_next(m)) {
		auto_strlist files = STRLIST_INIT, tags = STRLIST_INIT;

		if (json_strlist(json_get(m, "Layers"), &files) < 0 ||
		    json_strlist(json_get(m, "RepoTags"), &tags) < 0)
			return error_set(
			    err, ERR_INVALID,
			    "manifest.json: Layers and RepoTags must be lists of strings");
		if (load_image(l, json_get_str(m, "Config", ""), &files, &tags,
			       json_get_str(m, "Parent", ""), err) < 0)
			return -1;
	}
	return 0;
}

/* ---- OCI layout ----------------------------------------------------------------------------------------------------------------------- */

static char *blob_path(const char *digest)
{
	const char *hex = str_after(digest, "sha256:");

	return hex && is_full_id(hex) ? xasprintf("blobs/sha256/%s", hex) : NULL;
}

/* budget: manifests that may still be looked at; lists may name each other, and themselves. */
static int load_oci_manifest(struct load *l, const json *desc, int depth, int *budget,
			     struct error *err)
{
	const char *digest = json_get_str(desc, "digest", ""), *name, *config;
	auto_free char *path = blob_path(digest), *config_path = NULL;
	auto_strlist files = STRLIST_INIT, tags = STRLIST_INIT;
	auto_str text = STR_INIT;
	auto_json *j = NULL;

	if (!path)
		return error_set(err, ERR_INVALID, "index.json: invalid digest \"%s\"", digest);
	if ((*budget)-- <= 0 || depth > 4)
		return error_set(err, ERR_INVALID,
				 "index.json: more than %d manifests, or lists of lists of lists",
				 MANIFESTS_MAX);
	if (read_doc(l, path, &text, err) < 0)
		return -1;
	j = json_parse(str_cstr(&text), text.len, err);
	if (!j)
		return error_wrap(err, "%s", path);
	if (json_get(j, "manifests")) {
		for (json *m = json_first(json_get(j, "manifests")); m; m = json_next(m))
			if (load_oci_manifest(l, m, depth + 1, budget, err) < 0)
				return -1;
		return 0;
	}
	name = json_get_str(json_get(desc, "annotations"), "io.containerd.image.name", NULL);
	if (name)
		strlist_add(&tags, name);
	config = json_get_str(json_get(j, "config"), "digest", "");
	config_path = blob_path(config);
	for (json *b = json_first(json_get(j, "layers")); b; b = json_next(b)) {
		char *p = blob_path(json_get_str(b, "digest", ""));

		if (p)
			strlist_take(&files, p);
	}
	if (!config_path)
		return error_set(err, ERR_INVALID, "%s: invalid config digest \"%s\"", path,
				 config);
	return load_image(l, config_path, &files, &tags, "", err);
}

static int load_oci(struct load *l, const struct str *text, struct error *err)
{
	auto_json *j = json_parse(str_cstr(text), text->len, err);
	int budget = MANIFESTS_MAX;

	if (!j)
		return error_wrap(err, "index.json");
	for (json *m = json_first(json_get(j, "manifests")); m; m = json_next(m))
		if (load_oci_manifest(l, m, 0, &budget, err) < 0)
			return -1;
	return 0;
}

/* ---- spool ------------------------------------------------------------------------------------------------------------------------------ */

static int spool(struct load *l, int fd, struct error *err)
{
	struct unpacked done;

	if (unpacker_start(&l->unpacker, false, err) < 0)
		return -1;
	return unpacker_extract(&l->unpacker, fd, l->root, -1, DOCKERD_WHITEOUT_AUFS,
				UNPACK_FLAG_FILES_ONLY, &done, err);
}

static int load_spooled(struct load *l, struct error *err)
{
	struct error absent = ERROR_INIT;
	auto_str text = STR_INIT;

	if (read_doc(l, "manifest.json", &text, &absent) == 0)
		return load_manifest(l, &text, err);
	if (absent.kind != ERR_NOT_FOUND)
		return error_set(err, absent.kind, "%s", absent.text);
	if (read_doc(l, "index.json", &text, err) == 0)
		return load_oci(l, &text, err);
	return error_set(
	    err, ERR_INVALID,
	    "the archive holds neither manifest.json nor index.json: it is no image archive "
	    "(a root file system goes through docker import)");
}

int image_load(struct image_store *s, int fd, void (*progress)(void *ctx, const char *line),
	       void *ctx, struct error *err)
{
	struct load l = {
	    .s = s, .root = -1, .unpacker = UNPACKER_INIT, .progress = progress, .ctx = ctx};
	auto_free char *dir = xasprintf("%s/" SPOOL_PREFIX "XXXXXX", s->tmp);
	struct error ignored = ERROR_INIT;
	int r = -1;

	if (!mkdtemp(dir))
		return error_sys(err, errno, "make a directory in %s", s->tmp);
	l.root = dir_open_at(AT_FDCWD, dir, err);
	if (l.root >= 0 && flock(l.root, LOCK_EX) == 0 && spool(&l, fd, err) == 0) {
		FAULT("image.load.after-spool");
		r = load_spooled(&l, err);
	}
	unpacker_stop(&l.unpacker);
	fd_close(&l.root);
	map_free(&l.uses, NULL);
	if (dir_remove_all(AT_FDCWD, dir, &ignored) < 0)
		log_warn("spool not removed", "error", ignored.text);
	return r;
}

/* The directory may be shared with other daemons: one that is at work holds its spool's lock. */
void load_sweep(struct image_store *s)
{
	struct error err = ERROR_INIT;
	int fd = dir_open_at(AT_FDCWD, s->tmp, &err);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		auto_close spool =
		    str_after(e->d_name, SPOOL_PREFIX) ? dir_open_at(fd, e->d_name, &err) : -1;

		if (spool >= 0 && flock(spool, LOCK_EX | LOCK_NB) == 0 &&
		    dir_remove_all(fd, e->d_name, &err) < 0)
			log_warn("spool of a killed daemon not removed", "error", err.text);
	}
}
