/* SPDX-License-Identifier: Apache-2.0 */
/* The json-file driver: description, options, life of the instance. See json-file.h for the rest. */
#include "json-file.h"

#include <stdlib.h>
#include <string.h>

static const struct dockerd_option options[] = {
    {.key = "max-size",
     .type = DOCKERD_OPT_SIZE,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "size at which the file is rotated: \"10m\" is ten million bytes"},
    {.key = "max-file",
     .type = DOCKERD_OPT_STRING,
     .default_value = "1",
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "how many files are kept, the current one included"},
    {.key = "compress",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "gzip rotated files"},
    {.key = "labels",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "labels to note on each line, comma-separated"},
    {.key = "labels-regex",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "labels to note, by regular expression on their names"},
    {.key = "env",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "environment variables to note on each line, comma-separated"},
    {.key = "env-regex",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "environment variables to note, by regular expression on their names"},
    {.key = "tag",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "template noted on each line as \"tag\": {{.ID}}, {{.Name}}, {{.ImageName}}, ..."},
};

int settings_read(const struct dockerd_options *o, struct settings *s, struct dockerd_error *err)
{
	const char *size = option_given(o, "max-size"), *files = option_given(o, "max-file"),
		   *compress = option_given(o, "compress");
	char *end;

	*s = (struct settings){.rotation = {.capacity = -1, .max_file = 1},
			       .tag = option_given(o, "tag")};
	if (size) {
		if (decimal_size(size, &s->rotation.capacity) < 0)
			return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid size: '%s'", size);
		if (s->rotation.capacity <= 0)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "max-size must be a positive number");
	}
	if (files) {
		s->rotation.max_file = strtoll(files, &end, 10);
		if (end == files || *end)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "strconv.Atoi: parsing \"%s\": invalid syntax", files);
		if (s->rotation.max_file < 1)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "max-file cannot be less than 1");
		if (s->rotation.max_file > MAX_FILES)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "max-file cannot be more than %d", MAX_FILES);
	}
	if (compress) {
		if (bool_value(compress, &s->rotation.compress) < 0)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "strconv.ParseBool: parsing \"%s\": invalid syntax",
					    compress);
		if (s->rotation.compress && (s->rotation.max_file == 1 || s->rotation.capacity < 0))
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "compress cannot be true when max-file is less than 2 "
					    "or max-size is not set");
	}
	return 0;
}

static int32_t validate(const struct dockerd_options *o, struct dockerd_error *err)
{
	static const struct dockerd_log_info nobody = {.size = sizeof(nobody)};
	struct dockerd_log_info info = nobody;
	struct settings s;
	struct text attrs = {0};
	int r;

	info.options = o;
	if (settings_read(o, &s, err) < 0)
		return -1;
	r = attrs_make(&info, &s, &attrs, err); /* compiles the expressions, expands the tag */
	free(attrs.p);
	return r;
}

/* Which file: the one that the API names. */
static char *path_of(const struct dockerd_log_info *info, struct dockerd_error *err)
{
	char *path = info->log_path ? strdup(info->log_path) : NULL;

	if (!path)
		dockerd_fail(err, DOCKERD_ERR_INVALID, "json-file needs a log path");
	return path;
}

static int rotation_of(const struct dockerd_options *o, struct rotation *r,
		       struct dockerd_error *err)
{
	struct settings s;

	if (settings_read(o, &s, err) < 0)
		return -1;
	*r = s.rotation;
	return 0;
}

static const struct log_format format = {.path = path_of,
					 .rotation = rotation_of,
					 .frame = line_frame,
					 .loose_end = true,
					 .scan = scan_record,
					 .count_back = line_count_back,
					 .last_end = line_last_end};

static int32_t driver_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	return log_instance_open(args, &format, self, err);
}

static const struct dockerd_log_ops ops = {
    .common = {.size = sizeof(ops), .open = driver_open, .close = log_instance_close},
    .validate = validate,
    .stream_open = stream_open,
    .write = stream_write,
    .stream_close = stream_close,
    .read_open = read_open,
    .read_next = read_next,
    .read_wait_fd = read_wait_fd,
    .read_close = read_close,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_LOG, .name = "json-file", .version = "1.0",
	       .description =
		   "one line of JSON per message, in a file per container, as moby writes it",
	       .concurrency = DOCKERD_PER_OBJECT,
	       .capabilities = DOCKERD_LOG_CAP_READ | DOCKERD_LOG_CAP_LOCAL | DOCKERD_LOG_CAP_PATH,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
