/* SPDX-License-Identifier: Apache-2.0 */
/* The registry room's pure parts: challenges, manifests, platforms, origins, proxies, credentials, progress. No network. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "registry/challenge.h"
#include "registry/endpoint.h"
#include "registry/manifest.h"
#include "registry/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define D(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define CONFIG \
	"\"config\":{\"mediaType\":\"" TYPE_CONFIG "\",\"size\":7,\"digest\":\"" D("aa") "\"}"
#define LAYER(d, size) "{\"mediaType\":\"" TYPE_LAYER "\",\"size\":" size ",\"digest\":\"" d "\"}"

static void challenge_is(const char *field, const char *want)
{
	struct challenge c = {.basic = false};
	auto_str got = STR_INIT;

	challenge_parse(field, &c);
	str_printf(&got, "%d%d %s|%s|%s", c.basic, c.bearer, c.realm ? c.realm : "-",
		   c.service ? c.service : "-", c.scope ? c.scope : "-");
	assert_string_equal(str_cstr(&got), want);
	challenge_free(&c);
}

static void test_challenges(void **state)
{
	(void)state;
	challenge_is("Basic realm=\"x\"", "10 -|-|-");
	challenge_is(
	    "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a/b:pull,push\"",
	    "01 https://a/t|s|repository:a/b:pull,push");
	challenge_is("bearer  realm=https ,\tSERVICE = \"a \\\"b\\\"\"", "01 https|a \"b\"|-");
	challenge_is("Basic realm=\"r\", Bearer realm=\"https://a\", service=\"s\"",
		     "11 https://a|s|-");
	challenge_is("Bearer realm=\"https://a\", Basic realm=\"b\"", "11 https://a|-|-");
	challenge_is("Negotiate abc==, Basic realm=\"r\"", "10 -|-|-");
	challenge_is("Bearer realm=\"never closed", "01 -|-|-");
	challenge_is("", "00 -|-|-");
	challenge_is(",,;,Bearer", "00 -|-|-");
}

static void parse(const char *text, const char *type, enum manifest_kind kind, size_t n)
{
	auto_manifest m = {.n = 0};
	struct error err = ERROR_INIT;

	if (manifest_parse(text, strlen(text), type, &m, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(m.kind, kind);
	assert_int_equal(m.n, n);
}

static void refused(const char *text, const char *type, const char *why)
{
	auto_manifest m = {.n = 0};
	struct error err = ERROR_INIT;

	assert_int_equal(manifest_parse(text, strlen(text), type, &m, &err), -1);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, err.text);
}

static void test_manifests(void **state)
{
	(void)state;
	parse("{\"schemaVersion\":2,\"mediaType\":\"" TYPE_SCHEMA2 "\"," CONFIG
	      ",\"layers\":[" LAYER(D("bb"), "5") "]}",
	      TYPE_SCHEMA2, MANIFEST_IMAGE, 1);
	parse("{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", TYPE_OCI "; charset=utf-8",
	      MANIFEST_IMAGE, 0);
	parse("{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", NULL, MANIFEST_IMAGE, 0);
	parse("{\"schemaVersion\":2,\"manifests\":[{\"size\":1,\"digest\":\"" D("cc") "\"}]}",
	      "application/json", MANIFEST_LIST, 1);
	refused("[]", TYPE_SCHEMA2, "no object");
	refused("{", TYPE_SCHEMA2, "manifest");
	refused("{\"mediaType\":\"" TYPE_OCI "\"," CONFIG "}", TYPE_SCHEMA2, "should be");
	refused("{\"mediaType\":\"a/b\"}", NULL, "unsupported manifest media type \"a/b\"");
	refused("{\"schemaVersion\":2," CONFIG ",\"manifests\":[]}", TYPE_OCI, "both");
	refused("{" CONFIG ",\"layers\":[]}", TYPE_INDEX, "not what its media type");
	refused("{" CONFIG ",\"layers\":[" LAYER("sha256:12", "5") "]}", TYPE_OCI,
		"invalid digest");
	refused("{" CONFIG ",\"layers\":[" LAYER(D("bb"), "-5") "]}", TYPE_OCI, "no valid size");
	refused("{" CONFIG ",\"layers\":[" LAYER(D("bb"), "\"5\"") "]}", TYPE_OCI, "no valid size");
	refused("{" CONFIG ",\"layers\":{\"a\":1}}", TYPE_OCI, "is no list");
	refused("{\"layers\":[]}", TYPE_OCI, "configuration has the invalid digest");
	refused("{\"config\":{\"mediaType\":\"application/vnd.docker.plugin.v1+json\",\"size\":1,"
		"\"digest\":\"" D("aa") "\"}}",
		TYPE_SCHEMA2, "(plugin) when fetching");
}

static void test_schema1(void **state)
{
	static const char text[] =
	    "{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":\"" D("bb") "\"},{\"blobSum\":\"" D(
		"aa") "\"}],\"history\":[{\"v1Compatibility\":\"{\\\"id\\\":\\\"x\\\",\\\"os\\\":"
		      "\\\"linux\\\",\\\"throwaway\\\":true,\\\"created\\\":\\\"2020-01-01T00:00:"
		      "00Z\\\"}\"},{\"v1Compatibility\":\"{\\\"container_config\\\":{\\\"Cmd\\\":["
		      "\\\"a\\\",\\\"b\\\"]}}\"}]}";
	auto_manifest m = {.n = 0};
	struct error err = ERROR_INIT;
	auto_strlist diffs = STRLIST_INIT;
	auto_str out = STR_INIT;

	(void)state;
	assert_int_equal(manifest_parse(text, strlen(text), TYPE_SCHEMA1, &m, &err), 0);
	assert_int_equal(m.kind, MANIFEST_SCHEMA1);
	assert_int_equal(m.n, 1); /* the newest holds nothing */
	assert_string_equal(m.v[0].digest, D("aa"));
	strlist_add(&diffs, D("cc"));
	assert_int_equal(schema1_complete(m.config1, &diffs, &out, &err), 0);
	assert_string_equal(
	    str_cstr(&out),
	    "{\"os\":\"linux\",\"created\":\"2020-01-01T00:00:00Z\",\"history\":[{\"created\":"
	    "\"1970-01-01T00:00:00Z\",\"created_by\":\"a b\"},{\"created\":\"2020-01-01T00:00:"
	    "00Z\",\"empty_layer\":true}],\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D(
		"cc") "\"]}}");
	refused("{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":\"x\"}],\"history\":[{}]}", NULL,
		"invalid blobSum");
	refused("{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":\"x\"}],\"history\":[]}", NULL,
		"1 layers and 0 rows");
}

static int score(const char *want, const char *has)
{
	struct platform w, h;
	struct error err = ERROR_INIT;

	assert_int_equal(platform_parse(want, &w, &err), 0);
	assert_int_equal(platform_parse(has, &h, &err), 0);
	return platform_score(&w, &h);
}

static void test_platforms(void **state)
{
	struct platform p;
	struct error err = ERROR_INIT;
	char text[100];

	(void)state;
	assert_int_equal(platform_parse("Linux/aarch64", &p, &err), 0);
	assert_string_equal(platform_text(&p, text), "linux/arm64");
	assert_int_equal(platform_parse("armhf", &p, &err), 0);
	assert_string_equal(platform_text(&p, text), "linux/arm/v7");
	assert_int_equal(platform_parse("linux/arm/6", &p, &err), 0);
	assert_string_equal(platform_text(&p, text), "linux/arm/v6");
	assert_int_equal(platform_parse("a/b/c/d", &p, &err), -1);
	assert_non_null(strstr(err.text, "cannot parse platform specifier"));
	assert_int_equal(platform_parse("linux/a b", &p, &err), -1);
	assert_non_null(strstr(err.text, "is an invalid component"));
	assert_true(score("linux/amd64", "linux/amd64") > score("linux/amd64", "linux/386"));
	assert_true(score("linux/amd64", "linux/386") > 0);
	assert_int_equal(score("linux/386", "linux/amd64"), 0);
	assert_int_equal(score("linux/amd64", "windows/amd64"), 0);
	assert_true(score("linux/arm/v7", "linux/arm/v7") > score("linux/arm/v7", "linux/arm/v6"));
	assert_true(score("linux/arm/v7", "linux/arm/v6") > score("linux/arm/v7", "linux/arm/v5"));
	assert_int_equal(score("linux/arm/v6", "linux/arm/v7"), 0);
	assert_int_equal(score("linux/arm64", "linux/arm64/v8"), 100);
	assert_int_equal(score("linux/amd64", "linux/amd64/v3"), 0);
	assert_true(score("linux/amd64/v3", "linux/amd64") > 0);
}

static void test_origins(void **state)
{
	static const char *const hosts[][2] = {{"https://a:5/x", "a:5"},
					       {"http://[::1]:5?x", "[::1]:5"},
					       {"https://good@evil/x", "evil"},
					       {"https://good\\@evil/", "good"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		auto_free char *host = url_host(hosts[i][0]);

		assert_string_equal(host, hosts[i][1]);
	}
	assert_null(url_host("/path"));
	assert_true(same_origin("https://A/x", "https://a/y"));
	assert_false(same_origin("https://a/", "http://a/"));
	assert_false(same_origin("https://a/", "https://a:444/"));
	assert_false(same_origin("https://a@b/", "https://a/"));
	assert_false(same_origin("https://a.evil/", "https://a/"));
}

static void test_insecure(void **state)
{
	auto_strlist list = STRLIST_INIT;
	struct registry_settings s = {.insecure = &list};

	(void)state;
	assert_true(registry_is_insecure(&s, "127.0.0.1:5000"));
	assert_true(registry_is_insecure(&s, "127.9.9.9"));
	assert_true(registry_is_insecure(&s, "[::1]:5000"));
	assert_false(registry_is_insecure(&s, "10.1.2.3:5000"));
	strlist_add(&list, "10.1.0.0/20");
	strlist_add(&list, "Reg:5000");
	assert_true(registry_is_insecure(&s, "10.1.15.3:5000"));
	assert_false(registry_is_insecure(&s, "10.1.16.3:5000"));
	assert_true(registry_is_insecure(&s, "reg:5000"));
}

static void test_foreign(void **state)
{
	auto_strlist list = STRLIST_INIT, insecure = STRLIST_INIT;
	struct registry_settings s = {.insecure = &insecure, .foreign = &list};

	(void)state;
	refused("{" CONFIG ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer."
		"nondistributable.v1.tar\",\"size\":1,\"digest\":\"" D("bb") "\",\"urls\":[5]}]}",
		TYPE_OCI, "no valid list of URLs");
	assert_false(registry_takes_foreign(&s, "127.0.0.1:5000"));
	strlist_add(&list, "reg:5000");
	strlist_add(&list, "127.1.0.0/16");
	assert_true(registry_takes_foreign(&s, "reg:5000"));
	assert_true(registry_takes_foreign(&s, "127.1.2.3:5000"));
	assert_false(registry_takes_foreign(&s, "127.0.0.1:5000"));
	assert_false(registry_is_insecure(&s, "10.1.2.3:5000"));
}

static void proxy_is(const struct registry_settings *s, const char *url, const char *want)
{
	auto_free char *got = proxy_for(s, url);

	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void test_proxies(void **state)
{
	struct registry_settings s = {.http_proxy = "http://p:1",
				      .https_proxy = "http://p:2",
				      .no_proxy = "a.test, .b.test,c.test:444,10.0.0.0/8,::2"};

	(void)state;
	proxy_is(&s, "http://x/", "http://p:1");
	proxy_is(&s, "https://x/", "http://p:2");
	proxy_is(&s, "https://localhost:5000/", NULL);
	proxy_is(&s, "https://127.3.3.3/", NULL);
	proxy_is(&s, "https://[::1]/", NULL);
	proxy_is(&s, "https://a.test/", NULL);
	proxy_is(&s, "https://x.a.test/", NULL);
	proxy_is(&s, "https://xa.test/", "http://p:2");
	proxy_is(&s, "https://b.test/", "http://p:2");
	proxy_is(&s, "https://x.b.test/", NULL);
	proxy_is(&s, "https://c.test/", "http://p:2");
	proxy_is(&s, "https://c.test:444/", NULL);
	proxy_is(&s, "https://10.200.1.1/", NULL);
	proxy_is(&s, "https://11.200.1.1/", "http://p:2");
	s.no_proxy = "*";
	proxy_is(&s, "https://x/", NULL);
}

static void credentials(const char *text, const char *user, const char *password,
			const char *identity)
{
	auto_free char *encoded = base64_encode(text, strlen(text));
	struct registry_auth a;

	registry_auth_decode(encoded, &a);
	assert_string_equal(a.username ? a.username : "-", user);
	assert_string_equal(a.password ? a.password : "-", password);
	assert_string_equal(a.identity_token ? a.identity_token : "-", identity);
	registry_auth_free(&a);
}

static void test_credentials(void **state)
{
	struct registry_auth a;

	(void)state;
	credentials("{\"username\":\"u\",\"password\":\"p\"}", "u", "p", "-");
	credentials("{\"auth\":\"dTpwOnE=\"}", "u", "p:q", "-");
	credentials("{\"identitytoken\":\"t\"}", "-", "-", "t");
	credentials("{}", "-", "-", "-");
	credentials("not json", "-", "-", "-");
	registry_auth_decode("%%%", &a);
	assert_null(a.username);
	registry_auth_decode(NULL, &a);
	assert_null(a.username);
}

static void test_query(void **state)
{
	auto_str url = STR_INIT;

	(void)state;
	str_puts(&url, "http://x/t?a=b");
	query_add(&url, "scope", "repository:a/b:pull,push &x=\xff");
	assert_string_equal(str_cstr(&url),
			    "http://x/t?a=b&scope=repository%3Aa%2Fb%3Apull%2Cpush%20%26x%3D%FF");
}

/* One line of numbers per id waits at most, states are never lost, and the end stands last. */
static void test_progress(void **state)
{
	struct progress *p = progress_new(NULL, NULL);
	struct error err = ERROR_INIT;
	auto_str out = STR_INIT;
	size_t lines = 0;

	(void)state;
	progress_message(p, "1", "Pulling from %s", "x");
	progress_update(p, "id", "Pulling fs layer");
	for (unsigned i = 1; i <= 10000; i++)
		progress_bytes(p, "id", "Downloading", i, 10000);
	progress_update(p, "id", "Download complete");
	error_set(&err, ERR_SYSTEM, "lost");
	progress_end(p, &err);
	assert_true(progress_take(p, &out));
	for (const char *c = str_cstr(&out); (c = strstr(c, "\r\n")); c += 2)
		lines++;
	assert_int_equal(lines, 5);
	assert_non_null(strstr(out.p, "{\"status\":\"Pulling from x\",\"id\":\"1\"}\r\n"));
	assert_non_null(strstr(
	    out.p, "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":10000,"
		   "\"total\":10000},\"progress\":\"[========================================="
		   "=========\\u003e]     10kB/10kB\",\"id\":\"id\"}\r\n"));
	assert_true(str_ends(str_cstr(&out),
			     "{\"errorDetail\":{\"message\":\"lost\"},\"error\":\"lost\"}\r\n"));
	assert_false(progress_silent(p, &err));
	progress_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_challenges),  cmocka_unit_test(test_manifests),
	    cmocka_unit_test(test_schema1),     cmocka_unit_test(test_platforms),
	    cmocka_unit_test(test_origins),     cmocka_unit_test(test_insecure),
	    cmocka_unit_test(test_foreign),     cmocka_unit_test(test_proxies),
	    cmocka_unit_test(test_credentials), cmocka_unit_test(test_query),
	    cmocka_unit_test(test_progress)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
