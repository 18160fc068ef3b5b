/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of the embedded DNS: what containers in users' networks are called, and which of them ask. dockerd-netd answers; it is told
 * everything again when another one had to be started, for which the namespaces of the containers are kept open here. `lock` guards both
 * tables; it is inside proxy.c's lock.
 */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/spawn.h"
#include "base/thread.h"
#include "proto/msg.h"
#include "proto/netd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define HELPER_MS 10000

struct names {
	char network[65], network_name[256], endpoint[65], sandbox[65], ip[2][IP_TEXT];
	struct strlist names;
};

struct resolver {
	int netns_fd;
	struct strlist servers;
	bool forward, redirected; /* redirected: its namespace has the rules */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map table = MAP_INIT,
		  resolvers = MAP_INIT; /* endpoint id -> names; container id -> resolver */

/* ---- names -------------------------------------------------------------------------------------------------------------------------------- */

static void names_free(void *p)
{
	strlist_free(&((struct names *)p)->names);
	free(p);
}

static void names_message(const struct names *x, struct msg *m)
{
	msg_init(m, NETD_DNS_NAMES);
	msg_put_str(m, NETD_NETWORK, x->network);
	msg_put_str(m, NETD_NETWORK_NAME, x->network_name);
	msg_put_str(m, NETD_ENDPOINT, x->endpoint);
	msg_put_str(m, NETD_SANDBOX, x->sandbox);
	for (int v6 = 0; v6 < 2; v6++)
		msg_put_str(m, v6 ? NETD_IP6 : NETD_IP, *x->ip[v6] ? x->ip[v6] : NULL);
	for (size_t i = 0; i < x->names.n; i++)
		msg_put_str(m, NETD_NAME, x->names.v[i]);
}

void dns_add(const struct net *n, const struct net_endpoint *e, const struct strlist *names)
{
	struct error err = ERROR_INIT;
	auto_msg m = {0};
	struct names *x, *old;

	if (n->predefined || !names || !names->n)
		return;
	x = xnew(struct names);
	memcpy(x->network, n->id, sizeof(x->network));
	memcpy(x->network_name, n->name, sizeof(x->network_name));
	memcpy(x->endpoint, e->id, sizeof(x->endpoint));
	memcpy(x->sandbox, e->container_id, sizeof(x->sandbox));
	for (int v6 = 0; v6 < 2; v6++)
		ip_format(e->addr[v6].addr, x->ip[v6]);
	strlist_copy(&x->names, names);
	names_message(x, &m);
	pthread_mutex_lock(&lock);
	old = map_set(&table, x->endpoint, x);
	pthread_mutex_unlock(&lock);
	if (old)
		names_free(old);
	if (netd_call(&m, true, &err) < 0)
		log_error("names of a container are not known to the DNS", "container",
			  e->container_id, "error", err.text);
}

void dns_del(const struct net *n, const char *endpoint_id)
{
	struct error err = ERROR_INIT;
	auto_msg m = {0};
	struct names *x;

	if (n->predefined)
		return;
	pthread_mutex_lock(&lock);
	x = map_del(&table, endpoint_id);
	pthread_mutex_unlock(&lock);
	if (x)
		names_free(x);
	msg_init(&m, NETD_DNS_FORGET);
	msg_put_str(&m, NETD_NETWORK, n->id);
	msg_put_str(&m, NETD_ENDPOINT, endpoint_id);
	netd_call(&m, false, &err); /* no netd, no names */
}

/* ---- sockets in namespaces ---------------------------------------------------------------------------------------------------------------- */

int netd_helper(const char *what, const char *const *args, int netns_fd, struct msg *reply,
		struct error *err)
{
	auto_free char *path = program_path("dockerd-netd");
	const char *argv[4 + NETD_SYSCTLS_MAX] = {"dockerd-netd", "--sockets", what};
	auto_close ours = -1, theirs = -1;
	int sv[2], fds[5], status, r;
	struct spawn s = {.path = path, .argv = argv, .fds = fds, .n_fds = 5};
	pid_t pid;

	for (size_t i = 0; args && args[i] && i < NETD_SYSCTLS_MAX; i++)
		argv[3 + i] = args[i];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return error_sys(err, errno, "socketpair");
	ours = sv[0];
	theirs = sv[1];
	fds[0] = fds[1] = -1;
	fds[2] = 2;
	fds[3] = theirs;
	fds[4] = netns_fd;
	pid = spawn_program(&s, err);
	if (pid < 0)
		return error_wrap(err, "start dockerd-netd");
	fd_close(&theirs);
	r = msg_recv(ours, reply, HELPER_MS, err);
	if (r <= 0)
		kill(pid, SIGKILL); /* it is late, and nobody may wait for it any longer */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0)
		return error_set(err, ERR_SYSTEM, "dockerd-netd --sockets ended without an answer");
	return r < 0 ? -1 : reply->type == MSG_ERROR ? msg_to_error(reply, err) : 0;
}

int network_netlink_in(int netns_fd, struct error *err)
{
	auto_msg reply = {0};
	int fd;

	if (netd_helper("netlink", NULL, netns_fd, &reply, err) < 0)
		return -1;
	fd = msg_take_fd(&reply, NETD_UDP);
	return fd < 0 ? error_set(err, ERR_SYSTEM, "no netlink socket came back") : fd;
}

/* ---- resolvers ------------------------------------------------------------------------------------------------------------------------------ */

static void resolver_free(void *p)
{
	struct resolver *r = p;

	fd_close(&r->netns_fd);
	strlist_free(&r->servers);
	free(r);
}

static void start_message(const char *id, const struct resolver *r, struct msg *m)
{
	msg_init(m, NETD_DNS_START);
	msg_put_str(m, NETD_SANDBOX, id);
	msg_put_u32(m, NETD_FORWARD, r->forward);
	for (size_t i = 0; i < r->servers.n; i++)
		msg_put_str(m, NETD_SERVER, r->servers.v[i]);
}

/* With new sockets. `send`: netd_call or, inside proxy.c's lock, netd_send. */
static int start_anew(const char *id, struct resolver *r, bool locked, struct error *err)
{
	auto_msg reply = {0}, m = {0};
	auto_close udp = -1, tcp = -1;

	if (netd_helper(r->redirected ? "dns-again" : "dns", NULL, r->netns_fd, &reply, err) < 0)
		return -1;
	r->redirected = true;
	udp = msg_take_fd(&reply, NETD_UDP);
	tcp = msg_take_fd(&reply, NETD_TCP);
	start_message(id, r, &m);
	if (udp < 0 || tcp < 0 || msg_put_fd(&m, NETD_UDP, udp) < 0 ||
	    msg_put_fd(&m, NETD_TCP, tcp) < 0)
		return error_set(err, ERR_SYSTEM, "no sockets for the DNS came back");
	return locked ? netd_send(&m, err) : netd_call(&m, true, err);
}

int network_resolver_start(const char *container_id, int netns_fd, const struct strlist *dns,
			   bool forward, struct error *err)
{
	struct resolver *r = xnew(struct resolver), *old;
	struct error first = ERROR_INIT;
	auto_msg m = {0};
	int result;

	*r = (struct resolver){.netns_fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 3), .forward = forward};
	if (r->netns_fd < 0 || network_upstreams(dns, &r->servers, err) < 0) {
		if (r->netns_fd < 0)
			error_sys(err, errno, "network namespace of container %s", container_id);
		resolver_free(r);
		return -1;
	}
	start_message(container_id, r, &m);
	/* netd has sockets already: a change, or this daemon is new */
	result = netd_call(&m, true, &first);
	r->redirected = result == 0;
	if (result < 0 && first.kind == ERR_NOT_FOUND)
		result = start_anew(container_id, r, false, err);
	else if (result < 0)
		*err = first;
	if (result < 0) {
		resolver_free(r);
		return error_wrap(err, "embedded DNS");
	}
	pthread_mutex_lock(&lock);
	old = map_set(&resolvers, container_id, r);
	pthread_mutex_unlock(&lock);
	if (old)
		resolver_free(old);
	return 0;
}

void network_resolver_stop(const char *container_id)
{
	struct error err = ERROR_INIT;
	struct resolver *r;
	auto_msg m = {0};

	pthread_mutex_lock(&lock);
	r = map_del(&resolvers, container_id);
	pthread_mutex_unlock(&lock);
	if (!r)
		return;
	resolver_free(r);
	msg_init(&m, NETD_DNS_STOP);
	msg_put_str(&m, NETD_SANDBOX, container_id);
	netd_call(&m, false, &err);
}

bool network_resolver_runs(const char *container_id)
{
	LOCK_SCOPE(&lock);

	return map_get(&resolvers, container_id) != NULL;
}

/* ---- another netd -------------------------------------------------------------------------------------------------------------------------- */

bool dns_wanted(void)
{
	LOCK_SCOPE(&lock);

	return table.n || resolvers.n;
}

void dns_replay(void)
{
	struct error err = ERROR_INIT;
	struct map_entry *e;
	LOCK_SCOPE(&lock);

	for (size_t i = 0; (e = map_next(&table, &i));) {
		auto_msg m = {0};

		names_message(e->value, &m);
		if (netd_send(&m, &err) < 0)
			log_error("names not told to the DNS again", "error", err.text);
	}
	for (size_t i = 0; (e = map_next(&resolvers, &i));) {
		struct resolver *r = e->value;
		auto_msg m = {0};

		start_message(e->key, r, &m);
		if (netd_send(&m, &err) < 0 && start_anew(e->key, r, true, &err) < 0)
			log_error("DNS of a container does not answer any more", "container",
				  e->key, "error", err.text);
	}
}

void dns_sweep(void)
{
	auto_strlist served = STRLIST_INIT;
	struct error err = ERROR_INIT;

	if (netd_list(NETD_DNS_LIST, &served, &err) < 0)
		return; /* none runs */
	for (size_t i = 0; i < served.n; i++) {
		auto_msg m = {0};

		if (network_resolver_runs(served.v[i]))
			continue;
		msg_init(&m, NETD_DNS_STOP);
		msg_put_str(&m, NETD_SANDBOX, served.v[i]);
		netd_call(&m, false, &err);
	}
}

void dns_shutdown(void)
{
	LOCK_SCOPE(&lock);

	map_free(&table, names_free);
	map_free(&resolvers, resolver_free);
	table = resolvers = (struct map)MAP_INIT;
}
