/* SPDX-License-Identifier: Apache-2.0 */
/* Deaths in an exec driver, its process and its shim: the caller hears of it, the others go on, nothing is left. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/procstat.h"
#include "exec_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct seen {
	int n;
	struct shim_event last;
};

static void count_event(const struct shim_event *ev, void *ctx)
{
	struct seen *s = ctx;

	s->n++;
	s->last = *ev;
}

static void test_dead_shim(void)
{
	struct error err = ERROR_INIT;
	struct seen seen = {0};
	struct box b;
	struct shim_event ev;
	int sock;

	start_sleeper(&b, NULL);
	/* What a restarted daemon does: again from the start, and from the middle. */
	sock = shim_subscribe(b.dir, 1, &err);
	ok(sock >= 0, "a second subscription");
	fd_close(&b.events);
	b.events = sock;
	ok(box_wait(&b, SHIM_EVENT_STARTED, NULL, &ev) && ev.seq == 2, "replayed from a number");
	ok(shim_subscribe(b.dir, 99, &err) == -1, "a number from the future is refused");
	kill(shim_pid(&b), SIGKILL);
	ok(ends(b.made.pid, b.made.start_time), "the container dies with its shim");
	ok(!box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev), "the subscription ends");
	ok(shim_signal(b.dir, NULL, SIGTERM, false, &err) == -1 && err.kind == ERR_NOT_FOUND,
	   "no shim there (%s)", err.text);
	ok(shim_journal_read(b.dir, 0, count_event, &seen, &err) == 0 && seen.n == 2 &&
	       seen.last.type == SHIM_EVENT_STARTED,
	   "the journal of a dead shim is read (%d)", seen.n);
	ok(box_delete(&b, &err) == 0, "deleted without a shim (%s)", err.text);
	ok(nothing_left(&b), "nothing is left");
	ok(box_delete(&b, &err) == 0, "and once more");
	box_close(&b);
}

/* Health checks for months: the journal stays small and what counts stays in it. */
static void test_long_journal(void)
{
	static const char *const argv[] = {"true", NULL};
	struct error err = ERROR_INIT;
	struct seen seen = {0};
	struct shim_event ev = {0};
	struct stat st = {0};
	struct box b;
	int sock, good = 0;

	start_sleeper(&b, NULL);
	for (int i = 0; i < 400; i++) {
		char id[16];
		auto_str out = STR_INIT;

		snprintf(id, sizeof(id), "h%d", i);
		good += run_exec(&b, id, &(struct spec_options){.argv = argv}, &out, &err) == 0;
	}
	ok(good == 400, "400 sessions (%d, %s)", good, err.text);
	{
		auto_free char *path = xasprintf("%s/journal", b.dir);

		ok(stat(path, &st) == 0 && st.st_blocks * 512 < 96 * 1024,
		   "the journal has given old pages back (%ld KiB)", (long)st.st_blocks / 2);
	}
	ok(shim_journal_read(b.dir, 0, count_event, &seen, &err) == 0 && seen.n > 512 &&
	       seen.last.seq == 802,
	   "read across the gap (%d)", seen.n);
	sock = shim_subscribe(b.dir, 0, &err);
	fd_close(&b.events);
	b.events = sock;
	ok(box_wait(&b, SHIM_EVENT_CREATED, NULL, &ev) &&
	       box_wait(&b, SHIM_EVENT_EXEC_EXIT, "h399", &ev),
	   "replayed across the gap");
	box_delete(&b, &err);
	box_close(&b);
}

#ifdef ENABLE_FAULTS
static bool children_left(void)
{
	/* We are a subreaper: what a killed shim leaves comes to us. */
	int status, n = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, 0)) > 0)
		n++;
	return errno != ECHILD;
}

static void test_faults(void)
{
	static const char *const points[] = {
	    "shim.ready",
	    "shim.journal.before",
	    "shim.journal.after",
	    "shim.op.made",
	    "shim.op.recorded",
	    "exec.create.done",
	    "exec.start.before",
	    "exec.start.after",
	    "native.cgroup.recorded",
	    "native.cgroup.one-made",
	    "native.create.cloned",
	    "native.create.state-saved",
	    "native.init.begin",
	    "native.root.attached",
	    "native.root.mounted",
	    "native.root.built",
	    "native.init.ready",
	    "native.init.started",
	    "native.cgroup.one-removed",
	};
	static const char *const actions[] = {"kill", "error"};

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < ARRAY_LEN(points) * ARRAY_LEN(actions); i++) {
		auto_free char *fault = xasprintf("%s=%s", points[i / 2], actions[i % 2]);
		struct error err = ERROR_INIT, start_err = ERROR_INIT, delete_err = ERROR_INIT;
		struct box b;
		int r;

		setenv("DOCKERD_FAULT", fault, 1);
		box_init(&fx, &b, &(struct spec_options){.argv = ARGV("sleep", "1000")});
		r = box_create(&b, &err);
		if (r == 0)
			r = box_start(&b, &start_err);
		if (box_delete(&b, &delete_err) < 0) {
			/* The shim has the fault in its environment: every cleanup by it would die again. */
			unsetenv("DOCKERD_FAULT");
			error_clear(&delete_err);
			if (shim_pid(&b) > 1)
				kill(shim_pid(&b), SIGKILL);
			box_delete(&b, &delete_err);
		}
		unsetenv("DOCKERD_FAULT");
		ok(!delete_err.kind && nothing_left(&b) && !children_left(),
		   "%s: nothing is left (%s%s%s)", fault, err.text, start_err.text,
		   delete_err.text);
		box_close(&b);
	}
}

/* A session whose dockerd-exec dies: the container goes on, and nothing of the session is left behind it. */
static void test_session_faults(void)
{
	static const char *const points[] = {"native.session.entered", "native.session.born",
					     "native.session.ready", "exec.session.done"};

	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		auto_free char *fault = xasprintf("%s=kill", points[i]);
		struct error err = ERROR_INIT, delete_err = ERROR_INIT;
		auto_str out = STR_INIT;
		struct box b;
		int r;

		setenv("DOCKERD_FAULT", fault, 1);
		start_sleeper(&b, NULL);
		unsetenv("DOCKERD_FAULT");
		r = run_exec(&b, "e", &(struct spec_options){.argv = ARGV("sleep", "1000")}, &out,
			     &err);
		ok(r == -1 &&
		       (strstr(err.text, "ended early") || strstr(err.text, "setup")),
		   "%s: the caller hears of it (%s)", fault, err.text);
		ok(shim_signal(b.dir, NULL, 0, false, &err) == 0, "%s: the container goes on",
		   fault);
		ok(box_delete(&b, &delete_err) == 0 && nothing_left(&b) && !children_left(),
		   "%s: nothing is left (%s)", fault, delete_err.text);
		box_close(&b);
	}
}
#endif

static void all(void)
{
	test_dead_shim();
	test_long_journal();
#ifdef ENABLE_FAULTS
	test_faults();
	test_session_faults();
#endif
}

int main(void)
{
	return check_main(all);
}
