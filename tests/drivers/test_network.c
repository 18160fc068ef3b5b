/* SPDX-License-Identifier: Apache-2.0 */
/* The network room with its real drivers, firewall and proxy: real packets. Needs root (77: skipped). */
#include "network_host.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

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
	int64_t deadline = clock_mono_ns() + INT64_C(30) * 1000000000;
	pid_t old, now = 0;
	bool served;
	struct box x;

	box_open(&x);
	OK(join(&x, "web", &p, 1, &e, &err));
	CHECK(box_serve(&x, "tcp", 80));
	CHECK(echo_from_here("tcp", "127.0.0.1", 8085, 5000));
	old = netd_pid();
	CHECK(old > 0);
	if (old > 0) {
		kill(old, SIGKILL);
		/* The end of the wait is an event, the new one's socket answers; the deadline is for a machine that never gets there. */
		while (((now = netd_pid()) <= 0 || now == old) && clock_mono_ns() < deadline)
			sched_yield();
		CHECK(now > 0 && now != old);
		while (!(served = echo_from_here("tcp", "127.0.0.1", 8085, 5000)) &&
		       clock_mono_ns() < deadline)
			sched_yield();
		CHECK(served);
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

	CHECK(firewall_apply(NULL, 4,
			     "*nat\n-A DOCKER -p tcp -m tcp --dport 1 -j DNAT --to-destination "
			     "10.0.0.1:1\nCOMMIT\n"
			     "*filter\n-A DOCKER -j NO-SUCH-TARGET\nCOMMIT\n",
			     &err) < 0);
	CHECK(strstr(err.text, "iptables-restore"));
	CHECK(!rules_have("10.0.0.1:1"));
	CHECK(firewall_apply(NULL, 4, "*filter\n:DOCKER-USER - [0:0]\nCOMMIT\n", &err) < 0);
	OK(firewall_apply(NULL, 4, "*filter\n-A DOCKER -s 198.51.100.1/32 -j DROP\nCOMMIT\n", &err));
	CHECK(rules_have("-A DOCKER -s 198.51.100.1/32 -j DROP"));
	OK(firewall_apply(NULL, 4, "*filter\n-A DOCKER -s 198.51.100.1/32 -j DROP\nCOMMIT\n",
			  &err)); /* once is enough */
	OK(firewall_apply(NULL, 4, "*filter\n-D DOCKER -s 198.51.100.1/32 -j DROP\nCOMMIT\n", &err));
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
	OK(network_print("bridge", "", name_of, &w, &err));
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
	CHECK(network_print("nope", "", name_of, &w, &err) < 0 &&
	      !strcmp(err.text, "network nope not found"));
	CHECK(network_delete("host", &err) < 0 && err.kind == ERR_DENIED);
	OK(network_disconnect("j", &e, &err));
	box_close(&x);
}

static void tests(void)
{
	struct network_config c = config();
	struct error err = ERROR_INIT;
	int64_t t0 = clock_mono_ns();

	OK(network_init(&c, &err));
	OK(network_ready(&err));
	if (part_failed) {
		run("network_init", NULL);
		return;
	}
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
}

int main(void)
{
	return host_main(tests);
}
