/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the spec in v1 files. Kernel: Documentation/admin-guide/cgroup-v1/. An absent value is not written. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int controller(const struct cgroup *g, const char *name, struct error *err)
{
	int dir = cgroup_controller(g, name);

	if (dir < 0)
		error_set(err, ERR_SYSTEM,
			  "limits of '%s' are wanted, but this host has no such cgroup controller",
			  name);
	return dir;
}

/* Write member `key` of j, if it is there, to CONTROLLER's file. */
static int put_number(const struct cgroup *g, const json *j, const char *key, const char *name,
		      const char *file, struct error *err)
{
	const json *v = json_get(j, key);
	char text[32];
	int dir;

	if (json_type(v) != JSON_NUMBER && json_type(v) != JSON_STRING)
		return 0;
	dir = controller(g, name, err);
	if (dir < 0)
		return -1;
	if (json_i64(v, 0) == 0 && json_u64(v, 0) > 0)
		snprintf(text, sizeof(text), "%llu", (unsigned long long)json_u64(v, 0));
	else
		snprintf(text, sizeof(text), "%lld", (long long)json_i64(v, 0));
	return file_put_at(dir, file, text, err);
}

static int put_string(const struct cgroup *g, const json *j, const char *key, const char *name,
		      const char *file, struct error *err)
{
	const char *v = json_get_str(j, key, "");
	int dir;

	if (!*v)
		return 0;
	dir = controller(g, name, err);
	return dir < 0 ? -1 : file_put_at(dir, file, v, err);
}

/* Memory and memory+swap: the second may never be the smaller one, so an update's order depends on what is there. */
static int limit_memory(const struct cgroup *g, const json *m, struct error *err)
{
	int64_t limit = json_get_i64(m, "limit", 0), swap = json_get_i64(m, "swap", 0);
	auto_str now = STR_INIT;
	int dir;
	bool first;

	if (!json_type(m))
		return 0;
	dir = controller(g, "memory", err);
	if (dir < 0)
		return -1;
	if (limit && swap) {
		if (file_read_at(dir, "memory.limit_in_bytes", 64, &now, err) < 0)
			return -1;
		/* growing: swap first */
		first = limit < 0 || strtoull(str_cstr(&now), NULL, 10) < (unsigned long long)limit;
		if (first && file_exists_at(dir, "memory.memsw.limit_in_bytes") &&
		    put_number(g, m, "swap", "memory", "memory.memsw.limit_in_bytes", err) < 0)
			return -1;
	}
	if (limit && put_number(g, m, "limit", "memory", "memory.limit_in_bytes", err) < 0)
		return -1;
	if (swap && file_exists_at(dir, "memory.memsw.limit_in_bytes") &&
	    put_number(g, m, "swap", "memory", "memory.memsw.limit_in_bytes", err) < 0)
		return -1;
	if (json_get_i64(m, "reservation", 0) &&
	    put_number(g, m, "reservation", "memory", "memory.soft_limit_in_bytes", err) < 0)
		return -1;
	if (json_get_bool(m, "disableOOMKiller", false) &&
	    file_put_at(dir, "memory.oom_control", "1", err) < 0)
		return -1;
	if (json_get_i64(m, "swappiness", -1) >= 0)
		return put_number(g, m, "swappiness", "memory", "memory.swappiness", err);
	return 0;
}

static int limit_cpu(const struct cgroup *g, const json *c, struct error *err)
{
	static const char *const rows[][3] = {{"shares", "cpu", "cpu.shares"},
					      {"realtimePeriod", "cpu", "cpu.rt_period_us"},
					      {"realtimeRuntime", "cpu", "cpu.rt_runtime_us"},
					      {"period", "cpu", "cpu.cfs_period_us"},
					      {"quota", "cpu", "cpu.cfs_quota_us"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (json_get_i64(c, rows[i][0], 0) &&
		    put_number(g, c, rows[i][0], rows[i][1], rows[i][2], err) < 0)
			return -1;
	if (put_string(g, c, "cpus", "cpuset", "cpuset.cpus", err) < 0)
		return -1;
	return put_string(g, c, "mems", "cpuset", "cpuset.mems", err);
}

static int limit_devices_io(int dir, const json *list, const char *key, const char *file,
			    struct error *err)
{
	for (json *j = json_first(list); j; j = json_next(j)) {
		char line[80];

		snprintf(line, sizeof(line), "%lld:%lld %llu",
			 (long long)json_get_i64(j, "major", 0),
			 (long long)json_get_i64(j, "minor", 0),
			 (unsigned long long)json_u64(json_get(j, key), 0));
		if (file_put_at(dir, file, line, err) < 0)
			return -1;
	}
	return 0;
}

static int limit_io(const struct cgroup *g, const json *b, struct error *err)
{
	static const char *const rows[][2] = {
	    {"throttleReadBpsDevice", "blkio.throttle.read_bps_device"},
	    {"throttleWriteBpsDevice", "blkio.throttle.write_bps_device"},
	    {"throttleReadIOPSDevice", "blkio.throttle.read_iops_device"},
	    {"throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"}};
	int dir = cgroup_controller(g, "blkio");
	bool bfq;

	if (!json_type(b))
		return 0;
	/* The weight is the scheduler's; with bfq it has a name of its own. */
	bfq = dir >= 0 && !file_exists_at(dir, "blkio.weight");
	if (json_get_i64(b, "weight", 0) &&
	    put_number(g, b, "weight", "blkio", bfq ? "blkio.bfq.weight" : "blkio.weight", err) < 0)
		return -1;
	if (limit_devices_io(dir, json_get(b, "weightDevice"), "weight",
			     bfq ? "blkio.bfq.weight_device" : "blkio.weight_device", err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (limit_devices_io(dir, json_get(b, rows[i][0]), "rate", rows[i][1], err) < 0)
			return -1;
	return 0;
}

static int put_device_rule(int dir, const json *rule, struct error *err)
{
	const char *type = json_get_str(rule, "type", "a");
	int64_t major = json_get_i64(rule, "major", -1), minor = json_get_i64(rule, "minor", -1);
	char line[96], ma[24] = "*", mi[24] = "*";

	if (major >= 0)
		snprintf(ma, sizeof(ma), "%lld", (long long)major);
	if (minor >= 0)
		snprintf(mi, sizeof(mi), "%lld", (long long)minor);
	if (*type == 'a')
		snprintf(line, sizeof(line), "a");
	else
		snprintf(line, sizeof(line), "%c %s:%s %.8s", *type == 'u' ? 'c' : *type, ma, mi,
			 json_get_str(rule, "access", "rwm"));
	return file_put_at(
	    dir, json_get_bool(rule, "allow", false) ? "devices.allow" : "devices.deny", line, err);
}

static int limit_devices(const struct cgroup *g, const json *rules, struct error *err)
{
	auto_json *defaults = NULL;
	int dir;

	if (!json_count(rules))
		return 0;
	dir = controller(g, "devices", err);
	if (dir < 0)
		return -1;
	defaults = devices_default_rules(err);
	if (!defaults)
		return -1;
	for (json *j = json_first(rules); j; j = json_next(j))
		if (put_device_rule(dir, j, err) < 0)
			return -1;
	for (json *j = json_first(defaults); j; j = json_next(j))
		if (put_device_rule(dir, j, err) < 0)
			return -1;
	return 0;
}

static int limit_hugetlb(const struct cgroup *g, const json *list, struct error *err)
{
	for (json *j = json_first(list); j; j = json_next(j)) {
		char file[64];

		snprintf(file, sizeof(file), "hugetlb.%.16s.limit_in_bytes",
			 json_get_str(j, "pageSize", ""));
		if (put_number(g, j, "limit", "hugetlb", file, err) < 0)
			return -1;
	}
	return 0;
}

static int limit_network(const struct cgroup *g, const json *n, struct error *err)
{
	int dir;

	if (json_get_i64(n, "classID", 0) &&
	    put_number(g, n, "classID", "net_cls", "net_cls.classid", err) < 0)
		return -1;
	for (json *j = json_first(json_get(n, "priorities")); j; j = json_next(j)) {
		char line[96];

		dir = controller(g, "net_prio", err);
		snprintf(line, sizeof(line), "%.32s %lld", json_get_str(j, "name", ""),
			 (long long)json_get_i64(j, "priority", 0));
		if (dir < 0 || file_put_at(dir, "net_prio.ifpriomap", line, err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_limit_v1(const struct cgroup *g, const json *r, bool at_create, struct error *err)
{
	const json *pids = json_get(r, "pids");

	if (limit_memory(g, json_get(r, "memory"), err) < 0 ||
	    limit_cpu(g, json_get(r, "cpu"), err) < 0 ||
	    limit_io(g, json_get(r, "blockIO"), err) < 0 ||
	    limit_hugetlb(g, json_get(r, "hugepageLimits"), err) < 0 ||
	    limit_network(g, json_get(r, "network"), err) < 0)
		return -1;
	if (json_get_i64(pids, "limit", 0) > 0 &&
	    put_number(g, pids, "limit", "pids", "pids.max", err) < 0)
		return -1;
	if (json_get_i64(pids, "limit", 0) < 0 && cgroup_controller(g, "pids") >= 0 &&
	    file_put_at(cgroup_controller(g, "pids"), "pids.max", "max", err) < 0)
		return -1;
	return at_create ? limit_devices(g, json_get(r, "devices"), err) : 0;
}
