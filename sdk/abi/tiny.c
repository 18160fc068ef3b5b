/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest driver of each kind (-DKIND_storage, ...), built against frozen headers and loaded by today's loader. -DFUTURE: as a later
 * header would have it, with more behind what is known today. It is never opened.
 */
#include <dockerd/authz.h>
#include <dockerd/exec.h>
#include <dockerd/log.h>
#include <dockerd/network.h>
#include <dockerd/storage.h>

static int32_t tiny_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	(void)args;
	(void)self;
	return dockerd_fail(err, DOCKERD_ERR_UNSUITABLE, "only made to be loaded");
}

static void tiny_close(void *self)
{
	(void)self;
}

/* Stands for every op that must be there. */
static int32_t op(void)
{
	return -1;
}
#define OP (void *)op /* called by nobody */

#ifdef FUTURE
#define LATER void *later[3];
#else
#define LATER
#endif
#define TABLE(kind)                              \
	static const struct {                    \
		struct dockerd_##kind##_ops now; \
		LATER                            \
	} table
#define COMMON .common = {.size = sizeof(table), .open = tiny_open, .close = tiny_close}

#if defined(KIND_storage)
#define KIND DOCKERD_KIND_STORAGE
#define NAME "storage"
TABLE(storage) = {.now = {COMMON, .prepare = OP, .commit = OP, .create_rw = OP, .mount = OP,
			  .unmount = OP, .remove = OP, .exists = OP, .list = OP}};
#elif defined(KIND_exec)
#define KIND DOCKERD_KIND_EXEC
#define NAME "exec"
TABLE(exec) = {.now = {COMMON, .create = OP, .start = OP, .destroy = OP}};
#elif defined(KIND_log)
#define KIND DOCKERD_KIND_LOG
#define NAME "log"
TABLE(log) = {.now = {COMMON, .stream_open = OP, .write = OP, .stream_close = OP}};
#elif defined(KIND_authz)
#define KIND DOCKERD_KIND_AUTHZ
#define NAME "authz"
TABLE(authz) = {.now = {COMMON, .request = OP}};
#elif defined(KIND_network)
#define KIND DOCKERD_KIND_NETWORK
#define NAME "network"
TABLE(network) = {.now = {COMMON}};
#endif

static const struct dockerd_option options[] = {{.key = "some",
						 .help = "an option",
						 .type = DOCKERD_OPT_INT,
						 .scope = DOCKERD_SCOPE_DAEMON,
						 .default_value = "7"}};

#ifdef FUTURE
/* A descriptor that goes on behind what today's loader knows. */
struct later_driver {
	struct dockerd_driver now;
	void *later[4];
};
extern DOCKERD_EXPORT const struct later_driver dockerd_driver_v0;
DOCKERD_EXPORT const struct later_driver dockerd_driver_v0 = {
    .now = {.magic = DOCKERD_DRIVER_MAGIC,
	    .size = sizeof(struct dockerd_driver) + 4 * sizeof(void *),
	    .abi_major = DOCKERD_ABI_MAJOR,
	    .abi_minor = DOCKERD_ABI_MINOR + 1,
	    .option_size = sizeof(struct dockerd_option),
	    .kind = KIND,
	    .name = "future-" NAME,
	    .version = "2.0",
	    .description = "of a later header",
	    .concurrency = DOCKERD_SERIAL,
	    DOCKERD_OPTIONS(options),
	    .ops = &table.now.common}};
#else
DOCKERD_DRIVER(.kind = KIND, .name = "tiny-" NAME, .version = "1.0",
	       .description = "of frozen headers", .concurrency = DOCKERD_SERIAL,
	       DOCKERD_OPTIONS(options), .ops = &table.now.common);
#endif
