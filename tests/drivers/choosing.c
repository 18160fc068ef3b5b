/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network driver for tests that chooses addresses itself: at join it emits its endpoint options "rowN" ("KEY=VALUE") as rows. It makes nothing, and writes each
 * call with the addresses that it is given into the file of its network option "log".
 */
#include <dockerd/network.h>

#include <fcntl.h>
#include <unistd.h>

static char instance; /* something to point at */

static int32_t choosing_open(const struct dockerd_open *args, void **self,
			     struct dockerd_error *err)
{
	(void)args;
	(void)err;
	*self = &instance;
	return 0;
}

static void choosing_close(void *self)
{
	(void)self;
}

static int note(const struct dockerd_network *n, const char *op, const struct dockerd_endpoint *e,
		struct dockerd_error *err)
{
	const struct dockerd_value *path = dockerd_option_get(n->options, "log");
	int fd = path ? open(path->text, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return dockerd_fail_errno(err, errno, "log");
	dprintf(fd, "%s", op);
	for (uint32_t i = 0; i < e->address_count; i++)
		dprintf(fd, " %s", DOCKERD_AT(e->addresses, i)->address);
	dprintf(fd, "\n");
	close(fd);
	return 0;
}

static int32_t join(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		    struct dockerd_error *err)
{
	(void)self;
	for (uint32_t i = 0; e->options && i < e->options->count; i++) {
		const struct dockerd_value *v = dockerd_option_at(e->options, i);
		const char *eq = strchr(v->text, '=');
		char key[32];

		if (strncmp(v->key, "row", 3) != 0 || !eq)
			continue;
		snprintf(key, sizeof(key), "%.*s", (int)(eq - v->text), v->text);
		e->out->row(e->out, key, eq + 1);
	}
	return note(n, "join", e, err);
}

static int32_t leave(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		     struct dockerd_error *err)
{
	(void)self;
	return note(n, "leave", e, err);
}

static int32_t adopt(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		     struct dockerd_error *err)
{
	(void)self;
	return note(n, "adopt", e, err);
}

static const struct dockerd_option options[] = {
    {.key = "log",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "file for calls"},
    {.key = "*",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK | DOCKERD_SCOPE_ENDPOINT,
     .help = "rowN: KEY=VALUE"},
};

static const struct dockerd_network_ops ops = {
    .common = {.size = sizeof(ops), .open = choosing_open, .close = choosing_close},
    .join = join,
    .leave = leave,
    .adopt = adopt,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_NETWORK, .name = "choosing", .version = "1.0",
	       .description = "chooses addresses itself", .concurrency = DOCKERD_PARALLEL,
	       .capabilities = DOCKERD_NETWORK_CAP_IPV6, DOCKERD_OPTIONS(options),
	       .ops = &ops.common);
