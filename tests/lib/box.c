/* SPDX-License-Identifier: Apache-2.0 */
/* See box.h: the namespaces, the daemon in them, TAP. */
#include "lib/box.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "drivers/tar_maker.h"

char box_dir[64], box_cgroup[64];
int box_failed;
static int tests;

void ok(bool good, const char *f, ...)
{
	va_list ap;

	tests++;
	box_failed += !good;
	printf("%sok %d - ", good ? "" : "not ", tests);
	va_start(ap, f);
	vprintf(f, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

void note(const char *f, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, f);
	vprintf(f, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

void plan_done(void)
{
	printf("1..%d\n", tests);
	fflush(stdout);
}

/* No test waits by the clock; this ends one that would wait forever. Enough for the slowest under sanitizers. */
#define BOX_DEADLINE_S 420

/* ---- The box ------------------------------------------------------------------------------------------------------------------ */

static int skip(const char *why)
{
	printf("1..0 # SKIP %s: %s\n", why, strerror(errno));
	return 77;
}

static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	auto_close fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		perror("lo");
}

/* As init of the box: reap what is orphaned, end with the test. */
static int reap(pid_t test)
{
	int status;

	for (;;) {
		pid_t pid = wait(&status);

		if (pid == test && WIFSIGNALED(status))
			printf("not ok %d - killed by signal %d%s\n", tests + 1, WTERMSIG(status),
			       WTERMSIG(status) == SIGALRM ? ": the deadline" : "");
		if (pid == test)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
		if (pid < 0 && errno == ECHILD)
			return 99;
	}
}

static int inside(int (*test)(void))
{
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
	    mount("tmpfs", box_dir, "tmpfs", 0, "mode=0700") < 0)
		return skip("mounts of its own are not possible");
	loopback_up();
	pid = fork();
	if (pid == 0) {
		int r;

		alarm(BOX_DEADLINE_S);
		r = test();
		plan_done();
		exit(r);
	}
	return reap(pid);
}

static int drop_dir(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_D || type == FTW_DP)
		rmdir(path);
	return 0;
}

/* The processes went with their namespace; empty groups are all that is left. */
static void drop_cgroups(void)
{
	auto_dir DIR *d = opendir("/sys/fs/cgroup");
	struct dirent *e;

	nftw(fmt("/sys/fs/cgroup%s", box_cgroup), drop_dir, 16, FTW_DEPTH | FTW_PHYS);
	while (d && (e = readdir(d)))
		nftw(fmt("/sys/fs/cgroup/%s%s", e->d_name, box_cgroup), drop_dir, 16,
		     FTW_DEPTH | FTW_PHYS);
}

int box_run(int (*test)(void))
{
	int status, r;
	pid_t pid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 77;
	}
	snprintf(box_dir, sizeof(box_dir), "/tmp/dockerd-test-XXXXXX");
	snprintf(box_cgroup, sizeof(box_cgroup), "/dockerd-test-%d", (int)getpid());
	if (!mkdtemp(box_dir))
		return skip(box_dir);
	if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET) < 0) {
		r = skip("namespaces are not possible");
	} else {
		fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(inside(test));
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		r = WIFEXITED(status) ? WEXITSTATUS(status) : 99;
		drop_cgroups();
	}
	umount2(box_dir, MNT_DETACH); /* our mount namespace is the box's */
	if (rmdir(box_dir) < 0)
		perror(box_dir);
	return r ? r : box_failed != 0;
}

/* ---- The daemon --------------------------------------------------------------------------------------------------------------- */

static int listen_notify(void)
{
	static const char name[] = "\0box-notify";
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, name, sizeof(name) - 1);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&sa,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name) - 1)) < 0) {
		perror("notify socket");
		exit(2);
	}
	return fd;
}

const char *box_config = "";

static void write_config(bool live_restore)
{
	FILE *f = fopen(fmt("%s/daemon.json", box_dir), "we");

	if (!f)
		exit(2);
	fprintf(f,
		"{\"data-root\":\"%s/data\",\"exec-root\":\"%s/exec\",\"pidfile\":\"%s/"
		"pid\",\"hosts\":[\"unix://%s/sock\"],"
		"\"cgroup-parent\":\"%s\",\"shutdown-timeout\":5,\"live-restore\":%s%s}\n",
		box_dir, box_dir, box_dir, box_dir, box_cgroup, live_restore ? "true" : "false",
		box_config);
	fclose(f);
}

static void exec_daemon(const char *fault)
{
	auto_free char *config = strdup(fmt("%s/daemon.json", box_dir));
	const char *program = getenv("DOCKERD_TEST_PROGRAM");
	int fd = open("/dev/null", O_RDONLY);

	setsid();
	dup2(fd, 0);
	fd = open(fmt("%s/log", box_dir), O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	setenv("NOTIFY_SOCKET", "@box-notify", 1);
	setenv("DOCKERD_PLUGIN_PATIENCE", "0", 1);
	if (fault)
		setenv("DOCKERD_FAULT", fault, 1);
	if (!program)
		program = "./dockerd";
	execl(program, "dockerd", "--config-file", config, "-D", (char *)NULL);
	fprintf(stderr, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

pid_t daemon_start(bool live_restore, const char *fault)
{
	auto_close sock = listen_notify();
	auto_close pidfd = -1;
	pid_t pid;

	write_config(live_restore);
	pid = fork();
	if (pid == 0)
		exec_daemon(fault);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	for (;;) {
		struct pollfd p[2] = {{sock, POLLIN, 0}, {pidfd, POLLIN, 0}};
		char buf[256];

		if (poll(p, 2, 60000) == 0) {
			kill(pid, SIGABRT);
			continue;
		}
		if (p[0].revents) {
			ssize_t n = recv(sock, buf, sizeof(buf) - 1, 0);

			buf[n > 0 ? n : 0] = '\0';
			if (strstr(buf, "READY=1"))
				return pid;
		} else if (p[1].revents) {
			waitpid(pid, NULL, 0);
			return -1;
		}
	}
}

int daemon_end(pid_t pid, int sig)
{
	int status = 0;

	if (pid <= 0)
		return 0;
	if (sig)
		kill(pid, sig);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

long daemon_rss(pid_t pid)
{
	auto_file FILE *f = fopen(fmt("/proc/%d/status", (int)pid), "re");
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	return kib;
}

void daemon_log_show(void)
{
	auto_file FILE *f = fopen(fmt("%s/log", box_dir), "re");
	char line[1024];

	if (f && fseek(f, -6000, SEEK_END) < 0)
		rewind(f);
	while (f && fgets(line, sizeof(line), f))
		if (!strstr(line, "msg=request"))
			printf("# | %s", line);
	fflush(stdout);
}

int daemon_image(void)
{
	return image_at(fmt("%s/sock", box_dir));
}

int image_at(const char *socket)
{
	auto_file FILE *f = fopen("tests/lib/guest", "rbe");
	auto_str tar = STR_INIT, program = STR_INIT, head = STR_INIT;
	auto_reply r = {0};
	auto_close fd = dial_path(socket);

	if (!f || fd < 0)
		return -1;
	for (size_t n; (n = fread(str_reserve(&program, 65536), 1, 65536, f)) > 0;)
		program.len += n;
	tar_member(&tar, '0', "guest", "", 0755, program.p, program.len);
	tar_end(&tar);
	str_printf(&head,
		   "POST /v1.51/images/create?fromSrc=-&repo=guest&tag=latest HTTP/1.1\r\nHost: "
		   "d\r\nContent-Type: application/x-tar\r\n"
		   "Content-Length: %zu\r\n\r\n",
		   tar.len);
	if (send_all(fd, head.p, head.len) < 0 || send_all(fd, tar.p, tar.len) < 0 ||
	    read_reply(fd, false, &r) < 0)
		return -1;
	if (r.status != 200)
		note("import: %d %s", r.status, str_cstr(&r.body));
	return r.status == 200 ? 0 : -1;
}
