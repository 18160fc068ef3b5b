/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What drivers share that keep a container's log in files of their own: PATH, PATH.1 (older) ... PATH.(max-file - 1), all but the first perhaps
 * with .gz behind. rotate.c writes and rotates, compress.c packs rotated files in a thread of its own, read.c reads back, watch.c wakes
 * followers, time.c prints times. What a record looks like is the driver's: struct log_format.
 */
#ifndef LOG_FILE_H
#define LOG_FILE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <dockerd/log.h>

#define MAX_FILES 1000
#define MAX_ATTRS 64
#define RECORD_MAX (1024 * 1024) /* a longer one on disk is not ours */
#define BATCH (192 * 1024)       /* bytes that one write(2) carries at most */

struct watch;

struct rotation {
	int64_t capacity; /* bytes; -1: no limit */
	int64_t max_file;
	bool compress;
};

struct record {
	const char *data; /* inside of out, or of the record; without the newline */
	size_t len;
	int64_t time;
	uint32_t source;
	bool partial; /* more of the same line follows */
	uint32_t attr_count;
	struct dockerd_key_value attrs[MAX_ATTRS];
	/* of the format: how the last record ended, if the next may end the same */
	char tail[96];
	size_t tail_len;
};

/* A file that is read: [start, ...). */
struct log_part {
	int fd;
	bool packed; /* still compressed */
	off_t start; /* where reading begins */
};

#define FRAME_DAMAGED SIZE_MAX

struct log_format {
	/* malloc'ed path of the current file; NULL with err. */
	char *(*path)(const struct dockerd_log_info *info, struct dockerd_error *err);
	int (*rotation)(const struct dockerd_options *o, struct rotation *r,
			struct dockerd_error *err);
	/*
	 * The record at p: how many of the `have` bytes it takes, 0 if that can't be told yet, FRAME_DAMAGED if the rest of the file is lost. The
	 * first `looked` bytes were seen by the last call. rec and n: what scan is given.
	 */
	size_t (*frame)(const char *p, size_t have, size_t looked, const char **rec, size_t *n);
	bool loose_end; /* a last record may lack its end */
	/* out holds n + 1 bytes; r is as the last record left it. False: no record, it is passed over. */
	bool (*scan)(const char *rec, size_t n, struct record *r, char *out);
	/* Lower *want by the records of the file, or set start to the first of the last *want and *want to 0. 0 or -1 with errno. */
	int (*count_back)(struct log_part *f, int64_t *want);
	/* End of the last whole record: a writer that was killed may have left half of one. -1 with errno. */
	off_t (*last_end)(int fd, off_t size);
};

/* The instance: nothing but what streams may share. */
struct log_instance {
	const struct dockerd_host *host;
	const struct log_format *format;
	char *_Atomic spare;  /* one batch buffer, taken and given back whole */
	struct watch *watch;  /* of followers, made by the first */
	pthread_mutex_t lock; /* guards watch */
};
int log_instance_open(const struct dockerd_open *args, const struct log_format *format, void **self,
		      struct dockerd_error *err);
void log_instance_close(void *self);

/* ---- options.c: values as moby reads them; -1: none */
/* "10m" here is 10,000,000 (go-units FromHumanSize), unlike memory sizes. */
int decimal_size(const char *text, int64_t *out);
int bool_value(const char *text, bool *v);
/* NULL if the option was not given, or is empty. */
const char *option_given(const struct dockerd_options *o, const char *key);

/* ---- time.c: RFC3339Nano in UTC; out holds 40 bytes. Returns the length. */
size_t format_time(char *out, int64_t ns);

/* ---- rotate.c: the file that is written; one caller at a time. Only its compressor runs beside, on what writing is done with. */
struct log_file {
	struct log_instance *in;
	int fd;
	char *path;
	int64_t size; /* bytes in the file */
	struct rotation set;
	int64_t last_time;    /* of what was written */
	int64_t rotated_time; /* the same of PATH.1: the compressor's to read */
	pthread_t compressor;
	bool compressing;
};
/* path is taken, whatever happens. */
int log_file_open(struct log_file *f, struct log_instance *in, char *path,
		  const struct rotation *set, struct dockerd_error *err);
void log_file_close(struct log_file *f);
static inline bool log_file_full(const struct log_file *f, size_t pending)
{
	return f->set.capacity >= 0 && f->size + (int64_t)pending >= f->set.capacity;
}
int log_file_rotate(struct log_file *f, struct dockerd_error *err);
/* All of it, or the file as it was. */
int log_file_put(struct log_file *f, const char *p, size_t n, struct dockerd_error *err);
/* A buffer of at least `need` bytes, of *cap; NULL: no memory. Given back. */
char *log_buffer_take(struct log_instance *in, size_t need, size_t *cap);
void log_buffer_give(struct log_instance *in, char *buf, size_t cap);

/* ---- compress.c */
/* PATH.1 -> PATH.1.gz; last_time goes to the header, where moby's reader looks for it. 0 or errno. */
int compress_file(const char *path, int64_t last_time);
/* Inflate into a nameless file in the directory of path; fd or -1 with errno. */
int decompress_fd(int gz, const char *path);

/* ---- read.c: ops of the driver */
int32_t read_open(void *self, const struct dockerd_log_info *info,
		  const struct dockerd_log_read *how, void **reader, struct dockerd_error *err);
int32_t read_next(void *self, void *reader, struct dockerd_log_message *out,
		  struct dockerd_error *err);
int32_t read_wait_fd(void *self, void *reader);
void read_close(void *self, void *reader);

/* ---- watch.c */
/* An eventfd that becomes readable whenever a file in the directory of path changes; -1 with errno. Ended by watch_drop (closes it). */
int watch_add(struct log_instance *j, const char *path);
void watch_drop(struct log_instance *j, int fd);
void watch_end(struct log_instance *j);

#endif
