/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: a create request from nothing to the point where it would be kept. Whatever is accepted must print to what is accepted
 * again and prints the same: a container's files are read back at the next start of the daemon.
 *
 *	make fuzz_spec CC=clang && ./fuzz_spec -max_len=4096
 */
#include <stdint.h>
#include <stdlib.h>

#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*normalise_fn)(const json *in, struct str *out, struct error *err);

static const struct spec_host host = {
    .cpus = 2, .cgroup_version = "2", .swap_accounting = true, .log_driver = "json-file"};

/* Parsed again, or NULL if refused. */
static json *once(normalise_fn fn, const json *in, struct str *text)
{
	struct error err = ERROR_INIT;
	json *j;

	if (fn(in, text, &err) < 0)
		return NULL;
	j = json_parse(str_cstr(text), text->len, &err);
	if (!j)
		abort();
	return j;
}

/* Normalised tree, or NULL if refused. The first text may still escape what wasn't UTF-8; from the second on it stays. */
static json *stable(normalise_fn fn, const json *in)
{
	auto_str first = STR_INIT, second = STR_INIT, third = STR_INIT;
	auto_json *a = once(fn, in, &first), *c = NULL;
	json *b;

	if (!a)
		return NULL;
	b = once(fn, a, &second);
	c = b ? once(fn, b, &third) : NULL;
	if (!c || !streq(str_cstr(&second), str_cstr(&third)))
		abort();
	return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	auto_json *in = json_parse((const char *)data, size, &err), *config = NULL,
		  *host_config = NULL, *merged = NULL;
	auto_str text = STR_INIT, adapted = STR_INIT, keys = STR_INIT;
	auto_strlist warnings = STRLIST_INIT;

	if (!in || spec_from_version(in, 24 + (int)(size % 28), size % 2, &err) < 0)
		return 0;
	config = stable(spec_normalise_config, in);
	host_config = stable(spec_normalise_host_config, json_get(in, "HostConfig"));
	if (!config || !host_config)
		return 0;
	spec_signal(json_get_str(config, "StopSignal", ""));
	spec_detach_keys(json_get_str(config, "User", ""), &keys, &err);
	if (spec_merge_image(config, json_get(in, "HostConfig"), &text, &err) == 0) {
		merged = json_parse(text.p, text.len, &err);
		if (!merged)
			abort();
	}
	spec_refuse_missing(host_config, &err);
	if (spec_validate(config, host_config, &host, &warnings, &err) == 0 &&
	    spec_adapt_host_config(host_config, &host, &adapted, &err) < 0)
		abort();
	return 0;
}
