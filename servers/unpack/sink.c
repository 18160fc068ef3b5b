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
#include <sys/sendfile.h>
#include <unistd.h>

#define PASS_MIN (64 * 1024) /* less is copied sooner */
#define PASS_MAX (1 << 30)   /* of one call */

int sink_open(struct sink *s, int fd, bool digest, struct error *err)
{
	*s = (struct sink){.fd = fd, .counter = -1, .buf = xmalloc(SINK_BUF)};
	if (!digest)
		return 0;
	s->digest = EVP_MD_CTX_new();
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

	if (s->digest)
		hasher_add(s->digest, s->buf, s->used); /* while it is written */
	r = s->gzip ? gzipper_write(s->gzip, s->buf, s->used, err)
		    : fd_write_all(s->fd, s->buf, s->used);
	if (s->digest)
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

/* A file's pages go to a pipe or socket as they are. 0: this descriptor, or the file, can't; the rest as sink_file. */
static int64_t pass_file(struct sink *s, int fd, uint64_t n, bool *can, struct error *err)
{
	uint64_t sent = 0;

	if (flush(s, err) < 0)
		return -1;
	while (sent < n) {
		ssize_t r =
		    sendfile(s->fd, fd, NULL, n - sent < PASS_MAX ? (size_t)(n - sent) : PASS_MAX);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && !sent && (errno == EINVAL || errno == ENOSYS)) {
			*can = false;
			return 0;
		}
		if (r < 0)
			return error_sys(err, errno, "write archive");
		if (r == 0)
			break;
		sent += (uint64_t)r;
	}
	s->total += sent;
	return (int64_t)sent;
}

int64_t sink_file(struct sink *s, int fd, uint64_t n, struct error *err)
{
	bool can = !s->digest && !s->gzip && s->counter < 0 && n >= PASS_MIN;
	uint64_t done = 0;

	if (can) {
		int64_t r = pass_file(s, fd, n, &can, err);

		if (can)
			return r;
	}
	while (done < n) {
		size_t room;
		unsigned char *to = sink_room(s, &room, err);
		ssize_t r;

		if (!to)
			return -1;
		r = read(fd, to, room < n - done ? room : (size_t)(n - done));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return error_sys(err, errno, "read a file");
		if (r == 0)
			break;
		sink_filled(s, (size_t)r);
		done += (uint64_t)r;
	}
	return (int64_t)done;
}

int sink_finish(struct sink *s, char digest[72], struct error *err)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (flush(s, err) < 0 || (s->gzip && gzipper_finish(s->gzip, err) < 0))
		return -1;
	digest[0] = '\0';
	if (!s->digest)
		return 0;
	EVP_DigestFinal_ex(s->digest, md, &n);
	memcpy(digest, "sha256:", 7);
	hex_encode(md, n, digest + 7);
	return 0;
}
