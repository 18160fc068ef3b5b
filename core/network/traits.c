/* SPDX-License-Identifier: Apache-2.0 */
/* What containers must know of a network before they join it, and whether they may have what they ask for: in moby's words. */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>

/* May containers ask for addresses of the family? */
static bool user_subnet(const struct net *n, bool ipv6)
{
	const struct net_subnet *s = net_first_subnet(n, ipv6);

	return s && s->asked && subnet_is_on(n, s);
}

int network_traits(const char *name_or_id, struct network_traits *out, struct error *err)
{
	auto_net *n = network_get(name_or_id, err);

	if (!n)
		return -1;
	*out = (struct network_traits){.predefined = n->predefined,
				       .is_default = n->is_default,
				       .internal = n->internal,
				       .user_subnet = {user_subnet(n, false), user_subnet(n, true)},
				       .ipv4 = n->ipv4,
				       .ipv6 = n->ipv6,
				       .publishes = net_caps(n) & DOCKERD_NETWORK_CAP_PORTS,
				       .has_addresses = network_has_addresses(n),
				       .in_host = net_caps(n) & DOCKERD_NETWORK_CAP_HOST,
				       .resolver = !n->predefined};
	memcpy(out->id, n->id, sizeof(out->id));
	snprintf(out->name, sizeof(out->name), "%s", n->name);
	snprintf(out->driver, sizeof(out->driver), "%s", n->driver_name);
	return 0;
}

static void complain(struct str *all, const char *what)
{
	str_printf(all, "\n%s", what);
}

static void check_addresses(const struct network_traits *t, const json *ipam, struct str *all)
{
	const char *v4 = json_get_str(ipam, "IPv4Address", ""),
		   *v6 = json_get_str(ipam, "IPv6Address", "");
	struct error bad = ERROR_INIT;
	struct ip ip;

	if (!*v4 && !*v6)
		return;
	if (t->predefined)
		complain(all,
			 "user specified IP address is supported on user defined networks only");
	else if (*v4 && (ip_parse(v4, &ip, &bad) < 0 || ip_is_v6(ip)))
		str_printf(all, "\ninvalid IPv4 address: %s", v4);
	else if (*v6 && (ip_parse(v6, &ip, &bad) < 0 || !ip_is_v6(ip)))
		str_printf(all, "\ninvalid IPv6 address: %s", v6);
	else if ((*v4 && !t->user_subnet[0]) || (*v6 && !t->user_subnet[1]))
		complain(all, "user specified IP address is supported only when connecting to "
			      "networks with user configured subnets");
}

int network_check_settings(const struct network_traits *t, const json *settings, struct error *err)
{
	auto_str all = STR_INIT;

	if (json_count(json_get(settings, "Aliases")) && t->predefined)
		complain(&all, "network-scoped alias is supported only for containers in user "
			       "defined networks");
	check_addresses(t, json_get(settings, "IPAMConfig"), &all);
	if (json_count(json_get(json_get(settings, "IPAMConfig"), "LinkLocalIPs")))
		complain(&all, "link-local addresses are not supported yet");
	return all.len ? error_set(err, ERR_INVALID, "invalid endpoint settings:%s", str_cstr(&all))
		       : 0;
}
