/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers of other versions: what our client makes of a server that is older or newer, and what our servers (dockerd-shim, dockerd-exec, dockerd-logd)
 * make of such a client. The servers are those of the build tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/spawn.h"
#include "proto/logd.h"
#include "proto/msg.h"
#include "proto/shim.h"

#define ANY 77 /* a request that nobody knows */

/* ---- our client, a peer of another version --------------------------------------------------------------------------------------- */

struct peer {
	int sock;
	uint32_t min, max, version;
	pthread_t thread;
};

/* Answers one hello and one request. */
static void *serve(void *arg)
{
	struct peer *p = arg;
	struct error err = ERROR_INIT;
	auto_msg m = {0};

	if (msg_recv(p->sock, &m, 10000, &err) == 1 &&
	    msg_hello_server(p->sock, &m, "peer", p->min, p->max, &p->version, &err) == 0 &&
	    msg_recv(p->sock, &m, 10000, &err) == 1)
		msg_reply_ok(p->sock, m.seq, &err);
	close(p->sock);
	return NULL;
}

static int call_peer(uint32_t their_min, uint32_t their_max, uint32_t min, uint32_t max,
		     uint32_t *version, struct error *err)
{
	struct peer p = {.min = their_min, .max = their_max};
	auto_msg request = {0}, reply = {0};
	int pair[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	p.sock = pair[1];
	assert_int_equal(pthread_create(&p.thread, NULL, serve, &p), 0);
	msg_init(&request, ANY);
	*version = 0;
	r = msg_hello_call(pair[0], "dockerd", min, max, version, &request, &reply, 10000, err);
	pthread_join(p.thread, NULL);
	close(pair[0]);
	if (r == 0)
		assert_int_equal(p.version, *version);
	return r;
}

static void test_client(void **state)
{
	static const struct {
		uint32_t their_min, their_max, min, max, agreed;
	} cases[] = {
	    {1, 1, 1, 1, 1}, {1, 5, 1, 1, 1}, {1, 2, 1, 5, 2}, {2, 9, 1, 3, 3},
	    {2, 3, 1, 1, 0}, {1, 1, 2, 4, 0}, {0, 0, 0, 0, 0}, {9, 2, 1, 9, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = ERROR_INIT;
		uint32_t version;
		int r = call_peer(cases[i].their_min, cases[i].their_max, cases[i].min,
				  cases[i].max, &version, &err);

		assert_int_equal(r, cases[i].agreed ? 0 : -1);
		if (r == 0)
			assert_int_equal(version, cases[i].agreed);
		else
			assert_int_equal(err.kind, ERR_UNAVAILABLE);
	}
	{
		struct error err = ERROR_INIT;
		uint32_t version;

		call_peer(2, 3, 1, 1, &version, &err);
		assert_string_equal(
		    err.text,
		    "handshake: dockerd speaks protocol versions 1 to 1, the other side 2 "
		    "to 3");
	}
}

/* ---- our servers, a client of another version ------------------------------------------------------------------------------------ */

static char dir[] = "/var/tmp/dockerd-test-hello.XXXXXX";

static int greet(int sock, uint32_t min, uint32_t max, struct error *err)
{
	uint32_t version = 0;

	return msg_hello_client(sock, "client", min, max, &version, err) < 0 ? -1 : (int)version;
}

/* A server of ours with `sock` as descriptor 3 and the directory as 4. */
static pid_t start(const char *name, const char *const *argv, int sock, int out)
{
	auto_free char *path = program_path(name);
	auto_close d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fds[5] = {-1, out, STDERR_FILENO, sock, d};
	struct error err = ERROR_INIT;
	pid_t pid = spawn_program(
	    &(struct spawn){.path = path, .argv = argv, .fds = fds, .n_fds = 5}, &err);

	if (pid < 0)
		fail_msg("%s", err.text);
	return pid;
}

/* min, max: of the server. A range behind it is refused by name, one around it agrees on its best. */
static void check(int older_or_newer, int around, uint32_t min, uint32_t max)
{
	struct error err = ERROR_INIT;

	assert_int_equal(greet(older_or_newer, max + 1, max + 5, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "speaks protocol"));
	error_clear(&err);
	assert_int_equal(greet(around, min, max + 5, &err), max);
	close(older_or_newer);
	close(around);
}

static void test_exec(void **state)
{
	static const char *const argv[] = {"dockerd-exec", NULL};
	int newer[2], around[2];
	pid_t pids[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, newer), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, around), 0);
	pids[0] = start("dockerd-exec", argv, newer[1], -1);
	pids[1] = start("dockerd-exec", argv, around[1], -1);
	close(newer[1]);
	close(around[1]);
	check(newer[0], around[0], EXEC_PROTOCOL_MIN, EXEC_PROTOCOL_MAX);
	waitpid(pids[0], NULL, 0);
	waitpid(pids[1], NULL, 0);
}

static int connect_to(const char *path)
{
	struct error err = ERROR_INIT;
	int sock = msg_connect(path, &err);

	if (sock < 0)
		fail_msg("%s", err.text);
	return sock;
}

static void test_shim(void **state)
{
	static const char *const argv[] = {"dockerd-shim", "test", NULL};
	auto_free char *path = path_join(dir, SHIM_SOCKET);
	struct error err = ERROR_INIT;
	auto_close listener = msg_listen(path, &err);
	int first = connect_to(path), second = connect_to(path);
	pid_t pid = start("dockerd-shim", argv, listener, -1);

	(void)state;
	check(first, second, SHIM_PROTOCOL_MIN, SHIM_PROTOCOL_MAX);
	assert_int_equal(waitpid(pid, NULL, 0),
			 pid); /* nothing was created, and its last client has left */
}

static void test_logd(void **state)
{
	const char *argv[] = {"dockerd-logd", "none", dir, NULL};
	auto_free char *path = path_join(dir, "logd.sock");
	struct error err = ERROR_INIT;
	auto_close listener = msg_listen(path, &err), last = -1;
	int first = connect_to(path), second = connect_to(path), said[2];
	auto_msg m = {0}, reply = {0};
	char c;

	(void)state;
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	waitpid(start("dockerd-logd", argv, listener, said[1]), NULL, 0);
	close(said[1]);
	assert_int_equal(read(said[0], &c, 1), 0); /* it serves */
	close(said[0]);
	check(first, second, LOGD_VERSION_MIN, LOGD_VERSION_MAX);
	last = connect_to(path);
	assert_int_equal(greet(last, LOGD_VERSION_MIN, LOGD_VERSION_MAX, &err), LOGD_VERSION_MAX);
	msg_init(&m, LOGD_SHUTDOWN);
	assert_int_equal(msg_call(last, &m, &reply, 10000, &err), 0);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return dir_remove_all(AT_FDCWD, dir, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_client),
	    cmocka_unit_test(test_exec),
	    cmocka_unit_test(test_shim),
	    cmocka_unit_test(test_logd),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
