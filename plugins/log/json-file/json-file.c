/* SPDX-License-Identifier: Apache-2.0 */
/* The json-file driver: description, options, life of the instance. See json-file.h for the rest. */
#include "json-file.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

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

/* "10m" here is 10,000,000 (go-units FromHumanSize), unlike memory sizes. */
static int decimal_size(const char *text, int64_t *out)
{
	static const char letters[] = "kmgtp";
	char *end;
	double v = strtod(text, &end);
	const char *at;

	if (end == text || *text < '0' || *text > '9')
		return -1;
	if (*end == ' ')
		end++;
	at = *end ? strchr(letters, *end | 32) : NULL;
	if (at) {
		for (const char *l = letters; l <= at; l++)
			v *= 1000;
		end++;
		if (strcasecmp(end, "ib") == 0) /* moby takes KiB for kB too */
			end += 2;
	}
	if (strcasecmp(end, "b") == 0)
		end++;
	if (*end || v >= 9e18)
		return -1;
	*out = (int64_t)v;
	return 0;
}

static int bool_value(const char *text, bool *v)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"},
				 *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcmp(text, yes[i]) && strcmp(text, no[i]))
			continue;
		*v = strcmp(text, yes[i]) == 0;
		return 0;
	}
	return -1;
}

static const char *given(const struct dockerd_options *o, const char *key)
{
	const struct dockerd_value *v = dockerd_option_get(o, key);

	return v && v->text && *v->text ? v->text : NULL;
}

int settings_read(const struct dockerd_options *o, struct settings *s, struct dockerd_error *err)
{
	const char *size = given(o, "max-size"), *files = given(o, "max-file"),
		   *compress = given(o, "compress");
	char *end;

	*s = (struct settings){
	    .capacity = -1, .max_file = 1, .compress = false, .tag = given(o, "tag")};
	if (size) {
		if (decimal_size(size, &s->capacity) < 0)
			return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid size: '%s'", size);
		if (s->capacity <= 0)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "max-size must be a positive number");
	}
	if (files) {
		s->max_file = strtoll(files, &end, 10);
		if (end == files || *end)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "strconv.Atoi: parsing \"%s\": invalid syntax", files);
		if (s->max_file < 1)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "max-file cannot be less than 1");
		if (s->max_file > MAX_FILES)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "max-file cannot be more than %d", MAX_FILES);
	}
	if (compress) {
		if (bool_value(compress, &s->compress) < 0)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "strconv.ParseBool: parsing \"%s\": invalid syntax",
					    compress);
		if (s->compress && (s->max_file == 1 || s->capacity < 0))
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

static int32_t driver_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	struct json_file *j = calloc(1, sizeof(*j));

	if (!j)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory");
	j->host = args->host;
	pthread_mutex_init(&j->lock, NULL);
	*self = j;
	return 0;
}

static void driver_close(void *self)
{
	struct json_file *j = self;

	watch_end(j);
	free(j->spare);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

static const struct dockerd_log_ops ops = {
    .common = {.size = sizeof(ops), .open = driver_open, .close = driver_close},
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
	       .capabilities = DOCKERD_LOG_CAP_READ | DOCKERD_LOG_CAP_LOCAL,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
