/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of logs share: dockerd-logd as the daemon drives it (logd_client), a container's process whose stdio is ours, and reading back
 * (log_reader). Waits for events only: data, ends of streams, answers.
 */
#ifndef TESTS_LOG_FIXTURE_H
#define TESTS_LOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/program.h"
#include "container/log_reader.h"
#include "container/logd_client.h"
#include "plugin/plugin.h"

#define DRIVER "json-file"

extern char root[];
extern char *run_dir, *log_path;
extern struct pairs options;
extern int serial;
extern char id[32];

/* The process under test: our ends of its stdio. */
struct process {
	int in, out, err, console; /* the process's side */
	struct logd_fds held;      /* what the shim would keep */
};
extern struct process process;

/* What a returning daemon would do: called for each driver whose logd is new. NULL: nothing. */
extern void (*on_restore)(const char *driver);

int setup(void **state);
int teardown(void **state);
struct logd_stream stream(void);
void fresh(void);
void ok(int r, const struct error *err);
void start_pipes(const struct logd_stream *s);
void say(int fd, const char *text);
void finish(void);
int attach(bool in, bool frames, const char *keys);
/* Exactly these bytes come next. */
void expect(int fd, const void *bytes, size_t n);
void expect_end(int fd);
void read_log(struct str *out);
struct log_reader *open_reader(int64_t tail, bool follow);
/* All messages, "text\n" each, parts without the newline; the count. */
int read_back(struct log_reader *r, struct str *out);
/* One message, valid until the next call as the driver promises. */
int next(struct log_reader *r, struct dockerd_log_message *m, struct error *err);
void expect_log(int64_t tail, const char *text);
void number_lines(int from, int to);

#endif
