/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a text can stand in a JSON string as it is: bytes that Go's encoder does not escape. Header only, so that log drivers, which link
 * nothing of the daemon, print what it prints. Sixteen bytes at a time, by the compilers' vectors (SSE2, NEON, or plain registers).
 */
#ifndef BASE_PLAIN_H
#define BASE_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool plain_byte(unsigned char c)
{
	static const bool special[256] = {
	    [0 ... 0x1f] = true, ['"'] = true, ['\\'] = true,       ['<'] = true,
	    ['>'] = true,        ['&'] = true, [0x80 ... 0xff] = true,
	};

	return !special[c];
}

/* Bytes at p, of n, before the first that needs a second look. */
static inline size_t plain_run(const char *p, size_t n)
{
	typedef unsigned char bytes16 __attribute__((vector_size(16)));
	size_t i = 0;

	for (; i + sizeof(bytes16) <= n; i += sizeof(bytes16)) {
		bytes16 v, special;
		uint64_t half[2];

		memcpy(&v, p + i, sizeof(v));
		special = (bytes16)(v < 0x20) | (bytes16)(v > 0x7f) | (bytes16)(v == '"') |
			  (bytes16)(v == '\\') | (bytes16)(v == '<') | (bytes16)(v == '>') |
			  (bytes16)(v == '&');
		memcpy(half, &special, sizeof(half));
		if (half[0] | half[1])
			break;
	}
	while (i < n && plain_byte((unsigned char)p[i]))
		i++;
	return i;
}

#endif
