/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The json-file driver inside: one line of JSON per message, exactly as moby writes it, beside each container's configuration.
 *	{"log":"text\n","stream":"stdout","attrs":{"k":"v"},"time":"2024-01-02T03:04:05.678901234Z"}
 * Files: PATH, PATH.1 (older) ... PATH.(max-file - 1), all but the first perhaps with .gz behind.
 *
 * write.c writes and rotates, compress.c packs rotated files in a thread of its own, read.c reads back, watch.c wakes followers;
 * escape.c, scan.c and tag.c are pure.
 */
#ifndef JSON_FILE_H
#define JSON_FILE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <dockerd/log.h>

#define MAX_FILES 1000
#define MAX_ATTRS 64
#define MESSAGE_MAX (64 * 1024)  /* a part of a line is 16 KiB; more is cut apart by the caller */
#define RECORD_MAX (1024 * 1024) /* a longer line on disk is not ours */
#define BATCH (192 * 1024)       /* bytes that one write(2) carries at most */

struct watch;

/* The instance: nothing but what streams may share. */
struct json_file {
	const struct dockerd_host *host;
	char *_Atomic spare;  /* one batch buffer, taken and given back whole */
	struct watch *watch;  /* of followers, made by the first */
	pthread_mutex_t lock; /* guards watch */
};

/* What the options say. */
struct settings {
	int64_t capacity; /* bytes; -1: no limit */
	int64_t max_file;
	bool compress;
	const char *tag; /* template, or NULL */
};
int settings_read(const struct dockerd_options *o, struct settings *s, struct dockerd_error *err);

/* Growable text for what is built once per stream. */
struct text {
	char *p;
	size_t len, cap;
	bool failed; /* memory is gone */
};
void text_add(struct text *t, const void *p, size_t n);
void text_puts(struct text *t, const char *s);

/* ---- escape.c -- */
/* Inside of a JSON string as moby escapes it; out holds 6 * n bytes. Returns the length. */
size_t escape_json(char *out, const char *in, size_t n);
/* RFC3339Nano in UTC; out holds 40 bytes. Returns the length. */
size_t format_time(char *out, int64_t ns);

/* ---- tag.c -- */
/* "attrs" of the container as JSON text, or empty: labels, env and tag that the options choose. */
int attrs_make(const struct dockerd_log_info *info, const struct settings *s, struct text *out,
	       struct dockerd_error *err);
int tag_expand(const char *template_text, const struct dockerd_log_info *info, struct text *out,
	       struct dockerd_error *err);

/* ---- scan.c -- */
struct record {
	const char *data; /* inside of out */
	size_t len;
	int64_t time;
	uint32_t source;
	uint32_t attr_count;
	struct dockerd_key_value attrs[MAX_ATTRS];
};
/* One line (without the newline at its end); out holds n + 1 bytes. False: no record. */
bool scan_record(const char *line, size_t n, struct record *r, char *out);

/* ---- write.c -- */
int32_t stream_open(void *self, const struct dockerd_log_info *info, void **stream,
		    struct dockerd_error *err);
int32_t stream_write(void *self, void *stream, const struct dockerd_log_message *m, uint32_t n,
		     uint32_t *done, struct dockerd_error *err);
void stream_close(void *self, void *stream);

/* ---- compress.c -- */
/* PATH.1 -> PATH.1.gz; last_time goes to the header, where moby's reader looks for it. 0 or errno. */
int compress_file(const char *path, int64_t last_time);
/* Inflate into a nameless file in the directory of path; fd or -1 with errno. */
int decompress_fd(int gz, const char *path);

/* ---- read.c -- */
int32_t read_open(void *self, const struct dockerd_log_info *info,
		  const struct dockerd_log_read *how, void **reader, struct dockerd_error *err);
int32_t read_next(void *self, void *reader, struct dockerd_log_message *out,
		  struct dockerd_error *err);
int32_t read_wait_fd(void *self, void *reader);
void read_close(void *self, void *reader);

/* ---- watch.c -- */
/* An eventfd that becomes readable whenever a file in the directory of path changes; -1 with errno. Ended by watch_drop (closes it). */
int watch_add(struct json_file *j, const char *path);
void watch_drop(struct json_file *j, int fd);
void watch_end(struct json_file *j);

#endif
