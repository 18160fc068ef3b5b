/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Map from string to pointer (open addressing, keys copied, values borrowed) and ordered string pairs.
 * Not thread-safe: the owner's lock guards it.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>

struct map_entry {
	char *key; /* NULL: never used */
	void *value;
};

struct map {
	struct map_entry *slots;
	size_t n, used, cap; /* live entries; live + deleted; slots (power of two) */
};

#define MAP_INIT              \
	{                     \
		NULL, 0, 0, 0 \
	}

void *map_get(const struct map *m, const char *key);
/* Insert or replace; returns the old value or NULL. `value` must not be NULL. */
void *map_set(struct map *m, const char *key, void *value);
/* Returns the removed value or NULL. */
void *map_del(struct map *m, const char *key);
/* Walk in no order: `size_t i = 0; while ((e = map_next(m, &i)))`. Deleting the current entry is allowed. */
struct map_entry *map_next(const struct map *m, size_t *i);
/* Frees keys and slots; `free_value` (may be NULL) is called on each value. */
void map_free(struct map *m, void (*free_value)(void *));

/* Pairs that keep the order they were set in; both strings owned. Labels, options, headers. */
struct pair {
	char *key, *value;
};
struct pairs {
	struct pair *v;
	size_t n, cap;
};

#define PAIRS_INIT         \
	{                  \
		NULL, 0, 0 \
	}
#define auto_pairs __attribute__((cleanup(pairs_free))) struct pairs

void pairs_free(struct pairs *p);
/* Replaces the value of an equal key. */
void pairs_set(struct pairs *p, const char *key, const char *value);
/* Always appends. */
void pairs_add(struct pairs *p, const char *key, const char *value);
const char *pairs_get(const struct pairs *p, const char *key);
void pairs_del(struct pairs *p, const char *key);
void pairs_copy(struct pairs *dst, const struct pairs *src);
/* By key, as Go prints maps. */
void pairs_sort(struct pairs *p);

#endif
