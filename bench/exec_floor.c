/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container's life costs below the daemon: shim, dockerd-exec, namespaces, mounts, cgroups, filter, `true`, network none.
 * Usage: DOCKERD_LIBEXECDIR=$PWD DOCKERD_DRIVER_PATH=$PWD/drivers bench/exec_floor [RUNS]     (root)
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tests/drivers/exec_fixture.h"

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *name, double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	printf("%-16s min %6.2f  median %6.2f  p90 %6.2f ms\n", name, v[0], v[n / 2],
	       v[n * 9 / 10]);
}

/* shim_create, shim_start, until the exit event, shim_delete */
static int run_once(struct fixture *f, double out[4], struct error *err)
{
	static const char *const argv[] = {"true", NULL};
	struct spec_options o = {.argv = argv};
	struct shim_event ev;
	struct box b;
	int64_t t[5];

	box_init(f, &b, &o);
	t[0] = clock_mono_ns();
	if (shim_create(&b.create, &b.made, err) < 0)
		return -1;
	t[1] = clock_mono_ns();
	if (shim_start(b.made.sock, err) < 0)
		return -1;
	t[2] = clock_mono_ns();
	b.events = shim_subscribe(b.dir, 0, err);
	if (b.events < 0 || !box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev))
		return -1;
	t[3] = clock_mono_ns();
	if (box_delete(&b, err) < 0)
		return -1;
	t[4] = clock_mono_ns();
	for (int i = 0; i < 4; i++)
		out[i] = (double)(t[i + 1] - t[i]) / 1e6;
	box_close(&b);
	return 0;
}

/* Further processes in one container: until the driver has answered, and until the end of `true`. */
static int run_sessions(struct fixture *f, double *made_ms, double *ended_ms, size_t n,
			struct error *err)
{
	static const char *const sleeper[] = {"sleep", "1000", NULL}, *const argv[] = {"true",
										       NULL};
	struct shim_stdio io = {.child = {-1, -1, -1}, .held = {-1, -1, -1}};
	struct str process = STR_INIT;
	struct shim_created made;
	struct shim_event ev;
	struct box b;
	int r;

	fixture_process(&process, &(struct spec_options){.argv = argv});
	box_init(f, &b, &(struct spec_options){.argv = sleeper});
	r = box_create(&b, err) < 0 || box_start(&b, err) < 0 ? -1 : 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		int64_t t[3] = {clock_mono_ns()};
		char id[24];

		snprintf(id, sizeof(id), "e%zu", i);
		r = shim_exec(b.dir, id, str_cstr(&process), &io, &made, err);
		t[1] = clock_mono_ns();
		if (r == 0 && !box_wait(&b, SHIM_EVENT_EXEC_EXIT, id, &ev))
			r = -1;
		t[2] = clock_mono_ns();
		made_ms[i] = (double)(t[1] - t[0]) / 1e6;
		ended_ms[i] = (double)(t[2] - t[0]) / 1e6;
	}
	if (box_delete(&b, err) < 0)
		r = -1;
	box_close(&b);
	str_free(&process);
	return r;
}

int main(int argc, char **argv)
{
	size_t runs = argc > 1 ? strtoul(argv[1], NULL, 10) : 50, done = 0;
	double *v[5], one[4];
	struct error err = ERROR_INIT;
	struct fixture f;

	if (!fixture_open(&f)) {
		fprintf(stderr,
			"needs root, /bin/busybox, DOCKERD_LIBEXECDIR and DOCKERD_DRIVER_PATH\n");
		return 77;
	}
	for (int i = 0; i < 5; i++)
		v[i] = calloc(runs + 1, sizeof(double));
	if (run_once(&f, one, &err) == 0) /* compiles and caches the filter */
		for (; done < runs && run_once(&f, one, &err) == 0; done++) {
			for (int i = 0; i < 4; i++)
				v[i][done] = one[i];
			v[4][done] = one[0] + one[1];
		}
	if (done < runs || !done) {
		fprintf(stderr, "run %zu: %s\n", done, err.text);
		return 1;
	}
	print("create", v[0], done);
	print("start", v[1], done);
	print("create+start", v[4], done);
	print("until exit", v[2], done);
	print("delete", v[3], done);
	if (run_sessions(&f, v[0], v[1], done, &err) < 0) {
		fprintf(stderr, "sessions: %s\n", err.text);
		return 1;
	}
	print("exec", v[0], done);
	print("exec until exit", v[1], done);
	fixture_close(&f);
	return 0;
}
