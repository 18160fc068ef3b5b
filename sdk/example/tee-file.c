/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log driver of some fifty lines: each container's output goes, line by line, into one file of a directory. Built outside of the daemon's tree
 * from the installed headers; see the Makefile beside it.
 */
#include <dockerd/log.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int32_t tee_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	(void)err;
	*self = (void *)(uintptr_t)args->host; /* all that an instance needs */
	return 0;
}

static void tee_close(void *self)
{
	(void)self;
}

struct stream {
	int fd;
};

static int32_t stream_open(void *self, const struct dockerd_log_info *info, void **stream,
			   struct dockerd_error *err)
{
	const struct dockerd_host *host = self;
	const struct dockerd_value *dir = dockerd_option_get(info->options, "tee-dir");
	struct stream *s = host->alloc(host, sizeof(*s));
	char path[4096];

	if (!s)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "tee-file: out of memory");
	snprintf(path, sizeof(path), "%s/%s.log", dir->text, info->container_id);
	s->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->fd < 0) {
		dockerd_fail_errno(err, errno, "tee-file: %s", path);
		host->free(host, s);
		return -1;
	}
	*stream = s;
	return 0;
}

static int32_t stream_write(void *self, void *stream, const struct dockerd_log_message *messages,
			    uint32_t n, uint32_t *done, struct dockerd_error *err)
{
	const struct stream *s = stream;

	(void)self;
	for (*done = 0; *done < n; ++*done) {
		const struct dockerd_log_message *m = DOCKERD_AT(messages, *done);
		uint64_t at = 0;

		while (at < m->length) {
			ssize_t w = write(s->fd, m->data + at, m->length - at);

			if (w < 0)
				return dockerd_fail_errno(err, errno, "tee-file: write");
			at += (uint64_t)w;
		}
		if (!m->partial && write(s->fd, "\n", 1) < 0)
			return dockerd_fail_errno(err, errno, "tee-file: write");
	}
	return 0;
}

static void stream_close(void *self, void *stream)
{
	const struct dockerd_host *host = self;
	struct stream *s = stream;

	close(s->fd);
	host->free(host, s);
}

static const struct dockerd_option options[] = {
    {.key = "tee-dir",
     .default_value = "/var/tmp",
     .help = "directory of the files",
     .type = DOCKERD_OPT_PATH,
     .scope = DOCKERD_SCOPE_DAEMON | DOCKERD_SCOPE_CONTAINER},
};

static const struct dockerd_log_ops ops = {
    .common = {.size = sizeof(ops), .open = tee_open, .close = tee_close},
    .stream_open = stream_open,
    .write = stream_write,
    .stream_close = stream_close,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_LOG, .name = "tee-file", .version = "1.0",
	       .description = "one plain file per container", .concurrency = DOCKERD_PER_OBJECT,
	       .capabilities = DOCKERD_LOG_CAP_LOCAL, DOCKERD_OPTIONS(options), .ops = &ops.common);
