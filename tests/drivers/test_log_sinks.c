/* SPDX-License-Identifier: Apache-2.0 */
/* Sinks that are slow, away, or refuse: slow_sink.c. */
#include "log_fixture.h"

#include <sys/inotify.h>

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

/* In what dockerd-logd says, which comes when its thread has closed the sink. */
static void wait_said(const char *text)
{
	auto_free char *path = xasprintf("%s/stderr", root);
	auto_close watch = inotify_init1(IN_CLOEXEC);
	char events[4096];

	assert_true(inotify_add_watch(watch, path, IN_MODIFY) >= 0);
	alarm(60);
	for (;;) {
		auto_str log = STR_INIT;
		struct error err = ERROR_INIT;

		ok(file_read_at(AT_FDCWD, path, 16 << 20, &log, &err), &err);
		if (strstr(str_cstr(&log), text))
			break;
		assert_true(read(watch, events, sizeof(events)) > 0);
	}
	alarm(0);
}

/* At the end of a log it is said how much of it is missing, whatever the reason and however fast it came. */
static void test_losses_are_counted(void **state)
{
	auto_free char *said = NULL;
	struct error err = ERROR_INIT;
	auto_str log = STR_INIT;
	struct other a;

	(void)state;
	other_open(&a, "refuse", "bad");
	said = xasprintf("container=%s messages=5", a.id);
	ok(other_start(&a, false, &err), &err);
	say(a.out, "bad\nbad\none\nbad\nbad\nbad\ntwo\n");
	other_end(&a, 20000, &log);
	assert_string_equal(str_cstr(&log), "one\ntwo\n");
	wait_said(said);
}

/* dockerd-logd's stderr is ours. */
static int setup_sinks(void **state)
{
	auto_free char *path = NULL;
	int fd;

	if (setup(state) < 0)
		return -1;
	slow = xasprintf("%s/tests/drivers/.libs/slow_sink.so", getenv("DOCKERD_LIBEXECDIR"));
	path = xasprintf("%s/stderr", root);
	fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		return -1;
	close(fd);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sink_hangs_in_open),
	    cmocka_unit_test(test_sink_hangs_in_write),
	    cmocka_unit_test(test_sink_is_away),
	    cmocka_unit_test(test_sink_is_away_non_blocking),
	    cmocka_unit_test(test_sink_refuses),
	    cmocka_unit_test(test_losses_are_counted),
	};

	return cmocka_run_group_tests(tests, setup_sinks, teardown);
}
