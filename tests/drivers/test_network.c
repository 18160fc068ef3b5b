/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network room with its real drivers, firewall and proxy, in a network namespace of the test's own: real namespaces as containers, real
 * packets. Needs root (77: skipped). Every end of the daemon is a real one: the room runs in a child that is killed.
 */
#include "network_box.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/clock.h"
#include "network/firewall.h"
#include "network/network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char base_dir[] = "/tmp/dockerd-test-network.XXXXXX";
static int test_number, failures;
static bool part_failed;

#define CHECK(cond)                                                         \
	do {                                                                \
		if (!(cond)) {                                              \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
			part_failed = true;                                 \
		}                                                           \
	} while (0)
#define OK(call)                                                                          \
	do {                                                                              \
		if ((call) < 0) {                                                         \
			printf("# %s:%d: %s: %s\n", __FILE__, __LINE__, #call, err.text); \
			part_failed = true;                                               \
		}                                                                         \
	} while (0)

/* ---- the host around it ------------------------------------------------------------------------------------------------------------------ */

/* Output of a command of the test's (never of the daemon's), malloc'ed. */
static char *output_of(const char *command)
{
	FILE *f = popen(command, "r");
	auto_str out = STR_INIT;
	char buf[4096];
	size_t n;

	while (f && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		str_add(&out, buf, n);
	if (f)
		pclose(f);
	return str_steal(&out);
}

static bool rules_have(const char *text)
{
	auto_free char *rules = output_of("iptables-save 2>/dev/null");

	return strstr(rules, text) != NULL;
}

static size_t count_veths(void)
{
	struct if_nameindex *all = if_nameindex();
	size_t n = 0;

	for (struct if_nameindex *i = all; i && i->if_name; i++)
		n += strncmp(i->if_name, "veth", 4) == 0;
	if_freenameindex(all);
	return n;
}

/* Links are deleted after leave has returned: wait for the kernel's word on each change. rtnetlink(7). */
static bool no_veths(void)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	auto_close nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct pollfd p = {.fd = nl, .events = POLLIN};
	char buf[8192];

	if (bind(nl, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return false;
	while (count_veths())
		if (poll(&p, 1, 10000) <= 0 || recv(nl, buf, sizeof(buf), 0) < 0)
			return false;
	return true;
}

static struct network_config config(void)
{
	static char root[128], run[128];

	snprintf(root, sizeof(root), "%s/root", base_dir);
	snprintf(run, sizeof(run), "%s/run", base_dir);
	return (struct network_config){.data_root = root,
				       .exec_root = run,
				       .bridge = "",
				       .mtu = 1500,
				       .icc = true,
				       .ip_forward = true,
				       .ip_masq = true,
				       .iptables = true,
				       .userland_proxy = true,
				       .live_restore = true};
}

static void wipe(void)
{
	struct error err = ERROR_INIT;

	firewall_flush();
	dir_remove_all(AT_FDCWD, base_dir, &err);
	mkdir(base_dir, 0755);
}

static int join(struct box *b, const char *name, const struct network_port *ports, size_t n,
		struct network_endpoint *e, struct error *err)
{
	char id[65];

	memset(id, 'c', 64);
	id[64] = '\0';
	memcpy(id, name, strlen(name));
	return network_connect(&(struct network_join){.container_id = id,
						      .network = "bridge",
						      .netns_fd = b->netns_fd,
						      .netlink_fd = b->netlink_fd,
						      .ports = ports,
						      .n_ports = n,
						      .container_name = name},
			       e, err);
}

static struct network_port port(uint16_t inside, const char *proto, const char *ip, uint16_t first,
				uint16_t last)
{
	struct network_port p = {.container_port = inside, .host_start = first, .host_end = last};

	snprintf(p.proto, sizeof(p.proto), "%s", proto);
	snprintf(p.host_ip, sizeof(p.host_ip), "%s", ip);
	return p;
}

/* pid of the netd whose socket is ours, or 0. */
static pid_t netd_pid(void)
{
	auto_free char *command = xasprintf("ss -xlp 2>/dev/null | grep '%s/run/network/netd.sock' "
					    "| sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p'",
					    base_dir);
	auto_free char *out = output_of(command);

	return (pid_t)atoi(out);
}

/* ---- parts -------------------------------------------------------------------------------------------------------------------------------- */

static void part_join_leave(void)
{
	struct network_endpoint a = {0}, b = {0};
	struct error err = ERROR_INIT;
	struct box x, y;

	box_open(&x);
	box_open(&y);
	OK(join(&x, "x", NULL, 0, &a, &err));
	OK(join(&y, "y", NULL, 0, &b, &err));
	CHECK(!strcmp(a.ipv4, "172.17.0.2") && a.prefix4 == 16 &&
	      !strcmp(a.gateway4, "172.17.0.1"));
	CHECK(!strcmp(b.ipv4, "172.17.0.3"));
	CHECK(!strcmp(a.mac, "02:42:ac:11:00:02") && !strcmp(a.ifname, "eth0"));
	CHECK(count_veths() == 2);
	CHECK(rules_have("-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP"));
	CHECK(box_serve(&x, "tcp", 80));
	CHECK(box_echo(&y, "tcp", a.ipv4, 80));         /* container to container */
	CHECK(echo_from_here("tcp", a.ipv4, 80, 5000)); /* host to container */
	OK(network_disconnect("x", &a, &err));
	OK(network_disconnect("x", &a, &err)); /* bears repetition */
	box_close(&y);
	OK(network_disconnect("y", &b, &err)); /* the namespace is gone */
	CHECK(no_veths());
	firewall_flush();
	CHECK(!rules_have("172.17.0.2") && !rules_have("172.17.0.3"));
	/* The lowest free address is next. */
	OK(join(&x, "x", NULL, 0, &a, &err));
	CHECK(!strcmp(a.ipv4, "172.17.0.2"));
	OK(network_disconnect("x", &a, &err));
	box_close(&x);
	network_endpoint_free(&a);
	network_endpoint_free(&b);
}

static void part_speed(void)
{
	struct error err = ERROR_INIT;
	int64_t best = INT64_MAX, join_best = INT64_MAX, sum = 0;
	int rounds = 20;

	for (int i = 0; i < rounds; i++) {
		struct network_endpoint e = {0};
		struct box b;
		int64_t t0, t1, t2;

		box_open(&b);
		t0 = clock_mono_ns();
		OK(join(&b, "s", NULL, 0, &e, &err));
		t1 = clock_mono_ns();
		OK(network_disconnect("s", &e, &err));
		t2 = clock_mono_ns();
		box_close(&b);
		sum += t2 - t0;
		best = t2 - t0 < best ? t2 - t0 : best;
		join_best = t1 - t0 < join_best ? t1 - t0 : join_best;
		network_endpoint_free(&e);
	}
	printf("# join+leave: %.2f ms mean, %.2f ms best (join %.2f)\n", (double)sum / rounds / 1e6,
	       (double)best / 1e6, (double)join_best / 1e6);
}

static void part_ports(void)
{
	struct network_port wanted[] = {
	    port(80, "tcp", "", 8080, 8080), port(53, "udp", "127.0.0.1", 5300, 5300),
	    port(70, "tcp", "0.0.0.0", 0, 0), port(80, "tcp", "0.0.0.0", 8080, 8082)};
	struct network_endpoint e = {0}, f = {0};
	struct error err = ERROR_INIT;
	struct box x, y;

	box_open(&x);
	box_open(&y);
	OK(join(&x, "web", wanted, 3, &e, &err));
	CHECK(e.n_ports == 4);
	if (e.n_ports == 4) {
		CHECK(!strcmp(e.ports[0].host_ip, "0.0.0.0") && e.ports[0].host_port == 8080);
		CHECK(!strcmp(e.ports[1].host_ip, "::") && e.ports[1].host_port == 8080);
		CHECK(!strcmp(e.ports[2].host_ip, "127.0.0.1") && e.ports[2].host_port == 5300);
		CHECK(e.ports[3].host_port >= 32768);
	}
	CHECK(rules_have("-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT "
			 "--to-destination 172.17.0.2:80"));
	CHECK(rules_have("-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport "
			 "80 -j ACCEPT"));
	CHECK(
	    rules_have("-A PREROUTING -d 127.0.0.1/32 ! -i lo -p udp -m udp --dport 5300 -j DROP"));
	CHECK(box_serve(&x, "tcp", 80));
	CHECK(box_serve(&x, "udp", 53));
	CHECK(echo_from_here("tcp", "127.0.0.1", 8080,
			     5000)); /* through the proxy: 300 kB both ways, half-close */
	CHECK(echo_from_here("tcp", "::1", 8080, 5000));
	CHECK(echo_from_here("udp", "127.0.0.1", 5300, 5000));
	OK(join(&y, "other", &wanted[3], 1, &f, &err)); /* a range takes the first that is free */
	CHECK(f.n_ports == 1 && f.ports[0].host_port == 8081);
	CHECK(box_echo(&y, "tcp", "172.17.0.1",
		       8080)); /* a neighbour, by the host's address: proxied */
	OK(network_disconnect("other", &f, &err));
	network_endpoint_free(&f);
	OK(network_disconnect("web", &e, &err));
	CHECK(!echo_from_here("tcp", "127.0.0.1", 8080, 1000));
	firewall_flush();
	CHECK(!rules_have("8080"));
	network_endpoint_free(&e);
	box_close(&x);
	box_close(&y);
}

static void part_clash(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(8099)};
	auto_close foreign = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct network_port p = port(80, "tcp", "0.0.0.0", 8099, 8099),
			    q = port(80, "tcp", "0.0.0.0", 8098, 8098);
	struct network_endpoint e = {0}, f = {0};
	struct error err = ERROR_INIT;
	struct box x, y;

	box_open(&x);
	box_open(&y);
	CHECK(bind(foreign, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(foreign, 1) == 0);
	CHECK(join(&x, "bb1", &p, 1, &e, &err) < 0);
	CHECK(
	    strstr(err.text, "driver failed programming external connectivity on endpoint bb1 (") ==
	    err.text);
	CHECK(strstr(err.text, "): failed to bind host port for 0.0.0.0:8099:172.17.0.2:80/tcp: "
			       "address already in use"));
	CHECK(no_veths());
	OK(join(&x, "bb1", &q, 1, &e, &err));
	CHECK(join(&y, "bb2", &q, 1, &f, &err) < 0);
	CHECK(strstr(err.text, "Bind for 0.0.0.0:8098 failed: port is already allocated"));
	p = port(80, "tcp", "99.1.1.1", 8097, 8097);
	CHECK(join(&y, "bb2", &p, 1, &f, &err) < 0);
	CHECK(strstr(err.text, "failed to bind host port for 99.1.1.1:8097:172.17.0.3:80/tcp: "
			       "cannot assign requested address"));
	OK(network_disconnect("bb1", &e, &err));
	network_endpoint_free(&e);
	box_close(&x);
	box_close(&y);
}

/* netd dies: the room starts another, which has everything again. */
static void part_netd_killed(void)
{
	struct network_port p = port(80, "tcp", "127.0.0.1", 8085, 8085);
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;
	pid_t old, now = 0;
	struct box x;

	box_open(&x);
	OK(join(&x, "web", &p, 1, &e, &err));
	CHECK(box_serve(&x, "tcp", 80));
	CHECK(echo_from_here("tcp", "127.0.0.1", 8085, 5000));
	old = netd_pid();
	CHECK(old > 0);
	if (old > 0) {
		kill(old, SIGKILL);
		/* The end of the wait is an event: the new one's socket answers. Bounded by tries of a connection each. */
		for (int i = 0; i < 2000 && (now = netd_pid()) <= 0; i++)
			sched_yield();
		CHECK(now > 0 && now != old);
		for (int i = 0; i < 200 && !echo_from_here("tcp", "127.0.0.1", 8085, 5000); i++)
			sched_yield();
		CHECK(echo_from_here("tcp", "127.0.0.1", 8085, 5000));
	}
	OK(network_disconnect("web", &e, &err));
	network_endpoint_free(&e);
	box_close(&x);
}

/* What an operator flushes comes back. */
static void part_flush(void)
{
	struct network_port p = port(80, "tcp", "0.0.0.0", 8086, 8086);
	struct network_endpoint e = {0}, f = {0};
	struct error err = ERROR_INIT;
	struct box x, y;

	box_open(&x);
	box_open(&y);
	OK(join(&x, "web", &p, 1, &e, &err));
	free(output_of("iptables -A DOCKER-USER -s 192.0.2.1 -j DROP; iptables -t nat -F DOCKER; "
		       "iptables -F FORWARD; iptables -F DOCKER-FORWARD"));
	CHECK(!rules_have("8086"));
	network_refresh();
	CHECK(rules_have("--dport 8086 -j DNAT --to-destination 172.17.0.2:80"));
	CHECK(rules_have("-A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-FORWARD\n"));
	CHECK(rules_have("-A DOCKER-FORWARD -i docker0 -j ACCEPT"));
	CHECK(rules_have("-A DOCKER-USER -s 192.0.2.1/32 -j DROP"));
	/* A rule of ours is deleted behind our back: leaving and the next join go on all the same. */
	free(output_of("iptables -t raw -F PREROUTING"));
	OK(network_disconnect("web", &e, &err));
	OK(join(&y, "next", NULL, 0, &f, &err));
	firewall_flush();
	CHECK(!rules_have("8086"));
	CHECK(rules_have("-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP"));
	OK(network_disconnect("next", &f, &err));
	network_endpoint_free(&e);
	network_endpoint_free(&f);
	box_close(&x);
	box_close(&y);
}

/* A batch with a bad rule changes nothing and spoils nothing. */
static void part_bad_rule(void)
{
	struct error err = ERROR_INIT;

	CHECK(firewall_apply(4,
			     "*nat\n-A DOCKER -p tcp -m tcp --dport 1 -j DNAT --to-destination "
			     "10.0.0.1:1\nCOMMIT\n"
			     "*filter\n-A DOCKER -j NO-SUCH-TARGET\nCOMMIT\n",
			     &err) < 0);
	CHECK(strstr(err.text, "iptables-restore"));
	CHECK(!rules_have("10.0.0.1:1"));
	CHECK(firewall_apply(4, "*filter\n:DOCKER-USER - [0:0]\nCOMMIT\n", &err) < 0);
	OK(firewall_apply(4, "*filter\n-A DOCKER -s 198.51.100.1/32 -j DROP\nCOMMIT\n", &err));
	CHECK(rules_have("-A DOCKER -s 198.51.100.1/32 -j DROP"));
	OK(firewall_apply(4, "*filter\n-A DOCKER -s 198.51.100.1/32 -j DROP\nCOMMIT\n",
			  &err)); /* once is enough */
	OK(firewall_apply(4, "*filter\n-D DOCKER -s 198.51.100.1/32 -j DROP\nCOMMIT\n", &err));
	firewall_flush();
	CHECK(!rules_have("198.51.100.1"));
}

/* Private bytes of a process, KiB. */
static long private_kib(pid_t pid)
{
	auto_free char *command =
	    xasprintf("awk '/^Private/ {n += $2} END {print n}' /proc/%d/smaps_rollup", pid);
	auto_free char *out = output_of(command);

	return atol(out);
}

#define MANY 400
static void part_many_ports(void)
{
	static struct network_port wanted[MANY];
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;
	long before, after;
	struct box x;
	pid_t netd;

	box_open(&x);
	wanted[0] = port(1, "tcp", "127.0.0.1", 20000, 20000);
	OK(join(&x, "few", wanted, 1, &e, &err));
	netd = netd_pid();
	before = private_kib(netd);
	OK(network_disconnect("few", &e, &err));
	network_endpoint_free(&e);
	for (int i = 0; i < MANY; i++)
		wanted[i] = port((uint16_t)(1 + i), i % 2 ? "udp" : "tcp", "127.0.0.1",
				 (uint16_t)(20000 + i), (uint16_t)(20000 + i));
	OK(join(&x, "many", wanted, MANY, &e, &err));
	after = private_kib(netd);
	printf("# netd: %ld KiB private with 1 port, %ld KiB with %d\n", before, after, MANY);
#ifndef WITH_SANITIZERS
	CHECK((after - before) / MANY <= 8);
#endif
	CHECK(rules_have("--dport 20399 -j DNAT --to-destination 172.17.0.2:400"));
	CHECK(box_serve(&x, "udp", 400));
	CHECK(echo_from_here("udp", "127.0.0.1", 20399, 5000));
	OK(network_disconnect("many", &e, &err));
	network_endpoint_free(&e);
	firewall_flush();
	CHECK(!rules_have("127.0.0.1/32"));
	box_close(&x);
}

#define AT_ONCE 16
struct one {
	struct box box;
	struct network_endpoint e;
	char name[8];
	bool ok;
};

static void *join_one(void *arg)
{
	struct one *o = arg;
	struct network_port p = port(80, "tcp", "0.0.0.0", 0, 0);
	struct error err = ERROR_INIT;

	o->ok = join(&o->box, o->name, &p, 1, &o->e, &err) == 0;
	if (!o->ok)
		printf("# %s: %s\n", o->name, err.text);
	return NULL;
}

static void *leave_one(void *arg)
{
	struct one *o = arg;
	struct error err = ERROR_INIT;

	o->ok = network_disconnect(o->name, &o->e, &err) == 0;
	return NULL;
}

static void at_once(struct one *v, void *(*what)(void *))
{
	pthread_t t[AT_ONCE];

	for (int i = 0; i < AT_ONCE; i++)
		pthread_create(&t[i], NULL, what, &v[i]);
	for (int i = 0; i < AT_ONCE; i++) {
		pthread_join(t[i], NULL);
		CHECK(v[i].ok);
	}
}

static void part_parallel(void)
{
	static struct one v[AT_ONCE];

	for (int i = 0; i < AT_ONCE; i++) {
		box_open(&v[i].box);
		snprintf(v[i].name, sizeof(v[i].name), "p%02d", i);
	}
	at_once(v, join_one);
	for (int i = 0; i < AT_ONCE && !part_failed; i++) {
		auto_free char *rule = xasprintf("--dport %u -j DNAT --to-destination %s:80",
						 v[i].e.ports[0].host_port, v[i].e.ipv4);

		CHECK(rules_have(rule));
		for (int k = 0; k < i; k++)
			CHECK(strcmp(v[i].e.ipv4, v[k].e.ipv4) &&
			      v[i].e.ports[0].host_port != v[k].e.ports[0].host_port);
	}
	at_once(v, leave_one);
	firewall_flush();
	CHECK(!rules_have("DNAT") && no_veths());
	for (int i = 0; i < AT_ONCE; i++) {
		box_close(&v[i].box);
		network_endpoint_free(&v[i].e);
	}
}

static const char *name_of(const char *id, char buf[256])
{
	snprintf(buf, 256, "name-%.1s", id);
	return buf;
}

/* Member by member as moby 28.5 prints it; only ids and times differ. */
static void part_json(void)
{
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;
	auto_str out = STR_INIT, want = STR_INIT;
	struct jw w = jw_to(&out);
	auto_json *doc = NULL, *filters = NULL;
	char cid[65];
	struct box x;

	box_open(&x);
	OK(join(&x, "j", NULL, 0, &e, &err));
	OK(network_print("bridge", name_of, &w, &err));
	doc = json_parse(str_cstr(&out), out.len, &err);
	memset(cid, 'c', 64);
	cid[64] = '\0';
	cid[0] = 'j';
	str_printf(&want,
		   "{\"Name\":\"bridge\",\"Id\":\"%s\",\"Created\":\"%s\",\"Scope\":\"local\","
		   "\"Driver\":\"bridge\",\"EnableIPv4\":true,"
		   "\"EnableIPv6\":false,\"IPAM\":{\"Driver\":\"default\",\"Options\":null,"
		   "\"Config\":[{\"Subnet\":\"172.17.0.0/16\","
		   "\"Gateway\":\"172.17.0.1\"}]},\"Internal\":false,\"Attachable\":false,"
		   "\"Ingress\":false,\"ConfigFrom\":{\"Network\":\"\"},"
		   "\"ConfigOnly\":false,\"Containers\":{\"%s\":{\"Name\":\"name-j\","
		   "\"EndpointID\":\"%s\",\"MacAddress\":"
		   "\"02:42:ac:11:00:02\",\"IPv4Address\":\"172.17.0.2/"
		   "16\",\"IPv6Address\":\"\"}},\"Options\":{"
		   "\"com.docker.network.bridge.default_bridge\":\"true\",\"com.docker.network."
		   "bridge.enable_icc\":\"true\","
		   "\"com.docker.network.bridge.enable_ip_masquerade\":\"true\",\"com.docker."
		   "network.bridge.host_binding_ipv4\":\"0.0.0.0\","
		   "\"com.docker.network.bridge.name\":\"docker0\",\"com.docker.network.driver."
		   "mtu\":\"1500\"},\"Labels\":{}}",
		   e.network_id, json_get_str(doc, "Created", "?"), cid, e.endpoint_id);
	CHECK(!strcmp(str_cstr(&out), str_cstr(&want)));
	str_reset(&out);
	w = jw_to(&out);
	filters = json_parse("{\"driver\":[\"null\",\"host\"]}", 26, &err);
	OK(network_print_list(&(struct network_list_filter){.filters = filters}, name_of, &w,
			      &err));
	CHECK(!strstr(out.p, "docker0") && strstr(out.p, "\"Name\":\"none\"") &&
	      strstr(out.p, "\"Config\":null"));
	json_free(filters);
	filters = json_parse("{\"foo\":[\"x\"]}", 13, &err);
	CHECK(network_print_list(&(struct network_list_filter){.filters = filters}, name_of, &w,
				 &err) < 0);
	CHECK(!strcmp(err.text, "invalid filter 'foo'"));
	CHECK(network_print("nope", name_of, &w, &err) < 0 &&
	      !strcmp(err.text, "network nope not found"));
	CHECK(network_delete("host", &err) < 0 && err.kind == ERR_DENIED);
	OK(network_disconnect("j", &e, &err));
	box_close(&x);
}

/* ---- daemons that are killed --------------------------------------------------------------------------------------------------------------- */

/* Run `body` with a fresh room in a child; it ends by itself (exit code) or by SIGKILL. */
static int in_daemon(struct network_config c, void (*body)(void *), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct error err = ERROR_INIT;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		part_failed = false;
		OK(network_init(&c, &err));
		if (!part_failed)
			body(arg);
		fflush(stdout);
		_exit(part_failed);
	}
	waitpid(pid, &status, 0);
	return status;
}

struct shared {
	struct box *box;
	struct network_endpoint e;
	struct network_port ports[8];
	int pipe[2];
};

static void send_endpoint(struct shared *s)
{
	if (write(s->pipe[1], &s->e, sizeof(s->e)) != sizeof(s->e) ||
	    (s->e.n_ports && write(s->pipe[1], s->e.ports, s->e.n_ports * sizeof(*s->e.ports)) < 0))
		abort();
}

static void receive_endpoint(struct shared *s)
{
	if (read(s->pipe[0], &s->e, sizeof(s->e)) != sizeof(s->e) || s->e.n_ports > 8)
		abort();
	if (s->e.n_ports && read(s->pipe[0], s->ports, s->e.n_ports * sizeof(*s->ports)) < 0)
		abort();
	s->e.ports = s->ports;
}

static void body_join_and_die(void *arg)
{
	struct network_port p = port(80, "tcp", "", 8087, 8087);
	struct error err = ERROR_INIT;
	struct shared *s = arg;

	OK(join(s->box, "live", &p, 1, &s->e, &err));
	send_endpoint(s);
	if (!part_failed)
		raise(SIGKILL);
}

static void body_adopt(void *arg)
{
	struct error err = ERROR_INIT;
	struct shared *s = arg;

	OK(network_adopt("live", &s->e, s->box->netns_fd, &err));
	network_sweep();
	CHECK(rules_have("--dport 8087 -j DNAT"));
	CHECK(echo_from_here("tcp", "127.0.0.1", 8087, 5000));
	OK(network_disconnect("live", &s->e, &err));
	firewall_flush();
	CHECK(!rules_have("8087"));
	CHECK(!echo_from_here("tcp", "127.0.0.1", 8087, 1000));
	network_shutdown();
}

static void body_sweep(void *arg)
{
	(void)arg;
	network_sweep();
	network_shutdown();
}

/* kill -9 of the daemon: its ports answer all the while, and the next daemon takes everything over. */
static void part_daemon_killed(void)
{
	struct box x;
	struct shared s = {.box = &x};
	int st;

	wipe();
	box_open(&x);
	if (pipe2(s.pipe, O_CLOEXEC) < 0)
		abort();
	st = in_daemon(config(), body_join_and_die, &s);
	CHECK(WIFSIGNALED(st));
	if (!WIFSIGNALED(st))
		return;
	receive_endpoint(&s);
	CHECK(box_serve(&x, "tcp", 80));
	CHECK(echo_from_here("tcp", "127.0.0.1", 8087, 5000)); /* no daemon now */
	CHECK(in_daemon(config(), body_adopt, &s) == 0);
	CHECK(no_veths());
	/* The same, but nobody adopts: the sweep takes all of it away. */
	CHECK(WIFSIGNALED(in_daemon(config(), body_join_and_die, &s)));
	CHECK(rules_have("8087") && count_veths() == 1);
	CHECK(in_daemon(config(), body_sweep, NULL) == 0);
	CHECK(!rules_have("8087") && no_veths());
	CHECK(!echo_from_here("tcp", "127.0.0.1", 8087, 1000));
	CHECK(rules_have("-A DOCKER-FORWARD -i docker0 -j ACCEPT")); /* the bridge's own stay */
	box_close(&x);
}

static void body_join_leave(void *arg)
{
	struct network_port p = port(80, "tcp", "", 8088, 8088);
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;

	OK(join(arg, "step", &p, 1, &e, &err));
	OK(network_disconnect("step", &e, &err));
	firewall_flush();
}

/* Fault points are read from the environment once, so this daemon is a fresh program. */
static int join_leave_main(char **argv)
{
	struct box x = {.netns_fd = atoi(argv[3]), .netlink_fd = atoi(argv[4])};
	struct error err = ERROR_INIT;
	struct network_config c;

	snprintf(base_dir, sizeof(base_dir), "%s", argv[2]);
	log_setup(LOG_LEVEL_ERROR, false, false);
	c = config();
	OK(network_init(&c, &err));
	if (!part_failed)
		body_join_leave(&x);
	return part_failed;
}

static int join_leave(const struct box *b, const char *fault)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		char netns[16], netlink[16];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("DOCKERD_FAULT", fault, 1);
		snprintf(netns, sizeof(netns), "%d", dup(b->netns_fd)); /* dup: open over exec */
		snprintf(netlink, sizeof(netlink), "%d", dup(b->netlink_fd));
		execl("/proc/self/exe", "test_network", "--join-leave", base_dir, netns, netlink,
		      (char *)0);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* Killed at each fault point: the next daemon's sweep leaves nothing. */
static void part_fault_points(void)
{
#ifdef ENABLE_FAULTS
	/* The first needs a netd to be started: later ones find it alive. */
	static const char *const points[] = {"network.proxy.spawned",
					     "network.connect.recorded",
					     "network.firewall.recorded=kill@2",
					     "network.firewall.applied=kill@2",
					     "network.connect.joined",
					     "network.disconnect.left",
					     "network.firewall.recorded=kill@3"};

	wipe();
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		auto_free char *fault =
		    strchr(points[i], '=') ? xstrdup(points[i]) : xasprintf("%s=kill", points[i]);
		struct box x;
		int st;

		box_open(&x);
		st = join_leave(&x, fault);
		if (!WIFSIGNALED(st))
			printf("# %s was not reached\n", fault);
		CHECK(WIFSIGNALED(st));
		CHECK(in_daemon(config(), body_sweep, NULL) == 0);
		CHECK(no_veths() && !rules_have("8088"));
		if (part_failed)
			printf("# after %s\n", fault);
		CHECK(!echo_from_here("tcp", "127.0.0.1", 8088, 1000));
		box_close(&x);
	}
#endif
}

/* ---- other settings ------------------------------------------------------------------------------------------------------------------------- */

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

static void run(const char *name, void (*part)(void))
{
	part_failed = false;
	part();
	printf("%s %d - %s\n", part_failed ? "not ok" : "ok", ++test_number, name);
	fflush(stdout);
	failures += part_failed;
}

int main(int argc, char **argv)
{
	struct network_config c;
	struct error err = ERROR_INIT;
	int64_t t0;

	if (argc == 5 && !strcmp(argv[1], "--join-leave"))
		return join_leave_main(argv);
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 77;
	}
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) {
		printf("1..0 # SKIP no new network namespace: %s\n", strerror(errno));
		return 77;
	}
	/* /sys shows the namespace it was mounted in; /run/xtables.lock is the host's. */
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount("tmpfs", "/run", "tmpfs", 0, NULL);
	free(output_of("ip link set lo up"));
	log_setup(getenv("TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, false, false);
	if (!mkdtemp(base_dir))
		return 1;
	c = config();
	t0 = clock_mono_ns();
	OK(network_init(&c, &err));
	if (part_failed)
		return 1;
	printf("# network_init: %.1f ms\n", (double)(clock_mono_ns() - t0) / 1e6);
	run("join and leave", part_join_leave);
	run("speed", part_speed);
	run("moby's JSON", part_json);
	run("published ports", part_ports);
	run("port clashes", part_clash);
	run("many ports", part_many_ports);
	run("many containers at once", part_parallel);
	run("netd killed", part_netd_killed);
	run("flushed rules come back", part_flush);
	run("bad rules", part_bad_rule);
	network_shutdown();
	run("daemon killed", part_daemon_killed);
	run("killed at fault points", part_fault_points);
	run("way out", part_masquerade);
	run("no iptables", part_no_iptables);
	run("own bridge, no icc, no proxy", part_own_bridge);
	printf("1..%d\n", test_number);
	dir_remove_all(AT_FDCWD, base_dir, &err);
	return failures ? 1 : 0;
}
