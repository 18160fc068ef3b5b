/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge driver's pure parts: what options say, rules as iptables-save shows them after moby 28.5 has done the same, host ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/network/bridge/bridge.h"
#include "base/str.h"

static const struct dockerd_endpoint *with(struct dockerd_endpoint *e, struct dockerd_port *ports,
					   uint32_t count)
{
	e->ports = ports;
	e->port_count = count;
	return e;
}

static void test_bridge_rules(void **state)
{
	struct bridge_net n = {.ifname = "docker0",
			       .v = {{.subnet = "172.17.0.0/16", .gateway = "172.17.0.1"},
				     {.subnet = "fd00::/64", .gateway = "fd00::1"}},
			       .icc = true,
			       .masquerade = true,
			       .trusted = "",
			       .proxy = true};
	struct dockerd_endpoint e = {.size = sizeof(e)};
	struct dockerd_port ports[] = {{.size = sizeof(struct dockerd_port),
					.container_port = 80,
					.proto = "tcp",
					.host_ip = "0.0.0.0",
					.bound_port = 8080},
				       {.size = sizeof(struct dockerd_port),
					.container_port = 80,
					.proto = "tcp",
					.host_ip = "::",
					.bound_port = 8080},
				       {.size = sizeof(struct dockerd_port),
					.container_port = 90,
					.proto = "udp",
					.host_ip = "127.0.0.1",
					.bound_port = 9001},
				       {.size = sizeof(struct dockerd_port),
					.container_port = 80,
					.proto = "tcp",
					.host_ip = "0.0.0.0",
					.bound_port = 8081}};
	char *text;

	(void)state;
	text = bridge_rules_network(&n, false, true);
	assert_string_equal(
	    text,
	    "*nat\n"
	    "-I DOCKER -i docker0 -j RETURN\n"
	    "-I POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n"
	    "COMMIT\n*filter\n"
	    "-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
	    "-A DOCKER-BRIDGE -o docker0 -j DOCKER\n"
	    "-A DOCKER ! -i docker0 -o docker0 -j DROP\n"
	    "-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2\n"
	    "-I DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP\n"
	    "-A DOCKER-FORWARD -i docker0 -j ACCEPT\n"
	    "COMMIT\n");
	free(text);
	text = bridge_rules_endpoint(&n, false, "172.17.0.3", with(&e, ports, 4), true);
	assert_string_equal(
	    text, "*raw\n"
		  "-A PREROUTING -d 172.17.0.3/32 ! -i docker0 -j DROP\n"
		  "-A PREROUTING -d 127.0.0.1/32 ! -i lo -p udp -m udp --dport 9001 -j DROP\n"
		  "COMMIT\n*nat\n"
		  "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination "
		  "172.17.0.3:80\n"
		  "-A DOCKER -d 127.0.0.1/32 ! -i docker0 -p udp -m udp --dport 9001 -j DNAT "
		  "--to-destination 172.17.0.3:90\n"
		  "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT --to-destination "
		  "172.17.0.3:80\n"
		  "COMMIT\n*filter\n"
		  "-I DOCKER -d 172.17.0.3/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j "
		  "ACCEPT\n"
		  "-I DOCKER -d 172.17.0.3/32 ! -i docker0 -o docker0 -p udp -m udp --dport 90 -j "
		  "ACCEPT\n"
		  "COMMIT\n");
	free(text);
	n.proxy = n.icc = n.masquerade = false;
	text = bridge_rules_network(&n, false, false);
	assert_non_null(
	    strstr(text, "-D POSTROUTING -o docker0 -m addrtype --src-type LOCAL -j MASQUERADE\n"));
	assert_non_null(strstr(text, "-D DOCKER-FORWARD -i docker0 -o docker0 -j DROP\n-D "
				     "DOCKER-FORWARD -i docker0 ! -o docker0 -j ACCEPT\n"));
	assert_null(strstr(text, "-s 172.17.0.0/16"));
	assert_null(strstr(text, "-A "));
	free(text);
	text = bridge_rules_endpoint(&n, false, "172.17.0.3", with(&e, ports, 1), true);
	assert_non_null(strstr(
	    text, "-A DOCKER -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.3:80\n"));
	assert_non_null(strstr(text, "-A POSTROUTING -s 172.17.0.3/32 -d 172.17.0.3/32 -p tcp -m "
				     "tcp --dport 80 -j MASQUERADE\n"));
	free(text);
}

/* ---- host ports with a daemon that plays along -------------------------------------------------------------------------------------------- */

static char busy[64]; /* "ip:port" that somebody else holds */
static int started, stopped;

static int32_t fake_start(const struct dockerd_host *host, const char *proto, const char *host_ip,
			  uint32_t host_port, const char *ip, uint32_t port,
			  struct dockerd_error *err)
{
	char key[64];

	(void)host;
	(void)proto;
	(void)ip;
	(void)port;
	snprintf(key, sizeof(key), "%s:%u", host_ip, host_port);
	if (streq(key, busy))
		return dockerd_fail_errno(err, EADDRINUSE, "bind");
	started++;
	return 0;
}

static int32_t fake_stop(const struct dockerd_host *host, const char *proto, const char *host_ip,
			 uint32_t host_port, struct dockerd_error *err)
{
	(void)host;
	(void)proto;
	(void)host_ip;
	(void)host_port;
	(void)err;
	stopped++;
	return 0;
}

static struct dockerd_port wish(const char *ip, uint32_t first, uint32_t last)
{
	return (struct dockerd_port){.size = sizeof(struct dockerd_port),
				     .container_port = 80,
				     .proto = "tcp",
				     .host_ip = ip,
				     .host_port_start = first,
				     .host_port_end = last};
}

/* As ip6tables-save shows them after moby 28.5 has done the same. */
static void test_bridge_rules_v6(void **state)
{
	struct bridge_net n = {
	    .ifname = "br-1",
	    .v = {[1] = {.subnet = "2001:db8:1::/64", .gateway = "2001:db8:1::1"}},
	    .icc = true,
	    .masquerade = true,
	    .trusted = "",
	    .proxy = true};
	struct dockerd_endpoint e = {.size = sizeof(e)};
	struct dockerd_port ports[] = {wish("0.0.0.0", 8080, 8080), wish("::", 8080, 8080),
				       wish("::1", 8082, 8082)};
	char *text;

	(void)state;
	for (int i = 0; i < 3; i++)
		ports[i].bound_port = ports[i].host_port_start;
	text = bridge_rules_endpoint(&n, true, "2001:db8:1::2", with(&e, ports, 3), true);
	assert_string_equal(
	    text,
	    "*raw\n"
	    "-A PREROUTING -d 2001:db8:1::2/128 ! -i br-1 -j DROP\n"
	    "COMMIT\n*nat\n"
	    "-A DOCKER ! -s fe80::/10 ! -i br-1 -p tcp -m tcp --dport 8080 -j DNAT "
	    "--to-destination [2001:db8:1::2]:80\n"
	    "-A DOCKER ! -s fe80::/10 -d ::1/128 ! -i br-1 -p tcp -m tcp --dport 8082 -j DNAT "
	    "--to-destination [2001:db8:1::2]:80\n"
	    "COMMIT\n*filter\n"
	    "-I DOCKER -d 2001:db8:1::2/128 ! -i br-1 -o br-1 -p tcp -m tcp --dport 80 -j ACCEPT\n"
	    "COMMIT\n");
	free(text);
	text = bridge_rules_network(&n, true, true);
	assert_non_null(
	    strstr(text, "-I POSTROUTING -s 2001:db8:1::/64 ! -o br-1 -j MASQUERADE\n"));
	free(text);
	n.internal = true;
	text = bridge_rules_network(&n, true, true);
	assert_non_null(strstr(
	    text, "-I DOCKER-ISOLATION-STAGE-1 ! -d 2001:db8:1::/64 -i br-1 ! -o br-1 -j DROP\n"
		  "-I DOCKER-ISOLATION-STAGE-1 ! -s 2001:db8:1::/64 ! -i br-1 -o br-1 -j DROP\n"
		  "-A DOCKER-FORWARD -i br-1 -o br-1 -j ACCEPT\n"));
	assert_null(strstr(text, "MASQUERADE"));
	assert_null(strstr(text, "DOCKER-CT")); /* nobody comes back from where nobody went */
	free(text);
}

static void test_ports(void **state)
{
	struct dockerd_host host = {
	    .size = sizeof(host), .proxy_start = fake_start, .proxy_stop = fake_stop};
	const struct bridge_net nat = {.proxy = true};
	struct ports p = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct dockerd_port a[] = {wish("0.0.0.0", 8000, 8002), wish("::", 8000, 8002)},
			    b = wish("127.0.0.1", 8001, 8001);
	struct dockerd_port e[] = {wish("0.0.0.0", 0, 0), wish("::", 0, 0)},
			    f = wish("127.0.0.1", 8000, 8002);
	const char *const first[2] = {"172.17.0.2", ""}, *const second[2] = {"172.17.0.3", ""};
	struct dockerd_error err = {.size = sizeof(err)};

	(void)state;
	snprintf(busy, sizeof(busy), ":::8000"); /* the second address is what clashes */
	assert_int_equal(ports_bind(&p, &host, &nat, first, a, 2, &err), 0);
	assert_int_equal(a[0].bound_port, 8001);
	assert_int_equal(a[1].bound_port, 8001);
	assert_int_equal(ports_bind(&p, &host, &nat, second, &b, 1, &err), -1);
	assert_string_equal(err.text, "Bind for 0.0.0.0:8001 failed: port is already allocated");
	b = wish("10.0.0.1", 9000, 9000);
	snprintf(busy, sizeof(busy), "10.0.0.1:9000");
	assert_int_equal(ports_bind(&p, &host, &nat, second, &b, 1, &err), -1);
	assert_string_equal(
	    err.text,
	    "failed to bind host port for 10.0.0.1:9000:172.17.0.3:80/tcp: address already in use");
	busy[0] = '\0';
	assert_int_equal(ports_bind(&p, &host, &nat, second, &f, 1, &err), 0);
	assert_int_equal(f.bound_port, 8000);
	assert_int_equal(ports_bind(&p, &host, &nat, second, e, 2, &err), 0);
	assert_true(e[0].bound_port >= 1024 && e[0].bound_port == e[1].bound_port);
	ports_release(&p, &host, a, 2);
	ports_release(&p, &host, e, 2);
	ports_release(&p, &host, &f, 1);
	ports_release(&p, &host, &f, 1); /* once is enough */
	assert_int_equal(p.n, 0);
	assert_int_equal(started, stopped);
	free(p.v);
}

/* ---- gateway modes -------------------------------------------------------------------------------------------------------------------------- */

static void test_modes(void **state)
{
	struct bridge_net n = {.ifname = "br-1",
			       .v = {{.subnet = "10.23.1.0/24", .gateway = "10.23.1.1"}},
			       .icc = true,
			       .masquerade = true,
			       .trusted = "lo:dummy7",
			       .proxy = true};
	struct dockerd_port ports[] = {wish("0.0.0.0", 8080, 8080)};
	struct dockerd_endpoint e = {.size = sizeof(e)};
	char *text;

	(void)state;
	ports[0].bound_port = 8080;
	text = bridge_rules_endpoint(&n, false, "10.23.1.2", with(&e, ports, 1), true);
	assert_non_null(strstr(text, "*raw\n-A PREROUTING -d 10.23.1.2/32 -i lo -j ACCEPT\n"
				     "-A PREROUTING -d 10.23.1.2/32 -i dummy7 -j ACCEPT\n"
				     "-A PREROUTING -d 10.23.1.2/32 ! -i br-1 -j DROP\nCOMMIT\n"));
	free(text);

	n.direct = true; /* --allow-direct-routing */
	text = bridge_rules_endpoint(&n, false, "10.23.1.2", with(&e, ports, 1), true);
	assert_null(strstr(text, "*raw"));
	assert_non_null(strstr(text, "DNAT"));
	free(text);
	n.direct = false;

	n.obey = true; /* --obey-host-firewall: the proxy alone */
	text = bridge_rules_endpoint(&n, false, "10.23.1.2", with(&e, ports, 1), true);
	assert_null(strstr(text, "80"));
	assert_non_null(strstr(text, "-A PREROUTING -d 10.23.1.2/32 ! -i br-1 -j DROP\n"));
	free(text);
	n.obey = false;

	n.mode[0] = GATEWAY_UNPROTECTED;
	text = bridge_rules_endpoint(&n, false, "10.23.1.2", with(&e, ports, 1), true);
	assert_string_equal(text, "*nat\n-A DOCKER ! -i br-1 -p tcp -m tcp --dport 8080 -j DNAT "
				  "--to-destination 10.23.1.2:80\nCOMMIT\n");
	free(text);
	text = bridge_rules_network(&n, false, true);
	assert_non_null(strstr(text, "-A DOCKER ! -i br-1 -o br-1 -j ACCEPT\n"));
	assert_null(strstr(text, "-A DOCKER ! -i br-1 -o br-1 -j DROP\n"));
	assert_non_null(strstr(text, "-I POSTROUTING -s 10.23.1.0/24 ! -o br-1 -j MASQUERADE\n"));
	free(text);

	n.mode[0] = GATEWAY_ROUTED;
	ports[0].bound_port = 0;
	text = bridge_rules_endpoint(&n, false, "10.23.1.2", with(&e, ports, 1), true);
	assert_string_equal(text, "*filter\n-I DOCKER -d 10.23.1.2/32 ! -i br-1 -o br-1 -p tcp -m "
				  "tcp --dport 80 -j ACCEPT\nCOMMIT\n");
	free(text);
	text = bridge_rules_network(&n, false, true);
	assert_string_equal(
	    text,
	    "*nat\n-I DOCKER -i br-1 -j RETURN\nCOMMIT\n*filter\n"
	    "-A DOCKER-CT -o br-1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
	    "-A DOCKER-BRIDGE -o br-1 -j DOCKER\n"
	    "-A DOCKER -o br-1 -p icmp -j ACCEPT\n"
	    "-A DOCKER ! -i br-1 -o br-1 -j DROP\n"
	    "-A DOCKER-ISOLATION-STAGE-1 -i br-1 ! -o br-1 -j DOCKER-ISOLATION-STAGE-2\n"
	    "-I DOCKER-ISOLATION-STAGE-1 -o br-1 -j RETURN\n"
	    "-I DOCKER-ISOLATION-STAGE-1 -i br-1 -m conntrack --ctstate RELATED,ESTABLISHED -j "
	    "ACCEPT\n"
	    "-I DOCKER-ISOLATION-STAGE-2 -o br-1 -j DROP\n"
	    "-A DOCKER-FORWARD -i br-1 -j ACCEPT\n"
	    "COMMIT\n");
	free(text);

	n.mode[0] = GATEWAY_NAT;
	n.source[0] = "192.0.2.9";
	n.proxy = false;
	text = bridge_rules_network(&n, false, true);
	assert_non_null(strstr(
	    text,
	    "-I POSTROUTING -s 10.23.1.0/24 ! -o br-1 -j SNAT --to-source 192.0.2.9\n"
	    "-I POSTROUTING -o br-1 -m addrtype --src-type LOCAL -j SNAT --to-source 192.0.2.9\n"));
	free(text);
}

static void test_links(void **state)
{
	struct bridge_net n = {.ifname = "docker0",
			       .v = {{.subnet = "172.17.0.0/16", .gateway = "172.17.0.1"}},
			       .trusted = "",
			       .proxy = true};
	const struct dockerd_link links[] = {{.size = sizeof(struct dockerd_link),
					      .port = 80,
					      .proto = "tcp",
					      .client = "172.17.0.3",
					      .server = "172.17.0.2"}};
	struct dockerd_endpoint e = {.size = sizeof(e), .links = links, .link_count = 1};
	char *text;

	(void)state;
	text = bridge_rules_endpoint(&n, false, "172.17.0.3", &e, true);
	assert_non_null(strstr(text, "*filter\n"
				     "-A DOCKER -s 172.17.0.3/32 -d 172.17.0.2/32 -i docker0 -o "
				     "docker0 -p tcp -m tcp --dport 80 -j ACCEPT\n"
				     "-A DOCKER -s 172.17.0.2/32 -d 172.17.0.3/32 -i docker0 -o "
				     "docker0 -p tcp -m tcp --sport 80 -j ACCEPT\n"));
	free(text);
	n.icc = true; /* then everybody may talk to everybody */
	text = bridge_rules_endpoint(&n, false, "172.17.0.3", &e, true);
	assert_null(strstr(text, "*filter"));
	free(text);
}

/* One family routed, the other not: only that has host ports. */
static void test_routed_ports(void **state)
{
	struct dockerd_host host = {
	    .size = sizeof(host), .proxy_start = fake_start, .proxy_stop = fake_stop};
	const struct bridge_net n = {.proxy = true, .mode = {GATEWAY_ROUTED, GATEWAY_NAT}};
	struct ports p = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct dockerd_port v[] = {wish("127.0.0.1", 8080, 8080), wish("::", 8080, 8080)};
	const char *const ip[2] = {"10.23.1.2", "fd23::2"};
	struct dockerd_error err = {.size = sizeof(err)};

	(void)state;
	started = stopped = 0;
	assert_int_equal(ports_bind(&p, &host, &n, ip, v, 2, &err), 0);
	assert_string_equal(v[0].host_ip, "0.0.0.0");
	assert_int_equal(v[0].bound_port, 0);
	assert_int_equal(v[1].bound_port, 8080);
	assert_int_equal(started, 1);
	ports_release(&p, &host, v, 2);
	assert_int_equal(stopped, 1);
	assert_int_equal(p.n, 0);
	free(p.v);
}

/* ---- options -------------------------------------------------------------------------------------------------------------------------------- */

#define BRIDGE "com.docker.network.bridge."

static int read_one(const char *key, const char *value, uint32_t flags, struct bridge_net *out,
		    struct dockerd_error *err)
{
	const struct dockerd_value v = {.key = key, .text = value};
	const struct dockerd_options o = {
	    .size = sizeof(o), .count = 1, .values = &v, .value_size = sizeof(v)};
	const struct dockerd_subnet s = {
	    .size = sizeof(s), .subnet = "10.23.1.0/24", .gateway = "10.23.1.1"};
	const struct dockerd_network n = {.size = sizeof(n),
					  .id = "0123456789abcdef",
					  .name = "n",
					  .flags = DOCKERD_NETWORK_IPV4 | flags,
					  .subnets = &s,
					  .subnet_count = 1,
					  .options = &o};
	static const struct bridge b = {.proxy = true};
	char name[16];

	*err = (struct dockerd_error){.size = sizeof(*err)};
	return bridge_read(&b, &n, name, out, err);
}

static void test_options(void **state)
{
	struct dockerd_error err;
	struct bridge_net n;
	const char *list = "eth0::eth1:";
	char name[16];

	(void)state;
	assert_int_equal(read_one(BRIDGE "gateway_mode_ipv4", "foo", 0, &n, &err), -1);
	assert_string_equal(err.text, "failed to parse " BRIDGE "gateway_mode_ipv4 value: foo "
				      "(unknown gateway mode foo)");
	assert_int_equal(read_one(BRIDGE "gateway_mode_ipv4", "", 0, &n, &err), -1);
	assert_int_equal(read_one(BRIDGE "gateway_mode_ipv4", "isolated", 0, &n, &err), -1);
	assert_string_equal(err.text,
			    "gateway mode 'isolated' can only be used for an internal network");
	assert_int_equal(
	    read_one(BRIDGE "gateway_mode_ipv4", "isolated", DOCKERD_NETWORK_INTERNAL, &n, &err),
	    0);
	assert_int_equal(n.mode[0], GATEWAY_ISOLATED);
	assert_int_equal(read_one(BRIDGE "host_binding_ipv4", "foo", 0, &n, &err), -1);
	assert_string_equal(err.text,
			    "failed to parse " BRIDGE "host_binding_ipv4 value: foo (nil ip)");
	assert_int_equal(read_one(BRIDGE "host_binding_ipv4", "::1", 0, &n, &err), 0);
	assert_int_equal(read_one("com.docker.network.host_ipv4", "::1", 0, &n, &err), -1);
	/* texts that go into rules */
	assert_int_equal(read_one(BRIDGE "trusted_host_interfaces", "a -j ACCEPT", 0, &n, &err),
			 -1);
	assert_int_equal(
	    read_one(BRIDGE "trusted_host_interfaces", "a:sixteencharacter", 0, &n, &err), -1);
	assert_int_equal(read_one(BRIDGE "trusted_host_interfaces", "a::b", 0, &n, &err), 0);
	assert_int_equal(read_one("com.docker.network.container_iface_prefix", "a/b", 0, &n, &err),
			 -1);
	assert_true(bridge_next_name(&list, name));
	assert_string_equal(name, "eth0");
	assert_true(bridge_next_name(&list, name));
	assert_string_equal(name, "eth1");
	assert_false(bridge_next_name(&list, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bridge_rules), cmocka_unit_test(test_bridge_rules_v6),
	    cmocka_unit_test(test_ports),        cmocka_unit_test(test_modes),
	    cmocka_unit_test(test_links),        cmocka_unit_test(test_routed_ports),
	    cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
