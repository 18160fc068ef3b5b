/* SPDX-License-Identifier: Apache-2.0 */
/* See stack.h. */
#include "image/stack.h"
#include "image/store_int.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/thread.h"
#include "unpack/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct image_stack {
	struct image_store *s;
	struct layer *top;        /* holds a reference; NULL: empty */
	struct unpacker unpacker; /* from the first new layer on */
};

struct image_stack *image_stack_new(struct image_store *s)
{
	struct image_stack *k = xnew(struct image_stack);

	k->s = s;
	k->unpacker = (struct unpacker)UNPACKER_INIT;
	return k;
}

struct image_stack *image_stack_of(struct image_store *s, const char *name, struct error *err)
{
	struct image_stack *k = NULL;
	struct image_record *r;
	LOCK_SCOPE(&s->lock);

	r = image_find_locked(s, name, err);
	if (r) {
		k = image_stack_new(s);
		k->top = r->top;
		if (k->top)
			k->top->refs++;
	}
	return k;
}

void image_stack_free(struct image_stack *k)
{
	if (!k)
		return;
	unpacker_stop(&k->unpacker);
	layer_unref(k->s, k->top, NULL);
	free(k);
}

bool image_chain_exists(struct image_store *s, const char *below, const char *diff,
			char chain[DIGEST_TEXT])
{
	char next[DIGEST_TEXT];
	LOCK_SCOPE(&s->lock);

	chain_id(below, diff, next);
	memcpy(chain, next, sizeof(next));
	return map_get(&s->layers, next) != NULL;
}

bool image_stack_take(struct image_stack *k, const char *diff)
{
	char chain[DIGEST_TEXT];
	struct layer *next;

	chain_id(k->top ? k->top->chain : NULL, diff, chain);
	next = layer_ref(k->s, chain);
	if (!next)
		return false;
	layer_unref(k->s, k->top, NULL); /* the upper one holds it */
	k->top = next;
	return true;
}

int image_stack_add(struct image_stack *k, const struct layer_source *from, char diff[DIGEST_TEXT],
		    struct error *err)
{
	struct layer_source with = *from;
	struct layer *next;

	if (k->unpacker.pid < 0 && unpacker_start(&k->unpacker, false, err) < 0)
		return -1;
	with.unpacker = &k->unpacker;
	next = layer_add_from(k->s, k->top, &with, err);
	if (!next)
		return -1;
	layer_unref(k->s, k->top, NULL);
	k->top = next;
	memcpy(diff, next->diff, DIGEST_TEXT);
	return 0;
}

int image_stack_finish(struct image_stack *k, const char *config, size_t len, char id[DIGEST_TEXT],
		       struct error *err)
{
	auto_json *j = json_parse(config, len, err);
	char chain[DIGEST_TEXT] = "", next[DIGEST_TEXT];

	if (!j)
		return error_wrap(err, "image configuration");
	for (json *d = json_first(json_get(json_get(j, "rootfs"), "diff_ids")); d;
	     d = json_next(d)) {
		if (!digest_valid(json_str(d, "")) || strlen(json_str(d, "")) >= DIGEST_TEXT)
			return error_set(err, ERR_INVALID, "invalid diff_id \"%.80s\"",
					 json_str(d, ""));
		chain_id(chain, json_str(d, ""), next);
		memcpy(chain, next, sizeof(chain));
	}
	if (!streq(chain, k->top ? k->top->chain : ""))
		return error_set(err, ERR_INVALID,
				 "layers from manifest don't match image configuration");
	FAULT("image.stack.before-put");
	return image_put(k->s, config, len, NULL, steal_ptr(&k->top), id, err);
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------------- */

size_t image_stack_depth(const struct image_stack *k)
{
	return layer_depth(k->top);
}

static const struct layer *at(const struct image_stack *k, size_t i)
{
	const struct layer *l = k->top;

	for (size_t n = layer_depth(l); l && n > i + 1; n--)
		l = l->parent;
	return l;
}

const char *image_stack_diff(const struct image_stack *k, size_t i)
{
	return at(k, i)->diff;
}

const char *image_stack_chain(const struct image_stack *k, size_t i)
{
	return at(k, i)->chain;
}

uint64_t image_stack_size(const struct image_stack *k, size_t i)
{
	return at(k, i)->size;
}

bool image_stack_foreign(struct image_stack *k, size_t i, struct str *descriptor)
{
	return layer_foreign(k->s, at(k, i), descriptor);
}

int image_stack_write(struct image_stack *k, size_t i, int fd, bool gzip, int counter,
		      struct error *err)
{
	return layer_write_tar_as(k->s, at(k, i), fd, gzip, counter, NULL, err);
}

/* ---- references ------------------------------------------------------------------------------------------------------------------- */

int image_reference_set(struct image_store *s, const struct reference *ref, const char *id,
			char **old, struct error *err)
{
	char *before = image_reference_get(s, ref);

	if (old)
		*old = before;
	else
		free(before);
	return tag_point(s, ref, id, err);
}

char *image_reference_get(struct image_store *s, const struct reference *ref)
{
	auto_free char *full = reference_string(ref);
	LOCK_SCOPE(&s->lock);

	return xstrdup_null(tag_get_locked(s, full));
}

void image_repository_tags(struct image_store *s, const char *name, struct strlist *tags)
{
	struct map_entry *e;
	size_t i = 0;
	LOCK_SCOPE(&s->lock);

	while ((e = map_next(&s->tags, &i))) {
		auto_reference ref = {0};
		struct error ignored = ERROR_INIT;

		if (reference_parse(e->key, &ref, &ignored) == 0 && ref.tag && !ref.digest &&
		    streq(ref.name, name))
			strlist_add(tags, ref.tag);
	}
	strlist_sort(tags);
}

void image_tell(struct image_store *s, const char *action, const struct reference *ref)
{
	auto_free char *shown = reference_familiar(ref), *name = reference_familiar_name(ref);

	emit_event(s, action, shown, name);
}

int image_spool(struct image_store *s, struct error *err)
{
	int fd = open(s->tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	auto_free char *name = NULL;

	if (fd >= 0)
		return fd;
	/* A file system without nameless files. */
	name = xasprintf("%s/GetImageBlobXXXXXX", s->tmp);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, errno, "make a file in %s", s->tmp);
	unlink(name);
	return fd;
}
