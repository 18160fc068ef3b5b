/* SPDX-License-Identifier: Apache-2.0 */
/* See tar_write.h. Times are whole seconds, as moby writes them: the archive of an unchanged tree is the same each time. */
#include "tar_write.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define OCTAL_MAX(len) ((UINT64_C(1) << (3 * ((len)-1))) - 1)

static void octal(unsigned char *h, size_t at, size_t len, uint64_t v)
{
	if (v > OCTAL_MAX(len))
		v = 0; /* the pax header says it */
	snprintf((char *)h + at, len, "%0*llo", (int)len - 1, (unsigned long long)v);
}

/* "len key=value\n", where len counts itself. */
static void record(struct str *pax, const char *key, const void *value, size_t n)
{
	size_t body = strlen(key) + n + 3, len = body + 1; /* ' ', '=', '\n' */

	for (;;) {
		int digits = snprintf(NULL, 0, "%zu", len);

		if (body + (size_t)digits == len)
			break;
		len = body + (size_t)digits;
	}
	str_printf(pax, "%zu %s=", len, key);
	str_add(pax, value, n);
	str_putc(pax, '\n');
}

static void record_number(struct str *pax, const char *key, int64_t v)
{
	char text[32];

	record(pax, key, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)v));
}

static bool ascii(const struct str *s)
{
	for (size_t i = 0; i < s->len; i++)
		if ((unsigned char)s->p[i] >= 0x80)
			return false;
	return true;
}

static void finish_block(unsigned char *h)
{
	unsigned sum = 0;

	memcpy(h + 257,
	       "ustar\0"
	       "00",
	       8);
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	h[155] = ' ';
}

static char flag_of(enum tar_type t)
{
	static const char flags[] = {
	    [TAR_FILE] = '0',     [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
	    [TAR_BLOCKDEV] = '4', [TAR_DIR] = '5',      [TAR_FIFO] = '6'};

	return flags[t];
}

static int write_pax(struct sink *s, const struct tar_entry *e, const struct str *pax,
		     struct error *err)
{
	unsigned char h[TAR_BLOCK] = {0};
	const char *base = strrchr(str_cstr(&e->name), '/');

	snprintf((char *)h, 100, "PaxHeaders.0/%.80s", base && base[1] ? base + 1 : "entry");
	octal(h, 100, 8, 0);
	octal(h, 108, 8, 0);
	octal(h, 116, 8, 0);
	octal(h, 124, 12, pax->len);
	octal(h, 136, 12, 0);
	h[156] = 'x';
	finish_block(h);
	if (sink_write(s, h, TAR_BLOCK, err) < 0 || sink_write(s, pax->p, pax->len, err) < 0)
		return -1;
	return tar_write_padding(s, pax->len, err);
}

static void collect_pax(const struct tar_entry *e, struct str *pax)
{
	if (e->name.len > 100 || !ascii(&e->name))
		record(pax, "path", e->name.p, e->name.len);
	if (e->linkname.len > 100 || !ascii(&e->linkname))
		record(pax, "linkpath", e->linkname.p, e->linkname.len);
	if (e->size > OCTAL_MAX(12))
		record_number(pax, "size", (int64_t)e->size);
	if (e->uid > OCTAL_MAX(8))
		record_number(pax, "uid", e->uid);
	if (e->gid > OCTAL_MAX(8))
		record_number(pax, "gid", e->gid);
	if (e->mtime_s < 0 || (uint64_t)e->mtime_s > OCTAL_MAX(12))
		record_number(pax, "mtime", e->mtime_s);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		auto_str key = STR_INIT;

		str_printf(&key, "SCHILY.xattr.%s", e->xattrs[i].name);
		record(pax, key.p, e->xattrs[i].value, e->xattrs[i].len);
	}
}

int tar_write_header(struct sink *s, const struct tar_entry *e, struct error *err)
{
	unsigned char h[TAR_BLOCK] = {0};
	auto_str pax = STR_INIT;

	collect_pax(e, &pax);
	if (pax.len && write_pax(s, e, &pax, err) < 0)
		return -1;
	memcpy(h, str_cstr(&e->name), e->name.len < 100 ? e->name.len : 100);
	octal(h, 100, 8, e->mode);
	octal(h, 108, 8, e->uid);
	octal(h, 116, 8, e->gid);
	octal(h, 124, 12, e->size);
	octal(h, 136, 12, e->mtime_s < 0 ? 0 : (uint64_t)e->mtime_s);
	h[156] = (unsigned char)flag_of(e->type);
	memcpy(h + 157, str_cstr(&e->linkname), e->linkname.len < 100 ? e->linkname.len : 100);
	if (e->type == TAR_CHAR || e->type == TAR_BLOCKDEV) {
		octal(h, 329, 8, e->major);
		octal(h, 337, 8, e->minor);
	}
	finish_block(h);
	return sink_write(s, h, TAR_BLOCK, err);
}

int tar_write_padding(struct sink *s, uint64_t size, struct error *err)
{
	return size % TAR_BLOCK ? sink_zeros(s, TAR_BLOCK - size % TAR_BLOCK, err) : 0;
}

int tar_write_end(struct sink *s, struct error *err)
{
	return sink_zeros(s, 2 * TAR_BLOCK, err);
}
