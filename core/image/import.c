/* SPDX-License-Identifier: Apache-2.0 */
/* Images of our own making: import of a root file system, commit of a container. The documents have moby's members in moby's order. */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/platform.h"
#include "unpack/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define EMPTY_TAR 1024 /* bytes: two blocks of zeros */

struct document {
	const char *arch, *os, *variant, *author, *comment, *created_by, *container, *os_version;
	const char *config, *container_config; /* JSON objects */
	const json *parent;                    /* its history and layers come first, or NULL */
	const char *diff;                      /* new layer, or NULL: none */
};

static void print_history(struct jw *w, const struct document *d, const char *now)
{
	jw_karr(w, "history");
	for (json *h = json_first(json_get(d->parent, "history")); h; h = json_next(h))
		jw_json(w, h);
	jw_obj(w);
	jw_kstr(w, "created", now);
	if (!str_empty(d->author))
		jw_kstr(w, "author", d->author);
	if (!str_empty(d->created_by))
		jw_kstr(w, "created_by", d->created_by);
	if (!str_empty(d->comment))
		jw_kstr(w, "comment", d->comment);
	if (!d->diff)
		jw_kbool(w, "empty_layer", true);
	jw_end(w);
	jw_end(w);
}

static void print_document(const struct document *d, struct str *out)
{
	struct jw w = jw_to(out);
	char now[CLOCK_TEXT];

	clock_format(clock_wall_ns(), now);
	jw_obj(&w);
	jw_kstr(&w, "architecture", d->arch);
	if (!str_empty(d->author))
		jw_kstr(&w, "author", d->author);
	if (!str_empty(d->comment))
		jw_kstr(&w, "comment", d->comment);
	jw_key(&w, "config");
	jw_raw(&w, d->config, strlen(d->config));
	if (!str_empty(d->container))
		jw_kstr(&w, "container", d->container);
	jw_key(&w, "container_config");
	jw_raw(&w, d->container_config, strlen(d->container_config));
	jw_kstr(&w, "created", now);
	jw_kstr(&w, "docker_version", PACKAGE_VERSION);
	print_history(&w, d, now);
	jw_kstr(&w, "os", d->os);
	if (!str_empty(d->os_version))
		jw_kstr(&w, "os.version", d->os_version);
	jw_kobj(&w, "rootfs");
	jw_kstr(&w, "type", "layers");
	jw_karr(&w, "diff_ids");
	for (json *l = json_first(json_get(json_get(d->parent, "rootfs"), "diff_ids")); l;
	     l = json_next(l))
		jw_json(&w, l);
	if (d->diff)
		jw_str(&w, d->diff);
	jw_end(&w);
	jw_end(&w);
	if (!str_empty(d->variant))
		jw_kstr(&w, "variant", d->variant);
	jw_end(&w);
}

/* repo "": no tag is wanted. */
static int tag_new(struct image_store *s, const char *repo, const char *tag, const char *id,
		   struct error *err)
{
	auto_reference ref = {0};
	auto_free char *shown = NULL;

	if (str_empty(repo))
		return 0;
	if (tag_parse(repo, tag, &ref, err) < 0 || tag_set(s, &ref, id, err) < 0)
		return -1;
	shown = reference_familiar(&ref);
	emit_event(s, "tag", id, shown);
	return 0;
}

static int import_parse(const struct image_import *o, struct platform *platform, struct str *config,
			struct error *err)
{
	auto_reference check = {0};

	if ((!str_empty(o->repo) && tag_parse(o->repo, o->tag, &check, err) < 0) ||
	    platform_parse(str_empty(o->platform) ? "" : o->platform, platform, err) < 0 ||
	    changes_apply(NULL, o->changes, config, err) < 0)
		return -1;
	if (!streq(platform->os, "linux"))
		return error_set(err, ERR_INVALID, "operating system is not supported: %s",
				 platform->os);
	return 0;
}

int image_import_check(const struct image_import *o, struct error *err)
{
	struct platform platform;
	auto_str config = STR_INIT;

	return import_parse(o, &platform, &config, err);
}

int image_import(struct image_store *s, int fd, const struct image_import *o, char **id,
		 struct error *err)
{
	struct platform platform;
	auto_str text = STR_INIT, config = STR_INIT, container = STR_INIT;
	char out[DIGEST_TEXT];
	struct document d = {.arch = platform.arch,
			     .os = platform.os,
			     .variant = platform.variant,
			     .comment = str_empty(o->message) ? "Imported from -" : o->message};
	struct layer_source from = {.fd = fd, .verify = o->verify, .ctx = o->ctx};
	struct layer *l;

	/* First, before gigabytes are read. */
	if (import_parse(o, &platform, &config, err) < 0)
		return -1;
	changes_empty_container(&container);
	l = layer_add_from(s, NULL, &from, err);
	if (!l)
		return -1;
	d.config = str_cstr(&config);
	d.container_config = str_cstr(&container);
	d.diff = l->diff;
	print_document(&d, &text);
	FAULT("image.import.after-layer");
	if (image_put(s, text.p, text.len, NULL, l, out, err) < 0 ||
	    tag_new(s, o->repo, o->tag, out, err) < 0)
		return -1;
	emit_event(s, "import", out, out);
	if (str_empty(o->repo))
		image_touch(s, out);
	*id = xstrdup(out);
	return 0;
}

/* ---- commit ------------------------------------------------------------------------------------------------------------------------ */

/* A container that has changed nothing gives no layer, as in moby: *empty, and the image's own top one. */
static struct layer *commit_layer(struct image_store *s, const char *cid, bool *empty,
				  struct error *err)
{
	struct layer *parent = NULL, *l = NULL;
	auto_close fd = -1;
	struct stat st;

	if (rw_pack_changes(s, cid, &fd, &parent, err) < 0)
		return NULL;
	*empty = parent && fstat(fd, &st) == 0 && st.st_size == EMPTY_TAR;
	if (*empty)
		return parent;
	l = layer_add(s, parent, fd, NULL, err);
	layer_unref(s, parent, NULL);
	return l;
}

int image_commit(struct image_store *s, const struct image_commit *c, char **id, struct error *err)
{
	auto_str text = STR_INIT;
	auto_reference check = {0};
	struct image *parent = NULL;
	struct layer *l = NULL;
	char out[DIGEST_TEXT];
	struct document d = {.arch = platform_arch(),
			     .os = "linux",
			     .author = c->author,
			     .comment = c->comment,
			     .created_by = c->created_by,
			     .container = c->container_id,
			     .config = c->config,
			     .container_config = c->container_config};
	bool empty = false;
	int r = -1;

	if (!str_empty(c->repo) && tag_parse(c->repo, c->tag, &check, err) < 0)
		return -1;
	if (!str_empty(c->parent) && !(parent = image_get_config(s, c->parent, err)))
		return -1;
	l = commit_layer(s, c->container_id, &empty, err);
	if (l) {
		if (parent) {
			d.arch = json_get_str(parent->config, "architecture", platform_arch());
			d.os = json_get_str(parent->config, "os", "linux");
			d.variant = json_get_str(parent->config, "variant", NULL);
			d.os_version = json_get_str(parent->config, "os.version", NULL);
			d.parent = parent->config;
		}
		d.diff = empty ? NULL : l->diff;
		print_document(&d, &text);
		r = image_put(s, text.p, text.len, parent ? parent->id : NULL, l, out, err);
	}
	image_free(parent);
	if (r < 0)
		return -1;
	emit_event(s, "create", out, out);
	if (tag_new(s, c->repo, c->tag, out, err) < 0)
		return -1;
	*id = xstrdup(out);
	return 0;
}
