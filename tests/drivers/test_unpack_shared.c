/* SPDX-License-Identifier: Apache-2.0 */
/* An archive is unpacked where a container is at work (copy-up into a volume): what that puts in the way of a file is neither followed nor opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "drivers/tar_maker.h"
#include "proto/unpack.h"
#include <dockerd/storage.h>
#include "unpack/client.h"

#define SIZE (1 << 20)

struct job {
	int stream, dir, result;
	struct error err;
};

static void *unpack(void *arg)
{
	struct job *j = arg;
	auto_unpacker u = UNPACKER_INIT;
	struct unpacked ignored;

	j->result = unpacker_start(&u, false, &j->err);
	if (j->result == 0)
		j->result = unpacker_extract(&u, j->stream, j->dir, -1, DOCKERD_WHITEOUT_AUFS,
					     UNPACK_FLAG_SHARED, &ignored, &j->err);
	close(j->stream);
	return NULL;
}

static mode_t mode_of(int dir, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

/* `meddle` has its turn while the first half of "big" is there. */
static int unpack_with(int dir, void (*meddle)(int dir))
{
	auto_str tar = STR_INIT;
	auto_close watch = inotify_init1(IN_CLOEXEC), to = -1;
	struct job j = {.dir = dir};
	char *content = calloc(1, SIZE), path[64], event[4096];
	pthread_t thread;
	int ends[2];

	tar_member(&tar, '0', "big", "", 06777, content, SIZE);
	tar_end(&tar);
	free(content);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	j.stream = ends[0];
	to = ends[1];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	assert_true(inotify_add_watch(watch, path, IN_CREATE | IN_MOVED_TO) >= 0);
	assert_int_equal(pthread_create(&thread, NULL, unpack, &j), 0);
	assert_int_equal(fd_write_all(to, tar.p, SIZE / 2), 0);
	assert_true(read(watch, event, sizeof(event)) > 0);
	if (meddle)
		meddle(dir);
	(void)!fd_write_all(to, tar.p + SIZE / 2, tar.len - SIZE / 2);
	fd_close(&to);
	pthread_join(thread, NULL);
	return j.result;
}

static void put_link(int dir)
{
	assert_int_equal(unlinkat(dir, "big", 0), 0);
	assert_int_equal(symlinkat("../victim", dir, "big"), 0);
}

static void put_fifo(int dir)
{
	assert_int_equal(unlinkat(dir, "big", 0), 0);
	assert_int_equal(mkfifoat(dir, "big", 0600), 0);
}

static void test_shared(void **state)
{
	char top[] = "/tmp/dockerd-unpack-XXXXXX";
	auto_close base = -1, dir = -1, victim = -1;

	(void)state;
	assert_non_null(mkdtemp(top));
	base = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(base, "volume", 0755), 0);
	dir = openat(base, "volume", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	victim = openat(base, "victim", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(victim >= 0);

	assert_int_equal(unpack_with(dir, NULL), 0);
	assert_int_equal(mode_of(dir, "big"), 06777);
	assert_int_equal(unpack_with(dir, put_link), -1);
	assert_int_equal(mode_of(base, "victim"), 0600);
	assert_int_equal(unlinkat(dir, "big", 0), 0);
	assert_int_equal(unpack_with(dir, put_fifo), -1);
	assert_int_equal(mode_of(dir, "big"), 0600);

	unlinkat(dir, "big", 0);
	unlinkat(base, "victim", 0);
	unlinkat(base, "volume", AT_REMOVEDIR);
	rmdir(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_shared)};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
