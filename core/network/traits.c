/* SPDX-License-Identifier: Apache-2.0 */
/* What containers must know of a network before they join it, and whether they may have what they ask for: in moby's words. */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

int network_traits(const char *name_or_id, struct network_traits *out, struct error *err)
{
	auto_net *n = network_get(name_or_id, err);

	if (!n)
		return -1;
	*out = (struct network_traits){.predefined = n->predefined,
				       .is_default = n->is_default,
				       .internal = n->internal,
				       .ipv4 = n->ipv4,
				       .ipv6 = n->ipv6,
				       .publishes = net_caps(n) & DOCKERD_NETWORK_CAP_PORTS,
				       .has_addresses = network_has_addresses(n),
				       .in_host = net_caps(n) & DOCKERD_NETWORK_CAP_HOST,
				       .resolver = !n->predefined};
	memcpy(out->id, n->id, sizeof(out->id));
	snprintf(out->ifname, sizeof(out->ifname), "%s", *n->ifname ? n->ifname : "eth");
	snprintf(out->name, sizeof(out->name), "%s", n->name);
	snprintf(out->driver, sizeof(out->driver), "%s", n->driver_name);
	return 0;
}

static void __attribute__((format(printf, 2, 3)))
complain(struct strlist *all, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	strlist_add(all, text);
}

/* Moby's: an address must be in a subnet that the user has chosen. */
static void check_range(const struct net *n, const char *text, bool ipv6, struct strlist *all)
{
	struct error bad = ERROR_INIT;
	struct ip ip = {0};
	bool chosen = false;

	if (!*text)
		return;
	ip_parse(text, &ip, &bad);
	for (size_t i = 0; i < n->n_subnets; i++) {
		const struct net_subnet *s = &n->subnets[i];

		if (subnet_is_v6(s) != ipv6 || !(s->asked || n->is_default))
			continue;
		chosen = true;
		if (ipam_contains(s->subnet, ip))
			return;
	}
	if (chosen)
		complain(all, "no configured subnet or ip-range contain the IP address %s", text);
	else
		complain(all, "user specified IP address is supported only when connecting to "
			      "networks with user configured subnets");
}

/* Of one family: is it an address at all? */
static void check_text(const char *text, bool ipv6, struct strlist *all)
{
	struct error bad = ERROR_INIT;
	struct ip ip;

	if (*text && (ip_parse(text, &ip, &bad) < 0 || ip_is_v6(ip) != ipv6))
		complain(all, "invalid IPv%d address: %s", ipv6 ? 6 : 4, text);
}

static void check_link_local(const json *list, struct strlist *all)
{
	struct error bad = ERROR_INIT;
	struct ip ip;

	for (const json *a = json_first(list); a; a = json_next(a))
		if (ip_parse(json_str(a, ""), &ip, &bad) < 0 || !ip.v)
			complain(all, "invalid link-local IP address: %s", json_str(a, ""));
}

static void check_driver_opts(const json *opts, struct strlist *all)
{
	const char *sysctls = json_get_str(opts, "com.docker.network.endpoint.sysctls", NULL);
	struct error bad = ERROR_INIT;

	if (sysctls && sysctls_check(sysctls, &bad) < 0)
		strlist_add(all, bad.text);
}

int network_check_settings(const struct network_traits *t, const json *settings, struct error *err)
{
	const json *ipam = json_get(settings, "IPAMConfig");
	const char *v4 = json_get_str(ipam, "IPv4Address", ""),
		   *v6 = json_get_str(ipam, "IPv6Address", "");
	auto_strlist all = STRLIST_INIT;
	struct error ignored = ERROR_INIT;
	auto_net *n = *t->id ? network_get(t->id, &ignored) : NULL;
	auto_str text = STR_INIT;

	if (t->predefined && (*v4 || *v6))
		complain(&all,
			 "user specified IP address is supported on user defined networks only");
	if (t->predefined && json_count(json_get(settings, "Aliases")))
		complain(&all, "network-scoped alias is supported only for containers in user "
			       "defined networks");
	check_text(v4, false, &all);
	check_text(v6, true, &all);
	check_link_local(json_get(ipam, "LinkLocalIPs"), &all);
	check_driver_opts(json_get(settings, "DriverOpts"), &all);
	if (n) {
		check_range(n, v4, false, &all);
		check_range(n, v6, true, &all);
	}
	for (size_t i = 0; i < all.n; i++)
		str_printf(&text, "\n%s%s", all.n > 1 ? "* " : "", all.v[i]);
	return all.n ? error_set(err, ERR_INVALID, "invalid endpoint settings:%s", str_cstr(&text))
		     : 0;
}
