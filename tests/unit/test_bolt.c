/* SPDX-License-Identifier: Apache-2.0 */
/* Files of bbolt: written, read again, locked, cut short. That bbolt itself reads them is seen beside moby (tests/compat). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bolt.h"
#include "base/mem.h"

static char path[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/dockerd-test-bolt.%d", (int)getpid());
	unlink(path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static struct bolt *must_open(void)
{
	struct error err = ERROR_INIT;
	struct bolt *b;

	assert_int_equal(bolt_open(path, &b, &err), 0);
	return b;
}

static void put(struct bolt *b, const char *key, const char *value)
{
	bolt_put(b, "bucket", key, value, strlen(value));
}

static void commit(struct bolt *b)
{
	struct error err = ERROR_INIT;

	assert_int_equal(bolt_commit(b, &err), 0);
}

static void test_round(void **state)
{
	auto_strlist keys = STRLIST_INIT;
	struct bolt *b = must_open();
	size_t n;

	(void)state;
	assert_null(bolt_get(b, "bucket", "a", &n));
	put(b, "b/2", "two");
	put(b, "a/1", "one");
	put(b, "b/1", "");
	commit(b);
	bolt_close(b);
	b = must_open();
	bolt_keys(b, "bucket", "b/", &keys);
	assert_int_equal(keys.n, 2);
	assert_string_equal(keys.v[0], "b/1");
	assert_string_equal(keys.v[1], "b/2");
	assert_string_equal(bolt_get(b, "bucket", "a/1", &n), "one");
	assert_int_equal(n, 3);
	assert_non_null(bolt_get(b, "bucket", "b/1", &n));
	assert_int_equal(n, 0);
	bolt_del(b, "bucket", "a/1");
	bolt_del(b, "bucket", "never");
	commit(b);
	bolt_close(b);
	b = must_open();
	assert_null(bolt_get(b, "bucket", "a/1", &n));
	bolt_close(b);
}

/* Many commits of growing and shrinking content: always the last one is read, and the file does not grow without end. */
static void test_many(void **state)
{
	char key[16], value[3000];
	struct bolt *b = must_open();
	off_t size;
	size_t n;
	int fd;

	(void)state;
	for (int round = 0; round < 60; round++) {
		snprintf(key, sizeof(key), "k%02d", round % 20);
		memset(value, 'a' + round % 26, sizeof(value) - 1);
		value[sizeof(value) - 1] = '\0';
		if (round % 7 == 6)
			bolt_del(b, "bucket", key);
		else
			put(b, key, value);
		commit(b);
		if (round % 5 == 0) {
			bolt_close(b);
			b = must_open();
		}
	}
	assert_string_equal(bolt_get(b, "bucket", key, &n), value);
	bolt_close(b);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = lseek(fd, 0, SEEK_END);
	close(fd);
	assert_true(size < 4 * 20 * 4096);
}

static void test_lock(void **state)
{
	struct bolt *b = must_open(), *second = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(bolt_open(path, &second, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	bolt_close(b);
	bolt_close(must_open());
}

/* A commit that was cut between its pages and its head never was. */
static void test_torn(void **state)
{
	struct bolt *b = must_open();
	struct error err = ERROR_INIT;
	char page[4096];
	size_t n;
	int fd;

	(void)state;
	put(b, "k", "first");
	commit(b);
	bolt_close(b);
	fd = open(path, O_RDWR | O_CLOEXEC);
	/* the next head would go to the other page: spoil it as a torn write does */
	assert_int_equal(pread(fd, page, sizeof(page), 4096), sizeof(page));
	memset(page + 40, 0xff, 8);
	assert_int_equal(pwrite(fd, page, sizeof(page), 4096), sizeof(page));
	close(fd);
	b = must_open();
	assert_string_equal(bolt_get(b, "bucket", "k", &n), "first");
	bolt_close(b);
	/* both spoilt: an error, not an empty file */
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, page, sizeof(page), 0), sizeof(page));
	close(fd);
	assert_int_equal(bolt_open(path, &b, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_round, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_lock, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_torn, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
