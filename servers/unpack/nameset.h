/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set of path names kept as 64-bit hashes: eight bytes per name, however long. A collision, which only the maker of an archive can bring about,
 * makes the set say "seen" once too often; its users fail or keep a file then.
 */
#ifndef UNPACK_NAMESET_H
#define UNPACK_NAMESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

struct nameset {
	uint64_t *slots; /* 0: empty */
	size_t n, cap;
};

static inline uint64_t nameset_hash(const char *name)
{
	return fnv64(FNV64_START, name, strlen(name)) | 1; /* never 0 */
}

static inline size_t nameset_slot(const uint64_t *slots, size_t cap, uint64_t h)
{
	size_t i = (size_t)(h * UINT64_C(0x9e3779b97f4a7c15) >> 16) & (cap - 1);

	while (slots[i] && slots[i] != h)
		i = (i + 1) & (cap - 1);
	return i;
}

static inline bool nameset_has(const struct nameset *s, const char *name)
{
	uint64_t h = nameset_hash(name);

	return s->cap && s->slots[nameset_slot(s->slots, s->cap, h)] == h;
}

/* False if it was there. */
static inline bool nameset_add(struct nameset *s, const char *name)
{
	uint64_t h = nameset_hash(name);
	size_t i;

	if ((s->n + 1) * 2 > s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 1024;
		uint64_t *slots = xcalloc(cap, sizeof(*slots));

		for (i = 0; i < s->cap; i++)
			if (s->slots[i])
				slots[nameset_slot(slots, cap, s->slots[i])] = s->slots[i];
		free(s->slots);
		s->slots = slots;
		s->cap = cap;
	}
	i = nameset_slot(s->slots, s->cap, h);
	if (s->slots[i])
		return false;
	s->slots[i] = h;
	s->n++;
	return true;
}

static inline void nameset_free(struct nameset *s)
{
	free(s->slots);
	*s = (struct nameset){NULL, 0, 0};
}

#endif
