/* SPDX-License-Identifier: Apache-2.0 */
/* The network room's pure parts: addresses, pools, firewall texts, container files, JSON's filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/bolt.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "network/firewall.h"
#include "network/network_int.h"

static struct ipam_prefix prefix(const char *text)
{
	struct error err = ERROR_INIT;
	struct ipam_prefix p;

	assert_int_equal(ipam_parse(text, &p, &err), 0);
	return p;
}

static const char *taken(struct ipam *p)
{
	static char text[IP_TEXT];
	struct ip a;

	if (ipam_take(p, &a) < 0)
		return "none";
	ip_format(a, text);
	return text;
}

static void test_ipam_parse(void **state)
{
	static const char *const bad[] = {"",
					  "10.0.0.1",
					  "10.0.0.1/",
					  "10.0.0.1/33",
					  "10.0.0/8",
					  "10.0.0.1/8x",
					  "10.0.0.1/-1",
					  "10.0.0.1/ 8",
					  "300.0.0.1/8",
					  "fd00::1::2/64",
					  "fd00::1/129"};
	struct error err = ERROR_INIT;
	struct ipam_prefix p;
	char text[IPAM_PREFIX_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ipam_parse(bad[i], &p, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	assert_string_equal(err.text, "invalid CIDR address: fd00::1/129");
	p = prefix("172.18.5.6/16");
	ipam_format_net(p, text);
	assert_string_equal(text, "172.18.0.0/16");
	ipam_format_net(prefix("1.2.3.4/0"), text);
	assert_string_equal(text, "0.0.0.0/0");
	ipam_format_net(prefix("fd00:1:2:3:4:5:6:7/61"), text);
	assert_string_equal(text, "fd00:1:2::/61");
	ipam_format_net(prefix("fd00::1/0"), text);
	assert_string_equal(text, "::/0");
	assert_true(ipam_overlap(prefix("fd00::/48"), prefix("fd00::8000:0:0:1/64")));
	assert_false(ipam_overlap(prefix("fd00::/64"), prefix("fd00:0:0:1::/64")));
	assert_false(ipam_overlap(prefix("0.0.0.0/0"), prefix("::/0")));
}

static void test_ipam_lowest_free(void **state)
{
	struct ipam p;

	(void)state;
	ipam_init(&p, prefix("10.1.0.1/29"), prefix("10.1.0.1/29"));
	assert_int_equal(ipam_reserve(&p, prefix("10.1.0.1/29").addr), 0);
	assert_string_equal(taken(&p), "10.1.0.2");
	assert_string_equal(taken(&p), "10.1.0.3");
	ipam_release(&p, prefix("10.1.0.2/29").addr);
	assert_string_equal(taken(&p), "10.1.0.2");
	assert_string_equal(taken(&p), "10.1.0.4");
	assert_int_equal(ipam_reserve(&p, prefix("10.1.0.4/29").addr), -1); /* taken */
	assert_int_equal(ipam_reserve(&p, prefix("10.1.0.7/29").addr), -1); /* broadcast */
	assert_int_equal(ipam_reserve(&p, prefix("10.1.0.8/29").addr), -1); /* outside */
	assert_int_equal(ipam_reserve(&p, prefix("10.1.0.6/29").addr), 0);
	assert_string_equal(taken(&p), "10.1.0.5");
	assert_string_equal(taken(&p), "none");
	ipam_release(&p, prefix("10.1.0.0/29").addr); /* the network's own is never given */
	assert_string_equal(taken(&p), "none");
	ipam_free(&p);
}

static void test_ipam_range_and_size(void **state)
{
	struct ipam p;

	(void)state;
	ipam_init(&p, prefix("10.79.0.0/24"), prefix("10.79.0.254/31"));
	assert_string_equal(taken(&p), "10.79.0.254"); /* .255 is the broadcast address */
	assert_string_equal(taken(&p), "none");
	ipam_free(&p);
	/* A whole /16 but three; memory stays that of the addresses in use */
	ipam_init(&p, prefix("172.17.0.0/16"), prefix("172.17.0.0/16"));
	for (int i = 1; i < 65535; i++)
		assert_string_not_equal(taken(&p), "none");
	assert_string_equal(taken(&p), "none");
	ipam_release(&p, prefix("172.17.128.5/16").addr);
	assert_string_equal(taken(&p), "172.17.128.5");
	ipam_free(&p);
	ipam_init(&p, prefix("10.0.0.0/8"), prefix("10.0.0.0/8"));
	assert_string_equal(taken(&p), "10.0.0.1");
	assert_int_equal(p.n, 1);
	ipam_free(&p);
}

static void test_pools(void **state)
{
	const struct ipam_pool *v4 = ipam_default_pools, ula = ipam_ula_pool("an id");
	const size_t n = ipam_default_pool_count;
	struct ipam_prefix used[40], p;
	char text[IPAM_PREFIX_TEXT];

	(void)state;
	assert_int_equal(ipam_choose_pool(v4, n, NULL, 0, 32, &p), 0);
	ipam_format_net(p, text);
	assert_string_equal(text, "172.17.0.0/16");
	used[0] = prefix("172.17.3.0/24"); /* inside the first */
	used[1] = prefix("172.18.0.0/15"); /* around the second and third */
	assert_int_equal(ipam_choose_pool(v4, n, used, 2, 32, &p), 0);
	ipam_format_net(p, text);
	assert_string_equal(text, "172.20.0.0/16");
	used[0] = prefix("172.16.0.0/12");
	assert_int_equal(ipam_choose_pool(v4, n, used, 1, 32, &p), 0);
	ipam_format_net(p, text);
	assert_string_equal(text, "192.168.0.0/20");
	used[1] = prefix("192.168.0.0/16");
	assert_int_equal(ipam_choose_pool(v4, n, used, 2, 32, &p), -1);
	/* default-address-pools */
	struct ipam_pool pools[] = {{prefix("10.5.0.0/23"), 24}, {prefix("10.7.0.0/16"), 16}};

	used[0] = prefix("10.5.0.0/24");
	assert_int_equal(ipam_choose_pool(pools, 2, used, 1, 32, &p), 0);
	ipam_format_net(p, text);
	assert_string_equal(text, "10.5.1.0/24");
	used[1] = prefix("10.5.1.128/25");
	assert_int_equal(ipam_choose_pool(pools, 2, used, 2, 32, &p), 0);
	ipam_format_net(p, text);
	assert_string_equal(text, "10.7.0.0/16");
	/* moby's: 40 bits of the digest of the daemon's id */
	ipam_format_net(ula.base, text);
	assert_string_equal(text, "fd3c:fa80:609c::/48");
	assert_int_equal(ipam_choose_pool(v4, n, NULL, 0, 128, &p), -1);
	assert_int_equal(ipam_choose_pool(&ula, 1, NULL, 0, 32, &p), -1);
	used[0] = prefix("fd3c:fa80:609c::/64");
	used[1] = prefix("fd3c:fa80:609c:2::/63");
	assert_int_equal(ipam_choose_pool(&ula, 1, used, 1, 128, &p), 0);
	ipam_format_net(p, text);
	assert_string_equal(text, "fd3c:fa80:609c:1::/64");
	used[2] = p;
	assert_int_equal(ipam_choose_pool(&ula, 1, used, 3, 128, &p), 0);
	ipam_format_net(p, text);
	assert_string_equal(text, "fd3c:fa80:609c:4::/64");
	used[3] = prefix("fd00::/8");
	assert_int_equal(ipam_choose_pool(&ula, 1, used, 4, 128, &p), -1);
}

/* A /64 is too large for a bit per address: what is taken is kept as runs. */
static void test_ipam_v6(void **state)
{
	struct ipam p;

	(void)state;
	ipam_init(&p, prefix("fd00::/64"), prefix("fd00::/64"));
	assert_int_equal(ipam_reserve(&p, prefix("fd00::1/64").addr), 0);
	assert_int_equal(ipam_reserve(&p, prefix("fd00::ffff:ffff:ffff:ffff/64").addr), 0);
	assert_int_equal(ipam_reserve(&p, prefix("fd00::ffff:ffff:ffff:ffff/64").addr), -1);
	assert_int_equal(ipam_reserve(&p, prefix("fd00:0:0:1::/64").addr), -1);
	assert_int_equal(ipam_reserve(&p, prefix("0.0.0.2/32").addr), -1);
	assert_int_equal(ipam_reserve(&p, prefix("fd00::3/64").addr), 0);
	assert_string_equal(taken(&p), "fd00::2");
	assert_string_equal(taken(&p), "fd00::4");
	assert_int_equal(p.n, 2);
	ipam_release(&p, prefix("fd00::3/64").addr);
	ipam_release(&p, prefix("fd00::3/64").addr);
	assert_int_equal(p.n, 3);
	assert_string_equal(taken(&p), "fd00::3");
	assert_int_equal(p.n, 2);
	ipam_free(&p);
	ipam_init(&p, prefix("fd00::/64"), prefix("fd00::8000:0:0:0/126"));
	for (int i = 0; i < 4; i++)
		assert_string_not_equal(taken(&p), "none");
	assert_string_equal(taken(&p), "none");
	ipam_free(&p);
	ipam_init(&p, prefix("fd00::4/127"), prefix("fd00::4/127"));
	assert_string_equal(taken(&p), "fd00::4");
	assert_string_equal(taken(&p), "fd00::5");
	assert_string_equal(taken(&p), "none");
	ipam_free(&p);
}

/* ---- firewall texts --------------------------------------------------------------------------------------------------------------------- */

static void test_fw_parse(void **state)
{
	static const char *const bad[] = {"-A DOCKER -j ACCEPT\n",
					  "*filter\n:DOCKER-USER - [0:0]\nCOMMIT\n",
					  "*filter\n-A DOCKER -j ACCEPT\n",
					  "*mangle\n-A X\nCOMMIT\n",
					  "*filter\n-F DOCKER-USER\nCOMMIT\n",
					  "*filter\n-X DOCKER\nCOMMIT\n"};
	struct error err = ERROR_INIT;
	auto_fw_ops ops = {0};
	auto_str out = STR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_fw_ops none = {0};

		assert_int_equal(fw_parse(bad[i], &none, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	assert_int_equal(fw_parse("# comment\n*filter\n-I DOCKER -j DROP\nCOMMIT\n\n*raw\n-A "
				  "PREROUTING -j DROP\nCOMMIT\n"
				  "*nat\n-D DOCKER -j RETURN\nCOMMIT\n",
				  &ops, &err),
			 0);
	assert_int_equal(ops.n, 3);
	assert_string_equal(ops.v[0].rule, "filter DOCKER -j DROP");
	/* Applied in the order raw, nat, filter. */
	fw_print(&ops, &out);
	assert_string_equal(
	    str_cstr(&out),
	    "*raw\n-A PREROUTING -j DROP\nCOMMIT\n*nat\n-D DOCKER -j RETURN\nCOMMIT\n"
	    "*filter\n-I DOCKER -j DROP\nCOMMIT\n");
}

static bool ops_have(const struct fw_ops *ops, char verb, const char *rule)
{
	for (size_t i = 0; i < ops->n; i++)
		if (ops->v[i].verb == verb && streq(ops->v[i].rule, rule))
			return true;
	return false;
}

static void test_fw_base(void **state)
{
	struct map present = MAP_INIT;
	auto_fw_ops all = {0}, none = {0}, half = {0};
	static char here[] = "";

	(void)state;
	fw_base(4, true, &present, &all);
	assert_true(ops_have(&all, 'N', "filter DOCKER-USER"));
	assert_true(ops_have(&all, 'A',
			     "nat OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER"));
	/* DOCKER-USER is asked first: it is inserted last. */
	assert_string_equal(all.v[all.n - 1].rule, "filter FORWARD -j DOCKER-USER");
	assert_string_equal(all.v[all.n - 2].rule, "filter FORWARD -j DOCKER-FORWARD");
	for (size_t i = 0; i < all.n; i++)
		map_set(&present, all.v[i].rule, here);
	fw_base(4, true, &present, &none);
	assert_int_equal(none.n, 0);
	map_del(&present, "filter FORWARD -j DOCKER-USER");
	fw_base(4, true, &present, &half);
	assert_int_equal(half.n, 3); /* ours out, both in at the top */
	assert_true(ops_have(&half, 'D', "filter FORWARD -j DOCKER-FORWARD"));
	map_free(&present, NULL);
}

/* ---- files ---------------------------------------------------------------------------------------------------------------------------------- */

static struct strlist *addresses(const char *a, const char *b)
{
	static struct strlist list;

	strlist_free(&list);
	if (a)
		strlist_add(&list, a);
	if (b)
		strlist_add(&list, b);
	return &list;
}

static void test_hosts(void **state)
{
	static const char head[] =
	    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost "
	    "ip6-loopback\nfe00::\tip6-localnet\n"
	    "ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";
	auto_strlist extra = STRLIST_INIT;
	struct error err = ERROR_INIT;
	auto_str out = STR_INIT;

	(void)state;
	strlist_add(&extra, "a:1.2.3.4");
	strlist_add(&extra, "six:fd00::1");
	assert_int_equal(
	    network_hosts("foo", "bar.com", addresses("172.17.0.4", NULL), &extra, &out, &err), 0);
	assert_memory_equal(out.p, head, sizeof(head) - 1);
	assert_string_equal(out.p + sizeof(head) - 1,
			    "1.2.3.4\ta\nfd00::1\tsix\n172.17.0.4\tfoo.bar.com foo\n");
	str_reset(&out);
	assert_int_equal(network_hosts("e52e99d9d9d0", "", addresses("172.17.0.3", "10.1.0.3"),
				       NULL, &out, &err),
			 0);
	assert_string_equal(out.p + sizeof(head) - 1,
			    "172.17.0.3\te52e99d9d9d0\n10.1.0.3\te52e99d9d9d0\n");
	str_reset(&out);
	assert_int_equal(network_hosts("x", "", addresses(NULL, NULL), NULL, &out, &err),
			 0); /* network none */
	assert_string_equal(out.p, head);
	strlist_add(&extra, "nocolon");
	assert_int_equal(network_hosts("x", "", addresses(NULL, NULL), &extra, &out, &err), -1);
}

static void test_resolv_conf(void **state)
{
	auto_strlist dns = STRLIST_INIT, search = STRLIST_INIT, options = STRLIST_INIT;
	struct error err = ERROR_INIT;
	auto_str out = STR_INIT;

	(void)state;
	strlist_add(&dns, "9.9.9.9");
	strlist_add(&search, "x.y");
	strlist_add(&options, "ndots:3");
	assert_int_equal(network_resolv_conf(RESOLV_PLAIN, &dns, &search, &options, &out, &err), 0);
	assert_non_null(strstr(out.p, "# Generated by Docker Engine.\n# This file can be edited; "
				      "Docker Engine will not make further "
				      "changes once it\n# has been modified.\n\nnameserver "
				      "9.9.9.9\nsearch x.y\noptions ndots:3\n"));
	assert_non_null(strstr(
	    out.p, "\n# Overrides: [nameservers search options]\n# Option ndots from: override\n"));
	assert_non_null(strstr(out.p, " (legacy)\n"));
	str_reset(&out);
	/* --dns-search=. takes the search list away */
	strlist_free(&search);
	strlist_add(&search, ".");
	assert_int_equal(network_resolv_conf(RESOLV_HOST, &dns, &search, &options, &out, &err), 0);
	assert_null(strstr(out.p, "\nsearch"));
	assert_null(strstr(out.p, "(legacy)"));
	str_reset(&out);
	/* in a user's network: the embedded DNS */
	strlist_free(&options);
	assert_int_equal(network_resolv_conf(RESOLV_INTERNAL, &dns, &search, &options, &out, &err),
			 0);
	assert_non_null(strstr(out.p, "\n\nnameserver 127.0.0.11\noptions ndots:0\n\n# Based on"));
	assert_non_null(strstr(out.p, " (internal resolver)\n# ExtServers: [9.9.9.9]\n# Overrides: "
				      "[nameservers search]\n# Option ndots from: internal\n"));
}

/* ---- records on disk ---------------------------------------------------------------------------------------------------------------------- */

#define STORE_KEY "docker/network/v1.0/network/"
static const char stored[] =
    "{\"addrSpace\":\"LocalDefault\",\"configOnly\":false,\"created\":\"2024-01-02T03:04:05Z\","
    "\"enableIPv4\":true,\"future\":{\"n\":12345678901234567890},\"generic\":{"
    "\"com.docker.network.generic\":{\"old\":\"option\"},\"com.docker.network.later\":[1]},"
    "\"id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"name\":\"net\","
    "\"networkType\":\"bridge\",\"scope\":\"local\"}";

static void keep(void *ctx, struct net *n)
{
	*(struct net **)ctx = n;
}

/* What another daemon keeps in a record, and we don't know, is there after we have written it. */
static void test_store_unknown(void **state)
{
	char dir[] = "/tmp/dockerd-test-store.XXXXXX";
	auto_free char *files = NULL, *path = NULL, *key = NULL;
	struct error err = ERROR_INIT;
	auto_str value = STR_INIT;
	struct bolt *db;
	struct net *n = NULL;
	auto_json *j = NULL;
	const char *text;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(store_open(dir, &err), 0);
	store_close();
	files = xasprintf("%s/network", dir);
	path = xasprintf("%s/files/local-kv.db", files);
	key = xasprintf(STORE_KEY "%064d/", 0);
	memset(key + strlen(STORE_KEY), 'a', 64);
	str_add(&value, "\1\0\0\0\0\0\0\0", 8);
	str_puts(&value, stored);
	assert_int_equal(bolt_open(path, &db, &err), 0);
	bolt_put(db, "libnetwork", key, value.p, value.len);
	assert_int_equal(bolt_commit(db, &err), 0);
	bolt_close(db);
	assert_int_equal(store_open(dir, &err), 0);
	assert_int_equal(store_load(keep, &n, &err), 0);
	assert_non_null(n);
	pairs_free(&n->options);
	pairs_set(&n->options, "new", "option");
	assert_int_equal(store_put(n, &err), 0);
	store_close();
	assert_int_equal(bolt_open(path, &db, &err), 0);
	text = bolt_get(db, "libnetwork", key, &len);
	assert_non_null(text);
	j = json_parse(text + 8, len - 8, &err);
	assert_true(json_u64(json_get(json_get(j, "future"), "n"), 0) ==
		    UINT64_C(12345678901234567890));
	assert_int_equal(json_count(json_get(json_get(j, "generic"), "com.docker.network.later")),
			 1);
	/* ours are as we have them */
	assert_string_equal(
	    json_get_str(json_get(json_get(j, "generic"), "com.docker.network.generic"), "new", ""),
	    "option");
	assert_null(
	    json_get(json_get(json_get(j, "generic"), "com.docker.network.generic"), "old"));
	assert_string_equal(json_get_str(j, "networkType", ""), "bridge");
	bolt_close(db);
	net_unref(n);
	assert_int_equal(dir_remove_all(AT_FDCWD, dir, &err), 0);
}

static void put_text(struct bolt *db, const char *kind, const char *id, const char *text)
{
	auto_free char *key = xasprintf("docker/network/v1.0/%s/%s/", kind, id);
	auto_str value = STR_INIT;

	str_add(&value, "\1\0\0\0\0\0\0\0", 8);
	str_puts(&value, text);
	bolt_put(db, "libnetwork", key, value.p, value.len);
}

static bool has_record(struct bolt *db, const char *kind, const char *id, const char *text)
{
	auto_free char *key = xasprintf("docker/network/v1.0/%s/%s/", kind, id);
	size_t len;
	const char *value = bolt_get(db, "libnetwork", key, &len);

	return value && len == strlen(text) + 8 && !memcmp(value + 8, text, len - 8);
}

/* A network goes with all of its records, by key: those of its driver may be another daemon's; and comes back as it was. */
static void test_store_delete(void **state)
{
	char dir[] = "/tmp/dockerd-test-store.XXXXXX", ours[65], other[65];
	struct error err = ERROR_INIT;
	auto_free char *path = NULL;
	auto_kept kept = {0};
	struct bolt *db;
	struct net *n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(store_open(dir, &err), 0);
	store_close();
	path = xasprintf("%s/network/files/local-kv.db", dir);
	memset(ours, 'a', 64);
	memset(other, 'b', 64);
	ours[64] = other[64] = '\0';
	n = net_new("net", "macvlan", &err);
	memcpy(n->id, ours, sizeof(n->id));
	assert_int_equal(bolt_open(path, &db, &err), 0);
	put_text(db, "network", ours, "{\"name\":\"net\"}");
	put_text(db, "endpoint_count", ours, "{\"Count\":0}");
	put_text(db, "macvlan/network", ours, "{\"Parent\":\"eth0\"}");
	put_text(db, "macvlan/later", ours, "{\"of\":\"a later one\"}");
	put_text(db, "macvlan/network", other, "{\"Parent\":\"eth1\"}");
	put_text(db, "ipvlan/network", ours, "{\"of\":\"another driver\"}");
	assert_int_equal(bolt_commit(db, &err), 0);
	bolt_close(db);

	assert_int_equal(store_open(dir, &err), 0);
	assert_int_equal(store_delete(n, &kept, &err), 0);
	store_close();
	assert_int_equal(kept.n, 4);
	assert_int_equal(bolt_open(path, &db, &err), 0);
	assert_false(has_record(db, "network", ours, "{\"name\":\"net\"}"));
	assert_false(has_record(db, "endpoint_count", ours, "{\"Count\":0}"));
	assert_false(has_record(db, "macvlan/network", ours, "{\"Parent\":\"eth0\"}"));
	assert_false(has_record(db, "macvlan/later", ours, "{\"of\":\"a later one\"}"));
	assert_true(has_record(db, "macvlan/network", other, "{\"Parent\":\"eth1\"}"));
	assert_true(has_record(db, "ipvlan/network", ours, "{\"of\":\"another driver\"}"));
	bolt_close(db);

	assert_int_equal(store_open(dir, &err), 0);
	assert_int_equal(store_put_back(&kept, &err), 0);
	store_close();
	assert_int_equal(bolt_open(path, &db, &err), 0);
	assert_true(has_record(db, "network", ours, "{\"name\":\"net\"}"));
	assert_true(has_record(db, "endpoint_count", ours, "{\"Count\":0}"));
	assert_true(has_record(db, "macvlan/network", ours, "{\"Parent\":\"eth0\"}"));
	assert_true(has_record(db, "macvlan/later", ours, "{\"of\":\"a later one\"}"));
	bolt_close(db);
	net_unref(n);
	assert_int_equal(dir_remove_all(AT_FDCWD, dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_store_unknown),
	    cmocka_unit_test(test_store_delete),
	    cmocka_unit_test(test_ipam_parse),
	    cmocka_unit_test(test_ipam_lowest_free),
	    cmocka_unit_test(test_ipam_range_and_size),
	    cmocka_unit_test(test_pools),
	    cmocka_unit_test(test_fw_parse),
	    cmocka_unit_test(test_fw_base),
	    cmocka_unit_test(test_ipam_v6),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_resolv_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
