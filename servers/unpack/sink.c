/* SPDX-License-Identifier: Apache-2.0 */
/* See sink.h. */
#include "sink.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "gzip.h"
#include "hasher.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sink_open(struct sink *s, int fd, struct error *err)
{
	*s = (struct sink){
	    .fd = fd, .counter = -1, .buf = xmalloc(SINK_BUF), .digest = EVP_MD_CTX_new()};
	if (s->digest && EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL) == 1)
		return 0;
	sink_close(s);
	return error_set(err, ERR_SYSTEM, "libcrypto offers no SHA-256");
}

void sink_close(struct sink *s)
{
	EVP_MD_CTX_free(s->digest);
	gzipper_free(s->gzip);
	free(s->buf);
	*s = (struct sink){.fd = -1, .counter = -1};
}

void sink_compress(struct sink *s)
{
	s->gzip = gzipper_new(s->fd);
}

static int flush(struct sink *s, struct error *err)
{
	int r;

	hasher_add(s->digest, s->buf, s->used); /* while it is written */
	r = s->gzip ? gzipper_write(s->gzip, s->buf, s->used, err)
		    : fd_write_all(s->fd, s->buf, s->used);
	hasher_wait();
	if (r < 0)
		return s->gzip ? -1 : error_sys(err, errno, "write archive");
	if (s->counter >= 0 && pwrite(s->counter, &s->total, sizeof(s->total), 0) < 0)
		return error_sys(err, errno, "count bytes");
	s->used = 0;
	return 0;
}

unsigned char *sink_room(struct sink *s, size_t *n, struct error *err)
{
	if (s->used == SINK_BUF && flush(s, err) < 0)
		return NULL;
	*n = SINK_BUF - s->used;
	return s->buf + s->used;
}

void sink_filled(struct sink *s, size_t n)
{
	s->used += n;
	s->total += n;
}

int sink_write(struct sink *s, const void *p, size_t n, struct error *err)
{
	while (n) {
		size_t room;
		unsigned char *to = sink_room(s, &room, err);

		if (!to)
			return -1;
		if (room > n)
			room = n;
		memcpy(to, p, room);
		sink_filled(s, room);
		p = (const char *)p + room;
		n -= room;
	}
	return 0;
}

int sink_zeros(struct sink *s, size_t n, struct error *err)
{
	static const char zeros[1024];

	while (n) {
		size_t now = n < sizeof(zeros) ? n : sizeof(zeros);

		if (sink_write(s, zeros, now, err) < 0)
			return -1;
		n -= now;
	}
	return 0;
}

int sink_finish(struct sink *s, char digest[72], struct error *err)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (flush(s, err) < 0 || (s->gzip && gzipper_finish(s->gzip, err) < 0))
		return -1;
	EVP_DigestFinal_ex(s->digest, md, &n);
	memcpy(digest, "sha256:", 7);
	hex_encode(md, n, digest + 7);
	return 0;
}
