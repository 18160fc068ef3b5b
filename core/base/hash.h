/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a (draft-eastlake-fnv): for tables and for finding what a crash has cut. Nobody who would forge it is kept out. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define FNV64_START UINT64_C(0xcbf29ce484222325)
#define FNV32_START UINT32_C(0x811c9dc5)

/* Goes on from h: FNV64_START, or what another call has returned. */
static inline uint64_t fnv64(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static inline uint32_t fnv32(uint32_t h, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT32_C(16777619);
	return h;
}

#endif
