/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network driver "bridge": containers on a Linux bridge behind NAT, with published ports. Man page: dockerd-network-bridge(8).
 *
 * The driver keeps no state of its own but the table of host ports: links are found by name (made from the endpoint's id), rules by
 * their text, and the daemon remembers endpoints. All ops may run at once; the port table has its own lock.
 */
#include "bridge.h"
#include "../common/netlink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

struct bridge {
	const struct dockerd_host *host;
	bool proxy;
	struct ports ports;
	struct reaper *reaper;
};

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
     .help = "Switch on IP forwarding of the kernel (net.ipv4.ip_forward)"},
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

/* name: 16 bytes, used when the network names no bridge. */
static int read_net(const struct bridge *b, const struct dockerd_network *n, char *name,
		    struct bridge_net *out, struct dockerd_error *err)
{
	const struct dockerd_value *mtu =
	    dockerd_option_get(n->options, "com.docker.network.driver.mtu");

	const struct dockerd_subnet *v4 = dockerd_subnet_of(n, 0);

	if (!v4 || !v4->gateway)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "network %s has no IPv4 subnet and gateway", n->name);
	snprintf(name, 16, "br-%.12s", n->id);
	*out = (struct bridge_net){
	    .ifname = text(n->options, "com.docker.network.bridge.name", name),
	    .subnet = v4->subnet,
	    .gateway = v4->gateway,
	    .route = v4->next_hop ? v4->next_hop : v4->gateway,
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

static int sysctl_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = -1;

	if (fd >= 0) {
		r = write(fd, value, 1) == 1 ? 0 : -1;
		close(fd);
	}
	return r;
}

/* Forwarding opens the host to all its neighbours: where we switch it on, what is not allowed by a rule is dropped. */
static int ip_forward(struct bridge *b, struct dockerd_error *err)
{
	static const char path[] = "/proc/sys/net/ipv4/ip_forward";
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
	if (sysctl_write(path, "1") < 0)
		return dockerd_fail_errno(err, errno, "Setup IP forwarding failed: write %s", path);
	return DOCKERD_HAS(b->host, firewall)
		   ? b->host->firewall(b->host, 4, "*filter\n-P FORWARD DROP\nCOMMIT\n", err)
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
	if (flag(args->options, "ip-forward", false) && ip_forward(b, err) < 0) {
		bridge_close(b);
		return -1;
	}
	*self = b;
	return 0;
}

/* Hand a batch to the daemon and free it. */
static int firewall(const struct bridge *b, char *rules, struct dockerd_error *err)
{
	int r = 0;

	if (!rules)
		return dockerd_fail_errno(err, ENOMEM, "firewall rules");
	if (DOCKERD_HAS(b->host, firewall) && *rules)
		r = b->host->firewall(b->host, 4, rules, err);
	free(rules);
	return r;
}

/* Known to moby's driver, not to this one: refused where it would mean something. */
static int refuse_missing(const struct dockerd_network *n, struct dockerd_error *err)
{
	static const char *const texts[] = {"com.docker.network.bridge.trusted_host_interfaces",
					    "com.docker.network.container_iface_prefix"};
	const char *mode = text(n->options, "com.docker.network.bridge.gateway_mode_ipv4", "nat");

	if (strcmp(mode, "nat") != 0)
		return dockerd_fail(err, DOCKERD_ERR_NOT_IMPLEMENTED,
				    "gateway mode %s is not supported yet: only nat is", mode);
	if (flag(n->options, "com.docker.network.bridge.inhibit_ipv4", false))
		return dockerd_fail(err, DOCKERD_ERR_NOT_IMPLEMENTED,
				    "com.docker.network.bridge.inhibit_ipv4 is not supported yet");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (*text(n->options, texts[i], ""))
			return dockerd_fail(err, DOCKERD_ERR_NOT_IMPLEMENTED,
					    "%s is not supported yet", texts[i]);
	return 0;
}

/* What moby's bridge driver keeps of a network: without it that daemon could not use the network again. */
static void emit_record(const struct dockerd_network *n, const struct bridge_net *b, bool ours)
{
	const char *len = strchr(b->subnet, '/');
	char record[1024];

	if (!DOCKERD_HAS(n, out))
		return;
	snprintf(record, sizeof(record),
		 "{\"AddressIPv4\":\"%s%s\",\"BridgeIfaceCreator\":%d,\"BridgeName\":\"%s\","
		 "\"ContainerIfacePrefix\":\"\",\"DefaultBindingIP\":\"%s\",\"DefaultBridge\":%s,"
		 "\"DefaultGatewayIPv4\":\"%s\",\"DefaultGatewayIPv6\":\"\\u003cnil\\u003e\","
		 "\"EnableICC\":%s,\"EnableIPMasquerade\":%s,\"EnableIPv4\":true,"
		 "\"EnableIPv6\":false,\"GwModeIPv4\":\"\",\"GwModeIPv6\":\"\","
		 "\"HostIP\":\"\\u003cnil\\u003e\",\"HostIPv6\":\"\\u003cnil\\u003e\","
		 "\"ID\":\"%s\",\"InhibitIPv4\":false,\"Internal\":%s,\"Mtu\":%u,"
		 "\"TrustedHostInterfaces\":\"\"}",
		 b->gateway, len ? len : "/32", ours ? 1 : 2, b->ifname, b->binding,
		 n->flags & DOCKERD_NETWORK_DEFAULT ? "true" : "false",
		 strcmp(b->route, b->gateway) ? b->route : "\\u003cnil\\u003e",
		 b->icc ? "true" : "false", b->masquerade ? "true" : "false", b->id,
		 b->internal ? "true" : "false", b->mtu);
	n->out->row(n->out, "record", record);
}

static int32_t network_create(void *self, const struct dockerd_network *n,
			      struct dockerd_error *err)
{
	struct bridge *b = self;
	struct bridge_net net;
	char name[16], path[80];
	bool ours;

	if (refuse_missing(n, err) < 0 || read_net(b, n, name, &net, err) < 0)
		return -1;
	ours = !link_exists(net.ifname);
	if (link_bridge_up(&net, err) < 0)
		return -1;
	emit_record(n, &net, ours);
	if (!DOCKERD_HAS(b->host, firewall))
		return 0;
	/* Without a proxy, connections to 127.0.0.1 reach containers by DNAT: the kernel has to let such packets onto the bridge. */
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/route_localnet", net.ifname);
	if (!net.proxy && sysctl_write(path, "1") < 0)
		return dockerd_fail_errno(
		    err, errno, "unable to set up loopback addresses routing: write %s", path);
	return firewall(b, bridge_rules_network(&net, true), err);
}

static int32_t network_delete(void *self, const struct dockerd_network *n,
			      struct dockerd_error *err)
{
	struct bridge *b = self;
	struct bridge_net net;
	char name[16];

	if (read_net(b, n, name, &net, err) < 0 ||
	    firewall(b, bridge_rules_network(&net, false), err) < 0)
		return -1;
	return link_bridge_delete(net.ifname, err);
}

/* The host's end: found again by the endpoint's id alone. */
static void host_name(const struct dockerd_endpoint *e, char out[16])
{
	snprintf(out, 16, "veth%.11s", e->id);
}

/* Address without prefix length. */
static void bare(const char *address, char out[64])
{
	snprintf(out, 64, "%.*s", (int)strcspn(address, "/"), address);
}

/* Made from the address, so that neighbours whose ARP cache still has an earlier holder of the address find the new one at once. */
static int choose_mac(const char *wanted, const char *ip, char out[24], struct dockerd_error *err)
{
	unsigned char a[4];

	if (wanted && *wanted) {
		snprintf(out, 24, "%s", wanted);
		return 0;
	}
	if (inet_pton(AF_INET, ip, a) != 1)
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "'%s' is no IPv4 address", ip);
	snprintf(out, 24, "02:42:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3]);
	return 0;
}

static int external_failed(const struct dockerd_endpoint *e, struct dockerd_error *err)
{
	struct dockerd_error inner = *err;
	const char *name = e->name ? e->name : "";

	dockerd_fail(err, inner.category,
		     "driver failed programming external connectivity on endpoint %s (%s): %.700s",
		     name, e->id, inner.text);
	err->sys_errno = inner.sys_errno;
	return -1;
}

/* A container that comes back into the same namespace may find its earlier eth0 there, about to be deleted. */
static int add_link(struct bridge *b, const struct bridge_net *n, const struct dockerd_endpoint *e,
		    struct dockerd_error *err)
{
	int r = link_veth_add(n, e->out_host_ifname, e->ifname, e->out_mac, e->netns_fd, err);

	if (r < 0 && reaper_wait(b->reaper))
		r = link_veth_add(n, e->out_host_ifname, e->ifname, e->out_mac, e->netns_fd, err);
	return r;
}

static struct way_out way_out(const struct bridge_net *n, const struct dockerd_endpoint *e)
{
	return (struct way_out){.wanted = e->flags & DOCKERD_ENDPOINT_ROUTE_IPV4 && !n->internal,
				.via = n->route};
}

static int32_t join(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		    struct dockerd_error *err)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	struct bridge *b = self;
	struct bridge_net net;
	const char *address = dockerd_address_of(e, 0);
	struct way_out out[2] = {0};
	char name[16], ip[64];

	if (read_net(b, n, name, &net, err) < 0)
		return -1;
	if (!address)
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "endpoint %s has no IPv4 address",
				    e->id);
	bare(address, ip);
	host_name(e, e->out_host_ifname);
	if (choose_mac(e->mac, ip, e->out_mac, err) < 0)
		return -1;
	if (ports_bind(&b->ports, b->host, ip, net.proxy, e->ports, e->port_count, err) < 0)
		return external_failed(e, err);
	/* First, since the daemon puts the rules in while the links are made. */
	if (firewall(b, bridge_rules_endpoint(&net, ip, e->ports, e->port_count, true), err) < 0) {
		external_failed(e, err);
		goto drop_ports;
	}
	if (add_link(b, &net, e, err) < 0)
		goto drop_rules;
	out[0] = way_out(&net, e);
	if (inside_setup(e, out, err) < 0)
		goto drop_link;
	return 0;
drop_link:
	link_delete(if_nametoindex(e->out_host_ifname), &ignored);
drop_rules:
	firewall(b, bridge_rules_endpoint(&net, ip, e->ports, e->port_count, false), &ignored);
drop_ports:
	ports_release(&b->ports, b->host, e->ports, e->port_count);
	return -1;
}

static int32_t leave(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		     struct dockerd_error *err)
{
	struct bridge *b = self;
	struct bridge_net net;
	const char *address = dockerd_address_of(e, 0);
	char name[16], ip[64], host[16];
	unsigned int index;
	int r = 0;

	if (read_net(b, n, name, &net, err) < 0)
		return -1;
	if (address) {
		bare(address, ip);
		r = firewall(b, bridge_rules_endpoint(&net, ip, e->ports, e->port_count, false),
			     err);
	}
	ports_release(&b->ports, b->host, e->ports, e->port_count);
	host_name(e, host);
	if (link_down(host, &index, err) < 0)
		return -1;
	/* By number: the kernel may take it away with its namespace before, and a join make another one of that name. */
	if (index)
		reaper_delete(b->reaper, index);
	return r;
}

/* The link is there and carries traffic; rules and ports are taken over by the same requests that made them. */
static int32_t adopt(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		     struct dockerd_error *err)
{
	struct bridge *b = self;
	struct bridge_net net;
	const char *address = dockerd_address_of(e, 0);
	char name[16], ip[64];

	if (read_net(b, n, name, &net, err) < 0)
		return -1;
	bare(address ? address : "", ip);
	host_name(e, e->out_host_ifname);
	if (!link_exists(e->out_host_ifname))
		return dockerd_fail(err, DOCKERD_ERR_NOT_FOUND, "link %s of endpoint %s is gone",
				    e->out_host_ifname, e->id);
	/* Exactly the ports it had, not some of the range it asked for. */
	for (uint32_t i = 0; i < e->port_count; i++)
		DOCKERD_AT(e->ports, i)->host_port_start = DOCKERD_AT(e->ports, i)->host_port_end =
		    DOCKERD_AT(e->ports, i)->bound_port;
	if (ports_bind(&b->ports, b->host, ip, net.proxy, e->ports, e->port_count, err) < 0)
		return external_failed(e, err);
	return firewall(b, bridge_rules_endpoint(&net, ip, e->ports, e->port_count, true), err);
}

/* Is the port of v among those of w, bound to the same number? */
static bool among(const struct dockerd_port *v, const struct dockerd_port *w, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct dockerd_port *p = DOCKERD_AT(w, i);

		if (p->bound_port == v->bound_port && p->container_port == v->container_port &&
		    !strcmp(p->proto, v->proto) && !strcmp(p->host_ip, v->host_ip))
			return true;
	}
	return false;
}

/* The ports of v that are not in w, by structs of ours: malloc'ed, *n of them. NULL if memory is gone. */
static struct dockerd_port *only_in(const struct dockerd_port *v, uint32_t count,
				    const struct dockerd_port *w, uint32_t other, uint32_t *n)
{
	struct dockerd_port *out = calloc(count + 1, sizeof(*out));

	*n = 0;
	for (uint32_t i = 0; out && i < count; i++) {
		const struct dockerd_port *p = DOCKERD_AT(v, i);

		if (p->bound_port && among(p, w, other))
			continue;
		memcpy(&out[*n], p, p->size < sizeof(*p) ? p->size : sizeof(*p));
		out[(*n)++].size = sizeof(*out);
	}
	return out;
}

/* Ports that go: rules first, so that nobody is sent to a port that is another's already. */
static int drop_ports(struct bridge *b, const struct bridge_net *net, const char *ip,
		      const struct dockerd_port *v, uint32_t n, struct dockerd_error *err)
{
	int r = n ? firewall(b, bridge_rules_ports(net, ip, v, n, false), err) : 0;

	ports_release(&b->ports, b->host, v, n);
	return r;
}

static int add_ports(struct bridge *b, const struct bridge_net *net, const char *ip,
		     struct dockerd_endpoint *e, struct dockerd_port *v, uint32_t n,
		     struct dockerd_error *err)
{
	uint32_t k = 0;

	if (!n)
		return 0;
	if (ports_bind(&b->ports, b->host, ip, net->proxy, v, n, err) < 0)
		return external_failed(e, err);
	if (firewall(b, bridge_rules_ports(net, ip, v, n, true), err) < 0) {
		ports_release(&b->ports, b->host, v, n);
		return external_failed(e, err);
	}
	for (uint32_t i = 0; i < e->port_count; i++) /* in the order of only_in */
		if (!DOCKERD_AT(e->ports, i)->bound_port)
			DOCKERD_AT(e->ports, i)->bound_port = v[k++].bound_port;
	return 0;
}

/* The way out goes to another network, or comes back from one. */
static int32_t update(void *self, const struct dockerd_network *n,
		      const struct dockerd_endpoint *was, struct dockerd_endpoint *e,
		      struct dockerd_error *err)
{
	const char *address = dockerd_address_of(e, 0);
	struct bridge *b = self;
	struct bridge_net net;
	struct dockerd_port *gone, *fresh;
	uint32_t n_gone, n_fresh;
	struct way_out now;
	char name[16], ip[64];
	int r = 0;

	if (read_net(b, n, name, &net, err) < 0)
		return -1;
	bare(address ? address : "", ip);
	gone = only_in(was->ports, was->port_count, e->ports, e->port_count, &n_gone);
	fresh = only_in(e->ports, e->port_count, was->ports, was->port_count, &n_fresh);
	if (!gone || !fresh)
		r = dockerd_fail_errno(err, ENOMEM, "ports of endpoint %s", e->id);
	if (r == 0)
		r = add_ports(b, &net, ip, e, fresh, n_fresh, err);
	now = way_out(&net, e);
	if (r == 0 && now.wanted != way_out(&net, was).wanted && e->netlink_fd >= 0) {
		r = inside_default_route(e, false, &now, err);
		if (r < 0) {
			struct dockerd_error ignored = {.size = sizeof(ignored)};

			drop_ports(b, &net, ip, fresh, n_fresh, &ignored);
		}
	}
	if (r == 0)
		r = drop_ports(b, &net, ip, gone, n_gone, err);
	free(gone);
	free(fresh);
	return r;
}

static const struct dockerd_network_ops ops = {
    .common = {.size = sizeof(ops), .open = bridge_open, .close = bridge_close},
    .network_create = network_create,
    .network_delete = network_delete,
    .join = join,
    .leave = leave,
    .update = update,
    .adopt = adopt,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_NETWORK, .name = "bridge", .version = "0.1",
	       .description = "Linux bridge with NAT and published ports",
	       .concurrency = DOCKERD_PARALLEL,
	       .capabilities = DOCKERD_NETWORK_CAP_PORTS | DOCKERD_NETWORK_CAP_ADDRESSES,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
