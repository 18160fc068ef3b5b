/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the local log driver: whatever they hold, records end, and what is written is read back. */
#include "../../plugins/log/local/local.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void file(const uint8_t *data, size_t size)
{
	struct log_part f = {.fd = memfd_create("log", MFD_CLOEXEC)};
	int64_t want = 3;
	off_t end;

	if (f.fd < 0 || write(f.fd, data, size) != (ssize_t)size)
		abort();
	end = entry_last_end(f.fd, (off_t)size);
	if (end < 0 || end > (off_t)size || entry_last_end(f.fd, end) != end)
		abort();
	if (entry_count_back(&f, &want) < 0 || want < 0 || f.start < 0 || f.start > end)
		abort();
	close(f.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *out = malloc(size + 1), *line = malloc(size + ENTRY_FRAME);
	struct dockerd_log_message m = {.size = sizeof(m),
					.source = DOCKERD_LOG_STDERR,
					.time = 7,
					.data = (const char *)data,
					.length = size};
	const char *p = (const char *)data, *end = p + size, *rec;
	struct record r;
	size_t n, len;

	if (!out || !line)
		abort();
	while ((n = entry_frame(p, (size_t)(end - p), 0, &rec, &len)) && n != FRAME_DAMAGED) {
		if (n > (size_t)(end - p))
			abort();
		if (entry_scan(rec, len, &r, out) && r.len > len)
			abort();
		p += n;
	}
	entry_scan((const char *)data, size, &r, out);
	file(data, size);
	if (size < RECORD_MAX / 2) {
		n = entry_print(line, &m);
		if (entry_frame(line, n, 0, &rec, &len) != n || !entry_scan(rec, len, &r, out) ||
		    r.len != size || memcmp(r.data, data, size) != 0 || r.time != 7 ||
		    r.source != DOCKERD_LOG_STDERR || r.partial)
			abort();
	}
	free(out);
	free(line);
	return 0;
}
