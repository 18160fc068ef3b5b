/* SPDX-License-Identifier: Apache-2.0 */
/* The base room: strings, maps, JSON with cJSON's traps, times, files, messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/filter.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"
#include "proto/msg.h"

static void test_error_text(void **state)
{
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(error_sys(&e, ENOENT, "open %s", "/x"), -1);
	assert_string_equal(e.text, "open /x: No such file or directory");
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	error_wrap(&e, "layer %d", 7);
	assert_string_equal(e.text, "layer 7: open /x: No such file or directory");
	error_set(&e, ERR_CONFLICT, "again: %s", e.text);
	assert_string_equal(e.text, "again: layer 7: open /x: No such file or directory");
	assert_int_equal(error_http_status(e.kind), 409);
}

static void test_map(void **state)
{
	struct map m = MAP_INIT;
	char key[16];
	size_t seen = 0, i = 0;

	(void)state;
	for (intptr_t n = 1; n <= 1000; n++) {
		snprintf(key, sizeof(key), "k%d", (int)n);
		assert_null(map_set(&m, key, (void *)n));
	}
	for (intptr_t n = 1; n <= 1000; n += 2) {
		snprintf(key, sizeof(key), "k%d", (int)n);
		assert_ptr_equal(map_del(&m, key), (void *)n);
		assert_null(map_get(&m, key));
	}
	while (map_next(&m, &i))
		seen++;
	assert_int_equal(seen, 500);
	assert_ptr_equal(map_get(&m, "k500"), (void *)500);
	map_free(&m, NULL);
}

static json *parse_ok(const char *text)
{
	struct error e = ERROR_INIT;
	json *j = json_parse(text, strlen(text), &e);

	if (!j)
		fail_msg("%s: %s", text, e.text);
	return j;
}

static void test_json_accepts_and_keeps(void **state)
{
	auto_json *j = parse_ok(
	    "{\"a\":9007199254740993,\"b\":18446744073709551615,\"A\":1,\"a\":-9223372036854775808,"
	    "\"s\":\"\\u00e9\\ud83d\\ude00\",\"l\":[1,2.5,true,null]}");
	auto_str out = STR_INIT;

	(void)state;
	assert_true(json_get_i64(j, "a", 0) == INT64_MIN); /* last of equals wins */
	assert_true(json_u64(json_get(j, "b"), 0) == UINT64_MAX);
	assert_true(json_get_i64(j, "b", 5) == 5); /* out of range: the fallback */
	assert_int_equal(json_get_i64(j, "L", 3), 3);
	assert_string_equal(json_get_str(j, "S", ""),
			    "\xc3\xa9\xf0\x9f\x98\x80"); /* names fold as Go's do */
	json_print(j, &out);
	assert_non_null(strstr(out.p, "18446744073709551615"));
	assert_non_null(strstr(out.p, "[1,2.5,true,null]"));
}

static void test_json_rejects(void **state)
{
	static const char *const bad[] = {"",      "{",           "{}x",      "[01]",
					  "[1.]",  "[1e]",        "[\"\n\"]", "[\"\\x\"]",
					  "[nul]", "{\"a\"}",     "[1,]",     "\"\\u0000\"",
					  "[-]",   "[\"\\u12\"]", "{'a':1}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error e = ERROR_INIT;
		json *j = json_parse(bad[i], strlen(bad[i]), &e);

		if (j)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static void test_json_writer(void **state)
{
	auto_str out = STR_INIT;
	struct jw w = jw_to(&out);
	auto_pairs p = PAIRS_INIT;

	(void)state;
	pairs_set(&p, "z", "1");
	pairs_set(&p, "a", "<&>\xff\n");
	jw_obj(&w);
	jw_kpairs(&w, "m", &p, true);
	jw_karr(&w, "l");
	jw_u64(&w, UINT64_MAX);
	jw_double(&w, 0.1);
	jw_end(&w);
	jw_knull(&w, "n");
	jw_end(&w);
	assert_string_equal(out.p, "{\"m\":{\"a\":\"\\u003c\\u0026\\u003e\\ufffd\\n\",\"z\":\"1\"},"
				   "\"l\":[18446744073709551615,0.1],\"n\":null}");
}

static void test_clock(void **state)
{
	struct error err = ERROR_INIT;
	char buf[CLOCK_TEXT];
	int64_t ns;

	(void)state;
	assert_true(clock_parse("2024-05-06T07:08:09.120000001+02:00", &ns));
	clock_format(ns, buf);
	assert_string_equal(buf, "2024-05-06T05:08:09.120000001Z");
	clock_format(1700000000 * INT64_C(1000000000) + 500000000, buf);
	assert_string_equal(buf, "2023-11-14T22:13:20.5Z");
	clock_format_fixed(1700000000 * INT64_C(1000000000), buf);
	assert_string_equal(buf, "2023-11-14T22:13:20.000000000Z");
	assert_true(clock_parse("0001-01-01T00:00:00Z", &ns));
	assert_true(ns == CLOCK_ZERO);
	assert_false(clock_parse("2024-05-06", &ns));
	assert_true(clock_parse_param("1700000000.25", 0, &ns));
	assert_true(ns == 1700000000 * INT64_C(1000000000) + 250000000);
	assert_true(clock_parse_param("10m", 601 * INT64_C(1000000000), &ns));
	assert_true(ns == INT64_C(1000000000));
	assert_false(clock_parse_param("yesterday", 0, &ns));
	assert_int_equal(clock_parse_unix("1700000000.25", &ns, &err), 0);
	assert_true(ns == 1700000000 * INT64_C(1000000000) + 250000000);
	assert_int_equal(clock_parse_unix("-1", &ns, &err), 0);
	assert_true(ns == -INT64_C(1000000000));
	assert_int_equal(clock_parse_unix("9999999999", &ns, &err), 0); /* the year 2286 */
	assert_true(ns == INT64_MAX);
	assert_int_equal(clock_parse_unix("1h", &ns, &err), -1);
	assert_string_equal(err.text, "strconv.ParseInt: parsing \"1h\": invalid syntax");
	assert_int_equal(clock_parse_unix("99999999999999999999", &ns, &err), -1);
	assert_string_equal(
	    err.text, "strconv.ParseInt: parsing \"99999999999999999999\": value out of range");
	assert_true(clock_parse_duration("1h2m3.5s", &ns));
	assert_true(ns == INT64_C(3723500000000));
	assert_false(clock_parse_duration("5", &ns));
}

static void test_paths(void **state)
{
	static const char *const t[][2] = {{"/a/../b//c/.", "/b/c"},
					   {"../../x", "../../x"},
					   {"/..", "/"},
					   {"", "."},
					   {"a/..", "."}};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		auto_free char *c = path_clean(t[i][0]);

		assert_string_equal(c, t[i][1]);
	}
	assert_false(path_is_component(".."));
	assert_false(path_is_component("a/b"));
	assert_true(path_is_component("..a"));
}

static void test_root_confinement(void **state)
{
	char dir[] = "/tmp/test-base-XXXXXX";
	struct error e = ERROR_INIT;
	auto_close root = -1, sub = -1, out = -1;
	auto_str s = STR_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(dir_make_all(root, "etc/deep/er", 0755, &e), 0);
	assert_int_equal(file_write_atomic(root, "etc/hostname", "in\n", 3, 0644, true, &e), 0);
	assert_int_equal(symlinkat("/etc", root, "abs"), 0);
	assert_int_equal(symlinkat("../../../..", root, "up"), 0);
	out = open_in_root(root, "abs/hostname", O_RDONLY, 0);
	assert_true(out >= 0);
	assert_int_equal(file_read_fd(out, 100, &s, &e), 0);
	assert_string_equal(s.p, "in\n");
	sub = make_dir_in_root(root, "up/etc/new/dir", 0755, &e);
	assert_true(sub >= 0);
	assert_true(file_exists_at(root, "etc/new/dir"));
	assert_int_equal(file_read_at(root, "etc/hostname", 2, &s, &e), -1);
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	assert_int_equal(dir_remove_all(AT_FDCWD, dir, &e), 0);
	assert_false(file_exists_at(AT_FDCWD, dir));
}

/* As deep as a container can make it: neither the stack nor the descriptors may run out. */
static void test_remove_deep_tree(void **state)
{
	char dir[] = "/tmp/test-base-XXXXXX";
	struct error e = ERROR_INIT;
	auto_close at = -1;

	(void)state;
	assert_non_null(mkdtemp(dir));
	at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 20000; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0700), 0);
		if (i % 1000 == 0)
			assert_int_equal(symlinkat("/", at, "root"), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	fd_close(&at);
	assert_int_equal(dir_remove_all(AT_FDCWD, dir, &e), 0);
	assert_false(file_exists_at(AT_FDCWD, dir));
	assert_int_equal(dir_remove_all(AT_FDCWD, dir, &e), 0);
}

static void test_messages(void **state)
{
	int sv[2];
	struct error e = ERROR_INIT, said;
	auto_msg m = {0}, got = {0};
	auto_close fd = -1;
	struct stat a, b;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	msg_init(&m, 40);
	m.seq = 7;
	msg_put_str(&m, 20, "hello");
	msg_put_u64(&m, 21, UINT64_MAX);
	assert_int_equal(msg_put_fd(&m, 22, 0), 0);
	assert_int_equal(msg_send(sv[0], &m, &e), 0);
	assert_int_equal(msg_recv(sv[1], &got, 1000, &e), 1);
	assert_int_equal(got.seq, 7);
	assert_string_equal(msg_get_str(&got, 20), "hello");
	assert_true(msg_get_u64(&got, 21, 0) == UINT64_MAX);
	assert_int_equal(msg_get_u32(&got, 21, 9), 9); /* other size: the fallback */
	fd = msg_take_fd(&got, 22);
	assert_true(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstat(0, &b), 0);
	assert_true(a.st_ino == b.st_ino);
	assert_int_equal(msg_take_fd(&got, 22), -1);
	error_set(&said, ERR_CONFLICT, "busy");
	assert_int_equal(msg_reply_error(sv[1], 7, &said, &e), 0);
	assert_int_equal(msg_recv(sv[0], &got, 1000, &e), 1);
	assert_int_equal(msg_to_error(&got, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_string_equal(e.text, "busy");
	assert_int_equal(msg_recv(sv[0], &got, 10, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	close(sv[1]);
	assert_int_equal(msg_recv(sv[0], &got, 1000, &e), 0);
	close(sv[0]);
}

static void test_message_parser_refuses(void **state)
{
	static const unsigned char good[] = {0x64, 0x6b, 0x6d, 0x31, 4,   0, 1,  0, 0, 0,
					     0,    0,    12,   0,    0,   0, 20, 0, 0, 0,
					     1,    0,    0,    0,    'x', 0, 0,  0};
	struct error e;

	(void)state;
	for (size_t cut = 0; cut <= sizeof(good); cut++) {
		auto_msg m = {0};

		assert_int_equal(msg_parse(&m, good, cut, &e), cut == sizeof(good) ? 0 : -1);
	}
	for (size_t i = 0; i < sizeof(good); i++) {
		unsigned char copy[sizeof(good)];
		auto_msg m = {0};

		memcpy(copy, good, sizeof(good));
		copy[i] ^= 0x80;
		if (msg_parse(&m, copy, sizeof(copy), &e) == 0)
			assert_true(m.body.len == 12);
	}
}

/* Filters as clients of any age send them. */
static json *parse(const char *text)
{
	struct error err = ERROR_INIT;
	json *j = json_parse(text, strlen(text), &err);

	assert_non_null(j);
	return j;
}

static bool fits(const struct pairs *labels, const char *filters)
{
	auto_json *j = parse(filters);

	return filter_labels(labels, j);
}

static void test_filters(void **state)
{
	static const char *const known[] = {"label", "name", NULL};
	auto_json *j = parse("{\"name\":{\"a\":true,\"b\":false},\"label\":[\"x\"]}"),
		  *bad = parse("{\"nam\":[\"a\"]}");
	auto_strlist values = STRLIST_INIT;
	auto_pairs labels = PAIRS_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(filter_check(j, known, &err), 0);
	assert_int_equal(filter_check(NULL, known, &err), 0);
	assert_int_equal(filter_check(bad, known, &err), -1);
	assert_string_equal(err.text, "invalid filter 'nam'");
	filter_values(j, "name", &values);
	filter_values(j, "label", &values);
	filter_values(j, "none", &values);
	assert_int_equal(values.n, 3);
	assert_string_equal(values.v[2], "x");
	pairs_set(&labels, "x", "1");
	pairs_set(&labels, "xy", "");
	assert_true(fits(&labels, "{}"));
	assert_true(fits(&labels, "{\"label\":[\"x\",\"x=1\",\"xy\",\"xy=\"]}"));
	assert_false(fits(&labels, "{\"label\":[\"x\",\"x=2\"]}"));
	assert_false(fits(&labels, "{\"label\":[\"\"]}"));
	assert_false(fits(&labels, "{\"label!\":{\"x\":true}}"));
	/* as moby: what has all of them is left out */
	assert_true(fits(&labels, "{\"label!\":[\"x\",\"z\"]}"));
	assert_false(fits(&labels, "{\"label!\":[\"x=1\",\"xy\"]}"));
}

static atomic_bool filling;

static void *fill(void *arg)
{
	int dir = *(int *)arg;
	char name[32];

	for (unsigned int i = 0; atomic_load(&filling); i++) {
		snprintf(name, sizeof(name), "f%u", i);
		close(openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	return NULL;
}

/* Somebody who has the directory open makes files as fast as they go: it comes to an end, with or without them. */
static void test_remove_while_filled(void **state)
{
	char dir[] = "/var/tmp/dockerd-test-fill.XXXXXX";
	struct error err = ERROR_INIT;
	pthread_t threads[2];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	atomic_store(&filling, true);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fill, &fd), 0);
	alarm(120);
	if (dir_remove_all(AT_FDCWD, dir, &err) < 0)
		assert_non_null(strstr(err.text, dir));
	alarm(0);
	atomic_store(&filling, false);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	close(fd);
	error_clear(&err);
	assert_int_equal(dir_remove_all(AT_FDCWD, dir, &err), 0);
}

static void test_idmap(void **state)
{
	static const struct id_range r[] = {{0, 100000, 1000}, {1000, 300000, 10}};
	uint32_t id = 7;

	(void)state;
	assert_true(idmap_to_host(r, 2, 0, &id));
	assert_int_equal(id, 100000);
	assert_true(idmap_to_host(r, 2, 999, &id));
	assert_int_equal(id, 100999);
	assert_true(idmap_to_host(r, 2, 1000, &id));
	assert_int_equal(id, 300000);
	assert_false(idmap_to_host(r, 2, 1010, &id));
	assert_false(idmap_to_host(r, 2, UINT32_MAX, &id));
	assert_int_equal(id, 300000);
	assert_int_equal(idmap_to_container(r, 2, 100999), 999);
	assert_int_equal(idmap_to_container(r, 2, 300009), 1009);
	assert_int_equal(idmap_to_container(r, 2, 101000), IDMAP_OVERFLOW);
	assert_int_equal(idmap_to_container(r, 2, 0), IDMAP_OVERFLOW);
	assert_null(idmap_current());
	assert_int_equal(idmap_root_uid(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_error_text),
	    cmocka_unit_test(test_map),
	    cmocka_unit_test(test_json_accepts_and_keeps),
	    cmocka_unit_test(test_json_rejects),
	    cmocka_unit_test(test_json_writer),
	    cmocka_unit_test(test_clock),
	    cmocka_unit_test(test_filters),
	    cmocka_unit_test(test_idmap),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_root_confinement),
	    cmocka_unit_test(test_remove_deep_tree),
	    cmocka_unit_test(test_remove_while_filled),
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_message_parser_refuses),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
