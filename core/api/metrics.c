/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics at --metrics-addr, in Prometheus' text format 0.0.4 under moby's names, and those of the client libraries for the process. A server of
 * its own: the address needs no authorization, and nothing else is served there.
 */
#include "api/api.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "container/container.h"
#include "events/events.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void head(struct str *out, const char *name, const char *type, const char *help)
{
	str_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(struct str *out, const char *name, const char *type, const char *help,
		   int64_t value)
{
	head(out, name, type, help);
	str_printf(out, "%s %" PRId64 "\n", name, value);
}

static void put_seconds(struct str *out, int64_t ns)
{
	str_printf(out, "%" PRId64 ".%09" PRId64, ns / 1000000000, ns % 1000000000);
}

static void histogram(struct str *out, const char *name, enum metrics_time what, const char *action)
{
	/* metrics_bounds, as Go prints them */
	static const char *const bounds[METRICS_BUCKETS] = {
	    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"};
	struct metrics_histogram h;

	metrics_times(what, &h);
	for (size_t i = 0; i < METRICS_BUCKETS; i++)
		str_printf(out, "%s_bucket{action=\"%s\",le=\"%s\"} %" PRIu64 "\n", name, action,
			   bounds[i], h.within[i]);
	str_printf(out, "%s_bucket{action=\"%s\",le=\"+Inf\"} %" PRIu64 "\n%s_sum{action=\"%s\"} ",
		   name, action, h.total, name, action);
	put_seconds(out, h.sum_ns);
	str_printf(out, "\n%s_count{action=\"%s\"} %" PRIu64 "\n", name, action, h.total);
}

static void print_times(struct str *out)
{
	static const struct {
		const char *action;
		enum metrics_time what;
	} containers[] = {{"changes", METRICS_CHANGES},
			  {"commit", METRICS_COMMIT},
			  {"create", METRICS_CREATE},
			  {"delete", METRICS_DELETE},
			  {"start", METRICS_START}},
	  networks[] = {{"allocate", METRICS_ALLOCATE},
			{"connect", METRICS_CONNECT},
			{"release", METRICS_RELEASE}};

	head(out, "engine_daemon_container_actions_seconds", "histogram",
	     "The number of seconds it takes to process each container action");
	for (size_t i = 0; i < ARRAY_LEN(containers); i++)
		histogram(out, "engine_daemon_container_actions_seconds", containers[i].what,
			  containers[i].action);
	head(out, "engine_daemon_network_actions_seconds", "histogram",
	     "The number of seconds it takes to process each network action");
	for (size_t i = 0; i < ARRAY_LEN(networks); i++)
		histogram(out, "engine_daemon_network_actions_seconds", networks[i].what,
			  networks[i].action);
}

/* A value between quotation marks. */
static void put_label(struct str *out, const char *name, const char *value)
{
	str_printf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			str_putc(out, '\\');
		if (*value != '\n')
			str_putc(out, *value);
	}
	str_puts(out, "\"");
}

static void print_engine(struct str *out)
{
	auto_free char *os = api_operating_system();
	struct container_counts n = containers_count();
	struct sysinfo si = {0};
	struct utsname u = {0};

	uname(&u);
	sysinfo(&si);
	head(out, "engine_daemon_container_states_containers", "gauge",
	     "The count of containers in various states");
	str_printf(out,
		   "engine_daemon_container_states_containers{state=\"paused\"} %d\n"
		   "engine_daemon_container_states_containers{state=\"running\"} %d\n"
		   "engine_daemon_container_states_containers{state=\"stopped\"} %d\n",
		   n.paused, n.running, n.stopped);
	number(out, "engine_daemon_engine_cpus_cpus", "gauge",
	       "The number of cpus that the host system of the engine has",
	       sysconf(_SC_NPROCESSORS_ONLN));
	head(out, "engine_daemon_engine_info", "gauge",
	     "The information related to the engine and the OS it is running on");
	str_puts(out, "engine_daemon_engine_info{");
	put_label(out, "architecture", u.machine);
	put_label(out, ",commit", PACKAGE_VERSION);
	put_label(out, ",daemon_id", api.daemon_id);
	put_label(out, ",graphdriver", api.storage_driver);
	put_label(out, ",kernel", u.release);
	put_label(out, ",os", os);
	put_label(out, ",os_type", "linux");
	put_label(out, ",os_version", "");
	put_label(out, ",version", api_engine_version());
	str_puts(out, "} 1\n");
	number(out, "engine_daemon_engine_memory_bytes", "gauge",
	       "The number of bytes of memory that the host system of the engine has",
	       (int64_t)si.totalram * si.mem_unit);
	number(out, "engine_daemon_events_subscribers_total", "gauge",
	       "The number of current subscribers to events", events_listeners());
	number(out, "engine_daemon_events_total", "counter", "The number of events logged",
	       (int64_t)metrics_counted(METRICS_EVENTS));
	number(out, "engine_daemon_health_checks_failed_total", "counter",
	       "The total number of failed health checks",
	       (int64_t)metrics_counted(METRICS_PROBES_FAILED));
	number(out, "engine_daemon_health_checks_total", "counter",
	       "The total number of health checks", (int64_t)metrics_counted(METRICS_PROBES));
}

/* proc_pid_stat(5): user and system time, start since boot, size, resident pages. */
static void print_process(struct str *out)
{
	auto_str text = STR_INIT;
	struct error ignored = ERROR_INIT;
	unsigned long long user = 0, kernel = 0, started = 0, size = 0;
	int64_t tick = 1000000000 / sysconf(_SC_CLK_TCK), boot;
	struct timespec up;
	long resident = 0;
	const char *rest;

	if (file_read_at(AT_FDCWD, "/proc/self/stat", 4096, &text, &ignored) < 0)
		return;
	rest = strrchr(str_cstr(&text), ')');
	if (!rest || sscanf(rest + 1,
			    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d "
			    "%*d %*d %*d %llu %llu %ld",
			    &user, &kernel, &started, &size, &resident) != 5)
		return;
	head(out, "process_cpu_seconds_total", "counter",
	     "Total user and system CPU time spent in seconds.");
	str_puts(out, "process_cpu_seconds_total ");
	put_seconds(out, (int64_t)(user + kernel) * tick);
	str_puts(out, "\n");
	number(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
	       resident * sysconf(_SC_PAGESIZE));
	clock_gettime(CLOCK_BOOTTIME, &up);
	boot = clock_wall_ns() - up.tv_sec * INT64_C(1000000000) - up.tv_nsec;
	head(out, "process_start_time_seconds", "gauge",
	     "Start time of the process since unix epoch in seconds.");
	str_puts(out, "process_start_time_seconds ");
	put_seconds(out, boot + (int64_t)started * tick);
	str_puts(out, "\n");
	number(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
	       (int64_t)size);
}

void api_metrics(struct http_exchange *x, void *ctx)
{
	auto_str out = STR_INIT;

	(void)ctx;
	if (x->api_version || !streq(x->path, "/metrics")) {
		http_reply(x, 404, "text/plain; charset=utf-8", "404 page not found\n", 19);
		return;
	}
	if (!streq(x->method, "GET") && !x->head_only) {
		http_reply(x, 405, "text/plain; charset=utf-8", "Method Not Allowed\n", 19);
		return;
	}
	print_times(&out);
	print_engine(&out);
	print_process(&out);
	http_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", out.p, out.len);
}
