/* SPDX-License-Identifier: Apache-2.0 */
/* See bolt.h: the keys and values of a file in memory, and what it takes to undo a change that could not be put on disk. */
#include "base/bolt_int.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void bolt_bucket_free(struct bolt_bucket *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->v[i].key);
		free(b->v[i].value);
		if (b->v[i].sub) {
			bolt_bucket_free(b->v[i].sub);
			free(b->v[i].sub);
		}
	}
	free(b->v);
	*b = (struct bolt_bucket){0};
}

/* Where the key is, or would be. */
static size_t find(const struct bolt_bucket *b, const char *key, size_t klen, bool *there)
{
	size_t low = 0, high = b->n;

	*there = false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct bolt_entry *e = &b->v[mid];
		int c = memcmp(key, e->key, klen < e->klen ? klen : e->klen);

		if (c == 0)
			c = (klen > e->klen) - (klen < e->klen);
		if (c == 0) {
			*there = true;
			return mid;
		}
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

struct bolt_entry *bolt_entry(struct bolt_bucket *b, const char *key, size_t klen)
{
	bool there;
	size_t at = find(b, key, klen, &there);

	if (there)
		return &b->v[at];
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 16;
		b->v = xreallocarray(b->v, b->cap, sizeof(*b->v));
	}
	memmove(&b->v[at + 1], &b->v[at], (b->n - at) * sizeof(*b->v));
	b->n++;
	b->v[at] = (struct bolt_entry){.key = xstrndup(key, klen), .klen = klen};
	return &b->v[at];
}

static struct bolt_bucket *top(const struct bolt *b, const char *name)
{
	bool there;
	size_t at = find(&b->root, name, strlen(name), &there);

	return there ? b->root.v[at].sub : NULL;
}

/* A value; the bucket is made if need be. */
static void set(struct bolt *b, const char *bucket, const char *key, const void *value, size_t len)
{
	struct bolt_entry *in = bolt_entry(&b->root, bucket, strlen(bucket)), *e;

	if (!in->sub)
		in->sub = xnew(struct bolt_bucket);
	e = bolt_entry(in->sub, key, strlen(key));
	free(e->value);
	e->value = xmalloc(len + 1);
	memcpy(e->value, value, len);
	e->value[len] = '\0';
	e->vlen = len;
}

static void unset(struct bolt *b, const char *bucket, const char *key)
{
	struct bolt_bucket *in = top(b, bucket);
	bool there = false;
	size_t at = in ? find(in, key, strlen(key), &there) : 0;

	if (!there)
		return;
	free(in->v[at].key);
	free(in->v[at].value);
	memmove(&in->v[at], &in->v[at + 1], (in->n - at - 1) * sizeof(*in->v));
	in->n--;
}

/* ---- changes that no commit has put on disk yet -------------------------------------------------------------------------------------- */

static void undo_add(struct bolt *b, const char *bucket, const char *key, const void *value,
		     size_t len)
{
	struct bolt_change *u;

	if (b->n_undo == b->undo_cap) {
		b->undo_cap = b->undo_cap ? b->undo_cap * 2 : 8;
		b->undo = xreallocarray(b->undo, b->undo_cap, sizeof(*b->undo));
	}
	u = &b->undo[b->n_undo++];
	*u = (struct bolt_change){.bucket = xstrdup(bucket), .key = xstrdup(key), .vlen = len};
	if (value) {
		u->value = xmalloc(len + 1);
		memcpy(u->value, value, len);
	}
}

void bolt_undo(struct bolt *b)
{
	for (size_t i = b->n_undo; i > 0; i--) {
		const struct bolt_change *u = &b->undo[i - 1];

		if (u->value)
			set(b, u->bucket, u->key, u->value, u->vlen);
		else
			unset(b, u->bucket, u->key);
	}
}

void bolt_undo_forget(struct bolt *b)
{
	for (size_t i = 0; i < b->n_undo; i++) {
		free(b->undo[i].bucket);
		free(b->undo[i].key);
		free(b->undo[i].value);
	}
	b->n_undo = 0;
}

/* ---- what callers see --------------------------------------------------------------------------------------------------------------- */

const void *bolt_get(const struct bolt *b, const char *bucket, const char *key, size_t *len)
{
	const struct bolt_bucket *in = top(b, bucket);
	bool there = false;
	size_t at = in ? find(in, key, strlen(key), &there) : 0;

	if (!there || in->v[at].sub)
		return NULL;
	*len = in->v[at].vlen;
	return in->v[at].value;
}

void bolt_keys(const struct bolt *b, const char *bucket, const char *prefix, struct strlist *out)
{
	const struct bolt_bucket *in = top(b, bucket);

	for (size_t i = 0; in && i < in->n; i++)
		if (!in->v[i].sub && strlen(in->v[i].key) == in->v[i].klen &&
		    str_after(in->v[i].key, prefix))
			strlist_add(out, in->v[i].key);
}

void bolt_put(struct bolt *b, const char *bucket, const char *key, const void *value, size_t len)
{
	size_t had_len;
	const void *had = bolt_get(b, bucket, key, &had_len);

	if (had && had_len == len && !memcmp(had, value, len))
		return;
	undo_add(b, bucket, key, had, had ? had_len : 0);
	set(b, bucket, key, value, len);
}

void bolt_del(struct bolt *b, const char *bucket, const char *key)
{
	size_t had_len;
	const void *had = bolt_get(b, bucket, key, &had_len);

	if (!had)
		return;
	undo_add(b, bucket, key, had, had_len);
	unset(b, bucket, key);
}
