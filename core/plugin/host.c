/* SPDX-License-Identifier: Apache-2.0 */
/* The host service table: what a driver may ask of the process that loaded it. */
#include "plugin/plugin_int.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct plugin_services services;
static void (*host_filter)(struct dockerd_host *host);

void plugin_set_host_filter(void (*filter)(struct dockerd_host *host))
{
	host_filter = filter;
}

void plugin_set_services(const struct plugin_services *s)
{
	services = *s;
}

struct plugin_services plugin_get_services(void)
{
	return services;
}

static const struct plugin *plugin_of(const struct dockerd_host *host)
{
	return host->reserved;
}

static int32_t fail_with(struct dockerd_error *to, const struct error *from)
{
	static const uint32_t category_of[ERR_KINDS] = {
	    [ERR_SYSTEM] = DOCKERD_ERR_SYSTEM,
	    [ERR_INVALID] = DOCKERD_ERR_INVALID,
	    [ERR_DENIED] = DOCKERD_ERR_DENIED,
	    [ERR_NOT_FOUND] = DOCKERD_ERR_NOT_FOUND,
	    [ERR_CONFLICT] = DOCKERD_ERR_CONFLICT,
	    [ERR_UNAVAILABLE] = DOCKERD_ERR_UNAVAILABLE,
	    [ERR_CANCELLED] = DOCKERD_ERR_CANCELLED,
	    [ERR_NOT_IMPLEMENTED] = DOCKERD_ERR_NOT_IMPLEMENTED,
	};
	uint32_t category = category_of[from->kind];

	dockerd_fail(to, category ? category : DOCKERD_ERR_SYSTEM, "%s", from->text);
	to->sys_errno = from->sys;
	return -1;
}

static void host_log(const struct dockerd_host *host, uint32_t level, const char *message)
{
	const struct plugin *p = plugin_of(host);
	enum log_level l = level == DOCKERD_LOG_ERROR  ? LOG_LEVEL_ERROR
			   : level == DOCKERD_LOG_WARN ? LOG_LEVEL_WARN
			   : level == DOCKERD_LOG_INFO ? LOG_LEVEL_INFO
						       : LOG_LEVEL_DEBUG;

	log_fields(l, message, "kind", plugin_kind_name(p->kind), "driver", p->name, (char *)0);
}

static int32_t host_has_extension(const struct dockerd_host *host, const char *name)
{
	(void)host;
	(void)name; /* 0.1 is the first: there is nothing beyond it yet */
	return 0;
}

static int32_t host_mount(const struct dockerd_host *host, const char *source, const char *target,
			  const char *fstype, uint64_t flags, const char *data,
			  struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	(void)host;
	if (services.mounted && services.mounted(target, &err) < 0)
		return fail_with(derr, &err);
	FAULT("plugin.mount.recorded");
	if (mount(source, target, fstype, (unsigned long)flags, data) == 0) {
		FAULT("plugin.mount.made");
		return 0;
	}
	dockerd_fail_errno(derr, errno, "mount %s at %s", fstype ? fstype : source, target);
	if (services.unmounted)
		services.unmounted(target);
	return -1;
}

static int32_t host_unmount(const struct dockerd_host *host, const char *target, uint64_t flags,
			    struct dockerd_error *derr)
{
	(void)host;
	if (umount2(target, (int)flags) < 0 && errno != EINVAL && errno != ENOENT)
		return dockerd_fail_errno(derr, errno, "unmount %s", target);
	FAULT("plugin.mount.unmade");
	if (services.unmounted)
		services.unmounted(target);
	return 0;
}

/* Read the child's output until it ends or the deadline passes; reaps it. */
static int wait_output(pid_t pid, int fd, int64_t deadline, char *output, size_t size,
		       int32_t *status)
{
	auto_close pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	size_t len = 0;
	int st;
	bool late = false, open = true;

	for (;;) {
		struct pollfd p[2] = {{.fd = open ? fd : -1, .events = POLLIN},
				      {.fd = pidfd, .events = POLLIN}};
		int64_t left = (deadline - clock_mono_ns()) / 1000000;
		char drop[512];
		ssize_t n = 0;

		if (left <= 0) {
			late = true;
			kill(pid, SIGKILL);
			break;
		}
		if (poll(p, 2, (int)(left > 60000 ? 60000 : left)) < 0 && errno != EINTR)
			break;
		if (p[0].revents) {
			if (len + 1 < size)
				n = read(fd, output + len, size - 1 - len);
			else
				n = read(fd, drop, sizeof(drop));
			if (n > 0 && len + 1 < size)
				len += (size_t)n;
			else if (n == 0)
				open = false;
		} else if (p[1].revents) {
			break;
		}
	}
	if (size)
		output[len] = '\0';
	while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	*status = st;
	return late ? -1 : 0;
}

static int32_t host_run(const struct dockerd_host *host, const char *const *argv,
			uint32_t deadline_ms, char *output, uint32_t output_size, int32_t *status,
			struct dockerd_error *derr)
{
	static const char *const path_env[] = {
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	struct error err = ERROR_INIT;
	auto_close rd = -1, wr = -1;
	int p[2];
	int fds[3];
	struct spawn s = {.path = argv[0],
			  .argv = argv,
			  .envp = path_env,
			  .fds = fds,
			  .n_fds = 3,
			  .new_session = true};
	pid_t pid;

	(void)host;
	if (argv[0][0] != '/')
		return dockerd_fail(derr, DOCKERD_ERR_INVALID,
				    "host service run: argv[0] is '%s', expected an absolute path",
				    argv[0]);
	if (pipe2(p, O_CLOEXEC) < 0)
		return dockerd_fail_errno(derr, errno, "pipe");
	rd = p[0];
	wr = p[1];
	fds[0] = -1;
	fds[1] = fds[2] = wr;
	pid = spawn_program(&s, &err);
	if (pid < 0)
		return fail_with(derr, &err);
	fd_close(&wr);
	if (wait_output(pid, rd, clock_mono_ns() + deadline_ms * INT64_C(1000000), output,
			output_size, status) < 0)
		return dockerd_fail(derr, DOCKERD_ERR_UNAVAILABLE,
				    "%s did not end within %u ms and was killed", argv[0],
				    deadline_ms);
	return 0;
}

static int32_t host_firewall(const struct dockerd_host *host, uint32_t family, const char *rules,
			     struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	(void)host;
	return services.firewall(NULL, (int)family, rules, &err) < 0 ? fail_with(derr, &err) : 0;
}

static int32_t host_firewall_batch(const struct dockerd_host *host, void *batch, uint32_t family,
				   const char *rules, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	(void)host;
	return services.firewall(batch, (int)family, rules, &err) < 0 ? fail_with(derr, &err) : 0;
}

static int32_t host_proxy_start(const struct dockerd_host *host, const char *proto,
				const char *host_ip, uint32_t host_port, const char *container_ip,
				uint32_t container_port, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	(void)host;
	return services.proxy_start(proto, host_ip, host_port, container_ip, container_port, &err) <
		       0
		   ? fail_with(derr, &err)
		   : 0;
}

static int32_t host_proxy_stop(const struct dockerd_host *host, const char *proto,
			       const char *host_ip, uint32_t host_port, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	(void)host;
	return services.proxy_stop(proto, host_ip, host_port, &err) < 0 ? fail_with(derr, &err) : 0;
}

static void *host_alloc(const struct dockerd_host *host, size_t size)
{
	(void)host;
	return calloc(1, size ? size : 1);
}

static void host_free(const struct dockerd_host *host, void *p)
{
	(void)host;
	free(p);
}

struct dockerd_host *plugin_host_new(const struct plugin *p)
{
	struct dockerd_host *h = xnew(struct dockerd_host);

	h->size = sizeof(*h);
	h->abi_minor = DOCKERD_ABI_MINOR;
	h->log = host_log;
	h->has_extension = host_has_extension;
	h->mount = host_mount;
	h->unmount = host_unmount;
	h->run = host_run;
	h->alloc = host_alloc;
	h->free = host_free;
	if (services.firewall) {
		h->firewall = host_firewall;
		h->firewall_batch = host_firewall_batch;
	}
	if (services.proxy_start && services.proxy_stop) {
		h->proxy_start = host_proxy_start;
		h->proxy_stop = host_proxy_stop;
	}
	h->reserved = (void *)(uintptr_t)p;
	if (host_filter)
		host_filter(h);
	return h;
}
