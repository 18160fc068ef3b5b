/* SPDX-License-Identifier: Apache-2.0 */
/* The default bridge: its addresses and options from the daemon's flags, from the bridge as it is, or from the pools. */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <net/if.h>
#include <stdlib.h>

/* What the flags say of one family. */
struct family {
	bool ipv6;
	const char *bip, *bip_name, *fixed_cidr, *fixed_name, *gateway, *gateway_name, *auxiliary;
};

/* Subnet and gateway of the default bridge from flags, the bridge as it is, or the default pools. */
static int choose_subnet(const struct family *f, const char *ifname,
			 const struct ipam_prefix *range, struct ipam_prefix *subnet,
			 struct ip *gateway, struct error *err)
{
	if (!str_empty(f->bip)) {
		if (ipam_parse(f->bip, subnet, err) < 0)
			return error_wrap(err, "%s", f->bip_name);
		*gateway = subnet->addr;
		if (ip_equal(*gateway, ipam_first(*subnet)) || ip_is_v6(*gateway) != f->ipv6)
			return error_set(err, ERR_INVALID,
					 "%s %s is the address of a network, not of a host in it",
					 f->bip_name, f->bip);
	} else if (ipam_interface_address(ifname, f->ipv6 ? 128 : 32, subnet)) {
		*gateway = subnet->addr;
	} else {
		if (ipam_is_set(*range))
			*subnet = *range;
		else if (network_choose_subnet(f->ipv6, subnet, err) < 0)
			return -1;
		*gateway = ipam_first(*subnet);
		gateway->v++;
	}
	return 0;
}

static int choose_addresses(const struct family *f, const char *ifname, struct net *n,
			    struct error *err)
{
	struct ipam_prefix range = {0}, subnet;
	struct net_subnet *s;
	struct ip gateway, route = {0};

	if (!str_empty(f->fixed_cidr) && ipam_parse(f->fixed_cidr, &range, err) < 0)
		return error_wrap(err, "%s", f->fixed_name);
	if (ipam_is_set(range) && ip_is_v6(range.addr) != f->ipv6)
		return error_set(err, ERR_INVALID, "%s %s is of the other family", f->fixed_name,
				 f->fixed_cidr);
	if (!str_empty(f->gateway) && ip_parse(f->gateway, &route, err) < 0)
		return error_wrap(err, "%s", f->gateway_name);
	if (choose_subnet(f, ifname, &range, &subnet, &gateway, err) < 0)
		return -1;
	s = net_add_subnet(n, subnet);
	s->gateway = gateway;
	s->route = route;
	s->has_range = ipam_is_set(range);
	if (s->has_range)
		s->range = range;
	if (!ipam_contains(s->subnet, s->range.addr) || s->range.len < s->subnet.len)
		return error_set(err, ERR_INVALID, "%s %s is not within the bridge's subnet",
				 f->fixed_name, f->fixed_cidr);
	if (route.bits)
		pairs_set(&s->auxiliary, f->auxiliary, f->gateway);
	return 0;
}

static void set_options(const struct network_config *c, const char *ifname, struct net *n)
{
	auto_free char *mtu = xasprintf("%d", c->mtu > 0 ? c->mtu : 1500);

	pairs_set(&n->options, "com.docker.network.bridge.default_bridge", "true");
	pairs_set(&n->options, "com.docker.network.bridge.enable_icc", c->icc ? "true" : "false");
	pairs_set(&n->options, "com.docker.network.bridge.enable_ip_masquerade",
		  c->ip_masq && c->iptables ? "true" : "false");
	pairs_set(&n->options, "com.docker.network.bridge.host_binding_ipv4", room.default_ip);
	pairs_set(&n->options, "com.docker.network.bridge.name", ifname);
	pairs_set(&n->options, "com.docker.network.driver.mtu", mtu);
}

int network_default_init(const struct network_config *c, struct net *n, struct error *err)
{
	const char *ifname = str_empty(c->bridge) ? "docker0" : c->bridge;
	const struct family v4 = {false,
				  c->bip,
				  "bip",
				  c->fixed_cidr,
				  "fixed-cidr",
				  c->default_gateway,
				  "default-gateway",
				  "DefaultGatewayIPv4"},
			    v6 = {true,
				  c->bip6,
				  "bip6",
				  c->fixed_cidr6,
				  "fixed-cidr-v6",
				  c->default_gateway6,
				  "default-gateway-v6",
				  "DefaultGatewayIPv6"};

	if (!str_empty(c->bridge) && str_empty(c->bip) && !if_nametoindex(ifname))
		return error_set(err, ERR_INVALID,
				 "bridge device with non default name %s must be created manually "
				 "(or give --bip as well to have it made)",
				 ifname);
	n->ipv6 = c->ipv6;
	if (choose_addresses(&v4, ifname, n, err) < 0 ||
	    (n->ipv6 && choose_addresses(&v6, ifname, n, err) < 0))
		return -1;
	set_options(c, ifname, n);
	return net_ipam_init(n, err);
}
