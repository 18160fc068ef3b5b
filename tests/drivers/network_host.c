/* SPDX-License-Identifier: Apache-2.0 */
/* See network_host.h. */
#include "network_host.h"
#include "base/file.h"
#include "base/log.h"

#include <net/if.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

char base_dir[64] = "/tmp/dockerd-test-network.XXXXXX";
bool part_failed;
static int test_number, failures;

/* ---- the host around it ------------------------------------------------------------------------------------------------------------------ */

/* Output of a command of the test's (never of the daemon's), malloc'ed. */
char *output_of(const char *command)
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

bool rules_have(const char *text)
{
	auto_free char *rules = output_of("iptables-save 2>/dev/null");

	return strstr(rules, text) != NULL;
}

size_t count_veths(void)
{
	struct if_nameindex *all = if_nameindex();
	size_t n = 0;

	for (struct if_nameindex *i = all; i && i->if_name; i++)
		n += strncmp(i->if_name, "veth", 4) == 0;
	if_freenameindex(all);
	return n;
}

/* Links are deleted after leave has returned: wait for the kernel's word on each change. rtnetlink(7). */
bool no_veths(void)
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

struct network_config config(void)
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
				       .ip6tables = true,
				       .userland_proxy = true,
				       .live_restore = true};
}

void wipe(void)
{
	struct error err = ERROR_INIT;

	firewall_flush();
	dir_remove_all(AT_FDCWD, base_dir, &err);
	mkdir(base_dir, 0755);
}

int join(struct box *b, const char *name, const struct network_port *ports, size_t n,
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
						      .ways = NETWORK_WAY_IPV4 | NETWORK_WAY_IPV6,
						      .container_name = name},
			       e, err);
}

int make_network(const char *text, struct error *err)
{
	auto_json *body = json_parse(text, strlen(text), err);
	auto_strlist warnings = STRLIST_INIT;
	auto_str id = STR_INIT;

	return body ? network_create(body, &id, &warnings, err) : -1;
}

int join_network(struct box *b, const char *network, const char *name,
		 const struct network_port *ports, size_t n, struct network_endpoint *e,
		 struct error *err)
{
	return network_connect(&(struct network_join){.container_id = name,
						      .network = network,
						      .netns_fd = b->netns_fd,
						      .netlink_fd = b->netlink_fd,
						      .ports = ports,
						      .n_ports = n,
						      .ways = NETWORK_WAY_IPV4 | NETWORK_WAY_IPV6,
						      .container_name = name},
			       e, err);
}

struct network_port port(uint16_t inside, const char *proto, const char *ip, uint16_t first,
			 uint16_t last)
{
	struct network_port p = {.container_port = inside, .host_start = first, .host_end = last};

	snprintf(p.proto, sizeof(p.proto), "%s", proto);
	snprintf(p.host_ip, sizeof(p.host_ip), "%s", ip);
	return p;
}

/* pid of the netd whose socket is ours, or 0. */
pid_t netd_pid(void)
{
	auto_free char *command = xasprintf("ss -xlp 2>/dev/null | grep '%s/run/network/netd.sock' "
					    "| sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p'",
					    base_dir);
	auto_free char *out = output_of(command);

	return (pid_t)atoi(out);
}

/* Run `body` with a fresh room in a child; it ends by itself (exit code) or by SIGKILL. */
int in_daemon(struct network_config c, void (*body)(void *), void *arg)
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
		OK(network_ready(&err));
		if (!part_failed)
			body(arg);
		fflush(stdout);
		_exit(part_failed);
	}
	waitpid(pid, &status, 0);
	return status;
}

void run(const char *name, void (*part)(void))
{
	part_failed = false;
	if (part)
		part();
	else
		part_failed = true;
	printf("%s %d - %s\n", part_failed ? "not ok" : "ok", ++test_number, name);
	fflush(stdout);
	failures += part_failed;
}

int host_main(void (*tests)(void))
{
	struct error err = ERROR_INIT;

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
	tests();
	printf("1..%d\n", test_number);
	dir_remove_all(AT_FDCWD, base_dir, &err);
	return failures ? 1 : 0;
}
