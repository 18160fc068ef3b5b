/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stdio of one container or exec session. Output goes to attached clients as it was read and to the log line by line; while a client or
 * the log has no room, the process's pipes are left alone and fill up: that stops this process and no other.
 */
#include "logd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"

#define SPLICE_MIN 16384     /* less is read and sent sooner than passed on */
#define LAST_WRITES_MS 10000 /* for the sink of a container that ended while no daemon was there */

struct map streams = MAP_INIT;
static size_t n_timed; /* streams that wait for a deadline: to be finished, or for their sink */

/* Every read goes here; a begun line is put in front of it. */
static char space[PART_MAX + READ_MAX];
static struct dockerd_log_message messages[BATCH_MAX];

static void source_ready(struct watch *w, uint32_t events);
static void input_ready(struct watch *w, uint32_t events);
static void check_finished(struct stream *s);

struct stream *stream_get(const char *id, struct error *err)
{
	struct stream *s = id ? map_get(&streams, id) : NULL;

	if (!s)
		error_set(err, ERR_NOT_FOUND, "logd has no stream %s", id ? id : "without an id");
	return s;
}

static void source_init(struct stream *s, struct source *src, uint32_t which)
{
	*src = (struct source){.watch = {.ready = source_ready, .fd = -1},
			       .stream = s,
			       .split = {.source = which},
			       .ended = true};
}

struct stream *stream_new(const char *id)
{
	struct stream *s = xnew(struct stream);

	s->id = xstrdup(id);
	source_init(s, &s->out, DOCKERD_LOG_STDOUT);
	source_init(s, &s->err, DOCKERD_LOG_STDERR);
	s->in_watch = (struct watch){.ready = input_ready, .fd = -1};
	map_set(&streams, id, s);
	return s;
}

/* ---- output ---------------------------------------------------------------------------------------------------------------------------- */

static bool must_wait(const struct stream *s)
{
	/* an ended process can't write much more: its last output is not held back by a slow client, but by one that is still sent the past */
	return s->held ||
	       clients_full(s, s->finishing ? 2 * CLIENT_BUFFER_MAX : CLIENT_BUFFER_MAX) ||
	       (s->sink && sink_full(s->sink));
}

static void want_source(struct source *src)
{
	uint32_t events = must_wait(src->stream) ? 0 : EPOLLIN;

	if (src->stream->terminal && src->stream->input.len)
		events |= EPOLLOUT;
	loop_want(&src->watch, events);
}

void stream_resume(struct stream *s)
{
	if (!s->out.ended)
		want_source(&s->out);
	if (!s->err.ended)
		want_source(&s->err);
}

static void emit(struct split_out *o)
{
	struct stream *s = o->owner;

	if (s->copy)
		sink_write(s->copy, o->messages, o->n);
	if (s->sink)
		sink_write(s->sink, o->messages, o->n);
}

static void source_end(struct source *src)
{
	struct split_out o = {.messages = messages, .emit = emit, .owner = src->stream};

	if (src->ended)
		return;
	src->ended = true;
	loop_close(&src->watch);
	split_feed(&src->split, space, 0, clock_wall_ns(), true, &o);
	split_free(&src->split);
	check_finished(src->stream);
}

static bool is_logged(const struct stream *s)
{
	return s->copy || (s->sink && sink_wants(s->sink));
}

/* A process that fills its pipe before we look again gets a larger one: it, we and the client then take turns less often. */
static void grow_pipe(struct source *src)
{
	if (!src->grown)
		fcntl(src->watch.fd, F_SETPIPE_SZ, PIPE_BUSY);
	src->grown = true;
}

/* The rest of a frame whose head the client has; it was in the pipe, and gone is only what the process itself has taken out again. */
static void read_rest(struct source *src, struct client *c, size_t left)
{
	while (left) {
		size_t n = left < READ_MAX ? left : READ_MAX;
		ssize_t got = read(src->watch.fd, space + PART_MAX, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			memset(space + PART_MAX, 0, n);
			got = (ssize_t)n;
		}
		client_keep(c, space + PART_MAX, (size_t)got);
		left -= (size_t)got;
	}
}

/* Output that one client wants and nobody else goes to it without being read. False: there is none. */
static bool pass_on(struct source *src)
{
	struct stream *s = src->stream;
	struct client *c =
	    s->terminal || is_logged(s) ? NULL : clients_single(s, src->split.source);
	int there = 0;
	ssize_t left;

	if (!c || ioctl(src->watch.fd, FIONREAD, &there) < 0 || there < SPLICE_MIN)
		return false;
	if (there >= READ_MAX)
		grow_pipe(src);
	left = client_splice(c, src, (size_t)there);
	if (left > 0)
		read_rest(src, c, (size_t)left);
	return left != CLIENT_BUSY;
}

/* 1: something was read; 0: nothing there; -1: it ended (and the stream may be finished). */
static int source_read(struct source *src)
{
	struct stream *s = src->stream;
	struct split_out o = {.messages = messages, .emit = emit, .owner = s};
	ssize_t n;

	if (pass_on(src))
		return 1;
	n = read(src->watch.fd, space + PART_MAX, READ_MAX);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) { /* end of the pipe; a terminal says EIO */
		source_end(src);
		return -1;
	}
	FAULT("logd.stream.read");
	if (n == READ_MAX)
		grow_pipe(src);
	clients_send(s, src->split.source, space + PART_MAX, (size_t)n);
	if (is_logged(s))
		split_feed(&src->split, space, (size_t)n, clock_wall_ns(), false, &o);
	return 1;
}

static void source_ready(struct watch *w, uint32_t events)
{
	struct source *src = (struct source *)w;

	if (events & EPOLLOUT)
		input_ready(w, events);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !src->ended && source_read(src) < 0)
		return;
	stream_resume(src->stream);
}

/* ---- input ------------------------------------------------------------------------------------------------------------------------------ */

static int input_fd(const struct stream *s)
{
	return s->terminal ? s->out.watch.fd : s->in_watch.fd;
}

static void input_gone(struct stream *s)
{
	str_free(&s->input);
	if (!s->terminal)
		loop_close(&s->in_watch);
	s->in_ended = true;
}

static void write_input(struct stream *s)
{
	while (s->input.len && input_fd(s) >= 0) {
		ssize_t n = write(input_fd(s), s->input.p, s->input.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			input_gone(s); /* the process closed its stdin */
			return;
		}
		str_consume(&s->input, (size_t)n);
	}
	if (!s->input.len) {
		str_free(&s->input);
		if (s->in_ended && !s->terminal)
			loop_close(&s->in_watch);
	}
	if (s->terminal)
		want_source(&s->out);
	else
		loop_want(&s->in_watch, s->input.len ? EPOLLOUT : 0);
}

static void input_ready(struct watch *w, uint32_t events)
{
	/* the watch of a terminal is its source, that of a pipe is in the stream itself */
	struct stream *s =
	    w->ready == source_ready
		? ((struct source *)w)->stream
		: (struct stream *)(void *)((char *)w - offsetof(struct stream, in_watch));

	(void)events;
	write_input(s);
	if (!s->input.len)
		clients_input_ready(s);
}

bool stream_input(struct stream *s, const char *p, size_t n)
{
	if (s->in_ended || (s->running && input_fd(s) < 0))
		return true; /* nobody reads it */
	if (s->input.len && s->input.len + n > INPUT_MAX)
		return false;
	str_add(&s->input, p, n);
	if (s->running)
		write_input(s);
	return true;
}

void stream_input_end(struct stream *s)
{
	if (s->in_ended)
		return;
	s->in_ended = true;
	if (s->running && !s->input.len && !s->terminal)
		loop_close(&s->in_watch);
}

/* ---- start and end ------------------------------------------------------------------------------------------------------------------- */

static void take_fd(struct watch *w, int *fd)
{
	if (*fd < 0)
		return;
	fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) | O_NONBLOCK);
	w->fd = *fd;
	*fd = -1;
}

static void start_source(struct source *src, int *fd)
{
	take_fd(&src->watch, fd);
	src->ended = src->watch.fd < 0;
}

static void start_waits(struct stream *s, struct request *r, int timeout_ms)
{
	s->start = r;
	s->start_deadline = clock_mono_ns() + (int64_t)timeout_ms * 1000000;
	n_timed++;
}

/* The answer to LOGD_START; failed NULL: it is started. */
static void start_answer(struct stream *s, const struct error *failed)
{
	struct request *r = s->start;

	if (!s->start_deadline)
		return;
	s->start = NULL;
	s->start_deadline = 0;
	n_timed--;
	if (r && failed)
		request_failed(r, failed);
	else if (r)
		request_done(r);
}

static void close_sinks(struct stream *s)
{
	if (s->copy)
		sink_close(s->copy);
	if (s->sink)
		sink_close(s->sink);
	s->copy = s->sink = NULL;
}

static int open_sinks(struct stream *s, const struct sink_mode *mode, struct error *err)
{
	if (s->told.copy_driver) {
		s->copy = sink_open_copy(s, &s->told, err);
		if (!s->copy)
			return error_wrap(err, "error setting up local container log cache");
	}
	s->sink = sink_open(s, &s->told, mode, err);
	if (s->sink)
		return 0;
	close_sinks(s);
	return -1;
}

int stream_start(struct stream *s, struct stream_fds *fds, bool patient, int timeout_ms,
		 struct request *r, struct error *err)
{
	struct sink_mode mode = {
	    .patient = patient, .non_blocking = s->non_blocking, .max_buffer = s->max_buffer};

	if (s->running)
		return 0; /* a returned daemon hands over what we have: keep ours */
	if (!s->exec && open_sinks(s, &mode, err) < 0)
		return -1;
	s->running = true;
	if (fds->console >= 0) {
		s->terminal = true;
		start_source(&s->out, &fds->console);
	} else {
		take_fd(&s->in_watch, &fds->in);
		start_source(&s->out, &fds->out);
		start_source(&s->err, &fds->err);
	}
	FAULT("logd.stream.started");
	write_input(s); /* what clients said before the start, and its end */
	if (!s->input.len)
		clients_input_ready(s); /* who had to wait for room */
	stream_resume(s);
	if (patient || !s->sink || !sink_opening(s->sink))
		return 0;
	start_waits(s, r, timeout_ms);
	return 1;
}

/* A start that came to nothing: as if it had not been asked for. Clients stay. */
static void unstart(struct stream *s)
{
	struct source *both[] = {&s->out, &s->err};

	close_sinks(s);
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		loop_close(&both[i]->watch);
		split_free(&both[i]->split);
		both[i]->ended = true;
	}
	loop_close(&s->in_watch);
	s->running = false;
}

void stream_sink_opened(struct stream *s, const struct error *failed)
{
	if (failed && s->start_deadline && !s->finishing) {
		unstart(s);
	} else if (failed) {
		log_error("output of a container is not logged", "container", s->id, "error",
			  failed->text);
		sink_close(s->sink);
		s->sink = NULL;
		stream_resume(s);
		stream_sink_idle(s);
	}
	start_answer(s, failed);
}

static void finished(struct stream *s)
{
	struct request *r = s->finish;
	struct error ended = ERROR_INIT;

	error_set(&ended, ERR_CANCELLED, "the container has ended before its log was open");
	start_answer(s, &ended);
	close_sinks(s);
	loop_close(&s->in_watch);
	str_free(&s->input);
	clients_end(s);
	if (s->finishing)
		n_timed--;
	s->finish = NULL;
	s->finishing = s->running = s->draining = s->in_ended = false;
	if (r)
		request_done(r);
}

/* Its last output is written: nothing of it is needed any more. Clients that have yet to get their last bytes live on. */
static void forget(struct stream *s)
{
	finished(s);
	stream_remove(s);
	control_stream_gone();
}

void stream_sink_idle(struct stream *s)
{
	if (s->draining)
		forget(s);
}

/* Nobody is there to say when the process has ended: the end of its output must do. */
void stream_finish_by_itself(struct stream *s)
{
	if (s->running && !s->finishing && s->out.ended && s->err.ended)
		stream_finish(s, NULL, LAST_WRITES_MS);
}

static void check_finished(struct stream *s)
{
	if (control_ending())
		stream_finish_by_itself(s);
	if (!s->finishing || s->draining || !s->out.ended || !s->err.ended)
		return;
	s->draining = true;
	if (s->copy)
		sink_flush(s->copy);
	if (s->sink)
		sink_drain(s->sink);
	else
		forget(s);
}

void stream_finish(struct stream *s, struct request *r, int timeout_ms)
{
	s->finish = r;
	if (!s->finishing)
		n_timed++;
	s->finishing = true;
	s->finish_deadline = clock_mono_ns() + (int64_t)timeout_ms * 1000000;
	FAULT("logd.stream.finish");
	stream_resume(s);
	check_finished(s);
}

/* Time is up: take what is in the pipes and no more, then let go even of a log that hangs. */
static void finish_now(struct stream *s)
{
	struct source *both[] = {&s->out, &s->err};

	if (s->draining) {
		forget(s);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		for (int reads = 0; reads < 64 && !both[i]->ended; reads++)
			if (source_read(both[i]) <= 0)
				break;
	}
	/* a second deadline of a second for the log itself */
	s->finish_deadline = clock_mono_ns() + INT64_C(1000000000);
	for (size_t i = 0; i < ARRAY_LEN(both); i++)
		if (s->finishing)
			source_end(both[i]);
}

/* The sink hangs while it is opened. */
static void start_late(struct stream *s)
{
	struct error late = ERROR_INIT;

	error_set(&late, ERR_UNAVAILABLE, "the log driver has not opened its sink in time");
	unstart(s);
	start_answer(s, &late);
}

int64_t stream_deadline(void)
{
	int64_t first = INT64_MAX;
	struct map_entry *e;
	size_t i = 0;

	while (n_timed && (e = map_next(&streams, &i))) {
		const struct stream *s = e->value;

		if (s->finishing && s->finish_deadline < first)
			first = s->finish_deadline;
		if (s->start_deadline && s->start_deadline < first)
			first = s->start_deadline;
	}
	return first;
}

void stream_tick(int64_t now)
{
	struct map_entry *e;
	size_t i = 0;

	while (n_timed && (e = map_next(&streams, &i))) {
		struct stream *s = e->value;

		if (s->finishing && s->finish_deadline <= now)
			finish_now(s);
		else if (s->start_deadline && s->start_deadline <= now)
			start_late(s);
	}
}

void stream_remove(struct stream *s)
{
	struct source *both[] = {&s->out, &s->err};

	map_del(&streams, s->id);
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		loop_close(&both[i]->watch);
		split_free(&both[i]->split);
		both[i]->ended = true;
	}
	if (s->running)
		finished(s);
	clients_leave_stream(s);
	loop_close(&s->in_watch);
	str_free(&s->input);
	told_free(&s->told);
	free(s->id);
	loop_free_later(s);
}
