/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log driver for tests, with a sink that may be away, hang, or refuse. What it takes is appended to log_path, a line per message. Options say what
 * is wrong, per container.
 */
#include <dockerd/log.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct stream {
	int fd, cancel;
	char *hang, *gate, *refuse;
};

static int32_t slow_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	(void)args;
	(void)err;
	*self = NULL;
	return 0;
}

static void slow_close(void *self)
{
	(void)self;
}

/* Until nobody waits for us any more; deaf: not even then. */
static int32_t hang(int cancel, int deaf, struct dockerd_error *err)
{
	struct pollfd p = {cancel, POLLIN, 0};

	while (deaf)
		pause();
	while (poll(&p, 1, -1) < 1)
		;
	return dockerd_fail(err, DOCKERD_ERR_CANCELLED, "slow_sink: cancelled");
}

static char *text(const struct dockerd_log_info *info, const char *key)
{
	const struct dockerd_value *v = dockerd_option_get(info->options, key);

	return strdup(v ? v->text : "");
}

static int32_t away(const char *gate, struct dockerd_error *err)
{
	return *gate && access(gate, F_OK) < 0
		   ? dockerd_fail(err, DOCKERD_ERR_UNAVAILABLE, "slow_sink: %s is not there", gate)
		   : 0;
}

static void stream_close(void *self, void *stream)
{
	struct stream *s = stream;

	(void)self;
	close(s->fd);
	free(s->hang);
	free(s->gate);
	free(s->refuse);
	free(s);
}

static int32_t stream_open(void *self, const struct dockerd_log_info *info, void **stream,
			   struct dockerd_error *err)
{
	struct stream *s = calloc(1, sizeof(*s));
	char *open_gate = text(info, "open-gate");
	int32_t r = away(open_gate, err);

	free(open_gate);
	s->fd = open(info->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	s->cancel = info->cancel_fd;
	s->hang = text(info, "hang");
	s->gate = text(info, "gate");
	s->refuse = text(info, "refuse");
	if (r == 0 && !strncmp(s->hang, "open", 4))
		r = hang(s->cancel, !strcmp(s->hang, "open-deaf"), err);
	if (r < 0)
		stream_close(self, s);
	else
		*stream = s;
	return r;
}

static int32_t stream_write(void *self, void *stream, const struct dockerd_log_message *messages,
			    uint32_t n, uint32_t *done, struct dockerd_error *err)
{
	const struct stream *s = stream;

	(void)self;
	for (*done = 0; *done < n; ++*done) {
		const struct dockerd_log_message *m = DOCKERD_AT(messages, *done);

		if (!strncmp(s->hang, "write", 5))
			return hang(s->cancel, !strcmp(s->hang, "write-deaf"), err);
		if (away(s->gate, err) < 0)
			return -1;
		if (*s->refuse && m->length == strlen(s->refuse) &&
		    !memcmp(m->data, s->refuse, m->length))
			return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "slow_sink: not this one");
		if (write(s->fd, m->data, m->length) < 0 || write(s->fd, "\n", 1) < 0)
			return dockerd_fail_errno(err, errno, "slow_sink: write");
	}
	return 0;
}

#define OPTION(name, what)                                             \
	{                                                              \
		.key = name, .help = what, .type = DOCKERD_OPT_STRING, \
		.scope = DOCKERD_SCOPE_CONTAINER                       \
	}
static const struct dockerd_option options[] = {
    OPTION("hang", "open, open-deaf, write, write-deaf"),
    OPTION("open-gate", "file without which the sink can't be opened"),
    OPTION("gate", "file without which nothing is taken"),
    OPTION("refuse", "message that is refused"),
};

static const struct dockerd_log_ops ops = {
    .common = {.size = sizeof(ops), .open = slow_open, .close = slow_close},
    .stream_open = stream_open,
    .write = stream_write,
    .stream_close = stream_close,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_LOG, .name = "slow_sink", .version = "1.0",
	       .description = "a sink that may be away, hang, or refuse",
	       .concurrency = DOCKERD_PER_OBJECT, DOCKERD_OPTIONS(options), .ops = &ops.common);
