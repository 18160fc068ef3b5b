/* SPDX-License-Identifier: Apache-2.0 */
/* See local.h. Protobuf's encoding: https://protobuf.dev/programming-guides/encoding; nothing that a file says is believed. */
#include "local.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LENGTH 4 /* bytes of a length */
#define BLOCK (64 * 1024)

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* ---- Writing -------------------------------------------------------------------------------------------------------------------------- */

static char *put_length(char *o, size_t n)
{
	*o++ = (char)(n >> 24);
	*o++ = (char)(n >> 16);
	*o++ = (char)(n >> 8);
	*o++ = (char)n;
	return o;
}

static char *put_varint(char *o, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*o++ = (char)(v | 0x80);
	*o++ = (char)v;
	return o;
}

static char *put_bytes(char *o, int field, const char *p, size_t n)
{
	if (!n)
		return o;
	*o++ = (char)(field << 3 | BYTES);
	o = put_varint(o, n);
	memcpy(o, p, n);
	return o + n;
}

static char *put_number(char *o, int field, uint64_t v)
{
	if (!v)
		return o;
	*o++ = (char)(field << 3 | VARINT);
	return put_varint(o, v);
}

size_t entry_print(char *out, const struct dockerd_log_message *m)
{
	const char *source = m->source == DOCKERD_LOG_STDERR ? "stderr" : "stdout";
	const char *id = m->partial_id ? m->partial_id : "";
	bool part = m->partial || m->partial_ordinal;
	char meta[160], *o = meta, *e = out + LENGTH;
	size_t n = strlen(id);

	o = put_number(o, 1, !m->partial);
	o = put_bytes(o, 2, id, n < 100 ? n : 100);
	o = put_number(o, 3, m->partial_ordinal);
	e = put_bytes(e, 1, source, 6);
	e = put_number(e, 2, (uint64_t)m->time);
	e = put_bytes(e, 3, m->data, (size_t)m->length);
	e = put_number(e, 4, part);
	if (part)
		e = put_bytes(e, 5, meta, (size_t)(o - meta));
	n = (size_t)(e - out) - LENGTH;
	put_length(out, n);
	e = put_length(e, n);
	return (size_t)(e - out);
}

/* ---- Reading -------------------------------------------------------------------------------------------------------------------------- */

static size_t get_length(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (size_t)u[0] << 24 | (size_t)u[1] << 16 | (size_t)u[2] << 8 | u[3];
}

size_t entry_frame(const char *p, size_t have, size_t looked, const char **rec, size_t *n)
{
	(void)looked;
	if (have < LENGTH)
		return 0;
	*n = get_length(p);
	if (!*n || *n > RECORD_MAX - 2 * LENGTH)
		return FRAME_DAMAGED;
	if (have < *n + 2 * LENGTH)
		return 0;
	if (get_length(p + LENGTH + *n) != *n)
		return FRAME_DAMAGED;
	*rec = p + LENGTH;
	return *n + 2 * LENGTH;
}

struct field {
	unsigned int number, type;
	uint64_t value; /* VARINT; BYTES: length */
	const char *p;  /* BYTES */
};

static bool get_varint(const char **p, const char *end, uint64_t *v)
{
	*v = 0;
	for (int shift = 0; shift < 64 && *p < end; shift += 7) {
		unsigned char c = (unsigned char)*(*p)++;

		*v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return true;
	}
	return false;
}

/* 1 a field, 0 the end, -1 none that can be read. */
static int next_field(const char **p, const char *end, struct field *f)
{
	uint64_t key;

	if (*p == end)
		return 0;
	if (!get_varint(p, end, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff)
		return -1;
	f->number = (unsigned int)(key >> 3);
	f->type = key & 7;
	f->value = 0;
	f->p = *p;
	if (f->type == VARINT)
		return get_varint(p, end, &f->value) ? 1 : -1;
	if (f->type == BYTES) {
		if (!get_varint(p, end, &f->value))
			return -1;
		f->p = *p;
	} else if (f->type == FIXED64 || f->type == FIXED32) {
		f->value = f->type == FIXED64 ? 8 : 4;
	} else {
		return -1;
	}
	if (f->value > (uint64_t)(end - *p))
		return -1;
	*p += f->value;
	return 1;
}

static bool is_last(const struct field *meta)
{
	const char *p = meta->p, *end = meta->p + meta->value;
	struct field f;

	while (next_field(&p, end, &f) > 0)
		if (f.number == 1 && f.type == VARINT)
			return f.value != 0;
	return false;
}

bool entry_scan(const char *rec, size_t n, struct record *r, char *out)
{
	const char *p = rec, *end = rec + n;
	bool partial = false, last = false;
	struct field f;
	int got;

	r->source = DOCKERD_LOG_STDOUT;
	r->data = out;
	r->len = 0;
	r->time = 0;
	r->attr_count = 0;
	while ((got = next_field(&p, end, &f)) > 0) {
		if (f.number == 1 && f.type == BYTES)
			r->source = f.value == 6 && !memcmp(f.p, "stderr", 6) ? DOCKERD_LOG_STDERR
									      : DOCKERD_LOG_STDOUT;
		else if (f.number == 2 && f.type == VARINT)
			r->time = (int64_t)f.value;
		else if (f.number == 3 && f.type == BYTES) {
			memcpy(out, f.p, (size_t)f.value);
			r->len = (size_t)f.value;
		} else if (f.number == 4 && f.type == VARINT)
			partial = f.value != 0;
		else if (f.number == 5 && f.type == BYTES)
			last = is_last(&f);
	}
	r->partial = partial && !last;
	return got == 0;
}

/* ---- Records in a file ------------------------------------------------------------------------------------------------------------------ */

/* Looks at lengths through a block of the file. */
struct peek {
	int fd;
	off_t size, at;
	ssize_t have;
	char block[BLOCK];
};

/* The length at that place; 0: none that could be one. */
static size_t length_at(struct peek *k, off_t at, bool backwards)
{
	size_t n;

	if (at < 0 || at + LENGTH > k->size)
		return 0;
	if (at < k->at || at + LENGTH > k->at + k->have) {
		k->at = backwards && at + LENGTH > BLOCK ? at + LENGTH - BLOCK : backwards ? 0 : at;
		k->have = pread(k->fd, k->block, sizeof(k->block), k->at);
		if (k->have < at - k->at + LENGTH) {
			k->have = 0;
			return 0;
		}
	}
	n = get_length(k->block + (at - k->at));
	return n > RECORD_MAX - 2 * LENGTH ? 0 : n;
}

/* Where the record that ends there begins; -1: none does. */
static off_t record_before(struct peek *k, off_t end)
{
	size_t n = length_at(k, end - LENGTH, true);
	off_t start = end - 2 * LENGTH - (off_t)n;

	return n && start >= 0 && length_at(k, start, true) == n ? start : -1;
}

/* End of the record that begins there; -1: no whole one does. */
static off_t record_behind(struct peek *k, off_t start)
{
	size_t n = length_at(k, start, false);
	off_t end = start + 2 * LENGTH + (off_t)n;

	return n && end <= k->size && length_at(k, end - LENGTH, false) == n ? end : -1;
}

off_t entry_last_end(int fd, off_t size)
{
	struct peek k = {.fd = fd, .size = size};
	off_t end = 0, next;

	if (record_before(&k, size) >= 0)
		return size;
	while ((next = record_behind(&k, end)) >= 0)
		end = next;
	return end;
}

int entry_count_back(struct log_part *f, int64_t *want)
{
	struct peek k = {.fd = f->fd};
	struct stat st;
	off_t at, start;

	if (fstat(f->fd, &st) < 0)
		return -1;
	k.size = st.st_size;
	at = entry_last_end(f->fd, st.st_size);
	while (*want && at > 0 && (start = record_before(&k, at)) >= 0) {
		at = start;
		(*want)--;
	}
	f->start = at;
	return 0;
}
