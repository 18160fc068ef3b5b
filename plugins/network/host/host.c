/* SPDX-License-Identifier: Apache-2.0 */
/* Network driver "host": the container stays in the host's network namespace, so there is nothing to make and nothing to take away. */
#include <dockerd/network.h>

static char instance; /* something to point at */

static int32_t host_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	(void)args;
	(void)err;
	*self = &instance;
	return 0;
}

static void host_close(void *self)
{
	(void)self;
}

static const struct dockerd_network_ops ops = {
    .common = {.size = sizeof(ops), .open = host_open, .close = host_close},
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_NETWORK, .name = "host", .version = "0.1",
	       .description = "The host's own network", .concurrency = DOCKERD_PARALLEL,
	       .capabilities = DOCKERD_NETWORK_CAP_SINGLETON | DOCKERD_NETWORK_CAP_HOST,
	       .ops = &ops.common);
