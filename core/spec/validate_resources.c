/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of memory, processors, processes and devices. Source of rules: moby daemon/daemon_unix.go, verifyPlatformContainerResources. */
#include "spec/validate_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define MIN_MEMORY INT64_C(6291456)
#define MAX_CPU_NUMBER 8191 /* CONFIG_NR_CPUS at its largest */

#define bad(err, ...) error_set((err), ERR_INVALID, __VA_ARGS__)

static void warn(struct strlist *warnings, const char *text)
{
	if (warnings)
		strlist_add(warnings, text);
}

static bool is_v2(const struct spec_host *h)
{
	return !streq(h->cgroup_version ? h->cgroup_version : "2", "1");
}

bool host_has_blkio_weight(const struct spec_host *h)
{
	return is_v2(h) || access("/sys/fs/cgroup/blkio/blkio.weight", F_OK) == 0;
}

static int check_memory(const json *r, const struct spec_host *h, struct strlist *warnings,
			struct error *err)
{
	int64_t memory = json_get_i64(r, "Memory", 0), swap = json_get_i64(r, "MemorySwap", 0);
	int64_t reservation = json_get_i64(r, "MemoryReservation", 0),
		swappiness = json_get_i64(r, "MemorySwappiness", -1);

	if (memory != 0 && memory < MIN_MEMORY)
		return bad(err, "Minimum memory limit allowed is 6MB");
	if (memory > 0 && swap > 0 && !h->swap_accounting)
		warn(warnings, "Your kernel does not support swap limit capabilities or the cgroup "
			       "is not mounted. Memory limited "
			       "without swap.");
	if (memory > 0 && swap > 0 && swap < memory)
		return bad(
		    err, "Minimum memoryswap limit should be larger than memory limit, see usage");
	if (memory == 0 && swap > 0)
		return bad(err, "You should always set the Memory limit when using Memoryswap "
				"limit, see usage");
	if (swappiness != -1) {
		if (swappiness < 0 || swappiness > 100)
			return bad(err,
				   "Invalid value: %lld, valid memory swappiness range is 0-100",
				   (long long)swappiness);
		if (is_v2(h))
			warn(warnings, "Your kernel does not support memory swappiness "
				       "capabilities or the cgroup is not mounted. Memory "
				       "swappiness discarded.");
	}
	if (reservation != 0 && reservation < MIN_MEMORY)
		return bad(err, "Minimum memory reservation allowed is 6MB");
	if (memory > 0 && reservation > 0 && memory < reservation)
		return bad(err, "Minimum memory limit can not be less than memory reservation "
				"limit, see usage");
	if (json_get_bool(r, "OomKillDisable", false)) {
		if (is_v2(h))
			warn(warnings, "Your kernel does not support OomKillDisable. "
				       "OomKillDisable discarded.");
		else if (memory == 0)
			warn(warnings, "OOM killer is disabled for the container, but no memory "
				       "limit is set, this can result in the "
				       "system running out of resources.");
	}
	return 0;
}

static int check_cpu(const json *r, const struct spec_host *h, struct strlist *warnings,
		     struct error *err)
{
	int64_t nano = json_get_i64(r, "NanoCpus", 0), period = json_get_i64(r, "CpuPeriod", 0),
		quota = json_get_i64(r, "CpuQuota", 0);
	int64_t shares = json_get_i64(r, "CpuShares", 0);
	int64_t rt_period = json_get_i64(r, "CpuRealtimePeriod", 0),
		rt_runtime = json_get_i64(r, "CpuRealtimeRuntime", 0);

	if (nano > 0 && period != 0)
		return bad(err, "Conflicting options: Nano CPUs and CPU Period cannot both be set");
	if (nano > 0 && quota != 0)
		return bad(err, "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
	if (nano < 0 || nano > (int64_t)h->cpus * 1000000000)
		return bad(
		    err, "range of CPUs is from 0.01 to %d.00, as there are only %d CPUs available",
		    h->cpus, h->cpus);
	if (shares < 0)
		return bad(err, "invalid CPU shares (%lld): value must be a positive integer",
			   (long long)shares);
	if (period != 0 && (period < 1000 || period > 1000000))
		return bad(err, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger "
				"than 1s (i.e. 1000000)");
	if (quota > 0 && quota < 1000)
		return bad(err, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
	if (is_v2(h) && (rt_period != 0 || rt_runtime != 0))
		return bad(err, "kernel does not support CPU real-time scheduler");
	if (rt_runtime != 0 && rt_period != 0 && rt_runtime > rt_period)
		return bad(err, "cpu real-time runtime cannot be higher than cpu real-time period");
	if (json_get_i64(r, "CpuPercent", 0) > 0)
		warn(warnings, "linux does not support CPU percent. Percent discarded.");
	return 0;
}

/* "0-2,5" into a byte per number; -1 if malformed. */
static int parse_set(const char *text, unsigned char *set)
{
	const char *p = text;

	while (*p) {
		char *end;
		unsigned long first, last;

		if (*p < '0' || *p > '9')
			return -1;
		first = last = strtoul(p, &end, 10);
		p = end;
		if (*p == '-') {
			if (p[1] < '0' || p[1] > '9')
				return -1;
			last = strtoul(p + 1, &end, 10);
			p = end;
		}
		if (last < first || last > MAX_CPU_NUMBER || (*p && *p != ','))
			return -1;
		memset(set + first, 1, last - first + 1);
		if (*p == ',')
			p++;
	}
	return 0;
}

static int check_set(const char *wanted, const char *available, const char *short_name,
		     const char *long_name, struct error *err)
{
	auto_free unsigned char *want = xcalloc(1, MAX_CPU_NUMBER + 1),
				*have = xcalloc(1, MAX_CPU_NUMBER + 1);

	if (parse_set(wanted, want) < 0)
		return bad(err, "Invalid value %s for cpuset %s: invalid format: %s", wanted,
			   short_name, wanted);
	if (parse_set(available, have) < 0)
		return 0; /* the kernel will judge */
	for (size_t i = 0; i <= MAX_CPU_NUMBER; i++)
		if (want[i] && !have[i])
			return bad(err,
				   "Requested %s are not available - requested %s, available: %s",
				   long_name, wanted, available);
	return 0;
}

static int check_cpusets(const json *r, const struct spec_host *h, struct error *err)
{
	auto_str nodes = STR_INIT;
	struct error e = ERROR_INIT;
	char cpus[32];

	snprintf(cpus, sizeof(cpus), h->cpus > 1 ? "0-%d" : "%d", h->cpus > 0 ? h->cpus - 1 : 0);
	if (check_set(json_get_str(r, "CpusetCpus", ""), cpus, "cpus", "CPUs", err) < 0)
		return -1;
	if (file_read_at(AT_FDCWD, "/sys/devices/system/node/online", 4096, &nodes, &e) < 0)
		str_putc(&nodes, '0'); /* built without NUMA */
	if (nodes.len && nodes.p[nodes.len - 1] == '\n')
		nodes.p[--nodes.len] = '\0';
	return check_set(json_get_str(r, "CpusetMems", ""), str_cstr(&nodes), "mems",
			 "memory nodes", err);
}

static int check_block_io(const json *r, const struct spec_host *h, struct strlist *warnings,
			  struct error *err)
{
	int64_t weight = json_get_i64(r, "BlkioWeight", 0);
	bool able = host_has_blkio_weight(h);

	if (weight > 0 && !able)
		warn(warnings, "Your kernel does not support Block I/O weight or the cgroup is not "
			       "mounted. Weight discarded.");
	else if (weight > 0 && (weight < 10 || weight > 1000))
		return bad(err, "Range of blkio weight is from 10 to 1000");
	if (json_count(json_get(r, "BlkioWeightDevice")) && !able)
		warn(warnings, "Your kernel does not support Block I/O weight_device or the cgroup "
			       "is not mounted. Weight-device discarded.");
	if (json_u64(json_get(r, "IOMaximumBandwidth"), 0))
		return bad(err, "invalid option: QoS maximum bandwidth configuration is not "
				"supported on linux");
	if (json_u64(json_get(r, "IOMaximumIOps"), 0))
		return bad(
		    err,
		    "invalid option: QoS maximum IOPs configuration is not supported on linux");
	return 0;
}

int validate_resources(const json *host_config, const struct spec_host *h, struct strlist *warnings,
		       struct error *err)
{
	int64_t score = json_get_i64(host_config, "OomScoreAdj", 0);

	if (check_memory(host_config, h, warnings, err) < 0 ||
	    check_cpu(host_config, h, warnings, err) < 0 ||
	    check_cpusets(host_config, h, err) < 0 ||
	    check_block_io(host_config, h, warnings, err) < 0)
		return -1;
	if (json_get_i64(host_config, "ShmSize", 0) < 0)
		return bad(err, "SHM size can not be less than 0");
	if (score < -1000 || score > 1000)
		return bad(err, "Invalid value %lld, range for oom score adj is [-1000, 1000]",
			   (long long)score);
	return 0;
}
