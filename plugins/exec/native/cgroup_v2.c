/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the spec in v2 files; conversions as the runtime spec and runc have them. Kernel: admin-guide/cgroup-v2.rst. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int put(int dir, const char *file, const char *text, struct error *err)
{
	return file_put_at(dir, file, text, err);
}

static int put_limit(int dir, const char *file, int64_t v, struct error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)v);
	return put(dir, file, v < 0 ? "max" : text, err);
}

/* v1 counts memory and swap together, v2 swap alone. */
static int limit_memory(int dir, const json *m, struct error *err)
{
	int64_t limit = json_get_i64(m, "limit", 0), swap = json_get_i64(m, "swap", 0);
	int64_t only = swap < 0 ? -1 : swap - limit;

	if (!json_type(m))
		return 0;
	if (swap && limit > 0 && only < 0 && swap > 0)
		return error_set(err, ERR_INVALID, "memory+swap limit should be >= memory limit");
	if (swap && file_exists_at(dir, "memory.swap.max") &&
	    put_limit(dir, "memory.swap.max", only, err) < 0)
		return -1;
	if (limit && put_limit(dir, "memory.max", limit, err) < 0)
		return -1;
	if (json_get_i64(m, "reservation", 0))
		return put_limit(dir, "memory.low", json_get_i64(m, "reservation", 0), err);
	return 0;
}

static int limit_cpu(int dir, const json *c, struct error *err)
{
	int64_t shares = json_get_i64(c, "shares", 0), quota = json_get_i64(c, "quota", 0),
		period = json_get_i64(c, "period", 0);
	const char *cpus = json_get_str(c, "cpus", ""), *mems = json_get_str(c, "mems", "");
	char text[64];

	if (shares > 0) { /* [2..262144] to [1..10000] */
		shares = shares < 2 ? 2 : shares > 262144 ? 262144 : shares;
		if (put_limit(dir, "cpu.weight", 1 + (shares - 2) * 9999 / 262142, err) < 0)
			return -1;
	}
	if (quota || period) {
		if (quota > 0)
			snprintf(text, sizeof(text), "%lld %lld", (long long)quota,
				 (long long)(period ? period : 100000));
		else
			snprintf(text, sizeof(text), "max %lld",
				 (long long)(period ? period : 100000));
		if (put(dir, "cpu.max", text, err) < 0)
			return -1;
	}
	if (*cpus && put(dir, "cpuset.cpus", cpus, err) < 0)
		return -1;
	return *mems ? put(dir, "cpuset.mems", mems, err) : 0;
}

static int limit_io(int dir, const json *b, struct error *err)
{
	static const char *const rows[][2] = {{"throttleReadBpsDevice", "rbps"},
					      {"throttleWriteBpsDevice", "wbps"},
					      {"throttleReadIOPSDevice", "riops"},
					      {"throttleWriteIOPSDevice", "wiops"}};
	int64_t weight = json_get_i64(b, "weight", 0);

	if (weight > 0) {
		bool bfq = file_exists_at(dir, "io.bfq.weight");

		/* [10..1000] to [1..10000] where there is no bfq */
		if (put_limit(dir, bfq ? "io.bfq.weight" : "io.weight",
			      bfq ? weight : 1 + (weight - 10) * 9999 / 990, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (json *j = json_first(json_get(b, rows[i][0])); j; j = json_next(j)) {
			char line[96];

			snprintf(line, sizeof(line), "%lld:%lld %s=%llu",
				 (long long)json_get_i64(j, "major", 0),
				 (long long)json_get_i64(j, "minor", 0), rows[i][1],
				 (unsigned long long)json_u64(json_get(j, "rate"), 0));
			if (put(dir, "io.max", line, err) < 0)
				return -1;
		}
	return 0;
}

/* "unified": file names and contents as they are. */
static int put_unified(int dir, const json *u, struct error *err)
{
	for (json *j = json_first(u); j; j = json_next(j)) {
		if (!path_is_component(json_name(j)))
			return error_set(err, ERR_INVALID,
					 "unified resource %s must be a file name (no slashes)",
					 json_name(j));
		if (put(dir, json_name(j), json_str(j, ""), err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_limit_v2(const struct cgroup *g, const json *r, bool at_create, struct error *err)
{
	int64_t pids = json_get_i64(json_get(r, "pids"), "limit", 0);
	int dir = g->dirs[0];

	if (limit_memory(dir, json_get(r, "memory"), err) < 0 ||
	    limit_cpu(dir, json_get(r, "cpu"), err) < 0 ||
	    limit_io(dir, json_get(r, "blockIO"), err) < 0)
		return -1;
	if (pids && put_limit(dir, "pids.max", pids, err) < 0)
		return -1;
	for (json *j = json_first(json_get(r, "hugepageLimits")); j; j = json_next(j)) {
		char file[64];

		snprintf(file, sizeof(file), "hugetlb.%.16s.max", json_get_str(j, "pageSize", ""));
		if (put_limit(dir, file, json_get_i64(j, "limit", 0), err) < 0)
			return -1;
	}
	if (at_create && devfilter_attach(dir, json_get(r, "devices"), err) < 0)
		return -1;
	return put_unified(dir, json_get(r, "unified"), err);
}
