/* SPDX-License-Identifier: Apache-2.0 */
/* The network room in daemons that are killed, and the next ones that take over or clean up. Needs root (77: skipped). */
#include "network_host.h"
#include "base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

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

	OK(network_adopt("live", "live", &s->e, NETWORK_WAY_IPV4 | NETWORK_WAY_IPV6, NULL, NULL, 0, s->box->netns_fd, &err));
	network_sweep(NULL);
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
	network_sweep(NULL);
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
	OK(network_ready(&err));
	if (!part_failed)
		body_join_leave(&x);
	return part_failed;
}

static int __attribute__((unused)) join_leave(const struct box *b, const char *fault)
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

static void tests(void)
{
	run("daemon killed", part_daemon_killed);
	run("killed at fault points", part_fault_points);
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "--join-leave"))
		return join_leave_main(argv);
	return host_main(tests);
}
