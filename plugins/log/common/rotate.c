/* SPDX-License-Identifier: Apache-2.0 */
/* The file that is written: opened behind what a killed writer left, rotated between two records. See log_file.h. */
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *numbered(const struct log_file *f, int64_t n, const char *suffix)
{
	char *path = NULL;

	return asprintf(&path, "%s.%lld%s", f->path, (long long)n, suffix) < 0 ? NULL : path;
}

static void move_numbered(const struct log_file *f, int64_t from, const char *suffix)
{
	char *a = numbered(f, from, suffix), *b = numbered(f, from + 1, suffix);

	if (a && b)
		rename(a, b); /* ENOENT: this one is not there */
	free(a);
	free(b);
}

static void remove_numbered(const struct log_file *f, int64_t n, const char *suffix)
{
	char *path = numbered(f, n, suffix);

	if (path)
		unlink(path);
	free(path);
}

static void *compress_thread(void *arg)
{
	struct log_file *f = arg;
	char *path = numbered(f, 1, "");
	int r = path ? compress_file(path, f->rotated_time) : ENOMEM;
	char text[256];

	if (r && DOCKERD_HAS(f->in->host, log)) {
		snprintf(text, sizeof(text), "cannot compress %.180s: %s", path ? path : f->path,
			 strerror(r));
		f->in->host->log(f->in->host, DOCKERD_LOG_WARN, text);
	}
	free(path);
	return NULL;
}

static void wait_compressor(struct log_file *f)
{
	if (f->compressing)
		pthread_join(f->compressor, NULL);
	f->compressing = false;
}

static int open_file(const char *path, int more)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | more, 0640);
}

/* A kept file gets a new name; with max-file=1 a fresh one replaces it, so that a reader keeps its hold on the old. */
int log_file_rotate(struct log_file *f, struct dockerd_error *err)
{
	int fd;

	wait_compressor(f);
	if (f->set.max_file > 1) {
		char *first = numbered(f, 1, "");

		remove_numbered(f, f->set.max_file - 1, "");
		remove_numbered(f, f->set.max_file - 1, ".gz");
		for (int64_t n = f->set.max_file - 2; n >= 1; n--) {
			move_numbered(f, n, "");
			move_numbered(f, n, ".gz");
		}
		if (!first || (rename(f->path, first) < 0 && errno != ENOENT)) {
			free(first);
			return dockerd_fail_errno(err, errno, "rotate %s", f->path);
		}
		free(first);
		fd = open_file(f->path, O_TRUNC);
	} else {
		char *fresh = NULL;

		if (asprintf(&fresh, "%s.tmp", f->path) < 0)
			return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory");
		fd = open_file(fresh, O_TRUNC);
		if (fd >= 0 && rename(fresh, f->path) < 0) {
			close(fd);
			fd = -1;
		}
		free(fresh);
	}
	if (fd < 0)
		return dockerd_fail_errno(err, errno, "rotate %s", f->path);
	close(f->fd);
	f->fd = fd;
	f->size = 0;
	f->rotated_time = f->last_time;
	if (f->set.compress)
		f->compressing = pthread_create(&f->compressor, NULL, compress_thread, f) == 0;
	return 0;
}

/* A writer that was killed may have left half a record: cut back to the last whole one. */
static int mend_end(struct log_file *f)
{
	struct stat st;
	off_t end;
	int fd;

	if (fstat(f->fd, &st) < 0)
		return -1;
	f->size = st.st_size;
	if (!f->size)
		return 0;
	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	end = f->in->format->last_end(fd, st.st_size);
	close(fd);
	if (end < 0)
		return -1;
	if (end == st.st_size)
		return 0;
	f->size = end;
	return ftruncate(f->fd, end);
}

int log_file_open(struct log_file *f, struct log_instance *in, char *path,
		  const struct rotation *set, struct dockerd_error *err)
{
	*f = (struct log_file){.in = in, .fd = -1, .path = path, .set = *set};
	f->fd = open_file(f->path, 0);
	if (f->fd >= 0 && mend_end(f) == 0)
		return 0;
	dockerd_fail_errno(err, errno, "open %s", f->path);
	log_file_close(f);
	return -1;
}

void log_file_close(struct log_file *f)
{
	wait_compressor(f);
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	f->fd = -1;
	f->path = NULL;
}

int log_file_put(struct log_file *f, const char *p, size_t n, struct dockerd_error *err)
{
	size_t left = n;

	while (left) {
		ssize_t r = write(f->fd, p, left);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			int saved = errno;

			if (left < n && ftruncate(f->fd, f->size) < 0)
				f->size += (int64_t)(n - left);
			return dockerd_fail_errno(err, saved, "write %s", f->path);
		}
		p += r;
		left -= (size_t)r;
	}
	f->size += (int64_t)n;
	return 0;
}

/* The usual case lives off one buffer that goes from stream to stream. */
char *log_buffer_take(struct log_instance *in, size_t need, size_t *cap)
{
	char *buf = NULL;

	*cap = need > BATCH ? need : BATCH;
	if (*cap == BATCH)
		buf = atomic_exchange(&in->spare, NULL);
	return buf ? buf : malloc(*cap);
}

void log_buffer_give(struct log_instance *in, char *buf, size_t cap)
{
	free(cap == BATCH ? atomic_exchange(&in->spare, buf) : buf);
}
