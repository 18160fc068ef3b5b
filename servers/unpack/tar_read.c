/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See tar_read.h. Formats: tar(5), POSIX.1-2017 pax, GNU tar manual "Basic Tar Format" and "Storing Sparse Files". Where writers disagree
 * this follows what Go's archive/tar accepts, because the diffIDs and tar-split files that we share with moby come from there.
 */
#include "tar_read.h"

#include "base/mem.h"
#include "tar_pax.h"

#include <stdlib.h>
#include <string.h>

/* Header fields: offset and length. */
#define F_NAME 0, 100
#define F_MODE 100, 8
#define F_UID 108, 8
#define F_GID 116, 8
#define F_SIZE 124, 12
#define F_MTIME 136, 12
#define F_SUM 148, 8
#define F_LINK 157, 100
#define F_MAJOR 329, 8
#define F_MINOR 337, 8
#define OFF_FLAG 156
#define OFF_MAGIC 257

#define PASS_MIN (64 * 1024) /* bytes of content; fewer are copied sooner */

static void entry_reset(struct tar_entry *e)
{
	for (size_t i = 0; i < e->n_xattrs; i++) {
		free(e->xattrs[i].name);
		free(e->xattrs[i].value);
	}
	free(e->xattrs);
	free(e->pieces);
	str_reset(&e->name);
	str_reset(&e->linkname);
	*e = (struct tar_entry){.name = e->name, .linkname = e->linkname};
}

void tar_reader_init(struct tar_reader *t, struct stream *in)
{
	*t = (struct tar_reader){.in = in};
}

void tar_reader_free(struct tar_reader *t)
{
	entry_reset(&t->e);
	str_free(&t->e.name);
	str_free(&t->e.linkname);
}

static int give_raw(struct tar_reader *t, const void *p, size_t n, struct error *err)
{
	return t->raw ? t->raw(t->raw_ctx, p, n, err) : 0;
}

/* n bytes of archive to raw, and to `keep` if not NULL. */
static int take_raw(struct tar_reader *t, uint64_t n, struct str *keep, struct error *err)
{
	while (n) {
		const unsigned char *p;
		int64_t got = stream_take(t->in, n > STREAM_BUF ? STREAM_BUF : (size_t)n, &p, err);

		if (got < 0)
			return -1;
		if (got == 0)
			return error_set(err, ERR_INVALID,
					 "archive/tar: unexpected end of archive");
		if (give_raw(t, p, (size_t)got, err) < 0)
			return -1;
		if (keep)
			str_add(keep, p, (size_t)got);
		n -= (uint64_t)got;
	}
	return 0;
}

static uint64_t padded(uint64_t n)
{
	return (n + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

/* Octal text or base-256. -1 if malformed or out of int64. */
static int number(const unsigned char *h, size_t at, size_t len, int64_t *out)
{
	const unsigned char *p = h + at;
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] & 0x80) {
		bool negative = p[0] & 0x40;

		for (i = 0; i < len; i++) {
			unsigned char c = p[i];

			if (i == 0)
				c = negative ? c : c & 0x7f;
			if (negative)
				c = (unsigned char)~c;
			if (v >> 55) /* the next shift would reach the sign */
				return -1;
			v = v << 8 | c;
		}
		*out = negative ? -(int64_t)v - 1 : (int64_t)v;
		return 0;
	}
	while (i < len && (p[i] == ' ' || p[i] == '\0'))
		i++;
	for (; i < len && p[i] != ' ' && p[i] != '\0'; i++) {
		if (p[i] < '0' || p[i] > '7' || v >> 60)
			return -1;
		v = v << 3 | (uint64_t)(p[i] - '0');
	}
	for (; i < len; i++) /* as strict as Go: nothing but padding may follow */
		if (p[i] != ' ' && p[i] != '\0')
			return -1;
	*out = (int64_t)v;
	return 0;
}

static bool checksum_ok(const unsigned char *h)
{
	int64_t want, u = 0, s = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		unsigned char c = i >= 148 && i < 156 ? ' ' : h[i];

		u += c;
		s += (signed char)c; /* some old writers summed signed chars */
	}
	return number(h, F_SUM, &want) == 0 && (want == u || want == s);
}

static void text(const unsigned char *h, size_t at, size_t len, struct str *out)
{
	str_add(out, h + at, strnlen((const char *)h + at, len));
}

static bool all_zero(const unsigned char *h)
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (h[i])
			return false;
	return true;
}

/* 1: a header in h; 0: end of the archive; -1. */
static int read_header(struct tar_reader *t, unsigned char h[TAR_BLOCK], struct error *err)
{
	for (int zeros = 0;; zeros++) {
		int64_t n = stream_read(t->in, h, TAR_BLOCK, err);

		if (n < 0)
			return -1;
		if (n == 0)
			return 0; /* a missing trailer is common */
		if (give_raw(t, h, (size_t)n, err) < 0)
			return -1;
		if (n < TAR_BLOCK)
			return error_set(err, ERR_INVALID,
					 "archive/tar: unexpected end of archive");
		if (!all_zero(h)) {
			if (zeros || !checksum_ok(h))
				return error_set(err, ERR_INVALID,
						 "archive/tar: invalid tar header");
			return 1;
		}
		if (zeros)
			return 0;
	}
}

static int bad_header(const char *what, struct error *err)
{
	return error_set(err, ERR_INVALID, "archive/tar: invalid tar header: %s", what);
}

static int parse_numbers(const unsigned char *h, struct tar_entry *e, struct error *err)
{
	int64_t mode, uid, gid, size, mtime, major = 0, minor = 0;
	bool modern = !memcmp(h + OFF_MAGIC, "ustar", 5);

	if (number(h, F_MODE, &mode) < 0 || number(h, F_UID, &uid) < 0 ||
	    number(h, F_GID, &gid) < 0 || number(h, F_SIZE, &size) < 0 ||
	    number(h, F_MTIME, &mtime) < 0)
		return bad_header("not a number", err);
	if (modern && (number(h, F_MAJOR, &major) < 0 || number(h, F_MINOR, &minor) < 0))
		return bad_header("device number", err);
	if (size < 0 || uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX || major < 0 ||
	    major > UINT32_MAX || minor < 0 || minor > UINT32_MAX)
		return bad_header("number out of range", err);
	e->mode = (uint32_t)mode & 07777;
	e->uid = (uint32_t)uid;
	e->gid = (uint32_t)gid;
	e->size = (uint64_t)size;
	e->mtime_s = mtime;
	e->major = (uint32_t)major;
	e->minor = (uint32_t)minor;
	return 0;
}

static void parse_names(const unsigned char *h, struct tar_entry *e)
{
	/* GNU's magic ends in spaces, and its prefix field holds other things. */
	bool posix = !memcmp(h + OFF_MAGIC, "ustar\0", 6);
	bool star = posix && !memcmp(h + 508, "tar\0", 4);

	if (posix) {
		text(h, 345, star ? 131 : 155, &e->name);
		if (e->name.len)
			str_putc(&e->name, '/');
	}
	text(h, F_NAME, &e->name);
	text(h, F_LINK, &e->linkname);
}

static enum tar_type type_of(const struct tar_entry *e)
{
	switch (e->flag) {
	case '\0':
		return str_ends(str_cstr(&e->name), "/") ? TAR_DIR : TAR_FILE;
	case '0':
	case '7':
	case 'S':
		return TAR_FILE;
	case '1':
		return TAR_HARDLINK;
	case '2':
		return TAR_SYMLINK;
	case '3':
		return TAR_CHAR;
	case '4':
		return TAR_BLOCKDEV;
	case '5':
		return TAR_DIR;
	case '6':
		return TAR_FIFO;
	default:
		return TAR_OTHER;
	}
}

/* GNU's own sparse format: four pieces in the header, 21 in each block that follows. */
static int old_gnu_sparse(struct tar_reader *t, unsigned char h[TAR_BLOCK], struct error *err)
{
	struct tar_entry *e = &t->e;
	size_t at = 386, room = 4, extended = 482;
	int64_t real;

	if (number(h, 483, 12, &real) < 0 || real < 0)
		return bad_header("sparse file size", err);
	e->size = (uint64_t)real;
	e->sparse = true;
	for (;;) {
		for (size_t i = 0; i < room; i++, at += 24) {
			int64_t off, len;

			if (!h[at])
				break;
			if (number(h, at, 12, &off) < 0 || number(h, at + 12, 12, &len) < 0 ||
			    off < 0 || len < 0)
				return bad_header("sparse map", err);
			if (tar_sparse_add(e, (uint64_t)off, (uint64_t)len, err) < 0)
				return -1;
		}
		if (!h[extended])
			return 0;
		if (stream_read(t->in, h, TAR_BLOCK, err) != TAR_BLOCK)
			return err->kind ? -1 : bad_header("sparse map ends early", err);
		if (give_raw(t, h, TAR_BLOCK, err) < 0)
			return -1;
		at = 0;
		room = 21;
		extended = 504;
	}
}

/* pax sparse 1.0: the map stands in front of the content, as decimal lines, padded to a block. It counts as raw. */
static int new_sparse(struct tar_reader *t, struct error *err)
{
	struct tar_entry *e = &t->e;
	auto_str map = STR_INIT;
	uint64_t values[2], count = 0, seen = 0;
	size_t pos = 0;
	bool have_count = false;
	int which = 0;

	while (!have_count || seen < count) {
		const char *nl = map.len > pos ? memchr(map.p + pos, '\n', map.len - pos) : NULL;
		uint64_t v;

		if (!nl) {
			if (map.len - pos > 32 || map.len > TAR_SPECIAL_MAX ||
			    e->data_left < TAR_BLOCK)
				return bad_header("sparse map", err);
			if (take_raw(t, TAR_BLOCK, &map, err) < 0)
				return -1;
			e->data_left -= TAR_BLOCK;
			continue;
		}
		if (tar_pax_u64(map.p + pos, (size_t)(nl - map.p) - pos, &v) < 0)
			return bad_header("sparse map", err);
		pos = (size_t)(nl - map.p) + 1;
		if (!have_count) {
			have_count = true;
			count = v;
			continue;
		}
		values[which++] = v;
		if (which == 2) {
			which = 0;
			seen++;
			if (tar_sparse_add(e, values[0], values[1], err) < 0)
				return -1;
		}
	}
	return 0;
}

/* The header of a real entry, with what the meta headers in front of it said. */
static int finish_entry(struct tar_reader *t, unsigned char h[TAR_BLOCK], const struct tar_meta *m,
			struct error *err)
{
	struct tar_entry *e = &t->e;
	uint64_t stored;

	e->flag = (char)h[OFF_FLAG];
	if (parse_numbers(h, e, err) < 0)
		return -1;
	parse_names(h, e);
	stored = e->size;
	if (e->flag == 'S' && old_gnu_sparse(t, h, err) < 0)
		return -1;
	if (tar_meta_apply(m, e, &stored, err) < 0)
		return -1;
	e->type = type_of(e);
	if (memchr(str_cstr(&e->name), 0, e->name.len) ||
	    memchr(str_cstr(&e->linkname), 0, e->linkname.len))
		return bad_header("NUL in a name", err);
	if (stored > INT64_MAX - TAR_BLOCK || e->size > INT64_MAX - TAR_BLOCK)
		return bad_header("file size", err);
	e->data_left = e->type == TAR_FILE || e->type == TAR_OTHER ? stored : 0;
	t->padding = (size_t)(padded(e->data_left) - e->data_left);
	if (e->type != TAR_FILE)
		e->size = e->data_left;
	if (m->sparse_1_0 && e->type == TAR_FILE && new_sparse(t, err) < 0)
		return -1;
	return e->sparse ? tar_sparse_check(e, err) : 0;
}

static int skip_rest(struct tar_reader *t, struct error *err)
{
	const unsigned char *p;
	int64_t n;

	do
		n = tar_data(t, &p, err);
	while (n > 0);
	return n < 0 ? -1 : take_raw(t, t->padding, NULL, err);
}

static int read_special(struct tar_reader *t, const unsigned char *h, struct str *out,
			struct error *err)
{
	int64_t size;

	if (number(h, F_SIZE, &size) < 0 || size < 0)
		return bad_header("size", err);
	if (size > TAR_SPECIAL_MAX)
		return error_set(err, ERR_INVALID, "archive/tar: header field too long");
	str_reset(out);
	if (take_raw(t, (uint64_t)size, out, err) < 0)
		return -1;
	return take_raw(t, padded((uint64_t)size) - (uint64_t)size, NULL, err);
}

int tar_next(struct tar_reader *t, struct error *err)
{
	__attribute__((cleanup(tar_meta_free))) struct tar_meta m = {0};
	unsigned char h[TAR_BLOCK];
	auto_str special = STR_INIT;

	if (t->ended)
		return 0;
	if (skip_rest(t, err) < 0)
		return -1;
	entry_reset(&t->e);
	t->padding = 0;
	for (;;) {
		int r = read_header(t, h, err);

		if (r < 0)
			return -1;
		if (r == 0) {
			t->ended = true;
			return tar_meta_empty(&m)
				   ? 0
				   : bad_header("the last header describes nothing", err);
		}
		switch (h[OFF_FLAG]) {
		case 'x':
		case 'L':
		case 'K':
		case 'g':
			if (read_special(t, h, &special, err) < 0)
				return -1;
			if (h[OFF_FLAG] == 'g') {
				t->e.flag = 'g';
				t->e.type = TAR_GLOBAL;
				parse_names(h, &t->e);
				return 1;
			}
			if (tar_meta_add(&m, (char)h[OFF_FLAG], &special, err) < 0)
				return -1;
			break;
		default:
			return finish_entry(t, h, &m, err) < 0 ? -1 : 1;
		}
	}
}

int64_t tar_data(struct tar_reader *t, const unsigned char **p, struct error *err)
{
	struct tar_entry *e = &t->e;
	int64_t n;

	if (!e->data_left)
		return 0;
	n = stream_take(t->in, e->data_left > STREAM_BUF ? STREAM_BUF : (size_t)e->data_left, p,
			err);
	if (n == 0)
		return error_set(err, ERR_INVALID, "archive/tar: unexpected end of archive in %s",
				 str_cstr(&e->name));
	if (n > 0)
		e->data_left -= (uint64_t)n;
	return n;
}

int64_t tar_pass(struct tar_reader *t, int file, uint64_t *off, struct error *err)
{
	int64_t n =
	    t->e.data_left >= PASS_MIN ? stream_pass(t->in, file, off, t->e.data_left, err) : 0;

	if (n > 0)
		t->e.data_left -= (uint64_t)n;
	return n;
}

int tar_finish(struct tar_reader *t, struct error *err)
{
	const unsigned char *p;
	int64_t n;

	while ((n = stream_take(t->in, STREAM_BUF, &p, err)) > 0)
		if (give_raw(t, p, (size_t)n, err) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}
