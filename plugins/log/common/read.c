/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading back: the files are opened at the start, newest first, and held, so that a rotation meanwhile takes nothing away; then they are
 * read from the oldest needed on. The last N messages are found by counting newlines backwards in blocks. A follower that is at
 * the end holds no buffer; when the file has been rotated away, it goes on with the next.
 */
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (64 * 1024)

struct reader {
	struct log_instance *driver;
	char *path;
	struct log_part *files; /* [0] the newest */
	size_t n_files, at;     /* at: being read, counts down to 0 */
	off_t pos;              /* in files[at], of buf[0] */
	char *buf, *out;        /* cap bytes each, and one more for out */
	size_t cap, len, used;
	int64_t since, until;
	bool follow, ended;
	bool damaged; /* the rest of this file is lost */
	bool rotated; /* files[0] is not the current file any more */
	int event;
	struct record record;
};

static int open_log(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* PATH.n, packed or not; a file that is just being packed changes its name between our two looks. */
static int open_numbered(const char *path, int64_t n, bool *packed)
{
	char *name = NULL, *gz = NULL;
	int fd = -1;

	if (asprintf(&name, "%s.%lld", path, (long long)n) < 0)
		return -1;
	if (asprintf(&gz, "%s.gz", name) < 0) {
		free(name);
		return -1;
	}
	*packed = false;
	fd = open_log(name);
	if (fd < 0) {
		fd = open_log(gz);
		*packed = fd >= 0;
	}
	if (fd < 0) {
		fd = open_log(name);
		*packed = false;
	}
	free(name);
	free(gz);
	return fd;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static bool is_current(const struct reader *r, int fd)
{
	struct stat x, y;

	return fstat(fd, &x) == 0 && stat(r->path, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static void close_files(struct reader *r)
{
	for (size_t i = 0; i < r->n_files; i++)
		close(r->files[i].fd);
	r->n_files = 0;
}

/* All files of the log; again if a rotation happened meanwhile. */
static int open_files(struct reader *r, int64_t max_file)
{
	for (int tries = 0; tries < 10; tries++) {
		int fd;

		close_files(r);
		fd = open_log(r->path);
		if (fd < 0 && errno != ENOENT)
			return -1;
		if (fd >= 0)
			r->files[r->n_files++] = (struct log_part){.fd = fd};
		for (int64_t n = 1; n < max_file; n++) {
			bool packed;
			int old = open_numbered(r->path, n, &packed);

			if (old >= 0)
				r->files[r->n_files++] =
				    (struct log_part){.fd = old, .packed = packed};
		}
		if (fd < 0 || is_current(r, fd))
			break;
	}
	return 0;
}

static int unpack(struct reader *r, struct log_part *f)
{
	int fd;

	if (!f->packed)
		return 0;
	fd = decompress_fd(f->fd, r->path);
	if (fd < 0)
		return -1;
	close(f->fd);
	f->fd = fd;
	f->packed = false;
	return 0;
}

static int find_tail(struct reader *r, int64_t tail)
{
	r->at = r->n_files ? r->n_files - 1 : 0;
	if (tail < 0 || !r->n_files)
		return 0;
	if (tail == 0) {
		struct stat st;

		r->at = 0;
		if (fstat(r->files[0].fd, &st) < 0)
			return -1;
		r->files[0].start = st.st_size;
		return 0;
	}
	for (size_t i = 0; i < r->n_files && tail > 0; i++) {
		if (unpack(r, &r->files[i]) < 0 ||
		    r->driver->format->count_back(&r->files[i], &tail) < 0)
			return -1;
		r->at = i;
	}
	return 0;
}

static void begin_file(struct reader *r)
{
	r->pos = r->n_files ? r->files[r->at].start : 0;
	r->len = r->used = 0;
	r->damaged = false;
}

int32_t read_open(void *self, const struct dockerd_log_info *info,
		  const struct dockerd_log_read *how, void **reader, struct dockerd_error *err)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct log_instance *in = self;
	struct rotation set;

	if (!r || in->format->rotation(info->options, &set, err) < 0) {
		free(r);
		return r ? -1 : dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory for a log reader");
	}
	r->driver = self;
	r->event = -1;
	r->since = how->since;
	r->until = how->until;
	r->follow = how->follow != 0;
	r->files = calloc((size_t)set.max_file + 1, sizeof(*r->files));
	r->path = in->format->path(info, err);
	if (!r->path || !r->files) {
		bool told = !r->path;

		read_close(self, r);
		return told ? -1
			    : dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory for a log reader");
	}
	/* watch first: what is written while we open is then seen */
	if (r->follow && (r->event = watch_add(r->driver, r->path)) < 0) {
		dockerd_fail_errno(err, errno, "watch %s", r->path);
		read_close(self, r);
		return -1;
	}
	if (open_files(r, set.max_file) < 0 || find_tail(r, how->tail) < 0) {
		dockerd_fail_errno(err, errno, "open %s", r->path);
		read_close(self, r);
		return -1;
	}
	begin_file(r);
	*reader = r;
	return 0;
}

static void drop_buffer(struct reader *r)
{
	r->pos += (off_t)r->used;
	free(r->buf);
	free(r->out);
	r->buf = r->out = NULL;
	r->len = r->used = r->cap = 0;
}

/* More bytes behind those that are not used yet. 1 some, 0 end of file, -1 error. */
static int fill(struct reader *r, struct dockerd_error *err)
{
	struct log_part *f = &r->files[r->at];
	ssize_t n;

	if (unpack(r, f) < 0)
		return dockerd_fail_errno(err, errno, "unpack a rotated file of %s", r->path);
	if (r->used) {
		memmove(r->buf, r->buf + r->used, r->len - r->used);
		r->pos += (off_t)r->used;
		r->len -= r->used;
		r->used = 0;
	}
	if (r->len == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : BLOCK;
		char *buf, *out;

		if (r->len >= RECORD_MAX) { /* not ours: jump over it */
			r->pos += (off_t)r->len;
			r->len = 0;
			cap = r->cap;
		}
		buf = realloc(r->buf, cap);
		if (buf)
			r->buf = buf;
		out = realloc(r->out, cap + 1);
		if (out)
			r->out = out;
		if (!buf || !out)
			return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory for a log reader");
		r->cap = cap;
	}
	do
		n = pread(f->fd, r->buf + r->len, r->cap - r->len, r->pos + (off_t)r->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return dockerd_fail_errno(err, errno, "read %s", r->path);
	r->len += (size_t)n;
	return n > 0;
}

/*
 * At the end of the newest file we know. If it is not the current one any more, find what came after it: it is PATH.n now, so PATH.(n-1) is
 * next; if it is gone, the oldest that is not yet packed, or PATH. True: a file was opened.
 */
static bool next_after_rotation(struct reader *r)
{
	struct log_part *f = &r->files[0];
	int64_t found = 0;
	int fd;
	bool packed = false;

	if (r->n_files && is_current(r, f->fd))
		return false;
	for (int64_t n = 1; r->n_files && n < MAX_FILES && !found; n++) {
		fd = open_numbered(r->path, n, &packed);
		if (fd < 0)
			break;
		if (!packed && same_file(fd, f->fd))
			found = n;
		close(fd);
	}
	fd = found > 1 ? open_numbered(r->path, found - 1, &packed) : open_log(r->path);
	if (fd < 0)
		return false;
	close_files(r);
	r->files[0] = (struct log_part){.fd = fd, .packed = found > 1 && packed};
	r->n_files = 1;
	r->at = 0;
	return true;
}

/* 1: go on reading; 0: nothing now. */
static int at_end(struct reader *r)
{
	if (r->n_files && r->at > 0) {
		r->at--;
		begin_file(r);
		return 1;
	}
	if (!r->follow) {
		r->ended = true;
		return 0;
	}
	/* what was written between our last read and the rotation is still to be read */
	if (r->n_files && !r->rotated && !is_current(r, r->files[0].fd)) {
		r->rotated = true;
		return 1;
	}
	if (next_after_rotation(r)) {
		r->rotated = false;
		begin_file(r);
		return 1;
	}
	drop_buffer(r);
	return 0;
}

/* The next record: 1 with rec and n, 0 nothing now, -1. A last one without its end counts only where nothing can follow. */
static int next_record(struct reader *r, const char **rec, size_t *n, struct dockerd_error *err)
{
	const struct log_format *format = r->driver->format;
	size_t looked = 0, taken;

	for (;;) {
		const char *start = r->buf ? r->buf + r->used : "";
		size_t have = r->len - r->used;
		int more;

		taken = r->damaged ? FRAME_DAMAGED : format->frame(start, have, looked, rec, n);
		if (taken && taken != FRAME_DAMAGED) {
			r->used += taken;
			return 1;
		}
		if (taken == FRAME_DAMAGED) {
			r->damaged = true;
			r->used = r->len;
			have = 0;
		}
		looked = have;
		if (!r->n_files) {
			more = 0;
		} else {
			more = fill(r, err);
			if (more < 0)
				return -1;
			if (more) {
				if (r->len <= looked)
					looked = 0; /* a monster was jumped over */
				continue;
			}
		}
		if (format->loose_end && r->len > r->used && !(r->follow && r->at == 0)) {
			*rec = r->buf + r->used;
			*n = r->len - r->used;
			r->used = r->len;
			return 1;
		}
		more = at_end(r);
		if (more <= 0)
			return more;
		looked = 0;
	}
}

int32_t read_next(void *self, void *reader, struct dockerd_log_message *out,
		  struct dockerd_error *err)
{
	struct reader *r = reader;
	eventfd_t count;
	const char *line;
	size_t n;
	int got;

	(void)self;
	if (r->ended)
		return 0;
	/* before looking, so that what comes after the look rings again */
	if (r->event >= 0 && r->used == r->len)
		eventfd_read(r->event, &count);
	while ((got = next_record(r, &line, &n, err)) == 1) {
		struct record *m = &r->record;

		if (!r->driver->format->scan(line, n, m, r->out) || m->time < r->since)
			continue; /* a damaged line is passed over, like moby does */
		if (m->time > r->until) {
			r->ended = true;
			return 0;
		}
		*out = (struct dockerd_log_message){
		    .size = sizeof(*out),
		    .source = m->source,
		    .time = m->time,
		    .data = m->data,
		    .length = m->len,
		    .partial = m->partial,
		    .attrs = m->attrs,
		    .attr_count = m->attr_count,
		};
		return 1;
	}
	return got;
}

int32_t read_wait_fd(void *self, void *reader)
{
	struct reader *r = reader;

	(void)self;
	return r->event;
}

void read_close(void *self, void *reader)
{
	struct reader *r = reader;

	(void)self;
	if (r->event >= 0)
		watch_drop(r->driver, r->event);
	close_files(r);
	free(r->files);
	free(r->path);
	free(r->buf);
	free(r->out);
	free(r);
}
