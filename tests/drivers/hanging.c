/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An authorization driver for tests that allows everything, and whose calls about a container named "hang" hang until somebody writes into the FIFO, and
 * about "crash" end the process. -DSERIAL: one call at a time.
 */
#include <dockerd/authz.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int32_t hanging_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	const struct dockerd_value *fifo = dockerd_option_get(args->options, NAME ".fifo");

	if (!fifo)
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "no FIFO");
	*self = strdup(fifo->text);
	return 0;
}

static void hanging_close(void *self)
{
	free(self);
}

static int32_t request(void *self, const struct dockerd_authz_request *r,
		       struct dockerd_authz_verdict *verdict, struct dockerd_error *err)
{
	char c;

	if (!strcmp(r->path, "/containers/crash/json"))
		abort();
	if (!strcmp(r->path, "/containers/hang/json")) {
		int fd = open(self, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, &c, 1) < 0)
			return dockerd_fail_errno(err, errno, "%s", (const char *)self);
		close(fd);
	}
	verdict->verdict = DOCKERD_AUTHZ_ALLOW;
	return 0;
}

static const struct dockerd_option options[] = {
    {.key = NAME ".fifo",
     .help = "what a hanging call reads from",
     .type = DOCKERD_OPT_PATH,
     .scope = DOCKERD_SCOPE_DAEMON},
};

static const struct dockerd_authz_ops ops = {
    .common = {.size = sizeof(ops), .open = hanging_open, .close = hanging_close},
    .request = request,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_AUTHZ, .name = NAME, .version = "1.0",
	       .description = "hangs or crashes when asked to", .concurrency = CONCURRENCY,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
