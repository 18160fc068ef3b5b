/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last steps before the user's program, the same for the first process and for exec sessions: stdio, terminal, limits, labels,
 * user, capabilities, filter, execve.
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

/* CAP_SYS_ADMIN, CAP_SETPCAP */
#define SETUP_CAPS (UINT64_C(1) << 21 | UINT64_C(1) << 8)

int die_with_shim(struct error *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_sys(err, errno, "PR_SET_PDEATHSIG");
	return 0;
}

/*
 * Asked for by the parent, since getppid(2) says 0 across pid namespaces, and a pidfd of the shim in a process that the container can see
 * would be a way to the shim's descriptors for who may trace: pidfd_getfd(2).
 */
int shim_lives(int shim_pidfd, struct error *err)
{
	struct pollfd p = {.fd = shim_pidfd, .events = POLLIN};

	if (poll(&p, 1, 0) != 0)
		return error_set(err, ERR_CANCELLED, "the shim is gone");
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int keep_only(int *fds, int n, struct error *err)
{
	int next = 3;

	qsort(fds, (size_t)n, sizeof(*fds), by_number);
	for (int i = 0; i <= n; i++) {
		unsigned int last = i < n ? (unsigned int)fds[i] - 1 : ~0U;

		if (last >= (unsigned int)next &&
		    syscall(SYS_close_range, (unsigned int)next, last, 0U) < 0)
			return error_sys(err, errno, "close the host's descriptors");
		next = i < n ? fds[i] + 1 : next;
	}
	return 0;
}

bool is_null_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int stdio_install(const struct dockerd_stdio *io, struct error *err)
{
	int fds[3] = {io->in, io->out, io->err};

	for (int i = 0; i < 3; i++) {
		auto_close null = -1;

		if (fds[i] < 0) {
			null = open("/dev/null", (i ? O_WRONLY : O_RDONLY) | O_CLOEXEC |
						     O_NOFOLLOW | O_NONBLOCK);
			if (null < 0)
				return error_sys(err, errno, "open /dev/null of the container");
			if (!is_null_device(null))
				return error_set(
				    err, ERR_INVALID,
				    "/dev/null of the container is not the null device");
		}
		/* 3 and above are sources only: the caller's descriptors never lie in 0..2 (spawned with /dev/null there) */
		if (dup2(fds[i] < 0 ? null : fds[i], i) < 0)
			return error_sys(err, errno, "install stdio");
	}
	return 0;
}

int terminal_open(int devpts_dir, const struct process *p, const struct dockerd_stdio *io,
		  int *master, int *slave, struct error *err)
{
	struct winsize w = {.ws_row = (unsigned short)(io->rows ? io->rows : p->rows),
			    .ws_col = (unsigned short)(io->columns ? io->columns : p->columns)};
	int unlock = 0;

	*master = openat(devpts_dir, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
	if (*master < 0 || ioctl(*master, TIOCSPTLCK, &unlock) < 0)
		return error_sys(err, errno, "open a terminal in the container");
	*slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		return error_sys(err, errno, "open the terminal's other end");
	if ((w.ws_row || w.ws_col) && ioctl(*master, TIOCSWINSZ, &w) < 0)
		return error_sys(err, errno, "set the terminal's size");
	return 0;
}

int terminal_install(int slave, struct error *err)
{
	for (int i = 0; i < 3; i++)
		if (dup2(slave, i) < 0)
			return error_sys(err, errno, "install the terminal");
	return 0;
}

int session_lead(const struct process *p, struct error *err)
{
	if (setsid() < 0)
		return error_sys(err, errno, "setsid");
	if (p->terminal && ioctl(0, TIOCSCTTY, 0) < 0)
		return error_sys(err, errno, "make the terminal the controlling one");
	return 0;
}

/* A user that is not root must be able to open /dev/stdout again. Not /dev/null, which is no one's. */
static void give_stdio(const struct process *p)
{
	struct stat st;

	for (int i = 0; i < 3; i++)
		if (fstat(i, &st) == 0 && st.st_uid != p->uid &&
		    (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(i)))
			if (fchown(i, p->uid, (gid_t)-1) < 0)
				continue; /* read-only or foreign: as it is */
}

static int put_self(const char *path, const char *text, struct error *err)
{
	auto_close fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return error_sys(err, errno, "write '%s' to %s", text, path);
	return 0;
}

static const char *go_error(int errnum)
{
	switch (errnum) { /* Go's texts begin in lower case, and clients match on them */
	case ENOENT:
		return "no such file or directory";
	case EACCES:
		return "permission denied";
	case EISDIR:
		return "is a directory: permission denied"; /* runc's pair; clients make 126 of it */
	case ENOTDIR:
		return "not a directory";
	case ENOEXEC:
		return "exec format error";
	case ELOOP:
		return "too many levels of symbolic links";
	case EINVAL:
		return "invalid argument";
	case EPERM:
		return "operation not permitted";
	default:
		return strerror(errnum);
	}
}

static int set_limits(const struct process *p, struct error *err)
{
	for (size_t i = 0; i < p->n_limits; i++)
		if (setrlimit((__rlimit_resource_t)p->limits[i].resource, &p->limits[i].value) < 0)
			return error_set(
			    err, ERR_SYSTEM,
			    "unable to start container process: error during container "
			    "init: error setting rlimits for ready process: error setting "
			    "rlimit type %d: %s",
			    p->limits[i].resource, go_error(errno));
	return 0;
}

/* apparmor: proc attr/apparmor/exec since 5.8, attr/exec before. */
int rights_labels(const struct process *p, struct error *err)
{
	auto_free char *label = NULL;

	if (*p->apparmor && !streq(p->apparmor, "unconfined")) {
		label = xasprintf("exec %s", p->apparmor);
		if (access("/proc/self/attr/apparmor/exec", F_OK) == 0)
			return put_self("/proc/self/attr/apparmor/exec", label, err);
		return put_self("/proc/self/attr/exec", label, err);
	}
	return *p->selinux ? put_self("/proc/self/attr/exec", p->selinux, err) : 0;
}

/* An id that has no place in the user namespace; runc's words. */
static int refused(const char *what, uint32_t id, struct error *err)
{
	if (errno == EINVAL)
		return error_set(err, ERR_SYSTEM,
				 "unable to setup user: cannot set%s to unmapped %s %u in user "
				 "namespace",
				 what, what, id);
	return error_sys(err, errno, "set%s %u", what, id);
}

static int change_user(const struct process *p, struct error *err)
{
	if (setgroups(p->n_groups, p->groups) < 0 && errno != EPERM)
		return error_sys(err, errno, "setgroups");
	if (setresgid(p->gid, p->gid, p->gid) < 0)
		return refused("gid", p->gid, err);
	if (setresuid(p->uid, p->uid, p->uid) < 0)
		return refused("uid", p->uid, err);
	return 0;
}

int rights_drop(const struct process *p, struct error *err)
{
	const uint64_t *c = p->caps;
	uint64_t effective = c[CAPS_EFFECTIVE] & c[CAPS_PERMITTED];

	give_stdio(p);
	if (set_limits(p, err) < 0 || caps_drop_bounding(c[CAPS_BOUNDING], err) < 0)
		return -1;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return error_sys(err, errno, "PR_SET_KEEPCAPS");
	if (change_user(p, err) < 0)
		return -1;
	if (caps_set(effective | SETUP_CAPS, c[CAPS_PERMITTED] | SETUP_CAPS, c[CAPS_INHERITABLE],
		     err) < 0)
		return -1;
	if (caps_set_ambient(c[CAPS_AMBIENT] & c[CAPS_PERMITTED] & c[CAPS_INHERITABLE], err) < 0)
		return -1;
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0); /* a change of user sets what fs.suid_dumpable says */
	return 0;
}

/* As the user, but not less than it will be able to: runc does the same. */
static int enter_cwd(const struct process *p, struct error *err)
{
	char at[PATH_MAX];

	if (chdir(p->cwd) < 0) {
		int saved = errno;

		return error_set(err, saved == EACCES ? ERR_NO_PERMISSION : ERR_NO_COMMAND,
				 "chdir to cwd (\"%s\") set in config.json failed: %s", p->cwd,
				 go_error(saved));
	}
	/* By the raw call: the C library searches for a name where the kernel says "(unreachable)". */
	if (syscall(SYS_getcwd, at, sizeof(at)) <= 0 || at[0] != '/')
		return error_set(err, ERR_SYSTEM,
				 "current working directory is outside of container mount "
				 "namespace root -- possible container breakout detected");
	return 0;
}

/* As Go's os/exec findExecutable: 0 or an errno; *stat_failed: which call said so. */
static int check_program(const char *path, bool *stat_failed)
{
	struct stat st;

	*stat_failed = stat(path, &st) < 0;
	if (*stat_failed)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	/* the effective ids: the real ones are the same here */
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return errno;
	return st.st_mode & 0111 ? 0 : EACCES;
}

static const char *find_env(const struct process *p, const char *name)
{
	for (size_t i = 0; i < p->env.n; i++) {
		const char *v = str_after(p->env.v[i], name);

		if (v && *v == '=')
			return v + 1;
	}
	return "";
}

/* malloc'ed path of the program, worded as runc words it when there is none. */
static char *find_program(const struct process *p, struct error *err)
{
	const char *name = p->argv.v[0];
	auto_strlist dirs = STRLIST_INIT;
	bool stat_failed;
	int e;

	if (strchr(name, '/')) {
		e = check_program(name, &stat_failed);
		if (!e)
			return xstrdup(name);
		error_set(err, e == ENOENT || e == ENOTDIR ? ERR_NO_COMMAND : ERR_NO_PERMISSION,
			  "exec: \"%s\": %s%s%s%s", name, stat_failed ? "stat " : "",
			  stat_failed ? name : "", stat_failed ? ": " : "", go_error(e));
		return NULL;
	}
	strlist_split(&dirs, find_env(p, "PATH"), ':');
	for (size_t i = 0; i < dirs.n; i++) {
		auto_free char *path = xasprintf("%s/%s", *dirs.v[i] ? dirs.v[i] : ".", name);

		if (check_program(path, &stat_failed) != 0)
			continue;
		if (*path == '/')
			return steal_ptr(&path);
		error_set(err, ERR_NO_COMMAND,
			  "exec: \"%s\": cannot run executable found relative to current directory",
			  name);
		return NULL;
	}
	error_set(err, ERR_NO_COMMAND, "exec: \"%s\": executable file not found in $PATH", name);
	return NULL;
}

/* Whatever our starter ignored would stay ignored in the container. By the raw call: the C library hides two signals of its own. */
static void default_signals(void)
{
	const unsigned long none[4] = {
	    0}; /* struct sigaction as the kernel has it: SIG_DFL, no flags, no mask */
	sigset_t mask;

	for (int signo = 1; signo <= 64; signo++)
		syscall(SYS_rt_sigaction, signo, none, NULL, 8UL);
	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/*
 * Loading a filter without no_new_privs needs CAP_SYS_ADMIN, which the user's process will seldom have: so everything but the last capset and
 * the execve comes before it, and a filter need only allow those two.
 */
int become(const struct process *p, const struct filter *f, struct error *err)
{
	const uint64_t *c = p->caps;
	auto_free char *program = NULL;
	int saved;

	default_signals();
	if (enter_cwd(p, err) < 0)
		return -1;
	program = find_program(p, err);
	if (!program)
		return -1;
	if (p->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_sys(err, errno, "PR_SET_NO_NEW_PRIVS");
	if (filter_load(f, err) < 0 || caps_set(c[CAPS_EFFECTIVE] & c[CAPS_PERMITTED],
						c[CAPS_PERMITTED], c[CAPS_INHERITABLE], err) < 0)
		return -1;
	execve(program, p->argv.v, p->env.v);
	/* runc has reported success by now: what goes wrong from here on is the program's own output and code. */
	saved = errno;
	dprintf(STDERR_FILENO, "exec %s: %s\n", program, go_error(saved));
	_exit(255);
}
