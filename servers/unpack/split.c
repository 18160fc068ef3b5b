/* SPDX-License-Identifier: Apache-2.0 */
/* See split.h. */
#include "split.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "inflate.h"

#include <stdlib.h>
#include <string.h>
#ifdef HAVE_ISAL
#include <isa-l.h>
#endif

#define SEGMENT_MAX (256 * 1024) /* raw bytes per line: bounds memory on both sides */

uint64_t crc64_iso(uint64_t crc, const void *p, size_t n)
{
#ifdef HAVE_ISAL
	return crc64_iso_refl(crc, p, n);
#else
	static uint64_t table[256]; /* one thread only */
	const unsigned char *c = p;

	for (unsigned i = 1; !table[255] && i < 256; i++) {
		uint64_t v = i;

		for (int b = 0; b < 8; b++)
			v = v & 1 ? v >> 1 ^ UINT64_C(0xd800000000000000) : v >> 1;
		table[i] = v;
	}
	crc = ~crc;
	while (n--)
		crc = table[(crc ^ *c++) & 0xff] ^ crc >> 8;
	return ~crc;
#endif
}

void split_writer_init(struct split_writer *w, int fd)
{
	*w = (struct split_writer){.out = fd < 0 ? NULL : deflater_new(fd)};
}

void split_writer_free(struct split_writer *w)
{
	deflater_free(w->out);
	str_free(&w->raw);
	str_free(&w->line);
}

static int end_line(struct split_writer *w, struct error *err)
{
	str_printf(&w->line, ",\"position\":%llu}\n", (unsigned long long)w->position++);
	return deflater_write(w->out, w->line.p, w->line.len, err);
}

static int flush_raw(struct split_writer *w, struct error *err)
{
	auto_free char *text = NULL;

	if (!w->raw.len)
		return 0;
	text = base64_encode(w->raw.p, w->raw.len);
	str_reset(&w->line);
	str_puts(&w->line, "{\"type\":2,\"payload\":\"");
	str_puts(&w->line, text);
	str_putc(&w->line, '"');
	str_reset(&w->raw);
	return end_line(w, err);
}

int split_raw(void *ctx, const void *p, size_t n, struct error *err)
{
	struct split_writer *w = ctx;

	if (!w->out)
		return 0;
	str_add(&w->raw, p, n);
	return w->raw.len >= SEGMENT_MAX ? flush_raw(w, err) : 0;
}

static bool valid_utf8(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n;

	while (p < end) {
		unsigned c = *p++;
		int more = c < 0x80                ? 0
			   : c >= 0xc2 && c < 0xe0 ? 1
			   : c >= 0xe0 && c < 0xf0 ? 2
			   : c >= 0xf0 && c < 0xf5 ? 3
						   : -1;

		if (more < 0 || end - p < more)
			return false;
		if ((c == 0xe0 && p[0] < 0xa0) || (c == 0xed && p[0] > 0x9f) ||
		    (c == 0xf0 && p[0] < 0x90) || (c == 0xf4 && p[0] > 0x8f))
			return false;
		for (; more; more--)
			if ((*p++ & 0xc0) != 0x80)
				return false;
	}
	return true;
}

int split_file(struct split_writer *w, const struct str *name, uint64_t size, uint64_t crc,
	       struct error *err)
{
	auto_free char *text = NULL;
	unsigned char be[8];

	if (!w->out)
		return 0;
	if (flush_raw(w, err) < 0)
		return -1;
	str_reset(&w->line);
	if (valid_utf8(str_cstr(name), name->len)) {
		str_puts(&w->line, "{\"type\":1,\"name\":");
		json_quote(&w->line, str_cstr(name), name->len);
	} else {
		text = base64_encode(name->p, name->len);
		str_printf(&w->line, "{\"type\":1,\"name_raw\":\"%s\"", text);
		free(steal_ptr(&text));
	}
	if (!size) {
		str_puts(&w->line, ",\"payload\":null");
		return end_line(w, err);
	}
	for (int i = 0; i < 8; i++)
		be[i] = (unsigned char)(crc >> (56 - 8 * i));
	text = base64_encode(be, sizeof(be));
	str_printf(&w->line, ",\"size\":%llu,\"payload\":\"%s\"", (unsigned long long)size, text);
	return end_line(w, err);
}

int split_flush(struct split_writer *w, struct error *err)
{
	return w->out ? flush_raw(w, err) : 0;
}

int split_finish(struct split_writer *w, struct error *err)
{
	if (!w->out)
		return 0;
	return flush_raw(w, err) < 0 ? -1 : deflater_finish(w->out, err);
}

void split_line_free(struct split_line *l)
{
	str_free(&l->name);
	free(l->payload);
	l->payload = NULL;
}

int split_line_parse(struct split_line *l, const char *text, size_t n, struct error *err)
{
	auto_json *j = json_parse(text, n, err);
	const char *payload, *name, *raw;

	split_line_free(l);
	if (!j)
		return error_wrap(err, "tar-split");
	l->type = json_get_i64(j, "type", 0) == SPLIT_FILE ? SPLIT_FILE : SPLIT_SEGMENT;
	if (json_get_i64(j, "type", 0) != (int64_t)l->type)
		return error_set(err, ERR_INVALID, "tar-split: unknown type %lld",
				 (long long)json_get_i64(j, "type", 0));
	payload = json_get_str(j, "payload", "");
	l->payload = base64_decode(payload, &l->payload_len);
	name = json_get_str(j, "name", NULL);
	raw = json_get_str(j, "name_raw", NULL);
	if (name)
		str_puts(&l->name, name);
	if (raw) {
		size_t len = 0;
		auto_free char *bytes = (char *)base64_decode(raw, &len);

		str_reset(&l->name);
		str_add(&l->name, bytes ? bytes : "", len);
	}
	l->size = (uint64_t)json_get_i64(j, "size", 0);
	if (!l->payload || l->size > INT64_MAX ||
	    (l->type == SPLIT_FILE && l->size && l->payload_len != 8))
		return error_set(err, ERR_INVALID, "tar-split: malformed line");
	return 0;
}
