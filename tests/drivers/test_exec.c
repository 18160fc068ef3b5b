/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exec driver behind its shim, as the daemon uses them. TAP; needs root and /bin/busybox (77 otherwise). Every check runs on
 * any driver that takes the OCI spec; what looks below the driver (cgroup directories) says so.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/procstat.h"
#include "exec_fixture.h"

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

static struct fixture fx;
static int tests, failures;

static void ok(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void ok(bool good, const char *fmt, ...)
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

/* Run to the end: exit code and the wanted words in the output (NULL: any). */
static void expect_run(const char *name, const struct spec_options *o, int code, const char *words)
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

static void expect_sh(const char *name, const char *script, int code, const char *words)
{
	const char *const *argv = SH(script);

	expect_run(name, &(struct spec_options){.argv = argv}, code, words);
}

static void expect_refusal(const char *name, const struct spec_options *o, enum error_kind kind,
			   const char *text)
{
	struct error err = ERROR_INIT;
	int r = box_run(&fx, o, NULL, &err);

	ok(r == -1 && err.kind == kind && strstr(err.text, text), "%s", name);
	if (r != -1 || err.kind != kind || !strstr(err.text, text))
		printf("# result %d, kind %d (want %d), text '%s', want '%s'\n", r, (int)err.kind,
		       (int)kind, err.text, text);
}

static void test_exit_codes(void)
{
	struct spec_options nowhere = {.argv = ARGV("true"), .cwd = "/nowhere"};

	expect_sh("exit code 0", "exit 0", 0, NULL);
	expect_sh("exit code 3", "exit 3", 3, NULL);
	expect_sh("killed by a signal: 128+n",
		  "unset x; (exit 0); exec sleep 60 & kill -9 $!; wait $!", 137, NULL);
	expect_refusal("command not in PATH", &(struct spec_options){.argv = ARGV("nothing-there")},
		       ERR_NO_COMMAND,
		       "exec: \"nothing-there\": executable file not found in $PATH");
	expect_refusal("absolute command missing", &(struct spec_options){.argv = ARGV("/none")},
		       ERR_NO_COMMAND, "exec: \"/none\": stat /none: no such file or directory");
	expect_refusal("command not executable",
		       &(struct spec_options){.argv = ARGV("/proc/version")}, ERR_NO_PERMISSION,
		       "exec: \"/proc/version\": permission denied");
	expect_refusal("command is a directory", &(struct spec_options){.argv = ARGV("/bin")},
		       ERR_NO_PERMISSION, "exec: \"/bin\": is a directory");
	expect_refusal("working directory missing", &nowhere, ERR_NO_COMMAND,
		       "chdir to cwd (\"/nowhere\") set in config.json failed");
}

static void test_stdio(void)
{
	struct shim_event ev;
	struct error err = ERROR_INIT;
	struct box b;
	int held[3], console;
	char byte = 0;

	box_init(&fx, &b, &(struct spec_options){.argv = ARGV("cat")});
	ok(box_create(&b, &err) == 0 && box_start(&b, &err) == 0, "cat starts");
	ok(shim_stdio_take(b.dir, NULL, held, &console, &err) == 0 && held[0] >= 0 &&
	       held[1] >= 0 && held[2] < 0 && console < 0,
	   "the shim hands out the held ends");
	ok(write(held[0], "x", 1) == 1 && read(held[1], &byte, 1) == 1 && byte == 'x',
	   "input comes back through the taken ends");
	fd_close(&held[0]);
	fd_close(&held[1]);
	fd_close(&b.in);
	ok(shim_stdio_drop(b.dir, NULL, &err) == 0, "dropping the held ends closes stdin");
	ok(box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev) && ev.exit_code == 0,
	   "cat ends with its input");
	ok(box_delete(&b, &err) == 0, "deleted");
	box_close(&b);
	expect_sh("no descriptor leaks in (0, 1, 2 and ls's own)", "ls /proc/self/fd | wc -l", 0,
		  "4\n");
	expect_sh("/dev/stdout can be opened by another user", "echo hello > /dev/stdout", 0,
		  "hello");
	expect_run("stdio is owned by the user",
		   &(struct spec_options){.argv = SH("echo mine > /dev/stderr"), .uid = 1000}, 0,
		   "mine");
}

static void test_terminal(void)
{
	struct spec_options o = {
	    .argv = SH(
		"stty size; read x; stty size; readlink /proc/self/fd/0; test -t 2; echo tty $?"),
	    .terminal = true};
	struct shim_event ev;
	struct error err = ERROR_INIT;
	struct box b;

	box_init(&fx, &b, &o);
	b.create.stdio.rows = 33;
	b.create.stdio.columns = 77;
	ok(box_create(&b, &err) == 0 && b.made.console_fd >= 0,
	   "a terminal's master is handed out");
	ok(box_start(&b, &err) == 0, "starts on a terminal");
	ok(shim_resize(b.dir, NULL, 44, 99, &err) == 0, "resize");
	ok(write(b.made.console_fd, "\n", 1) == 1, "input");
	box_drain(&b);
	ok(strstr(str_cstr(&b.output), "44 99"), "the new size is seen");
	ok(strstr(str_cstr(&b.output), "/dev/pts/0") && strstr(str_cstr(&b.output), "tty 0"),
	   "stdio is the container's own pty");
	ok(box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev) && box_delete(&b, &err) == 0, "ends");
	box_close(&b);
	o.argv = SH("stat -c %t:%T /dev/console; mount | grep -c ' /dev/console '");
	expect_run("/dev/console is the pty", &o, 0, "1");
}

static void start_sleeper(struct box *b, const struct spec_options *more)
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

static int run_exec(struct box *b, const char *id, const struct spec_options *o, struct str *output,
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

static void test_exec_sessions(void)
{
	struct error err = ERROR_INIT;
	auto_str out = STR_INIT;
	struct shim_event ev;
	struct box b;
	int r;

	start_sleeper(&b, NULL);
	r = run_exec(
	    &b, "e1",
	    &(struct spec_options){
		.argv = SH("hostname; cat /proc/1/comm; ls /proc/self/fd | wc -l; exit 5")},
	    &out, &err);
	ok(r == 5, "exec session's exit code (%d %s)", r, err.text);
	ok(strstr(str_cstr(&out), "box\nsleep\n4\n"),
	   "it is in the container's namespaces, without a stray descriptor (%s)", str_cstr(&out));
	str_reset(&out);
	r = run_exec(
	    &b, "e2",
	    &(struct spec_options){.argv = SH("cat /proc/self/cgroup | grep -c docker/dexec; grep "
					      "Seccomp: /proc/self/status")},
	    &out, &err);
	ok(r == 0 && strstr(str_cstr(&out), "Seccomp:\t2"), "in its cgroups, under the filter (%s)",
	   str_cstr(&out));
	str_reset(&out);
	r = run_exec(
	    &b, "e3",
	    &(struct spec_options){.argv = SH("readlink /proc/self/fd/0"), .terminal = true}, &out,
	    &err);
	ok(r == 0 && strstr(str_cstr(&out), "/dev/pts/"), "a session with a terminal (%d %s %s)", r,
	   err.text, str_cstr(&out));
	r = run_exec(&b, "e4", &(struct spec_options){.argv = ARGV("nope")}, &out, &err);
	ok(r == -1 && err.kind == ERR_NO_COMMAND &&
	       strstr(err.text, "exec: \"nope\": executable file not found in $PATH"),
	   "missing command in a session (%s)", err.text);
	str_reset(&out);
	r = run_exec(
	    &b, "e5",
	    &(struct spec_options){.argv = SH("exec dd if=/proc/1/exe of=/dev/null bs=1 count=1")},
	    &out, &err);
	ok(r == 0, "/proc/1/exe is the program, not ours");
	r = run_exec(&b, "e6", &(struct spec_options){.argv = ARGV("/proc/self/exe")}, &out, &err);
	ok(r != 0, "/proc/self/exe as the command runs nothing of the host writable (%d)", r);
	ok(shim_signal(b.dir, NULL, SIGKILL, false, &err) == 0, "kill");
	ok(box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev) && ev.exit_code == 137 && !ev.oom, "exit 137");
	r = run_exec(&b, "e7", &(struct spec_options){.argv = ARGV("true")}, &out, &err);
	ok(r == -1 && err.kind == ERR_CONFLICT, "no session in an ended container");
	ok(box_delete(&b, &err) == 0, "deleted");
	box_close(&b);
}

static char process_state(pid_t pid)
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

/* /proc/self/fd/N of a process on its way to the program must lead nowhere of the host. */
static void test_no_way_out(void)
{
	auto_free char *victim = xasprintf("%s/victim", fx.dir);
	auto_close fd = open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	static const char *const pwd[] = {"readlink", "/proc/self/cwd", NULL};
	int out_run = 0, out_exec = 0;
	struct box b;

	if (fd < 0 || write(fd, "#!/bin/sh\n", 10) != 10)
		perror(victim);
	fd_close(&fd);
	start_sleeper(&b, NULL);
	for (int i = 0; i < 64; i++) {
		auto_free char *cwd = xasprintf("/proc/self/fd/%d", i),
			       *program = xasprintf("%s/../../../../../../../..%s", cwd, victim),
			       *id = xasprintf("w%d", i), *id2 = xasprintf("p%d", i);
		const char *const run[] = {program, NULL};
		struct error err = ERROR_INIT;
		auto_str out = STR_INIT;

		out_run +=
		    box_run(&fx, &(struct spec_options){.argv = pwd, .cwd = cwd}, NULL, &err) != -1;
		out_run += box_run(&fx, &(struct spec_options){.argv = run}, NULL, &err) != -1;
		out_exec += run_exec(&b, id, &(struct spec_options){.argv = pwd, .cwd = cwd}, &out,
				     &err) != -1;
		out_exec +=
		    run_exec(&b, id2, &(struct spec_options){.argv = run}, &out, &err) != -1;
	}
	ok(out_run == 0, "no descriptor is a way out of a container at its start (%d)", out_run);
	ok(out_exec == 0, "nor for a session (%d)", out_exec);
	{
		struct error err;

		box_delete(&b, &err);
		box_close(&b);
	}
}

#ifdef ENABLE_FAULTS
/* Number of links below /proc/PID/DIR that do not lead to an anonymous object or a device; root and cwd that are the test's own. */
static int host_objects(pid_t pid)
{
	auto_free char *fds = xasprintf("/proc/%d/fd", (int)pid);
	auto_dir DIR *d = opendir(fds);
	struct dirent *e;
	int n = d ? 0 : 1000;

	while (d && (e = readdir(d))) {
		struct stat st;

		if (*e->d_name == '.')
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, 0) < 0 ||
		    !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode)) ||
		    atoi(e->d_name) > 3) {
			printf("# descriptor %s of mode %o\n", e->d_name, (unsigned int)st.st_mode);
			n++;
		}
	}
	for (int i = 0; i < 2; i++) {
		auto_free char *link = xasprintf("/proc/%d/%s", (int)pid, i ? "cwd" : "root");
		struct stat a, b;

		if (stat(link, &a) < 0 || stat("/", &b) < 0 ||
		    (a.st_ino == b.st_ino && a.st_dev == b.st_dev)) {
			printf("# %s is the host's\n", link);
			n++;
		}
	}
	return n;
}

/* First process in the pid namespace of b that is stopped; waits for it as one that looks from outside. */
static pid_t find_stopped(pid_t init)
{
	auto_free char *ours = xasprintf("/proc/%d/ns/pid", (int)init);
	struct stat want, st;

	if (stat(ours, &want) < 0)
		return -1;
	for (int round = 0; round < 1000000; round++) {
		auto_dir DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && (e = readdir(d))) {
			auto_free char *ns = xasprintf("/proc/%s/ns/pid", e->d_name);
			pid_t pid = atoi(e->d_name);

			if (pid > 0 && pid != init && stat(ns, &st) == 0 &&
			    st.st_ino == want.st_ino && process_state(pid) == 'T')
				return pid;
		}
		sched_yield();
	}
	return -1;
}

/* Stopped as it is born in the container's pid namespace, as a tracer in there would see it; and left so: the caller must not hang. */
static void test_session_window(void)
{
	static const char *const points[] = {"native.session.born", "native.session.started"};

	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		auto_free char *fault = xasprintf("%s=stop", points[i]);
		struct error err = ERROR_INIT;
		auto_str out = STR_INIT;
		struct box b;
		pid_t looker;
		int r, status;

		setenv("DOCKERD_FAULT", fault, 1);
		start_sleeper(&b, NULL);
		unsetenv("DOCKERD_FAULT");
		looker = fork();
		if (looker == 0) {
			pid_t pid = find_stopped(b.made.pid);

			r = pid > 0 ? host_objects(pid) : 100;
			fflush(stdout);
			_exit(r > 100 ? 100 : r);
		}
		r = run_exec(&b, "e", &(struct spec_options){.argv = ARGV("true")}, &out, &err);
		ok(r == -1 && strstr(err.text, "within 20 seconds"),
		   "%s: a stopped session is given up (%s)", points[i], err.text);
		ok(waitpid(looker, &status, 0) == looker && status == 0,
		   "%s: nothing of the host is in its sight (%d)", points[i], status >> 8);
		ok(box_delete(&b, &err) == 0, "%s: deleted", points[i]);
		box_close(&b);
	}
}
#endif

static void test_signals(void)
{
	struct spec_options trap = {
	    .argv =
		SH("trap 'echo got; exit 9' TERM; echo up; while :; do sleep 1000 & wait; done")};
	struct error err = ERROR_INIT;
	struct shim_event ev;
	struct box b;
	char buf[4] = "";

	start_sleeper(&b, &trap);
	ok(read(b.out, buf, 3) == 3, "script is up");
	ok(shim_signal(b.dir, NULL, SIGTERM, false, &err) == 0, "SIGTERM sent");
	ok(box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev) && ev.exit_code == 9, "the trap's exit code");
	ok(shim_signal(b.dir, NULL, SIGTERM, false, &err) == -1 && err.kind == ERR_NOT_FOUND,
	   "no signal to an ended process");
	box_delete(&b, &err);
	box_close(&b);
	start_sleeper(&b, &(struct spec_options){.host_pid = true});
	ok(shim_signal(b.dir, NULL, SIGKILL, true, &err) == 0, "signal to all (%s)", err.text);
	ok(box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev) && ev.exit_code == 137, "all ended");
	box_delete(&b, &err);
	box_close(&b);
}

static void test_pause_update(void)
{
	struct error err = ERROR_INIT;
	struct box b;

	start_sleeper(
	    &b,
	    &(struct spec_options){
		.resources =
		    ",\"memory\":{\"limit\":67108864,\"swap\":67108864},\"pids\":{\"limit\":50}"});
	ok(shim_pause(b.dir, &err) == 0, "pause (%s)", err.text);
	ok(process_state(b.made.pid) == 'D' || process_state(b.made.pid) == 'S', "frozen process");
	ok(shim_resume(b.dir, &err) == 0, "resume (%s)", err.text);
	ok(shim_update(b.dir, "{\"memory\":{\"limit\":134217728,\"swap\":134217728}}", &err) == 0,
	   "raise memory and swap (%s)", err.text);
	ok(shim_update(
	       b.dir,
	       "{\"memory\":{\"limit\":33554432,\"swap\":67108864},\"cpu\":{\"shares\":512}}",
	       &err) == 0,
	   "lower them, set shares (%s)", err.text);
	ok(shim_update(b.dir, "{nonsense", &err) == -1 && err.kind == ERR_INVALID,
	   "nonsense is refused");
	ok(shim_pause(b.dir, &err) == 0 && box_delete(&b, &err) == 0,
	   "a paused container can be deleted (%s)", err.text);
	box_close(&b);
}

static void test_oom(void)
{
	struct spec_options o = {.argv = SH("tail /dev/zero"),
				 .resources = ",\"memory\":{\"limit\":8388608,\"swap\":8388608}"};
	struct error err = ERROR_INIT;
	struct shim_event ev;
	struct box b;

	start_sleeper(&b, &o);
	ok(box_wait(&b, SHIM_EVENT_OOM, NULL, &ev), "an OOM event comes");
	ok(box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev) && ev.oom && ev.exit_code == 137,
	   "the exit tells of it (%d, %d)", ev.exit_code, ev.oom);
	box_delete(&b, &err);
	box_close(&b);
}

static void test_confinement(void)
{
	expect_sh("masked files read as empty", "wc -c < /proc/interrupts", 0, "0\n");
	expect_sh("masked directories are empty", "ls /sys/firmware | wc -l", 0, "0\n");
	expect_sh("read-only paths", "echo 1 > /proc/sys/kernel/domainname", 1,
		  "Read-only file system");
	expect_sh("capabilities as given", "grep -E 'CapEff|CapBnd' /proc/self/status", 0,
		  "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb");
	expect_run(
	    "no capabilities",
	    &(struct spec_options){.argv = SH("grep CapPrm /proc/self/status"), .caps = "[]"}, 0,
	    "CapPrm:\t0000000000000000");
	expect_run(
	    "another user has none after execve",
	    &(struct spec_options){.argv = SH("id -u; grep CapEff /proc/self/status"), .uid = 1000},
	    0, "1000\nCapEff:\t0000000000000000");
	expect_sh("the filter is active", "grep Seccomp: /proc/self/status; unshare -m true", 1,
		  "Seccomp:\t2");
	expect_run("no_new_privs",
		   &(struct spec_options){.argv = SH("grep NoNewPrivs /proc/self/status"),
					  .extra_process = ",\"noNewPrivileges\":true"},
		   0, "NoNewPrivs:\t1");
	expect_run("rlimits",
		   &(struct spec_options){
		       .argv = SH("ulimit -n"),
		       .extra_process =
			   ",\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":123,\"hard\":456}]"},
		   0, "123\n");
	expect_sh("devices outside the list can't be opened",
		  "mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg; rm -f /tmp/kmsg; true", 0,
		  "not permitted");
	expect_sh("hostname", "hostname", 0, "box\n");
	expect_sh("the pid namespace is new", "echo $$", 0, "1\n");
	expect_sh("oom_score_adj is the spec's", "cat /proc/self/oom_score_adj", 0, "0\n");
	expect_run(
	    "no signal is ignored or blocked",
	    &(struct spec_options){.argv = ARGV("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")},
	    0, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000");
	expect_sh("lo is up", "ip addr show lo", 0, "127.0.0.1/8");
	expect_run("a read-only root",
		   &(struct spec_options){.argv = SH("touch /x; touch /dev/shm/y && echo shm"),
					  .readonly_root = true},
		   0, "shm");
	expect_sh("the host's mounts are gone",
		  "grep -c /dev/vda /proc/self/mountinfo; grep -v -e ' / / ' /proc/self/mountinfo "
		  "| grep -c pivot; true",
		  0, "");
	expect_run("umask", &(struct spec_options){.argv = SH("umask")}, 0, "0022");
}

static void expect_sysctl(const char *name, const char *linux_member, const char *refusal)
{
	auto_free char *title = xasprintf("sysctl %s", name);
	struct spec_options o = {.argv = ARGV("true"), .extra_linux = linux_member};

	if (refusal)
		expect_refusal(title, &o, ERR_INVALID, refusal);
	else
		expect_run(title, &o, 0, NULL);
}

/* Only what a namespace of the container's own holds. */
static void test_sysctls(void)
{
	static const char *const refused[] = {
	    "kernel.core_pattern", "kernel.shm_next_id",  "vm.overcommit_memory",      "fs.mqueuex",
	    "kernel.hostname",     "net/ipv4/ip_forward", "net../kernel.core_pattern", "net..ipv4",
	    "fs.mqueue.../core",   "kernel/core_pattern"};

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		auto_free char *member = xasprintf(",\"sysctl\":{\"%s\":\"0\"}", refused[i]),
			       *text = xasprintf("sysctl \"%s\" is not ", refused[i]);

		expect_sysctl(refused[i], member, text);
	}
	expect_run("sysctls of the own namespaces",
		   &(struct spec_options){
		       .argv = SH("cat /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max "
				  "/proc/sys/net/ipv4/ip_forward"),
		       .extra_linux =
			   ",\"sysctl\":{\"kernel.msgmax\":\"4321\",\"fs.mqueue.msg_max\":"
			   "\"12\",\"net.ipv4.ip_forward\":\"1\"}"},
		   0, "4321\n12\n1\n");
}

/* What is hidden must not be replaced by what an image or volume calls /dev/null. */
static void test_null_device(void)
{
	auto_free char *dir = xasprintf("%s/fakedev", fx.dir), *null = xasprintf("%s/null", dir),
		       *whole = xasprintf(",{\"destination\":\"/dev\",\"type\":\"bind\",\"source\":"
					  "\"%s\",\"options\":[\"rbind\"]}",
					  dir),
		       *one = xasprintf(",{\"destination\":\"/dev/null\",\"type\":\"bind\","
					"\"source\":\"%s\",\"options\":[\"rbind\"]}",
					null);
	struct spec_options o = {.argv = SH("cat /proc/interrupts"), .extra_mounts = whole};
	auto_close fd = -1;

	if (mkdir(dir, 0755) < 0)
		perror(dir);
	fd = open(null, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	expect_refusal("a bound /dev with a false null", &o, ERR_INVALID,
		       "/dev/null of the container is not the null device");
	o.extra_mounts = one;
	expect_refusal("a false null bound", &o, ERR_INVALID,
		       "/dev/null of the container is not the null device");
	expect_run("what the root has in a device's place is replaced",
		   &(struct spec_options){
		       .argv = SH("stat -c %F:%t:%T /bin/false"),
		       .extra_linux = ",\"devices\":[{\"path\":\"/bin/false\",\"type\":\"c\","
				      "\"major\":1,\"minor\":5}]"},
		   0, "character special file:1:5");
	expect_run("a device bound on another one stays",
		   &(struct spec_options){
		       .argv = SH("stat -c %t:%T /dev/random"),
		       .extra_mounts =
			   ",{\"destination\":\"/dev/random\",\"type\":\"bind\",\"source\":"
			   "\"/dev/urandom\",\"options\":[\"rbind\"]}"},
		   0, "1:9");
}

static void test_init(void)
{
	auto_free char *init = xasprintf("%s/docker-init", getenv("DOCKERD_LIBEXECDIR"));
	static const char *const orphan[] = {
	    "/sbin/docker-init", "--", "sh", "-c", "(sleep 0 &); cat /proc/1/comm; exit 7", NULL};
	static const char *const waits[] = {
	    "/sbin/docker-init",
	    "--",
	    "sh",
	    "-c",
	    "trap 'exit 4' TERM; echo up; while :; do sleep 1000 & wait; done",
	    NULL};
	struct error err = ERROR_INIT;
	struct shim_event ev = {0};
	struct box b;
	char buf[4];

	box_init(&fx, &b, &(struct spec_options){.argv = orphan});
	b.create.init_path = init;
	ok(box_create(&b, &err) == 0 && box_start(&b, &err) == 0,
	   "docker-init is bound and runs (%s)", err.text);
	box_drain(&b);
	ok(box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev) && ev.exit_code == 7,
	   "it ends with the command's code (%d)", ev.exit_code);
	ok(strstr(str_cstr(&b.output), "docker-init"), "and is the first process (%s)",
	   str_cstr(&b.output));
	box_delete(&b, &err);
	box_close(&b);
	box_init(&fx, &b, &(struct spec_options){.argv = waits});
	b.create.init_path = init;
	ok(box_create(&b, &err) == 0 && box_start(&b, &err) == 0 && read(b.out, buf, 3) == 3,
	   "command under docker-init is up");
	ok(shim_signal(b.dir, NULL, SIGTERM, false, &err) == 0 &&
	       box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev) && ev.exit_code == 4,
	   "signals are passed on (%d)", ev.exit_code);
	box_delete(&b, &err);
	box_close(&b);
}

static void test_mounts(void)
{
	auto_free char *host = xasprintf("%s/host", fx.dir), *json = NULL;
	struct spec_options o = {.argv = SH("echo in > /data/f && cat /data/f; grep -c ' /ro ' "
					    "/proc/self/mountinfo; touch /ro/x; true")};

	if (mkdir(host, 0755) < 0)
		perror("mkdir");
	json = xasprintf(
	    ",{\"destination\":\"/"
	    "data\",\"type\":\"bind\",\"source\":\"%s\",\"options\":[\"rbind\",\"rprivate\"]},"
	    "{\"destination\":\"/"
	    "ro\",\"type\":\"bind\",\"source\":\"%s\",\"options\":[\"rbind\",\"ro\",\"rprivate\"]},"
	    "{\"destination\":\"/etc/one\",\"type\":\"bind\",\"source\":\"%s/bin/"
	    "busybox\",\"options\":[\"bind\",\"ro\"]},"
	    "{\"destination\":\"/tmp/"
	    "t\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"size=1m\",\"noexec\"]}",
	    host, host, fx.root);
	o.extra_mounts = json;
	expect_run("bind mounts, read-only ones, a file, a tmpfs", &o, 0,
		   "in\n1\ntouch: /ro/x: Read-only file system");
	/* A link in the image that points outside must not lead there. */
	json = (free(json),
		xasprintf(",{\"destination\":\"/link/"
			  "deep\",\"type\":\"bind\",\"source\":\"%s\",\"options\":[\"rbind\"]}",
			  host));
	{
		auto_free char *link = xasprintf("%s/link", fx.root);

		if (symlink("/../../../../run/dexec-outside", link) < 0)
			perror("symlink");
		o.extra_mounts = json;
		o.argv = SH("ls -d /run/dexec-outside/deep");
		expect_run("a link in the image is followed inside the root", &o, 0,
			   "/run/dexec-outside/deep");
		ok(access("/run/dexec-outside", F_OK) < 0, "and never outside");
		unlink(link);
	}
	o.extra_mounts = ",{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/no/"
			 "such\",\"options\":[\"rbind\"]}";
	expect_refusal("a missing source is named", &o, ERR_NOT_FOUND, "/no/such");
}

/* What a container must not leave behind: looks below the native driver. */
static bool nothing_left(struct box *b)
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

/* Wait for the end of a process that is perhaps nobody's child here. */
static bool ends(pid_t pid, uint64_t start)
{
	auto_close fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd < 0 || proc_start_time(pid) != start || poll(&p, 1, 10000) == 1;
}

static pid_t shim_pid(const struct box *b)
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
		       (strstr(err.text, "ended early") || strstr(err.text, "during its setup")),
		   "%s: the caller hears of it (%s)", fault, err.text);
		ok(shim_signal(b.dir, NULL, 0, false, &err) == 0, "%s: the container goes on",
		   fault);
		ok(box_delete(&b, &delete_err) == 0 && nothing_left(&b) && !children_left(),
		   "%s: nothing is left (%s)", fault, delete_err.text);
		box_close(&b);
	}
}
#endif

int main(void)
{
	if (!fixture_open(&fx)) {
		printf("1..0 # SKIP needs root, /bin/busybox and the built tree\n");
		return 77;
	}
	signal(SIGPIPE, SIG_IGN);
	test_exit_codes();
	test_stdio();
	test_terminal();
	test_exec_sessions();
	test_no_way_out();
	test_signals();
	test_pause_update();
	test_oom();
	test_confinement();
	test_sysctls();
	test_null_device();
	test_init();
	test_mounts();
	test_dead_shim();
	test_long_journal();
#ifdef ENABLE_FAULTS
	test_faults();
	test_session_faults();
	test_session_window();
#endif
	fixture_close(&fx);
	printf("1..%d\n", tests);
	return failures ? 1 : 0;
}
