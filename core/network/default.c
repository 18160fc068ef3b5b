/* SPDX-License-Identifier: Apache-2.0 */
/* The default bridge: its addresses and options from the daemon's flags, from the bridge as it is, or from the pools. */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <net/if.h>
#include <stdlib.h>

/* Subnet, gateway, range of the default bridge from flags, the bridge as it is, or the default pools. */
static int choose_addresses(const struct network_config *c, const char *ifname, struct net *n,
			    struct error *err)
{
	struct ipam_prefix range = {0};

	if (!str_empty(c->fixed_cidr) && ipam_parse(c->fixed_cidr, &range, err) < 0)
		return error_wrap(err, "fixed-cidr");
	n->has_range = range.len != 0;
	if (!str_empty(c->bip)) {
		if (ipam_parse(c->bip, &n->subnet, err) < 0)
			return error_wrap(err, "bip");
		n->gateway = n->subnet.addr;
		if (n->gateway == (n->gateway & ipam_mask(n->subnet.len)))
			return error_set(err, ERR_INVALID,
					 "bip %s is the address of a network, not of a host in it",
					 c->bip);
	} else if (ipam_interface_address(ifname, &n->subnet)) {
		n->gateway = n->subnet.addr;
	} else if (n->has_range) {
		n->subnet = range;
		n->gateway = (range.addr & ipam_mask(range.len)) + 1;
	} else {
		if (network_choose_subnet(&n->subnet, err) < 0)
			return -1;
		n->gateway = n->subnet.addr + 1;
	}
	n->range = n->has_range ? range : n->subnet;
	if (!ipam_overlap(n->range, n->subnet) || n->range.len < n->subnet.len)
		return error_set(err, ERR_INVALID,
				 "fixed-cidr %s is not within the bridge's subnet", c->fixed_cidr);
	if (!str_empty(c->default_gateway)) {
		if (ipam_parse_addr(c->default_gateway, &n->route, err) < 0)
			return error_wrap(err, "default-gateway");
		pairs_set(&n->auxiliary, "DefaultGatewayIPv4", c->default_gateway);
	}
	return net_ipam_init(n, err);
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

	if (!str_empty(c->bridge) && str_empty(c->bip) && !if_nametoindex(ifname))
		return error_set(err, ERR_INVALID,
				 "bridge device with non default name %s must be created manually "
				 "(or give --bip as well to have it made)",
				 ifname);
	if (choose_addresses(c, ifname, n, err) < 0)
		return -1;
	set_options(c, ifname, n);
	return 0;
}
