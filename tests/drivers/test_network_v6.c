/* SPDX-License-Identifier: Apache-2.0 */
/* Bridges of IPv6: real packets between namespaces, published ports by DNAT and by the proxy, and a daemon that is killed. Needs root (77: skipped). */
#include "network_host.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUBNETS \
	"\"IPAM\":{\"Config\":[{\"Subnet\":\"10.88.0.0/24\"},{\"Subnet\":\"2001:db8:9::/64\"}]}}"

static bool rules6_have(const char *text)
{
	auto_free char *rules = output_of("ip6tables-save 2>/dev/null");

	return strstr(rules, text) != NULL;
}

static void body_dual(void *arg)
{
	struct network_port p[] = {port(81, "tcp", "", 8201, 8201),
				   port(81, "tcp", "::1", 8202, 8202),
				   port(82, "udp", "", 8203, 8203)};
	struct network_endpoint a = {0}, b = {0};
	struct error err = ERROR_INIT;
	struct box x, y;

	(void)arg;
	OK(make_network("{\"Name\":\"six\",\"EnableIPv6\":true," SUBNETS, &err));
	box_open(&x);
	box_open(&y);
	OK(join_network(&x, "six", "x", p, 3, &a, &err));
	OK(join_network(&y, "six", "y", NULL, 0, &b, &err));
	CHECK(!strcmp(a.ipv4, "10.88.0.2") && !strcmp(a.ipv6, "2001:db8:9::2") && a.prefix6 == 64);
	CHECK(!strcmp(a.gateway6, "2001:db8:9::1") && a.n_ports == 5);
	CHECK(box_serve(&x, "tcp6", 81) && box_serve(&x, "udp6", 82));
	/* at once: no search for duplicates is waited for */
	CHECK(echo_from_here("tcp", a.ipv6, 81, 5000));
	CHECK(box_echo(&y, "tcp", a.ipv6, 81) && box_echo(&y, "udp", a.ipv6, 82));
	CHECK(echo_from_here("tcp", "::1", 8201, 5000) && echo_from_here("tcp", "::1", 8202, 5000));
	CHECK(echo_from_here("tcp", "127.0.0.1", 8201, 5000)); /* [::] takes IPv4 in there */
	CHECK(echo_from_here("udp", "::1", 8203, 5000));
	CHECK(box_echo(&y, "tcp", "2001:db8:9::1", 8201)); /* by the proxy */
	CHECK(rules6_have("--dport 8201 -j DNAT --to-destination [2001:db8:9::2]:81"));
	CHECK(rules6_have("-A PREROUTING -d 2001:db8:9::2/128 ! -i br-"));
	OK(network_disconnect("x", &a, &err));
	OK(network_disconnect("y", &b, &err));
	firewall_flush();
	CHECK(!rules6_have("2001:db8:9::2") && !rules6_have("8201"));
	OK(network_delete("six", &err));
	firewall_flush();
	CHECK(!rules6_have("2001:db8:9::"));
	network_endpoint_free(&a);
	network_shutdown();
	box_close(&x);
	box_close(&y);
}

static void part_dual(void)
{
	wipe();
	CHECK(in_daemon(config(), body_dual, NULL) == 0);
}

/* IPv4 inside, IPv6 outside: the proxy translates; without IPv4 inside there is nothing on the host's addresses of IPv4. */
static void body_families(void *arg)
{
	struct network_port p = port(81, "tcp", "", 8211, 8211),
			    q = port(81, "tcp", "", 8212, 8212);
	struct network_endpoint a = {0}, b = {0};
	struct error err = ERROR_INIT;
	struct box x, y;

	(void)arg;
	OK(make_network("{\"Name\":\"four\"}", &err));
	OK(make_network("{\"Name\":\"only\",\"EnableIPv4\":false,\"EnableIPv6\":true}", &err));
	box_open(&x);
	box_open(&y);
	OK(join_network(&x, "four", "x", &p, 1, &a, &err));
	OK(join_network(&y, "only", "y", &q, 1, &b, &err));
	CHECK(*a.ipv4 && !*a.ipv6 && a.n_ports == 2);
	CHECK(!*b.ipv4 && !strncmp(b.ipv6, "fd", 2) && b.n_ports == 1);
	CHECK(box_serve(&x, "tcp", 81) && box_serve(&y, "tcp6", 81));
	CHECK(echo_from_here("tcp", "::1", 8211, 5000));
	CHECK(echo_from_here("tcp", "::1", 8212, 5000));
	CHECK(!echo_from_here("tcp", "127.0.0.1", 8212, 500));
	OK(network_disconnect("x", &a, &err));
	OK(network_disconnect("y", &b, &err));
	OK(network_delete("four", &err));
	OK(network_delete("only", &err));
	network_endpoint_free(&a);
	network_endpoint_free(&b);
	network_shutdown();
	box_close(&x);
	box_close(&y);
}

static void part_families(void)
{
	wipe();
	CHECK(in_daemon(config(), body_families, NULL) == 0);
}

static void body_die(void *arg)
{
	struct network_port p = port(81, "tcp", "", 8221, 8221);
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;

	OK(make_network("{\"Name\":\"six\",\"EnableIPv6\":true," SUBNETS, &err));
	OK(join_network(arg, "six", "c1", &p, 1, &e, &err));
	if (!part_failed)
		raise(SIGKILL);
}

static void body_sweep(void *arg)
{
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;

	CHECK(rules6_have("8221"));
	network_sweep(NULL);
	firewall_flush();
	CHECK(!rules6_have("8221") && !rules6_have("2001:db8:9::2"));
	CHECK(rules6_have("-s 2001:db8:9::/64")); /* the network's own */
	CHECK(!echo_from_here("tcp", "::1", 8221, 500) && no_veths());
	OK(join_network(arg, "six", "c1", NULL, 0, &e, &err));
	CHECK(!strcmp(e.ipv6, "2001:db8:9::2"));
	OK(network_disconnect("c1", &e, &err));
	OK(network_delete("six", &err));
	network_shutdown();
}

static void part_killed(void)
{
	struct box x;

	wipe();
	box_open(&x);
	CHECK(WIFSIGNALED(in_daemon(config(), body_die, &x)));
	CHECK(in_daemon(config(), body_sweep, &x) == 0);
	box_close(&x);
}

static void body_default(void *arg)
{
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;
	struct box x;

	(void)arg;
	box_open(&x);
	OK(join(&x, "x", NULL, 0, &e, &err));
	CHECK(!strcmp(e.ipv6, "2001:db8:a::80") && !strcmp(e.gateway6, "2001:db8:a::9"));
	CHECK(box_serve(&x, "tcp6", 81) && echo_from_here("tcp", e.ipv6, 81, 5000));
	OK(network_disconnect("x", &e, &err));
	network_shutdown();
	box_close(&x);
}

static void part_default(void)
{
	struct network_config c = config();
	struct error err = ERROR_INIT;

	wipe();
	c.ipv6 = true;
	c.bip6 = "2001:db8:a::1/64";
	c.fixed_cidr6 = "2001:db8:a::80/121";
	c.default_gateway6 = "2001:db8:a::9";
	CHECK(in_daemon(c, body_default, NULL) == 0);
	c.bip6 = "2001:db8:a::/64";
	CHECK(network_init(&c, &err) < 0 &&
	      strstr(err.text, "bip6 2001:db8:a::/64 is the address of a network"));
	c.bip6 = "2001:db8:a::1/64";
	c.fixed_cidr6 = "2001:db8:b::/80";
	CHECK(network_init(&c, &err) < 0 &&
	      strstr(err.text, "fixed-cidr-v6 2001:db8:b::/80 is not within the bridge's subnet"));
	c.fixed_cidr6 = "10.0.0.0/8";
	CHECK(network_init(&c, &err) < 0 && strstr(err.text, "is of the other family"));
}

static void tests(void)
{
	run("both families", part_dual);
	run("one family inside, another outside", part_families);
	run("a daemon is killed", part_killed);
	run("the default bridge", part_default);
}

int main(void)
{
	return host_main(tests);
}
