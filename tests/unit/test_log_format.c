/* SPDX-License-Identifier: Apache-2.0 */
/* Pure parts of logging: json-file's escaper, times, scanner, tags; logd's line splitter and detach keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../plugins/log/json-file/json-file.h"
#include "../../plugins/log/local/local.h"
#include "../../plugins/log/syslog/syslog.h"
#include "../../servers/logd/logd.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/mem.h"

static void expect_escaped(const char *in, size_t n, const char *want)
{
	char out[256];
	size_t len = escape_json(out, in, n);

	out[len] = '\0';
	assert_string_equal(out, want);
}

static void test_escape(void **state)
{
	(void)state;
	expect_escaped("plain", 5, "plain");
	expect_escaped("\"\\\n\r\t\b\x1f\x7f", 8, "\\\"\\\\\\n\\r\\u0009\\u0008\\u001f\x7f");
	expect_escaped("<&>", 3, "\\u003c\\u0026\\u003e");
	expect_escaped("\0", 1, "\\u0000");
	expect_escaped("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
		       "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	expect_escaped("\xe2\x80\xa8\xe2\x80\xa9", 6, "\\u2028\\u2029");
	/* cut, overlong, surrogate, out of range: one replacement per byte, as Go */
	expect_escaped("\xc3", 1, "\\ufffd");
	expect_escaped("a\xffz", 3, "a\\ufffdz");
	expect_escaped("\xc0\x80", 2, "\\ufffd\\ufffd");
	expect_escaped("\xed\xa0\x80", 3, "\\ufffd\\ufffd\\ufffd");
	expect_escaped("\xf4\x90\x80\x80", 4, "\\ufffd\\ufffd\\ufffd\\ufffd");
}

static void test_time(void **state)
{
	static const int64_t times[] = {0,
					1,
					999999999,
					1000000000,
					951782400000000000,
					951868799123456789,
					1709164800000000000,
					1767225599999999990,
					-1,
					-86400000000000,
					4102444800120000000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		char ours[40], want[CLOCK_TEXT];

		ours[format_time(ours, times[i])] = '\0';
		clock_format(times[i], want);
		assert_string_equal(ours, want);
	}
}

static bool scan(const char *line, struct record *r, char *out)
{
	/* exactly sized, so that a sanitizer sees a step too far */
	size_t n = strlen(line);
	char *copy = xmalloc(n ? n : 1), *buf = xmalloc(n + 1);
	bool ok;

	memcpy(copy, line, n);
	ok = scan_record(copy, n, r, buf);
	if (ok) {
		memcpy(out, r->data, r->len);
		out[r->len] = '\0';
	}
	free(copy);
	free(buf);
	return ok;
}

#define T ",\"time\":\"2024-01-02T03:04:05Z\"}"

static void test_scan(void **state)
{
	static const char *const bad[] = {
	    "",
	    "{",
	    "{}",
	    "{\"log\":\"x\"}",
	    "{\"log\":\"x\"" T "x",
	    "{\"log\":\"x" T,
	    "{\"log\":\"\\x\"" T,
	    "{\"log\":\"\\u12\"" T,
	    "{\"log\":1" T,
	    "{\"log\":\"x\",\"time\":\"yesterday\"}",
	    "{\"log\":\"x\",\"time\":\"2024-01-02T03:04:05\"}",
	    "[\"log\"]",
	    "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]" T,
	};
	struct record r = {0};
	char out[128];

	(void)state;
	assert_true(
	    scan("{\"log\":\"a\\tb\\u00e9\\/\\ud83d\\ude00\\ud83d\\n\",\"stream\":\"stderr\"" T, &r,
		 out));
	assert_string_equal(out, "a\tb\xc3\xa9/\xf0\x9f\x98\x80\xef\xbf\xbd");
	assert_false(r.partial);
	assert_int_equal(r.source, DOCKERD_LOG_STDERR);
	assert_int_equal(r.time, 1704164645000000000);
	assert_true(scan(" { \"time\" : \"2024-01-02T04:04:05.25+01:00\" , \"other\" : "
			 "{\"log\":[1,{\"a\":null}]} , \"log\":\"\" } ",
			 &r, out));
	assert_int_equal(r.time, 1704164645250000000);
	assert_int_equal(r.len, 0);
	assert_true(scan("{\"log\":\"\\u0000x\"" T, &r, out));
	assert_int_equal(r.len, 2);
	assert_true(r.partial);
	assert_true(scan("{\"log\":\"x\",\"attrs\":null" T, &r, out));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(scan(bad[i], &r, out));
}

#define TAIL "\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:05.25Z\"}"

/* Whatever record came before, one says the same. */
static void test_scan_after(void **state)
{
	static const char *const lines[] = {
	    "{\"log\":\"one\\n" TAIL,
	    "{\"log\":\"another\\n" TAIL,
	    "{\"log\":\"a part" TAIL,
	    "{\"log\":\"" TAIL,
	    "{\"log\":\"\\n" TAIL,
	    "{\"log\":\"back\\\\n" TAIL,
	    "{\"log\":\"tab\\tand\\n" TAIL,
	    "{\"log\":\"quote\\\"\\n" TAIL,
	    "{\"log\":\"escaped\\" TAIL,
	    "{\"log\":\"x\",\"log\":\"y\\n" TAIL,
	    "{\"log\":\"x\",\"attrs\":{\"a\":\"b" TAIL,
	    "{\"log\":\"x\\n\",\"attrs\":{\"a\":\"b\"},\"time\":\"2024-01-02T03:04:05.25Z\"}",
	    "{\"log\":\"two\\n\",\"stream\":\"stderr\",\"time\":\"2024-01-02T03:04:05.25Z\"}",
	    "{\"log\":\"two\\n\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:06Z\"}",
	    "{\"log\":\"two\\n\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:06Z\",\"log\":"
	    "\"x\"}",
	    "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"never\"}",
	    "\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:05.25Z\"}",
	    "{\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:05.25Z\"}",
	};
	char out[128], want_out[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		for (size_t k = 0; k < ARRAY_LEN(lines); k++) {
			struct record r = {0}, want = {0};
			bool good = scan(lines[k], &want, want_out);

			scan(lines[i], &r, out);
			assert_int_equal(scan(lines[k], &r, out), good);
			if (!good)
				continue;
			assert_int_equal(r.len, want.len);
			assert_memory_equal(out, want_out, want.len);
			assert_int_equal(r.partial, want.partial);
			assert_int_equal(r.time, want.time);
			assert_int_equal(r.source, want.source);
			assert_int_equal(r.attr_count, want.attr_count);
		}
}

static void test_tag(void **state)
{
	struct dockerd_log_info info = {
	    .size = sizeof(info),
	    .container_id = "0123456789abcdef0123",
	    .container_name = "web",
	    .image_id = "sha256:fedcba98765432100000",
	    .command = "sh -c",
	};
	static const char *const good[][2] = {
	    {"plain", "plain"},
	    {"{{.ID}}", "0123456789ab"},
	    {"{{ .FullID }}/{{.Name}}", "0123456789abcdef0123/web"},
	    {"{{.ImageID}}-{{.ImageName}}-{{.Command}}", "fedcba987654--sh -c"},
	};
	static const char *const bad[] = {"{{.Foo}}", "{{.ID", "{{.ID .Name}}", "{{printf}}",
					  "{{}}"};
	struct dockerd_error err = {.size = sizeof(err)};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct text t = {0};

		assert_int_equal(tag_expand(good[i][0], &info, &t, &err), 0);
		assert_string_equal(t.p, good[i][1]);
		free(t.p);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct text t = {0};

		assert_int_equal(tag_expand(bad[i], &info, &t, &err), -1);
		free(t.p);
	}
}

/* Messages as "text|" and parts as "text+ordinal|". */
static struct str seen;

static void note(struct split_out *o)
{
	for (uint32_t i = 0; i < o->n; i++) {
		const struct dockerd_log_message *m = &o->messages[i];

		if (m->length > 100)
			str_printf(&seen, "%d", (int)m->length);
		else
			str_add(&seen, m->data, m->length);
		if (m->partial_ordinal)
			str_printf(&seen, "%c%u", m->partial ? '+' : '.', m->partial_ordinal);
		str_putc(&seen, '|');
	}
}

static void feed(struct split *s, const char *text, size_t n, bool flush)
{
	static char space[PART_MAX + READ_MAX];
	static struct dockerd_log_message messages[BATCH_MAX];
	struct split_out o = {.messages = messages, .emit = note};

	memcpy(space + PART_MAX, text, n);
	split_feed(s, space, n, 1, flush, &o);
}

static void expect_seen(const char *want)
{
	assert_string_equal(str_cstr(&seen), want);
	str_reset(&seen);
}

static void test_split(void **state)
{
	auto_free char *x = xmalloc(40000);
	struct split s = {.source = DOCKERD_LOG_STDOUT};

	(void)state;
	memset(x, 'x', 40000);
	feed(&s, "a\n\nb", 4, false);
	expect_seen("a||");
	feed(&s, "c\nd", 3, false);
	expect_seen("bc|");
	feed(&s, "", 0, true);
	expect_seen("d+1|");
	feed(&s, x, 40000, false);
	expect_seen("16384+1|16384+2|");
	feed(&s, "\ny\n", 3, false);
	expect_seen("7232.3|y|");
	/* exactly one part, then the newline: an empty last part */
	feed(&s, x, PART_MAX, false);
	feed(&s, "\n", 1, false);
	expect_seen("16384+1|.2|");
	/* byte by byte it comes to the same */
	for (int i = 0; i < PART_MAX + 1; i++)
		feed(&s, "z", 1, false);
	feed(&s, "\n", 1, false);
	expect_seen("16384+1|z.2|");
	assert_null(s.tail);
	for (int i = 0; i < BATCH_MAX * 2; i++)
		memcpy(x + i * 2, "k\n", 2);
	feed(&s, x, BATCH_MAX * 4, false);
	assert_int_equal(seen.len, BATCH_MAX * 4);
	str_reset(&seen);
	split_free(&s);
	str_free(&seen);
}

static void expect_keys(struct keys *k, const char *in, const char *want, bool typed)
{
	char out[128];
	size_t n;

	assert_int_equal(keys_pass(k, in, strlen(in), out, &n), typed);
	out[n] = '\0';
	assert_string_equal(out, want);
}

static void test_keys(void **state)
{
	struct keys k = {.keys = "\x10\x11", .n = 2}, aab = {.keys = "aab", .n = 3},
		    none = {.n = 0};

	(void)state;
	expect_keys(&k, "ab", "ab", false);
	expect_keys(&k, "c\x10", "c", false);
	expect_keys(&k, "d",
		    "\x10"
		    "d",
		    false);
	expect_keys(&k, "\x10\x10\x10", "\x10\x10", false);
	expect_keys(&k, "\x11rest", "", true);
	expect_keys(&aab, "aaaxaab", "aaax", true);
	expect_keys(&none, "\x10\x11", "\x10\x11", false);
}

/* The bytes are those that moby 28.5 writes. */
static void test_entry(void **state)
{
	static const char hello[] = "\0\0\0\x19\x0a\x06stdout\x10\xc3\xa8\xe5\xdb\xf7\x96\x95\xf5"
				    "\x18\x1a\x05hello\0\0\0\x19";
	struct dockerd_log_message m = {.size = sizeof(m),
					.source = DOCKERD_LOG_STDOUT,
					.time = 1795338443219293251,
					.data = "hello",
					.length = 5};
	char out[ENTRY_FRAME + 16], text[64];
	struct record r;
	const char *rec;
	size_t n = entry_print(out, &m), len;

	(void)state;
	assert_int_equal(n, sizeof(hello) - 1);
	m.time = 0;
	assert_int_equal(entry_frame(hello, n, 0, &rec, &len), n);
	assert_true(entry_scan(rec, len, &r, text));
	assert_int_equal(r.len, 5);
	assert_memory_equal(r.data, "hello", 5);
	assert_false(r.partial);
	m.time = r.time;
	assert_int_equal(entry_print(out, &m), n);
	assert_memory_equal(out, hello, n);
	/* cut anywhere it is not whole yet; with other lengths it is none */
	for (size_t i = 0; i < n; i++)
		assert_int_equal(entry_frame(hello, i, 0, &rec, &len), 0);
	out[n - 1]++;
	assert_true(entry_frame(out, n, 0, &rec, &len) == FRAME_DAMAGED);
	out[0] = 1;
	assert_true(entry_frame(out, n, 0, &rec, &len) == FRAME_DAMAGED);
	/* parts of a line */
	m.source = DOCKERD_LOG_STDERR;
	m.partial = 1;
	m.partial_ordinal = 300;
	m.partial_id = "0123";
	n = entry_print(out, &m);
	assert_int_equal(entry_frame(out, n, 0, &rec, &len), n);
	assert_true(entry_scan(rec, len, &r, text));
	assert_true(r.partial && r.source == DOCKERD_LOG_STDERR);
	m.partial = 0;
	n = entry_print(out, &m);
	assert_int_equal(entry_frame(out, n, 0, &rec, &len), n);
	assert_true(entry_scan(rec, len, &r, text));
	assert_false(r.partial);
	/* lengths that reach beyond the record */
	for (size_t i = 0; i < len; i++) {
		memcpy(text, rec, len);
		text[i] = '\x7f';
		entry_scan(text, len, &r, out);
		assert_true(r.len <= len);
	}
}

/* The last records, and the last whole one, of a file that a writer left in the middle. */
static void test_entry_file(void **state)
{
	struct log_part f = {.fd = memfd_create("log", MFD_CLOEXEC)};
	struct dockerd_log_message m = {.size = sizeof(m), .source = DOCKERD_LOG_STDOUT, .time = 5};
	char out[ENTRY_FRAME + 8];
	off_t starts[101] = {0};
	int64_t want;

	(void)state;
	for (int i = 0; i < 100; i++) {
		size_t n;

		m.data = "12345678";
		m.length = (uint64_t)(i % 9);
		n = entry_print(out, &m);
		assert_int_equal(write(f.fd, out, n), n);
		starts[i + 1] = starts[i] + (off_t)n;
	}
	assert_int_equal(entry_last_end(f.fd, starts[100]), starts[100]);
	for (int64_t k = 1; k <= 100; k++) {
		want = k;
		assert_int_equal(entry_count_back(&f, &want), 0);
		assert_int_equal(want, 0);
		assert_int_equal(f.start, starts[100 - k]);
	}
	want = 200;
	assert_int_equal(entry_count_back(&f, &want), 0);
	assert_int_equal(want, 100);
	assert_int_equal(f.start, 0);
	for (off_t size = starts[99]; size < starts[100]; size++) {
		assert_int_equal(ftruncate(f.fd, size), 0);
		assert_int_equal(entry_last_end(f.fd, size), starts[99]);
		want = 3;
		assert_int_equal(entry_count_back(&f, &want), 0);
		assert_int_equal(f.start, starts[96]);
	}
	assert_int_equal(entry_last_end(f.fd, 0), 0);
	close(f.fd);
}

static void expect_line(enum format format, uint32_t source, const char *text, const char *want)
{
	struct header h = {
	    .format = format, .facility = 19, .pid = 42, .hostname = "host", .tag = "web"};
	/* 2023-11-04T22:13:20.123456789Z */
	struct dockerd_log_message m = {.size = sizeof(m),
					.source = source,
					.time = INT64_C(1699136000123456789),
					.data = text,
					.length = strlen(text)};
	char out[HEADER_MAX + 64];
	size_t n = format_line(&h, &m, out);

	out[n] = '\0';
	assert_string_equal(out, want);
}

static void test_syslog(void **state)
{
	char long_name[600];
	struct header h = {.format = FORMAT_5424, .hostname = long_name, .tag = long_name};
	struct dockerd_log_message m = {.size = sizeof(m), .data = "x", .length = 1};
	char out[HEADER_MAX + 1];

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	expect_line(FORMAT_UNIX, DOCKERD_LOG_STDOUT, "hi", "<158>Nov  4 22:13:20 web[42]: hi\n");
	expect_line(FORMAT_UNIX, DOCKERD_LOG_STDERR, "", "<155>Nov  4 22:13:20 web[42]: \n");
	expect_line(FORMAT_3164, DOCKERD_LOG_STDOUT, "end\r\n",
		    "<158>Nov  4 22:13:20 host web[42]: end\r\n");
	expect_line(FORMAT_5424, DOCKERD_LOG_STDOUT, "hi",
		    "<158>1 2023-11-04T22:13:20Z host web 42 web - hi\n");
	setenv("TZ", "XXX-05:30", 1);
	tzset();
	expect_line(FORMAT_5424_MICRO, DOCKERD_LOG_STDERR, "hi",
		    "<155>1 2023-11-05T03:43:20.123456+05:30 host web 42 web - hi\n");
	setenv("TZ", "XXX03", 1);
	tzset();
	expect_line(FORMAT_5424, DOCKERD_LOG_STDOUT, "hi",
		    "<158>1 2023-11-04T19:13:20-03:00 host web 42 web - hi\n");
	memset(long_name, 'n', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	assert_true(format_line(&h, &m, out) <= HEADER_MAX + m.length);
}

static void test_syslog_options(void **state)
{
	static const struct {
		const char *text, *why; /* NULL: fine */
		enum transport to;
		const char *host, *port;
	} addresses[] = {
	    {"", NULL, TO_LOCAL, "", ""},
	    {"udp://1.2.3.4", NULL, TO_UDP, "1.2.3.4", "514"},
	    {"tcp://logs.example:6000", NULL, TO_TCP, "logs.example", "6000"},
	    {"tcp://[fe80::1]:99", NULL, TO_TCP, "fe80::1", "99"},
	    {"tcp://[::1]", NULL, TO_TCP, "::1", "514"},
	    {"udp://:515/x", NULL, TO_UDP, "", "515"},
	    {"unix:///", NULL, TO_UNIX, "", ""},
	    {"foo", "unsupported scheme: ''", 0, NULL, NULL},
	    {"ftp://a:1", "unsupported scheme: 'ftp'", 0, NULL, NULL},
	    {"://a", "parse \"://a\": missing protocol scheme", 0, NULL, NULL},
	    {"udp://a:x", "parse \"udp://a:x\": invalid port \":x\" after host", 0, NULL, NULL},
	    {"udp://[::1", "parse \"udp://[::1\": missing ']' in host", 0, NULL, NULL},
	    {"udp://a:70000", "invalid port in udp://a:70000", 0, NULL, NULL},
	    {"unixgram:///nope", "stat /nope: no such file or directory", 0, NULL, NULL},
	    {"unix://", "stat : no such file or directory", 0, NULL, NULL},
	    {"tcp+tls://a", "syslog-address tcp+tls://a: tcp+tls is not supported yet", 0, NULL,
	     NULL},
	};
	struct dockerd_error err = {.size = sizeof(err)};
	struct address a;
	enum format format;
	int facility;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		int r = address_parse(addresses[i].text, &a, &err);

		assert_int_equal(r, addresses[i].why ? -1 : 0);
		if (r < 0) {
			assert_string_equal(err.text, addresses[i].why);
			continue;
		}
		assert_int_equal(a.to, addresses[i].to);
		assert_string_equal(a.host, addresses[i].host);
		assert_string_equal(a.port, addresses[i].port);
	}
	assert_int_equal(facility_parse(NULL, &facility, &err), 0);
	assert_int_equal(facility, 3);
	assert_int_equal(facility_parse("local7", &facility, &err), 0);
	assert_int_equal(facility, 23);
	assert_int_equal(facility_parse("12", &facility, &err), 0);
	assert_int_equal(facility, 12);
	assert_int_equal(facility_parse("24", &facility, &err), -1);
	assert_int_equal(facility_parse("-1", &facility, &err), -1);
	assert_int_equal(facility_parse("localx", &facility, &err), -1);
	assert_string_equal(err.text, "invalid syslog facility");
	assert_int_equal(format_parse("rfc5424micro", &format, &err), 0);
	assert_int_equal(format, FORMAT_5424_MICRO);
	assert_int_equal(format_parse("RFC3164", &format, &err), -1);
	assert_string_equal(err.text, "Invalid syslog format");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_escape),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_scan),
	    cmocka_unit_test(test_scan_after),
	    cmocka_unit_test(test_tag),
	    cmocka_unit_test(test_entry),
	    cmocka_unit_test(test_entry_file),
	    cmocka_unit_test(test_syslog),
	    cmocka_unit_test(test_syslog_options),
	    cmocka_unit_test(test_split),
	    cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
