/* SPDX-License-Identifier: Apache-2.0 */
/* See inflate.h. Members follow each other (pigz, eStargz): each is checked (CRC, length), and a stream that stops early is an error. */
#include "inflate.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_ISAL
#include <isa-l.h>
#endif
#include <zlib.h>

#define IN_BUF (128 * 1024)

struct inflater {
	int fd;
	bool input_end, done, in_member;
#ifdef HAVE_ISAL
	struct inflate_state z;
#else
	z_stream z;
#endif
	unsigned char in[IN_BUF];
};

#ifdef HAVE_ISAL
#define Z_START(i) (isal_inflate_reset(&(i)->z), (i)->z.crc_flag = ISAL_GZIP)
#else
#define Z_START(i) ((void)inflateReset(&(i)->z))
#endif

struct inflater *inflater_new(int fd, const void *head, size_t n)
{
	struct inflater *i = xcalloc(1, sizeof(*i));

	i->fd = fd;
#ifdef HAVE_ISAL
	isal_inflate_init(&i->z);
	i->z.crc_flag = ISAL_GZIP;
#else
	if (inflateInit2(&i->z, 15 + 16) != Z_OK)
		abort(); /* only when memory is gone */
#endif
	if (n)
		memcpy(i->in, head, n);
	i->z.next_in = i->in;
	i->z.avail_in = (uint32_t)n;
	i->in_member = true;
	return i;
}

void inflater_free(struct inflater *i)
{
#ifndef HAVE_ISAL
	if (i)
		inflateEnd(&i->z);
#endif
	free(i);
}

static int refill(struct inflater *i, struct error *err)
{
	ssize_t n;

	do
		n = read(i->fd, i->in, IN_BUF);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_sys(err, errno, "read archive");
	i->input_end = n == 0;
	i->z.next_in = i->in;
	i->z.avail_in = (uint32_t)n;
	return 0;
}

/* One step into z.next_out. 1: the member is complete, 0: go on, -1. */
static int step(struct inflater *i)
{
#ifdef HAVE_ISAL
	if (isal_inflate(&i->z) != ISAL_DECOMP_OK)
		return -1;
	return i->z.block_state == ISAL_BLOCK_FINISH;
#else
	int r = inflate(&i->z, Z_NO_FLUSH);

	return r == Z_STREAM_END ? 1 : r == Z_OK || r == Z_BUF_ERROR ? 0 : -1;
#endif
}

int64_t inflater_read(struct inflater *i, void *buf, size_t n, struct error *err)
{
	size_t room = n > UINT32_MAX / 2 ? UINT32_MAX / 2 : n;

	i->z.next_out = buf;
	i->z.avail_out = (uint32_t)room;
	while (!i->done && i->z.avail_out == room) {
		int r;

		if (!i->z.avail_in && !i->input_end && refill(i, err) < 0)
			return -1;
		if (!i->in_member) {
			/* What is not a further member is padding, as gzip(1) has it. */
			if (!i->z.avail_in || *i->z.next_in != 0x1f) {
				i->done = true;
				break;
			}
			Z_START(i);
			i->in_member = true;
		}
		r = step(i);
		if (r < 0)
			return error_set(err, ERR_INVALID, "gzip: invalid data");
		if (r == 1)
			i->in_member = false;
		else if (i->input_end && i->z.avail_out == room)
			return error_set(err, ERR_INVALID, "gzip: unexpected end of data");
	}
	return (int64_t)(room - i->z.avail_out);
}

/* ---- writer ------------------------------------------------------------------------------------------------------------------ */

struct deflater {
	int fd;
	z_stream z;
	unsigned char out[64 * 1024];
};

struct deflater *deflater_new(int fd)
{
	struct deflater *d = xcalloc(1, sizeof(*d));

	d->fd = fd;
	if (deflateInit2(&d->z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort(); /* only when memory is gone */
	return d;
}

static int pump(struct deflater *d, int flush, struct error *err)
{
	int r;

	do {
		d->z.next_out = d->out;
		d->z.avail_out = sizeof(d->out);
		r = deflate(&d->z, flush);
		if (r == Z_STREAM_ERROR)
			return error_set(err, ERR_SYSTEM, "gzip: compressor failed");
		if (fd_write_all(d->fd, d->out, sizeof(d->out) - d->z.avail_out) < 0)
			return error_sys(err, errno, "write tar-split");
	} while (d->z.avail_out == 0);
	return 0;
}

int deflater_write(struct deflater *d, const void *p, size_t n, struct error *err)
{
	d->z.next_in = (Bytef *)(uintptr_t)p;
	d->z.avail_in = (uInt)n;
	return pump(d, Z_NO_FLUSH, err);
}

int deflater_finish(struct deflater *d, struct error *err)
{
	d->z.avail_in = 0;
	return pump(d, Z_FINISH, err);
}

void deflater_free(struct deflater *d)
{
	if (d)
		deflateEnd(&d->z);
	free(d);
}
