/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of the daemon (core/proto/logd.h): one at a time per connection, answered at once but for LOGD_FINISH, and for LOGD_START with a driver
 * that may wait.
 */
#include "logd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/logd.h"

#define PAIRS_MAX (16 << 20)

struct request {
	struct watch watch; /* first; the connection */
	uint32_t seq;
	bool greeted;
	struct stream *waits; /* for LOGD_START or LOGD_FINISH */
	struct client *holds; /* attached with LOGD_ATTACH_HOLD */
	struct request *next;
};

static struct watch listener;
static struct request *requests; /* open connections */
static bool ending;

static void end_if_idle(void)
{
	struct map_entry *e;
	size_t i = 0;

	if (!ending || clients_count())
		return;
	while ((e = map_next(&streams, &i)))
		if (((struct stream *)e->value)->running)
			return;
	loop_stop();
}

/* The daemon goes. What runs is read on; what has ended already is finished now, the rest when it ends. */
static void shut_down(void)
{
	struct map_entry *e;
	size_t i = 0;

	ending = true;
	while ((e = map_next(&streams, &i))) {
		struct stream *s = e->value;

		if (s->running)
			stream_finish_by_itself(s);
		else /* keeps nothing that a daemon could not tell again */
			clients_leave_stream(s);
	}
}

bool control_ending(void)
{
	return ending;
}

void control_client_gone(void)
{
	end_if_idle();
}

void control_stream_gone(void)
{
	end_if_idle();
}

static void request_close(struct request *r)
{
	struct request **at = &requests;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	/* it goes on without us */
	if (r->waits && r->waits->start == r)
		r->waits->start = NULL;
	if (r->waits && r->waits->finish == r)
		r->waits->finish = NULL;
	/* who was to send it the past did not come to its end: it has a gap */
	if (r->holds)
		client_drop(r->holds);
	loop_close(&r->watch);
	loop_free_later(r);
}

void request_done(struct request *r)
{
	struct error err = ERROR_INIT;

	r->waits = NULL;
	if (msg_reply_ok(r->watch.fd, r->seq, &err) < 0)
		request_close(r);
}

void request_failed(struct request *r, const struct error *why)
{
	struct error err = ERROR_INIT;

	r->waits = NULL;
	if (msg_reply_error(r->watch.fd, r->seq, why, &err) < 0)
		request_close(r);
}

void request_lost_client(struct request *r)
{
	r->holds = NULL;
}

void told_free(struct told *t)
{
	free(t->container_id);
	free(t->container_name);
	free(t->image_id);
	free(t->image_name);
	free(t->command);
	free(t->log_path);
	free(t->daemon_name);
	free(t->copy_driver);
	free(t->copy_path);
	pairs_free(&t->copy_options);
	pairs_free(&t->labels);
	pairs_free(&t->env);
	pairs_free(&t->options);
	*t = (struct told){0};
}

/* 'l', 'e' or 'o', key NUL, value NUL, ...; copy: all are options of the copy's driver. */
static int take_pairs(struct told *t, bool copy, const char *p, size_t n, struct error *err)
{
	const char *end = p + n;

	while (p < end) {
		struct pairs *to = copy        ? &t->copy_options
				   : *p == 'l' ? &t->labels
				   : *p == 'e' ? &t->env
				   : *p == 'o' ? &t->options
					       : NULL;
		const char *key = p + 1, *value;
		size_t len = strnlen(key, (size_t)(end - key));

		if (!to || key + len >= end)
			return error_set(err, ERR_INVALID, "malformed pairs");
		value = key + len + 1;
		len = strnlen(value, (size_t)(end - value));
		if (value + len >= end)
			return error_set(err, ERR_INVALID, "malformed pairs");
		pairs_add(to, key, value);
		p = value + len + 1;
	}
	return 0;
}

static int take_told(struct told *t, struct msg *m, struct error *err)
{
	const struct {
		char **to;
		uint16_t tag;
	} strings[] = {
	    {&t->container_id, LOGD_CONTAINER_ID}, {&t->container_name, LOGD_CONTAINER_NAME},
	    {&t->image_id, LOGD_IMAGE_ID},         {&t->image_name, LOGD_IMAGE_NAME},
	    {&t->command, LOGD_COMMAND},           {&t->log_path, LOGD_LOG_PATH},
	    {&t->daemon_name, LOGD_DAEMON_NAME},   {&t->copy_driver, LOGD_COPY_DRIVER},
	    {&t->copy_path, LOGD_COPY_PATH},
	};
	auto_close memfd = msg_take_fd(m, LOGD_PAIRS_FD);
	auto_str text = STR_INIT;
	const void *p;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		*strings[i].to = xstrdup_null(msg_get_str(m, strings[i].tag));
	t->created = msg_get_i64(m, LOGD_CREATED, 0);
	if (msg_get(m, LOGD_COPY_OPTIONS, &p, &n) && take_pairs(t, true, p, n, err) < 0)
		return -1;
	if (memfd >= 0) {
		/* the sender's own position is shared: read from the start */
		if (lseek(memfd, 0, SEEK_SET) < 0 || file_read_fd(memfd, PAIRS_MAX, &text, err) < 0)
			return -1;
		return take_pairs(t, false, str_cstr(&text), text.len, err);
	}
	return msg_get(m, LOGD_PAIRS, &p, &n) ? take_pairs(t, false, p, n, err) : 0;
}

static int do_open(struct msg *m, struct error *err)
{
	const char *id = msg_get_str(m, LOGD_ID);
	uint32_t flags = msg_get_u32(m, LOGD_FLAGS, 0);
	struct told told = {0};
	struct stream *s;

	if (str_empty(id))
		return error_set(err, ERR_INVALID, "no stream id");
	if (take_told(&told, m, err) < 0) {
		told_free(&told);
		return -1;
	}
	s = map_get(&streams, id);
	if (!s)
		s = stream_new(id);
	told_free(&s->told);
	s->told = told;
	s->exec = flags & LOGD_EXEC;
	if (!s->running)
		s->terminal = flags & LOGD_TERMINAL;
	s->stdin_once = flags & LOGD_STDIN_ONCE;
	s->non_blocking = flags & LOGD_NON_BLOCKING;
	s->max_buffer = msg_get_u64(m, LOGD_MAX_BUFFER, 0);
	return 0;
}

static int do_start(struct request *req, struct stream *s, struct msg *m, struct error *err)
{
	struct stream_fds fds = {
	    .in = msg_take_fd(m, LOGD_FD_IN),
	    .out = msg_take_fd(m, LOGD_FD_OUT),
	    .err = msg_take_fd(m, LOGD_FD_ERR),
	    .console = msg_take_fd(m, LOGD_FD_CONSOLE),
	};
	bool running = msg_get_u32(m, LOGD_FLAGS, 0) & LOGD_START_RUNNING;
	int r = stream_start(s, &fds, running,
			     (int)(msg_get_u32(m, LOGD_TIMEOUT, 10000) & 0x7fffffff), req, err);

	if (r > 0)
		req->waits = s;
	fd_close(&fds.in);
	fd_close(&fds.out);
	fd_close(&fds.err);
	fd_close(&fds.console);
	return r;
}

static int do_attach(struct request *r, struct stream *s, struct msg *m, struct error *err)
{
	auto_close sock = msg_take_fd(m, LOGD_FD_SOCK);
	struct attach a = {.sock = sock, .flags = msg_get_u32(m, LOGD_FLAGS, 0)};

	if (sock < 0)
		return error_set(err, ERR_INVALID, "attach without a socket");
	if (r->holds)
		return error_set(err, ERR_CONFLICT, "a client is held");
	if (a.flags & LOGD_ATTACH_HOLD)
		a.held = r;
	msg_get(m, LOGD_PENDING, &a.pending, &a.pending_n);
	msg_get(m, LOGD_KEYS, &a.keys, &a.keys_n);
	if (client_add(s, &a, a.held ? &r->holds : NULL, err) < 0)
		return -1;
	sock = -1;
	FAULT("logd.control.attached");
	return 0;
}

static void do_release(struct request *r)
{
	struct client *c = r->holds;

	r->holds = NULL;
	if (c)
		client_release(c);
}

/* 1: answered later. */
static int do_stream(struct request *r, struct msg *m, struct error *err)
{
	struct stream *s = stream_get(msg_get_str(m, LOGD_ID), err);

	if (!s)
		return -1;
	switch (m->type) {
	case LOGD_START:
		return do_start(r, s, m, err);
	case LOGD_ATTACH:
		return do_attach(r, s, m, err);
	case LOGD_FLUSH:
		return 0; /* what was read is with the driver, or in the queue of one that keeps nothing to read */
	case LOGD_REMOVE:
		stream_remove(s);
		return 0;
	case LOGD_FINISH:
		if (!s->running) {
			clients_end(s);
			stream_remove(s);
			return 0;
		}
		if (s->finish)
			return error_set(err, ERR_CONFLICT, "stream %s is being finished already",
					 s->id);
		r->waits = s;
		stream_finish(s, r, (int)(msg_get_u32(m, LOGD_TIMEOUT, 0) & 0x7fffffff));
		return 1;
	default:
		return error_set(err, ERR_NOT_IMPLEMENTED, "dockerd-logd does not know request %u",
				 m->type);
	}
}

static int dispatch(struct request *r, struct msg *m, struct error *err)
{
	uint32_t version;

	FAULT("logd.control.request");
	if (m->type == MSG_HELLO) {
		r->greeted = true;
		return msg_hello_server(r->watch.fd, m, "dockerd-logd", LOGD_VERSION_MIN,
					LOGD_VERSION_MAX, &version, err) < 0
			   ? -1
			   : 1;
	}
	if (!r->greeted)
		return error_set(err, ERR_INVALID, "no hello");
	if (m->type == LOGD_SHUTDOWN) {
		shut_down();
		return 0;
	}
	ending = false; /* a daemon is back */
	if (m->type == LOGD_OPEN)
		return do_open(m, err);
	if (m->type == LOGD_RELEASE) {
		do_release(r);
		return 0;
	}
	return do_stream(r, m, err);
}

static void request_ready(struct watch *w, uint32_t events)
{
	struct request *r = (struct request *)w;
	struct error err = ERROR_INIT, send_err = ERROR_INIT;
	auto_msg m = {0};
	int got = msg_recv(w->fd, &m, 0, &err), done;

	(void)events;
	if (got <= 0) {
		request_close(r);
		return;
	}
	r->seq = m.seq;
	done = r->waits ? error_set(&err, ERR_CONFLICT, "a request is under way")
			: dispatch(r, &m, &err);
	if (w->fd < 0)
		return;
	if ((done == 0 && msg_reply_ok(w->fd, r->seq, &send_err) < 0) ||
	    (done < 0 && msg_reply_error(w->fd, r->seq, &err, &send_err) < 0))
		request_close(r);
	end_if_idle();
}

static void listener_ready(struct watch *w, uint32_t events)
{
	struct request *r;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	r = xnew(struct request);
	r->watch = (struct watch){.ready = request_ready, .fd = fd};
	r->next = requests;
	requests = r;
	loop_want(&r->watch, EPOLLIN);
}

int control_setup(int fd, struct error *err)
{
	listener = (struct watch){.ready = listener_ready, .fd = fd};
	(void)err;
	loop_want(&listener, EPOLLIN);
	return 0;
}

void control_end(void)
{
	loop_close(&listener);
	while (requests)
		request_close(requests);
}
