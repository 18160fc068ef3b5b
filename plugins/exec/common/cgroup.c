/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's control groups: one directory in the unified hierarchy (v2), or one in each v1 hierarchy below /sys/fs/cgroup (a
 * hybrid host's unified hierarchy among them: it has no controllers, but /proc/PID/cgroup shows it). Directories are made, entered, emptied and removed
 * here; limits are the driver's.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"
#define CGROUP_V1_MAGIC 0x27e0eb
#define CGROUP_V2_MAGIC 0x63677270
#define STATE "cgroup"

static void add_hierarchy(struct cgroup *g, const char *name)
{
	if (g->n == MAX_CONTROLLERS || strlen(name) >= sizeof(g->names[0]))
		return;
	snprintf(g->names[g->n], sizeof(g->names[0]), "%s", name);
	g->dirs[g->n] = g->tasks[g->n] = -1;
	g->n++;
}

int cgroup_find(struct cgroup *g, const char *path, struct error *err)
{
	auto_dir DIR *d = NULL;
	struct dirent *e;
	struct statfs fs;

	*g = (struct cgroup){.unified = -1};
	if (!*path)
		return 0;
	if (*path != '/' || strstr(path, "/..") || strlen(path) >= sizeof(g->path))
		return error_set(err, ERR_INVALID, "cgroup path '%s'", path);
	memcpy(g->path, path, strlen(path) + 1);
	if (statfs(ROOT, &fs) < 0)
		return error_sys(err, errno, "statfs " ROOT);
	if (fs.f_type == CGROUP_V2_MAGIC) {
		g->v2 = true;
		add_hierarchy(g, "");
		g->unified = 0;
		return 0;
	}
	d = opendir(ROOT);
	if (!d)
		return error_sys(err, errno, "open " ROOT);
	while ((e = readdir(d))) { /* links (cpu -> cpu,cpuacct) are second names */
		char dir[300];

		snprintf(dir, sizeof(dir), ROOT "/%s", e->d_name);
		if (e->d_type != DT_DIR || *e->d_name == '.' || statfs(dir, &fs) < 0)
			continue;
		if (fs.f_type == CGROUP_V1_MAGIC || fs.f_type == CGROUP_V2_MAGIC)
			add_hierarchy(g, e->d_name);
		if (fs.f_type == CGROUP_V2_MAGIC)
			g->unified = g->n - 1;
	}
	return g->n ? 0 : error_set(err, ERR_SYSTEM, "no control groups are mounted at " ROOT);
}

/* A new cpuset is empty, and nothing can enter it before it has cpus and memory nodes: take the parent's, from the top down. */
static int inherit_cpuset(int parent, int child, struct error *err)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		auto_str have = STR_INIT, theirs = STR_INIT;

		if (file_read_at(child, files[i], 4096, &have, err) < 0)
			return -1;
		if (have.len > 1)
			continue;
		if (file_read_at(parent, files[i], 4096, &theirs, err) < 0)
			return -1;
		if (theirs.len <= 1)
			return error_set(err, ERR_SYSTEM, "%s of the cgroup above is empty",
					 files[i]);
		if (file_put_at(child, files[i], str_cstr(&theirs), err) < 0)
			return -1;
	}
	return 0;
}

static const char wanted_v2[] = "+cpuset +cpu +io +memory +hugetlb +pids +rdma +misc";

/* Controllers must be enabled in every cgroup above ours; those that the kernel lacks fail alone. */
static void enable_v2(int parent)
{
	auto_strlist names = STRLIST_INIT;
	struct error err;

	if (file_put_at(parent, "cgroup.subtree_control", wanted_v2, &err) == 0)
		return;
	strlist_split(&names, wanted_v2, ' ');
	for (size_t i = 0; i < names.n; i++)
		file_put_at(parent, "cgroup.subtree_control", names.v[i], &err);
}

/*
 * What nearly every container finds: all but its own directory is there, and one call makes that. False: go the long way, which makes, or fills, what is
 * missing above it. Not for v2, where each level may still have to hand its controllers down.
 */
static bool make_leaf(struct cgroup *g, int i)
{
	auto_free char *whole = xasprintf(ROOT "/%s%s", g->names[i], g->path),
		       *above = xstrndup(whole, (size_t)(path_base(whole) - whole));
	auto_close fd = -1, parent = -1;
	struct error ignored;

	if (g->v2 || mkdir(whole, 0755) < 0)
		return false;
	fd = open(whole, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (strstr(g->names[i], "cpuset")) {
		parent = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (parent < 0 || inherit_cpuset(parent, fd, &ignored) < 0)
			return false;
	}
	g->dirs[i] = steal_fd(&fd);
	return true;
}

static int make_path(struct cgroup *g, int i, struct error *err)
{
	auto_strlist parts = STRLIST_INIT;
	auto_free char *top = xasprintf(ROOT "/%s", g->names[i]);
	auto_close at = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool cpuset = strstr(g->names[i], "cpuset") != NULL;

	if (at < 0)
		return error_sys(err, errno, "open %s", top);
	strlist_split(&parts, g->path, '/');
	for (size_t k = 0; k < parts.n; k++) {
		int next;

		if (!*parts.v[k])
			continue;
		if (g->v2)
			enable_v2(at);
		if (mkdirat(at, parts.v[k], 0755) < 0 && errno != EEXIST)
			return error_sys(err, errno, "mkdir %s%s", top, g->path);
		next = openat(at, parts.v[k], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return error_sys(err, errno, "open %s%s", top, g->path);
		if (cpuset && inherit_cpuset(at, next, err) < 0) {
			close(next);
			return -1;
		}
		close(at);
		at = next;
	}
	g->dirs[i] = steal_fd(&at);
	return 0;
}

int cgroup_record(const struct cgroup *g, int state_fd, struct error *err)
{
	if (!*g->path)
		return 0;
	return file_write_atomic(state_fd, STATE, g->path, strlen(g->path), 0600, false, err);
}

int cgroup_create(struct cgroup *g, int state_fd, struct error *err)
{
	if (!*g->path)
		return 0;
	if (cgroup_record(g, state_fd, err) < 0 || FAULT_ERR("native.cgroup.recorded", err))
		return -1;
	for (int i = 0; i < g->n; i++) {
		if (!make_leaf(g, i) && make_path(g, i, err) < 0)
			return -1;
		FAULT("native.cgroup.one-made");
		if (i == g->unified)
			continue;
		g->tasks[i] = openat(g->dirs[i], "tasks", O_WRONLY | O_CLOEXEC);
		if (g->tasks[i] < 0)
			return error_sys(err, errno, "open tasks of %s", g->names[i]);
	}
	return 0;
}

int cgroup_open(struct cgroup *g, int state_fd, struct error *err)
{
	auto_str path = STR_INIT;

	*g = (struct cgroup){.unified = -1};
	if (file_read_at(state_fd, STATE, sizeof(g->path) - 1, &path, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		return 0; /* none was made */
	}
	if (cgroup_find(g, str_cstr(&path), err) < 0)
		return -1;
	for (int i = 0; i < g->n; i++) {
		auto_free char *dir = xasprintf(ROOT "/%s%s", g->names[i], g->path);

		g->dirs[i] = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (g->dirs[i] >= 0 && i != g->unified)
			g->tasks[i] = openat(g->dirs[i], "tasks", O_WRONLY | O_CLOEXEC);
	}
	return 0;
}

void cgroup_close(struct cgroup *g)
{
	for (int i = 0; i < g->n; i++) {
		fd_close(&g->dirs[i]);
		fd_close(&g->tasks[i]);
	}
	g->n = 0;
}

int cgroup_controller(const struct cgroup *g, const char *name)
{
	for (int i = 0; i < g->n; i++) {
		auto_strlist parts = STRLIST_INIT;

		strlist_split(&parts, g->names[i], ',');
		if (strlist_has(&parts, name))
			return g->dirs[i];
	}
	return -1;
}

/*
 * A thread that moves itself through `tasks` needs no cgroup_threadgroup_rwsem, whose writer waits for an RCU grace period: some
 * milliseconds per container against moving a process by its number.
 */
int cgroup_enter(const struct cgroup *g, struct error *err)
{
	for (int i = 0; i < g->n; i++)
		if (i != g->unified && write(g->tasks[i], "0", 1) < 0)
			return error_sys(err, errno, "enter cgroup %s%s", g->names[i], g->path);
	return 0;
}

int cgroup_clone_dir(const struct cgroup *g)
{
	return g->unified >= 0 ? g->dirs[g->unified] : -1;
}

static int freeze_v1(int dir, bool frozen, struct error *err)
{
	const char *want = frozen ? "FROZEN" : "THAWED";

	/* The v1 freezer has no notification; a fork may have slipped through, so the state is written again while it is read. */
	for (int i = 0; i < 100000; i++) {
		auto_str state = STR_INIT;

		if (file_put_at(dir, "freezer.state", want, err) < 0 ||
		    file_read_at(dir, "freezer.state", 64, &state, err) < 0)
			return -1;
		if (str_after(str_cstr(&state), want))
			return 0;
		sched_yield();
	}
	file_put_at(dir, "freezer.state", "THAWED", err);
	return error_set(err, ERR_SYSTEM, "unable to freeze: a process can't be stopped");
}

static int freeze_v2(int dir, bool frozen, struct error *err)
{
	auto_close events = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd p = {.fd = events, .events = POLLPRI};
	char text[256];
	ssize_t n;

	if (events < 0)
		return error_sys(err, errno, "open cgroup.events");
	if (file_put_at(dir, "cgroup.freeze", frozen ? "1" : "0", err) < 0)
		return -1;
	for (;;) {
		n = pread(events, text, sizeof(text) - 1, 0);
		if (n < 0)
			return error_sys(err, errno, "read cgroup.events");
		text[n] = '\0';
		if (strstr(text, frozen ? "frozen 1" : "frozen 0"))
			return 0;
		if (poll(&p, 1, 10000) == 0)
			return error_set(err, ERR_SYSTEM,
					 "unable to freeze: a process can't be stopped");
	}
}

int cgroup_freeze(const struct cgroup *g, bool frozen, struct error *err)
{
	int dir = g->v2 ? g->dirs[0] : cgroup_controller(g, "freezer");

	if (!*g->path || dir < 0)
		return error_set(err, ERR_NOT_IMPLEMENTED, "this host has no freezer cgroup");
	return g->v2 ? freeze_v2(dir, frozen, err) : freeze_v1(dir, frozen, err);
}

/* Call back for each process in dir and below. Number of processes, or -1. */
static int each_process(int dir, int signo, bool wait_end)
{
	auto_close list = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	auto_str text = STR_INIT;
	auto_strlist pids = STRLIST_INIT;
	struct error err;
	int n = 0;

	if (list < 0)
		return 0;
	if (file_read_fd(list, 4 << 20, &text, &err) < 0)
		return errno == ENODEV ? 0 : -1;
	strlist_split(&pids, str_cstr(&text), '\n');
	for (size_t i = 0; i < pids.n; i++) {
		pid_t pid = (pid_t)strtol(pids.v[i], NULL, 10);
		auto_close fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (pid <= 0)
			continue;
		n++;
		if (fd < 0 || syscall(SYS_pidfd_send_signal, fd, signo, NULL, 0) < 0)
			continue;
		if (wait_end)
			poll(&p, 1, 10000);
	}
	return n;
}

/* The cgroup to look for processes in: pids or memory on v1 (any hierarchy holds them all). */
static int any_dir(const struct cgroup *g)
{
	for (int i = 0; i < g->n; i++)
		if (g->dirs[i] >= 0)
			return g->dirs[i];
	return -1;
}

static int for_tree(int dir, int signo, bool wait_end)
{
	auto_close fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int n = each_process(dir, signo, wait_end);

	if (d)
		fd = -1;
	while (d && (e = readdir(d))) {
		auto_close sub = -1;

		if (e->d_type != DT_DIR || *e->d_name == '.')
			continue;
		sub = openat(dir, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			n += for_tree(sub, signo, wait_end);
	}
	return n;
}

int cgroup_signal_all(const struct cgroup *g, int signo, struct error *err)
{
	int dir = any_dir(g);

	if (dir < 0)
		return error_set(err, ERR_NOT_FOUND, "the container has no cgroup");
	for_tree(dir, signo, false);
	return 0;
}

/* Kill until nobody is left; each round waits for the end of those it saw. */
int cgroup_kill(const struct cgroup *g, struct error *err)
{
	int dir = any_dir(g), freezer = g->v2 ? -1 : cgroup_controller(g, "freezer");
	struct error ignored;

	if (dir < 0)
		return 0;
	if (g->v2)
		file_put_at(dir, "cgroup.kill", "1",
			    &ignored); /* since 5.14; frozen ones die too */
	for (int round = 0; round < 1000; round++) {
		/* A frozen v1 cgroup keeps its killed processes until it is thawed. */
		if (round == 0) {
			if (for_tree(dir, SIGKILL, false) == 0)
				return 0;
			if (freezer >= 0)
				file_put_at(freezer, "freezer.state", "THAWED", &ignored);
		}
		if (for_tree(dir, SIGKILL, true) == 0)
			return 0;
	}
	return error_set(err, ERR_SYSTEM, "processes of the container can't be killed");
}

/* rmdir of dir/name with what is below, which the container may have made. */
static int remove_tree(int parent, const char *name)
{
	auto_close fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_dir DIR *d = NULL;
	struct dirent *e;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return -1;
	while ((e = readdir(d)))
		if (e->d_type == DT_DIR && *e->d_name != '.')
			remove_tree(fd, e->d_name);
	fd = -1;
	/* A task that has just ended leaves its cgroup when its parent reaps it: some kernels say EBUSY until then. */
	for (int i = 0; i < 10000 && unlinkat(parent, name, AT_REMOVEDIR) < 0; i++) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -1;
		sched_yield();
	}
	return faccessat(parent, name, F_OK, 0) == 0 ? -1 : 0;
}

int cgroup_destroy(struct cgroup *g, struct error *err)
{
	const char *base = path_base(g->path);

	if (!*g->path)
		return 0;
	if (cgroup_kill(g, err) < 0)
		return -1;
	for (int i = 0; i < g->n; i++) {
		auto_free char *parent =
		    xasprintf(ROOT "/%s%.*s", g->names[i], (int)(base - g->path), g->path);
		auto_close fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && remove_tree(fd, base) < 0)
			return error_sys(err, errno, "remove cgroup %s%s", parent, base);
		FAULT("native.cgroup.one-removed");
	}
	return 0;
}
