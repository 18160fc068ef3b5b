/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network drivers, in a network namespace of the check's own that stands for the host; a child process in a further one stands for a container.
 * Firewall and proxy are the tester's books (host.c). Links may vanish a moment after `leave`: the kernel's word is awaited.
 */
#include "kit.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETWORK_ID "4b69740000000000000000000000000000000000000000000000000000000001"
#define PARENT "kit-parent"

/* ---- A container's namespace --------------------------------------------------------------------------------------------------------- */

struct box {
	pid_t pid;
	int netns, netlink, ctl; /* ctl: a datagram socket in there, for questions */
};

static void box_open(struct kit *k, struct box *b)
{
	auto_free char *path = NULL;
	int up[2], fds[2], pidfd;

	KIT_CHECK(k, pipe2(up, O_CLOEXEC) == 0, "pipe");
	b->pid = fork();
	if (b->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0)
			_exit(1);
		fds[0] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
		fds[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (write(up[1], fds, sizeof(fds)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	close(up[1]);
	KIT_CHECK(k, b->pid > 0 && read(up[0], fds, sizeof(fds)) == sizeof(fds),
		  "no network namespace for a container");
	close(up[0]);
	path = xasprintf("/proc/%d/ns/net", (int)b->pid);
	pidfd = (int)syscall(SYS_pidfd_open, b->pid, 0);
	b->netns = open(path, O_RDONLY | O_CLOEXEC);
	b->netlink = (int)syscall(SYS_pidfd_getfd, pidfd, fds[0], 0);
	b->ctl = (int)syscall(SYS_pidfd_getfd, pidfd, fds[1], 0);
	close(pidfd);
	KIT_CHECK(k, b->netns >= 0 && b->netlink >= 0 && b->ctl >= 0, "descriptors of a namespace");
}

static void box_close(struct box *b)
{
	kill(b->pid, SIGKILL);
	waitpid(b->pid, NULL, 0);
	fd_close(&b->netns);
	fd_close(&b->netlink);
	fd_close(&b->ctl);
}

/* ---- The host's namespace -------------------------------------------------------------------------------------------------------------- */

static unsigned int count_links(void)
{
	struct if_nameindex *all = if_nameindex();
	unsigned int n = 0;

	for (struct if_nameindex *i = all; i && i->if_name; i++)
		n++;
	if_freenameindex(all);
	return n;
}

static char *link_names(void)
{
	struct if_nameindex *all = if_nameindex();
	auto_strlist names = STRLIST_INIT;

	for (struct if_nameindex *i = all; i && i->if_name; i++)
		strlist_add(&names, i->if_name);
	if_freenameindex(all);
	return strlist_join(&names, ", ");
}

static void links_are(struct kit *k, unsigned int want, const char *when)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	auto_close nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct pollfd p = {.fd = nl, .events = POLLIN};
	char buf[8192];

	KIT_CHECK(k, bind(nl, (struct sockaddr *)&sa, sizeof(sa)) == 0, "netlink");
	while (count_links() != want)
		KIT_CHECK(k, poll(&p, 1, 10000) == 1 && recv(nl, buf, sizeof(buf), 0) > 0,
			  "%s: the host has %u links, expected %u: %s", when, count_links(), want,
			  link_names());
}

/* ---- Calls; an op that is not there has nothing to do --------------------------------------------------------------------------------- */

#define OP(k, op, ...) ((k)->plugin->ops.network.op ? KIT_CALL(k, network, op, __VA_ARGS__) : 0)
#define MUST_OP(k, op, ...)                                    \
	do {                                                   \
		if ((k)->plugin->ops.network.op)               \
			KIT_MUST(k, network, op, __VA_ARGS__); \
	} while (0)

struct net {
	struct dockerd_network n;
	struct dockerd_options *options;
	struct dockerd_subnet subnet[2];
	unsigned int links; /* before it was made */
};

/* A link of the host for drivers whose networks stand on one: those with an option "parent". */
static void parent_up(struct kit *k)
{
	auto_close fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {.ifr_name = PARENT, .ifr_flags = IFF_UP};

	KIT_CHECK(k,
		  (ioctl(fd, SIOCBRADDBR, PARENT) == 0 || errno == EEXIST) &&
		      ioctl(fd, SIOCSIFFLAGS, &r) == 0,
		  "no link to stand on: %s", strerror(errno));
}

/* Both the driver and the host have it. */
static bool with_ipv6(const struct kit *k)
{
	return k->plugin->capabilities & DOCKERD_NETWORK_CAP_IPV6 &&
	       access("/proc/sys/net/ipv6", F_OK) == 0;
}

static bool wants_parent(const struct kit *k)
{
	for (uint32_t i = 0; i < k->plugin->option_count; i++)
		if (streq(k->plugin->options[i].key, "parent") &&
		    k->plugin->options[i].scope & DOCKERD_SCOPE_NETWORK)
			return true;
	return false;
}

static void net_init(struct kit *k, struct net *net)
{
	auto_pairs more = PAIRS_INIT;

	if (wants_parent(k)) {
		parent_up(k);
		pairs_set(&more, "parent", PARENT);
	}
	*net = (struct net){.options = kit_options(k, DOCKERD_SCOPE_NETWORK, &more),
			    .links = count_links()};
	net->subnet[0] = (struct dockerd_subnet){
	    .size = sizeof(net->subnet[0]), .subnet = "10.211.0.0/24", .gateway = "10.211.0.1"};
	net->subnet[1] = (struct dockerd_subnet){
	    .size = sizeof(net->subnet[1]), .subnet = "fd00:211::/64", .gateway = "fd00:211::1"};
	net->n = (struct dockerd_network){.size = sizeof(net->n),
					  .flags = DOCKERD_NETWORK_IPV4,
					  .id = NETWORK_ID,
					  .name = "kit",
					  .options = net->options};
	if (k->plugin->capabilities & DOCKERD_NETWORK_CAP_ADDRESSES) {
		net->n.subnets = net->subnet;
		net->n.subnet_count = 1;
		if (with_ipv6(k)) {
			net->n.subnet_count = 2;
			net->n.flags |= DOCKERD_NETWORK_IPV6;
		}
	}
}

static void net_open(struct kit *k, struct net *net)
{
	if (geteuid() != 0)
		kit_skip(k, "needs root");
	kit_open(k);
	net_init(k, net);
	MUST_OP(k, network_create, &net->n);
}

static void net_close(struct kit *k, struct net *net)
{
	MUST_OP(k, network_delete, &net->n);
	links_are(k, net->links, "after network_delete");
	KIT_CHECK(k, host_proxies() == 0, "%u proxies still run after network_delete",
		  host_proxies());
	plugin_options_free(net->options);
}

static struct dockerd_endpoint endpoint(struct kit *k, const struct box *b, unsigned int n)
{
	static char text[4][4][80];
	static struct dockerd_address address[4][2];
	struct dockerd_endpoint e = {.size = sizeof(e),
				     .ifname = "eth0",
				     .netns_fd = b->netns,
				     .netlink_fd = b->netlink,
				     .flags = DOCKERD_ENDPOINT_ROUTE_IPV4 |
					      (with_ipv6(k) ? DOCKERD_ENDPOINT_ROUTE_IPV6 : 0),
				     .name = "kit-container"};

	snprintf(text[n][0], 80, "%u7%062u", n, 0);
	snprintf(text[n][1], 80, "%u8%062u", n, 0);
	snprintf(text[n][2], 80, "10.211.0.%u/24", n + 2);
	snprintf(text[n][3], 80, "fd00:211::%u/64", n + 2);
	e.id = text[n][0];
	e.container_id = text[n][1];
	for (int v6 = 0; v6 < 2; v6++)
		address[n][v6] = (struct dockerd_address){.size = sizeof(address[n][v6]),
							  .address = text[n][2 + v6]};
	if (k->plugin->capabilities & DOCKERD_NETWORK_CAP_ADDRESSES) {
		e.addresses = address[n];
		e.address_count = with_ipv6(k) ? 2 : 1;
	}
	return e;
}

/* ---- What the kernel knows in the container, asked through the socket that was born in there ------------------------------------------ */

/* Is there an answer to the question that fits? */
static bool any_answer(struct kit *k, const struct box *b, uint16_t type, unsigned char family,
		       bool (*fits)(const struct nlmsghdr *h, const void *arg), const void *arg)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg r; /* the longest; all begin with the family */
	} ask = {.h = {.nlmsg_len = sizeof(ask),
		       .nlmsg_type = type,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		       .nlmsg_seq = 77},
		 .r = {.rtm_family = family}};
	char buf[16384];
	bool found = false;
	ssize_t n;

	KIT_CHECK(k, send(b->netlink, &ask, sizeof(ask), 0) == sizeof(ask), "netlink question %u",
		  type);
	while ((n = recv(b->netlink, buf, sizeof(buf), 0)) > 0)
		for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; NLMSG_OK(h, (size_t)n);
		     h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_seq != 77)
				continue;
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return found;
			found = found || fits(h, arg);
		}
	return found;
}

static bool is_default_route(const struct nlmsghdr *h, const void *arg)
{
	const struct rtmsg *r = NLMSG_DATA(h);

	return r->rtm_family == *(const unsigned char *)arg && r->rtm_dst_len == 0 &&
	       r->rtm_table == RT_TABLE_MAIN && r->rtm_type == RTN_UNICAST;
}

/* Of each family that the driver has. */
static bool has_default_route(struct kit *k, const struct box *b)
{
	const unsigned char families[2] = {AF_INET, AF_INET6};
	bool v4 = any_answer(k, b, RTM_GETROUTE, AF_INET, is_default_route, &families[0]);

	if (with_ipv6(k))
		KIT_CHECK(
		    k,
		    any_answer(k, b, RTM_GETROUTE, AF_INET6, is_default_route, &families[1]) == v4,
		    "the default routes of IPv4 and of IPv6 don't come and go together");
	return v4;
}

/* Usable at once: not while duplicates are searched for. */
static bool is_address(const struct nlmsghdr *h, const void *arg)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	const struct rtattr *a = IFA_RTA(m);
	unsigned int left = IFA_PAYLOAD(h);

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFA_ADDRESS && RTA_PAYLOAD(a) == 16 &&
		    !memcmp(RTA_DATA(a), arg, 16))
			return !(m->ifa_flags & IFA_F_TENTATIVE);
	return false;
}

static void judge_inside(struct kit *k, const struct box *b, const struct dockerd_endpoint *e)
{
	struct ifreq r = {0};
	struct in_addr want;
	char ip[INET6_ADDRSTRLEN] = "";
	unsigned char six[16];
	const char *address = dockerd_address_of(e, 0);

	if (!address)
		return;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", e->ifname);
	KIT_CHECK(k, ioctl(b->ctl, SIOCGIFFLAGS, &r) == 0, "the container has no %s", e->ifname);
	KIT_CHECK(k, r.ifr_flags & IFF_UP, "%s in the container is down", e->ifname);
	KIT_CHECK(k, ioctl(b->ctl, SIOCGIFADDR, &r) == 0, "%s has no address", e->ifname);
	snprintf(ip, sizeof(ip), "%.*s", (int)strcspn(address, "/"), address);
	inet_pton(AF_INET, ip, &want);
	KIT_CHECK(k, ((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr == want.s_addr,
		  "%s has another address than %s", e->ifname, address);
	if (dockerd_address_of(e, 1)) {
		snprintf(ip, sizeof(ip), "%.*s", (int)strcspn(dockerd_address_of(e, 1), "/"),
			 dockerd_address_of(e, 1));
		inet_pton(AF_INET6, ip, six);
		KIT_CHECK(k, any_answer(k, b, RTM_GETADDR, AF_INET6, is_address, six),
			  "%s has not %s, or not yet", e->ifname, ip);
	}
	KIT_CHECK(k, !e->out_mac[0] || strlen(e->out_mac) == 17, "out_mac is '%s'", e->out_mac);
	KIT_CHECK(k, memchr(e->out_host_ifname, '\0', sizeof(e->out_host_ifname)),
		  "out_host_ifname does not end");
	if (e->out_host_ifname[0])
		KIT_CHECK(k, if_nametoindex(e->out_host_ifname),
			  "out_host_ifname '%s' is no link of the host", e->out_host_ifname);
}

/* ---- checks --------------------------------------------------------------------------------------------------------------------------- */

static void check_network(struct kit *k)
{
	struct net net;

	net_open(k, &net);
	MUST_OP(k, network_create, &net.n); /* repairs */
	MUST_OP(k, network_delete, &net.n);
	net_close(k, &net);
}

static void check_unknown(struct kit *k)
{
	struct net net;
	struct box b;
	struct dockerd_endpoint e;

	if (geteuid() != 0)
		kit_skip(k, "needs root");
	kit_open(k);
	net_init(k, &net);
	MUST_OP(k, network_delete, &net.n);
	MUST_OP(k, network_create, &net.n);
	box_open(k, &b);
	e = endpoint(k, &b, 0);
	MUST_OP(k, leave, &net.n, &e);
	box_close(&b);
	net_close(k, &net);
}

static void check_join(struct kit *k)
{
	struct dockerd_endpoint e[2];
	struct box b[2];
	struct net net;
	unsigned int links;

	net_open(k, &net);
	links = count_links();
	for (unsigned int i = 0; i < 2; i++) {
		box_open(k, &b[i]);
		e[i] = endpoint(k, &b[i], i);
		MUST_OP(k, join, &net.n, &e[i]);
		judge_inside(k, &b[i], &e[i]);
	}
	if (e[0].address_count && e[0].out_mac[0])
		KIT_CHECK(k, strcmp(e[0].out_mac, e[1].out_mac) != 0, "two endpoints have one MAC");
	MUST_OP(k, leave, &net.n, &e[0]);
	MUST_OP(k, leave, &net.n, &e[0]);
	judge_inside(k, &b[1], &e[1]);
	/* the namespace goes first */
	box_close(&b[1]);
	e[1].netns_fd = e[1].netlink_fd = -1;
	MUST_OP(k, leave, &net.n, &e[1]);
	links_are(k, links, "after leave");
	/* and the first container joins again, at its address */
	MUST_OP(k, join, &net.n, &e[0]);
	judge_inside(k, &b[0], &e[0]);
	MUST_OP(k, leave, &net.n, &e[0]);
	box_close(&b[0]);
	net_close(k, &net);
}

/* After a crash the daemon may know no more than the ids and the addresses. */
static void check_leave_by_id(struct kit *k)
{
	struct dockerd_endpoint e, bare;
	struct box b;
	struct net net;

	net_open(k, &net);
	box_open(k, &b);
	e = endpoint(k, &b, 0);
	MUST_OP(k, join, &net.n, &e);
	kit_close(k);
	kit_open(k);
	MUST_OP(k, network_create, &net.n);
	bare = endpoint(k, &b, 0);
	box_close(&b);
	bare.netns_fd = bare.netlink_fd = -1;
	MUST_OP(k, leave, &net.n, &bare);
	net_close(k, &net);
}

static void check_adopt(struct kit *k)
{
	struct dockerd_endpoint e;
	struct box b;
	struct net net;

	net_open(k, &net);
	box_open(k, &b);
	e = endpoint(k, &b, 0);
	MUST_OP(k, join, &net.n, &e);
	kit_close(k);
	kit_open(k);
	judge_inside(k, &b, &e); /* it went on meanwhile */
	MUST_OP(k, network_create, &net.n);
	MUST_OP(k, adopt, &net.n, &e);
	judge_inside(k, &b, &e);
	if (k->plugin->ops.network.refresh) {
		struct dockerd_error err = {.size = sizeof(err)};

		kit_must(k, "refresh", k->plugin->ops.network.refresh(k->instance.self, &err),
			 &err);
	}
	MUST_OP(k, leave, &net.n, &e);
	box_close(&b);
	net_close(k, &net);
}

static struct dockerd_port port(uint32_t inside, uint32_t outside)
{
	return (struct dockerd_port){.size = sizeof(struct dockerd_port),
				     .container_port = inside,
				     .proto = "tcp",
				     .host_ip = "0.0.0.0",
				     .host_port_start = outside,
				     .host_port_end = outside};
}

static void check_ports(struct kit *k)
{
	struct dockerd_port first[] = {port(80, 18080), port(81, 0)},
			    second[] = {port(90, 0), port(80, 18080)};
	struct dockerd_endpoint e[2];
	struct box b[2];
	struct net net;
	unsigned int links, proxies;

	net_open(k, &net);
	for (unsigned int i = 0; i < 2; i++) {
		box_open(k, &b[i]);
		e[i] = endpoint(k, &b[i], i);
		e[i].port_count = 2;
	}
	e[0].ports = first;
	e[1].ports = second;
	MUST_OP(k, join, &net.n, &e[0]);
	KIT_CHECK(k, first[0].bound_port == 18080, "bound_port is %u, expected 18080",
		  first[0].bound_port);
	KIT_CHECK(k, first[1].bound_port && first[1].bound_port < 65536,
		  "an ephemeral port was bound to %u", first[1].bound_port);
	links = count_links();
	proxies = host_proxies();
	/* a port that is taken: everything is undone */
	KIT_CHECK(k, OP(k, join, &net.n, &e[1]) < 0, "one host port is published twice");
	links_are(k, links, "after a join that failed");
	KIT_CHECK(k, host_proxies() == proxies, "a join that failed left proxies");
	MUST_OP(k, leave, &net.n, &e[0]);
	KIT_CHECK(k, host_proxies() == 0, "%u proxies still run after leave", host_proxies());
	MUST_OP(k, join, &net.n, &e[1]);
	MUST_OP(k, leave, &net.n, &e[1]);
	box_close(&b[0]);
	box_close(&b[1]);
	net_close(k, &net);
}

/* The way out comes, with ports, and goes again. */
static void check_update(struct kit *k)
{
	struct dockerd_port ports[] = {port(80, 18080), port(81, 0)};
	struct dockerd_endpoint e, was;
	struct box b;
	struct net net;

	net_open(k, &net);
	if (!k->plugin->ops.network.update)
		kit_skip(k, "no op update");
	box_open(k, &b);
	e = endpoint(k, &b, 0);
	e.flags = 0;
	MUST_OP(k, join, &net.n, &e);
	KIT_CHECK(k, !has_default_route(k, &b), "a default route that nobody asked for");
	was = e;
	e.flags = DOCKERD_ENDPOINT_ROUTE_IPV4 | (with_ipv6(k) ? DOCKERD_ENDPOINT_ROUTE_IPV6 : 0);
	if (k->plugin->capabilities & DOCKERD_NETWORK_CAP_PORTS) {
		e.ports = ports;
		e.port_count = 2;
	}
	MUST_OP(k, update, &net.n, &was, &e);
	KIT_CHECK(k, !e.address_count || has_default_route(k, &b), "no default route after update");
	KIT_CHECK(k, !e.port_count || (ports[0].bound_port == 18080 && ports[1].bound_port),
		  "ports were bound to %u and %u, expected 18080 and some", ports[0].bound_port,
		  ports[1].bound_port);
	judge_inside(k, &b, &e);
	was = e;
	e.flags = 0;
	e.port_count = 0;
	MUST_OP(k, update, &net.n, &was, &e);
	KIT_CHECK(k, !has_default_route(k, &b), "the default route stayed");
	KIT_CHECK(k, host_proxies() == 0, "%u proxies still run after update", host_proxies());
	judge_inside(k, &b, &e);
	MUST_OP(k, leave, &net.n, &e);
	box_close(&b);
	net_close(k, &net);
}

static void faults(struct kit *k)
{
	struct dockerd_error err = {.size = sizeof(err)};
	struct dockerd_port ports[] = {port(80, 18080)};
	struct dockerd_endpoint e;
	struct box b;
	struct net net;

	if (geteuid() != 0)
		kit_skip(k, "needs root");
	if (kit_try_open(k, &err) < 0)
		return;
	net_init(k, &net);
	box_open(k, &b);
	if (OP(k, network_create, &net.n) == 0) {
		unsigned int links = count_links();

		e = endpoint(k, &b, 0);
		e.ports = ports;
		e.port_count = k->plugin->capabilities & DOCKERD_NETWORK_CAP_PORTS ? 1 : 0;
		if (OP(k, join, &net.n, &e) < 0)
			links_are(k, links, "after a join that failed");
		else if (OP(k, leave, &net.n, &e) < 0)
			MUST_OP(k, leave, &net.n, &e);
		KIT_CHECK(k, host_proxies() == 0, "%u proxies still run", host_proxies());
	}
	box_close(&b);
	if (OP(k, network_delete, &net.n) < 0)
		MUST_OP(k, network_delete, &net.n);
	links_are(k, net.links, "at the end");
	plugin_options_free(net.options);
}

static const struct kit_check checks[] = {
    {"a network is made twice and deleted twice", check_network, 0},
    {"networks and endpoints that never were", check_unknown, 0},
    {"join, leave twice, leave without the namespace, join again", check_join, 0},
    {"leave by no more than ids and addresses", check_leave_by_id, 0},
    {"a second instance adopts a live endpoint", check_adopt, 0},
    {"the way out and its ports come and go", check_update, 0},
    {"published ports: fixed, ephemeral, taken", check_ports, DOCKERD_NETWORK_CAP_PORTS},
};

const struct kit_suite suite_network = {.name = "network",
					.checks = checks,
					.n = ARRAY_LEN(checks),
					.faults = faults,
					.own_network = true};
