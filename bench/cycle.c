/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cycle ROUNDS NETWORK NAME=SOCKET...: create, start, wait for and remove a container of busybox's `true`, in turns over the daemons named, so that what
 * else the machine does hits all alike. Medians, and the ratio of the first to each. Read the ratios of one run, not numbers of two.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "lib/box.h"

enum { CREATE, START, WAIT, REMOVE, WHOLE, PHASES };
static const char *const phase_names[PHASES] = {"create", "start", "wait", "remove", "whole"};

struct target {
	char *name, *socket;
	double *ms[PHASES];
};

static void expect(const struct reply *r, int status, const char *what)
{
	if (r->status == status)
		return;
	fprintf(stderr, "%s: %d %s\n", what, r->status, str_cstr((struct str *)&r->body));
	exit(1);
}

static double step(struct target *t, const char *method, const char *uri, const char *body,
		   int status, struct reply *r)
{
	int64_t begin = clock_mono_ns();

	reply_free(r);
	if (request_at(t->socket, method, uri, body, r) < 0)
		r->status = 0;
	expect(r, status, uri);
	return (double)(clock_mono_ns() - begin) / 1e6;
}

static void cycle(struct target *t, const char *network, size_t round)
{
	auto_reply r = {0};
	struct error err = ERROR_INIT;
	const char *body = fmt("{\"Image\":\"busybox\",\"Cmd\":[\"true\"],\"HostConfig\":{"
			       "\"NetworkMode\":\"%s\"}}",
			       network);
	char id[80];
	json *j;

	t->ms[CREATE][round] = step(t, "POST", "/v1.44/containers/create", body, 201, &r);
	j = json_parse(str_cstr(&r.body), r.body.len, &err);
	snprintf(id, sizeof(id), "%s", json_get_str(j, "Id", ""));
	json_free(j);
	t->ms[START][round] = step(t, "POST", fmt("/v1.44/containers/%s/start", id), NULL, 204, &r);
	t->ms[WAIT][round] = step(t, "POST", fmt("/v1.44/containers/%s/wait", id), NULL, 200, &r);
	t->ms[REMOVE][round] = step(t, "DELETE", fmt("/v1.44/containers/%s", id), NULL, 204, &r);
	t->ms[WHOLE][round] = 0;
	for (int p = CREATE; p <= REMOVE; p++)
		t->ms[WHOLE][round] += t->ms[p][round];
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 3 ? strtoul(argv[1], NULL, 10) : 0,
	       n = argc > 3 ? (size_t)argc - 3 : 0;
	struct target *t = xcalloc(n + 1, sizeof(*t));

	if (!rounds || !n) {
		fprintf(stderr, "usage: cycle ROUNDS NETWORK NAME=SOCKET...\n");
		return 2;
	}
	for (size_t i = 0; i < n; i++) {
		char *eq = strchr(argv[3 + i], '=');

		if (!eq)
			return 2;
		t[i].name = xstrndup(argv[3 + i], (size_t)(eq - argv[3 + i]));
		t[i].socket = xstrdup(eq + 1);
		for (int p = 0; p < PHASES; p++)
			t[i].ms[p] = xcalloc(rounds + 1, sizeof(double));
		cycle(&t[i], argv[2], rounds); /* not counted: everything is there afterwards */
	}
	for (size_t round = 0; round < rounds; round++)
		for (size_t i = 0; i < n; i++)
			cycle(&t[i], argv[2], round);
	printf("network %s, %zu rounds, ms: median (best), ratio to %s\n", argv[2], rounds,
	       t[0].name);
	for (int p = 0; p < PHASES; p++) {
		printf("%-8s", phase_names[p]);
		for (size_t i = 0; i < n; i++) {
			qsort(t[i].ms[p], rounds, sizeof(double), by_value);
			printf("  %s %.2f (%.2f)", t[i].name, t[i].ms[p][rounds / 2],
			       t[i].ms[p][0]);
			if (i)
				printf(" %.1fx", t[0].ms[p][rounds / 2] / t[i].ms[p][rounds / 2]);
		}
		printf("\n");
	}
	return 0;
}
