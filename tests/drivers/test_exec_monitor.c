/* SPDX-License-Identifier: Apache-2.0 */
/* A container whose process is not the shim's child (monitored.c): its exit code, signals and end are seen all the same. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/procstat.h"
#include "exec_check.h"

#include <signal.h>
#include <stdlib.h>

static void all(void)
{
	struct error err = ERROR_INIT;
	struct shim_event ev;
	struct box b;
	uint64_t start;

	free((char *)fx.driver);
	fx.driver = xstrdup(TEST_DRIVER);
	expect_sh("output and exit code", "echo out; exit 7", 7, "out");
	start_sleeper(&b, &(struct spec_options){.argv = ARGV("sleep", "1000")});
	start = proc_start_time(b.made.pid);
	ok(b.made.pid > 0 && b.made.pid != shim_pid(&b) && start, "the process itself is named");
	ok(shim_signal(b.dir, NULL, SIGTERM, false, &err) == 0, "a signal reaches it (%s)",
	   err.text);
	ok(box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev) && ev.exit_code == 128 + SIGTERM,
	   "and its end is told (%d)", ev.exit_code);
	ok(shim_signal(b.dir, NULL, SIGTERM, false, &err) == -1 && err.kind == ERR_NOT_FOUND,
	   "no signal to an ended process");
	ok(box_delete(&b, &err) == 0, "deleted (%s)", err.text);
	box_close(&b);
	start_sleeper(&b, &(struct spec_options){.argv = ARGV("sleep", "1000")});
	start = proc_start_time(b.made.pid);
	ok(box_delete(&b, &err) == 0 && ends(b.made.pid, start), "a delete ends it");
	box_close(&b);
}

int main(void)
{
	return check_main(all);
}
