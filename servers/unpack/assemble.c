/* SPDX-License-Identifier: Apache-2.0 */
/* See assemble.h. */
#include "assemble.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "inflate.h"
#include "split.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64 * 1024 * 1024) /* moby writes segments of up to a few MiB */
#define CHUNK (64 * 1024)

static int copy_file(int dir, const struct split_line *l, struct sink *out, struct error *err)
{
	auto_close fd =
	    open_in_root(dir, str_cstr(&l->name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	uint64_t left = l->size, crc = 0, want = 0;
	struct stat st;

	if (fd < 0)
		return error_sys(err, errno, "open %s of the layer", str_cstr(&l->name));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERR_SYSTEM, "%s of the layer is no regular file any more",
				 str_cstr(&l->name));
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while (left) {
		size_t room;
		unsigned char *to = sink_room(out, &room, err);
		ssize_t n;

		if (!to)
			return -1;
		n = read(fd, to, room < left ? room : (size_t)left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, errno, "read %s of the layer", str_cstr(&l->name));
		if (n == 0)
			return error_set(err, ERR_SYSTEM, "%s of the layer is shorter than it was",
					 str_cstr(&l->name));
		crc = crc64_iso(crc, to, (size_t)n);
		sink_filled(out, (size_t)n);
		left -= (uint64_t)n;
	}
	for (int i = 0; i < 8; i++)
		want = want << 8 | l->payload[i];
	if (crc != want)
		return error_set(err, ERR_SYSTEM, "file integrity checksum failed for \"%s\"",
				 str_cstr(&l->name));
	return 0;
}

static int put_line(int dir, struct split_line *l, const char *text, size_t n, struct sink *out,
		    struct error *err)
{
	if (split_line_parse(l, text, n, err) < 0)
		return -1;
	if (dir < 0) { /* only measuring */
		out->total += l->type == SPLIT_SEGMENT ? l->payload_len : l->size;
		return 0;
	}
	if (l->type == SPLIT_SEGMENT)
		return sink_write(out, l->payload, l->payload_len, err);
	return l->size ? copy_file(dir, l, out, err) : 0;
}

/* All whole lines of buf; what is left of a last one stays. */
static int put_lines(int dir, struct split_line *line, struct str *buf, struct sink *out,
		     struct error *err)
{
	size_t pos = 0;
	char *nl;

	while (buf->len > pos && (nl = memchr(buf->p + pos, '\n', buf->len - pos))) {
		size_t len = (size_t)(nl - buf->p) - pos;

		if (put_line(dir, line, buf->p + pos, len, out, err) < 0)
			return -1;
		pos += len + 1;
	}
	str_consume(buf, pos);
	if (buf->len > LINE_MAX_BYTES)
		return error_set(err, ERR_INVALID, "tar-split: line too long");
	return 0;
}

int assemble_archive(int dir, int split, struct sink *out, struct error *err)
{
	struct inflater *z = inflater_new(split, NULL, 0);
	__attribute__((cleanup(split_line_free))) struct split_line line = {0};
	auto_str buf = STR_INIT;
	int64_t n;
	int r = 0;

	while ((n = inflater_read(z, str_reserve(&buf, CHUNK), CHUNK, err)) > 0 && r == 0) {
		buf.len += (size_t)n;
		r = put_lines(dir, &line, &buf, out, err);
	}
	if (n < 0)
		r = -1;
	else if (r == 0 && buf.len)
		r = error_set(err, ERR_INVALID, "tar-split: unexpected end");
	inflater_free(z);
	return r;
}

int assemble_measure(int split, uint64_t *size, struct error *err)
{
	struct sink counter = {.fd = -1, .counter = -1};

	if (assemble_archive(-1, split, &counter, err) < 0)
		return -1;
	*size = counter.total;
	return 0;
}
