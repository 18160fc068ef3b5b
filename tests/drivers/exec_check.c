/* SPDX-License-Identifier: Apache-2.0 */
/* See exec_check.h. */
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

struct fixture fx;
static int tests, failures;

void ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	failures += !good;
	fflush(stdout);
}

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("sh", "-c", script)

void expect_run(const char *name, const struct spec_options *o, int code, const char *words)
{
	struct error err = ERROR_INIT;
	auto_str out = STR_INIT;
	int r = box_run(&fx, o, &out, &err);
	bool good = r == code && (!words || strstr(str_cstr(&out), words));

	ok(good, "%s", name);
	if (!good)
		printf("# code %d (want %d), error '%s', output '%s', want '%s'\n", r, code,
		       err.text, str_cstr(&out), words ? words : "");
}

void expect_sh(const char *name, const char *script, int code, const char *words)
{
	const char *const *argv = SH(script);

	expect_run(name, &(struct spec_options){.argv = argv}, code, words);
}

void expect_refusal(const char *name, const struct spec_options *o, enum error_kind kind,
		    const char *text)
{
	struct error err = ERROR_INIT;
	int r = box_run(&fx, o, NULL, &err);

	ok(r == -1 && err.kind == kind && strstr(err.text, text), "%s", name);
	if (r != -1 || err.kind != kind || !strstr(err.text, text))
		printf("# result %d, kind %d (want %d), text '%s', want '%s'\n", r, (int)err.kind,
		       (int)kind, err.text, text);
}

void start_sleeper(struct box *b, const struct spec_options *more)
{
	static const char *const sleeper[] = {"sleep", "1000", NULL};
	struct spec_options o = more ? *more : (struct spec_options){0};
	struct error err = ERROR_INIT;

	if (!o.argv)
		o.argv = sleeper;
	box_init(&fx, b, &o);
	if (box_create(b, &err) < 0 || box_start(b, &err) < 0)
		printf("# %s\n", err.text);
}

int run_exec(struct box *b, const char *id, const struct spec_options *o, struct str *output,
	     struct error *err)
{
	struct shim_stdio io = {
	    .terminal = o->terminal, .child = {-1, -1, -1}, .held = {-1, -1, -1}};
	auto_str process = STR_INIT;
	struct shim_created made;
	struct shim_event ev;
	int out[2], r;
	char buf[1024];
	ssize_t n;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -1;
	fixture_process(&process, o);
	io.child[1] = io.child[2] = out[1];
	io.held[1] = out[0];
	r = shim_exec(b->dir, id, str_cstr(&process), &io, &made, err);
	close(out[1]);
	if (r == 0)
		while ((n = read(o->terminal ? made.console_fd : out[0], buf, sizeof(buf))) > 0)
			str_add(output, buf, (size_t)n);
	close(out[0]);
	if (r == 0 && made.console_fd >= 0)
		close(made.console_fd);
	return r < 0 || !box_wait(b, SHIM_EVENT_EXEC_EXIT, id, &ev) ? -1 : ev.exit_code;
}

char process_state(pid_t pid)
{
	auto_free char *path = xasprintf("/proc/%d/stat", (int)pid);
	auto_str text = STR_INIT;
	struct error err;
	const char *at;

	if (file_read_at(AT_FDCWD, path, 4096, &text, &err) < 0)
		return 0;
	at = strrchr(str_cstr(&text), ')');
	return at ? at[2] : 0;
}

bool nothing_left(struct box *b)
{
	static const char *const roots[] = {"",         "/memory",  "/pids",    "/cpu",
					    "/freezer", "/devices", "/unified", "/systemd"};
	bool clean = true;

	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		auto_free char *p = xasprintf("/sys/fs/cgroup%s/docker/%s", roots[i], b->id);

		if (access(p, F_OK) == 0) {
			printf("# left %s\n", p);
			clean = false;
		}
	}
	if (access(b->dir, F_OK) == 0) {
		printf("# left %s\n", b->dir);
		clean = false;
	}
	return clean;
}

bool ends(pid_t pid, uint64_t start)
{
	auto_close fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd < 0 || proc_start_time(pid) != start || poll(&p, 1, 10000) == 1;
}

pid_t shim_pid(const struct box *b)
{
	auto_free char *path = xasprintf("%s/journal", b->dir);
	int32_t head[3] = {0};
	auto_close fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) ? head[2] : -1;
}

struct seen {
	int n;
	struct shim_event last;
};

int check_main(void (*run)(void))
{
	if (!fixture_open(&fx)) {
		printf("1..0 # SKIP needs root, /bin/busybox and the built tree\n");
		return 77;
	}
	signal(SIGPIPE, SIG_IGN);
	run();
	fixture_close(&fx);
	printf("1..%d\n", tests);
	return failures ? 1 : 0;
}
