/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing: messages of a batch are formatted into one buffer and written at once; rotation happens between two messages. A stream belongs
 * to one caller at a time (DOCKERD_PER_OBJECT); only its compressor runs beside it, on a file that writing is done with.
 */
#include "json-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct stream {
	struct json_file *driver;
	int fd;
	char *path;
	int64_t size; /* bytes in the file */
	struct settings set;
	char *middle[3]; /* by source: what stands between text and time */
	size_t middle_len[3];
	int64_t last_time;    /* of what was written */
	int64_t rotated_time; /* the same of PATH.1: the compressor's to read */
	pthread_t compressor;
	bool compressing;
};

/* ---- rotation --------------------------------------------------------------------------------------------------------------------- */

static char *numbered(const struct stream *s, int64_t n, const char *suffix)
{
	char *path = NULL;

	return asprintf(&path, "%s.%lld%s", s->path, (long long)n, suffix) < 0 ? NULL : path;
}

static void move_numbered(const struct stream *s, int64_t from, const char *suffix)
{
	char *a = numbered(s, from, suffix), *b = numbered(s, from + 1, suffix);

	if (a && b)
		rename(a, b); /* ENOENT: this one is not there */
	free(a);
	free(b);
}

static void remove_numbered(const struct stream *s, int64_t n, const char *suffix)
{
	char *path = numbered(s, n, suffix);

	if (path)
		unlink(path);
	free(path);
}

static void *compress_thread(void *arg)
{
	struct stream *s = arg;
	char *path = numbered(s, 1, "");
	int r = path ? compress_file(path, s->rotated_time) : ENOMEM;
	char text[256];

	if (r && DOCKERD_HAS(s->driver->host, log)) {
		snprintf(text, sizeof(text), "cannot compress %.180s: %s", path ? path : s->path,
			 strerror(r));
		s->driver->host->log(s->driver->host, DOCKERD_LOG_WARN, text);
	}
	free(path);
	return NULL;
}

static void wait_compressor(struct stream *s)
{
	if (s->compressing)
		pthread_join(s->compressor, NULL);
	s->compressing = false;
}

static int open_file(const char *path, int more)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | more, 0640);
}

/* A kept file gets a new name; with max-file=1 a fresh one replaces it, so that a reader keeps its hold on the old. */
static int rotate(struct stream *s, struct dockerd_error *err)
{
	int fd;

	wait_compressor(s);
	if (s->set.max_file > 1) {
		char *first = numbered(s, 1, "");

		remove_numbered(s, s->set.max_file - 1, "");
		remove_numbered(s, s->set.max_file - 1, ".gz");
		for (int64_t n = s->set.max_file - 2; n >= 1; n--) {
			move_numbered(s, n, "");
			move_numbered(s, n, ".gz");
		}
		if (!first || (rename(s->path, first) < 0 && errno != ENOENT)) {
			free(first);
			return dockerd_fail_errno(err, errno, "rotate %s", s->path);
		}
		free(first);
		fd = open_file(s->path, O_TRUNC);
	} else {
		char *fresh = NULL;

		if (asprintf(&fresh, "%s.tmp", s->path) < 0)
			return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory");
		fd = open_file(fresh, O_TRUNC);
		if (fd >= 0 && rename(fresh, s->path) < 0) {
			close(fd);
			fd = -1;
		}
		free(fresh);
	}
	if (fd < 0)
		return dockerd_fail_errno(err, errno, "rotate %s", s->path);
	close(s->fd);
	s->fd = fd;
	s->size = 0;
	s->rotated_time = s->last_time;
	if (s->set.compress)
		s->compressing = pthread_create(&s->compressor, NULL, compress_thread, s) == 0;
	return 0;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------------------- */

/* A writer that was killed may have left half a record: cut back to the last whole one. */
static int mend_end(struct stream *s)
{
	char block[4096];
	struct stat st;
	off_t end;
	int fd;

	if (fstat(s->fd, &st) < 0)
		return -1;
	s->size = end = st.st_size;
	if (!end)
		return 0;
	fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	while (end > 0) {
		size_t n = end < (off_t)sizeof(block) ? (size_t)end : sizeof(block);
		const char *nl;

		if (pread(fd, block, n, end - (off_t)n) != (ssize_t)n)
			break;
		nl = memrchr(block, '\n', n);
		if (nl) {
			end = end - (off_t)n + (nl - block) + 1;
			break;
		}
		end -= (off_t)n;
	}
	close(fd);
	if (end == st.st_size)
		return 0;
	s->size = end;
	return ftruncate(s->fd, end);
}

static int make_middles(struct stream *s, const struct dockerd_log_info *info,
			struct dockerd_error *err)
{
	static const char *const names[] = {"", "stdout", "stderr"};
	struct text attrs = {0};

	if (attrs_make(info, &s->set, &attrs, err) < 0) {
		free(attrs.p);
		return -1;
	}
	for (int i = 1; i <= 2; i++) {
		int n = asprintf(&s->middle[i], "\"stream\":\"%s\"%s%s,\"time\":\"", names[i],
				 attrs.len ? ",\"attrs\":" : "", attrs.len ? attrs.p : "");

		if (n < 0) {
			s->middle[i] = NULL;
			free(attrs.p);
			return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory");
		}
		s->middle_len[i] = (size_t)n;
	}
	free(attrs.p);
	return 0;
}

int32_t stream_open(void *self, const struct dockerd_log_info *info, void **stream,
		    struct dockerd_error *err)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory for a log stream");
	s->driver = self;
	s->fd = -1;
	s->path = info->log_path ? strdup(info->log_path) : NULL;
	if (!s->path || settings_read(info->options, &s->set, err) < 0 ||
	    make_middles(s, info, err) < 0) {
		if (!s->path)
			dockerd_fail(err, DOCKERD_ERR_INVALID, "json-file needs a log path");
		stream_close(self, s);
		return -1;
	}
	s->fd = open_file(s->path, 0);
	if (s->fd < 0 || mend_end(s) < 0) {
		dockerd_fail_errno(err, errno, "open %s", s->path);
		stream_close(self, s);
		return -1;
	}
	*stream = s;
	return 0;
}

void stream_close(void *self, void *stream)
{
	struct stream *s = stream;

	(void)self;
	wait_compressor(s);
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s->middle[1]);
	free(s->middle[2]);
	free(s);
}

/* ---- writing ---------------------------------------------------------------------------------------------------------------------- */

/* Formatted length at most: 6 bytes per byte, the frame, a time of 30 bytes. */
static size_t room_for(const struct stream *s, const struct dockerd_log_message *m)
{
	return 6 * (size_t)m->length + s->middle_len[m->source] + 64;
}

static char *format_message(char *o, const struct stream *s, const struct dockerd_log_message *m,
			    const char *time, size_t time_len)
{
	*o++ = '{';
	if (m->length || !m->partial) {
		memcpy(o, "\"log\":\"", 7);
		o += 7;
		o += escape_json(o, m->data, (size_t)m->length);
		if (!m->partial) {
			*o++ = '\\';
			*o++ = 'n';
		}
		*o++ = '"';
		*o++ = ',';
	}
	memcpy(o, s->middle[m->source], s->middle_len[m->source]);
	o += s->middle_len[m->source];
	memcpy(o, time, time_len);
	o += time_len;
	memcpy(o, "\"}\n", 3);
	return o + 3;
}

/* All of it, or the file as it was. */
static int put(struct stream *s, const char *p, size_t n, struct dockerd_error *err)
{
	size_t left = n;

	while (left) {
		ssize_t r = write(s->fd, p, left);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			int saved = errno;

			if (left < n && ftruncate(s->fd, s->size) < 0)
				s->size += (int64_t)(n - left);
			return dockerd_fail_errno(err, saved, "write %s", s->path);
		}
		p += r;
		left -= (size_t)r;
	}
	s->size += (int64_t)n;
	return 0;
}

static int write_batch(struct stream *s, char *buf, size_t cap, const struct dockerd_log_message *m,
		       uint32_t n, uint32_t *done, struct dockerd_error *err)
{
	char time[40];
	size_t time_len = 0;
	int64_t formatted = INT64_MIN;
	char *o = buf;

	for (uint32_t i = 0; i < n; i++) {
		bool full = s->set.capacity >= 0 && s->size + (o - buf) >= s->set.capacity;

		if (DOCKERD_AT(m, i)->source != DOCKERD_LOG_STDOUT &&
		    DOCKERD_AT(m, i)->source != DOCKERD_LOG_STDERR)
			return dockerd_fail(err, DOCKERD_ERR_INVALID, "message of no stream");
		if (full || (size_t)(o - buf) + room_for(s, DOCKERD_AT(m, i)) > cap) {
			if (put(s, buf, (size_t)(o - buf), err) < 0)
				return -1;
			*done = i;
			o = buf;
			if (full && rotate(s, err) < 0)
				return -1;
		}
		if (room_for(s, DOCKERD_AT(m, i)) > cap)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "message of %llu bytes is too long",
					    (unsigned long long)DOCKERD_AT(m, i)->length);
		if (DOCKERD_AT(m, i)->time != formatted) {
			time_len = format_time(time, DOCKERD_AT(m, i)->time);
			formatted = DOCKERD_AT(m, i)->time;
		}
		o = format_message(o, s, DOCKERD_AT(m, i), time, time_len);
		s->last_time = DOCKERD_AT(m, i)->time;
	}
	if (put(s, buf, (size_t)(o - buf), err) < 0)
		return -1;
	*done = n;
	return 0;
}

int32_t stream_write(void *self, void *stream, const struct dockerd_log_message *m, uint32_t n,
		     uint32_t *done, struct dockerd_error *err)
{
	struct json_file *j = self;
	struct stream *s = stream;
	size_t cap = BATCH, longest = 0;
	char *buf, *other;
	int r;

	*done = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (DOCKERD_AT(m, i)->length > RECORD_MAX / 8)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "message of %llu bytes is too long",
					    (unsigned long long)DOCKERD_AT(m, i)->length);
		if (DOCKERD_AT(m, i)->length > longest)
			longest = (size_t)DOCKERD_AT(m, i)->length;
	}
	longest = 6 * longest + s->middle_len[1] + s->middle_len[2] + 64;
	/* the usual case lives off one buffer that goes from stream to stream */
	if (longest > cap) {
		buf = malloc(cap = longest);
	} else {
		buf = atomic_exchange(&j->spare, NULL);
		if (!buf)
			buf = malloc(cap);
	}
	if (!buf)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "no memory for a batch of log messages");
	r = write_batch(s, buf, cap, m, n, done, err);
	other = cap == BATCH ? atomic_exchange(&j->spare, buf) : buf;
	free(other);
	return r;
}
