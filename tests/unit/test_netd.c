/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon beside a dockerd-netd of protocol 1, left by an earlier daemon: it goes on with it, and asks for nothing that it lacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "network/network_int.h"
#include "proto/msg.h"
#include "proto/netd.h"

/* What the old one has seen: "type tag..." per request, by tags of version 1 that it understands. */
struct old {
	int listener;
	uint32_t agreed;
	struct strlist seen;
};

static void note(struct old *o, const struct msg *m)
{
	const char *ip = msg_get_str(m, NETD_IP), *name = msg_get_str(m, NETD_NAME),
		   *proto = msg_get_str(m, NETD_PROTO), *target = msg_get_str(m, NETD_TARGET_IP);

	strlist_printf(&o->seen, "%u %s%s%s%s", m->type, proto ? proto : "", target ? target : "",
		       name ? name : "", ip ? ip : "");
}

static void *old_netd(void *arg)
{
	struct old *o = arg;
	struct error err = ERROR_INIT;
	auto_close conn = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC);

	for (;;) {
		auto_msg m = {0};

		if (msg_recv(conn, &m, -1, &err) <= 0)
			return NULL;
		if (m.type == MSG_HELLO) {
			msg_hello_server(conn, &m, "dockerd-netd 0.1", 1, 1, &o->agreed, &err);
		} else if (m.type == NETD_LIST || m.type == NETD_DNS_LIST) {
			auto_msg reply = {0};

			msg_init(&reply, NETD_LIST_REPLY);
			reply.seq = m.seq;
			msg_put(&reply, NETD_ENTRY, "tcp 0.0.0.0 81", 14);
			msg_put_u32(&reply, NETD_MORE, 0);
			msg_send(conn, &reply, &err);
		} else {
			note(o, &m);
			msg_reply_ok(conn, m.seq, &err);
		}
	}
}

static void test_protocol_1(void **state)
{
	char dir[] = "/tmp/dockerd-test-netd.XXXXXX";
	auto_free char *path = NULL;
	struct error err = ERROR_INIT;
	struct old o = {0};
	struct net n = {.name = "net"};
	struct net_endpoint e = {.container_id = "c1"};
	auto_strlist names = STRLIST_INIT;
	pthread_t thread;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/netd.sock", dir);
	o.listener = msg_listen(path, &err);
	assert_true(o.listener >= 0);
	assert_int_equal(pthread_create(&thread, NULL, old_netd, &o), 0);
	assert_int_equal(proxy_init(dir, &err), 0);
	assert_int_equal(proxy_start("tcp", "0.0.0.0", 80, "10.0.0.2", 8080, &err), 0);
	memset(n.id, 'a', 64);
	memset(e.id, 'b', 64);
	assert_int_equal(ip_parse("10.0.0.2", &e.addr[0].addr, &err), 0);
	assert_int_equal(ip_parse("fd00::2", &e.addr[1].addr, &err), 0);
	strlist_add(&names, "web");
	dns_add(&n, &e, &names);
	proxy_sweep(); /* what it has and nobody wants is stopped */
	dns_del(&n, e.id);
	assert_int_equal(proxy_stop("tcp", "0.0.0.0", 80, &err), 0);
	proxy_shutdown();
	dns_shutdown();
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(o.agreed, 1);
	assert_int_equal(o.seen.n, 5);
	assert_string_equal(o.seen.v[0], "16 tcp10.0.0.2");
	assert_string_equal(o.seen.v[1], "24 web10.0.0.2");
	assert_string_equal(o.seen.v[2], "17 tcp");
	assert_string_equal(o.seen.v[3], "25 ");
	assert_string_equal(o.seen.v[4], "17 tcp");
	strlist_free(&o.seen);
	close(o.listener);
	assert_int_equal(dir_remove_all(AT_FDCWD, dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_protocol_1)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
