/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cycle does not measure, of one daemon or of several in turns; containers are made of an image `busybox` and removed again.
 *
 *	cases parallel N NETWORK NAME=SOCKET...	N starts at once, from the first request to the last reply
 *	cases exec ROUNDS NAME=SOCKET...	`true` in a running container, from the creation of the session to the end of its stream
 *	cases logs MIB NAME=SOCKET...		reading the log of a container that wrote so much, in lines of 100 bytes
 *	cases attach MIB NAME=SOCKET...		so much output through an attached connection, of a container whose log driver is "none"
 *	cases create N SOCKET			N containers that are left there, for a cold start
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "lib/box.h"

#define API "/v1.44"
#define LINE 100
#define PARALLEL_ROUNDS 3
#define LOG_ROUNDS 5

struct target {
	const char *name, *socket;
	double *v;
};

static _Noreturn void die(const char *what, const struct reply *r)
{
	fprintf(stderr, "%s: %d %s\n", what, r ? r->status : 0,
		r && r->body.len ? str_cstr((struct str *)(uintptr_t)&r->body) : "");
	exit(1);
}

static void ask(const struct target *t, const char *method, const char *uri, const char *body,
		int status, struct reply *r)
{
	if (request_at(t->socket, method, uri, body, r) < 0 || r->status != status)
		die(uri, r);
}

/* malloc'ed */
static char *id_of(const struct reply *r)
{
	struct error err = ERROR_INIT;
	auto_json *j = json_parse(r->body.p, r->body.len, &err);

	return xstrdup(json_get_str(j, "Id", ""));
}

static char *make_logged(const struct target *t, const char *cmd, const char *network,
			 const char *log_driver)
{
	auto_free char *body =
	    xasprintf("{\"Image\":\"busybox\",\"Cmd\":%s,\"HostConfig\":{\"NetworkMode\":\"%s\","
		      "\"LogConfig\":{\"Type\":\"%s\"}}}",
		      cmd, network, log_driver);
	auto_reply r = {0};

	ask(t, "POST", API "/containers/create", body, 201, &r);
	return id_of(&r);
}

static char *make(const struct target *t, const char *cmd, const char *network)
{
	return make_logged(t, cmd, network, "json-file");
}

static void start(const struct target *t, const char *id)
{
	auto_free char *uri = xasprintf(API "/containers/%s/start", id);
	auto_reply r = {0};

	ask(t, "POST", uri, NULL, 204, &r);
}

static void drop(const struct target *t, const char *id)
{
	auto_free char *uri = xasprintf(API "/containers/%s?force=1", id);
	auto_reply r = {0};

	ask(t, "DELETE", uri, NULL, 204, &r);
}

static double since(int64_t begin)
{
	return (double)(clock_mono_ns() - begin) / 1e6;
}

/* ---- parallel ------------------------------------------------------------------------------------------------------------------ */

struct starter {
	const struct target *t;
	char *id;
};

static void *run_starter(void *arg)
{
	struct starter *s = arg;

	start(s->t, s->id);
	return NULL;
}

static double parallel(const struct target *t, const void *network, size_t n)
{
	struct starter *s = xcalloc(n, sizeof(*s));
	pthread_t *threads = xcalloc(n, sizeof(*threads));
	struct error err = ERROR_INIT;
	int64_t begin;
	double ms;

	for (size_t i = 0; i < n; i++)
		s[i] = (struct starter){t, make(t, "[\"sleep\",\"1000\"]", network)};
	begin = clock_mono_ns();
	for (size_t i = 0; i < n; i++)
		if (thread_start_joinable("start", run_starter, &s[i], &threads[i], &err) < 0)
			die(err.text, NULL);
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	ms = since(begin);
	for (size_t i = 0; i < n; i++) {
		drop(t, s[i].id);
		free(s[i].id);
	}
	free(s);
	free(threads);
	return ms;
}

/* ---- exec ---------------------------------------------------------------------------------------------------------------------- */

static double exec_once(const struct target *t, const void *id, size_t n)
{
	auto_free char *uri = xasprintf(API "/containers/%s/exec", (const char *)id);
	auto_free char *session = NULL, *go = NULL;
	int64_t begin = clock_mono_ns();
	auto_reply r = {0};

	(void)n;
	ask(t, "POST", uri, "{\"AttachStdout\":true,\"AttachStderr\":true,\"Cmd\":[\"true\"]}", 201,
	    &r);
	session = id_of(&r);
	go = xasprintf(API "/exec/%s/start", session);
	ask(t, "POST", go, "{\"Detach\":false}", 200, &r);
	return since(begin);
}

/* ---- logs ---------------------------------------------------------------------------------------------------------------------- */

/* To the end of the connection: MiB per second of what the process wrote. */
static double read_all(int fd, size_t mib, int64_t begin)
{
	static char buf[1 << 18];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0 || (n < 0 && errno == EINTR))
		total += n > 0 ? (size_t)n : 0;
	if (n < 0 || total < mib << 20)
		die("the output is cut", NULL);
	return (double)mib / since(begin) * 1e3;
}

static double read_log(const struct target *t, const void *id, size_t mib)
{
	auto_free char *head = xasprintf("GET " API "/containers/%s/logs?stdout=1 HTTP/1.1\r\n"
					 "Host: d\r\nConnection: close\r\n\r\n",
					 (const char *)id);
	auto_close fd = dial_path(t->socket);
	int64_t begin = clock_mono_ns();

	if (fd < 0 || send_text(fd, head) < 0)
		die("logs", NULL);
	return read_all(fd, mib, begin);
}

static char *write_log(const struct target *t, size_t mib)
{
	auto_free char *cmd =
	    xasprintf("[\"sh\",\"-c\",\"yes %0*d | head -c %zu\"]", LINE - 1, 7, mib << 20);
	char *id = make(t, cmd, "none");
	auto_free char *uri = xasprintf(API "/containers/%s/wait", id);
	auto_reply r = {0};

	start(t, id);
	ask(t, "POST", uri, NULL, 200, &r);
	return id;
}

/* ---- attach -------------------------------------------------------------------------------------------------------------------- */

static double attach(const struct target *t, const void *ignored, size_t mib)
{
	auto_free char *cmd =
	    xasprintf("[\"busybox\",\"dd\",\"if=/dev/zero\",\"bs=64k\",\"count=%zu\"]", mib << 4);
	auto_free char *id = make_logged(t, cmd, "none", "none");
	auto_free char *head = xasprintf("POST " API "/containers/%s/attach?stream=1&stdout=1 "
					 "HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\n"
					 "Upgrade: tcp\r\nContent-Length: 0\r\n\r\n",
					 id);
	auto_close fd = dial_path(t->socket);
	char c[4] = "";
	int64_t begin;
	double rate;

	(void)ignored;
	if (fd < 0 || send_text(fd, head) < 0)
		die("attach", NULL);
	while (memcmp(c, "\r\n\r\n", 4) != 0) {
		memmove(c, c + 1, 3);
		if (recv(fd, c + 3, 1, 0) != 1)
			die("attach", NULL);
	}
	begin = clock_mono_ns();
	start(t, id);
	rate = read_all(fd, mib, begin);
	drop(t, id);
	return rate;
}

/* -------------------------------------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* rate: more is better. */
static void report(const char *title, struct target *t, size_t n, size_t rounds, bool rate)
{
	printf("%s\n", title);
	for (size_t i = 0; i < n; i++) {
		double median, first;

		qsort(t[i].v, rounds, sizeof(double), by_value);
		median = t[i].v[rounds / 2];
		first = t[0].v[rounds / 2];
		printf("%-8s %.2f (best %.2f)", t[i].name, median, t[i].v[rate ? rounds - 1 : 0]);
		if (i)
			printf(" %.1fx", rate ? median / first : first / median);
		printf("\n");
	}
}

typedef double run_fn(const struct target *t, const void *what, size_t n);

/* In turns; what[i] is for target i, or what[0] for all. */
static void measure(struct target *t, size_t n, size_t rounds, run_fn *f, char *const *what,
		    bool same, size_t size)
{
	for (size_t i = 0; i < n; i++)
		t[i].v = xcalloc(rounds, sizeof(double));
	for (size_t round = 0; round < rounds; round++)
		for (size_t i = 0; i < n; i++)
			t[i].v[round] = f(&t[i], what[same ? 0 : i], size);
}

static struct target *targets(char **argv, size_t n)
{
	struct target *t = xcalloc(n + 1, sizeof(*t));

	for (size_t i = 0; i < n; i++) {
		char *eq = strchr(argv[i], '=');

		t[i].name = eq ? xstrndup(argv[i], (size_t)(eq - argv[i])) : "daemon";
		t[i].socket = eq ? eq + 1 : argv[i];
	}
	return t;
}

static int usage(void)
{
	fprintf(stderr, "usage: cases parallel N NETWORK TARGET... | exec ROUNDS TARGET... | "
			"logs MIB TARGET... | attach MIB TARGET... | create N TARGET\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";
	size_t number = argc > 3 ? strtoul(argv[2], NULL, 10) : 0, n;
	int first = streq(what, "parallel") ? 4 : 3;
	struct target *t;
	char **ids;

	if (!number || argc <= first)
		return usage();
	n = (size_t)(argc - first);
	t = targets(argv + first, n);
	ids = xcalloc(n, sizeof(*ids));
	if (streq(what, "parallel")) {
		measure(t, n, PARALLEL_ROUNDS, parallel, &argv[3], true, number);
		report(fmt("start %zu in parallel, network %s, ms", number, argv[3]), t, n,
		       PARALLEL_ROUNDS, false);
	} else if (streq(what, "exec")) {
		for (size_t i = 0; i < n; i++)
			start(&t[i], ids[i] = make(&t[i], "[\"sleep\",\"1000\"]", "none"));
		measure(t, n, number, exec_once, ids, false, 0);
		report("exec of true, ms", t, n, number, false);
	} else if (streq(what, "logs")) {
		for (size_t i = 0; i < n; i++)
			ids[i] = write_log(&t[i], number);
		measure(t, n, LOG_ROUNDS, read_log, ids, false, number);
		report("reading a log, MiB/s", t, n, LOG_ROUNDS, true);
	} else if (streq(what, "attach")) {
		measure(t, n, LOG_ROUNDS, attach, ids, false, number);
		report("output through attach, MiB/s", t, n, LOG_ROUNDS, true);
	} else if (streq(what, "create")) {
		while (number--)
			free(make(&t[0], "[\"true\"]", "none"));
	} else {
		return usage();
	}
	for (size_t i = 0; i < n; i++)
		if (ids[i])
			drop(&t[i], ids[i]);
	return 0;
}
