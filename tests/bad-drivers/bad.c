/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers that each commit one sin, chosen by -DSIN=NAME; built as shared objects by test_bad_drivers.sh. The basis is a log driver that appends to
 * log_path, and does it right. Sins of storage drivers: bad_storage.c.
 */
#include <dockerd/authz.h>
#include <dockerd/log.h>
#include <dockerd/storage.h>

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	NONE,
	MAGIC,
	SHORT,
	KIND,
	MAJOR,
	MINOR,
	OP,
	LIAR,
	NAME,
	SYMBOL,
	OPTION,
	CONCURRENCY,
	NO_OPS,
	/* the loader can't see these */
	SILENT,
	FDS,
	INHERITED,
	PRINTS,
	THREADS,
	MOUNTS,
	HANGS,
	CRASHES,
	EXITS,
	CONSTRUCTOR,
	PROBE,
	EXPORTS,
	MEMORY,
	SERVICE,
	CLOSES,
	UMASK,
	DIRECTORY,
	ENVIRONMENT,
	LOCALE,
	HANDLER,
	MASK,
	BUFFERS,
	STREAM_FD,
	DISCARDS,
	DEAF,
	PREFIX
};

static char nothing;
static const struct dockerd_host *host;
static void *kept;

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int32_t bad_probe(const struct dockerd_open *args, struct dockerd_error *err)
{
	char path[4096];

	(void)err;
	if (SIN == PROBE) {
		snprintf(path, sizeof(path), "%s/probed", args->root);
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	return 0;
}

static int32_t bad_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	pthread_t t;
	sigset_t set;

	host = args->host;
	*self = &nothing;
	switch (SIN) {
	case SILENT:
		return -1;
	case FDS:
		return open("/dev/null", O_RDONLY | O_CLOEXEC) < 0
			   ? dockerd_fail_errno(err, errno, "open")
			   : 0;
	case INHERITED:
		kept = fopen("/dev/null", "r");
		return 0;
	case PRINTS:
		puts("hello from the driver");
		fflush(stdout);
		return 0;
	case THREADS:
		return pthread_create(&t, NULL, sleep_for_ever, NULL)
			   ? dockerd_fail(err, DOCKERD_ERR_SYSTEM, "thread")
			   : 0;
	case MOUNTS:
		return args->host->mount(args->host, "tmpfs", args->state, "tmpfs", 0, NULL, err);
	case HANGS:
		sleep_for_ever(NULL);
		return 0;
	case CRASHES:
		abort();
	case EXITS:
		exit(0);
	case MEMORY:
		args->host->alloc(args->host, 100);
		return 0;
	case SERVICE: /* believes that memory is always there */
		kept = args->host->alloc(args->host, 1);
		*(volatile char *)kept = 1;
		return 0;
	case CLOSES:
		close(0);
		return 0;
	case UMASK:
		umask(077);
		return 0;
	case DIRECTORY:
		return chdir(args->root);
	case ENVIRONMENT:
		return setenv("TZ", "UTC", 1);
	case LOCALE:
		return setlocale(LC_ALL, "C.UTF-8") ? 0 : -1;
	case HANDLER:
		signal(SIGUSR1, SIG_IGN);
		return 0;
	case MASK:
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		return pthread_sigmask(SIG_BLOCK, &set, NULL);
	case BUFFERS:
		printf("hello from a buffer");
		return 0;
	default:
		return 0;
	}
}

static void bad_close(void *self)
{
	(void)self;
	if (SIN == INHERITED)
		fclose((FILE *)kept);
	if (SIN == SERVICE)
		host->free(host, kept);
}

struct stream {
	int fd;
	FILE *extra;
};

static int32_t stream_open(void *self, const struct dockerd_log_info *info, void **stream,
			   struct dockerd_error *err)
{
	struct stream *s = calloc(1, sizeof(*s));

	(void)self;
	s->fd = open(info->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (SIN == STREAM_FD)
		s->extra = fopen("/dev/null", "r");
	*stream = s;
	return s->fd < 0 ? dockerd_fail_errno(err, errno, "%s", info->log_path) : 0;
}

static int32_t stream_write(void *self, void *stream, const struct dockerd_log_message *messages,
			    uint32_t n, uint32_t *done, struct dockerd_error *err)
{
	struct stream *s = stream;

	(void)self;
	if (SIN == DEAF)
		sleep_for_ever(NULL);
	for (*done = 0; *done < n && SIN != DISCARDS; ++*done) {
		const struct dockerd_log_message *m = DOCKERD_AT(messages, *done);

		if (write(s->fd, m->data, m->length) < 0)
			return dockerd_fail_errno(err, errno, "write");
	}
	*done = n;
	return 0;
}

static void stream_close(void *self, void *stream)
{
	struct stream *s = stream;

	(void)self;
	if (s->extra)
		fclose(s->extra);
	close(s->fd);
	free(s);
}

static const struct dockerd_log_ops ops = {
    .common = {.size = sizeof(ops), .probe = bad_probe, .open = bad_open, .close = bad_close},
    .stream_open = stream_open,
    .write = SIN == OP ? NULL : stream_write,
    .stream_close = stream_close,
};

static int32_t request(void *self, const struct dockerd_authz_request *r,
		       struct dockerd_authz_verdict *verdict, struct dockerd_error *err)
{
	(void)self, (void)r, (void)err;
	verdict->verdict = DOCKERD_AUTHZ_ALLOW;
	return 0;
}

/* The kinds whose daemon options are one list. */
static const struct dockerd_authz_ops authz_ops = {
    .common = {.size = sizeof(authz_ops), .probe = bad_probe, .open = bad_open, .close = bad_close},
    .request = request,
};

static const struct dockerd_option options[] = {
    {.key = "fine", .help = "an option", .type = DOCKERD_OPT_STRING, .scope = DOCKERD_SCOPE_DAEMON},
    {.key = "odd",
     .help = "of no type",
     .type = SIN == OPTION ? 99 : DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_DAEMON},
};

#if SIN_EXPORTS
int helper_that_should_be_static(void);
DOCKERD_EXPORT int helper_that_should_be_static(void)
{
	return 0;
}
#endif

__attribute__((constructor)) static void before_all(void)
{
	if (SIN == CONSTRUCTOR)
		abort();
}

#if SIN_SYMBOL
#define dockerd_driver_v0 dockerd_driver_v9
#endif
DOCKERD_DRIVER(.magic = SIN == MAGIC ? 0xbadc0de : DOCKERD_DRIVER_MAGIC,
	       .size = SIN == SHORT ? 16 : sizeof(struct dockerd_driver),
	       .abi_major = SIN == MAJOR ? 7 : DOCKERD_ABI_MAJOR,
	       .min_host_minor = SIN == MINOR ? 999 : 0,
	       .kind = SIN == KIND     ? DOCKERD_KIND_STORAGE
		       : SIN == PREFIX ? DOCKERD_KIND_AUTHZ
				       : DOCKERD_KIND_LOG,
	       .name = SIN == NAME ? "somebody-else" : NAME_TEXT, .version = "1.0",
	       .description = "commits one sin",
	       .concurrency = SIN == CONCURRENCY ? 9 : DOCKERD_PARALLEL,
	       .capabilities = SIN == LIAR ? DOCKERD_LOG_CAP_READ : 0, DOCKERD_OPTIONS(options),
	       .ops = SIN == NO_OPS   ? NULL
		      : SIN == PREFIX ? &authz_ops.common
				      : &ops.common);
