/* SPDX-License-Identifier: Apache-2.0 */
/* GET /images/json: which images, and what of them. Filters and order as moby. */
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/filter.h"
#include "base/mem.h"
#include "base/thread.h"

#include <fnmatch.h>
#include <stdlib.h>

/* What a filter says, worked out once. */
struct want {
	const struct image_filter *f;
	bool dangling_given, dangling;
	int64_t before, since, until; /* CLOCK_ZERO: no bound */
};

static int image_time(struct image_store *s, const char *name, int64_t *t, struct error *err)
{
	struct image_record *r;

	LOCK_SCOPE(&s->lock);
	r = image_find_locked(s, name, err);
	if (r)
		*t = r->created;
	return r ? 0 : -1;
}

/* What Go's path.Match takes: brackets are closed and hold something, a backslash is followed by something. */
static bool pattern_valid(const char *p)
{
	for (; *p; p++) {
		const char *from;

		if (*p == '\\') {
			if (!*++p)
				return false;
			continue;
		}
		if (*p != '[')
			continue;
		if (*++p == '^')
			p++;
		for (from = p; *p && *p != ']'; p++)
			if (*p == '\\' && !*++p)
				return false;
		if (!*p || p == from)
			return false;
	}
	return true;
}

static int parse_filter(struct image_store *s, const struct image_filter *f, struct want *w,
			struct error *err)
{
	*w = (struct want){.f = f, .before = CLOCK_ZERO, .since = CLOCK_ZERO, .until = CLOCK_ZERO};
	if (f->unknown.n)
		return error_set(err, ERR_INVALID, "invalid filter '%s'", f->unknown.v[0]);
	w->dangling_given = f->dangling.n > 0;
	if (w->dangling_given) {
		const char *v = f->dangling.v[0];
		auto_free char *all = strlist_join(&f->dangling, " ");

		w->dangling = streq(v, "true") || streq(v, "1");
		if (f->dangling.n > 1 || (!w->dangling && !streq(v, "false") && !streq(v, "0")))
			return error_set(err, ERR_INVALID, "invalid filter 'dangling=[%s]'", all);
	}
	for (size_t i = 0; i < f->reference.n; i++)
		if (!pattern_valid(f->reference.v[i]))
			return error_set(err, ERR_SYSTEM, "syntax error in pattern");
	for (size_t i = 0; i < f->before.n; i++)
		if (image_time(s, f->before.v[i], &w->before, err) < 0)
			return -1;
	for (size_t i = 0; i < f->since.n; i++)
		if (image_time(s, f->since.v[i], &w->since, err) < 0)
			return -1;
	for (size_t i = 0; i < f->until.n; i++)
		if (!clock_parse_param(f->until.v[i], clock_wall_ns(), &w->until))
			return error_set(err, ERR_SYSTEM, /* as moby: 500 */
					 "failed to parse value as time or duration: \"%s\"",
					 f->until.v[i]);
	return 0;
}

/* "busy*" against "busybox:latest" or "busybox"; a star stops at slashes. */
static bool reference_matches(const char *pattern, const char *familiar)
{
	const char *at = strchr(familiar, '@'), *slash = strrchr(familiar, '/'), *colon;
	auto_free char *name = NULL;

	if (fnmatch(pattern, familiar, FNM_PATHNAME) == 0)
		return true;
	colon = at ? at : strchr(slash ? slash : familiar, ':');
	name = colon ? xstrndup(familiar, (size_t)(colon - familiar)) : xstrdup(familiar);
	return fnmatch(pattern, name, FNM_PATHNAME) == 0;
}

static void keep_matching(struct strlist *refs, const struct strlist *patterns)
{
	for (size_t i = refs->n; patterns->n && i-- > 0;) {
		bool found = false;

		for (size_t k = 0; k < patterns->n && !found; k++)
			found = reference_matches(patterns->v[k], refs->v[i]);
		if (!found)
			strlist_remove(refs, i);
	}
}

static void summary_free(struct image_summary *m)
{
	free(m->id);
	free(m->parent);
	strlist_free(&m->tags);
	strlist_free(&m->digests);
	pairs_free(&m->labels);
}

/* Is the image in the list, as far as times and references tell? Fills m. The lock is held. */
static bool select_locked(struct image_store *s, const struct image_record *r, const struct want *w,
			  struct image_summary *m)
{
	*m = (struct image_summary){.shared_size = -1, .containers = -1};
	if ((w->before != CLOCK_ZERO && r->created >= w->before) ||
	    (w->since != CLOCK_ZERO && r->created <= w->since) ||
	    (w->until != CLOCK_ZERO && r->created > w->until))
		return false;
	tags_familiar_locked(s, r->id, &m->tags, &m->digests);
	keep_matching(&m->tags, &w->f->reference);
	keep_matching(&m->digests, &w->f->reference);
	if (!m->tags.n && !m->digests.n) {
		bool children = image_has_children_locked(s, r->id);

		if ((children && !w->f->all) || w->f->reference.n ||
		    (w->dangling_given && !w->dangling) || (w->dangling && children))
			return false;
	} else if (w->dangling) {
		return false;
	}
	m->id = xstrdup(r->id);
	m->parent = xstrdup(r->parent);
	m->created = r->created == CLOCK_ZERO ? -62135596800 : r->created / 1000000000;
	m->size = layer_chain_size(r->top);
	return true;
}

static bool fill_labels(struct image_store *s, const struct want *w, struct image_summary *m)
{
	struct error ignored = ERROR_INIT;
	auto_str text = STR_INIT;
	auto_json *config = NULL;

	if (image_read_config(s, m->id, &text, &ignored) == 0)
		config = json_parse(text.p, text.len, &ignored);
	json_pairs(json_get(json_get(config, "config"), "Labels"), &m->labels);
	if (!filter_all_labels(&m->labels, &w->f->label))
		return false;
	return config != NULL; /* removed meanwhile, or damaged */
}

static int newest_first(const void *a, const void *b)
{
	const struct image_summary *x = a, *y = b;

	return x->created != y->created ? (x->created < y->created ? 1 : -1) : strcmp(x->id, y->id);
}

/* Layers that more than one image has, of all that there are. */
static void fill_shared(struct image_store *s, struct image_list *l)
{
	struct map users = MAP_INIT; /* chain -> number of images, as a pointer */
	struct map_entry *e;
	struct image_record *r;
	size_t k = 0;

	LOCK_SCOPE(&s->lock);
	while ((e = map_next(&s->images, &k)))
		for (struct layer *t = ((struct image_record *)e->value)->top; t; t = t->parent)
			map_set(&users, t->chain,
				(void *)((uintptr_t)map_get(&users, t->chain) + 1));
	for (size_t i = 0; i < l->n; i++) {
		l->v[i].shared_size = 0;
		if ((r = map_get(&s->images, l->v[i].id)))
			for (struct layer *t = r->top; t; t = t->parent)
				if ((uintptr_t)map_get(&users, t->chain) > 1)
					l->v[i].shared_size += (int64_t)t->size;
	}
	map_free(&users, NULL);
}

int image_list_get(struct image_store *s, const struct image_filter *f, struct image_list *out,
		   struct error *err)
{
	struct map_entry *e;
	struct want w;
	size_t i = 0, kept = 0;

	*out = (struct image_list){NULL, 0, 0};
	if (parse_filter(s, f, &w, err) < 0)
		return -1;
	pthread_mutex_lock(&s->lock);
	out->cap = s->images.n;
	out->v = xcalloc(out->cap + 1, sizeof(*out->v));
	while ((e = map_next(&s->images, &i))) {
		if (select_locked(s, e->value, &w, &out->v[out->n]))
			out->n++;
		else
			summary_free(&out->v[out->n]);
	}
	pthread_mutex_unlock(&s->lock);
	for (i = 0; i < out->n; i++) {
		if (fill_labels(s, &w, &out->v[i]))
			out->v[kept++] = out->v[i];
		else
			summary_free(&out->v[i]);
	}
	out->n = kept;
	qsort(out->v, out->n, sizeof(*out->v), newest_first);
	for (i = 0; i < out->n && f->containers; i++) {
		struct image_users users = {NULL, 0, 0};

		if (s->users)
			s->users(s->users_ctx, out->v[i].id, &users);
		out->v[i].containers = (int64_t)users.n;
		image_users_free(&users);
	}
	if (f->shared_size)
		fill_shared(s, out);
	return 0;
}

void image_list_free(struct image_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		summary_free(&l->v[i]);
	free(l->v);
	*l = (struct image_list){NULL, 0, 0};
}

void image_filter_free(struct image_filter *f)
{
	strlist_free(&f->dangling);
	strlist_free(&f->label);
	strlist_free(&f->reference);
	strlist_free(&f->before);
	strlist_free(&f->since);
	strlist_free(&f->until);
	strlist_free(&f->unknown);
}

uint64_t image_store_layers_size(struct image_store *s)
{
	struct map_entry *e;
	uint64_t sum = 0;
	size_t i = 0;

	LOCK_SCOPE(&s->lock);
	while ((e = map_next(&s->layers, &i)))
		sum += ((struct layer *)e->value)->size;
	return sum;
}
