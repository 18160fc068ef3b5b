/* SPDX-License-Identifier: Apache-2.0 */
/* Archives made member by member, also such as no honest tar would write. */
#ifndef TESTS_TAR_MAKER_H
#define TESTS_TAR_MAKER_H

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static inline void tar_member(struct str *out, char flag, const char *name, const char *link,
			      unsigned mode, const char *content, size_t size)
{
	char h[512] = {0};
	unsigned sum = 0;

	strncpy(h, name, 100);
	snprintf(h + 100, 8, "%07o", mode);
	snprintf(h + 108, 8, "%07o", 0u);
	snprintf(h + 116, 8, "%07o", 0u);
	snprintf(h + 124, 12, "%011zo", size);
	snprintf(h + 136, 12, "%011o", 1600000000u);
	h[156] = flag;
	strncpy(h + 157, link, 100);
	memcpy(h + 257,
	       "ustar\0"
	       "00",
	       8);
	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	h[155] = ' ';
	str_add(out, h, 512);
	if (content && size) {
		static const char zeros[512];

		str_add(out, content, size);
		str_add(out, zeros, (512 - size % 512) % 512);
	}
}

static inline void tar_file(struct str *out, const char *name, const char *text)
{
	tar_member(out, '0', name, "", 0644, text, strlen(text));
}

/* One pax record for the next member. */
static inline void tar_pax(struct str *out, const char *key, const char *value)
{
	char record[1024];
	size_t body = strlen(key) + strlen(value) + 3, len = body + 2;

	len = body + (len > 99 ? 3 : len > 9 ? 2 : 1);
	tar_member(out, 'x', "PaxHeaders/x", "", 0644, record,
		   (size_t)snprintf(record, sizeof(record), "%zu %s=%s\n", len, key, value));
}

static inline void tar_end(struct str *out)
{
	static const char zeros[1024];

	str_add(out, zeros, sizeof(zeros));
}

#endif
