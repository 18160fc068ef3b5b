/* SPDX-License-Identifier: Apache-2.0 */
/* See pipe.h. */
#include "api/pipe.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The room's side, in its thread. */
struct job {
	int fd;
	int (*work)(int fd, void *ctx, struct error *err);
	void *ctx;
	int result;
	struct error err;
};

static void *job_thread(void *arg)
{
	struct job *j = arg;

	j->result = j->work(j->fd, j->ctx, &j->err);
	fd_close(&j->fd); /* the other side sees its end, also if we stopped early */
	return NULL;
}

/* Our end of the pipe; the room's end is the job's. write_end: which one is ours. */
static int job_start(struct job *j, bool write_end, pthread_t *thread, struct error *err)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_sys(err, errno, "pipe");
	fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
	j->fd = p[write_end ? 0 : 1];
	if (thread_start_joinable("archive", job_thread, j, thread, err) < 0) {
		close(p[0]);
		close(p[1]);
		return -1;
	}
	return p[write_end ? 1 : 0];
}

static int feed(struct http_exchange *x, int to, struct error *err)
{
	for (;;) {
		ssize_t n = http_body_pass(x, to, err);

		if (n < 0 && err->sys == EPIPE) {
			error_clear(err);
			return 0; /* the reader has what it wants, or has failed and says why */
		}
		if (n <= 0)
			return (int)n;
	}
}

int api_upload(struct http_exchange *x, int (*consume)(int fd, void *ctx, struct error *err),
	       void *ctx, struct error *err)
{
	struct job j = {.work = consume, .ctx = ctx};
	pthread_t thread;
	auto_close out = job_start(&j, true, &thread, err);
	int fed;

	if (out < 0)
		return -1;
	fed = feed(x, out, err);
	fd_close(&out);
	pthread_join(thread, NULL);
	if (fed < 0)
		return -1; /* a body cut off: whatever the reader made of it is not what was meant */
	if (j.result < 0)
		*err = j.err;
	return j.result;
}

/* The head goes out with the first bytes: an error before them gets its status. */
static void pass_on(struct http_exchange *x, const char *content_type, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool gone = false;
	int n;

	while (!gone) {
		if (poll(&p, 1, -1) < 0 && errno == EINTR)
			continue;
		if (ioctl(fd, FIONREAD, &n) < 0 || n == 0)
			return; /* its other end is closed */
		if (!x->status)
			gone = http_begin(x, 200, content_type) < 0;
		if (!gone)
			gone = http_write_pipe(x, fd, (size_t)n) < 0;
	}
}

void api_download(struct http_exchange *x, const char *content_type,
		  int (*produce)(int fd, void *ctx, struct error *err), void *ctx)
{
	struct error err = ERROR_INIT;
	struct job j = {.work = produce, .ctx = ctx};
	pthread_t thread;
	auto_close in = job_start(&j, false, &thread, &err);

	if (in < 0) {
		http_reply_error(x, &err);
		return;
	}
	pass_on(x, content_type, in);
	fd_close(&in); /* a writer whose client has gone ends with EPIPE */
	pthread_join(thread, NULL);
	if (j.result < 0)
		http_reply_error(x, &j.err);
	else if (x->status)
		http_end(x);
}
