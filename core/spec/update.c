/* SPDX-License-Identifier: Apache-2.0 */
/* POST /containers/{}/update: which members of a HostConfig a client may change, and what of them contradicts what is set. */
#include "spec/spec.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "spec/schema.h"

int spec_normalise_update(const json *in, struct str *out, struct error *err)
{
	auto_pairs replace = PAIRS_INIT;

	pairs_set(&replace, "KernelMemory", "0"); /* accepted, and without effect since 1.42 */
	return schema_print(&go_host_config, in, &replace, "UpdateConfig", out, err);
}

/* NanoCpus stands for period and quota: whichever is set first stays the way to say it. */
static int check_cpu(const json *old, const json *new, struct error *err)
{
	static const struct {
		const char *want, *has, *text;
	} clashes[] = {
	    {"NanoCpus", "CpuPeriod",
	     "Nano CPUs cannot be updated as CPU Period has already been set"},
	    {"NanoCpus", "CpuQuota",
	     "Nano CPUs cannot be updated as CPU Quota has already been set"},
	    {"CpuPeriod", "NanoCpus",
	     "CPU Period cannot be updated as NanoCPUs has already been set"},
	    {"CpuQuota", "NanoCpus",
	     "CPU Quota cannot be updated as NanoCPUs has already been set"},
	};

	for (size_t i = 0; i < ARRAY_LEN(clashes); i++)
		if (json_get_i64(new, clashes[i].want, 0) > 0 &&
		    json_get_i64(old, clashes[i].has, 0) > 0)
			return error_set(err, ERR_CONFLICT, "Conflicting options: %s",
					 clashes[i].text);
	return 0;
}

static int check_memory(const json *old, const json *new, struct error *err)
{
	int64_t memory = json_get_i64(new, "Memory", 0), swap = json_get_i64(old, "MemorySwap", 0);

	if (memory > 0 && memory > swap && json_get_i64(new, "MemorySwap", 0) == 0)
		return error_set(err, ERR_CONFLICT,
				 "Memory limit should be smaller than already set memoryswap "
				 "limit, update the memoryswap at the same time");
	return 0;
}

static int take_policy(json *host_config, json *update, struct error *err)
{
	const char *name = json_get_str(json_get(update, "RestartPolicy"), "Name", "");

	if (!*name)
		return 0;
	if (json_get_bool(host_config, "AutoRemove", false) && !streq(name, "no"))
		return error_set(err, ERR_CONFLICT,
				 "Restart policy cannot be updated because AutoRemove is enabled "
				 "for the container");
	json_set(host_config, "RestartPolicy", json_take(update, "RestartPolicy"));
	return 0;
}

int spec_apply_update(json *host_config, json *update, struct error *err)
{
	static const char *const numbers[] = {"BlkioWeight",       "CpuShares",
					      "NanoCpus",          "CpuPeriod",
					      "CpuQuota",          "Memory",
					      "MemorySwap",        "MemoryReservation",
					      "CpuRealtimePeriod", "CpuRealtimeRuntime"};
	static const char *const strings[] = {"CpusetCpus", "CpusetMems"};

	if (check_cpu(host_config, update, err) < 0 || check_memory(host_config, update, err) < 0 ||
	    take_policy(host_config, update, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (json_get_i64(update, numbers[i], 0) != 0)
			json_set(host_config, numbers[i], json_take(update, numbers[i]));
	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		if (*json_get_str(update, strings[i], ""))
			json_set(host_config, strings[i], json_take(update, strings[i]));
	if (json_type(json_get(update, "PidsLimit")) == JSON_NUMBER)
		json_set(host_config, "PidsLimit",
			 json_get_i64(update, "PidsLimit", 0) > 0 ? json_take(update, "PidsLimit")
								  : json_parse("0", 1, NULL));
	return 0;
}
