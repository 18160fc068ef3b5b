/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local driver inside: messages as moby's driver of this name keeps them, containers/ID/local-logs/container.log and its rotated files.
 * A record is a protobuf message between two copies of its length:
 *	length (4 bytes, big-endian)  LogEntry  length
 *	LogEntry: 1 source, 2 time_nano, 3 line (without newline), 4 partial, 5 {1 last, 2 id, 3 ordinal}
 *
 * entry.c is pure but for looking into files; local.c is the rest.
 */
#ifndef LOCAL_H
#define LOCAL_H

#include "../common/log_file.h"

/* What a record takes beside its line. */
#define ENTRY_FRAME 256

/* The record of a message; out has room for length + ENTRY_FRAME bytes. Returns the length. */
size_t entry_print(char *out, const struct dockerd_log_message *m);

/* Of struct log_format. */
size_t entry_frame(const char *p, size_t have, size_t looked, const char **rec, size_t *n);
bool entry_scan(const char *rec, size_t n, struct record *r, char *out);
int entry_count_back(struct log_part *f, int64_t *want);
off_t entry_last_end(int fd, off_t size);

#endif
