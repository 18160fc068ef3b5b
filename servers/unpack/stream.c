/* SPDX-License-Identifier: Apache-2.0 */
/* See stream.h. */
#include "stream.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "hasher.h"
#include "inflate.h"
#include "unzstd.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASS_MAX (1 << 20)

/* A frame, or one to be skipped before it. */
static bool is_zstd(const unsigned char *p, size_t n)
{
	return n >= 4 && (!memcmp(p, "\x28\xb5\x2f\xfd", 4) ||
			  ((p[0] & 0xf0) == 0x50 && !memcmp(p + 1, "\x2a\x4d\x18", 3)));
}

static int start_format(struct stream *s, size_t n, struct error *err)
{
	static const struct {
		const char *magic;
		size_t len;
		const char *name;
	} others[] = {{"\x28\xb5\x2f\xfd", 4, "zstd"}, /* when built without libzstd */
		      {"BZh", 3, "bzip2"},
		      {"\xfd"
		       "7zXZ",
		       5, "xz"}};

	if (is_zstd(s->buf, n) && (s->zstd = unzstd_new(s->fd, s->buf, n)))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (n >= others[i].len && !memcmp(s->buf, others[i].magic, others[i].len))
			return error_set(err, ERR_NOT_IMPLEMENTED,
					 "%s-compressed archives are not supported yet: send it "
					 "plain or gzip-compressed",
					 others[i].name);
	if (n >= 3 && !memcmp(s->buf, "\x1f\x8b\x08", 3))
		s->inflater = inflater_new(s->fd, s->buf, n);
	else
		s->end = n;
	return 0;
}

int stream_open(struct stream *s, int fd, bool digest, uint64_t max_bytes, struct error *err)
{
	ssize_t n;

	*s = (struct stream){
	    .fd = fd, .buf = xmalloc(STREAM_BUF), .other = xmalloc(STREAM_BUF), .max = max_bytes};
	if (digest) {
		s->digest = EVP_MD_CTX_new();
		if (!s->digest || EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL) != 1)
			return error_set(err, ERR_SYSTEM, "libcrypto offers no SHA-256");
	}
	n = fd_read_full(fd, s->buf, 512);
	if (n < 0)
		return error_sys(err, errno, "read archive");
	s->total = 0;
	if (start_format(s, (size_t)n, err) < 0)
		return -1;
	s->total = s->end;
	if (s->digest)
		EVP_DigestUpdate(s->digest, s->buf, s->end);
	return 0;
}

int stream_open_memory(struct stream *s, const void *data, size_t len)
{
	*s = (struct stream){.fd = -1, .buf = xmalloc(len + 1), .end = len, .total = len};
	memcpy(s->buf, data, len);
	return 0;
}

void stream_close(struct stream *s)
{
	inflater_free(s->inflater);
	unzstd_free(s->zstd);
	if (s->digest)
		hasher_wait();
	EVP_MD_CTX_free(s->digest);
	free(s->other);
	free(s->buf);
	*s = (struct stream){.fd = -1};
}

static int refill(struct stream *s, struct error *err)
{
	int64_t n;

	s->pos = s->end = 0;
	if (s->eof || s->fd < 0) {
		s->eof = true;
		return 0;
	}
	if (s->digest) { /* what was hashed while `buf` was read is free now */
		unsigned char *free_one = s->other;

		s->other = s->buf;
		s->buf = free_one;
	}
	if (s->inflater || s->zstd) {
		n = s->zstd ? unzstd_read(s->zstd, s->buf, STREAM_BUF, err)
			    : inflater_read(s->inflater, s->buf, STREAM_BUF, err);
		if (n < 0)
			return -1;
	} else {
		do
			n = read(s->fd, s->buf, STREAM_BUF);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return error_sys(err, errno, "read archive");
	}
	s->end = (size_t)n;
	s->total += (uint64_t)n;
	s->eof = n == 0;
	if (s->digest)
		hasher_add(s->digest, s->buf, s->end);
	if (s->max && s->total > s->max)
		return error_set(err, ERR_TOO_LARGE,
				 "archive is larger than the limit of %llu bytes",
				 (unsigned long long)s->max);
	return 0;
}

int64_t stream_take(struct stream *s, size_t want, const unsigned char **p, struct error *err)
{
	size_t n;

	if (s->pos == s->end && refill(s, err) < 0)
		return -1;
	n = s->end - s->pos;
	if (n > want)
		n = want;
	*p = s->buf + s->pos;
	s->pos += n;
	return (int64_t)n;
}

int64_t stream_pass(struct stream *s, int file, uint64_t *off, uint64_t n, struct error *err)
{
	off64_t to = (off64_t)*off;
	ssize_t r;

	if (s->opaque || s->pos < s->end || s->eof || s->fd < 0 || s->digest || s->inflater ||
	    s->zstd || s->max)
		return 0;
	do
		r = splice(s->fd, NULL, file, &to, n < PASS_MAX ? (size_t)n : PASS_MAX,
			   SPLICE_F_MOVE);
	while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == EINVAL || errno == ENOSYS)) {
		s->opaque = true;
		return 0;
	}
	if (r < 0)
		return error_sys(err, errno, "copy archive");
	*off += (uint64_t)r;
	s->total += (uint64_t)r;
	return r;
}

int64_t stream_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	const unsigned char *p;
	size_t got = 0;

	while (got < n) {
		int64_t r = stream_take(s, n - got, &p, err);

		if (r < 0)
			return -1;
		if (r == 0)
			break;
		memcpy((char *)buf + got, p, (size_t)r);
		got += (size_t)r;
	}
	return (int64_t)got;
}

void stream_undigested(struct stream *s)
{
	hasher_wait();
	EVP_MD_CTX_free(s->digest);
	s->digest = NULL;
}

void stream_digest(struct stream *s, char out[72])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	hasher_wait();
	EVP_DigestFinal_ex(s->digest, md, &n);
	memcpy(out, "sha256:", 7);
	hex_encode(md, n, out + 7);
}
