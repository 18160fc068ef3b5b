/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oci exec driver behind its shim: deaths at each of its steps, with a runtime program under way or behind them, leave nothing. What a container can
 * be asked for is the kit's and the system suite's. TAP; needs root, /bin/busybox and runc (77 otherwise).
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "exec_check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool children_left(void)
{
	/* We are a subreaper: what a killed shim leaves comes to us. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	return errno != ECHILD;
}

static void test_dead_shim(void)
{
	struct error err = ERROR_INIT;
	auto_str out = STR_INIT;
	struct box b;

	start_sleeper(&b, NULL);
	ok(run_exec(&b, "e", &(struct spec_options){.argv = ARGV("sh", "-c", "echo in; exit 5")},
		    &out, &err) == 5 &&
	       streq(str_cstr(&out), "in\n"),
	   "a session (%s%s)", str_cstr(&out), err.text);
	kill(shim_pid(&b), SIGKILL);
	ok(box_delete(&b, &err) == 0, "deleted without a shim (%s)", err.text);
	ok(ends(b.made.pid, b.made.start_time), "the container has ended");
	ok(nothing_left(&b) && !children_left(), "nothing is left");
	ok(box_delete(&b, &err) == 0, "and once more");
	box_close(&b);
}

#ifdef ENABLE_FAULTS
static void die_at(const char *point)
{
	auto_free char *fault = xasprintf("%s=kill", point);
	struct error err = ERROR_INIT, delete_err = ERROR_INIT;
	struct box b;

	setenv("DOCKERD_FAULT", fault, 1);
	box_init(&fx, &b, &(struct spec_options){.argv = ARGV("sleep", "1000")});
	if (box_create(&b, &err) == 0)
		box_start(&b, &err);
	if (shim_pid(&b) > 1)
		kill(shim_pid(&b), SIGKILL);
	unsetenv("DOCKERD_FAULT");
	box_delete(&b, &delete_err);
	ok(err.kind && !delete_err.kind && nothing_left(&b) && !children_left(),
	   "%s: the caller hears of it, nothing is left (%s%s)", fault, err.text, delete_err.text);
	box_close(&b);
}

static void test_faults(void)
{
	static const char *const points[] = {"oci.create.recorded", "oci.runtime.recorded",
					     "oci.runtime.started", "oci.create.made",
					     "exec.create.done",    "shim.op.made",
					     "exec.start.before",   "exec.start.after"};

	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		die_at(points[i]);
}
#endif

static void all(void)
{
	free((char *)fx.driver);
	fx.driver = xasprintf("%s/exec/oci.so", getenv("DOCKERD_DRIVER_PATH"));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	test_dead_shim();
#ifdef ENABLE_FAULTS
	test_faults();
#endif
}

int main(void)
{
	if (access("/usr/sbin/runc", X_OK) < 0 && access("/usr/bin/runc", X_OK) < 0) {
		printf("1..0 # SKIP runc is not installed\n");
		return 77;
	}
	return check_main(all);
}
