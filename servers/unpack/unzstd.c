/* SPDX-License-Identifier: Apache-2.0 */
/* See unzstd.h. */
#include "unzstd.h"

#include "base/mem.h"

#ifdef HAVE_ZSTD
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define IN_BUF (128 * 1024)
/* A frame may ask for a window of 128 MiB at most, the library's own limit for streams; pages are touched only as they are used. */
#define WINDOW_LOG 27

struct unzstd {
	int fd;
	ZSTD_DStream *z;
	ZSTD_inBuffer input;
	bool input_end, in_frame;
	unsigned char in[IN_BUF];
};

struct unzstd *unzstd_new(int fd, const void *head, size_t n)
{
	struct unzstd *u = xcalloc(1, sizeof(*u));

	u->fd = fd;
	u->z = ZSTD_createDStream();
	if (!u->z)
		abort(); /* only when memory is gone */
	ZSTD_initDStream(u->z);
	ZSTD_DCtx_setParameter(u->z, ZSTD_d_windowLogMax, WINDOW_LOG);
	memcpy(u->in, head, n);
	u->input = (ZSTD_inBuffer){.src = u->in, .size = n};
	return u;
}

void unzstd_free(struct unzstd *u)
{
	if (u)
		ZSTD_freeDStream(u->z);
	free(u);
}

static int refill(struct unzstd *u, struct error *err)
{
	ssize_t n;

	do
		n = read(u->fd, u->in, IN_BUF);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_sys(err, errno, "read archive");
	u->input_end = n == 0;
	u->input = (ZSTD_inBuffer){.src = u->in, .size = (size_t)n};
	return 0;
}

int64_t unzstd_read(struct unzstd *u, void *buf, size_t n, struct error *err)
{
	ZSTD_outBuffer out = {.dst = buf, .size = n};

	while (!out.pos) {
		size_t r, before;

		if (u->input.pos == u->input.size && !u->input_end && refill(u, err) < 0)
			return -1;
		if (u->input_end && !u->in_frame)
			return 0;
		before = u->input.pos;
		r = ZSTD_decompressStream(u->z, &out, &u->input);
		if (ZSTD_isError(r))
			return error_set(err, ERR_INVALID, "zstd: %s", ZSTD_getErrorName(r));
		u->in_frame = r != 0;
		if (u->in_frame && u->input_end && !out.pos && u->input.pos == before)
			return error_set(err, ERR_INVALID, "zstd: unexpected end of data");
	}
	return (int64_t)out.pos;
}
#else
struct unzstd *unzstd_new(int fd, const void *head, size_t n)
{
	(void)fd, (void)head, (void)n;
	return NULL;
}

void unzstd_free(struct unzstd *u)
{
	(void)u;
}

int64_t unzstd_read(struct unzstd *u, void *buf, size_t n, struct error *err)
{
	(void)u, (void)buf, (void)n;
	return error_set(err, ERR_NOT_IMPLEMENTED, "built without libzstd");
}
#endif
