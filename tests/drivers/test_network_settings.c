/* SPDX-License-Identifier: Apache-2.0 */
/* The network room under other settings than the default ones. Needs root (77: skipped). */
#include "network_host.h"

#include <stdlib.h>
#include <unistd.h>

static void body_no_icc(void *arg)
{
	struct network_port p = port(80, "tcp", "", 8089, 8089);
	struct network_endpoint a = {0}, b = {0};
	struct error err = ERROR_INIT;
	struct box x, y;

	(void)arg;
	/* The bridge's frames must pass the filter for icc=false to mean anything. */
	free(output_of("modprobe br_netfilter 2>/dev/null; sysctl -qw "
		       "net.bridge.bridge-nf-call-iptables=1 2>/dev/null"));
	box_open(&x);
	box_open(&y);
	OK(join(&x, "x", &p, 1, &a, &err));
	OK(join(&y, "y", NULL, 0, &b, &err));
	CHECK(rules_have("-A DOCKER-FORWARD -i testbr0 -o testbr0 -j DROP\n-A DOCKER-FORWARD -i "
			 "testbr0 ! -o testbr0 -j ACCEPT"));
	CHECK(box_serve(&x, "tcp", 80));
	if (access("/proc/sys/net/bridge/bridge-nf-call-iptables", F_OK) == 0)
		CHECK(!box_echo(&y, "tcp", a.ipv4, 80));
	CHECK(!strcmp(a.ipv4, "10.99.0.2") && !strcmp(a.gateway4, "10.99.0.1"));
	/* No proxy: host to published port is DNAT, by loopback as well. */
	CHECK(echo_from_here("tcp", "127.0.0.1", 8089, 5000));
	CHECK(a.n_ports == 1);
	OK(network_disconnect("x", &a, &err));
	OK(network_disconnect("y", &b, &err));
	network_shutdown();
	network_endpoint_free(&a);
	network_endpoint_free(&b);
	box_close(&x);
	box_close(&y);
}

static void part_own_bridge(void)
{
	struct network_config c = config();
	struct error err = ERROR_INIT;

	wipe();
	c.bridge = "testbr0";
	CHECK(network_init(&c, &err) < 0);
	CHECK(strstr(err.text,
		     "bridge device with non default name testbr0 must be created manually"));
	c.bip = "10.99.0.1/24";
	c.icc = false;
	c.userland_proxy = false;
	CHECK(in_daemon(c, body_no_icc, NULL) == 0);
}

static void body_plain(void *arg)
{
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;
	struct box x;

	(void)arg;
	box_open(&x);
	OK(join(&x, "x", NULL, 0, &e, &err));
	OK(network_disconnect("x", &e, &err));
	network_shutdown();
	box_close(&x);
}

static void part_no_iptables(void)
{
	struct network_config c = config();
	auto_free char *before = NULL, *after = NULL;

	wipe();
	free(output_of("iptables -A DOCKER-USER -s 192.0.2.77 -j DROP"));
	before = output_of("iptables-save | grep -v '^[#:]'");
	c.iptables = false;
	CHECK(in_daemon(c, body_plain, NULL) == 0);
	after = output_of("iptables-save | grep -v '^[#:]'");
	CHECK(!strcmp(before, after));
}

/* A container's way out carries the host's address. "Outside" is one more namespace behind a veth of its own. */
static void body_masquerade(void *arg)
{
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;
	struct box inside, outside;
	char from[64] = "";
	char command[512];

	(void)arg;
	box_open(&inside);
	box_open(&outside);
	snprintf(command, sizeof(command),
		 "ip link add up0 type veth peer name eth0 netns %d && ip addr add 198.51.100.1/24 "
		 "dev up0 && ip link set up0 up && "
		 "nsenter -t %d -n sh -c 'ip link set lo up; ip addr add 198.51.100.2/24 dev eth0; "
		 "ip link set eth0 up'",
		 outside.pid, outside.pid);
	free(output_of(command));
	OK(join(&inside, "x", NULL, 0, &e, &err));
	CHECK(box_serve(&outside, "tcp", 80));
	CHECK(box_echo(&inside, "tcp", "198.51.100.2", 80));
	CHECK(box_accept_from(&outside, from));
	CHECK(!strcmp(from, "198.51.100.1"));
	/* And the container can't be reached around its published ports. */
	CHECK(box_serve(&inside, "tcp", 80));
	free(output_of("true"));
	snprintf(command, sizeof(command),
		 "nsenter -t %d -n ip route add 172.17.0.0/16 via 198.51.100.1", outside.pid);
	free(output_of(command));
	CHECK(!box_echo(&outside, "tcp", e.ipv4, 80));
	OK(network_disconnect("x", &e, &err));
	network_shutdown();
	network_endpoint_free(&e);
	box_close(&inside);
	box_close(&outside);
}

static void part_masquerade(void)
{
	wipe();
	CHECK(in_daemon(config(), body_masquerade, NULL) == 0);
}

static void tests(void)
{
	run("way out", part_masquerade);
	run("no iptables", part_no_iptables);
	run("own bridge, no icc, no proxy", part_own_bridge);
}

int main(void)
{
	return host_main(tests);
}
