/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network driver "bridge": containers on a Linux bridge behind NAT, with published ports. Man page: dockerd-network-bridge(8).
 *
 * This file: the table of options, and networks; endpoint.c: containers. The driver keeps no state of its own but the table of host ports: links are found by name (made from the endpoint's id), rules by
 * their text, and the daemon remembers endpoints. All ops may run at once; the port table has its own lock.
 */
#include "bridge.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const struct dockerd_option options[] = {
    {.key = "userland-proxy",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_DAEMON,
     .default_value = "true",
     .help = "Forward published ports for connections of this host and of containers by a process"},
    {.key = "ip-forward",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_DAEMON,
     .default_value = "true",
     .help = "Switch on IP forwarding of the kernel (net.ipv4.ip_forward, "
	     "net.ipv6.conf.all.forwarding)"},
    {.key = "ip-forward-no-drop",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_DAEMON,
     .default_value = "false",
     .help = "Leave the policy of the FORWARD chain alone where forwarding is switched on"},
    {.key = "allow-direct-routing",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_DAEMON,
     .default_value = "false",
     .help = "Let other hosts reach containers at their own addresses, at published ports"},
    {.key = "obey-host-firewall",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_DAEMON,
     .default_value = "false",
     .help = "Serve published ports by the proxy alone, behind the host's packet filter"},
    {.key = "com.docker.network.bridge.name",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "Name of the bridge; made if it does not exist [br-<network id>]"},
    {.key = "com.docker.network.bridge.default_bridge",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "false",
     .help = "Set by the daemon for its own network"},
    {.key = "com.docker.network.bridge.enable_icc",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "true",
     .help = "Let containers of the network reach each other"},
    {.key = "com.docker.network.bridge.enable_ip_masquerade",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "true",
     .help = "Give outgoing connections the host's address"},
    {.key = "com.docker.network.bridge.host_binding_ipv4",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "Host address for published ports that name none; one of IPv6 is fine [any]"},
    {.key = "com.docker.network.driver.mtu",
     .type = DOCKERD_OPT_INT,
     .min = 0,
     .max = 65535,
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "0",
     .help = "Largest packet; 0: the kernel's choice"},
    {.key = "com.docker.network.bridge.gateway_mode_ipv4",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "How containers are reached from outside: nat, nat-unprotected, routed or isolated "
	     "[nat]"},
    {.key = "com.docker.network.bridge.gateway_mode_ipv6",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "The same for IPv6 [nat]"},
    {.key = "com.docker.network.bridge.inhibit_ipv4",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "false",
     .help = "Give the bridge no IPv4 address: the gateway is somebody else's"},
    {.key = "com.docker.network.bridge.trusted_host_interfaces",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "Interfaces of the host from which containers are reached at their own addresses, "
	     "with ':' in between"},
    {.key = "com.docker.network.host_ipv4",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "Source address of outgoing connections [the kernel's choice]"},
    {.key = "com.docker.network.host_ipv6",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "The same for IPv6"},
    {.key = "com.docker.network.container_iface_prefix",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "What the names of interfaces in containers begin with [eth]"},
    {.key = "*",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK | DOCKERD_SCOPE_ENDPOINT,
     .help = "Any other is kept for inspect and means nothing, as with moby"},
};

/*
 * Forwarding opens the host to all its neighbours: where we switch it on, what is not allowed by a rule is dropped. The policy comes first: cut
 * short in between, the host is closed, and the next start finds forwarding off and does it again.
 */
static int ip_forward(struct bridge *b, bool v6, struct dockerd_error *err)
{
	const char *path =
	    v6 ? "/proc/sys/net/ipv6/conf/all/forwarding" : "/proc/sys/net/ipv4/ip_forward";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char now = '0';

	if (fd < 0 || read(fd, &now, 1) != 1) {
		dockerd_fail_errno(err, errno, "read %s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	if (now == '1')
		return 0;
	if (!b->no_drop && DOCKERD_HAS(b->host, firewall) &&
	    b->host->firewall(b->host, v6 ? 6 : 4, "*filter\n-P FORWARD DROP\nCOMMIT\n", err) < 0)
		return -1;
	return sysctl_write(path, "1") < 0
		   ? dockerd_fail_errno(err, errno, "Setup IP forwarding failed: write %s", path)
		   : 0;
}

static void bridge_close(void *self)
{
	struct bridge *b = self;

	reaper_free(b->reaper);
	while (b->users) {
		struct bridge_user *u = b->users;

		b->users = u->next;
		free(u);
	}
	pthread_mutex_destroy(&b->lock);
	pthread_mutex_destroy(&b->ports.lock);
	free(b->ports.v);
	free(b);
}

static int32_t bridge_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	struct bridge *b = calloc(1, sizeof(*b));

	if (!b)
		return dockerd_fail_errno(err, ENOMEM, "bridge driver");
	b->host = args->host;
	b->proxy = option_flag(args->options, "userland-proxy", true);
	b->no_drop = option_flag(args->options, "ip-forward-no-drop", false);
	b->obey = option_flag(args->options, "obey-host-firewall", false);
	b->direct = option_flag(args->options, "allow-direct-routing", false);
	b->reaper = reaper_new(b->host);
	if (!b->reaper) {
		free(b);
		return dockerd_fail_errno(err, ENOMEM, "bridge driver");
	}
	pthread_mutex_init(&b->ports.lock, NULL);
	pthread_mutex_init(&b->lock, NULL);
	b->forward = option_flag(args->options, "ip-forward", false);
	if (b->forward && ip_forward(b, false, err) < 0) {
		bridge_close(b);
		return -1;
	}
	*self = b;
	return 0;
}

int bridge_firewall(const struct bridge *b, const struct bridge_net *n, bool ipv6, char *rules,
		    struct dockerd_error *err)
{
	uint32_t family = ipv6 ? 6 : 4;
	int r = 0;

	if (!rules)
		return dockerd_fail_errno(err, ENOMEM, "firewall rules");
	if (*rules && n->batch && DOCKERD_HAS(b->host, firewall_batch))
		r = b->host->firewall_batch(b->host, n->batch, family, rules, err);
	else if (*rules && DOCKERD_HAS(b->host, firewall))
		r = b->host->firewall(b->host, family, rules, err);
	free(rules);
	return r;
}

static int network_rules(struct bridge *b, const struct bridge_net *n, bool add,
			 struct dockerd_error *err)
{
	for (int v6 = 0; v6 < 2; v6++)
		if (n->v[v6].subnet &&
		    bridge_firewall(b, n, v6, bridge_rules_network(n, v6, add), err) < 0)
			return -1;
	return 0;
}

/* What the daemon has to know of it. */
static void emit_choices(const struct dockerd_network *n, const struct bridge_net *net)
{
	if (!DOCKERD_HAS(n, out))
		return;
	if (net->mode[0] == GATEWAY_ISOLATED || (net->inhibit_ipv4 && net->internal))
		n->out->row(n->out, "gateway.ipv4", "");
	if (net->mode[1] == GATEWAY_ISOLATED)
		n->out->row(n->out, "gateway.ipv6", "");
	n->out->row(n->out, "link", net->ifname);
	if (*net->prefix)
		n->out->row(n->out, "ifname", net->prefix);
}

/* ---- which network has which bridge ------------------------------------------------------------------------------------------------------ */

/* One bridge bears one network: their rules would be the same, and one's end the other's. */
static int take_bridge(struct bridge *b, const struct bridge_net *n, struct dockerd_error *err)
{
	struct bridge_user *mine = NULL, *u;
	int r = 0;

	pthread_mutex_lock(&b->lock);
	for (u = b->users; u && r == 0; u = u->next)
		if (!strcmp(u->id, n->id))
			mine = u;
		else if (!strcmp(u->ifname, n->ifname))
			r = dockerd_fail(err, DOCKERD_ERR_DENIED,
					 "cannot create network %s (%s): conflicts with network %s "
					 "(%s): networks have same bridge name",
					 n->id, n->ifname, u->id, u->ifname);
	if (r == 0 && !mine) {
		mine = calloc(1, sizeof(*mine));
		if (mine) {
			snprintf(mine->id, sizeof(mine->id), "%s", n->id);
			snprintf(mine->ifname, sizeof(mine->ifname), "%s", n->ifname);
			mine->next = b->users;
			b->users = mine;
		} else {
			r = dockerd_fail_errno(err, ENOMEM, "network %s", n->id);
		}
	}
	pthread_mutex_unlock(&b->lock);
	return r;
}

/* Has another network the bridge? */
static bool is_taken(struct bridge *b, const struct bridge_net *n)
{
	bool other = false;

	pthread_mutex_lock(&b->lock);
	for (const struct bridge_user *u = b->users; u; u = u->next)
		other |= !strcmp(u->ifname, n->ifname) && strcmp(u->id, n->id) != 0;
	pthread_mutex_unlock(&b->lock);
	return other;
}

static void drop_bridge(struct bridge *b, const char *id)
{
	struct bridge_user **at, *gone;

	pthread_mutex_lock(&b->lock);
	for (at = &b->users; *at && strcmp((*at)->id, id) != 0; at = &(*at)->next)
		;
	gone = *at;
	if (gone)
		*at = gone->next;
	pthread_mutex_unlock(&b->lock);
	free(gone);
}

/* ---- networks ------------------------------------------------------------------------------------------------------------------------------ */

static int32_t network_create(void *self, const struct dockerd_network *n,
			      struct dockerd_error *err)
{
	struct bridge *b = self;
	struct bridge_net net;
	char name[16], path[80];
	bool ours;

	if (bridge_read(b, n, name, &net, err) < 0 || take_bridge(b, &net, err) < 0)
		return -1;
	ours = !link_exists(net.ifname);
	if (link_bridge_up(&net, err) < 0 ||
	    (net.v[1].subnet && b->forward && ip_forward(b, true, err) < 0))
		return -1;
	emit_choices(n, &net);
	bridge_emit_record(n, &net, ours);
	if (!DOCKERD_HAS(b->host, firewall))
		return 0;
	/* Without a proxy, connections to 127.0.0.1 reach containers by DNAT: the kernel has to let such packets onto the bridge. */
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/route_localnet", net.ifname);
	if (!net.proxy && sysctl_write(path, "1") < 0)
		return dockerd_fail_errno(
		    err, errno, "unable to set up loopback addresses routing: write %s", path);
	return network_rules(b, &net, true, err);
}

static int32_t network_delete(void *self, const struct dockerd_network *n,
			      struct dockerd_error *err)
{
	struct bridge *b = self;
	struct bridge_net net;
	struct dockerd_error unread = {.size = sizeof(unread)};
	char name[16];

	if (bridge_read(b, n, name, &net, &unread) < 0 || is_taken(b, &net) ||
	    link_is_of_another(&net))
		return 0; /* refused when it was to be made: there is nothing of it */
	if (network_rules(b, &net, false, err) < 0 || link_bridge_delete(&net, err) < 0)
		return -1;
	drop_bridge(b, n->id);
	return 0;
}

static const struct dockerd_network_ops ops = {
    .common = {.size = sizeof(ops), .open = bridge_open, .close = bridge_close},
    .network_create = network_create,
    .network_delete = network_delete,
    .join = bridge_join,
    .leave = bridge_leave,
    .update = bridge_update,
    .adopt = bridge_adopt,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_NETWORK, .name = "bridge", .version = "0.1",
	       .description = "Linux bridge with NAT and published ports",
	       .concurrency = DOCKERD_PARALLEL,
	       .capabilities = DOCKERD_NETWORK_CAP_PORTS | DOCKERD_NETWORK_CAP_ADDRESSES |
			       DOCKERD_NETWORK_CAP_IPV6,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
