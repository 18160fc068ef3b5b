/* SPDX-License-Identifier: Apache-2.0 */
/* Removing images: moby's rules on what may go, its order, and its words, which clients match on. */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/filter.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HARD_CHILD = 1, HARD_RUNNING = 2, SOFT_REFERENCES = 4, SOFT_STOPPED = 8 };
#define HARD (HARD_CHILD | HARD_RUNNING)
#define SOFT (SOFT_REFERENCES | SOFT_STOPPED)

void deletions_add(struct image_deletions *d, const char *untagged, const char *deleted)
{
	if (d->n == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 8;
		d->v = xreallocarray(d->v, d->cap, sizeof(*d->v));
	}
	d->v[d->n++] = (struct image_deleted){xstrdup_null(untagged), xstrdup_null(deleted)};
}

void image_deletions_free(struct image_deletions *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].untagged);
		free(d->v[i].deleted);
	}
	free(d->v);
	*d = (struct image_deletions){NULL, 0, 0, 0};
}

static void references_of(struct image_store *s, const char *id, struct strlist *out)
{
	strlist_free(out);
	LOCK_SCOPE(&s->lock);
	tags_of_locked(s, id, out);
}

/* One tag at most, and digests of that repository only. */
static bool is_single_reference(const struct strlist *refs)
{
	auto_free char *tagged = NULL, *digested = NULL;
	struct error ignored = ERROR_INIT;

	if (refs->n <= 1)
		return true;
	for (size_t i = 0; i < refs->n; i++) {
		auto_reference r = {0};
		char **slot;

		if (reference_parse(refs->v[i], &r, &ignored) < 0)
			continue;
		slot = r.digest ? &digested : &tagged;
		if (*slot && (!r.digest || !streq(*slot, r.name)))
			return false;
		if (!*slot)
			*slot = xstrdup(r.name);
	}
	return !tagged || !digested || streq(tagged, digested);
}

static int untag(struct image_store *s, const char *full, const char *id,
		 struct image_deletions *out, struct error *err)
{
	auto_reference r = {0};
	auto_free char *shown = NULL;

	if (tag_remove(s, full, id, err) < 0)
		return -1;
	shown = reference_parse(full, &r, err) < 0 ? xstrdup(full) : reference_familiar(&r);
	deletions_add(out, shown, NULL);
	emit_event(s, "untag", id, id);
	return 0;
}

static int untag_all(struct image_store *s, const char *id, struct image_deletions *out,
		     struct error *err)
{
	auto_strlist refs = STRLIST_INIT;

	references_of(s, id, &refs);
	for (size_t i = 0; i < refs.n; i++)
		if (untag(s, refs.v[i], id, out, err) < 0)
			return -1;
	return 0;
}

static int conflict(const char *id, bool hard, struct error *err, const char *fmt, const char *arg)
{
	char why[256];

	snprintf(why, sizeof(why), fmt, arg);
	return error_set(err, ERR_CONFLICT, "conflict: unable to delete %.12s (%s) - %s",
			 digest_hex(id), hard ? "cannot be forced" : "must be forced", why);
}

/* -1 with err if one of the kinds in mask stands against removal. *used: by a container. */
static int check(struct image_store *s, const char *id, int mask, bool *used, struct error *err)
{
	struct image_users users = {NULL, 0, 0};
	const struct image_user *running = NULL, *stopped = NULL;
	auto_strlist refs = STRLIST_INIT;
	bool children;
	int r = 0;

	*used = false;
	pthread_mutex_lock(&s->lock);
	children = image_has_children_locked(s, id);
	tags_of_locked(s, id, &refs);
	pthread_mutex_unlock(&s->lock);
	if ((mask & HARD_CHILD) && children)
		return conflict(id, true, err, "image has dependent child images%s", "");
	if (s->users)
		s->users(s->users_ctx, id, &users);
	for (size_t i = 0; i < users.n; i++) {
		if (users.v[i].running)
			running = &users.v[i];
		else
			stopped = &users.v[i];
	}
	if ((mask & HARD_RUNNING) && running) {
		*used = true;
		r = conflict(id, true, err, "image is being used by running container %.12s",
			     running->container_id);
	} else if ((mask & SOFT_REFERENCES) && refs.n > 1) {
		r = conflict(id, false, err, "image is referenced in multiple repositories%s", "");
	} else if ((mask & SOFT_STOPPED) && stopped) {
		*used = true;
		r = conflict(id, false, err, "image is being used by stopped container %.12s",
			     stopped->container_id);
	}
	image_users_free(&users);
	return r;
}

/* Off disk and out of memory; its layers go if nobody else needs them. */
static int erase(struct image_store *s, const char *id, char parent[DIGEST_TEXT],
		 struct image_deletions *out, struct error *err)
{
	auto_free char *content = xasprintf("content/sha256/%s", digest_hex(id)),
		       *meta = xasprintf("metadata/sha256/%s", digest_hex(id));
	struct image_record *r;

	pthread_mutex_lock(&s->lock);
	r = map_del(&s->images, id);
	pthread_mutex_unlock(&s->lock);
	if (!r)
		return image_not_found(id, err);
	memcpy(parent, r->parent, DIGEST_TEXT);
	if (r->top)
		layer_set_pending(s, r->top, true);
	FAULT("image.delete.before-content");
	if (unlinkat(s->imagedb, content, 0) < 0 && errno != ENOENT)
		log_error("image's configuration not removed", "image", id, "error",
			  strerror(errno));
	FAULT("image.delete.after-content");
	if (dir_remove_all(s->imagedb, meta, err) < 0)
		log_warn("image's metadata not removed", "error", err->text);
	deletions_add(out, NULL, id);
	emit_event(s, "delete", id, id);
	layer_unref(s, r->top, out);
	free(r);
	return 0;
}

static int delete_helper(struct image_store *s, const char *start, bool force, bool prune,
			 bool quiet, struct image_deletions *out, struct error *err)
{
	char id[DIGEST_TEXT], parent[DIGEST_TEXT];
	bool used;

	snprintf(id, sizeof(id), "%s", start);
	for (;;) {
		if (check(s, id, HARD | (force ? 0 : SOFT), &used, err) < 0) {
			auto_strlist refs = STRLIST_INIT;
			bool needed;

			references_of(s, id, &refs);
			pthread_mutex_lock(&s->lock);
			needed = image_has_children_locked(s, id);
			pthread_mutex_unlock(&s->lock);
			/* After an untag a conflict is no fault of the client's, unless the image would dangle unused. */
			if (quiet && (refs.n || used || needed)) {
				error_clear(err);
				return 0;
			}
			return -1;
		}
		if (untag_all(s, id, out, err) < 0 || erase(s, id, parent, out, err) < 0)
			return -1;
		if (!prune || !*parent)
			return 0;
		/* A parent goes quietly: only if nothing names or needs it. */
		memcpy(id, parent, sizeof(id));
		force = false;
		quiet = true;
		{
			auto_strlist refs = STRLIST_INIT;
			bool there;

			pthread_mutex_lock(&s->lock);
			there = map_get(&s->images, id) != NULL;
			tags_of_locked(s, id, &refs);
			pthread_mutex_unlock(&s->lock);
			if (!there || refs.n)
				return 0;
			if (check(s, id, HARD | SOFT, &used, err) < 0) {
				error_clear(err);
				return 0;
			}
		}
	}
}

static bool is_id_prefix(const char *id, const char *name)
{
	return str_after(id, name) || str_after(digest_hex(id), name);
}

/* Remove the reference that was named, and digests of a repository that has no tag of the image any more. 1: references remain. */
static int untag_named(struct image_store *s, const char *name, const char *id,
		       struct image_deletions *out, struct error *err)
{
	auto_strlist refs = STRLIST_INIT;
	auto_reference ref = {0};
	auto_free char *full = NULL;
	bool other_tag = false;
	size_t left = 0;

	if (reference_parse(name, &ref, err) < 0)
		return -1;
	reference_default_tag(&ref);
	if (ref.tag && ref.digest) {
		free(ref.tag);
		ref.tag = NULL;
	}
	full = reference_string(&ref);
	if (untag(s, full, id, out, err) < 0)
		return -1;
	references_of(s, id, &refs);
	for (size_t i = 0; i < refs.n && !ref.digest; i++) {
		auto_reference r = {0};

		if (reference_parse(refs.v[i], &r, err) == 0 && r.tag && streq(r.name, ref.name))
			other_tag = true;
	}
	for (size_t i = 0; i < refs.n; i++) {
		auto_reference r = {0};

		if (!ref.digest && !other_tag && reference_parse(refs.v[i], &r, err) == 0 &&
		    r.digest && streq(r.name, ref.name)) {
			if (untag(s, refs.v[i], id, out, err) < 0)
				return -1;
		} else {
			left++;
		}
	}
	image_touch(s, id);
	return left > 0;
}

static int check_named(struct image_store *s, const char *name, const char *id, struct error *err)
{
	struct image_users users = {NULL, 0, 0};
	int r = 0;

	if (s->users)
		s->users(s->users_ctx, id, &users);
	if (users.n)
		r = error_set(err, ERR_CONFLICT,
			      "conflict: unable to remove repository reference \"%s\" (must force) "
			      "- container %.12s is using its referenced image %.12s",
			      name, users.v[0].container_id, digest_hex(id));
	image_users_free(&users);
	return r;
}

int image_delete(struct image_store *s, const char *name, bool force, bool prune,
		 struct image_deletions *out, struct error *err)
{
	auto_free char *id = image_resolve(s, name, err);
	auto_strlist refs = STRLIST_INIT;
	bool named, used;
	int r;

	if (!id)
		return -1;
	reaper_drain(s); /* a container removed just now still holds the image's layers */
	references_of(s, id, &refs);
	named = !is_id_prefix(id, name);
	if (named) {
		if (!force && is_single_reference(&refs) && check_named(s, name, id, err) < 0)
			return -1;
		r = untag_named(s, name, id, out, err);
		if (r != 0)
			return r < 0 ? -1 : 0;
	} else if (is_single_reference(&refs)) {
		if (check(s, id, HARD | (force ? 0 : SOFT & ~SOFT_REFERENCES), &used, err) < 0)
			return -1;
		if (untag_all(s, id, out, err) < 0)
			return -1;
	}
	return delete_helper(s, id, force, prune, named, out, err);
}

/* ---- prune -------------------------------------------------------------------------------------------------------------------------- */

static bool prune_matches(struct image_store *s, const struct image_prune *p, const char *id,
			  int64_t created)
{
	auto_str text = STR_INIT;
	auto_json *config = NULL;
	auto_pairs labels = PAIRS_INIT;
	struct error ignored = ERROR_INIT;

	for (size_t i = 0; i < p->until.n; i++) {
		int64_t until;

		if (!clock_parse_param(p->until.v[i], clock_wall_ns(), &until) || created > until)
			return false;
	}
	if (!p->label.n && !p->label_not.n)
		return true;
	if (image_read_config(s, id, &text, &ignored) < 0 ||
	    !(config = json_parse(text.p, text.len, &ignored)))
		return false;
	json_pairs(json_get(json_get(config, "config"), "Labels"), &labels);
	return filter_all_labels(&labels, &p->label) &&
	       (!p->label_not.n || !filter_all_labels(&labels, &p->label_not));
}

static void prune_one(struct image_store *s, const struct image_prune *p, const char *id,
		      struct image_deletions *out)
{
	struct image_users users = {NULL, 0, 0};
	auto_strlist refs = STRLIST_INIT;
	struct error err = ERROR_INIT;
	struct image_record *r;
	bool leaf, in_use;
	int64_t created = 0;

	pthread_mutex_lock(&s->lock);
	r = map_get(&s->images, id);
	leaf = r && !image_has_children_locked(s, id);
	created = r ? r->created : 0;
	tags_of_locked(s, id, &refs);
	pthread_mutex_unlock(&s->lock);
	if (!leaf || (p->dangling_only && refs.n) || !prune_matches(s, p, id, created))
		return;
	if (s->users)
		s->users(s->users_ctx, id, &users);
	in_use = users.n > 0;
	image_users_free(&users);
	if (in_use)
		return;
	if (untag_all(s, id, out, &err) < 0 ||
	    delete_helper(s, id, false, true, true, out, &err) < 0)
		log_warn("image not pruned", "image", id, "error", err.text);
}

int image_prune(struct image_store *s, const struct image_prune *p, struct image_deletions *out,
		struct error *err)
{
	auto_strlist ids = STRLIST_INIT;
	struct map_entry *e;
	size_t i = 0;
	int64_t t;

	for (size_t k = 0; k < p->until.n; k++)
		if (!clock_parse_param(p->until.v[k], clock_wall_ns(), &t))
			return error_set(err, ERR_SYSTEM, /* as moby: 500 */
					 "failed to parse value as time or duration: \"%s\"",
					 p->until.v[k]);
	reaper_drain(s);
	pthread_mutex_lock(&s->lock);
	while ((e = map_next(&s->images, &i)))
		strlist_add(&ids, e->key);
	pthread_mutex_unlock(&s->lock);
	for (i = 0; i < ids.n; i++)
		prune_one(s, p, ids.v[i], out);
	reaper_settle(s); /* who prunes wants the space */
	return 0;
}
