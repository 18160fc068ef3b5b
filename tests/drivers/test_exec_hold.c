/* SPDX-License-Identifier: Apache-2.0 */
/* How tightly a container is held by an exec driver: what it sees, what it can reach, what can be reached through those who enter it. */
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

/* A container in the pid namespace of another is held as any other is. */
/* Where /proc is trusted, nobody's mount takes its place. */
static void test_proc_mounts(void)
{
	static const char *const refused[] = {"/proc/sys", "/proc/1", "/proc/self/attr",
					      "/proc/keys"};
	auto_free char *link = path_join(fx.root, "toproc");

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		auto_free char *mounts = xasprintf(
		    ",{\"destination\":\"%s\",\"type\":\"bind\",\"source\":\"%s\","
		    "\"options\":[\"rbind\"]}",
		    refused[i], streq(refused[i], "/proc/keys") ? "/etc/hostname" : "/tmp");
		struct spec_options o = {.argv = ARGV("true"), .extra_mounts = mounts};

		expect_refusal(refused[i], &o, ERR_INVALID,
			       "cannot be mounted because it is inside /proc");
	}
	ok(symlink("/proc/self", link) == 0, "a link of the image to /proc");
	expect_refusal("a mount through it",
		       &(struct spec_options){
			   .argv = ARGV("true"),
			   .extra_mounts = ",{\"destination\":\"/toproc/attr\",\"type\":\"tmpfs\","
					   "\"source\":\"tmpfs\",\"options\":[]}"},
		       ERR_INVALID, "cannot be mounted because it is inside /proc");
	unlink(link);
	expect_run("numbers may be replaced",
		   &(struct spec_options){
		       .argv = SH("wc -l </proc/uptime"),
		       .extra_mounts = ",{\"destination\":\"/proc/uptime\",\"type\":\"bind\","
				       "\"source\":\"/etc/hostname\",\"options\":[\"bind\"]}"},
		   0, "1\n");
}

static void test_join_pid(void)
{
	static const char script[] =
	    "cat /proc/1/comm; wc -c </proc/keys; ls /proc/acpi | wc -l;"
	    "echo 1 >/proc/sys/kernel/domainname || echo read-only; grep -c . /proc/self/mounts "
	    ">&2;"
	    "touch /x || echo root-read-only; id -u; stat -c %t:%T /dev/null; readlink "
	    "/proc/self/root";
	struct error err = ERROR_INIT;
	struct box b;
	struct spec_options o;

	start_sleeper(&b, NULL);
	o = (struct spec_options){
	    .argv = SH(script), .join_pid = b.made.pid, .readonly_root = true};
	expect_run("joined pid namespace", &o, 0,
		   "sleep\n0\n0\nsh: can't create /proc/sys/kernel/domainname: Read-only");
	o.uid = 1000;
	expect_run("as a user", &o, 0, "root-read-only\n1000\n1:3\n/\n");
	o = (struct spec_options){.argv =
				      SH("stty size; tty=$(readlink /proc/self/fd/0); echo $tty"),
				  .join_pid = b.made.pid,
				  .terminal = true};
	expect_run("with a terminal", &o, 0, "/dev/pts/0");
	o = (struct spec_options){
	    .argv = SH("cat /proc/uptime; echo nope >/proc/uptime"),
	    .join_pid = b.made.pid,
	    .extra_mounts = ",{\"destination\":\"/proc/uptime\",\"type\":\"bind\","
			    "\"source\":\"/etc/hostname\",\"options\":[\"bind\",\"ro\"]}"};
	expect_run("with a bind below /proc", &o, 1, "Read-only file system");
	o = (struct spec_options){.argv = ARGV("nothing-there"), .join_pid = b.made.pid};
	expect_refusal("a program that is not there", &o, ERR_NO_COMMAND,
		       "exec: \"nothing-there\": executable file not found in $PATH");
	ok(shim_signal(b.dir, NULL, 0, false, &err) == 0, "the joined one goes on");
	ok(box_delete(&b, &err) == 0 && nothing_left(&b), "and leaves nothing (%s)", err.text);
	box_close(&b);
}

#ifdef ENABLE_FAULTS
/* Number of links below /proc/PID/DIR that do not lead to an anonymous object or a device; root and cwd that are the test's own. */
static int host_objects(pid_t pid)
{
	auto_free char *fds = xasprintf("/proc/%d/fd", (int)pid);
	auto_dir DIR *d = opendir(fds);
	struct dirent *e;
	int n = d ? 0 : 1000, more = 0;

	while (d && (e = readdir(d))) {
		struct stat st;

		if (*e->d_name == '.')
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, 0) < 0 ||
		    !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode)) ||
		    (atoi(e->d_name) > 2 && more++)) {
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

#define RELEASED "native.create.released=stop"

/* A dockerd-exec, or what it cloned, that was started with our fault: its state, otherwise 0. */
static char state_of_ours(const char *pid)
{
	auto_free char *env = xasprintf("/proc/%s/environ", pid),
		       *line = xasprintf("/proc/%s/cmdline", pid);
	auto_str text = STR_INIT, name = STR_INIT;
	struct error err;

	if (atoi(pid) <= 0 || file_read_at(AT_FDCWD, line, 1 << 20, &name, &err) < 0 ||
	    !streq(str_cstr(&name), "dockerd-exec") ||
	    file_read_at(AT_FDCWD, env, 1 << 20, &text, &err) < 0 || !text.len ||
	    !memmem(text.p, text.len, "=" RELEASED, sizeof("=" RELEASED)))
		return 0;
	return process_state(atoi(pid));
}

/* Once the process that is being made is dead, its maker, which is stopped, goes on. */
static int continue_maker(void)
{
	for (int round = 0; round < 1000000; round++) {
		auto_dir DIR *d = opendir("/proc");
		struct dirent *e;
		pid_t stopped = 0;
		int alive = 0;

		while (d && (e = readdir(d))) {
			char state = state_of_ours(e->d_name);

			if (state == 'T')
				stopped = atoi(e->d_name);
			else if (state && state != 'Z' && state != 'X')
				alive++;
		}
		if (stopped && !alive)
			return kill(stopped, SIGCONT);
		sched_yield();
	}
	return -1;
}

/* The first process fails, and is gone before its maker looks at it: what it said of the reason is the error. */
static void test_childs_word(void)
{
	auto_free char *null = xasprintf("%s/falsenull", fx.dir),
		       *mount = xasprintf(",{\"destination\":\"/dev/null\",\"type\":\"bind\","
					  "\"source\":\"%s\",\"options\":[\"rbind\"]}",
					  null);
	auto_close fd = open(null, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	pid_t looker;
	int status;

	(void)fd; /* for its end */
	setenv("DOCKERD_FAULT", RELEASED, 1);
	looker = fork();
	if (looker == 0)
		_exit(continue_maker() < 0);
	expect_refusal("the dead child's word is the error",
		       &(struct spec_options){.argv = ARGV("true"), .extra_mounts = mount},
		       ERR_INVALID, "/dev/null of the container is not the null device");
	unsetenv("DOCKERD_FAULT");
	ok(waitpid(looker, &status, 0) == looker && status == 0, "its maker was stopped meanwhile");
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

/* Looks at the process of b's pid namespace that a fault has stopped: exit status 0 if nothing of the host is in its sight. */
static pid_t fork_looker(const struct box *b)
{
	pid_t looker = fork();

	if (looker == 0) {
		pid_t pid = find_stopped(b->made.pid);
		int r = pid > 0 ? host_objects(pid) : 100;

		fflush(stdout);
		_exit(r > 100 ? 100 : r);
	}
	return looker;
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
		looker = fork_looker(&b);
		r = run_exec(&b, "e", &(struct spec_options){.argv = ARGV("true")}, &out, &err);
		ok(r == -1 && strstr(err.text, "within 20 seconds"),
		   "%s: a stopped session is given up (%s)", points[i], err.text);
		ok(waitpid(looker, &status, 0) == looker && status == 0,
		   "%s: nothing of the host is in its sight (%d)", points[i], status >> 8);
		ok(box_delete(&b, &err) == 0, "%s: deleted", points[i]);
		box_close(&b);
	}
}

/* The same for the first process of a container that joins the pid namespace of another. */
static void test_join_window(void)
{
	struct error err = ERROR_INIT, delete_err = ERROR_INIT;
	struct box b, joins;
	pid_t looker;
	int r, status;

	start_sleeper(&b, NULL);
	setenv("DOCKERD_FAULT", "native.init.born=stop", 1);
	looker = fork_looker(&b);
	box_init(&fx, &joins, &(struct spec_options){.argv = ARGV("true"), .join_pid = b.made.pid});
	r = box_create(&joins, &err);
	unsetenv("DOCKERD_FAULT");
	ok(r == -1 && strstr(err.text, "within 20 seconds"),
	   "a stopped first process is given up (%s)", err.text);
	ok(waitpid(looker, &status, 0) == looker && status == 0,
	   "nothing of the host is in its sight (%d)", status >> 8);
	ok(box_delete(&joins, &delete_err) == 0 && nothing_left(&joins), "nothing is left (%s)",
	   delete_err.text);
	box_close(&joins);
	ok(box_delete(&b, &err) == 0, "the joined one goes on, and is deleted");
	box_close(&b);
}
#endif

static void all(void)
{
	test_no_way_out();
	test_confinement();
	test_sysctls();
	test_null_device();
	test_proc_mounts();
	test_join_pid();
#ifdef ENABLE_FAULTS
	test_childs_word();
	test_session_window();
	test_join_window();
#endif
}

int main(void)
{
	return check_main(all);
}
