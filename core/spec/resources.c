/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources: limits of memory, processors, processes and block devices. In the units of cgroup v1, as OCI has them; drivers convert for v2. */
#include "spec/spec_int.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"

#define CPU_PERIOD 100000 /* microseconds that NanoCpus are converted to */

static void positive(struct jw *w, const char *name, int64_t v)
{
	if (v > 0)
		jw_ki64(w, name, v);
}

static void print_memory(struct jw *w, const json *h, bool update)
{
	jw_kobj(w, "memory");
	positive(w, "limit", json_get_i64(h, "Memory", 0));
	positive(w, "reservation", json_get_i64(h, "MemoryReservation", 0));
	positive(w, "swap", json_get_i64(h, "MemorySwap", 0));
	if (update &&
	    json_get_i64(h, "MemorySwap", 0) < 0) /* a limit goes away; at first there is none */
		jw_ki64(w, "swap", -1);
	if (json_get_i64(h, "MemorySwappiness", -1) >= 0)
		jw_ki64(w, "swappiness", json_get_i64(h, "MemorySwappiness", 0));
	if (json_type(json_get(h, "OomKillDisable")) == JSON_BOOL)
		jw_kbool(w, "disableOOMKiller", json_get_bool(h, "OomKillDisable", false));
	jw_end(w);
}

static void print_cpu(struct jw *w, const json *h)
{
	int64_t nano = json_get_i64(h, "NanoCpus", 0), quota = json_get_i64(h, "CpuQuota", 0),
		period = json_get_i64(h, "CpuPeriod", 0);
	const char *cpus = json_get_str(h, "CpusetCpus", ""),
		   *mems = json_get_str(h, "CpusetMems", "");

	if (nano > 0) {
		period = CPU_PERIOD;
		/* nano * period / 1e9 without overflow */
		quota = nano / 1000000000 * period + nano % 1000000000 * period / 1000000000;
	}
	if (json_get_i64(h, "CpuShares", 0) <= 0 && !quota && !period &&
	    json_get_i64(h, "CpuRealtimePeriod", 0) <= 0 &&
	    json_get_i64(h, "CpuRealtimeRuntime", 0) <= 0 && !*cpus && !*mems)
		return;
	jw_kobj(w, "cpu");
	positive(w, "shares", json_get_i64(h, "CpuShares", 0));
	if (quota)
		jw_ki64(w, "quota", quota);
	positive(w, "period", period);
	positive(w, "realtimeRuntime", json_get_i64(h, "CpuRealtimeRuntime", 0));
	positive(w, "realtimePeriod", json_get_i64(h, "CpuRealtimePeriod", 0));
	if (*cpus)
		jw_kstr(w, "cpus", cpus);
	if (*mems)
		jw_kstr(w, "mems", mems);
	jw_end(w);
}

static int device_number(const char *path, dev_t *out, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_set(err, ERR_SYSTEM, "%s: %s", path,
				 errno == ENOENT ? "no such file or directory" : strerror(errno));
	*out = st.st_rdev;
	return 0;
}

static int print_block_devices(struct jw *w, const json *list, const char *name, const char *member,
			       const char *value, struct error *err)
{
	if (json_count(list) == 0)
		return 0;
	jw_karr(w, name);
	for (json *c = json_first(list); c; c = json_next(c)) {
		dev_t dev = 0;

		if (device_number(json_get_str(c, "Path", ""), &dev, err) < 0)
			return -1;
		jw_obj(w);
		jw_ki64(w, "major", major(dev));
		jw_ki64(w, "minor", minor(dev));
		jw_ku64(w, member, json_u64(json_get(c, value), 0));
		jw_end(w);
	}
	jw_end(w);
	return 0;
}

static int print_block_io(struct jw *w, const json *h, struct error *err)
{
	static const struct {
		const char *from, *to;
	} throttle[] = {
	    {"BlkioDeviceReadBps", "throttleReadBpsDevice"},
	    {"BlkioDeviceWriteBps", "throttleWriteBpsDevice"},
	    {"BlkioDeviceReadIOps", "throttleReadIOPSDevice"},
	    {"BlkioDeviceWriteIOps", "throttleWriteIOPSDevice"},
	};

	jw_kobj(w, "blockIO");
	positive(w, "weight", json_get_i64(h, "BlkioWeight", 0));
	if (print_block_devices(w, json_get(h, "BlkioWeightDevice"), "weightDevice", "weight",
				"Weight", err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(throttle) / sizeof(throttle[0]); i++)
		if (print_block_devices(w, json_get(h, throttle[i].from), throttle[i].to, "rate",
					"Rate", err) < 0)
			return -1;
	jw_end(w);
	return 0;
}

int resources_print(const json *host_config, const char *devices, struct str *out,
		    struct error *err)
{
	const json *pids = json_get(host_config, "PidsLimit");
	struct jw w = jw_to(out);

	jw_obj(&w);
	if (devices) {
		jw_key(&w, "devices");
		jw_raw(&w, devices, strlen(devices));
	}
	print_memory(&w, host_config, !devices);
	print_cpu(&w, host_config);
	if (json_type(pids) == JSON_NUMBER) {
		jw_kobj(&w, "pids");
		jw_ki64(&w, "limit", json_i64(pids, 0) > 0 ? json_i64(pids, 0) : -1);
		jw_end(&w);
	}
	if (print_block_io(&w, host_config, err) < 0)
		return -1;
	jw_end(&w);
	return 0;
}

int spec_build_resources(const json *host_config, const struct spec_host *h, struct str *out,
			 struct error *err)
{
	(void)h;
	return resources_print(host_config, NULL, out, err);
}
