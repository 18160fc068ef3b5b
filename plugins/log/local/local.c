/* SPDX-License-Identifier: Apache-2.0 */
/* The local driver: description, options, writing. See local.h. */
#include "local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_SIZE (20 << 20)
#define DEFAULT_FILES 5

static const struct dockerd_option options[] = {
    {.key = "max-size",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "size at which the file is rotated: \"10m\" is ten million bytes; default 20 MiB"},
    {.key = "max-file",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "how many files are kept, the current one included; default 5"},
    {.key = "compress",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "gzip rotated files; default true"},
};

/* Values are looked at when the log is opened, as by moby: a create takes any. */
static int rotation_of(const struct dockerd_options *o, struct rotation *r,
		       struct dockerd_error *err)
{
	const char *size = option_given(o, "max-size"), *files = option_given(o, "max-file"),
		   *compress = option_given(o, "compress");
	char *end;

	*r = (struct rotation){
	    .capacity = DEFAULT_SIZE, .max_file = DEFAULT_FILES, .compress = true};
	if (size && decimal_size(size, &r->capacity) < 0)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "invalid value for max-size: %s: invalid size: '%s'", size,
				    size);
	if (files) {
		r->max_file = strtoll(files, &end, 10);
		if (end == files || *end)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "invalid value for max-file: %s: strconv.Atoi: parsing "
					    "\"%s\": invalid syntax",
					    files, files);
	}
	if (compress && bool_value(compress, &r->compress) < 0)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "error reading compress log option: strconv.ParseBool: parsing "
				    "\"%s\": invalid syntax",
				    compress);
	if (r->max_file < 0)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "max file count cannot be less than 0");
	if (r->max_file > MAX_FILES)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "max file count cannot be more than %d", MAX_FILES);
	if (r->compress && r->max_file <= 1)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "compression cannot be enabled when max file count is 1");
	if (r->max_file == 0)
		r->max_file = 1;
	return 0;
}

static int make_directory(const char *path, struct dockerd_error *err)
{
	const char *slash = strrchr(path, '/');
	char *dir = strndup(path, (size_t)(slash - path));
	int r = 0;

	if (!dir)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory");
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		r = dockerd_fail_errno(err, errno, "create %s", dir);
	free(dir);
	return r;
}

/* Beside the file that was named, in a directory as moby's; a copy of another driver's messages goes where it is told. */
static char *path_of(const struct dockerd_log_info *info, struct dockerd_error *err)
{
	const char *named = info->log_path ? info->log_path : "", *slash = strrchr(named, '/');
	size_t n = strlen(named);
	char *path = NULL;
	int r;

	if (!slash) {
		dockerd_fail(err, DOCKERD_ERR_INVALID, "local needs a log path");
		return NULL;
	}
	if (n >= 9 && !strcmp(named + n - 9, "-json.log"))
		r = asprintf(&path, "%.*s/local-logs/container.log", (int)(slash - named), named);
	else
		r = asprintf(&path, "%s", named);
	if (r < 0) {
		dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory");
		return NULL;
	}
	/* by readers, too: a follower watches it before anything is written */
	if (make_directory(path, err) < 0) {
		free(path);
		return NULL;
	}
	return path;
}

static const struct log_format format = {.path = path_of,
					 .rotation = rotation_of,
					 .frame = entry_frame,
					 .scan = entry_scan,
					 .count_back = entry_count_back,
					 .last_end = entry_last_end};

static int32_t driver_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	return log_instance_open(args, &format, self, err);
}

/* ---- Writing -------------------------------------------------------------------------------------------------------------------------- */

static int32_t stream_open(void *self, const struct dockerd_log_info *info, void **stream,
			   struct dockerd_error *err)
{
	struct log_file *f = malloc(sizeof(*f));
	struct rotation set;
	char *path;

	if (!f)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory for a log stream");
	if (rotation_of(info->options, &set, err) < 0 || !(path = path_of(info, err))) {
		free(f);
		return -1;
	}
	if (log_file_open(f, self, path, &set, err) < 0) {
		free(f);
		return -1;
	}
	*stream = f;
	return 0;
}

static void stream_close(void *self, void *stream)
{
	(void)self;
	log_file_close(stream);
	free(stream);
}

static int write_batch(struct log_file *f, char *buf, size_t cap,
		       const struct dockerd_log_message *m, uint32_t n, uint32_t *done,
		       struct dockerd_error *err)
{
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct dockerd_log_message *at = DOCKERD_AT(m, i);
		bool full = log_file_full(f, len);

		if (full || len + (size_t)at->length + ENTRY_FRAME > cap) {
			if (log_file_put(f, buf, len, err) < 0)
				return -1;
			*done = i;
			len = 0;
			/* an empty file is not worth a rotation, however small max-size is */
			if (full && f->size && log_file_rotate(f, err) < 0)
				return -1;
		}
		len += entry_print(buf + len, at);
		f->last_time = at->time;
	}
	if (log_file_put(f, buf, len, err) < 0)
		return -1;
	*done = n;
	return 0;
}

static int32_t stream_write(void *self, void *stream, const struct dockerd_log_message *m,
			    uint32_t n, uint32_t *done, struct dockerd_error *err)
{
	size_t cap, longest = 0;
	char *buf;
	int r;

	*done = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct dockerd_log_message *at = DOCKERD_AT(m, i);

		if (at->length > RECORD_MAX / 2)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "message of %llu bytes is too long",
					    (unsigned long long)at->length);
		if (at->source != DOCKERD_LOG_STDOUT && at->source != DOCKERD_LOG_STDERR)
			return dockerd_fail(err, DOCKERD_ERR_INVALID, "message of no stream");
		if (at->length > longest)
			longest = (size_t)at->length;
	}
	buf = log_buffer_take(self, longest + ENTRY_FRAME, &cap);
	if (!buf)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "no memory for a batch of log messages");
	r = write_batch(stream, buf, cap, m, n, done, err);
	log_buffer_give(self, buf, cap);
	return r;
}

static const struct dockerd_log_ops ops = {
    .common = {.size = sizeof(ops), .open = driver_open, .close = log_instance_close},
    .stream_open = stream_open,
    .write = stream_write,
    .stream_close = stream_close,
    .read_open = read_open,
    .read_next = read_next,
    .read_wait_fd = read_wait_fd,
    .read_close = read_close,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_LOG, .name = "local", .version = "1.0",
	       .description =
		   "a compact file per container, rotated and compressed, as moby writes it",
	       .concurrency = DOCKERD_PER_OBJECT,
	       .capabilities = DOCKERD_LOG_CAP_READ | DOCKERD_LOG_CAP_LOCAL,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
