/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The json-file driver inside: one line of JSON per message, exactly as moby writes it, beside each container's configuration.
 *	{"log":"text\n","stream":"stdout","attrs":{"k":"v"},"time":"2024-01-02T03:04:05.678901234Z"}
 * Its file is rotated and read back by ../common/log_file.h.
 *
 * write.c writes, lines.c finds records in files; escape.c, scan.c and attrs.c are pure.
 */
#ifndef JSON_FILE_H
#define JSON_FILE_H

#include "../common/log_file.h"
#include "../common/tag.h"

/* What the options say. */
struct settings {
	struct rotation rotation;
	const char *tag; /* template, or NULL */
};
int settings_read(const struct dockerd_options *o, struct settings *s, struct dockerd_error *err);

/* ---- escape.c -- */
/* Inside of a JSON string as moby escapes it; out holds 6 * n bytes. Returns the length. */
size_t escape_json(char *out, const char *in, size_t n);

/* ---- attrs.c -- */
/* "attrs" of the container as JSON text, or empty: labels, env and tag that the options choose. */
int attrs_make(const struct dockerd_log_info *info, const struct settings *s, struct text *out,
	       struct dockerd_error *err);

/* ---- scan.c -- */
/* One line (without the newline at its end); out holds n + 1 bytes. False: no record. r is that of the line before, or zeroes. */
bool scan_record(const char *line, size_t n, struct record *r, char *out);

/* ---- write.c -- */
int32_t stream_open(void *self, const struct dockerd_log_info *info, void **stream,
		    struct dockerd_error *err);
int32_t stream_write(void *self, void *stream, const struct dockerd_log_message *m, uint32_t n,
		     uint32_t *done, struct dockerd_error *err);
void stream_close(void *self, void *stream);

/* ---- lines.c: of struct log_format -- */
size_t line_frame(const char *p, size_t have, size_t looked, const char **rec, size_t *n);
int line_count_back(struct log_part *f, int64_t *want);
off_t line_last_end(int fd, off_t size);

#endif
