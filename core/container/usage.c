/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See usage.h. Kernel: Documentation/admin-guide/cgroup-v1/{memory,cpuacct,blkio-controller}.rst, cgroup-v2.rst; proc(5) for /proc/stat and
 * /proc/PID/net/dev. A file that is not there leaves its numbers zero: not every host has every controller.
 */
#include "container/usage.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup/"
#define FILE_MAX (1 << 20)

static bool read_text(struct str *out, const char *path)
{
	struct error ignored;

	return file_read_at(AT_FDCWD, path, FILE_MAX, out, &ignored) == 0;
}

/* /proc/PID/cgroup, cgroups(7): "N:controllers:path". The path is the same in all hierarchies that the driver uses. */
char *cgroup_of(const char *id, pid_t pid)
{
	auto_free char *proc = xasprintf("/proc/%d/cgroup", (int)pid);
	auto_strlist lines = STRLIST_INIT;
	auto_str text = STR_INIT;

	if (!read_text(&text, proc))
		return NULL;
	strlist_split(&lines, str_cstr(&text), '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *list = strchr(lines.v[i], ':'),
			   *path = list ? strchr(list + 1, ':') : NULL,
			   *own = path ? strstr(path, id) : NULL;

		if (own)
			return xstrndup(path + 1, (size_t)(own - path) - 1 + strcspn(own, "/"));
	}
	return NULL;
}

/* CONTROLLER "": the unified hierarchy. */
static bool read_file(struct str *out, const char *controller, const char *cgroup, const char *file)
{
	auto_free char *path = xasprintf(ROOT "%s%s/%s", controller, cgroup, file);

	return read_text(out, path);
}

static uint64_t read_number(const char *controller, const char *cgroup, const char *file)
{
	auto_str text = STR_INIT;

	return read_file(&text, controller, cgroup, file) ? strtoull(str_cstr(&text), NULL, 10) : 0;
}

/* Each "name value" line. */
static void each_row(const struct str *text,
		     void (*row)(struct usage *u, const char *name, uint64_t v), struct usage *u)
{
	auto_strlist lines = STRLIST_INIT;

	strlist_split(&lines, str_cstr(text), '\n');
	for (size_t i = 0; i < lines.n; i++) {
		char *space = strchr(lines.v[i], ' ');

		if (!space)
			continue;
		*space = '\0';
		row(u, lines.v[i], strtoull(space + 1, NULL, 10));
	}
}

/* ---- CPU -------------------------------------------------------------------------------------------------------------------------- */

static void read_system(struct usage *u)
{
	auto_str text = STR_INIT;
	auto_strlist lines = STRLIST_INIT;
	uint64_t ticks = 0;
	char *at;

	if (!read_text(&text, "/proc/stat"))
		return;
	strlist_split(&lines, str_cstr(&text), '\n');
	for (size_t i = 1; i < lines.n && str_after(lines.v[i], "cpu"); i++)
		u->online_cpus++;
	at = lines.n ? lines.v[0] + strcspn(lines.v[0], " ") : NULL;
	for (int i = 0; at && i < 8; i++)
		ticks += strtoull(at, &at, 10);
	u->system_cpu = ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void cpu_v1_row(struct usage *u, const char *name, uint64_t v)
{
	uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);

	if (streq(name, "user"))
		u->cpu_user = v * tick;
	else if (streq(name, "system"))
		u->cpu_kernel = v * tick;
	else if (streq(name, "nr_periods"))
		u->periods = v;
	else if (streq(name, "nr_throttled"))
		u->throttled_periods = v;
	else if (streq(name, "throttled_time"))
		u->throttled_time = v;
}

static void read_cpu_v1(struct usage *u, const char *cgroup)
{
	auto_str each = STR_INIT, split = STR_INIT, limits = STR_INIT;
	auto_strlist cpus = STRLIST_INIT;

	u->cpu_total = read_number("cpuacct", cgroup, "cpuacct.usage");
	if (read_file(&split, "cpuacct", cgroup, "cpuacct.stat"))
		each_row(&split, cpu_v1_row, u);
	if (read_file(&limits, "cpu", cgroup, "cpu.stat"))
		each_row(&limits, cpu_v1_row, u);
	if (!read_file(&each, "cpuacct", cgroup, "cpuacct.usage_percpu"))
		return;
	strlist_split(&cpus, str_cstr(&each), ' ');
	u->per_cpu = xcalloc(cpus.n + 1, sizeof(*u->per_cpu));
	for (size_t i = 0; i < cpus.n; i++)
		if (*cpus.v[i] >= '0' && *cpus.v[i] <= '9')
			u->per_cpu[u->n_per_cpu++] = strtoull(cpus.v[i], NULL, 10);
}

static void cpu_v2_row(struct usage *u, const char *name, uint64_t v)
{
	if (streq(name, "usage_usec"))
		u->cpu_total = v * 1000;
	else if (streq(name, "user_usec"))
		u->cpu_user = v * 1000;
	else if (streq(name, "system_usec"))
		u->cpu_kernel = v * 1000;
	else if (streq(name, "nr_periods"))
		u->periods = v;
	else if (streq(name, "nr_throttled"))
		u->throttled_periods = v;
	else if (streq(name, "throttled_usec"))
		u->throttled_time = v * 1000;
}

/* ---- Memory ----------------------------------------------------------------------------------------------------------------------- */

static bool in(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (streq(name, *list))
			return true;
	return false;
}

static void add_stat(struct usage *u, const char *name, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	pairs_add(&u->memory_stat, name, text);
}

/* What containerd's metrics carry; the kernel has more. */
static void memory_v1_row(struct usage *u, const char *name, uint64_t v)
{
	static const char *const known[] = {
	    "active_anon", "active_file", "cache",      "dirty",  "inactive_anon", "inactive_file",
	    "mapped_file", "pgfault",     "pgmajfault", "pgpgin", "pgpgout",       "rss",
	    "rss_huge",    "unevictable", "writeback",  NULL};
	const char *base = str_after(name, "total_");

	if (in(base ? base : name, known) || str_after(name, "hierarchical_mem"))
		add_stat(u, name, v);
}

static void memory_v2_row(struct usage *u, const char *name, uint64_t v)
{
	static const char *const known[] = {"anon",
					    "file",
					    "kernel_stack",
					    "slab",
					    "sock",
					    "shmem",
					    "file_mapped",
					    "file_dirty",
					    "file_writeback",
					    "anon_thp",
					    "inactive_anon",
					    "active_anon",
					    "inactive_file",
					    "active_file",
					    "unevictable",
					    "slab_reclaimable",
					    "slab_unreclaimable",
					    "pgfault",
					    "pgmajfault",
					    "workingset_refault",
					    "workingset_activate",
					    "workingset_nodereclaim",
					    "pgrefill",
					    "pgscan",
					    "pgsteal",
					    "pgactivate",
					    "pgdeactivate",
					    "pglazyfree",
					    "pglazyfreed",
					    "thp_fault_alloc",
					    "thp_collapse_alloc",
					    NULL};

	if (in(name, known))
		add_stat(u, name, v);
}

static void memory_event_row(struct usage *u, const char *name, uint64_t v)
{
	if (streq(name, "oom"))
		u->memory_failed = v;
}

/* The host's memory where the container may have all of it. */
static void limit_memory(struct usage *u, uint64_t limit)
{
	struct sysinfo si;
	uint64_t all = sysinfo(&si) == 0 ? (uint64_t)si.totalram * si.mem_unit : limit;

	u->memory_limit = !limit || limit > all ? all : limit;
}

static void read_memory_v1(struct usage *u, const char *cgroup)
{
	auto_str stat = STR_INIT;

	if (!read_file(&stat, "memory", cgroup, "memory.stat"))
		return;
	u->has_memory = true;
	each_row(&stat, memory_v1_row, u);
	pairs_sort(&u->memory_stat);
	u->memory = read_number("memory", cgroup, "memory.usage_in_bytes");
	u->memory_max = read_number("memory", cgroup, "memory.max_usage_in_bytes");
	u->memory_failed = read_number("memory", cgroup, "memory.failcnt");
	limit_memory(u, read_number("memory", cgroup, "memory.limit_in_bytes"));
}

static void read_memory_v2(struct usage *u, const char *cgroup)
{
	auto_str stat = STR_INIT, events = STR_INIT;

	if (!read_file(&stat, "", cgroup, "memory.stat"))
		return;
	u->has_memory = true;
	each_row(&stat, memory_v2_row, u);
	pairs_sort(&u->memory_stat);
	u->memory = read_number("", cgroup, "memory.current");
	if (read_file(&events, "", cgroup, "memory.events"))
		each_row(&events, memory_event_row, u);
	limit_memory(u, read_number("", cgroup, "memory.max")); /* "max" is no number: 0 */
}

/* ---- Processes, block devices, network ----------------------------------------------------------------------------------------- */

static void read_pids(struct usage *u, const char *controller, const char *cgroup)
{
	auto_str text = STR_INIT;

	if (!read_file(&text, controller, cgroup, "pids.current"))
		return;
	u->has_pids = true;
	u->pids = strtoull(str_cstr(&text), NULL, 10);
	u->pids_limit = read_number(controller, cgroup, "pids.max");
}

static void add_io(struct usage_ios *l, unsigned int major, unsigned int minor, const char *op,
		   uint64_t v)
{
	struct usage_io *io;

	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	io = &l->v[l->n++];
	*io = (struct usage_io){.major = major, .minor = minor, .value = v};
	snprintf(io->op, sizeof(io->op), "%s", op);
}

/* "8:0 Read 4096" */
static void read_io_v1(struct usage *u, const char *cgroup)
{
	static const char *const files[USAGE_IO_KINDS] = {"blkio.io_service_bytes_recursive",
							  "blkio.io_serviced_recursive",
							  "blkio.io_queued_recursive",
							  "blkio.io_service_time_recursive",
							  "blkio.io_wait_time_recursive",
							  "blkio.io_merged_recursive",
							  "blkio.time_recursive",
							  "blkio.sectors_recursive"};
	static const char *const throttled[2] = {"blkio.throttle.io_service_bytes_recursive",
						 "blkio.throttle.io_serviced_recursive"};

	for (size_t i = 0; i < USAGE_IO_KINDS; i++) {
		auto_str text = STR_INIT;
		auto_strlist lines = STRLIST_INIT;

		if ((!read_file(&text, "blkio", cgroup, files[i]) ||
		     str_after(str_cstr(&text), "Total")) &&
		    i < 2) {
			text.len = 0;
			read_file(&text, "blkio", cgroup, throttled[i]);
		}
		strlist_split(&lines, str_cstr(&text), '\n');
		for (size_t k = 0; k < lines.n; k++) {
			unsigned int major, minor;
			unsigned long long v;
			char op[16] = "";

			if (sscanf(lines.v[k], "%u:%u %15s %llu", &major, &minor, op, &v) == 4 ||
			    sscanf(lines.v[k], "%u:%u %llu", &major, &minor, &v) == 3)
				add_io(&u->io[i], major, minor, op, v);
		}
	}
}

/* "8:0 rbytes=4096 wbytes=0 rios=1 ..." */
static void read_io_v2(struct usage *u, const char *cgroup)
{
	auto_str text = STR_INIT;
	auto_strlist lines = STRLIST_INIT;

	read_file(&text, "", cgroup, "io.stat");
	strlist_split(&lines, str_cstr(&text), '\n');
	for (size_t k = 0; k < lines.n; k++) {
		const char *r = strstr(lines.v[k], "rbytes="), *w = strstr(lines.v[k], "wbytes=");
		unsigned int major, minor;

		if (!r || !w || sscanf(lines.v[k], "%u:%u", &major, &minor) != 2)
			continue;
		add_io(&u->io[0], major, minor, "read", strtoull(r + 7, NULL, 10));
		add_io(&u->io[0], major, minor, "write", strtoull(w + 7, NULL, 10));
	}
}

/* "  eth0: bytes packets errs drop fifo frame compressed multicast, and eight the same way out" */
static void read_network(struct usage *u, pid_t pid)
{
	static const char *const names[] = {"rx_bytes", "rx_packets", "rx_errors", "rx_dropped",
					    "tx_bytes", "tx_packets", "tx_errors", "tx_dropped"};
	auto_free char *path = xasprintf("/proc/%d/net/dev", (int)pid);
	auto_str text = STR_INIT;
	auto_strlist lines = STRLIST_INIT;
	struct jw w = jw_to(&u->networks);

	if (!read_text(&text, path))
		return;
	strlist_split(&lines, str_cstr(&text), '\n');
	for (size_t i = 0; i < lines.n; i++) {
		char *name = lines.v[i] + strspn(lines.v[i], " "), *at = strchr(name, ':');

		if (!at || strchr(name, '|'))
			continue;
		*at++ = '\0';
		if (streq(name, "lo"))
			continue;
		if (!w.depth)
			jw_obj(&w);
		jw_kobj(&w, name);
		for (size_t k = 0; k < 16; k++) {
			uint64_t v = strtoull(at, &at, 10);

			if (k % 8 < 4)
				jw_ku64(&w, names[k / 8 * 4 + k % 8], v);
		}
		jw_end(&w);
	}
	if (w.depth)
		jw_end(&w);
}

void usage_read(struct usage *u, const char *cgroup, pid_t pid)
{
	auto_str cpu = STR_INIT;

	*u = (struct usage){.time = clock_wall_ns()};
	u->v2 = access(ROOT "cgroup.controllers", F_OK) == 0;
	read_system(u);
	if (u->v2) {
		if (read_file(&cpu, "", cgroup, "cpu.stat"))
			each_row(&cpu, cpu_v2_row, u);
		read_memory_v2(u, cgroup);
		read_io_v2(u, cgroup);
	} else {
		read_cpu_v1(u, cgroup);
		read_memory_v1(u, cgroup);
		read_io_v1(u, cgroup);
	}
	read_pids(u, u->v2 ? "" : "pids", cgroup);
	if (pid)
		read_network(u, pid);
}

void usage_free(struct usage *u)
{
	free(u->per_cpu);
	pairs_free(&u->memory_stat);
	for (size_t i = 0; i < USAGE_IO_KINDS; i++)
		free(u->io[i].v);
	str_free(&u->networks);
	*u = (struct usage){0};
}

/* ---- Printing: container.StatsResponse of the API ------------------------------------------------------------------------------ */

static void print_cpu(struct jw *w, const char *name, const struct usage *u)
{
	jw_kobj(w, name);
	jw_kobj(w, "cpu_usage");
	jw_ku64(w, "total_usage", u->cpu_total);
	if (u->n_per_cpu) {
		jw_karr(w, "percpu_usage");
		for (size_t i = 0; i < u->n_per_cpu; i++)
			jw_u64(w, u->per_cpu[i]);
		jw_end(w);
	}
	jw_ku64(w, "usage_in_kernelmode", u->cpu_kernel);
	jw_ku64(w, "usage_in_usermode", u->cpu_user);
	jw_end(w);
	if (u->system_cpu)
		jw_ku64(w, "system_cpu_usage", u->system_cpu);
	if (u->online_cpus)
		jw_ku64(w, "online_cpus", u->online_cpus);
	jw_kobj(w, "throttling_data");
	jw_ku64(w, "periods", u->periods);
	jw_ku64(w, "throttled_periods", u->throttled_periods);
	jw_ku64(w, "throttled_time", u->throttled_time);
	jw_end(w);
	jw_end(w);
}

static void print_io(struct jw *w, const struct usage *u)
{
	static const char *const names[USAGE_IO_KINDS] = {
	    "io_service_bytes_recursive", "io_serviced_recursive",  "io_queue_recursive",
	    "io_service_time_recursive",  "io_wait_time_recursive", "io_merged_recursive",
	    "io_time_recursive",          "sectors_recursive"};

	jw_kobj(w, "blkio_stats");
	for (size_t i = 0; i < USAGE_IO_KINDS; i++) {
		if (u->time == CLOCK_ZERO || (u->v2 && !u->io[i].n)) {
			jw_knull(w, names[i]);
			continue;
		}
		jw_karr(w, names[i]);
		for (size_t k = 0; k < u->io[i].n; k++) {
			jw_obj(w);
			jw_ku64(w, "major", u->io[i].v[k].major);
			jw_ku64(w, "minor", u->io[i].v[k].minor);
			jw_kstr(w, "op", u->io[i].v[k].op);
			jw_ku64(w, "value", u->io[i].v[k].value);
			jw_end(w);
		}
		jw_end(w);
	}
	jw_end(w);
}

static void print_memory(struct jw *w, const struct usage *u)
{
	jw_kobj(w, "memory_stats");
	if (u->has_memory) {
		if (u->memory)
			jw_ku64(w, "usage", u->memory);
		if (u->memory_max)
			jw_ku64(w, "max_usage", u->memory_max);
		jw_kobj(w, "stats");
		for (size_t i = 0; i < u->memory_stat.n; i++) {
			jw_key(w, u->memory_stat.v[i].key);
			jw_raw(w, u->memory_stat.v[i].value, strlen(u->memory_stat.v[i].value));
		}
		jw_end(w);
		if (u->memory_failed)
			jw_ku64(w, "failcnt", u->memory_failed);
		jw_ku64(w, "limit", u->memory_limit);
	}
	jw_end(w);
}

void usage_print(struct jw *w, const struct usage *u, const struct usage *before)
{
	jw_kobj(w, "pids_stats");
	if (u->has_pids) {
		jw_ku64(w, "current", u->pids);
		if (u->pids_limit)
			jw_ku64(w, "limit", u->pids_limit);
	}
	jw_end(w);
	print_io(w, u);
	jw_ki64(w, "num_procs", 0);
	jw_kobj(w, "storage_stats");
	jw_end(w);
	print_cpu(w, "cpu_stats", u);
	print_cpu(w, "precpu_stats", before);
	print_memory(w, u);
	if (u->networks.len) {
		jw_key(w, "networks");
		jw_raw(w, u->networks.p, u->networks.len);
	}
}
