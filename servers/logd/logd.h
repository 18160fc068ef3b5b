/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd-logd inside. One thread runs one epoll loop and owns everything here; only sinks of drivers that may block have a thread of their
 * own (sink.c says what it shares).
 *
 *	control.c  requests of the daemon        stream.c  a container's or exec session's stdio
 *	client.c   attached clients              split.c   bytes -> lines and parts of lines (pure)
 *	sink.c, sink_driver.c  lines -> log driver   keys.c  the detach sequence (pure)
 */
#ifndef LOGD_H
#define LOGD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/map.h"
#include "base/str.h"
#include "plugin/plugin.h"
#include "proto/msg.h"

#define READ_MAX (64 * 1024)   /* bytes of one read */
#define PIPE_BUSY (256 * 1024) /* size of a pipe whose process fills it faster than we look */
#define PART_MAX (16 * 1024)   /* longest message: what is longer comes in parts, as moby's */
#define CLIENT_BUFFER_MAX \
	(1024 * 1024) /* unsent bytes of one client that stop the container's output, as moby's */
#define INPUT_MAX (64 * 1024) /* bytes for a process that does not read its stdin */
#define BATCH_MAX 512         /* messages of one driver call */

/* ---- loop.c: descriptors and deadlines ------------------------------------------------------------------------------------------- */

/* First member of whatever waits for a descriptor. */
struct watch {
	void (*ready)(struct watch *w, uint32_t events);
	int fd; /* owned; -1: none */
	uint32_t events;
	bool added;
};
int loop_setup(struct error *err);
/* Wait for these EPOLL* from now on; 0: none, not even hang-ups. */
void loop_want(struct watch *w, uint32_t events);
/* Stop waiting and close. */
void loop_close(struct watch *w);
/* Free p once no event of this round can refer to it. */
void loop_free_later(void *p);
/* Returns when loop_stop was called. deadline: next timer in ns (CLOCK_MONOTONIC), INT64_MAX: none; tick runs what is due. */
void loop_run(int64_t (*deadline)(void), void (*tick)(int64_t now));
void loop_stop(void);
void loop_end(void); /* frees what waits for the end of a round */

/* ---- split.c ---------------------------------------------------------------------------------------------------------------------- */

struct split {
	char *tail; /* begun line, PART_MAX bytes; NULL while there is none */
	size_t tail_len;
	uint32_t ordinal;  /* of the last part written of this line, 0: none */
	int64_t part_time; /* of its first part */
	char part_id[65];
	uint32_t source;
};
struct split_out {
	struct dockerd_log_message *messages; /* BATCH_MAX */
	uint32_t n;
	/* Called when messages are full and at the end of a feed; the data they point to is valid during the call. */
	void (*emit)(struct split_out *o);
	void *owner;
};
/*
 * Feed n bytes that were read behind PART_MAX bytes of room at `space` (space + PART_MAX is where they begin): the begun line is put in front of them.
 * flush: no more comes, what is left is a last part.
 */
void split_feed(struct split *s, char *space, size_t n, int64_t now, bool flush,
		struct split_out *o);
void split_free(struct split *s);

/* ---- keys.c ----------------------------------------------------------------------------------------------------------------------- */

struct keys {
	char keys[32];
	size_t n, held; /* length; bytes of the sequence seen and held back */
};
/*
 * Pass input on into out (room for n + k->n bytes), holding back what may become the sequence. True: the sequence was typed; *out_n
 * then is what came before it.
 */
bool keys_pass(struct keys *k, const char *in, size_t n, char *out, size_t *out_n);

/* ---- sink.c ------------------------------------------------------------------------------------------------------------------------ */

struct sink;
struct stream;

/* What the driver is told; strings owned. */
struct told {
	char *container_id, *container_name, *image_id, *image_name, *command, *log_path,
	    *daemon_name;
	char *copy_driver, *copy_path; /* NULL: no copy is kept */
	int64_t created;
	struct pairs labels, env, options, copy_options;
};

/* Load and open the driver, once. */
int sink_setup(const char *driver, const char *state_dir, struct error *err);
struct sink_mode {
	bool
	    patient; /* the process runs already: an open that fails as unavailable is tried again */
	bool non_blocking;
	uint64_t max_buffer; /* bytes; 0: default */
};
/* With a driver that may wait, this only begins: stream_sink_opened tells how it went. */
struct sink *sink_open(struct stream *s, const struct told *t, const struct sink_mode *mode,
		       struct error *err);
/*
 * The sink of a second driver, which keeps a copy that can be read: one that waits for nothing but the disk, so that it has all that was read, whatever
 * becomes of the first one's sink.
 */
struct sink *sink_open_copy(struct stream *s, const struct told *t, struct error *err);
bool sink_opening(struct sink *k);
/* Messages of one batch. Never blocks the loop; messages that the driver refuses are counted and reported. */
void sink_write(struct sink *k, const struct dockerd_log_message *m, uint32_t n);
/* True while the stream must not be read: the queue is full (blocking mode). stream_resume is called when it ends. */
bool sink_full(struct sink *k);
/* Does the driver look at what it is given? */
bool sink_wants(const struct sink *k);
/* For a copy's. */
void sink_flush(struct sink *k);
/* Call stream_sink_idle(s) when all that was written so far is with the driver and flushed; may be at once. */
void sink_drain(struct sink *k);
void sink_close(struct sink *k);

/* ---- stream.c ----------------------------------------------------------------------------------------------------------------------- */

struct source {
	struct watch watch; /* first */
	struct stream *stream;
	struct split split;
	bool ended, grown;
};

struct stream {
	char *id;
	bool exec, terminal, stdin_once, non_blocking;
	bool running, finishing, draining;
	uint64_t max_buffer;
	unsigned int held; /* clients that wait for LOGD_RELEASE: nothing is read */
	struct told told;
	struct sink *sink;      /* NULL: nothing is logged, or not started */
	struct sink *copy;      /* gets each message first; NULL: none is kept */
	struct source out, err; /* a terminal is `out` */
	struct watch
	    in_watch; /* write end of stdin; with a terminal fd is -1 and input goes to out.watch.fd */
	struct str input; /* for the process, not yet written */
	bool in_ended;    /* close stdin when input is written */
	struct client *clients;
	struct request *start;  /* who waits for LOGD_START, while the sink is opened */
	struct request *finish; /* who waits for LOGD_FINISH; NULL: it has gone meanwhile */
	int64_t start_deadline, finish_deadline; /* monotonic ns; the first 0: nobody waits */
};

extern struct map streams; /* id -> struct stream */
struct stream *stream_get(const char *id, struct error *err);
struct stream *stream_new(const char *id);
struct stream_fds {
	int in, out, err, console; /* taken */
};
/*
 * 0: started; 1: r is answered later; -1. patient: the process runs already. Otherwise the start fails with the sink, or after timeout_ms.
 */
int stream_start(struct stream *s, struct stream_fds *fds, bool patient, int timeout_ms,
		 struct request *r, struct error *err);
/* failed NULL: it takes messages. */
void stream_sink_opened(struct stream *s, const struct error *failed);
/* Bytes of a client for the process; false: no room, ask again when stream_input_ready. */
bool stream_input(struct stream *s, const char *p, size_t n);
void stream_input_end(struct stream *s);
/* A client has room again, or the sink. */
void stream_resume(struct stream *s);
void stream_sink_idle(struct stream *s);
/* Ends with the stream forgotten. r NULL: nobody waits. */
void stream_finish(struct stream *s, struct request *r, int timeout_ms);
/* If all its output was read, finish it without being asked. */
void stream_finish_by_itself(struct stream *s);
void stream_remove(struct stream *s);
int64_t stream_deadline(void);
void stream_tick(int64_t now);

/* ---- client.c ----------------------------------------------------------------------------------------------------------------------- */

struct client {
	struct watch watch; /* first; its socket */
	struct stream *stream;
	struct client *next;
	bool in, out, err, frames;
	bool in_ended, closing; /* nothing more is read from it; it goes when its buffer is empty */
	struct request
	    *held; /* nothing is sent to it until this one releases it; NULL: it is not held */
	struct str unsent;
	size_t sent;        /* of unsent */
	struct str pending; /* read, but the process has no room yet */
	struct keys keys;
};

struct attach {
	int sock;       /* the client's from then on */
	uint32_t flags; /* LOGD_ATTACH_* */
	const void *pending, *keys;
	size_t pending_n, keys_n;
	struct request *held; /* holds it; NULL: nobody */
};
/* out: NULL, or becomes the client, and NULL again once it has gone. */
int client_add(struct stream *s, const struct attach *a, struct client **out, struct error *err);
void client_release(struct client *c);
void client_drop(struct client *c);
/* Output of the process to every client that wants it. */
void clients_send(struct stream *s, uint32_t source, const char *p, size_t n);
/* The one client there is, if it takes output of this source and could take some now; NULL: there are none or more, or it can't. */
struct client *clients_single(const struct stream *s, uint32_t source);
/*
 * Straight from the source's pipe, n bytes that are in it. How many of them are left for the caller to read and to give to client_keep; CLIENT_BUSY:
 * nothing was begun, since its socket is full; CLIENT_GONE.
 */
enum { CLIENT_BUSY = -1, CLIENT_GONE = -2 };
ssize_t client_splice(struct client *c, const struct source *src, size_t n);
void client_keep(struct client *c, const char *p, size_t n);
bool clients_full(const struct stream *s, size_t limit);
/* The process takes input again. */
void clients_input_ready(struct stream *s);
/* No more output will come: each is closed when it has all. */
void clients_end(struct stream *s);
/* The stream goes: those that only wait for their last bytes live on without it, others are closed. */
void clients_leave_stream(struct stream *s);
size_t clients_count(void);

/* ---- control.c ---------------------------------------------------------------------------------------------------------------------- */

struct request; /* one that waits for its answer */
void told_free(struct told *t);
int control_setup(int listener, struct error *err);
void control_end(void);
void request_done(struct request *r); /* with MSG_OK */
void request_failed(struct request *r, const struct error *why);
/* The client that it holds has gone. */
void request_lost_client(struct request *r);
/* LOGD_SHUTDOWN was asked for: logd ends when nothing is left to read, to write, or to send. */
bool control_ending(void);
/* A client or a stream went: it may have been the last. */
void control_client_gone(void);
void control_stream_gone(void);

#endif
