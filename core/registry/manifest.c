/* SPDX-License-Identifier: Apache-2.0 */
/* See manifest.h. */
#include "registry/manifest.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "image/reference.h"

#include <stdlib.h>

#define URLS_MAX 16
#define LAYERS_MAX 1024 /* the layer store takes 125; a list may have more entries than that */

void manifest_free(struct manifest *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].type);
		strlist_free(&m->v[i].urls);
	}
	free(m->v);
	free(m->config.type);
	free(m->type);
	free(m->config1);
	*m = (struct manifest){.n = 0};
}

void manifest_accept(struct strlist *headers)
{
	strlist_add(headers, "Accept: " TYPE_SCHEMA2 ", " TYPE_LIST ", " TYPE_OCI ", " TYPE_INDEX
			     ", " TYPE_SIGNED1 ";q=0.9");
}

static void copy_text(char *to, size_t n, const json *j, const char *name)
{
	const char *v = json_get_str(j, name, "");

	snprintf(to, n, "%s", strlen(v) < n ? v : "?");
}

static int read_descriptor(const json *j, const char *what, struct descriptor *d, struct error *err)
{
	const char *digest = json_get_str(j, "digest", "");
	int64_t size = json_get_i64(j, "size", -1);
	const json *p = json_get(j, "platform");

	*d = (struct descriptor){.size = 0};
	if (!digest_valid(digest) || !str_after(digest, "sha256:"))
		return error_set(err, ERR_INVALID, "manifest: %s has the invalid digest \"%.80s\"",
				 what, digest);
	if (size < 0)
		return error_set(err, ERR_INVALID, "manifest: %s %s has no valid size", what,
				 digest);
	snprintf(d->digest, sizeof(d->digest), "%s", digest);
	d->size = (uint64_t)size;
	d->type = xstrdup(json_get_str(j, "mediaType", ""));
	if (json_type(p) == JSON_OBJECT) {
		d->has_platform = true;
		copy_text(d->platform.os, sizeof(d->platform.os), p, "os");
		copy_text(d->platform.arch, sizeof(d->platform.arch), p, "architecture");
		copy_text(d->platform.variant, sizeof(d->platform.variant), p, "variant");
	}
	return 0;
}

static int read_list(const json *list, const char *what, struct manifest *m, struct error *err)
{
	size_t count = json_count(list);

	if (json_type(list) != JSON_ARRAY && json_type(list) != JSON_MISSING &&
	    json_type(list) != JSON_NULL)
		return error_set(err, ERR_INVALID, "manifest: the list of %ss is no list", what);
	if (count > LAYERS_MAX)
		return error_set(err, ERR_INVALID, "manifest: %zu %ss are more than %d", count,
				 what, LAYERS_MAX);
	m->v = xcalloc(count + 1, sizeof(*m->v));
	for (json *j = json_first(list); j; j = json_next(j), m->n++)
		if (read_descriptor(j, what, &m->v[m->n], err) < 0)
			return -1;
	return 0;
}

/* A layer that its maker alone may distribute. Source: image manifest version 2 schema 2; OCI image specification, layer.md. */
static bool foreign(const char *type)
{
	return str_after(type, "application/vnd.docker.image.rootfs.foreign.diff.tar") ||
	       str_after(type, "application/vnd.oci.image.layer.nondistributable.v1.tar");
}

static int read_urls(const json *layers, struct manifest *m, struct error *err)
{
	size_t i = 0;

	for (json *j = json_first(layers); j; j = json_next(j), i++) {
		const json *urls = json_get(j, "urls");

		if (!urls || json_type(urls) == JSON_NULL || !foreign(m->v[i].type))
			continue;
		if (json_count(urls) > URLS_MAX || json_strlist(urls, &m->v[i].urls) < 0)
			return error_set(err, ERR_INVALID,
					 "manifest: layer %s has no valid list of URLs",
					 m->v[i].digest);
	}
	return 0;
}

static bool known_layer(const char *type)
{
	static const char *const known[] = {
	    TYPE_LAYER,
	    "application/vnd.docker.image.rootfs.diff.tar",
	    "application/vnd.docker.image.rootfs.diff.tar.zstd",
	    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	    "application/vnd.docker.image.rootfs.foreign.diff.tar",
	    "application/vnd.oci.image.layer.v1.tar",
	    "application/vnd.oci.image.layer.v1.tar+gzip",
	    "application/vnd.oci.image.layer.v1.tar+zstd",
	    "application/vnd.oci.image.layer.nondistributable.v1.tar",
	    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (streq(type, known[i]))
			return true;
	return false;
}

static int read_image(const json *j, struct manifest *m, struct error *err)
{
	const char *type;

	if (read_descriptor(json_get(j, "config"), "configuration", &m->config, err) < 0)
		return -1;
	type = m->config.type;
	if (!streq(type, TYPE_CONFIG) && !streq(type, "application/vnd.oci.image.config.v1+json"))
		return error_set(
		    err, ERR_INVALID, "Encountered remote \"%.100s\"(%s) when fetching", type,
		    streq(type, "application/vnd.docker.plugin.v1+json") ? "plugin" : "unknown");
	if (read_list(json_get(j, "layers"), "layer", m, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n; i++)
		if (!known_layer(m->v[i].type))
			return error_set(err, ERR_INVALID,
					 "unsupported media type \"%.100s\" of layer %s",
					 m->v[i].type, m->v[i].digest);
	return read_urls(json_get(j, "layers"), m, err);
}

/* Kind by media type; -1: none that we know. */
static int kind_of(const char *type)
{
	static const struct {
		const char *type;
		enum manifest_kind kind;
	} kinds[] = {{TYPE_SCHEMA2, MANIFEST_IMAGE},   {TYPE_OCI, MANIFEST_IMAGE},
		     {TYPE_LIST, MANIFEST_LIST},       {TYPE_INDEX, MANIFEST_LIST},
		     {TYPE_SIGNED1, MANIFEST_SCHEMA1}, {TYPE_SCHEMA1, MANIFEST_SCHEMA1}};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (streq(kinds[i].type, type))
			return (int)kinds[i].kind;
	return -1;
}

/*
 * What the document is: by its own word if it has one, which must not contradict the reply's header, and in no case both an image and a list
 * (CVE-2021-41190).
 */
static int classify(const json *j, const char *content_type, struct manifest *m, struct error *err)
{
	const char *own = json_get_str(j, "mediaType", "");
	auto_free char *header = xstrndup(content_type ? content_type : "",
					  strcspn(content_type ? content_type : "", "; "));
	bool layers = json_get(j, "layers") || json_get(j, "config"),
	     manifests = json_get(j, "manifests") != NULL;
	int kind;

	if (layers && manifests)
		return error_set(err, ERR_INVALID,
				 "manifest: it is both an image and a list of images");
	if (*own && kind_of(header) >= 0 && !streq(own, header))
		return error_set(err, ERR_INVALID,
				 "mediaType in manifest should be '%.100s' not '%.100s'", header,
				 own);
	m->type = xstrdup(*own ? own : header);
	kind = kind_of(m->type);
	if (kind < 0 && !*own) {
		int64_t version = json_get_i64(j, "schemaVersion", 0);

		kind = version == 1 && json_get(j, "fsLayers") ? MANIFEST_SCHEMA1
		       : version == 2 && manifests             ? MANIFEST_LIST
		       : version == 2 && layers                ? MANIFEST_IMAGE
							       : -1;
		free(m->type);
		m->type = xstrdup(kind == MANIFEST_LIST    ? TYPE_INDEX
				  : kind == MANIFEST_IMAGE ? TYPE_OCI
							   : TYPE_SCHEMA1);
	}
	if (kind < 0)
		return error_set(err, ERR_INVALID, "unsupported manifest media type \"%.100s\"",
				 *own ? own : header);
	m->kind = (enum manifest_kind)kind;
	if ((kind == MANIFEST_IMAGE && manifests) || (kind == MANIFEST_LIST && layers))
		return error_set(err, ERR_INVALID,
				 "manifest: the content is not what its media type "
				 "\"%.100s\" says",
				 m->type);
	return 0;
}

int manifest_parse(const char *text, size_t len, const char *content_type, struct manifest *m,
		   struct error *err)
{
	auto_json *j = json_parse(text, len, err);

	*m = (struct manifest){.n = 0};
	if (!j)
		return error_wrap(err, "manifest");
	if (json_type(j) != JSON_OBJECT)
		return error_set(err, ERR_INVALID, "manifest: no object");
	if (classify(j, content_type, m, err) < 0)
		return -1;
	if (m->kind == MANIFEST_LIST)
		return read_list(json_get(j, "manifests"), "manifest", m, err);
	if (m->kind == MANIFEST_SCHEMA1)
		return schema1_read(j, m, err);
	return read_image(j, m, err);
}

/* ---- the best of a list ------------------------------------------------------------------------------------------------------------------ */

const struct descriptor *manifest_select(const struct manifest *list, const struct platform *want)
{
	const struct descriptor *best = NULL;
	int score = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct descriptor *d = &list->v[i];
		int s = d->has_platform ? platform_score(want, &d->platform) : 0;

		if (s > score) {
			score = s;
			best = d;
		}
	}
	return best;
}
