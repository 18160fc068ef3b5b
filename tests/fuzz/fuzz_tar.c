/* SPDX-License-Identifier: Apache-2.0 */
/* The tar reader and the lines of tar-split: what an image's maker controls. Also checks that raw bytes and content add up to the input. */
#include "servers/unpack/split.h"
#include "servers/unpack/stream.h"
#include "servers/unpack/tar_read.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_raw(void *ctx, const void *p, size_t n, struct error *err)
{
	(void)p, (void)err;
	*(size_t *)ctx += n;
	return 0;
}

static void read_archive(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct tar_reader t;
	struct stream s;
	size_t seen = 0;
	int r;

	stream_open_memory(&s, data, size);
	tar_reader_init(&t, &s);
	t.raw = count_raw;
	t.raw_ctx = &seen;
	while ((r = tar_next(&t, &err)) > 0) {
		const unsigned char *p;
		int64_t n;

		while ((n = tar_data(&t, &p, &err)) > 0)
			seen += (size_t)n;
		if (n < 0)
			break;
	}
	if (r == 0 && tar_finish(&t, &err) == 0 && seen != size)
		abort(); /* a byte would be missing when the layer is put together again */
	tar_reader_free(&t);
	stream_close(&s);
}

static void read_line(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct split_line l = {0};

	split_line_parse(&l, (const char *)data, size, &err);
	split_line_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_archive(data, size);
	read_line(data, size);
	return 0;
}
