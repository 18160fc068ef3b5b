/* SPDX-License-Identifier: Apache-2.0 */
/* Logs from end to end: what a container writes, through dockerd-logd and json-file, and what is read back. */
#include "log_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),          cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_tail),           cmocka_unit_test(test_since_until),
	    cmocka_unit_test(test_rotation),       cmocka_unit_test(test_follow_over_rotation),
	    cmocka_unit_test(test_finish_timeout), cmocka_unit_test(test_restart_appends),
	    cmocka_unit_test(test_none),           cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
