/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network driver "bridge": containers on a Linux bridge behind NAT, with published ports. Man page: dockerd-network-bridge(8).
 *
 * This file: options and networks; endpoint.c: containers. The driver keeps no state of its own but the table of host ports: links are found by name (made from the endpoint's id), rules by
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
     .default_value = "0.0.0.0",
     .help = "Host address for published ports that name none"},
    {.key = "com.docker.network.driver.mtu",
     .type = DOCKERD_OPT_INT,
     .min = 0,
     .max = 65535,
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "0",
     .help = "Largest packet; 0: the kernel's choice"},
    {.key = "com.docker.network.bridge.gateway_mode_ipv4",
     .type = DOCKERD_OPT_CHOICE,
     .choices = "nat|nat-unprotected|routed|isolated",
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "nat",
     .help = "How containers are reached from outside (only nat yet)"},
    {.key = "com.docker.network.bridge.gateway_mode_ipv6",
     .type = DOCKERD_OPT_CHOICE,
     .choices = "nat|nat-unprotected|routed|isolated",
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "nat",
     .help = "The same for IPv6 (only nat yet)"},
    {.key = "com.docker.network.bridge.inhibit_ipv4",
     .type = DOCKERD_OPT_BOOL,
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "false",
     .help = "Give the bridge no IPv4 address (not supported yet)"},
    {.key = "com.docker.network.bridge.trusted_host_interfaces",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "Interfaces from which containers are reached directly (not supported yet)"},
    {.key = "com.docker.network.container_iface_prefix",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "Name of interfaces in containers (not supported yet)"},
    {.key = "*",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK | DOCKERD_SCOPE_ENDPOINT,
     .help = "Any other is kept for inspect and means nothing, as with moby"},
};

static bool flag(const struct dockerd_options *o, const char *key, bool fallback)
{
	const struct dockerd_value *v = dockerd_option_get(o, key);

	return v ? v->number != 0 : fallback;
}

static const char *text(const struct dockerd_options *o, const char *key, const char *fallback)
{
	const struct dockerd_value *v = dockerd_option_get(o, key);

	return v && v->text && *v->text ? v->text : fallback;
}

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static int read_families(const struct dockerd_network *n, struct bridge_net *out,
			 struct dockerd_error *err)
{
	static const uint32_t enabled[2] = {DOCKERD_NETWORK_IPV4, DOCKERD_NETWORK_IPV6};
	uint32_t count[2] = {0};

	for (uint32_t i = 0; i < n->subnet_count; i++)
		if (++count[dockerd_is_ipv6(DOCKERD_AT(n->subnets, i)->subnet)] > 1)
			return dockerd_fail(err, DOCKERD_ERR_DENIED,
					    "bridge driver doesn't support multiple subnets");
	for (int v6 = 0; v6 < 2; v6++) {
		const struct dockerd_subnet *s = dockerd_subnet_of(n, v6);

		if (!(n->flags & enabled[v6]))
			continue;
		if (!s || !s->gateway)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "network %s has no IPv%d subnet and gateway", n->name,
					    v6 ? 6 : 4);
		out->v[v6] = (struct bridge_family){
		    .subnet = s->subnet,
		    .gateway = s->gateway,
		    .route = s->next_hop ? s->next_hop : s->gateway,
		};
	}
	return 0;
}

int bridge_read(const struct bridge *b, const struct dockerd_network *n, char name[16],
		struct bridge_net *out, struct dockerd_error *err)
{
	const struct dockerd_value *mtu =
	    dockerd_option_get(n->options, "com.docker.network.driver.mtu");

	snprintf(name, 16, "br-%.12s", n->id);
	*out = (struct bridge_net){
	    .ifname = text(n->options, "com.docker.network.bridge.name", name),
	    .id = n->id,
	    .binding = text(n->options, "com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"),
	    .mtu = n->mtu ? n->mtu
		   : mtu  ? (unsigned int)mtu->number
			  : 0,
	    .icc = flag(n->options, "com.docker.network.bridge.enable_icc", true),
	    .masquerade = flag(n->options, "com.docker.network.bridge.enable_ip_masquerade", true),
	    .internal = (n->flags & DOCKERD_NETWORK_INTERNAL) != 0,
	    .proxy = b->proxy,
	    .is_default = (n->flags & DOCKERD_NETWORK_DEFAULT) != 0,
	};
	if (read_families(n, out, err) < 0)
		return -1;
	if (strlen(out->ifname) > 15)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "bridge name %s is longer than 15 characters", out->ifname);
	/* both go into records and rules */
	if (strspn(out->ifname, NAME_CHARACTERS) != strlen(out->ifname))
		return dockerd_fail(
		    err, DOCKERD_ERR_INVALID,
		    "invalid bridge name %s: letters, digits, '.', '_' and '-' only", out->ifname);
	if (strspn(out->binding, "0123456789.:abcdefABCDEF") != strlen(out->binding))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid host binding address %s",
				    out->binding);
	return 0;
}

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
	if (DOCKERD_HAS(b->host, firewall) &&
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
	b->proxy = flag(args->options, "userland-proxy", true);
	b->reaper = reaper_new(b->host);
	if (!b->reaper) {
		free(b);
		return dockerd_fail_errno(err, ENOMEM, "bridge driver");
	}
	pthread_mutex_init(&b->ports.lock, NULL);
	b->forward = flag(args->options, "ip-forward", false);
	if (b->forward && ip_forward(b, false, err) < 0) {
		bridge_close(b);
		return -1;
	}
	*self = b;
	return 0;
}

int bridge_firewall(const struct bridge *b, bool ipv6, char *rules, struct dockerd_error *err)
{
	int r = 0;

	if (!rules)
		return dockerd_fail_errno(err, ENOMEM, "firewall rules");
	if (DOCKERD_HAS(b->host, firewall) && *rules)
		r = b->host->firewall(b->host, ipv6 ? 6 : 4, rules, err);
	free(rules);
	return r;
}

/* Known to moby's driver, not to this one: refused where it would mean something. */
static int refuse_missing(const struct dockerd_network *n, struct dockerd_error *err)
{
	static const char *const texts[] = {"com.docker.network.bridge.trusted_host_interfaces",
					    "com.docker.network.container_iface_prefix"};
	static const char *const modes[] = {"com.docker.network.bridge.gateway_mode_ipv4",
					    "com.docker.network.bridge.gateway_mode_ipv6"};

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		const char *mode = text(n->options, modes[i], "nat");

		if (strcmp(mode, "nat") != 0)
			return dockerd_fail(err, DOCKERD_ERR_NOT_IMPLEMENTED,
					    "gateway mode %s is not supported yet: only nat is",
					    mode);
	}
	if (flag(n->options, "com.docker.network.bridge.inhibit_ipv4", false))
		return dockerd_fail(err, DOCKERD_ERR_NOT_IMPLEMENTED,
				    "com.docker.network.bridge.inhibit_ipv4 is not supported yet");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (*text(n->options, texts[i], ""))
			return dockerd_fail(err, DOCKERD_ERR_NOT_IMPLEMENTED,
					    "%s is not supported yet", texts[i]);
	return 0;
}

#define NIL "\\u003cnil\\u003e" /* how Go prints an address that is none */

/* "AddressIPvN":"172.17.0.1/16", with a comma behind; nothing without the family. */
static const char *address_field(const struct bridge_net *b, bool v6, char out[96])
{
	const char *len = b->v[v6].subnet ? strchr(b->v[v6].subnet, '/') : NULL;

	out[0] = '\0';
	if (len)
		snprintf(out, 96, "\"AddressIPv%d\":\"%s%s\",", v6 ? 6 : 4, b->v[v6].gateway, len);
	return out;
}

static const char *other_route(const struct bridge_net *b, bool v6)
{
	const struct bridge_family *f = &b->v[v6];

	return f->route && strcmp(f->route, f->gateway) ? f->route : NIL;
}

/* What moby's bridge driver keeps of a network: without it that daemon could not use the network again. */
static void emit_record(const struct dockerd_network *n, const struct bridge_net *b, bool ours)
{
	char record[1280], v4[96], v6[96];

	if (!DOCKERD_HAS(n, out))
		return;
	snprintf(record, sizeof(record),
		 "{%s%s\"BridgeIfaceCreator\":%d,\"BridgeName\":\"%s\","
		 "\"ContainerIfacePrefix\":\"\",\"DefaultBindingIP\":\"%s\",\"DefaultBridge\":%s,"
		 "\"DefaultGatewayIPv4\":\"%s\",\"DefaultGatewayIPv6\":\"%s\","
		 "\"EnableICC\":%s,\"EnableIPMasquerade\":%s,\"EnableIPv4\":%s,"
		 "\"EnableIPv6\":%s,\"GwModeIPv4\":\"\",\"GwModeIPv6\":\"\","
		 "\"HostIP\":\"" NIL "\",\"HostIPv6\":\"" NIL "\","
		 "\"ID\":\"%s\",\"InhibitIPv4\":false,\"Internal\":%s,\"Mtu\":%u,"
		 "\"TrustedHostInterfaces\":\"\"}",
		 address_field(b, false, v4), address_field(b, true, v6), ours ? 1 : 2, b->ifname,
		 b->binding, n->flags & DOCKERD_NETWORK_DEFAULT ? "true" : "false",
		 other_route(b, false), other_route(b, true), b->icc ? "true" : "false",
		 b->masquerade ? "true" : "false", b->v[0].subnet ? "true" : "false",
		 b->v[1].subnet ? "true" : "false", b->id, b->internal ? "true" : "false", b->mtu);
	n->out->row(n->out, "record", record);
}

static int network_rules(struct bridge *b, const struct bridge_net *n, bool add,
			 struct dockerd_error *err)
{
	for (int v6 = 0; v6 < 2; v6++)
		if (n->v[v6].subnet &&
		    bridge_firewall(b, v6, bridge_rules_network(n, v6, add), err) < 0)
			return -1;
	return 0;
}

static int32_t network_create(void *self, const struct dockerd_network *n,
			      struct dockerd_error *err)
{
	struct bridge *b = self;
	struct bridge_net net;
	char name[16], path[80];
	bool ours;

	if (refuse_missing(n, err) < 0 || bridge_read(b, n, name, &net, err) < 0)
		return -1;
	ours = !link_exists(net.ifname);
	if (link_bridge_up(&net, err) < 0 ||
	    (net.v[1].subnet && b->forward && ip_forward(b, true, err) < 0))
		return -1;
	emit_record(n, &net, ours);
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

	if (bridge_read(b, n, name, &net, &unread) < 0 || link_is_of_another(&net))
		return 0; /* refused when it was to be made: there is nothing of it */
	if (network_rules(b, &net, false, err) < 0)
		return -1;
	return link_bridge_delete(&net, err);
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
