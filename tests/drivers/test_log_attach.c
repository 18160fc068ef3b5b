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

/* ---- output that is passed on without being read -- */

static unsigned char byte_of(int stream, size_t i)
{
	return (unsigned char)(i * (stream == 1 ? 31 : 7) + i / 251);
}

struct frames {
	unsigned char head[8];
	size_t head_n, left, seen[3];
};

/* The bytes of each stream come in their order, in whole frames. */
static void check_frames(struct frames *f, const unsigned char *p, size_t n)
{
	while (n) {
		int which = f->head[0];

		if (!f->left) {
			f->head[f->head_n++] = *p++;
			n--;
			if (f->head_n < 8)
				continue;
			assert_in_range(f->head[0], 1, 2);
			f->left = (size_t)f->head[4] << 24 | (size_t)f->head[5] << 16 |
				  (size_t)f->head[6] << 8 | f->head[7];
			f->head_n = 0;
			continue;
		}
		if (*p != byte_of(which, f->seen[which]))
			fail_msg("byte %zu of stream %d", f->seen[which], which);
		f->seen[which]++;
		f->left--;
		p++;
		n--;
	}
}

static size_t write_pattern(int fd, int which, size_t from, size_t n)
{
	auto_free unsigned char *block = xmalloc(n);
	ssize_t w;

	for (size_t i = 0; i < n; i++)
		block[i] = byte_of(which, from + i);
	w = write(fd, block, n);
	assert_true(w > 0 || errno == EAGAIN);
	return w > 0 ? (size_t)w : 0;
}

/* Large and small pieces of both outputs, to a client that reads now and then. */
static void test_passed_on(void **state)
{
	static unsigned char buf[1 << 18];
	size_t written[3] = {0}, total = 12 << 20;
	struct logd_stream s;
	struct frames f = {{0}, 0, 0, {0}};
	unsigned int dice = 1;
	int a;

	(void)state;
	fresh();
	s = stream();
	s.exec = true; /* is not logged */
	start_pipes(&s);
	fcntl(process.out, F_SETFL, O_NONBLOCK);
	fcntl(process.err, F_SETFL, O_NONBLOCK);
	a = attach(false, true, "");
	while (f.seen[1] + f.seen[2] < total || f.seen[1] + f.seen[2] < written[1] + written[2]) {
		struct pollfd p[3] = {{.fd = a, .events = POLLIN}};
		size_t said = written[1] + written[2];
		bool reads;

		dice = dice * 1103515245 + 12345;
		reads = dice >> 16 & 3;
		for (int k = 1; k <= 2; k++)
			p[k] = (struct pollfd){.fd = said >= total ? -1
						     : k == 1      ? process.out
								   : process.err,
					       .events = POLLOUT};
		/* a client that does not read now waits until nothing more can be written */
		p[0].events = reads || said >= total ? POLLIN : 0;
		if (poll(p, 3, reads || said >= total ? 60000 : 20) == 0)
			p[0].revents = POLLIN;
		for (int k = 1; k <= 2; k++)
			if (p[k].revents & POLLOUT)
				written[k] +=
				    write_pattern(p[k].fd, k, written[k],
						  1 + (dice >> 8) % (k == 1 ? 200000 : 40000));
		if (p[0].revents & POLLIN) {
			ssize_t n = recv(a, buf, 1 + (dice >> 4) % sizeof(buf), MSG_DONTWAIT);

			if (n > 0)
				check_frames(&f, buf, (size_t)n);
		}
	}
	assert_int_equal(f.left, 0);
	assert_int_equal(f.seen[1], written[1]);
	assert_int_equal(f.seen[2], written[2]);
	finish();
	expect_end(a);
}

/* ---- a client that first gets the past -- */

static void test_held(void **state)
{
	struct logd_attach at = {.out = true, .detach_keys = ""};
	struct pollfd p = {.events = POLLIN};
	struct logd_stream s;
	struct error err = ERROR_INIT;
	auto_str log = STR_INIT;
	int pair[2], hold;

	(void)state;
	fresh();
	s = stream();
	start_pipes(&s);
	say(process.out, "past\nbegun");
	ok(logd_flush(DRIVER, id, &err), &err);
	for (int i = 0; i < 2; i++) { /* the second one's daemon dies */
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		at.sock = pair[1];
		/* until what was said has been read: it must be in the log or with the client */
		ok(logd_attach_held(DRIVER, id, &at, &hold, &err), &err);
		assert_true(hold >= 0);
		close(pair[1]);
		say(process.out, " and said\n");
		ok(logd_flush(DRIVER, id, &err), &err);
		p.fd = pair[0];
		assert_int_equal(poll(&p, 1, 0), 0);
		str_reset(&log);
		read_log(&log);
		assert_null(strstr(str_cstr(&log), i ? "again" : "and said"));
		if (i) {
			fd_close(&hold);
			expect_end(pair[0]);
			break;
		}
		logd_release(&hold);
		assert_int_equal(hold, -1);
		/* what the log lacks, whether or not it had been read by then */
		if (strstr(str_cstr(&log), "past"))
			expect(pair[0], "begun and said\n", 15);
		else
			expect(pair[0], "past\nbegun and said\n", 20);
		say(process.out, "again");
		expect(pair[0], "again", 5);
		close(pair[0]);
	}
	finish();
	str_reset(&log);
	read_log(&log);
	assert_non_null(strstr(str_cstr(&log), "begun and said"));
	assert_non_null(strstr(str_cstr(&log), "again and said"));
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
	    cmocka_unit_test(test_slow_client),   cmocka_unit_test(test_passed_on),
	    cmocka_unit_test(test_held),          cmocka_unit_test(test_kill_logd),
	    cmocka_unit_test(test_logd_ends),
	};

	on_restore = restore;
	return cmocka_run_group_tests(tests, setup, teardown);
}
