/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pull: reference -> endpoints -> manifest -> configuration -> layers, unpacked in order while they come -> image, references. Words and order of
 * the progress lines are moby's.
 */
#include "registry/fetch.h"
#include "registry/manifest.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct pull {
	struct image_store *images;
	const struct registry_settings *settings;
	struct client *client;
	struct progress *p;
	struct platform want;
	bool platform_given;
	bool newer; /* something was not here before */
};

/* ---- errors ----------------------------------------------------------------------------------------------------------------------- */

/* moby's words for what people meet most. Source: distribution/errors.go. */
static int explain(const struct reference *ref, const struct answer *a, struct error *err)
{
	auto_free char *name = reference_familiar_name(ref), *full = reference_familiar(ref),
		       *text = xstrdup(err->text);

	if (streq(a->code, "DENIED"))
		return error_set(err, ERR_NOT_FOUND,
				 "pull access denied for %s, repository does not exist or may "
				 "require 'docker login': %s",
				 name, text);
	if (streq(a->code, "MANIFEST_UNKNOWN"))
		return error_set(err, ERR_NOT_FOUND, "manifest for %s not found: %s", full, text);
	if (streq(a->code, "NAME_UNKNOWN"))
		return error_set(err, ERR_NOT_FOUND, "repository %s not found: %s", name, text);
	return -1;
}

/* ---- documents -------------------------------------------------------------------------------------------------------------------- */

/* A manifest by tag or digest; want: digest that it must have, or "". The digest it has: *digest. */
static int get_manifest(const struct pull *v, const struct reference *ref, const char *what,
			const char *want, struct answer *a, char digest[DIGEST_TEXT],
			struct error *err)
{
	auto_free char *expected = xstrdup(want); /* may be `digest` itself */
	auto_free char *path = xasprintf("manifests/%s", what), *url = client_url(v->client, path);
	auto_strlist headers = STRLIST_INIT;
	struct call q = {.method = "GET",
			 .url = url,
			 .headers = &headers,
			 .cancel_fd = progress_cancel_fd(v->p)};
	auto_str payload = STR_INIT;
	const char *type;

	manifest_accept(&headers);
	if (client_call(v->client, &q, a, err) < 0)
		return explain(ref, a, err);
	type = answer_header(a, "content-type");
	if (type && str_after(type, TYPE_SIGNED1)) {
		if (schema1_payload(str_cstr(&a->body), a->body.len, &payload, err) < 0)
			return -1;
		/* What has the digest is what is read: the rest of such a reply is anybody's. */
		str_free(&a->body);
		a->body = payload;
		payload = (struct str)STR_INIT;
	}
	sha256_digest(str_cstr(&a->body), a->body.len, digest);
	if (*expected && !streq(expected, digest))
		return error_set(err, ERR_INVALID, "manifest verification failed for digest %s",
				 expected);
	return 0;
}

static int get_config(const struct pull *v, const struct descriptor *d, struct str *out,
		      struct error *err)
{
	auto_free char *path = xasprintf("blobs/%s", d->digest), *url = client_url(v->client, path);
	struct call q = {.method = "GET",
			 .url = url,
			 .cancel_fd = progress_cancel_fd(v->p),
			 .max = 2 * DOCUMENT_MAX};
	auto_answer a = {.code = ""};
	char digest[DIGEST_TEXT];

	if (d->size > q.max)
		return error_set(err, ERR_INVALID,
				 "image configuration %s is too large: %llu bytes", d->digest,
				 (unsigned long long)d->size);
	if (client_call(v->client, &q, &a, err) < 0)
		return -1;
	sha256_digest(str_cstr(&a.body), a.body.len, digest);
	if (!streq(digest, d->digest))
		return error_set(err, ERR_INVALID, "image config verification failed for digest %s",
				 d->digest);
	*out = a.body;
	a.body = (struct str)STR_INIT;
	return 0;
}

/* ---- layers ----------------------------------------------------------------------------------------------------------------------- */

struct layers {
	const struct manifest *m;
	struct strlist diffs; /* of the configuration; empty for schema 1 */
	struct fetch **v;     /* NULL: it was here already */
	struct image_stack *stack;
};

static void short_id(const char *digest, char out[13])
{
	snprintf(out, 13, "%.12s", strchr(digest, ':') + 1);
}

/* What is here already, and fetches for all the rest. */
static void start_layers(struct pull *v, struct layers *l, struct error *err)
{
	char below[DIGEST_TEXT], chain[DIGEST_TEXT] = "", id[13];
	bool here = l->diffs.n > 0;
	auto_str path = STR_INIT; /* the place of a layer whose diff ids nobody knows yet */

	for (size_t i = 0; i < l->m->n; i++) {
		const struct descriptor *d = &l->m->v[i];
		struct fetch_want w = {v->images, v->settings, v->client, d, below, v->p};

		if (l->diffs.n) {
			memcpy(below, chain, sizeof(below));
			here = image_chain_exists(v->images, below, l->diffs.v[i], chain) && here &&
			       image_stack_take(l->stack, l->diffs.v[i]);
		} else {
			w.place = str_cstr(&path);
		}
		if (here) {
			short_id(d->digest, id);
			progress_update(v->p, id, "Already exists");
			continue;
		}
		l->v[i] = fetch_join(&w, err);
		v->newer = true;
		str_printf(&path, "/%s", d->digest);
	}
}

/* As moby prints a descriptor; NULL: the layer is like any other. */
static char *foreign_descriptor(const struct descriptor *d)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	if (!d->urls.n)
		return NULL;
	jw_obj(&w);
	jw_kstr(&w, "mediaType", d->type);
	jw_ku64(&w, "size", d->size);
	jw_kstr(&w, "digest", d->digest);
	jw_kstrlist(&w, "urls", &d->urls, false);
	jw_end(&w);
	return str_steal(&text);
}

static int unpack_layer(struct pull *v, struct layers *l, size_t i, struct error *err)
{
	struct fetch_feed feed;
	auto_free char *foreign = foreign_descriptor(&l->m->v[i]);
	struct layer_source from = {.want_diff = l->diffs.n > i ? l->diffs.v[i] : NULL,
				    .foreign = foreign,
				    .verify = fetch_verify,
				    .ctx = &feed};
	char diff[DIGEST_TEXT];
	int r;

	if (fetch_feed(l->v[i], v->p, &feed, &from.fd, err) < 0)
		return -1;
	r = image_stack_add(l->stack, &from, diff, err);
	fd_close(&from.fd);
	fetch_feed_end(&feed);
	if (r < 0)
		return feed.failed ? -1 : error_wrap(err, "failed to register layer");
	if (l->diffs.n <= i)
		strlist_add(&l->diffs, diff);
	return 0;
}

static int add_layer(struct pull *v, struct layers *l, size_t i, struct error *err)
{
	struct fetch *f = l->v[i];
	bool known = l->m->kind != MANIFEST_SCHEMA1;
	int r = 0;

	if (!fetch_claim(f, v->p)) {
		if (progress_cancelled(v->p))
			return error_set(err, ERR_CANCELLED, "context canceled");
		if (!known || !image_stack_take(l->stack, l->diffs.v[i]))
			return error_set(err, ERR_SYSTEM,
					 "layer %s is gone: another pull has used it up, try again",
					 l->m->v[i].digest);
	} else {
		if (!known || !image_stack_take(l->stack, l->diffs.v[i]))
			r = unpack_layer(v, l, i, err);
		fetch_unclaim(f, r == 0);
	}
	if (r < 0)
		return -1;
	image_blob_note(v->images, l->diffs.v[i], l->m->v[i].digest, v->client->origin);
	fetch_leave(f, v->p);
	l->v[i] = NULL;
	return 0;
}

static int get_layers(struct pull *v, struct layers *l, struct error *err)
{
	int r = 0;

	l->v = xcalloc(l->m->n + 1, sizeof(struct fetch *));
	start_layers(v, l, err);
	for (size_t i = 0; i < l->m->n && r == 0; i++)
		if (l->v[i])
			r = add_layer(v, l, i, err);
	for (size_t i = 0; i < l->m->n; i++)
		if (l->v[i])
			fetch_leave(l->v[i], v->p);
	free(l->v);
	return r;
}

/* ---- images ----------------------------------------------------------------------------------------------------------------------- */

static int check_config(const struct str *text, const struct manifest *m, struct strlist *diffs,
			struct error *err)
{
	auto_json *j = json_parse(str_cstr(text), text->len, err);
	const char *os;

	if (!j)
		return error_wrap(err, "image configuration");
	os = json_get_str(j, "os", "linux");
	if (*os && !streq(os, "linux"))
		return error_set(err, ERR_INVALID,
				 "image operating system \"%.40s\" cannot be used on this platform",
				 os);
	if (json_strlist(json_get(json_get(j, "rootfs"), "diff_ids"), diffs) < 0)
		return error_set(err, ERR_INVALID, "invalid rootfs in image configuration");
	if (diffs->n != m->n)
		return error_set(err, ERR_INVALID,
				 "layers from manifest don't match image configuration");
	for (size_t i = 0; i < diffs->n; i++)
		if (!digest_valid(diffs->v[i]) || !str_after(diffs->v[i], "sha256:"))
			return error_set(err, ERR_INVALID, "invalid rootfs in image configuration");
	return 0;
}

static int pull_image(struct pull *v, const struct manifest *m, char id[DIGEST_TEXT],
		      struct error *err)
{
	auto_str config = STR_INIT;
	struct layers l = {.m = m, .diffs = STRLIST_INIT};
	auto_free char *have = NULL;
	struct error absent = ERROR_INIT;
	int r = -1;

	if (m->kind == MANIFEST_IMAGE) {
		have = image_resolve(v->images, m->config.digest, &absent);
		if (have) {
			memcpy(id, m->config.digest, DIGEST_TEXT);
			return 0;
		}
		if (get_config(v, &m->config, &config, err) < 0)
			return -1;
		if (check_config(&config, m, &l.diffs, err) < 0)
			goto out;
	}
	l.stack = image_stack_new(v->images);
	if (get_layers(v, &l, err) < 0)
		goto out;
	if (m->kind == MANIFEST_SCHEMA1 && schema1_complete(m->config1, &l.diffs, &config, err) < 0)
		goto out;
	v->newer = true;
	r = image_stack_finish(l.stack, str_cstr(&config), config.len, id, err);
	FAULT("registry.pull.after-image");
out:
	image_stack_free(l.stack);
	strlist_free(&l.diffs);
	return r;
}

/* From a list to the image of it that is wanted. */
static int descend(struct pull *v, const struct reference *ref, struct manifest *m,
		   struct error *err)
{
	char digest[DIGEST_TEXT], wanted[100];

	for (int depth = 0; m->kind == MANIFEST_LIST; depth++) {
		const struct descriptor *d = manifest_select(m, &v->want);
		auto_answer a = {.code = ""};
		struct manifest next;

		if (!d || depth == 3)
			return error_set(err, ERR_NOT_FOUND,
					 "no matching manifest for %s in the manifest list entries",
					 platform_text(&v->want, wanted));
		if (get_manifest(v, ref, d->digest, d->digest, &a, digest, err) < 0)
			return -1;
		if (manifest_parse(str_cstr(&a.body), a.body.len, answer_header(&a, "content-type"),
				   &next, err) < 0) {
			manifest_free(&next);
			return -1;
		}
		manifest_free(m);
		*m = next;
	}
	return 0;
}

/* ---- one reference ---------------------------------------------------------------------------------------------------------------- */

/* The digest that a tag has now, by HEAD: most pulls end here. "" if the registry doesn't say. */
static int head_digest(struct pull *v, const char *tag, char digest[DIGEST_TEXT], struct error *err)
{
	auto_free char *path = xasprintf("manifests/%s", tag), *url = client_url(v->client, path);
	auto_strlist headers = STRLIST_INIT;
	struct call q = {.method = "HEAD",
			 .url = url,
			 .headers = &headers,
			 .cancel_fd = progress_cancel_fd(v->p)};
	auto_answer a = {.code = ""};
	const char *value;

	digest[0] = '\0';
	manifest_accept(&headers);
	if (client_call(v->client, &q, &a, err) < 0) {
		if (!a.r.status)
			return -1;
		error_clear(err); /* GET has a body that says more */
		return 0;
	}
	value = answer_header(&a, "docker-content-digest");
	if (value && digest_valid(value) && strlen(value) < DIGEST_TEXT)
		snprintf(digest, DIGEST_TEXT, "%s", value);
	return 0;
}

static bool platform_is(struct pull *v, const char *id, char *has_text)
{
	struct error absent = ERROR_INIT;
	struct image *i = image_get_config(v->images, id, &absent);
	struct platform has = {.os = ""};
	bool fits;

	if (!i)
		return false;
	snprintf(has.os, sizeof(has.os), "%s", json_get_str(i->config, "os", "linux"));
	snprintf(has.arch, sizeof(has.arch), "%s", json_get_str(i->config, "architecture", ""));
	snprintf(has.variant, sizeof(has.variant), "%s", json_get_str(i->config, "variant", ""));
	image_free(i);
	platform_text(&has, has_text);
	fits = platform_score(&v->want, &has) > 0;
	return fits;
}

static void with_digest(const struct reference *ref, const char *digest, struct reference *out)
{
	*out = (struct reference){.name = xstrdup(ref->name), .digest = xstrdup(digest)};
}

/* Is the very manifest here, for this platform? id: the image. */
static bool known(struct pull *v, const struct reference *ref, const char *digest,
		  char id[DIGEST_TEXT])
{
	auto_reference exact = {0};
	auto_free char *have = NULL;
	char text[100];

	if (!*digest)
		return false;
	with_digest(ref, digest, &exact);
	have = image_reference_get(v->images, &exact);
	if (!have || !platform_is(v, have, text))
		return false;
	snprintf(id, DIGEST_TEXT, "%s", have);
	return true;
}

static int set_references(struct pull *v, const struct reference *ref, const char *digest,
			  const char *id, struct error *err)
{
	auto_reference exact = {0};
	auto_free char *old = NULL, *old_exact = NULL;

	with_digest(ref, digest, &exact);
	if (image_reference_set(v->images, &exact, id, &old_exact, err) < 0)
		return -1;
	FAULT("registry.pull.between-references");
	if (ref->digest) {
		if (!old_exact)
			v->newer = true;
	} else {
		if (image_reference_set(v->images, ref, id, &old, err) < 0)
			return -1;
		if (!old || !streq(old, id))
			v->newer = true;
	}
	image_tell(v->images, "pull", ref);
	return 0;
}

/* What was asked for by tag may be one image of another platform. */
static void warn_platform(struct pull *v, const struct reference *ref)
{
	auto_free char *shown = reference_familiar(ref), *id = image_reference_get(v->images, ref);
	char has[100], want[100];

	if (v->platform_given && id && !platform_is(v, id, has))
		progress_message(v->p, NULL,
				 "WARNING: image with reference %s was found but its platform (%s) "
				 "does not match the specified platform (%s)",
				 shown, has, platform_text(&v->want, want));
}

/* ref has a tag or a digest. */
static int pull_reference(struct pull *v, const struct reference *ref, struct error *err)
{
	const char *what = ref->digest ? ref->digest : ref->tag;
	auto_free char *shown = reference_familiar(ref),
		       *name = xstrdup(strchr(ref->name, '/') + 1);
	char digest[DIGEST_TEXT] = "", id[DIGEST_TEXT];
	auto_manifest m = {.n = 0};
	auto_answer a = {.code = ""};

	if (ref->digest)
		snprintf(digest, sizeof(digest), "%s", ref->digest);
	else if (head_digest(v, ref->tag, digest, err) < 0)
		return -1;
	if (!known(v, ref, digest, id)) {
		if (get_manifest(v, ref, *digest ? digest : what, digest, &a, digest, err) < 0)
			return -1;
		progress_message(v->p, ref->digest ? shown : ref->tag, "Pulling from %s", name);
		if (manifest_parse(str_cstr(&a.body), a.body.len, answer_header(&a, "content-type"),
				   &m, err) < 0 ||
		    descend(v, ref, &m, err) < 0 || pull_image(v, &m, id, err) < 0)
			return -1;
	} else {
		progress_message(v->p, ref->digest ? shown : ref->tag, "Pulling from %s", name);
	}
	progress_message(v->p, NULL, "Digest: %s", digest);
	if (set_references(v, ref, digest, id, err) < 0)
		return -1;
	return 0;
}

/* ---- all tags --------------------------------------------------------------------------------------------------------------------- */

static int pull_all_tags(struct pull *v, const struct reference *ref, struct error *err)
{
	auto_strlist tags = STRLIST_INIT;
	auto_answer a = {.code = ""};

	if (client_tags(v->client, progress_cancel_fd(v->p), &tags, &a, err) < 0)
		return explain(ref, &a, err);
	for (size_t i = 0; i < tags.n; i++) {
		auto_free char *text = xasprintf("%s:%s", ref->name, tags.v[i]);
		auto_reference one = {0};

		if (reference_parse(text, &one, err) < 0)
			return error_wrap(err, "tag \"%.140s\" of the registry", tags.v[i]);
		if (pull_reference(v, &one, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- endpoints -------------------------------------------------------------------------------------------------------------------- */

static int pull_from(struct pull *v, const struct reference *ref, struct error *err)
{
	return ref->tag || ref->digest ? pull_reference(v, ref, err) : pull_all_tags(v, ref, err);
}

static int parse_name(const char *name, const char *tag, struct reference *ref, struct error *err)
{
	auto_free char *joined = str_empty(tag)     ? xstrdup(name)
				 : strchr(tag, ':') ? xasprintf("%s@%s", name, tag)
						    : NULL;

	if (!joined) {
		auto_reference plain = {0};

		if (reference_parse(name, &plain, err) < 0)
			return -1;
		joined = xasprintf("%s:%s", plain.name, tag);
		if (reference_parse(joined, ref, err) < 0)
			return error_set(err, ERR_INVALID, "invalid tag format");
	} else if (reference_parse(joined, ref, err) < 0) {
		return tag && strchr(tag, ':') && !digest_valid(tag)
			   ? error_set(err, ERR_INVALID, "invalid tag format")
			   : -1;
	}
	if (streq(ref->name, "docker.io/library/scratch"))
		return error_set(err, ERR_DENIED, "'scratch' is a reserved name");
	return 0;
}

int registry_pull(struct image_store *images, const struct registry_settings *s, const char *name,
		  const char *tag, const char *platform, const struct registry_auth *auth,
		  struct progress *p, struct error *err)
{
	struct pull v = {.images = images, .settings = s, .p = p};
	auto_reference ref = {0};
	__attribute__((cleanup(endpoints_free))) struct endpoints e = {NULL, 0};
	auto_free char *domain = NULL, *shown = NULL;
	int r = -1;

	if (parse_name(name, tag, &ref, err) < 0 || platform_parse(platform, &v.want, err) < 0)
		return -1;
	v.platform_given = !str_empty(platform);
	domain = xstrndup(ref.name, strcspn(ref.name, "/"));
	shown = reference_familiar(&ref);
	if (endpoints_of(s, domain, true, &e, err) < 0)
		return -1;
	for (size_t i = 0; i < e.n && r < 0; i++) {
		bool reached = false;

		error_clear(err);
		v.client = client_new(s, &e.v[i], auth, strchr(ref.name, '/') + 1, "pull", err);
		if (v.client && client_ping(v.client, progress_cancel_fd(p), NULL, err) == 0) {
			reached = true;
			v.client->origin = xstrdup(ref.name);
			r = pull_from(&v, &ref, err);
		}
		client_unref(v.client);
		if (r < 0 && (err->kind == ERR_CANCELLED || (reached && !e.v[i].mirror)))
			break;
		if (r < 0 && i + 1 < e.n)
			log_info("Attempting next endpoint for pull after error", "endpoint",
				 e.v[i].url, "error", err->text);
	}
	if (r < 0)
		return -1;
	progress_message(p, NULL,
			 v.newer ? "Status: Downloaded newer image for %s"
				 : "Status: Image is up to date for %s",
			 shown);
	warn_platform(&v, &ref);
	return 0;
}
