/* SPDX-License-Identifier: Apache-2.0 */
/* See map.h. */
#include "base/map.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <pthread.h>

/* Keys come from clients: the hash is seeded so that they can't be chosen to collide. */
static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static char deleted[1]; /* address marks a deleted slot's key */

static void make_seed(void)
{
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uintptr_t)&seed * 0x9e3779b97f4a7c15u;
}

static uint64_t hash(const char *key)
{
	uint64_t h;

	pthread_once(&seed_once, make_seed);
	h = fnv64(seed ^ FNV64_START, key, strlen(key));
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static struct map_entry *find(const struct map *m, const char *key)
{
	if (!m->cap)
		return NULL;
	for (size_t i = hash(key) & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_entry *e = &m->slots[i];

		if (!e->key)
			return NULL;
		if (e->key != deleted && streq(e->key, key))
			return e;
	}
}

static void rehash(struct map *m, size_t cap)
{
	struct map_entry *old = m->slots;
	size_t old_cap = m->cap;

	m->slots = xcalloc(cap, sizeof(*m->slots));
	m->cap = cap;
	m->used = m->n;
	for (size_t i = 0; i < old_cap; i++) {
		size_t at;

		if (!old[i].key || old[i].key == deleted)
			continue;
		at = hash(old[i].key) & (cap - 1);
		while (m->slots[at].key)
			at = (at + 1) & (cap - 1);
		m->slots[at] = old[i];
	}
	free(old);
}

void *map_get(const struct map *m, const char *key)
{
	struct map_entry *e = find(m, key);

	return e ? e->value : NULL;
}

void *map_set(struct map *m, const char *key, void *value)
{
	struct map_entry *e = find(m, key);
	size_t at;

	if (e) {
		void *old = e->value;

		e->value = value;
		return old;
	}
	if (4 * (m->used + 1) > 3 * m->cap)
		rehash(m, 4 * (m->n + 1) > 2 * m->cap ? (m->cap ? m->cap * 2 : 8) : m->cap);
	at = hash(key) & (m->cap - 1);
	while (m->slots[at].key && m->slots[at].key != deleted)
		at = (at + 1) & (m->cap - 1);
	if (!m->slots[at].key)
		m->used++;
	m->slots[at] = (struct map_entry){xstrdup(key), value};
	m->n++;
	return NULL;
}

void *map_del(struct map *m, const char *key)
{
	struct map_entry *e = find(m, key);
	void *old;

	if (!e)
		return NULL;
	old = e->value;
	free(e->key);
	*e = (struct map_entry){deleted, NULL};
	m->n--;
	return old;
}

struct map_entry *map_next(const struct map *m, size_t *i)
{
	while (*i < m->cap) {
		struct map_entry *e = &m->slots[(*i)++];

		if (e->key && e->key != deleted)
			return e;
	}
	return NULL;
}

void map_free(struct map *m, void (*free_value)(void *))
{
	for (size_t i = 0; i < m->cap; i++) {
		struct map_entry *e = &m->slots[i];

		if (!e->key || e->key == deleted)
			continue;
		free(e->key);
		if (free_value)
			free_value(e->value);
	}
	free(m->slots);
	*m = (struct map)MAP_INIT;
}

void pairs_free(struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].key);
		free(p->v[i].value);
	}
	free(p->v);
	*p = (struct pairs)PAIRS_INIT;
}

static struct pair *pairs_find(const struct pairs *p, const char *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (streq(p->v[i].key, key))
			return &p->v[i];
	return NULL;
}

void pairs_add(struct pairs *p, const char *key, const char *value)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 4;
		p->v = xreallocarray(p->v, p->cap, sizeof(*p->v));
	}
	p->v[p->n++] = (struct pair){xstrdup(key), xstrdup(value)};
}

void pairs_set(struct pairs *p, const char *key, const char *value)
{
	struct pair *e = pairs_find(p, key);
	char *copy;

	if (!e) {
		pairs_add(p, key, value);
		return;
	}
	copy = xstrdup(value);
	free(e->value);
	e->value = copy;
}

const char *pairs_get(const struct pairs *p, const char *key)
{
	struct pair *e = pairs_find(p, key);

	return e ? e->value : NULL;
}

void pairs_del(struct pairs *p, const char *key)
{
	struct pair *e = pairs_find(p, key);

	if (!e)
		return;
	free(e->key);
	free(e->value);
	p->n--;
	memmove(e, e + 1, (size_t)(&p->v[p->n] - e) * sizeof(*e));
}

void pairs_copy(struct pairs *dst, const struct pairs *src)
{
	for (size_t i = 0; i < src->n; i++)
		pairs_add(dst, src->v[i].key, src->v[i].value);
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

void pairs_sort(struct pairs *p)
{
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), compare_pairs);
}
