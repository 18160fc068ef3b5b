/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry says before it is trusted with anything: manifests of all kinds, signatures of schema 1, challenges, URLs to go to. */
#include "base/cleanup.h"
#include "registry/challenge.h"
#include "registry/endpoint.h"
#include "registry/manifest.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void manifest(const char *text, size_t size, const char *type)
{
	auto_manifest m = {.n = 0};
	struct platform want;
	struct error err = ERROR_INIT;
	auto_strlist diffs = STRLIST_INIT;
	auto_str out = STR_INIT;

	if (manifest_parse(text, size, type, &m, &err) < 0) {
		if (err.kind != ERR_INVALID)
			abort();
		return;
	}
	for (size_t i = 0; i < m.n; i++)
		if (!str_after(m.v[i].digest, "sha256:") || strlen(m.v[i].digest) != 71)
			abort(); /* it goes into URLs */
	platform_parse("linux/arm/v7", &want, &err);
	manifest_select(&m, &want);
	if (m.kind == MANIFEST_SCHEMA1)
		schema1_complete(m.config1, &diffs, &out, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_str text = STR_INIT, out = STR_INIT;
	struct challenge c = {.basic = false};
	struct error err = ERROR_INIT;
	auto_free char *host = NULL;

	str_add(&text, data, size);
	manifest(str_cstr(&text), text.len, NULL);
	manifest(str_cstr(&text), text.len, TYPE_SCHEMA2);
	manifest(str_cstr(&text), text.len, TYPE_INDEX);
	manifest(str_cstr(&text), text.len, TYPE_SIGNED1);
	schema1_payload(str_cstr(&text), text.len, &out, &err);
	challenge_parse(str_cstr(&text), &c);
	challenge_free(&c);
	host = url_host(str_cstr(&text));
	same_origin(str_cstr(&text), "https://registry.test/");
	return 0;
}
