/* SPDX-License-Identifier: Apache-2.0 */
/* See websocket.h. SHA-1 (RFC 3174) is only there for the handshake, where nothing depends on its strength. */
#include "http/websocket.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* section 1.3 */

enum { NORMAL = 1000, PROTOCOL_ERROR = 1002 };

static uint32_t rotl(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void sha1_block(uint32_t h[5], const unsigned char *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 80; i++)
		w[i] = rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
			     : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
			     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
				      : (b ^ c ^ d) + 0xca62c1d6;
		uint32_t t = rotl(a, 5) + f + e + w[i];

		e = d;
		d = c;
		c = rotl(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

static void sha1(const unsigned char *p, size_t n, unsigned char out[20])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	unsigned char last[128] = {0};
	size_t left = n, tail;

	for (; left >= 64; left -= 64, p += 64)
		sha1_block(h, p);
	memcpy(last, p, left);
	last[left] = 0x80;
	tail = left < 56 ? 64 : 128;
	for (size_t i = 0; i < 8; i++)
		last[tail - 1 - i] = (unsigned char)((uint64_t)n * 8 >> (8 * i));
	sha1_block(h, last);
	if (tail == 128)
		sha1_block(h, last + 64);
	for (int i = 0; i < 20; i++)
		out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

void ws_accept(const char *key, char out[29])
{
	auto_str text = STR_INIT;
	unsigned char digest[20];
	char *encoded;

	str_printf(&text, "%s" GUID, key);
	sha1((const unsigned char *)text.p, text.len, digest);
	encoded = base64_encode(digest, sizeof(digest));
	memcpy(out, encoded, 28);
	out[28] = '\0';
	free(encoded);
}

void ws_frame(struct str *out, int opcode, const void *data, size_t n)
{
	str_putc(out, (char)(0x80 | opcode));
	if (n < 126) {
		str_putc(out, (char)n);
	} else {
		int bytes = n <= 0xffff ? 2 : 8;

		str_putc(out, bytes == 2 ? 126 : 127);
		for (int i = bytes - 1; i >= 0; i--)
			str_putc(out, (char)((uint64_t)n >> (8 * i)));
	}
	str_add(out, data, n);
}

static bool end(struct ws_in *w, unsigned int code, struct str *reply)
{
	const unsigned char text[2] = {(unsigned char)(code >> 8), (unsigned char)code};

	ws_frame(reply, WS_CLOSE, text, sizeof(text));
	w->closed = true;
	return false;
}

/* Bytes that the head takes, as far as it can be told from those that are there. */
static unsigned int head_size(const struct ws_in *w)
{
	unsigned int n = w->have > 1 ? w->head[1] & 0x7f : 0;

	return 2 + (n == 126 ? 2 : n == 127 ? 8 : 0) + 4;
}

/* Section 5.2: no reserved bits, a client masks, control frames are short and whole, a continuation continues something. */
static bool head_ok(struct ws_in *w)
{
	unsigned int opcode = w->head[0] & 0xf, n = w->head[1] & 0x7f;
	bool final = w->head[0] & 0x80;

	if (w->head[0] & 0x70 || !(w->head[1] & 0x80))
		return false;
	if (opcode >= WS_CLOSE)
		return opcode <= WS_PONG && final && n < 126;
	if (opcode > WS_BINARY || (opcode == 0) != w->in_message)
		return false;
	w->in_message = !final;
	return true;
}

static bool begin(struct ws_in *w)
{
	unsigned int n = w->head[1] & 0x7f, bytes = n == 126 ? 2 : n == 127 ? 8 : 0;

	if (!head_ok(w))
		return false;
	w->left = bytes ? 0 : n;
	for (unsigned int i = 0; i < bytes; i++)
		w->left = w->left << 8 | w->head[2 + i];
	w->begun = true;
	w->mask_at = 0;
	w->control_len = 0;
	return !(w->left >> 63);
}

static void take_payload(struct ws_in *w, const unsigned char *p, size_t n, struct str *data)
{
	const unsigned char *mask = w->head + w->have - 4;
	bool control = (w->head[0] & 0xf) >= WS_CLOSE;
	char *to = control ? (char *)w->control + w->control_len : str_reserve(data, n);

	for (size_t i = 0; i < n; i++)
		to[i] = (char)(p[i] ^ mask[w->mask_at++ & 3]);
	if (control) {
		w->control_len += (unsigned int)n;
	} else {
		data->len += n;
		data->p[data->len] = '\0';
	}
	w->left -= n;
}

/* The frame is whole. False: it was the last. */
static bool finish(struct ws_in *w, struct str *reply)
{
	unsigned int opcode = w->head[0] & 0xf;

	w->begun = false;
	w->have = 0;
	if (opcode == WS_PING)
		ws_frame(reply, WS_PONG, w->control, w->control_len);
	if (opcode != WS_CLOSE)
		return true;
	if (w->control_len < 2)
		return end(w, w->control_len ? PROTOCOL_ERROR : NORMAL, reply);
	return end(w, (unsigned int)w->control[0] << 8 | w->control[1], reply);
}

bool ws_feed(struct ws_in *w, const void *bytes, size_t n, struct str *data, struct str *reply)
{
	const unsigned char *p = bytes, *stop = p + n;

	if (w->closed)
		return false;
	for (;;) {
		size_t some;

		while (!w->begun && p < stop) {
			w->head[w->have++] = *p++;
			/* an unmasked frame ends before its mask would */
			if (w->have == 2 && !(w->head[1] & 0x80))
				return end(w, PROTOCOL_ERROR, reply);
			if (w->have == head_size(w) && !begin(w))
				return end(w, PROTOCOL_ERROR, reply);
		}
		if (!w->begun)
			return true;
		some = w->left < (uint64_t)(stop - p) ? (size_t)w->left : (size_t)(stop - p);
		take_payload(w, p, some, data);
		p += some;
		if (w->left)
			return true;
		if (!finish(w, reply))
			return false;
	}
}
