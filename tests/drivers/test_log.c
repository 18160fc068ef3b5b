/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs from end to end: dockerd-logd as the daemon drives it (logd_client), the json-file driver behind it, and reading back (log_reader).
 * Needs the build tree: DOCKERD_LIBEXECDIR, DOCKERD_DRIVER_PATH. Waits for events only: data, ends of streams, answers.
 */
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

static char root[] = "/tmp/test_log_XXXXXX";
static char *run_dir, *log_path;
static struct pairs options = PAIRS_INIT;
static int serial;
static char id[32];

/* The process under test: our ends of its stdio. */
static struct {
	int in, out, err, console; /* the process's side */
	struct logd_fds held;      /* what the shim would keep */
} process;

static void restore(const char *driver);

static struct logd_stream stream(void)
{
	return (struct logd_stream){
	    .id = id,
	    .driver = DRIVER,
	    .container_id = id,
	    .container_name = "tester",
	    .image_name = "busybox",
	    .image_id = "sha256:0123456789abcdef",
	    .command = "sh",
	    .log_path = log_path,
	    .options = &options,
	};
}

static void fresh(void)
{
	snprintf(id, sizeof(id), "container%d", ++serial);
	free(log_path);
	log_path = xasprintf("%s/c%d/%s-json.log", root, serial, id);
	{
		auto_free char *dir = xasprintf("%s/c%d", root, serial);

		assert_int_equal(mkdir(dir, 0700), 0);
	}
	pairs_free(&options);
	process.in = process.out = process.err = process.console = -1;
	process.held = (struct logd_fds){.in = -1, .out = -1, .err = -1, .console = -1};
}

static void ok(int r, const struct error *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

static void start_pipes(const struct logd_stream *s)
{
	struct error err = ERROR_INIT;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	process.in = p[0];
	process.held.in = p[1];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	process.out = p[1];
	process.held.out = p[0];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	process.err = p[1];
	process.held.err = p[0];
	ok(logd_open(s, &err), &err);
	ok(logd_start(DRIVER, id, &process.held, &err), &err);
	if (s->stdin_once)
		fd_close(&process.held.in);
}

static void say(int fd, const char *text)
{
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void finish(void)
{
	struct error err = ERROR_INIT;

	fd_close(&process.out);
	fd_close(&process.err);
	fd_close(&process.console);
	ok(logd_finish(DRIVER, id, 20000, &err), &err);
	ok(logd_remove(DRIVER, id, &err), &err);
	fd_close(&process.in);
	fd_close(&process.held.in);
	fd_close(&process.held.out);
	fd_close(&process.held.err);
	fd_close(&process.held.console);
}

static int attach(bool in, bool frames, const char *keys)
{
	struct error err = ERROR_INIT;
	int pair[2];
	struct logd_attach a = {.in = in,
				.out = true,
				.err = true,
				.multiplexed = frames,
				.detach_keys = keys,
				.detach_keys_len = strlen(keys)};

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	a.sock = pair[1];
	ok(logd_attach(DRIVER, id, &a, &err), &err);
	return pair[0];
}

/* Exactly these bytes come next. */
static void expect(int fd, const void *bytes, size_t n)
{
	auto_free char *got = xmalloc(n + 1);

	assert_int_equal(fd_read_full(fd, got, n), n);
	assert_memory_equal(got, bytes, n);
}

static void expect_end(int fd)
{
	char c;

	assert_int_equal(fd_read_full(fd, &c, 1), 0);
	close(fd);
}

static void read_log(struct str *out)
{
	struct error err = ERROR_INIT;

	ok(file_read_at(AT_FDCWD, log_path, 64 << 20, out, &err), &err);
}

static struct log_reader *open_reader(int64_t tail, bool follow)
{
	struct logd_stream s = stream();
	struct dockerd_log_read how = {.size = sizeof(how),
				       .follow = follow,
				       .since = INT64_MIN,
				       .until = INT64_MAX,
				       .tail = tail};
	struct log_reader *r = NULL;
	struct error err = ERROR_INIT;

	ok(log_reader_open(&s, &how, &r, &err), &err);
	return r;
}

struct read_back {
	struct str *out;
	int n;
};

static bool take_back(void *ctx, const struct dockerd_log_message *m)
{
	struct read_back *b = ctx;

	str_add(b->out, m->data, (size_t)m->length);
	if (!m->partial)
		str_putc(b->out, '\n');
	b->n++;
	return true;
}

/* All messages, "text\n" each, parts without the newline; the count. */
static int read_back(struct log_reader *r, struct str *out)
{
	struct read_back b = {.out = out};
	struct error err = ERROR_INIT;

	ok(log_reader_read(r, take_back, &b, &err), &err);
	return b.n;
}

static bool take_one(void *ctx, const struct dockerd_log_message *m)
{
	*(struct dockerd_log_message *)ctx = *m;
	return false;
}

/* One message, valid until the next call as the driver promises. */
static int next(struct log_reader *r, struct dockerd_log_message *m, struct error *err)
{
	return log_reader_read(r, take_one, m, err);
}

static void expect_log(int64_t tail, const char *text)
{
	auto_str out = STR_INIT;
	struct log_reader *r = open_reader(tail, false);

	read_back(r, &out);
	log_reader_close(r);
	assert_string_equal(str_cstr(&out), text);
}

/* ---- tests ---------------------------------------------------------------------------------------------------------------------------- */

static void test_lines(void **state)
{
	struct logd_stream s;
	auto_str text = STR_INIT;
	const char *p;

	(void)state;
	fresh();
	pairs_set(&options, "tag", "{{.Name}}/{{ .ID }}");
	s = stream();
	start_pipes(&s);
	say(process.out, "plain\n\"quoted\" \\ <&>\t\x01 \xc3\xa9 \xff\r\n\nno newline");
	say(process.err, "oops\n");
	finish();
	read_log(&text);
	p = strstr(
	    text.p,
	    "{\"log\":\"plain\\n\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"tester/container");
	assert_ptr_equal(p, text.p);
	assert_non_null(strstr(text.p,
			       "{\"log\":\"\\\"quoted\\\" \\\\ \\u003c\\u0026\\u003e\\u0009\\u0001 "
			       "\xc3\xa9 \\ufffd\\r\\n\","));
	assert_non_null(strstr(text.p, "{\"log\":\"\\n\",\"stream\":\"stdout\""));
	assert_non_null(strstr(text.p, "{\"log\":\"no newline\",\"stream\":\"stdout\""));
	assert_non_null(strstr(text.p, "{\"log\":\"oops\\n\",\"stream\":\"stderr\""));
	assert_non_null(strstr(text.p, "Z\"}\n"));
}

static void test_parts(void **state)
{
	struct logd_stream s;
	auto_free char *line = xmalloc(40000 + 2);
	struct dockerd_log_message m;
	struct log_reader *r;
	struct error err = ERROR_INIT;

	(void)state;
	fresh();
	s = stream();
	memset(line, 'x', 40000);
	memcpy(line + 40000, "\n", 2);
	start_pipes(&s);
	say(process.out, line);
	finish();
	r = open_reader(-1, false);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(next(r, &m, &err), 1);
		assert_int_equal(m.length, i < 2 ? 16384 : 40000 - 2 * 16384);
		assert_int_equal(m.partial, i < 2);
	}
	assert_int_equal(next(r, &m, &err), 0);
	log_reader_close(r);
}

static void number_lines(int from, int to)
{
	auto_str s = STR_INIT;

	for (int i = from; i < to; i++)
		str_printf(&s, "line %d\n", i);
	assert_int_equal(fd_write_all(process.out, s.p, s.len), 0);
}

static void test_tail(void **state)
{
	struct logd_stream s;
	auto_str all = STR_INIT;
	struct log_reader *r;

	(void)state;
	fresh();
	s = stream();
	start_pipes(&s);
	number_lines(0, 20000);
	finish();
	expect_log(0, "");
	expect_log(1, "line 19999\n");
	expect_log(3, "line 19997\nline 19998\nline 19999\n");
	r = open_reader(-1, false);
	assert_int_equal(read_back(r, &all), 20000);
	log_reader_close(r);
	r = open_reader(19999, false);
	assert_int_equal(read_back(r, &all), 19999);
	log_reader_close(r);
	r = open_reader(50000, false);
	assert_int_equal(read_back(r, &all), 20000);
	log_reader_close(r);
}

static void test_since_until(void **state)
{
	struct error err = ERROR_INIT;
	struct logd_stream s;
	struct dockerd_log_read how = {
	    .size = sizeof(how), .tail = -1, .since = 2000000000, .until = 3500000000};
	static const char text[] =
	    "{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:01Z\"}\n"
	    "{\"log\":\"two\\n\",\"stream\":\"stderr\",\"attrs\":{\"k\":\"v\"},\"time\":\"1970-01-"
	    "01T00:00:02Z\"}\n"
	    "not json at all\n"
	    "{\"time\":\"1970-01-01T01:00:03.5+01:00\",\"x\":[{\"y\":1}],\"log\":\"three "
	    "\\ud83d\\ude00\\n\"}\n"
	    "{\"log\":\"four\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:04Z\"}\n"
	    "{\"log\":\"cu";
	struct dockerd_log_message m;
	struct log_reader *r;

	(void)state;
	fresh();
	s = stream();
	ok(file_write_atomic(AT_FDCWD, log_path, text, strlen(text), 0600, false, &err), &err);
	ok(log_reader_open(&s, &how, &r, &err), &err);
	assert_int_equal(next(r, &m, &err), 1);
	assert_memory_equal(m.data, "two", 3);
	assert_int_equal(m.source, DOCKERD_LOG_STDERR);
	assert_int_equal(m.attr_count, 1);
	assert_string_equal(m.attrs[0].value, "v");
	assert_int_equal(next(r, &m, &err), 1);
	assert_int_equal(m.time, 3500000000);
	assert_memory_equal(m.data, "three \xf0\x9f\x98\x80", 10);
	assert_int_equal(next(r, &m, &err), 0);
	log_reader_close(r);
	/* a half line at the end is cut away by the next writer */
	start_pipes(&s);
	say(process.out, "five\n");
	finish();
	expect_log(2, "four\nfive\n");
}

static void test_rotation(void **state)
{
	struct logd_stream s;
	auto_str all = STR_INIT;
	auto_free char *gz = NULL, *plain = NULL, *beyond = NULL;
	struct log_reader *r;
	int n;

	(void)state;
	fresh();
	pairs_set(&options, "max-size", "100k");
	pairs_set(&options, "max-file", "3");
	pairs_set(&options, "compress", "true");
	s = stream();
	start_pipes(&s);
	number_lines(0, 10000);
	finish();
	gz = xasprintf("%s.1.gz", log_path);
	plain = xasprintf("%s.1", log_path);
	beyond = xasprintf("%s.3.gz", log_path);
	assert_int_equal(access(gz, F_OK), 0);
	assert_int_equal(access(plain, F_OK), -1);
	assert_int_equal(access(beyond, F_OK), -1);
	r = open_reader(-1, false);
	n = read_back(r, &all);
	log_reader_close(r);
	assert_true(n > 2000 && n < 10000);
	assert_true(str_ends(all.p, "line 9998\nline 9999\n"));
	str_reset(&all);
	r = open_reader(2500,
			false); /* beyond the current file: counts back into compressed ones */
	assert_int_equal(read_back(r, &all), n < 2500 ? n : 2500);
	log_reader_close(r);
	assert_true(str_ends(all.p, "line 9998\nline 9999\n"));
}

static void wait_more(struct log_reader *r)
{
	struct pollfd p = {.fd = log_reader_wait_fd(r), .events = POLLIN};

	assert_int_equal(poll(&p, 1, 20000), 1);
}

static void test_follow_over_rotation(void **state)
{
	struct logd_stream s;
	struct log_reader *r;
	struct dockerd_log_message m;
	struct error err = ERROR_INIT;
	int seen = 0;

	(void)state;
	fresh();
	pairs_set(&options, "max-size", "20k");
	pairs_set(&options, "max-file", "5");
	s = stream();
	start_pipes(&s);
	r = open_reader(-1, true);
	assert_int_equal(next(r, &m, &err), 0);
	for (int round = 0; round < 10; round++) {
		number_lines(round * 100, round * 100 + 100);
		while (seen < round * 100 + 100) {
			int got = next(r, &m, &err);
			char want[32];

			ok(got, &err);
			if (!got) {
				wait_more(r);
				continue;
			}
			snprintf(want, sizeof(want), "line %d", seen++);
			assert_int_equal(m.length, strlen(want));
			assert_memory_equal(m.data, want, strlen(want));
		}
	}
	finish();
	log_reader_close(r);
	{
		auto_free char *second = xasprintf("%s.2", log_path);

		assert_int_equal(access(second, F_OK), 0); /* it did rotate */
	}
}

static void test_attach_frames(void **state)
{
	struct logd_stream s;
	int a, raw;

	(void)state;
	fresh();
	s = stream();
	start_pipes(&s);
	a = attach(false, true, "");
	say(process.out, "out\n");
	expect(a, "\1\0\0\0\0\0\0\4out\n", 12);
	say(process.err, "error");
	expect(a, "\2\0\0\0\0\0\0\5error", 13);
	raw = attach(false, false, "");
	say(process.out, "both");
	expect(a, "\1\0\0\0\0\0\0\4both", 12);
	expect(raw, "both", 4);
	shutdown(a, SHUT_WR); /* the CLI does so without -i: output goes on */
	say(process.out, "more");
	expect(a, "\1\0\0\0\0\0\0\4more", 12);
	finish();
	expect(raw, "more", 4);
	expect_end(a);
	expect_end(raw);
}

static void test_stdin_once(void **state)
{
	struct logd_stream s;
	struct error err = ERROR_INIT;
	int a;

	(void)state;
	fresh();
	s = stream();
	s.stdin_once = true;
	ok(logd_open(&s, &err), &err);
	a = attach(true, false, "");
	say(a, "before the start ");
	start_pipes(&s);
	say(a, "and after");
	expect(process.in, "before the start and after", 26);
	shutdown(a, SHUT_WR);
	expect_end(process.in);
	process.in = -1;
	say(process.out, "still here");
	expect(a, "still here", 10);
	finish();
	expect_end(a);
}

static void test_stdin_stays(void **state)
{
	struct logd_stream s;
	int a, b;

	(void)state;
	fresh();
	s = stream();
	start_pipes(&s);
	a = attach(true, false, "");
	say(a, "one");
	shutdown(a, SHUT_WR);
	expect_end(a); /* its input ended: it is detached, as by moby */
	b = attach(true, false, "");
	say(b, "two");
	expect(process.in, "onetwo", 6);
	finish();
	expect_end(b);
}

static void test_terminal_detach(void **state)
{
	struct logd_stream s;
	struct error err = ERROR_INIT;
	struct termios t;
	int master, slave, a, b;
	char c;

	(void)state;
	fresh();
	s = stream();
	s.terminal = true;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	tcgetattr(slave, &t);
	cfmakeraw(&t);
	tcsetattr(slave, TCSANOW, &t);
	process.console = slave;
	process.held.console = master;
	ok(logd_open(&s, &err), &err);
	ok(logd_start(DRIVER, id, &process.held, &err), &err);
	a = attach(true, false, "\x10\x11");
	say(process.console, "hello\r\n");
	expect(a, "hello\r\n", 7);
	say(a, "x\x10"); /* the first key is held back */
	assert_int_equal(read(slave, &c, 1), 1);
	assert_int_equal(c, 'x');
	say(a, "y"); /* and released */
	expect(slave, "\x10y", 2);
	say(a, "\x10\x10\x11");
	expect(slave, "\x10", 1);
	expect_end(a);
	b = attach(true, false, "");
	say(b, "\x10\x11");
	expect(slave, "\x10\x11", 2);
	finish();
	expect_end(b);
}

/* A client that does not read stops the container when its buffer is full, and loses nothing. */
static void test_slow_client(void **state)
{
	struct logd_stream s;
	auto_free char *block = xmalloc(1 << 16);
	size_t written = 0, got = 0;
	int a, fast;

	(void)state;
	fresh();
	s = stream();
	start_pipes(&s);
	a = attach(false, false, "");
	memset(block, 'z', 1 << 16);
	for (size_t i = 99; i < 1 << 16; i += 100)
		block[i] = '\n';
	fcntl(process.out, F_SETFL, O_NONBLOCK);
	/* until the pipe is full and stays full: a second stream passes through meanwhile, so logd is awake */
	for (int idle = 0; idle < 3;) {
		ssize_t n = write(process.out, block, 1 << 16);

		if (n > 0) {
			written += (size_t)n;
			idle = 0;
			continue;
		}
		assert_int_equal(errno, EAGAIN);
		{
			struct error err = ERROR_INIT;

			ok(logd_flush(DRIVER, id, &err), &err); /* logd has been round its loop */
			idle++;
		}
	}
	assert_in_range(written, 1 << 20, 8 << 20);
	fast = attach(false, false, "");
	close(fast);
	while (got < written) {
		ssize_t n = read(a, block, 1 << 16);

		assert_true(n > 0);
		got += (size_t)n;
	}
	finish();
	expect_end(a);
}

static pid_t find_logd(void)
{
	auto_dir DIR *d = opendir("/proc");
	struct dirent *e;

	while ((e = readdir(d))) {
		auto_free char *path = xasprintf("/proc/%s/cmdline", e->d_name);
		auto_str line = STR_INIT;
		struct error err = ERROR_INIT;

		if (e->d_name[0] < '0' || e->d_name[0] > '9' ||
		    file_read_at(AT_FDCWD, path, 65536, &line, &err) < 0)
			continue;
		/* program NUL driver NUL state directory: ours only */
		if (line.len && streq(line.p, "dockerd-logd") &&
		    memmem(line.p, line.len, run_dir, strlen(run_dir)))
			return (pid_t)atoi(e->d_name);
	}
	return -1;
}

static int restored;

static void restore(const char *driver)
{
	struct logd_stream s = stream();
	struct error err = ERROR_INIT;

	if (!streq(driver, DRIVER))
		return;
	restored++;
	if (process.held.out < 0)
		return;
	ok(logd_open(&s, &err), &err);
	ok(logd_start(DRIVER, id, &process.held, &err), &err);
}

static void test_kill_logd(void **state)
{
	struct logd_stream s;
	auto_str all = STR_INIT;
	struct error err = ERROR_INIT;
	struct log_reader *r;
	int a;

	(void)state;
	fresh();
	s = stream();
	start_pipes(&s);
	a = attach(false, false, "");
	number_lines(0, 100);
	for (int i = 0; i < 100; i++) {
		char want[32];

		snprintf(want, sizeof(want), "line %d\n", i);
		expect(a, want, strlen(want));
	}
	say(process.out, "sync\n"); /* the client is served before the log, and both in one go */
	expect(a, "sync\n", 5);
	ok(logd_flush(DRIVER, id, &err), &err);
	assert_int_equal(kill(find_logd(), SIGKILL), 0);
	expect_end(a);
	number_lines(100, 200); /* into the pipe that the shim holds */
	finish();
	assert_int_equal(restored, 2); /* the first start asks too */
	r = open_reader(-1, false);
	assert_int_equal(read_back(r, &all), 201);
	log_reader_close(r);
	assert_true(str_ends(all.p, "line 199\n"));
}

static void test_finish_timeout(void **state)
{
	struct logd_stream s;
	struct error err = ERROR_INIT;
	int a, keep;

	(void)state;
	fresh();
	s = stream();
	start_pipes(&s);
	a = attach(false, false, "");
	keep = dup(process.out); /* a child of the process holds the pipe */
	say(process.out, "last words");
	ok(logd_finish(DRIVER, id, 1, &err), &err);
	expect(a, "last words", 10);
	expect_end(a);
	close(keep);
	finish();
	expect_log(-1, "last words");
}

static void test_restart_appends(void **state)
{
	struct logd_stream s;

	(void)state;
	fresh();
	s = stream();
	start_pipes(&s);
	say(process.out, "first run\n");
	finish();
	start_pipes(&s);
	say(process.out, "second run\n");
	finish();
	expect_log(-1, "first run\nsecond run\n");
}

static void test_none(void **state)
{
	struct logd_stream s;
	struct log_reader *r;
	struct error err = ERROR_INIT;
	struct dockerd_log_read how = {.size = sizeof(how), .tail = -1};

	(void)state;
	fresh();
	s = stream();
	s.driver = "none";
	assert_int_equal(log_reader_open(&s, &how, &r, &err), -1);
	assert_string_equal(err.text, "configured logging driver does not support reading");
	assert_int_equal(err.kind, ERR_NOT_IMPLEMENTED);
}

static void test_options(void **state)
{
	static const struct {
		const char *key, *value, *error;
	} cases[] = {
	    {"foo", "bar", "unknown log opt 'foo' for json-file log driver"},
	    {"max-file", "0", "max-file cannot be less than 1"},
	    {"compress", "true",
	     "compress cannot be true when max-file is less than 2 or max-size is not set"},
	    {"tag", "{{.Foo}}", "log opt tag: template \"{{.Foo}}\" is not supported"},
	    {"mode", "sometimes", "logger: logging mode not supported: sometimes"},
	    {"max-buffer-size", "1m",
	     "logger: max-buffer-size option is only supported with 'mode=non-blocking'"},
	    {"mode", "non-blocking", NULL},
	    {"max-size", "10m", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_pairs given = PAIRS_INIT, rest = PAIRS_INIT;
		struct error err = ERROR_INIT;
		bool non_blocking;
		uint64_t max;
		int r;

		pairs_set(&given, cases[i].key, cases[i].value);
		r = log_options_split(DRIVER, &given, &non_blocking, &max, &rest, &err);
		if (!cases[i].error)
			ok(r, &err);
		else if (r == 0 || !strstr(err.text, cases[i].error))
			fail_msg("%s=%s: %s", cases[i].key, cases[i].value,
				 r ? err.text : "accepted");
	}
}

/* ---- sinks that are slow, away, or refuse: slow_sink.c ---------------------------------------------------------------------------- */

static char *slow; /* path of the driver */

/* A stream of its own beside the one of `fresh`. */
struct other {
	char *id, *log_path;
	struct pairs options;
	struct logd_stream s;
	struct logd_fds held;
	int out; /* the process's side */
};

static void other_open(struct other *o, const char *key, const char *value)
{
	struct error err = ERROR_INIT;
	int p[2];

	*o = (struct other){.id = xasprintf("other%d", ++serial)};
	o->log_path = xasprintf("%s/%s.log", root, o->id);
	if (key)
		pairs_set(&o->options, key, value);
	o->s = (struct logd_stream){.id = o->id,
				    .driver = slow,
				    .container_id = o->id,
				    .container_name = o->id,
				    .log_path = o->log_path,
				    .options = &o->options};
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	o->out = p[1];
	o->held = (struct logd_fds){.in = -1, .out = p[0], .err = -1, .console = -1};
	ok(logd_open(&o->s, &err), &err);
}

static int other_start(struct other *o, bool running, struct error *err)
{
	o->held.running = running;
	return logd_start(slow, o->id, &o->held, err);
}

/* What its log holds at its end. */
static void other_end(struct other *o, int timeout_ms, struct str *log)
{
	struct error err = ERROR_INIT;

	fd_close(&o->out);
	ok(logd_finish(slow, o->id, timeout_ms, &err), &err);
	ok(logd_remove(slow, o->id, &err), &err);
	if (log)
		ok(file_read_at(AT_FDCWD, o->log_path, 64 << 20, log, &err), &err);
	fd_close(&o->held.out);
	free(o->id);
	free(o->log_path);
	pairs_free(&o->options);
}

/* A container of the same driver, started and ended now, is not held up. */
static void others_go_on(void)
{
	struct other b;
	auto_str log = STR_INIT;
	struct error err = ERROR_INIT;

	other_open(&b, NULL, NULL);
	ok(other_start(&b, false, &err), &err);
	say(b.out, "goes on\n");
	other_end(&b, 20000, &log);
	assert_string_equal(str_cstr(&log), "goes on\n");
}

static void fill_up(struct other *o)
{
	char block[4096];

	memset(block, 'z', sizeof(block));
	for (size_t i = 63; i < sizeof(block); i += 64)
		block[i] = '\n';
	fcntl(o->out, F_SETFL, O_NONBLOCK);
	for (int idle = 0; idle < 3;) {
		struct error err = ERROR_INIT;

		if (write(o->out, block, sizeof(block)) > 0) {
			idle = 0;
			continue;
		}
		ok(logd_flush(slow, o->id, &err), &err); /* logd has been round its loop */
		idle++;
	}
}

static void test_sink_hangs_in_open(void **state)
{
	static const char *const how[] = {"open", "open-deaf"};
	struct error err = ERROR_INIT;
	struct other a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		other_open(&a, "hang", how[i]);
		ok(other_start(&a, true, &err), &err);
		fill_up(&a);
		others_go_on();
		other_end(&a, 1, NULL);
	}
	/* a start waits for it, but not for ever; it can be tried again */
	other_open(&a, "hang", "open");
	assert_int_equal(other_start(&a, false, &err), -1);
	assert_string_equal(err.text, "the log driver has not opened its sink in time");
	error_clear(&err);
	others_go_on();
	other_end(&a, 1, NULL);
}

static void test_sink_hangs_in_write(void **state)
{
	static const char *const how[] = {"write", "write-deaf"};
	struct error err = ERROR_INIT;
	struct other a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		other_open(&a, "hang", how[i]);
		ok(other_start(&a, false, &err), &err);
		fill_up(&a);
		others_go_on();
		other_end(&a, 1, NULL);
	}
}

static void test_sink_is_away(void **state)
{
	auto_free char *gate = xasprintf("%s/gate", root);
	struct error err = ERROR_INIT;
	auto_str log = STR_INIT, want = STR_INIT;
	struct other a, b;

	(void)state;
	/* a start fails with it; a container that runs waits */
	other_open(&a, "open-gate", gate);
	assert_int_equal(other_start(&a, false, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "slow_sink: "));
	error_clear(&err);
	ok(other_start(&a, true, &err), &err);
	/* blocking: nothing is lost, in order */
	other_open(&b, "gate", gate);
	ok(other_start(&b, false, &err), &err);
	for (int i = 0; i < 200; i++) {
		auto_free char *line = xasprintf("line %d\n", i);

		say(a.out, line);
		say(b.out, line);
		str_puts(&want, line);
	}
	close(open(gate, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	other_end(&a, 20000, &log);
	assert_string_equal(str_cstr(&log), str_cstr(&want));
	str_reset(&log);
	other_end(&b, 20000, &log);
	assert_string_equal(str_cstr(&log), str_cstr(&want));
	unlink(gate);
}

/* Non-blocking: the process never waits, what does not fit is dropped, what is there stays. */
static void test_sink_is_away_non_blocking(void **state)
{
	auto_free char *gate = xasprintf("%s/gate", root);
	struct error err = ERROR_INIT;
	auto_str log = STR_INIT;
	struct other a;

	(void)state;
	other_open(&a, "gate", gate);
	a.s.non_blocking = true;
	a.s.max_buffer = 100000;
	ok(logd_open(&a.s, &err), &err);
	ok(other_start(&a, false, &err), &err);
	for (int i = 0; i < 20000; i++) {
		auto_free char *line = xasprintf("line %d\n", i);

		say(a.out, line);
	}
	ok(logd_flush(slow, a.id, &err), &err);
	close(open(gate, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	other_end(&a, 20000, &log);
	assert_int_equal(strncmp(str_cstr(&log), "line 0\nline 1\nline 2\n", 21), 0);
	assert_in_range(log.len, 1000, 100000);
	unlink(gate);
}

static void test_sink_refuses(void **state)
{
	struct error err = ERROR_INIT;
	auto_str log = STR_INIT;
	struct other a;

	(void)state;
	other_open(&a, "refuse", "bad");
	ok(other_start(&a, false, &err), &err);
	say(a.out, "one\nbad\nbad\ntwo\nbad\nthree\n");
	other_end(&a, 20000, &log);
	assert_string_equal(str_cstr(&log), "one\ntwo\nthree\n");
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(root))
		return -1;
	run_dir = xasprintf("%s/run", root);
	if (mkdir(run_dir, 0700) < 0)
		return -1;
	logd_setup(run_dir, "test", restore);
	log_reader_setup(run_dir, "test");
	{
		auto_free char *dockerd = program_path("dockerd");

		plugin_set_reader(dockerd);
	}
	slow = xasprintf("%s/tests/drivers/.libs/slow_sink.so", getenv("DOCKERD_LIBEXECDIR"));
	return 0;
}

static int teardown(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	logd_shutdown();
	return dir_remove_all(AT_FDCWD, root, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_tail),
	    cmocka_unit_test(test_since_until),
	    cmocka_unit_test(test_rotation),
	    cmocka_unit_test(test_follow_over_rotation),
	    cmocka_unit_test(test_attach_frames),
	    cmocka_unit_test(test_stdin_once),
	    cmocka_unit_test(test_stdin_stays),
	    cmocka_unit_test(test_terminal_detach),
	    cmocka_unit_test(test_slow_client),
	    cmocka_unit_test(test_kill_logd),
	    cmocka_unit_test(test_finish_timeout),
	    cmocka_unit_test(test_restart_appends),
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_sink_hangs_in_open),
	    cmocka_unit_test(test_sink_hangs_in_write),
	    cmocka_unit_test(test_sink_is_away),
	    cmocka_unit_test(test_sink_is_away_non_blocking),
	    cmocka_unit_test(test_sink_refuses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
