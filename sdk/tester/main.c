/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd-driver-test: the conformance kit for drivers, see dockerd-driver-test(1). Prints TAP. This file: arguments, and the parent that
 * gives each check its process, waits for it, and says how it went.
 */
#include "kit.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define MAX_FAULTS 200

static struct {
	struct kit kit;
	struct pairs options;
	const char *root, *only;
	char *place; /* directory in which each check gets its own */
	unsigned int stress, deadline;
	unsigned int number, failed, skipped, serial;
	volatile sig_atomic_t stop; /* the signal that ends all this */
} t = {.stress = 1, .deadline = 120};

static const struct kit_suite *const suites[] = {
    [DOCKERD_KIND_STORAGE] = &suite_storage, [DOCKERD_KIND_EXEC] = &suite_exec,
    [DOCKERD_KIND_LOG] = &suite_log,         [DOCKERD_KIND_AUTHZ] = &suite_authz,
    [DOCKERD_KIND_NETWORK] = &suite_network,
};

/* ---- The end ---------------------------------------------------------------------------------------------------------------------------- */

static void on_signal(int sig)
{
	t.stop = sig;
}

/* Nobody reads what is said (SIGPIPE), or somebody wants an end: children go at once, and nothing of ours stays. */
static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		sigaction(signals[i], &sa, NULL);
		sigaddset(&set, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL); /* but while a check is waited for */
}

static void default_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	sigset_t none;

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		signal(signals[i], SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void clean_up(void)
{
	struct error err = ERROR_INIT;

	if (t.place && dir_remove_all(AT_FDCWD, t.place, &err) < 0)
		printf("# left behind: %s\n", err.text);
	t.place = NULL;
}

static void stop_if_told(void)
{
	if (!t.stop)
		return;
	clean_up();
	default_signals();
	signal(t.stop, SIG_DFL);
	raise(t.stop);
	_exit(128 + t.stop);
}

static _Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static _Noreturn void die(const char *fmt, ...)
{
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	clean_up();
	exit(99);
}

/* ---- TAP ------------------------------------------------------------------------------------------------------------------------------ */

enum outcome { PASSED, FAILED, SKIPPED };

static void report(const char *group, const char *name, enum outcome o, const char *why)
{
	printf("%sok %u - %s: %s", o == FAILED ? "not " : "", ++t.number, group, name);
	if (o == SKIPPED)
		printf(" # SKIP %s", why);
	printf("\n");
	if (o == FAILED) {
		t.failed++;
		printf("# ");
		for (; *why; why++) {
			putchar(*why);
			if (*why == '\n' && why[1])
				printf("# ");
		}
		if (why[-1] != '\n')
			printf("\n");
	}
	t.skipped += o == SKIPPED;
	fflush(stdout);
	stop_if_told();
}

/* ---- One check in its process -------------------------------------------------------------------------------------------------------- */

/* Namespaces of its own: what it mounts goes with it. Without privilege it runs where it is. */
static void isolate(const struct kit_suite *s)
{
	if (geteuid() != 0)
		return;
	if (unshare(CLONE_NEWNS | (s->own_network ? CLONE_NEWNET : 0)) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("namespaces of a check: %s", strerror(errno));
}

static _Noreturn void child(const struct kit_suite *s, void (*run)(struct kit *), int output)
{
	struct kit *k = &t.kit;
	struct snapshot before;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	default_signals();
	isolate(s);
	dup2(null, 0);
	dup2(output, 1);
	dup2(output, 2);
	close(null);
	close(output);
	log_setup(LOG_LEVEL_ERROR, false, true);
	host_setup(k);
	snapshot_take(&before);
	k->before = &before;
	k->watched = true;
	run(k);
	snapshot_running(k, &before, "before close");
	kit_close(k);
	snapshot_compare(k, &before, "after close");
	KIT_CHECK(k, atomic_load(&k->shared->live_allocs) == 0,
		  "after close: %d blocks of host memory were not freed",
		  atomic_load(&k->shared->live_allocs));
	k->shared->finished = true;
	fflush(NULL); /* what stands in the driver's buffers, the daemon would print at its end */
	_exit(0);
}

/* The wait status; kills its process group at the deadline (*late). */
static int wait_child(pid_t pid, bool *late)
{
	auto_close fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec deadline = {.tv_sec = t.deadline};
	int status = 0, r;
	sigset_t all;

	sigemptyset(&all);

	do
		r = ppoll(&p, 1, &deadline, &all);
	while (r < 0 && errno == EINTR && !t.stop);
	*late = r == 0;
	kill(-pid, SIGKILL); /* what it left behind, too */
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static enum outcome judge(int status, bool late, int output, char *why, size_t size)
{
	struct kit_shared *sh = t.kit.shared;
	char text[600];
	ssize_t n = pread(output, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	if (late)
		snprintf(why, size, "it hangs: not over after %u seconds", t.deadline);
	else if (WIFSIGNALED(status))
		snprintf(why, size, "it crashed: killed by signal %d (%s)%s%s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)), n > 0 ? "\n" : "", text);
	else if (WEXITSTATUS(status) == EXIT_SKIPPED)
		return snprintf(why, size, "%s", sh->message), SKIPPED;
	else if (WEXITSTATUS(status) != 0 || !sh->finished)
		snprintf(why, size, "%s%s%s",
			 sh->message[0] ? sh->message : "it ended the process with exit(3)",
			 n > 0 ? "\nprinted: " : "", text);
	else if (n > 0)
		snprintf(why, size, "it printed to stdout or stderr: %s", text);
	else
		return PASSED;
	return FAILED;
}

static enum outcome run_isolated(const struct kit_suite *s, void (*run)(struct kit *), char *why,
				 size_t size)
{
	auto_free char *name = xasprintf("%u", ++t.serial);
	auto_free char *home = path_join(t.place, name),
		       *state = xasprintf("%s/state-%s", t.place, name);
	auto_free char *state_name = xasprintf("state-%s", name);
	auto_close output = memfd_create("output", MFD_CLOEXEC),
		   at = open(t.place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct error err = ERROR_INIT;
	enum outcome o;
	bool late;
	int status;
	pid_t pid;

	if (output < 0 || at < 0 || mkdir(home, 0711) < 0 || mkdir(state, 0700) < 0)
		die("%s: %s", home, strerror(errno));
	t.kit.root = home;
	t.kit.state = state;
	t.kit.shared->message[0] = '\0';
	t.kit.shared->finished = false;
	t.kit.shared->failed_service[0] = '\0';
	atomic_store(&t.kit.shared->calls, 0);
	atomic_store(&t.kit.shared->live_allocs, 0);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0)
		child(s, run, output);
	setpgid(pid, pid);
	status = wait_child(pid, &late);
	stop_if_told();
	o = judge(status, late, output, why, size);
	if (dir_remove_all(at, name, &err) < 0 || dir_remove_all(at, state_name, &err) < 0)
		printf("# left behind: %s\n", err.text);
	return o;
}

static void run_check(const struct kit_suite *s, const struct kit_check *c)
{
	char why[4096] = "";
	enum outcome o = PASSED;

	if (c->needs && !(t.kit.shared->capabilities & c->needs)) {
		report(s->name, c->name, SKIPPED, "the driver does not claim it");
		return;
	}
	for (unsigned int i = 0; i < t.stress && o == PASSED; i++)
		o = run_isolated(s, c->run, why, sizeof(why));
	report(s->name, c->name, o, why);
}

/* ---- Fault injection ------------------------------------------------------------------------------------------------------------------ */

static void run_faults(const struct kit_suite *s)
{
	struct kit_shared *sh = t.kit.shared;
	char why[4096] = "", name[120], text[4200];
	unsigned int calls;
	enum outcome o;

	sh->fail_at = 0;
	sh->unfailing = true;
	o = run_isolated(s, s->faults, why, sizeof(why));
	sh->unfailing = false;
	report("faults", "the sequence without a fault", o, why);
	if (o != PASSED)
		return;
	calls = atomic_load(&sh->calls);
	if (calls > MAX_FAULTS)
		calls = MAX_FAULTS;
	for (unsigned int i = 1; i <= calls; i++) {
		sh->fail_at = i;
		o = run_isolated(s, s->faults, why, sizeof(why));
		snprintf(name, sizeof(name), "host service call %u of %u (%s) fails", i, calls,
			 sh->failed_service[0] ? sh->failed_service : "not reached");
		snprintf(text, sizeof(text), "%s", why);
		report("faults", name, o, text);
	}
	if (!calls)
		report("faults", "host services fail one by one", SKIPPED,
		       "the driver calls no host service that can fail");
	sh->fail_at = 0;
}

/* ---- Groups --------------------------------------------------------------------------------------------------------------------------- */

static bool wanted(const char *group)
{
	return !t.only || streq(t.only, group);
}

static void run_suite(const struct kit_suite *s)
{
	for (size_t i = 0; i < s->n; i++)
		run_check(s, &s->checks[i]);
}

/* What the driver says of itself, learned in a process of its own. */
static void describe(struct kit *k)
{
	kit_load(k);
	k->shared->kind = k->plugin->kind;
	k->shared->capabilities = k->plugin->capabilities;
	snprintf(k->shared->name, sizeof(k->shared->name), "%s", k->plugin->name);
	snprintf(k->shared->version, sizeof(k->shared->version), "%s", k->plugin->version);
}

static int run_all(uint32_t kind)
{
	struct kit_shared *sh = t.kit.shared;
	char why[4096] = "";
	enum outcome o = run_isolated(&suite_common, describe, why, sizeof(why));

	if (o == PASSED && kind && sh->kind != kind) {
		snprintf(why, sizeof(why), "it is a driver of kind %s, expected %s",
			 plugin_kind_name(sh->kind), plugin_kind_name(kind));
		o = FAILED;
	}
	report("common", "the loader takes it", o, why);
	if (o == PASSED) {
		printf("# %s/%s %s\n", plugin_kind_name(sh->kind), sh->name, sh->version);
		if (wanted("common"))
			run_suite(&suite_common);
		if (wanted(suites[sh->kind]->name))
			run_suite(suites[sh->kind]);
		if (wanted("faults"))
			run_faults(suites[sh->kind]);
		if (t.only && t.number == 1)
			report(t.only, "is no group of this driver's kind", FAILED,
			       "nothing was checked");
	}
	printf("1..%u\n", t.number);
	return t.failed ? 1 : 0;
}

static _Noreturn void usage(FILE *to)
{
	fputs(
	    "usage: dockerd-driver-test [--root DIR] [--opt KEY=VALUE]... [--only GROUP] [--stress "
	    "N]\n"
	    "                           [--deadline SECONDS] [--discards] [KIND] FILE.so\n"
	    "KIND: storage, exec, log, authz, network. GROUP: common, KIND, faults. See "
	    "dockerd-driver-test(1).\n",
	    to);
	exit(to == stdout ? 0 : 2);
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!n || *end || n > 1000000)
		usage(stderr);
	return (unsigned int)n;
}

static void option(const char *text)
{
	const char *eq = strchr(text, '=');
	auto_free char *key = NULL;

	if (!eq)
		usage(stderr);
	key = xstrndup(text, (size_t)(eq - text));
	pairs_add(&t.options, key, eq + 1);
}

static uint32_t arguments(int argc, char **argv)
{
	static const struct option longs[] = {{"root", required_argument, NULL, 'r'},
					      {"opt", required_argument, NULL, 'o'},
					      {"only", required_argument, NULL, 'g'},
					      {"stress", required_argument, NULL, 's'},
					      {"deadline", required_argument, NULL, 'd'},
					      {"discards", no_argument, NULL, 'x'},
					      {"help", no_argument, NULL, 'h'},
					      {"version", no_argument, NULL, 'V'},
					      {0}};
	uint32_t kind = 0;
	int c;

	while ((c = getopt_long(argc, argv, "r:o:h", longs, NULL)) != -1) {
		switch (c) {
		case 'r':
			t.root = optarg;
			break;
		case 'o':
			option(optarg);
			break;
		case 'g':
			t.only = optarg;
			break;
		case 's':
			t.stress = number(optarg);
			break;
		case 'd':
			t.deadline = number(optarg);
			break;
		case 'x':
			t.kit.discards = true;
			break;
		case 'h':
			usage(stdout);
		case 'V':
			printf("dockerd-driver-test %s, ABI %d.%d\n", PACKAGE_VERSION,
			       DOCKERD_ABI_MAJOR, DOCKERD_ABI_MINOR);
			exit(0);
		default:
			usage(stderr);
		}
	}
	if (argc - optind == 2) {
		kind = plugin_kind_parse(argv[optind++]);
		if (!kind)
			usage(stderr);
	}
	if (argc - optind != 1)
		usage(stderr);
	t.kit.path = argv[optind];
	if (t.only && !streq(t.only, "common") && !streq(t.only, "faults") &&
	    !plugin_kind_parse(t.only)) {
		fprintf(stderr, "dockerd-driver-test: no group '%s'\n", t.only);
		usage(stderr);
	}
	return kind;
}

int main(int argc, char **argv)
{
	char place[256];
	uint32_t kind = arguments(argc, argv);
	auto_free char *path = realpath(t.kit.path, NULL);
	int code;

	if (!path)
		die("%s: %s", t.kit.path, strerror(errno));
	/* the name as given counts (a link in a build tree), its directory is made absolute */
	{
		auto_free char *given = xstrdup(t.kit.path);
		char *slash = strrchr(given, '/');
		auto_free char *dir = slash ? (*slash = '\0', realpath(*given ? given : "/", NULL))
					    : realpath(".", NULL);

		t.kit.path = xasprintf("%s/%s", dir, path_base(t.kit.path));
	}
	snprintf(place, sizeof(place), "%s/dockerd-driver-test-XXXXXX",
		 t.root ? t.root : "/var/tmp");
	if (!mkdtemp(place))
		die("%s: %s", place, strerror(errno));
	chmod(place, 0711);
	t.place = place;
	t.kit.options = &t.options;
	t.kit.shared = mmap(NULL, sizeof(*t.kit.shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t.kit.shared == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	catch_signals();
	code = run_all(kind);
	clean_up();
	return code;
}
