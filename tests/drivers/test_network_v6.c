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

/* ---- a host without a table -------------------------------------------------------------------------------------------------------------- */

/* In this daemon's process, ip6tables-restore refuses everything. */
static void break_ip6tables(void)
{
	auto_free char *command = xasprintf(
	    "mkdir -p %s/bin && ln -sf \"$(command -v iptables-restore)\" %s/bin/ && "
	    "printf '#!/bin/sh\\necho no such table >&2\\nexit 1\\n' >%s/bin/ip6tables-restore && "
	    "chmod 755 %s/bin/ip6tables-restore",
	    base_dir, base_dir, base_dir, base_dir);
	auto_free char *path = xasprintf("%s/bin:%s", base_dir, getenv("PATH"));

	free(output_of(command));
	setenv("PATH", path, 1);
}

static bool bridge_has(const char *address)
{
	auto_free char *all = output_of("ip addr show type bridge");

	return strstr(all, address) != NULL;
}

static void body_create_fails(void *arg)
{
	struct error err = ERROR_INIT;

	(void)arg;
	for (int i = 0; i < 2; i++) {
		CHECK(make_network("{\"Name\":\"six\",\"EnableIPv6\":true," SUBNETS, &err) < 0);
		CHECK(strstr(err.text, "no such table"));
		CHECK(!bridge_has("10.88.0.1"));
		firewall_flush();
		CHECK(!rules_have("10.88.0.0"));
	}
	err = (struct error)ERROR_INIT;
	OK(make_network("{\"Name\":\"four\"," /* the subnet is free again */
			"\"IPAM\":{\"Config\":[{\"Subnet\":\"10.88.0.0/24\"}]},"
			"\"Options\":{\"com.docker.network.bridge.name\":\"tbr0\"}}",
			&err));
	CHECK(make_network("{\"Name\":\"same\",\"Options\":{"
			   "\"com.docker.network.bridge.name\":\"tbr0\"}}",
			   &err) < 0);
	CHECK(make_network("{\"Name\":\"bad\",\"Options\":{"
			   "\"com.docker.network.bridge.name\":\"much-too-long-for-it\"}}",
			   &err) < 0);
	firewall_flush();
	CHECK(bridge_has("10.88.0.1") && rules_have("10.88.0.0/24"));
	err = (struct error)ERROR_INIT;
	OK(network_delete("four", &err));
	CHECK(!bridge_has("tbr0"));
	network_shutdown();
}

/* What a driver had made of a network goes with the attempt; what is another network's stays. */
static void part_create_fails(void)
{
	auto_free char *path = xstrdup(getenv("PATH")), *left = NULL,
		       *command = xasprintf("ls -A %s/run/network/unfinished", base_dir);

	wipe();
	break_ip6tables();
	CHECK(in_daemon(config(), body_create_fails, NULL) == 0);
	left = output_of(command);
	CHECK(!*left);
	setenv("PATH", path, 1);
}

static void body_make(void *arg)
{
	struct error err = ERROR_INIT;

	(void)arg;
	OK(make_network("{\"Name\":\"six\",\"EnableIPv6\":true," SUBNETS, &err));
	OK(make_network("{\"Name\":\"four\"}", &err));
	network_shutdown();
}

static void body_unusable(void *arg)
{
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;

	CHECK(join_network(arg, "six", "c1", NULL, 0, &e, &err) < 0);
	CHECK(strstr(err.text, "network six can't be used"));
	err = (struct error)ERROR_INIT;
	OK(join_network(arg, "four", "c1", NULL, 0, &e, &err));
	OK(network_disconnect("c1", &e, &err));
	network_endpoint_free(&e);
	network_shutdown();
}

static void body_usable(void *arg)
{
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;

	OK(join_network(arg, "six", "c1", NULL, 0, &e, &err));
	OK(network_disconnect("c1", &e, &err));
	OK(network_delete("six", &err));
	OK(network_delete("four", &err));
	network_endpoint_free(&e);
	network_shutdown();
}

/* One user's network that can't be brought up is no reason not to start. */
static void part_unusable(void)
{
	auto_free char *path = xstrdup(getenv("PATH"));
	struct box x;

	wipe();
	box_open(&x);
	CHECK(in_daemon(config(), body_make, NULL) == 0);
	free(output_of(
	    "ip6tables -F; ip6tables -F -t nat")); /* else all of it would be there already */
	break_ip6tables();
	CHECK(in_daemon(config(), body_unusable, &x) == 0);
	setenv("PATH", path, 1);
	CHECK(in_daemon(config(), body_usable, &x) == 0);
	box_close(&x);
}

/* ---- forwarding ------------------------------------------------------------------------------------------------------------------------ */

static void body_nothing(void *arg)
{
	(void)arg;
	network_shutdown();
}

static void body_forward(void *arg)
{
	struct error err = ERROR_INIT;

	(void)arg;
	CHECK(make_network("{\"Name\":\"six\",\"EnableIPv6\":true," SUBNETS, &err) < 0);
	network_shutdown();
}

/* Without its policy there is no forwarding either. */
static void part_forward(void)
{
	auto_free char *path = xstrdup(getenv("PATH")), *off = NULL, *on = NULL;

	wipe();
	free(output_of("ip6tables -P FORWARD ACCEPT; iptables -P FORWARD ACCEPT; "
		       "echo 0 >/proc/sys/net/ipv6/conf/all/forwarding; echo 0 "
		       ">/proc/sys/net/ipv4/ip_forward"));
	break_ip6tables();
	CHECK(in_daemon(config(), body_forward, NULL) == 0);
	off = output_of("cat /proc/sys/net/ipv6/conf/all/forwarding");
	CHECK(!strcmp(off, "0\n"));
	setenv("PATH", path, 1);
	CHECK(in_daemon(config(), body_nothing, NULL) == 0);
	on = output_of("cat /proc/sys/net/ipv4/ip_forward");
	CHECK(!strcmp(on, "1\n") && rules_have(":FORWARD DROP"));
}

static void tests(void)
{
	run("both families", part_dual);
	run("one family inside, another outside", part_families);
	run("a daemon is killed", part_killed);
	run("the default bridge", part_default);
	run("a network that can't be made leaves nothing", part_create_fails);
	run("a network that does not come up hinders nobody", part_unusable);
	run("no forwarding without its policy", part_forward);
}

int main(void)
{
	return host_main(tests);
}
