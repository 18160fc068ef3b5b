/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of reading logs: the reader half of a log driver, loaded into the daemon; it works from files alone, whether
 * dockerd-logd lives or not. Also what the daemon itself knows of log options.
 */
#ifndef CONTAINER_LOG_READER_H
#define CONTAINER_LOG_READER_H

#include <dockerd/log.h>

#include "base/error.h"
#include "base/map.h"
#include "container/logd_client.h"

struct log_reader;

/*
 * Does it write to the file that the API shows as LogPath? Asked of the driver once, by a process of its own: no lock of a container's state is held
 * meanwhile. What can't be asked does not.
 */
bool log_driver_has_path(const char *driver);

/* Once at start: directory for the drivers' instances (<exec-root>/logd), and the daemon's name. */
void log_reader_setup(const char *run_dir, const char *daemon_name);
/*
 * `of` tells the container as for logd_open; the copy is read, if there is one. ERR_NOT_IMPLEMENTED "configured logging driver does not support reading" if the driver can't.
 * One thread at a time per reader.
 */
int log_reader_open(const struct logd_stream *of, const struct dockerd_log_read *how,
		    struct log_reader **out, struct error *err);
/*
 * Call `each` with message after message (valid during the call) until it returns false or there are no more. 1: it stopped; 0: nothing more now
 * (the end, unless following); -1. The whole batch is one guarded call (plugin_enter): it may hang, so never on a thread that others wait for.
 */
int log_reader_read(struct log_reader *r,
		    bool (*each)(void *ctx, const struct dockerd_log_message *m), void *ctx,
		    struct error *err);
/* Following: becomes readable when log_reader_read may have more; -1: ask after each write you hear of. Borrowed. */
int log_reader_wait_fd(struct log_reader *r);
/* May hang as well. */
void log_reader_close(struct log_reader *r);

/*
 * Does a second driver keep a copy of what `driver` is given? options: becomes that one's. Not for a driver that reads, or whose messages nobody wants.
 */
bool log_copy_wanted(const char *driver, const struct pairs *given, struct pairs *options);

/*
 * A container's log options, checked as `docker create` must: the daemon's own (mode, max-buffer-size, those of the copy) taken out, the driver's left in
 * `rest` (may be NULL) and judged by its table and its validate op. ERR_INVALID in moby's words.
 */
int log_options_split(const char *driver, const struct pairs *given, bool *non_blocking,
		      uint64_t *max_buffer, struct pairs *rest, struct error *err);

#endif
