/* SPDX-License-Identifier: Apache-2.0 */
/* What sink.c (queue, thread, the loop's side) and sink_driver.c (calls of the driver) share. */
#ifndef LOGD_SINK_H
#define LOGD_SINK_H

#include <pthread.h>

#include "logd.h"

struct queued {
	struct queued *next;
	struct dockerd_log_message m;
	char part_id[65];
	char data[];
};

struct sink {
	const struct plugin_instance *driver;
	char *name;   /* object of guarded calls */
	void *handle; /* the driver's; NULL: not open */
	bool non_blocking,
	    patient; /* patient: the process runs already, an open that fails is tried again */
	size_t limit;
	/* of whoever calls the driver: the loop or the thread */
	int64_t said;     /* when a failure was last logged, 0: never */
	uint64_t unsaid;  /* messages dropped since */
	uint64_t refused; /* by the driver, in all */
	int64_t backoff;  /* ns; 0: the sink is there */
	bool threaded;
	/* only with a thread */
	struct told told;  /* own copy, for the open */
	int cancel;        /* eventfd: nobody waits for the driver any more */
	struct sink *rung; /* list of the bell, guarded by bell_lock */
	bool in_bell;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct stream *stream; /* NULL: closed by the loop */
	struct queued *head, **tail;
	size_t bytes; /* queued or being written */
	uint64_t dropped;
	bool closing, drain, drained, was_full;
	bool opening, answered; /* the open is under way; the loop was told how it went */
	struct error *failed;   /* why it could not be opened; owned */
};

/* ---- sink_driver.c: guarded calls; from the loop, or from the sink's thread */

/* The driver of this process. */
extern struct plugin_instance sink_driver;
int sink_driver_setup(const char *name, const char *state_dir, struct error *err);
/* One that keeps copies, opened at first use; NULL with err. From the loop. */
const struct plugin_instance *sink_driver_copy(const char *name, struct error *err);
bool sink_driver_local(const struct plugin_instance *i);
int sink_driver_open(struct sink *k, const struct told *t, struct error *err);
/* *done of the n messages were taken: all of them if it returns 0. */
int sink_driver_write(struct sink *k, const struct dockerd_log_message *m, uint32_t n,
		      uint32_t *done, struct error *err);
void sink_driver_flush(struct sink *k);
void sink_driver_close(struct sink *k);
/* A message is lost: said at once, and then at most every ten seconds, with the number of those in between. */
void sink_say_lost(struct sink *k, const struct error *err);

#endif
