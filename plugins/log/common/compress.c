/* SPDX-License-Identifier: Apache-2.0 */
/* gzip of rotated files, with the time of the last message in the header's extra field as moby keeps it. */
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK (64 * 1024)

static int write_all(int fd, const unsigned char *p, size_t n)
{
	while (n) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return errno;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

static int deflate_fd(int in, int out, int64_t last_time)
{
	z_stream z = {0};
	char extra[64], time[40];
	gz_header header = {.os = 255, .extra = (unsigned char *)extra};
	unsigned char *buf = malloc(2 * CHUNK);
	int r = 0, flush = Z_NO_FLUSH;

	time[format_time(time, last_time)] = '\0';
	header.extra_len =
	    (unsigned int)snprintf(extra, sizeof(extra), "{\"lastTime\":\"%s\"}", time);
	if (!buf ||
	    deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(buf);
		return ENOMEM;
	}
	deflateSetHeader(&z, &header);
	while (!r && flush == Z_NO_FLUSH) {
		ssize_t n = read(in, buf, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = errno;
			break;
		}
		flush = n ? Z_NO_FLUSH : Z_FINISH;
		z.next_in = buf;
		z.avail_in = (unsigned int)n;
		do {
			z.next_out = buf + CHUNK;
			z.avail_out = CHUNK;
			deflate(&z, flush);
			r = write_all(out, buf + CHUNK, CHUNK - z.avail_out);
		} while (!r && z.avail_out == 0);
	}
	deflateEnd(&z);
	free(buf);
	return r;
}

int compress_file(const char *path, int64_t last_time)
{
	char *tmp = NULL, *gz = NULL;
	int in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = -1, r = 0;

	if (in < 0)
		return errno;
	if (asprintf(&tmp, "%s.gz.tmp", path) < 0 || asprintf(&gz, "%s.gz", path) < 0) {
		r = ENOMEM;
	} else {
		out = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
		r = out < 0 ? errno : deflate_fd(in, out, last_time);
		if (!r && (rename(tmp, gz) < 0 || unlink(path) < 0))
			r = errno;
		if (r && out >= 0)
			unlink(tmp);
	}
	close(in);
	if (out >= 0)
		close(out);
	free(tmp);
	free(gz);
	return r;
}

static int inflate_fd(int in, int out)
{
	z_stream z = {0};
	unsigned char *buf = malloc(2 * CHUNK);
	int r = 0, state = Z_OK;

	if (!buf || inflateInit2(&z, 15 + 16) != Z_OK) {
		free(buf);
		return ENOMEM;
	}
	while (!r && state == Z_OK) {
		ssize_t n = read(in, buf, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n < 0 ? errno : 0; /* cut file: what there is */
			break;
		}
		z.next_in = buf;
		z.avail_in = (unsigned int)n;
		do {
			z.next_out = buf + CHUNK;
			z.avail_out = CHUNK;
			state = inflate(&z, Z_NO_FLUSH);
			r = write_all(out, buf + CHUNK, CHUNK - z.avail_out);
		} while (!r && z.avail_out == 0 && state == Z_OK);
		if (state == Z_BUF_ERROR)
			state = Z_OK;
	}
	inflateEnd(&z);
	free(buf);
	return r;
}

int decompress_fd(int gz, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
	int out, r;

	if (!dir)
		return -1;
	out = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	free(dir);
	if (out < 0)
		return -1;
	r = lseek(gz, 0, SEEK_SET) < 0 ? errno : inflate_fd(gz, out);
	if (r) {
		close(out);
		errno = r;
		return -1;
	}
	return out;
}
