/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exec driver behind its shim, as the daemon uses them: processes, their stdio and their life. TAP; needs root and /bin/busybox (77
 * otherwise). Every check runs on any driver that takes the OCI spec; what looks below the driver (cgroup directories) says so.
 */
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

static void test_exit_codes(void)
{
	struct spec_options nowhere = {.argv = ARGV("true"), .cwd = "/proc/nowhere"};

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
	expect_refusal("working directory that cannot be made", &nowhere, ERR_NO_COMMAND,
		       "chdir to cwd (\"/proc/nowhere\") set in config.json failed");
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
	auto_free char *host = xasprintf("%s/host", fx.dir), *json = NULL, *link = NULL;
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
	link = xasprintf("%s/link", fx.root);
	if (symlink("/../../../../run/dexec-outside", link) < 0)
		perror("symlink");
	o.extra_mounts = json;
	o.argv = SH("ls -d /run/dexec-outside/deep");
	expect_run("a link in the image is followed inside the root", &o, 0,
		   "/run/dexec-outside/deep");
	ok(access("/run/dexec-outside", F_OK) < 0, "and never outside");
	unlink(link);
	o.extra_mounts = ",{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/no/"
			 "such\",\"options\":[\"rbind\"]}";
	expect_refusal("a missing source is named", &o, ERR_NOT_FOUND, "/no/such");
}

static void all(void)
{
	test_exit_codes();
	test_stdio();
	test_terminal();
	test_exec_sessions();
	test_signals();
	test_pause_update();
	test_oom();
	test_init();
	test_mounts();
}

int main(void)
{
	return check_main(all);
}
