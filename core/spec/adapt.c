/* SPDX-License-Identifier: Apache-2.0 */
/* What moby fills into a HostConfig at create, so that inspect shows it and nothing changes when the daemon's defaults do. */
#include "spec/validate_int.h"

#include "spec/schema.h"

#include "base/cleanup.h"
#include "base/mem.h"

static const char *const masked_paths[] = {
    "/proc/asound",      "/proc/acpi",          "/proc/interrupts", "/proc/kcore",
    "/proc/keys",        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
    "/proc/sched_debug", "/proc/scsi",          "/sys/firmware",    "/sys/devices/virtual/powercap",
};
static const char *const readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					     "/proc/sysrq-trigger"};

static void set_string(struct pairs *p, const char *name, const char *value)
{
	auto_str text = STR_INIT;

	json_quote(&text, value, strlen(value));
	pairs_set(p, name, str_cstr(&text));
}

static void default_string(struct pairs *p, const json *h, const char *name, const char *value)
{
	if (!*json_get_str(h, name, "") && IS_SET(value))
		set_string(p, name, value);
}

static void default_list(struct pairs *p, const json *h, const char *name, const char *const *list,
			 size_t n)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	if (json_type(json_get(h, name)) == JSON_ARRAY || json_get_bool(h, "Privileged", false))
		return;
	jw_arr(&w);
	for (size_t i = 0; i < n; i++)
		jw_str(&w, list[i]);
	jw_end(&w);
	pairs_set(p, name, str_cstr(&text));
}

/* The daemon's driver, and its options if the container uses that driver; the container's options win. */
static void adapt_log(struct pairs *p, const json *h, const struct spec_host *host)
{
	const json *log = json_get(h, "LogConfig");
	const char *type = json_get_str(log, "Type", ""),
		   *fallback = IS_SET(host->log_driver) ? host->log_driver : DEFAULT_LOG_DRIVER;
	auto_pairs options = PAIRS_INIT;
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	if (!*type)
		type = fallback;
	if (streq(type, fallback) && host->log_opts)
		pairs_copy(&options, host->log_opts);
	/* those of the copy for docker logs belong to no driver */
	for (size_t i = 0; host->log_opts && i < host->log_opts->n; i++)
		if (str_after(host->log_opts->v[i].key, "cache-"))
			pairs_set(&options, host->log_opts->v[i].key, host->log_opts->v[i].value);
	json_pairs(json_get(log, "Config"), &options);
	pairs_sort(&options);
	jw_obj(&w);
	jw_kstr(&w, "Type", type);
	jw_kpairs(&w, "Config", &options, false);
	jw_end(&w);
	pairs_set(p, "LogConfig", str_cstr(&text));
}

static void adapt_restart(struct pairs *p, const json *h)
{
	const json *r = json_get(h, "RestartPolicy");
	auto_str text = STR_INIT;

	if (*json_get_str(r, "Name", ""))
		return;
	str_printf(&text, "{\"Name\":\"no\",\"MaximumRetryCount\":%lld}",
		   (long long)json_get_i64(r, "MaximumRetryCount", 0));
	pairs_set(p, "RestartPolicy", str_cstr(&text));
}

/* A container that shares the host's namespaces can't be labelled apart from it. */
static void adapt_security(struct pairs *p, const json *h)
{
	const json *options = json_get(h, "SecurityOpt");
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	if (!json_get_bool(h, "Privileged", false) &&
	    !streq(json_get_str(h, "IpcMode", ""), "host") &&
	    !streq(json_get_str(h, "PidMode", ""), "host"))
		return;
	for (json *c = json_first(options); c; c = json_next(c))
		if (str_after(json_str(c, ""), "label"))
			return;
	jw_arr(&w);
	for (json *c = json_first(options); c; c = json_next(c))
		jw_json(&w, c);
	jw_str(&w, "label=disable");
	jw_end(&w);
	pairs_set(p, "SecurityOpt", str_cstr(&text));
}

static void adapt_memory(struct pairs *p, const json *h, const struct spec_host *host)
{
	int64_t memory = json_get_i64(h, "Memory", 0), swap = json_get_i64(h, "MemorySwap", 0);
	bool v1 = streq(host->cgroup_version, "1");
	auto_str text = STR_INIT;

	if (memory > 0 && swap == 0 && host->swap_accounting && memory <= INT64_MAX / 2) {
		str_printf(&text, "%lld", (long long)(memory * 2));
		pairs_set(p, "MemorySwap", str_cstr(&text));
	}
	if (memory > 0 && swap > 0 && !host->swap_accounting)
		pairs_set(p, "MemorySwap", "-1");
	if (!v1)
		pairs_set(p, "OomKillDisable", "null"); /* cgroup v2 has none */
	else if (json_type(json_get(h, "OomKillDisable")) != JSON_BOOL)
		pairs_set(p, "OomKillDisable", "false");
	if (!v1 || json_get_i64(h, "MemorySwappiness", 0) == -1)
		pairs_set(p, "MemorySwappiness", "null");
	if (json_get_i64(h, "PidsLimit", 1) <= 0)
		pairs_set(p, "PidsLimit", "null");
}

int spec_adapt_host_config(const json *host_config, const struct spec_host *h, struct str *out,
			   struct error *err)
{
	const json *in = host_config;
	const char *network = json_get_str(in, "NetworkMode", "");
	auto_pairs p = PAIRS_INIT;
	auto_str shm = STR_INIT;

	adapt_log(&p, in, h);
	if (!*network || streq(network, "default"))
		set_string(&p, "NetworkMode", "bridge");
	adapt_restart(&p, in);
	adapt_security(&p, in);
	adapt_memory(&p, in, h);
	default_string(&p, in, "IpcMode", IS_SET(h->ipc_mode) ? h->ipc_mode : "private");
	default_string(&p, in, "CgroupnsMode",
		       IS_SET(h->cgroupns_mode)        ? h->cgroupns_mode
		       : streq(h->cgroup_version, "1") ? "host"
						       : "private");
	default_string(&p, in, "Runtime", IS_SET(h->default_runtime) ? h->default_runtime : "runc");
	if (!host_has_blkio_weight(h) && json_get_i64(in, "BlkioWeight", 0))
		pairs_set(&p, "BlkioWeight", "0"); /* the warning is spec_validate's */
	if (!host_has_blkio_weight(h) && json_count(json_get(in, "BlkioWeightDevice")))
		pairs_set(&p, "BlkioWeightDevice", "[]");
	if (json_get_i64(in, "ShmSize", 0) == 0) {
		str_printf(&shm, "%lld", (long long)(h->shm_size ? h->shm_size : 64 << 20));
		pairs_set(&p, "ShmSize", str_cstr(&shm));
	}
	default_list(&p, in, "MaskedPaths", masked_paths, ARRAY_LEN(masked_paths));
	default_list(&p, in, "ReadonlyPaths", readonly_paths, ARRAY_LEN(readonly_paths));
	return schema_print(&go_host_config, in, &p, ".HostConfig", out, err);
}
