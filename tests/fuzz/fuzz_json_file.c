/* SPDX-License-Identifier: Apache-2.0 */
/* json-file's line scanner on any bytes; and what the escaper writes, the scanner must read back. */
#include "../../plugins/log/json-file/json-file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool valid_utf8_and_plain(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] >= 0x80)
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *out = malloc(size + 1), *line = malloc(6 * size + 64), *back = malloc(6 * size + 65);
	struct record r = {0};
	size_t n;

	if (!out || !line || !back)
		abort();
	scan_record((const char *)data, size, &r, out);
	n = 8;
	memcpy(line, "{\"log\":\"", n);
	n += escape_json(line + n, (const char *)data, size);
	memcpy(line + n, "\",\"time\":\"", 10);
	n += 10;
	n += format_time(line + n, 1234567890123456789);
	memcpy(line + n, "\"}", 2);
	n += 2;
	if (!scan_record(line, n, &r, back) || r.time != 1234567890123456789)
		abort();
	r.len += !r.partial; /* the newline, which it stands for */
	if (valid_utf8_and_plain(data, size) &&
	    (r.len != size || memcmp(r.data, data, size - !r.partial) != 0))
		abort();
	free(out);
	free(line);
	free(back);
	return 0;
}
