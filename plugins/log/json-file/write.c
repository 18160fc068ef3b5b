/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing: messages of a batch are formatted into one buffer and written at once; rotation happens between two messages. A stream belongs
 * to one caller at a time (DOCKERD_PER_OBJECT).
 */
#include "json-file.h"

#include <stdlib.h>
#include <string.h>

struct stream {
	struct log_file file;
	struct settings set;
	char *middle[3]; /* by source: what stands between text and time */
	size_t middle_len[3];
};

static int make_middles(struct stream *s, const struct dockerd_log_info *info,
			struct dockerd_error *err)
{
	static const char *const names[] = {"", "stdout", "stderr"};
	struct text attrs = {0};

	if (attrs_make(info, &s->set, &attrs, err) < 0) {
		free(attrs.p);
		return -1;
	}
	for (int i = 1; i <= 2; i++) {
		int n = asprintf(&s->middle[i], "\"stream\":\"%s\"%s%s,\"time\":\"", names[i],
				 attrs.len ? ",\"attrs\":" : "", attrs.len ? attrs.p : "");

		if (n < 0) {
			s->middle[i] = NULL;
			free(attrs.p);
			return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory");
		}
		s->middle_len[i] = (size_t)n;
	}
	free(attrs.p);
	return 0;
}

int32_t stream_open(void *self, const struct dockerd_log_info *info, void **stream,
		    struct dockerd_error *err)
{
	struct log_instance *in = self;
	struct stream *s = calloc(1, sizeof(*s));
	char *path;

	if (!s)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory for a log stream");
	s->file.fd = -1;
	if (settings_read(info->options, &s->set, err) < 0 || make_middles(s, info, err) < 0 ||
	    !(path = in->format->path(info, err)) ||
	    log_file_open(&s->file, in, path, &s->set.rotation, err) < 0) {
		stream_close(self, s);
		return -1;
	}
	*stream = s;
	return 0;
}

void stream_close(void *self, void *stream)
{
	struct stream *s = stream;

	(void)self;
	log_file_close(&s->file);
	free(s->middle[1]);
	free(s->middle[2]);
	free(s);
}

/* ---- writing ---------------------------------------------------------------------------------------------------------------------- */

/* Formatted length at most: 6 bytes per byte, the frame, a time of 30 bytes. */
static size_t room_for(const struct stream *s, const struct dockerd_log_message *m)
{
	return 6 * (size_t)m->length + s->middle_len[m->source] + 64;
}

static char *format_message(char *o, const struct stream *s, const struct dockerd_log_message *m,
			    const char *time, size_t time_len)
{
	*o++ = '{';
	if (m->length || !m->partial) {
		memcpy(o, "\"log\":\"", 7);
		o += 7;
		o += escape_json(o, m->data, (size_t)m->length);
		if (!m->partial) {
			*o++ = '\\';
			*o++ = 'n';
		}
		*o++ = '"';
		*o++ = ',';
	}
	memcpy(o, s->middle[m->source], s->middle_len[m->source]);
	o += s->middle_len[m->source];
	memcpy(o, time, time_len);
	o += time_len;
	memcpy(o, "\"}\n", 3);
	return o + 3;
}

static int write_batch(struct stream *s, char *buf, size_t cap, const struct dockerd_log_message *m,
		       uint32_t n, uint32_t *done, struct dockerd_error *err)
{
	char time[40];
	size_t time_len = 0;
	int64_t formatted = INT64_MIN;
	char *o = buf;

	for (uint32_t i = 0; i < n; i++) {
		bool full = log_file_full(&s->file, (size_t)(o - buf));

		if (DOCKERD_AT(m, i)->source != DOCKERD_LOG_STDOUT &&
		    DOCKERD_AT(m, i)->source != DOCKERD_LOG_STDERR)
			return dockerd_fail(err, DOCKERD_ERR_INVALID, "message of no stream");
		if (full || (size_t)(o - buf) + room_for(s, DOCKERD_AT(m, i)) > cap) {
			if (log_file_put(&s->file, buf, (size_t)(o - buf), err) < 0)
				return -1;
			*done = i;
			o = buf;
			if (full && log_file_rotate(&s->file, err) < 0)
				return -1;
		}
		if (room_for(s, DOCKERD_AT(m, i)) > cap)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "message of %llu bytes is too long",
					    (unsigned long long)DOCKERD_AT(m, i)->length);
		if (DOCKERD_AT(m, i)->time != formatted) {
			time_len = format_time(time, DOCKERD_AT(m, i)->time);
			formatted = DOCKERD_AT(m, i)->time;
		}
		o = format_message(o, s, DOCKERD_AT(m, i), time, time_len);
		s->file.last_time = DOCKERD_AT(m, i)->time;
	}
	if (log_file_put(&s->file, buf, (size_t)(o - buf), err) < 0)
		return -1;
	*done = n;
	return 0;
}

int32_t stream_write(void *self, void *stream, const struct dockerd_log_message *m, uint32_t n,
		     uint32_t *done, struct dockerd_error *err)
{
	struct stream *s = stream;
	size_t cap, longest = 0;
	char *buf;
	int r;

	*done = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (DOCKERD_AT(m, i)->length > RECORD_MAX / 8)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "message of %llu bytes is too long",
					    (unsigned long long)DOCKERD_AT(m, i)->length);
		if (DOCKERD_AT(m, i)->length > longest)
			longest = (size_t)DOCKERD_AT(m, i)->length;
	}
	longest = 6 * longest + s->middle_len[1] + s->middle_len[2] + 64;
	buf = log_buffer_take(self, longest, &cap);
	if (!buf)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "no memory for a batch of log messages");
	r = write_batch(s, buf, cap, m, n, done, err);
	log_buffer_give(self, buf, cap);
	return r;
}
