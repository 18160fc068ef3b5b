/* SPDX-License-Identifier: Apache-2.0 */
/* The native exec driver's face: descriptor, ops, errors. See native.h for the rest. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Between create and start, which are one process: our end of the first process's socket. */
struct native {
	int sync;
};

static int32_t give(struct dockerd_error *to, const struct error *from)
{
	static const uint32_t categories[ERR_KINDS] = {
	    [ERR_INVALID] = DOCKERD_ERR_INVALID,
	    [ERR_DENIED] = DOCKERD_ERR_DENIED,
	    [ERR_NOT_FOUND] = DOCKERD_ERR_NOT_FOUND,
	    [ERR_CONFLICT] = DOCKERD_ERR_CONFLICT,
	    [ERR_UNAVAILABLE] = DOCKERD_ERR_UNAVAILABLE,
	    [ERR_UNSUITABLE] = DOCKERD_ERR_UNSUITABLE,
	    [ERR_CANCELLED] = DOCKERD_ERR_CANCELLED,
	    [ERR_NOT_IMPLEMENTED] = DOCKERD_ERR_NOT_IMPLEMENTED,
	    [ERR_NO_COMMAND] = DOCKERD_ERR_NO_COMMAND,
	    [ERR_NO_PERMISSION] = DOCKERD_ERR_NO_PERMISSION,
	};
	uint32_t category = categories[from->kind];

	dockerd_fail(to, category ? category : DOCKERD_ERR_SYSTEM, "%s", from->text);
	to->sys_errno = from->sys;
	return -1;
}

static int32_t probe(const struct dockerd_open *args, struct dockerd_error *err)
{
	(void)args;
	if (geteuid() != 0)
		return dockerd_fail(err, DOCKERD_ERR_UNSUITABLE, "native: needs root");
	return 0;
}

static const struct dockerd_option option_table[] = {
    {.key = "native.cgroupdriver",
     .default_value = "cgroupfs",
     .help = "who makes the control groups of containers",
     .choices = "cgroupfs|systemd",
     .type = DOCKERD_OPT_CHOICE,
     .scope = DOCKERD_SCOPE_DAEMON},
};

static int32_t open_driver(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	const struct dockerd_value *manager =
	    dockerd_option_get(args->options, "native.cgroupdriver");
	struct native *n;

	if (manager && streq(manager->text, "systemd"))
		return dockerd_fail(err, DOCKERD_ERR_NOT_IMPLEMENTED,
				    "native.cgroupdriver=systemd is not built yet: use "
				    "native.cgroupdriver=cgroupfs");
	n = calloc(1, sizeof(*n));

	if (!n)
		return dockerd_fail_errno(err, ENOMEM, "native");
	n->sync = -1;
	*self = n;
	return 0;
}

static void close_driver(void *self)
{
	struct native *n = self;

	fd_close(&n->sync);
	free(n);
}

static int32_t create(void *self, const struct dockerd_container *c, const struct dockerd_stdio *io,
		      struct dockerd_created *out, struct dockerd_error *derr)
{
	struct native *n = self;
	struct error err = ERROR_INIT;

	out->netns_fd = out->netlink_fd = out->console_fd = -1;
	return native_create(c, io, out, &n->sync, &err) < 0 ? give(derr, &err) : 0;
}

static int32_t start(void *self, const struct dockerd_container *c, struct dockerd_error *derr)
{
	struct native *n = self;
	struct error err = ERROR_INIT;
	int r;

	(void)c;
	if (sync_send(n->sync, SYNC_START, -1, &err) < 0)
		return give(derr, &err);
	r = sync_receive(n->sync, SYNC_READY, NULL, SYNC_DEADLINE_MS,
			 &err); /* closed: it was executed */
	fd_close(&n->sync);
	return r < 0 ? give(derr, &err) : 0;
}

static int32_t destroy(void *self, const struct dockerd_container *c, struct dockerd_error *derr)
{
	struct native *n = self;
	struct error err = ERROR_INIT;
	struct cgroup g;
	int r;

	fd_close(&n->sync); /* a first process that still waits ends */
	r = cgroup_open(&g, c->state_fd, &err);
	if (r == 0)
		r = cgroup_destroy(&g, &err);
	cgroup_close(&g);
	return r < 0 ? give(derr, &err) : 0;
}

static int32_t exec(void *self, const struct dockerd_container *c, const char *process,
		    uint64_t len, const struct dockerd_stdio *io, struct dockerd_created *out,
		    struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	(void)self;
	out->netns_fd = out->netlink_fd = out->console_fd = -1;
	return native_session(c, process, (size_t)len, io, out, &err) < 0 ? give(derr, &err) : 0;
}

static int32_t signal_all(void *self, const struct dockerd_container *c, int32_t signo,
			  uint32_t all, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;
	struct cgroup g;
	int r;

	(void)self;
	(void)all;
	r = cgroup_open(&g, c->state_fd, &err);
	if (r == 0)
		r = cgroup_signal_all(&g, signo, &err);
	cgroup_close(&g);
	return r < 0 ? give(derr, &err) : 0;
}

static int32_t freeze(const struct dockerd_container *c, bool frozen, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;
	struct cgroup g;
	int r;

	r = cgroup_open(&g, c->state_fd, &err);
	if (r == 0)
		r = cgroup_freeze(&g, frozen, &err);
	cgroup_close(&g);
	return r < 0 ? give(derr, &err) : 0;
}

static int32_t pause_container(void *self, const struct dockerd_container *c,
			       struct dockerd_error *err)
{
	(void)self;
	return freeze(c, true, err);
}

static int32_t resume(void *self, const struct dockerd_container *c, struct dockerd_error *err)
{
	(void)self;
	return freeze(c, false, err);
}

static int32_t update(void *self, const struct dockerd_container *c, const char *resources,
		      uint64_t len, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;
	auto_json *doc = json_parse(resources, (size_t)len, &err);
	struct cgroup g;
	int r;

	(void)self;
	if (!doc)
		return give(derr, &err);
	r = cgroup_open(&g, c->state_fd, &err);
	if (r == 0)
		r = cgroup_limit(&g, doc, false, &err);
	cgroup_close(&g);
	return r < 0 ? give(derr, &err) : 0;
}

static const struct dockerd_exec_ops ops = {
    .common = {.size = sizeof(ops), .probe = probe, .open = open_driver, .close = close_driver},
    .create = create,
    .start = start,
    .destroy = destroy,
    .exec = exec,
    .signal = signal_all,
    .pause = pause_container,
    .resume = resume,
    .update = update,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_EXEC, .name = "native", .version = PACKAGE_VERSION,
	       .description = "containers made with the kernel's own calls",
	       .concurrency = DOCKERD_PER_OBJECT,
	       .capabilities = DOCKERD_EXEC_CAP_PAUSE | DOCKERD_EXEC_CAP_UPDATE |
			       DOCKERD_EXEC_CAP_EXEC | DOCKERD_EXEC_CAP_CGROUP,
	       DOCKERD_OPTIONS(option_table), .ops = &ops.common);
