/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that are attached to a container: frames, stdin, terminals, slow ones, and a dockerd-logd that dies meanwhile. */
#include "log_fixture.h"

#include <sys/syscall.h>

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

/* The daemon goes: dockerd-logd stays for a container that runs, to the end of what that says, and not longer. */
static void test_logd_ends(void **state)
{
	auto_close logd = -1;
	struct pollfd p = {.events = POLLIN};
	struct logd_stream s;
	auto_str log = STR_INIT;

	(void)state;
	fresh();
	s = stream();
	start_pipes(&s);
	say(process.out, "with a daemon\n");
	logd = (int)syscall(SYS_pidfd_open, find_logd(), 0);
	assert_true(logd >= 0);
	logd_shutdown();
	say(process.out, "without\n");
	p.fd = logd;
	assert_int_equal(poll(&p, 1, 0), 0);
	fd_close(&process.out);
	fd_close(&process.err);
	assert_int_equal(poll(&p, 1, 60000), 1);
	read_log(&log);
	assert_non_null(strstr(str_cstr(&log), "with a daemon"));
	assert_non_null(strstr(str_cstr(&log), "without"));
	fd_close(&process.in);
	fd_close(&process.held.in);
	fd_close(&process.held.out);
	fd_close(&process.held.err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_attach_frames), cmocka_unit_test(test_stdin_once),
	    cmocka_unit_test(test_stdin_stays),   cmocka_unit_test(test_terminal_detach),
	    cmocka_unit_test(test_slow_client),   cmocka_unit_test(test_kill_logd),
	    cmocka_unit_test(test_logd_ends),
	};

	on_restore = restore;
	return cmocka_run_group_tests(tests, setup, teardown);
}
