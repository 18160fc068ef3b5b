/* SPDX-License-Identifier: Apache-2.0 */
/* How moby writes a string and a time into a log line. Pure. */
#include "json-file.h"

#include <string.h>

#include "base/plain.h"

static const char hex[] = "0123456789abcdef";

static char *escape_ascii(char *o, unsigned char c)
{
	*o++ = '\\';
	switch (c) {
	case '"':
	case '\\':
		*o++ = (char)c;
		return o;
	case '\n':
		*o++ = 'n';
		return o;
	case '\r':
		*o++ = 'r';
		return o;
	default:
		memcpy(o, "u00", 3);
		o[3] = hex[c >> 4];
		o[4] = hex[c & 15];
		return o + 5;
	}
}

/* Length of the valid UTF-8 sequence at p, 0 if there is none. */
static size_t sequence(const unsigned char *p, size_t n)
{
	if (*p >= 0xc2 && *p <= 0xdf)
		return n >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if (*p >= 0xe0 && *p <= 0xef) {
		if (n < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
			return 0;
		/* overlong forms and surrogates are no characters */
		if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (*p >= 0xf0 && *p <= 0xf4) {
		if (n < 4 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 ||
		    (p[3] & 0xc0) != 0x80)
			return 0;
		if ((*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

size_t escape_json(char *out, const char *in, size_t n)
{
	const unsigned char *p = (const unsigned char *)in, *end = p + n;
	char *o = out;

	while (p < end) {
		size_t len = plain_run((const char *)p, (size_t)(end - p));

		memcpy(o, p, len);
		o += len;
		p += len;
		if (p == end)
			break;
		if (*p < 0x80) {
			o = escape_ascii(o, *p++);
			continue;
		}
		len = sequence(p, (size_t)(end - p));
		if (!len) {
			memcpy(o, "\\ufffd", 6);
			o += 6;
			p++;
		} else if (len == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] & ~1) == 0xa8) {
			memcpy(o, "\\u202", 5); /* line and paragraph separator */
			o[5] = hex[p[2] & 15];
			o += 6;
			p += 3;
		} else {
			memcpy(o, p, len);
			o += len;
			p += len;
		}
	}
	return (size_t)(o - out);
}
