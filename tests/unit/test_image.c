/* SPDX-License-Identifier: Apache-2.0 */
/* The image room's pure parts: references, digests, chain ids, changes to configurations. */
#include "base/clock.h"
#include "base/mem.h"
#include "image/reference.h"
#include "image/store_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_references(void **state)
{
	static const struct {
		const char *in, *full, *familiar;
	} good[] = {
	    {"busybox", "docker.io/library/busybox", "busybox"},
	    {"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
	    {"user/app", "docker.io/user/app", "user/app"},
	    {"docker.io/busybox", "docker.io/library/busybox", "busybox"},
	    {"index.docker.io/busybox", "docker.io/library/busybox", "busybox"},
	    {"localhost/x", "localhost/x", "localhost/x"},
	    {"localhost:5000/x:y", "localhost:5000/x:y", "localhost:5000/x:y"},
	    {"[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x"},
	    {"Registry/x", "Registry/x", "Registry/x"},
	    {"a--b__c.d", "docker.io/library/a--b__c.d", "a--b__c.d"},
	    {"a/b/c/d:T_a-g.1", "docker.io/a/b/c/d:T_a-g.1", "a/b/c/d:T_a-g.1"},
	    {"x@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	     "docker.io/library/"
	     "x@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	     "x@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		auto_reference r = {0};
		struct error err = ERROR_INIT;

		assert_int_equal(reference_parse(good[i].in, &r, &err), 0);
		char *full = reference_string(&r), *familiar = reference_familiar(&r);

		assert_string_equal(full, good[i].full);
		assert_string_equal(familiar, good[i].familiar);
		free(full);
		free(familiar);
	}
}

static void test_bad_references(void **state)
{
	static const struct {
		const char *in, *text;
	} bad[] = {
	    {"", "invalid reference format"},
	    {"a:b:c", "invalid reference format"},
	    {"Foo", "invalid reference format: repository name (library/Foo) must be lowercase"},
	    {"user/Foo:x",
	     "invalid reference format: repository name (user/Foo) must be lowercase"},
	    {"x@sha256:1234", "invalid reference format"},
	    {"-x", "invalid reference format"},
	    {"x-", "invalid reference format"},
	    {"a..b", "invalid reference format"},
	    {"a___b", "invalid reference format"},
	    {"a//b", "invalid reference format"},
	    {"a/", "invalid reference format"},
	    {"x:-t", "invalid reference format"},
	    {"ho_st.com/x", "invalid reference format"},
	    {"x:", "invalid reference format"},
	    {" x", "invalid reference format"},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	     "invalid repository name "
	     "(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa), cannot specify "
	     "64-byte hexadecimal "
	     "strings"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_reference r = {0};
		struct error err = ERROR_INIT;

		assert_int_equal(reference_parse(bad[i].in, &r, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_string_equal(err.text, bad[i].text);
	}
}

static void test_digests(void **state)
{
	char out[DIGEST_TEXT], chain[DIGEST_TEXT];
	char *million = xmalloc(1000000);

	(void)state;
	sha256_digest("", 0, out);
	assert_string_equal(
	    out, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, out);
	assert_string_equal(
	    out, "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(million, 'a', 1000000);
	sha256_digest(million, 1000000, out);
	assert_string_equal(
	    out, "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
	/* OCI image specification: ChainID(L0|L1) = SHA256(ChainID(L0) + " " + DiffID(L1)); a lone layer's is its diffID. */
	chain_id("", "sha256:aaaa", chain);
	assert_string_equal(chain, "sha256:aaaa");
	chain_id(chain, "sha256:bbbb", out);
	sha256_digest("sha256:aaaa sha256:bbbb", 23, chain);
	assert_string_equal(out, chain);
	assert_true(digest_valid(
	    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	assert_false(digest_valid(
	    "sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	assert_false(digest_valid("md5:abcd"));
}

static void apply(const char *change, const char *expect_error, const char *member,
		  const char *value)
{
	auto_strlist changes = STRLIST_INIT;
	auto_str out = STR_INIT, got = STR_INIT;
	struct error err = ERROR_INIT;
	auto_json *j = NULL;

	strlist_add(&changes, change);
	if (expect_error) {
		assert_int_equal(changes_apply(NULL, &changes, &out, &err), -1);
		assert_string_equal(err.text, expect_error);
		return;
	}
	assert_int_equal(changes_apply(NULL, &changes, &out, &err), 0);
	j = json_parse(out.p, out.len, &err);
	assert_non_null(j);
	json_print(json_get(j, member), &got);
	assert_string_equal(str_cstr(&got), value);
}

static void test_changes(void **state)
{
	(void)state;
	apply("CMD [\"a\", \"b\"]", NULL, "Cmd", "[\"a\",\"b\"]");
	apply("cmd echo hi", NULL, "Cmd", "[\"/bin/sh\",\"-c\",\"echo hi\"]");
	apply("ENTRYPOINT [\"x\"]", NULL, "Entrypoint", "[\"x\"]");
	apply("ENV A=b C=\"d e\"", NULL, "Env", "[\"A=b\",\"C=d e\"]");
	apply("ENV A b c", NULL, "Env", "[\"A=b c\"]");
	apply("LABEL a=b", NULL, "Labels", "{\"a\":\"b\"}");
	apply("EXPOSE 80 90-91/udp", NULL, "ExposedPorts",
	      "{\"80/tcp\":{},\"90/udp\":{},\"91/udp\":{}}");
	apply("VOLUME /a /b", NULL, "Volumes", "{\"/a\":{},\"/b\":{}}");
	apply("USER me", NULL, "User", "\"me\"");
	apply("HEALTHCHECK --interval=5s CMD true", NULL, "Healthcheck",
	      "{\"Test\":[\"CMD-SHELL\",\"true\"],\"Interval\":5000000000}");
	apply("NOPE", "NOPE is not a valid change command", NULL, NULL);
	apply("RUN true", "RUN is not a valid change command", NULL, NULL);
	apply("EXPOSE 70000", "Invalid containerPort: 70000", NULL, NULL);
	apply("CMD", "CMD requires at least one argument", NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_references), cmocka_unit_test(test_bad_references),
	    cmocka_unit_test(test_digests), cmocka_unit_test(test_changes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
