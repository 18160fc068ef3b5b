/* SPDX-License-Identifier: Apache-2.0 */
/* Exec drivers: the life of a container from the place of its shim (cell.h). What a spec means in all its parts is the driver's own test. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "cell.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PAUSED_MS 200 /* how long a paused container is watched doing nothing */

static void expect_run(struct kit *k, const char *const *argv, int code, const char *output)
{
	auto_str out = STR_INIT;
	struct cell c;
	int got;

	cell_init(k, &c, argv, false);
	cell_run(&c);
	cell_read(&c, &out, 0);
	got = cell_wait(&c, c.init);
	KIT_CHECK(k, got == code, "'%s' ends with %d, expected %d; output '%s'", argv[0], got, code,
		  str_cstr(&out));
	KIT_CHECK(k, !output || streq(str_cstr(&out), output), "output is '%s', expected '%s'",
		  str_cstr(&out), output);
	cell_end(&c);
}

static void check_run(struct kit *k)
{
	expect_run(k, ARGV("echo", "hello"), 0, "hello\n");
	expect_run(k, ARGV("sh", "-c", "exit 3"), 3, "");
	expect_run(k, ARGV("sh", "-c", "ls /proc/self/fd"), 0, "0\n1\n2\n3\n");
}

static void check_stdin(struct kit *k)
{
	auto_str out = STR_INIT;
	struct cell c;

	cell_init(k, &c, ARGV("cat"), false);
	cell_run(&c);
	KIT_CHECK(k, write(c.in, "through", 7) == 7, "stdin is closed");
	close(c.in);
	c.in = -1;
	cell_read(&c, &out, 0);
	KIT_CHECK(k, streq(str_cstr(&out), "through"), "cat says '%s'", str_cstr(&out));
	KIT_CHECK(k, cell_wait(&c, c.init) == 0, "cat failed");
	cell_end(&c);
}

static void expect_no_start(struct kit *k, const char *command, uint32_t category)
{
	struct cell c;
	int32_t r;

	cell_init(k, &c, ARGV(command), false);
	r = cell_create(&c);
	if (r == 0)
		r = cell_start(&c);
	KIT_CHECK(k, r < 0, "'%s' starts", command);
	KIT_CHECK(k, c.answer->err.category == category,
		  "'%s' fails with category %u, expected %u: %s", command, c.answer->err.category,
		  category, c.answer->err.text);
	KIT_CHECK(k, strstr(c.answer->err.text, command), "the error does not name '%s': %s",
		  command, c.answer->err.text);
	cell_end(&c);
}

static void check_no_start(struct kit *k)
{
	expect_no_start(k, "no-such-program", DOCKERD_ERR_NO_COMMAND);
	expect_no_start(k, "/no/such/program", DOCKERD_ERR_NO_COMMAND);
	expect_no_start(k, "/etc", DOCKERD_ERR_NO_PERMISSION);
}

static void check_never_started(struct kit *k)
{
	struct cell c;

	cell_init(k, &c, ARGV("echo", "never"), false);
	KIT_CHECK(k, cell_create(&c) == 0, "create: %s", c.answer->err.text);
	cell_drop(&c);
	cell_wait(&c, c.init);
	cell_end(&c);
}

static void check_destroy(struct kit *k)
{
	struct cell c;

	cell_init(k, &c, ARGV("true"), false);
	KIT_CHECK(k, cell_op(&c, CELL_DESTROY, 0) == 0, "destroy of what was never made: %s",
		  c.answer->err.text);
	cell_run(&c);
	cell_wait(&c, c.init);
	KIT_CHECK(k, cell_op(&c, CELL_DESTROY, 0) == 0, "destroy: %s", c.answer->err.text);
	cell_end(&c); /* the second time */
}

/* As a shim ends a container of such a driver: by rmdir, without asking it. */
static void check_just_cgroup(struct kit *k)
{
	auto_free char *one = NULL, *many = NULL;
	glob_t g = {0};
	struct cell c;

	cell_init(k, &c, ARGV("true"), false);
	cell_run(&c);
	cell_wait(&c, c.init);
	KIT_CHECK(k, c.cgroup[0] == '/' && c.cgroup[1],
		  "claims that a control group is all it leaves, and names none");
	one = xasprintf("/sys/fs/cgroup%s", c.cgroup);
	many = xasprintf("/sys/fs/cgroup/*%s", c.cgroup);
	rmdir(one);
	glob(many, GLOB_NOSORT, NULL, &g);
	for (size_t i = 0; i < g.gl_pathc; i++)
		KIT_CHECK(k, rmdir(g.gl_pathv[i]) == 0 || errno == ENOENT,
			  "%s is not empty after the container's end", g.gl_pathv[i]);
	globfree(&g);
	cell_end(&c); /* and destroy bears that it was faster */
}

static void check_signal(struct kit *k)
{
	struct cell c;
	int code;

	cell_init(k, &c, ARGV("sleep", "1000"), false);
	cell_run(&c);
	if (k->plugin->ops.exec.signal)
		KIT_CHECK(k, cell_op(&c, CELL_SIGNAL, SIGKILL) == 0, "signal: %s",
			  c.answer->err.text);
	else
		kill(c.init, SIGKILL);
	code = cell_wait(&c, c.init);
	KIT_CHECK(k, code == 137, "killed by SIGKILL it ends with %d, expected 137", code);
	cell_end(&c);
}

static void check_terminal(struct kit *k)
{
	auto_str out = STR_INIT;
	struct cell c;

	cell_init(k, &c, ARGV("sh", "-c", "tty && echo yes"), true);
	cell_run(&c);
	cell_read(&c, &out, 0);
	KIT_CHECK(k, cell_wait(&c, c.init) == 0 && strstr(str_cstr(&out), "yes\r\n"),
		  "no terminal: '%s'", str_cstr(&out));
	cell_end(&c);
}

static void check_session(struct kit *k)
{
	auto_str out = STR_INIT;
	struct cell c;
	int code;

	cell_init(k, &c, ARGV("cat"), false);
	cell_run(&c);
	KIT_CHECK(k, cell_exec(&c, ARGV("sh", "-c", "echo session; exit 7")) == 0, "exec: %s",
		  c.answer->err.text);
	code = cell_wait(&c, (pid_t)c.answer->made.pid);
	KIT_CHECK(k, code == 7, "the session ends with %d, expected 7", code);
	cell_read(&c, &out, 8);
	KIT_CHECK(k, streq(str_cstr(&out), "session\n"), "it says '%s'", str_cstr(&out));
	KIT_CHECK(k,
		  cell_exec(&c, ARGV("no-such-program")) < 0 &&
		      c.answer->err.category == DOCKERD_ERR_NO_COMMAND,
		  "a missing program in a session: category %u, expected %u",
		  c.answer->err.category, DOCKERD_ERR_NO_COMMAND);
	close(c.in);
	c.in = -1;
	KIT_CHECK(k, cell_wait(&c, c.init) == 0, "sessions disturbed the first process");
	/* in a container that has ended */
	KIT_CHECK(k, cell_exec(&c, ARGV("true")) < 0, "a session in an ended container starts");
	cell_end(&c);
}

static void check_pause(struct kit *k)
{
	auto_str out = STR_INIT;
	struct pollfd p;
	struct cell c;

	cell_init(k, &c, ARGV("cat"), false);
	cell_run(&c);
	KIT_CHECK(k, cell_op(&c, CELL_PAUSE, 0) == 0, "pause: %s", c.answer->err.text);
	KIT_CHECK(k, write(c.in, "x", 1) == 1, "stdin is closed");
	p = (struct pollfd){.fd = c.out, .events = POLLIN};
	KIT_CHECK(k, poll(&p, 1, PAUSED_MS) == 0, "a paused container runs");
	KIT_CHECK(k, cell_op(&c, CELL_RESUME, 0) == 0, "resume: %s", c.answer->err.text);
	cell_read(&c, &out, 1);
	KIT_CHECK(k, out.len == 1, "it does not run after resume");
	KIT_CHECK(k, cell_op(&c, CELL_PAUSE, 0) == 0, "pause: %s", c.answer->err.text);
	kill(c.init, SIGKILL);
	cell_end(&c); /* destroy of a paused one */
}

static void check_update(struct kit *k)
{
	struct cell c;

	cell_init(k, &c, ARGV("cat"), false);
	cell_run(&c);
	KIT_CHECK(k, cell_op(&c, CELL_UPDATE, 0) == 0, "update: %s", c.answer->err.text);
	close(c.in);
	c.in = -1;
	cell_wait(&c, c.init);
	cell_end(&c);
}

static void check_garbage(struct kit *k)
{
	static const char *const specs[] = {"",
					    "{",
					    "[]",
					    "{}",
					    "{\"process\":7}",
					    "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[]}}"};

	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct cell c;

		cell_init(k, &c, ARGV("true"), false);
		str_reset(&c.spec);
		str_puts(&c.spec, specs[i]);
		str_cstr(&c.spec);
		if (cell_create(&c) == 0)
			KIT_CHECK(k, cell_start(&c) < 0, "the spec '%s' starts", specs[i]);
		cell_end(&c);
	}
}

static void faults(struct kit *k)
{
	struct cell c;

	cell_init(k, &c, ARGV("true"), false);
	if (cell_create(&c) == 0) {
		if (cell_start(&c) == 0)
			cell_wait(&c, c.init);
	}
	cell_end(&c);
}

static const struct kit_check checks[] = {
    {"output, exit codes, no descriptor leaks in", check_run, 0},
    {"stdin to its end", check_stdin, 0},
    {"programs that can't be started: category and text", check_no_start, 0},
    {"created and never started", check_never_started, 0},
    {"destroy without a container, and twice", check_destroy, 0},
    {"signal", check_signal, 0},
    {"terminal", check_terminal, 0},
    {"specs that are garbage", check_garbage, 0},
    {"exec sessions", check_session, DOCKERD_EXEC_CAP_EXEC},
    {"a control group is all that is left", check_just_cgroup, DOCKERD_EXEC_CAP_CGROUP},
    {"pause, resume, destroy while paused", check_pause, DOCKERD_EXEC_CAP_PAUSE},
    {"update", check_update, DOCKERD_EXEC_CAP_UPDATE},
};

const struct kit_suite suite_exec = {
    .name = "exec", .checks = checks, .n = ARRAY_LEN(checks), .faults = faults};
