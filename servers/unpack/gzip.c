/* SPDX-License-Identifier: Apache-2.0 */
/* See gzip.h. */
#include "gzip.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#ifdef HAVE_ISAL
#include <isa-l.h>
#else
#include <zlib.h>
#endif

#define OUT_BUF (128 * 1024)

struct gzipper {
	int fd;
#ifdef HAVE_ISAL
	struct isal_zstream z;
	unsigned char level[ISAL_DEF_LVL1_DEFAULT];
#else
	z_stream z;
#endif
	unsigned char out[OUT_BUF];
};

struct gzipper *gzipper_new(int fd)
{
	struct gzipper *g = xcalloc(1, sizeof(*g));

	g->fd = fd;
#ifdef HAVE_ISAL
	isal_deflate_init(&g->z);
	g->z.level = 1;
	g->z.level_buf = g->level;
	g->z.level_buf_size = sizeof(g->level);
	g->z.gzip_flag = IGZIP_GZIP;
#else
	if (deflateInit2(&g->z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort(); /* only when memory is gone */
#endif
	return g;
}

/* All of the input; `end`: and the trailer. */
static int pump(struct gzipper *g, int end, struct error *err)
{
	for (;;) {
		int done;

		g->z.next_out = g->out;
		g->z.avail_out = OUT_BUF;
#ifdef HAVE_ISAL
		g->z.end_of_stream = (uint16_t)end;
		if (isal_deflate(&g->z) != COMP_OK)
			return error_set(err, ERR_SYSTEM, "gzip: compressor failed");
		done = end ? g->z.internal_state.state == ZSTATE_END
			   : !g->z.avail_in && g->z.avail_out;
#else
		done = deflate(&g->z, end ? Z_FINISH : Z_NO_FLUSH);
		if (done == Z_STREAM_ERROR)
			return error_set(err, ERR_SYSTEM, "gzip: compressor failed");
		done = end ? done == Z_STREAM_END : !g->z.avail_in && g->z.avail_out;
#endif
		if (fd_write_all(g->fd, g->out, OUT_BUF - g->z.avail_out) < 0)
			return error_sys(err, errno, "write archive");
		if (done)
			return 0;
	}
}

int gzipper_write(struct gzipper *g, const void *p, size_t n, struct error *err)
{
	g->z.next_in = (unsigned char *)(uintptr_t)p;
	g->z.avail_in = (uint32_t)n;
	return pump(g, 0, err);
}

int gzipper_finish(struct gzipper *g, struct error *err)
{
	g->z.avail_in = 0;
	return pump(g, 1, err);
}

void gzipper_free(struct gzipper *g)
{
#ifndef HAVE_ISAL
	if (g)
		deflateEnd(&g->z);
#endif
	free(g);
}
