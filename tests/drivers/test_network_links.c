/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers with links of their own on a link of the host (macvlan), of both families, with a neighbour behind that link; and what a daemon that is killed leaves in
 * a namespace that lives on. Needs root (77: skipped).
 */
#include "network_host.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char network[] =
    "{\"Name\":\"lan\",\"Driver\":\"macvlan\",\"EnableIPv6\":true,\"Options\":{\"parent\":\"up0\"},"
    "\"IPAM\":{\"Config\":[{\"Subnet\":\"192.0.2.0/24\",\"Gateway\":\"192.0.2.250\"},"
    "{\"Subnet\":\"2001:db8:7::/64\",\"Gateway\":\"2001:db8:7::250\"}]}}";

static struct box neighbour, living;

static void sh(const char *fmt, pid_t pid)
{
	auto_free char *command = xasprintf(fmt, pid, pid);

	free(output_of(command));
}

static void open_neighbour(void)
{
	box_open(&neighbour);
	sh("ip link add up0 type veth peer name eth0 netns %d && ip link set up0 up && "
	   "nsenter -t %d -n sh -c 'ip link set lo up; ip link set eth0 up; ip addr add "
	   "192.0.2.250/24 dev eth0; "
	   "ip -6 addr add 2001:db8:7::250/64 dev eth0 nodad; ip addr add 203.0.113.1/32 dev lo; "
	   "ip -6 addr add 2001:db8:8::1/128 dev lo nodad'",
	   neighbour.pid);
}

/* Names of the links in a box, without the loopback. */
static char *links_in(const struct box *b)
{
	auto_free char *command = xasprintf(
	    "nsenter -t %d -n ip -o link | sed 's/^[0-9]*: //; s/[@:].*//' | grep -v lo | xargs",
	    b->pid);

	return output_of(command);
}

static bool has_links(const struct box *b, const char *want)
{
	auto_free char *got = links_in(b);

	return !strcmp(got, want);
}

static void body_traffic(void *arg)
{
	struct network_endpoint a = {0}, b = {0};
	struct error err = ERROR_INIT;
	struct box x, y;

	(void)arg;
	OK(make_network(network, &err));
	box_open(&x);
	box_open(&y);
	OK(join_network(&x, "lan", "x", NULL, 0, &a, &err));
	OK(join_network(&y, "lan", "y", NULL, 0, &b, &err));
	CHECK(!strcmp(a.ipv4, "192.0.2.1") && !strcmp(a.ipv6, "2001:db8:7::1"));
	CHECK(!strcmp(b.gateway4, "192.0.2.250") && !strcmp(b.gateway6, "2001:db8:7::250"));
	CHECK(!strcmp(a.mac, "02:42:c0:00:02:01") && !*a.host_ifname);
	CHECK(box_serve(&x, "tcp", 80) && box_serve(&x, "tcp6", 81));
	CHECK(box_serve(&neighbour, "tcp", 80) && box_serve(&neighbour, "tcp6", 81));
	CHECK(box_echo(&y, "tcp", a.ipv4, 80) && box_echo(&y, "tcp", a.ipv6, 81));
	CHECK(box_echo(&neighbour, "tcp", a.ipv4, 80) && box_echo(&neighbour, "tcp", a.ipv6, 81));
	/* beyond the subnets, by the default routes */
	CHECK(box_echo(&y, "tcp", "203.0.113.1", 80) && box_echo(&y, "tcp", "2001:db8:8::1", 81));
	CHECK(!echo_from_here("tcp", a.ipv4, 80, 500)); /* the host itself has no part in it */
	OK(network_disconnect("x", &a, &err));
	CHECK(has_links(&x, "\n"));
	OK(network_disconnect("x", &a, &err)); /* bears repetition */
	OK(join_network(&x, "lan", "x", NULL, 0, &a, &err));
	CHECK(!strcmp(a.ipv4, "192.0.2.1") && has_links(&x, "eth0\n"));
	box_close(&x);
	OK(network_disconnect("x", &a,
			      &err)); /* the namespace lives as long as somebody keeps it */
	OK(network_disconnect("y", &b, &err));
	OK(network_delete("lan", &err));
	network_shutdown();
	box_close(&y);
}

static void part_traffic(void)
{
	wipe();
	CHECK(in_daemon(config(), body_traffic, NULL) == 0);
}

static void body_die(void *arg)
{
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;

	(void)arg;
	OK(make_network(network, &err));
	OK(join_network(&living, "lan", "c1", NULL, 0, &e, &err));
	CHECK(has_links(&living, "eth0\n"));
	if (!part_failed)
		raise(SIGKILL);
}

static int namespace_of(const char *container_id)
{
	return streq(container_id, "c1") ? dup(living.netns_fd) : -1;
}

static void body_sweep(void *arg)
{
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;

	(void)arg;
	network_sweep(namespace_of);
	CHECK(has_links(&living, "\n"));
	OK(join_network(&living, "lan", "c1", NULL, 0, &e, &err));
	CHECK(!strcmp(e.ipv4, "192.0.2.1")); /* nobody has it any more */
	OK(network_disconnect("c1", &e, &err));
	OK(network_delete("lan", &err));
	network_shutdown();
}

/* The container runs and knows nothing of the network that it was about to join. */
static void part_killed(void)
{
	wipe();
	box_open(&living);
	CHECK(WIFSIGNALED(in_daemon(config(), body_die, NULL)));
	CHECK(has_links(&living, "eth0\n"));
	CHECK(in_daemon(config(), body_sweep, NULL) == 0);
	box_close(&living);
}

static void tests(void)
{
	open_neighbour();
	run("containers on a link of the host", part_traffic);
	run("a killed daemon's link in a namespace that lives on", part_killed);
	box_close(&neighbour);
}

int main(void)
{
	return host_main(tests);
}
