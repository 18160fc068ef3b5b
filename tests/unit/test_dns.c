/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded DNS: names by network, answers as bytes, and questions that are none. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netd/dns.h"
#include "proto/netd.h"

enum { A = 1, PTR = 12, AAAA = 28, MX = 15 };

static void add(const char *network, const char *endpoint, const char *sandbox, const char *ip,
		const char *names)
{
	struct error err = ERROR_INIT;
	auto_strlist list = STRLIST_INIT, ips = STRLIST_INIT;
	auto_msg m = {0};

	strlist_split(&list, names, ' ');
	msg_init(&m, NETD_DNS_NAMES);
	msg_put_str(&m, NETD_NETWORK, network);
	msg_put_str(&m, NETD_NETWORK_NAME, network);
	msg_put_str(&m, NETD_ENDPOINT, endpoint);
	msg_put_str(&m, NETD_SANDBOX, sandbox);
	strlist_split(&ips, ip, ' ');
	for (size_t i = 0; i < ips.n; i++)
		msg_put_str(&m, strchr(ips.v[i], ':') ? NETD_IP6 : NETD_IP, ips.v[i]);
	for (size_t i = 0; i < list.n; i++)
		msg_put_str(&m, NETD_NAME, list.v[i]);
	assert_int_equal(names_set(&m, &err), 0);
}

static void forget(const char *network, const char *endpoint)
{
	auto_msg m = {0};

	msg_init(&m, NETD_DNS_FORGET);
	msg_put_str(&m, NETD_NETWORK, network);
	msg_put_str(&m, NETD_ENDPOINT, endpoint);
	names_forget(&m);
}

/* Its length; at the end of a block of its own, so that reading beyond it shows under a sanitizer. */
static unsigned char *question(const char *name, unsigned int type, bool edns, size_t *n)
{
	unsigned char q[600] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns}, *copy;
	size_t at = 12;

	while (*name) {
		size_t label = strcspn(name, ".");

		q[at++] = (unsigned char)label;
		memcpy(q + at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	at++;
	q[at + 1] = (unsigned char)type;
	q[at + 3] = 1;
	at += 4;
	if (edns) {
		q[at + 2] = 41;
		q[at + 3] = 16; /* 4096 bytes */
		at += 11;
	}
	copy = malloc(at);
	memcpy(copy, q, at);
	*n = at;
	return copy;
}

/* "1.2.3.4 5.6.7.8", "" without records, "-" to be asked outside. */
static const char *ask(const char *sandbox, const char *name, unsigned int type, unsigned int turn)
{
	static char text[2048];
	unsigned char out[512];
	struct dns_query query;
	size_t n, len, at;
	unsigned char *q = question(name, type, false, &n);

	assert_true(dns_parse(q, n, &query));
	len = dns_local(sandbox, q, &query, turn, out, sizeof(out));
	strcpy(text, len ? "" : "-");
	at = query.question_end;
	for (int i = 0; len && i < out[7]; i++) {
		if (type == A || type == AAAA) {
			inet_ntop(type == A ? AF_INET : AF_INET6, out + at + 12,
				  text + strlen(text), 46);
			strcat(text, " ");
		}
		at += 12 + (size_t)(out[at + 10] << 8 | out[at + 11]);
	}
	assert_true(!len || (out[2] & 0x80 && out[3] == 0x80 && at == len));
	free(q);
	return text;
}

static void test_names(void **state)
{
	char name[512];
	struct dns_ip a = {.len = 4};

	(void)state;
	add("front", "e1", "c1", "10.0.0.1", "web alias");
	add("front", "e2", "c2", "10.0.0.2", "db alias");
	add("back", "e3", "c2", "10.1.0.2", "db");
	add("back", "e4", "c3", "10.1.0.3", "job");
	assert_string_equal(ask("c1", "db", A, 0), "10.0.0.2 ");
	assert_string_equal(ask("c1", "DB", A, 0), "10.0.0.2 ");
	assert_string_equal(ask("c1", "db.front", A, 0), "10.0.0.2 ");
	assert_string_equal(ask("c1", "job", A, 0), "-"); /* of a network that it is not in */
	assert_string_equal(ask("c1", "db.back", A, 0), "-");
	assert_string_equal(ask("c2", "db.back", A, 0), "10.1.0.2 ");
	assert_string_equal(ask("c2", "job", A, 0), "10.1.0.3 ");
	assert_string_equal(ask("c9", "db", A, 0), "-");
	assert_string_equal(ask("c1", "db", AAAA, 0), ""); /* it exists, without such an address */
	assert_string_equal(ask("c1", "db", MX, 0), "-");
	assert_string_equal(ask("c1", "alias", A, 0), "10.0.0.1 10.0.0.2 ");
	assert_string_equal(ask("c1", "alias", A, 1), "10.0.0.2 10.0.0.1 ");
	inet_pton(AF_INET, "10.1.0.3", a.b);
	assert_true(names_of("c2", &a, name));
	assert_string_equal(name, "job.back");
	assert_false(names_of("c1", &a, name));
	/* told anew: the old names go */
	add("front", "e2", "c2", "10.0.0.9", "database");
	assert_string_equal(ask("c1", "db", A, 0), "-");
	assert_string_equal(ask("c1", "database", A, 0), "10.0.0.9 ");
	assert_string_equal(ask("c1", "alias", A, 0), "10.0.0.1 ");
	forget("front", "e1");
	forget("front", "e1");
	assert_string_equal(ask("c2", "web", A, 0), "-");
	forget("front", "e2");
	forget("back", "e3");
	forget("back", "e4");
	assert_false(names_any());
}

static void test_v6(void **state)
{
	(void)state;
	add("front", "e1", "c1", "10.0.0.1 fd00::1", "both alias");
	add("front", "e2", "c2", "fd00::2", "six alias");
	add("front", "e3", "c3", "10.0.0.3", "four alias");
	assert_string_equal(ask("c1", "both", A, 0), "10.0.0.1 ");
	assert_string_equal(ask("c1", "both", AAAA, 0), "fd00::1 ");
	assert_string_equal(ask("c1", "six", A, 0), "");
	assert_string_equal(ask("c1", "six", AAAA, 0), "fd00::2 ");
	assert_string_equal(ask("c1", "four", AAAA, 0), "");
	assert_string_equal(ask("c1", "alias", AAAA, 1), "fd00::2 fd00::1 ");
	assert_string_equal(ask("c1", "alias", A, 0), "10.0.0.1 10.0.0.3 ");
#define ZEROS "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	assert_string_equal(ask("c1", "2." ZEROS "0.0.d.f.ip6.arpa", PTR, 0), "");
	assert_string_equal(ask("c1", "3." ZEROS "0.0.d.f.ip6.arpa", PTR, 0), "-");
	assert_string_equal(ask("c1", "2." ZEROS "0.d.f.ip6.arpa", PTR, 0), "-");
	assert_string_equal(ask("c1", "g." ZEROS "0.0.d.f.ip6.arpa", PTR, 0), "-");
	forget("front", "e1");
	forget("front", "e2");
	forget("front", "e3");
}

static void test_many(void **state)
{
	unsigned char out[4096], *q;
	struct dns_query query;
	size_t n, len;
	char id[16], ip[16];

	(void)state;
	for (int i = 0; i < 60; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		snprintf(ip, sizeof(ip), "10.2.0.%d", i + 1);
		add("net", id, "c1", ip, "all");
	}
	q = question("all", A, false, &n);
	assert_true(dns_parse(q, n, &query));
	assert_int_equal(query.max, 512);
	len = dns_local("c1", q, &query, 0, out, query.max);
	assert_true(len <= 512 && out[2] & 2); /* cut, and marked so */
	free(q);
	q = question("all", A, true, &n);
	assert_true(dns_parse(q, n, &query));
	assert_int_equal(query.max, 4096);
	len = dns_local("c1", q, &query, 0, out, query.max);
	assert_true(len > 512 && !(out[2] & 2) && out[7] == 60 && out[11] == 1);
	free(q);
	for (int i = 0; i < 60; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		forget("net", id);
	}
}

/* Whatever a container sends: refused, or answered within bounds. */
static void test_garbage(void **state)
{
	unsigned char out[2048 + 16];
	unsigned int seed = 7;
	struct dns_query query;

	(void)state;
	add("net", "g", "c1", "10.3.0.1", "web");
	for (int round = 0; round < 200000; round++) {
		size_t n;
		unsigned char *q = question(round % 2 ? "web" : "1.0.3.10.in-addr.arpa",
					    round % 2 ? A : PTR, round % 3 == 0, &n);
		size_t cut = n - (size_t)rand_r(&seed) % n;
		unsigned char *copy = malloc(cut);

		memcpy(copy, q, cut);
		for (int k = rand_r(&seed) % 4; k > 0; k--)
			copy[(size_t)rand_r(&seed) % cut] = (unsigned char)rand_r(&seed);
		if (dns_parse(copy, cut, &query)) {
			assert_true(query.question_end <= cut);
			assert_true(dns_reply(copy, &query, DNS_SERVFAIL, out) <= cut + 16);
			assert_true(dns_local("c1", copy, &query, 0, out, 512) <= 512);
		}
		free(copy);
		free(q);
	}
	forget("net", "g");
}

/* "name:alias" is what one container alone calls another. */
static void links(void **state)
{
	(void)state;
	add("ln", "e1", "s1", "10.9.0.2", "db 0123");
	add("ln", "e2", "s2", "10.9.0.3", "app DB:Other gone:none app:db");
	assert_string_equal(ask("s2", "other", A, 0), "10.9.0.2 ");
	assert_string_equal(ask("s2", "OTHER.ln", A, 0), "10.9.0.2 ");
	assert_string_equal(ask("s2", "db", A, 0), "10.9.0.3 "); /* hides the name */
	assert_string_equal(ask("s2", "none", A, 0), "-");
	assert_string_equal(ask("s1", "other", A, 0), "-");
	assert_string_equal(ask("s1", "db", A, 0), "10.9.0.2 ");
	assert_string_equal(ask("s1", "db:other", A, 0), "-");
	add("ln", "e2", "s2", "10.9.0.3", "app");
	assert_string_equal(ask("s2", "other", A, 0), "-");
	forget("ln", "e1");
	forget("ln", "e2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(links),     cmocka_unit_test(test_names),   cmocka_unit_test(test_v6),
	    cmocka_unit_test(test_many), cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
