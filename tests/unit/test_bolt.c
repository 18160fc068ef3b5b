/* SPDX-License-Identifier: Apache-2.0 */
/* Files of bbolt: written, read again, locked, cut short. That bbolt itself reads them is seen beside moby (tests/compat). */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bolt.h"
#include "base/cleanup.h"
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

static atomic_int waits = -1; /* told of a flock(2) that waits; a thread of an earlier test may still look */

int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);
int __wrap_flock(int fd, int how)
{
	int gate = atomic_load(&waits);

	if (!(how & LOCK_NB) && gate >= 0)
		assert_int_equal(write(gate, "x", 1), 1);
	return __real_flock(fd, how);
}

/* Its holder goes while it is waited for: a child of a killed daemon, just before its exec. */
static void test_lock_comes_free(void **state)
{
	struct bolt *b = must_open();
	int gate[2];
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		/* the parent has closed its own, and tries: this one goes by the end of the process */
		_exit(read(gate[0], &c, 1) != 1);
	}
	bolt_close(b);
	close(gate[0]);
	waits = gate[1];
	bolt_close(must_open());
	waits = -1;
	close(gate[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
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

/* What could not be written is not there afterwards: neither in memory, nor with the next commit, nor on disk. */
static void fail_commit(struct bolt *b, rlim_t room)
{
	struct rlimit was, none;
	struct error err = ERROR_INIT;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = was;
	none.rlim_cur = room;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(bolt_commit(b, &err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
}

static void test_failed_commit(void **state)
{
	struct bolt *b = must_open();
	size_t n;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	put(b, "kept", "1");
	put(b, "gone", "1");
	commit(b);
	put(b, "kept", "2");
	put(b, "kept", "3");
	put(b, "new", "2");
	bolt_del(b, "bucket", "gone");
	fail_commit(b, 0);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(bolt_get(b, "bucket", "kept", &n), "1");
		assert_string_equal(bolt_get(b, "bucket", "gone", &n), "1");
		assert_null(bolt_get(b, "bucket", "new", &n));
		put(b, "other", "4");
		commit(b);
		bolt_close(b);
		b = must_open();
	}
	bolt_close(b);
}

/* The second head stood at another place in a file of another machine: its pages stay as large as they were. */
static void large_pages(uint32_t size, bool first_is_whole)
{
	struct bolt *b = must_open();
	auto_free char *pages = calloc(4, size);
	char small[3 * 4096], big[3000];
	uint32_t found;
	size_t n;
	int fd;

	bolt_close(b);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, small, sizeof(small), 0), sizeof(small));
	for (size_t i = 0; i < 3; i++)
		memcpy(pages + i * size, small + i * 4096, 128);
	for (size_t i = 0; i < 2; i++) {
		uint64_t sum = UINT64_C(0xcbf29ce484222325);
		unsigned char *meta = (unsigned char *)pages + i * size + 16;

		memcpy(meta + 8, &size, sizeof(size));
		for (size_t k = 0; k < 56; k++)
			sum = (sum ^ meta[k]) * UINT64_C(0x100000001b3);
		memcpy(meta + 56, &sum, sizeof(sum));
	}
	if (!first_is_whole)
		pages[16 + 57] ^= 1;
	assert_int_equal(pwrite(fd, pages, 3 * (size_t)size, 0), 3 * (ssize_t)size);
	assert_int_equal(ftruncate(fd, 3 * (off_t)size), 0);
	b = must_open();
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (int i = 0; i < 5; i++) {
		put(b, i % 2 ? "odd" : "even", big + i);
		commit(b);
	}
	bolt_close(b);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(pread(fd, &found, sizeof(found), (off_t)(i * size + 24)),
				 sizeof(found));
		assert_int_equal(found, size);
	}
	assert_int_equal(lseek(fd, 0, SEEK_END) % size, 0);
	close(fd);
	b = must_open();
	assert_string_equal(bolt_get(b, "bucket", "even", &n), big + 4);
	assert_string_equal(bolt_get(b, "bucket", "odd", &n), big + 3);
	bolt_close(b);
	unlink(path);
}

static void test_page_sizes(void **state)
{
	(void)state;
	for (uint32_t size = 1024; size <= 65536; size *= 2) {
		large_pages(size, true);
		large_pages(size, false);
	}
	bolt_close(must_open());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_round, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_lock, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_lock_comes_free, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_torn, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_failed_commit, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_page_sizes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
