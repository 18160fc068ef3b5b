/* SPDX-License-Identifier: Apache-2.0 */
/* The log driver for containers whose output nobody keeps. It can't be read back: it says so by leaving the capability out. */
#include <dockerd/log.h>

static char nothing; /* instance and streams alike */

static int32_t none_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	(void)args;
	(void)err;
	*self = &nothing;
	return 0;
}

static void none_close(void *self)
{
	(void)self;
}

static int32_t stream_open(void *self, const struct dockerd_log_info *info, void **stream,
			   struct dockerd_error *err)
{
	(void)self;
	(void)info;
	(void)err;
	*stream = &nothing;
	return 0;
}

static int32_t stream_write(void *self, void *stream, const struct dockerd_log_message *messages,
			    uint32_t n, uint32_t *done, struct dockerd_error *err)
{
	(void)self;
	(void)stream;
	(void)messages;
	(void)err;
	*done = n;
	return 0;
}

static void stream_close(void *self, void *stream)
{
	(void)self;
	(void)stream;
}

static const struct dockerd_log_ops ops = {
    .common = {.size = sizeof(ops), .open = none_open, .close = none_close},
    .stream_open = stream_open,
    .write = stream_write,
    .stream_close = stream_close,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_LOG, .name = "none", .version = "1.0",
	       .description = "keeps nothing", .concurrency = DOCKERD_PARALLEL,
	       .capabilities = DOCKERD_LOG_CAP_LOCAL | DOCKERD_LOG_CAP_NO_COPY |
			       DOCKERD_LOG_CAP_DISCARDS,
	       .ops = &ops.common);
