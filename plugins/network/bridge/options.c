/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a network's options say, in moby's words where they are refused, and the record that moby's driver keeps of it. Pure, but for the record
 * that is emitted. The table of options is in bridge.c.
 */
#include "bridge.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define BRIDGE "com.docker.network.bridge."

bool option_flag(const struct dockerd_options *o, const char *key, bool fallback)
{
	const struct dockerd_value *v = dockerd_option_get(o, key);

	return v ? v->number != 0 : fallback;
}

static const char *text(const struct dockerd_options *o, const char *key, const char *fallback)
{
	const struct dockerd_value *v = dockerd_option_get(o, key);

	return v && v->text && *v->text ? v->text : fallback;
}

static int bad_value(const char *key, const char *value, const char *why, struct dockerd_error *err)
{
	return dockerd_fail(err, DOCKERD_ERR_INVALID, "failed to parse %s value: %.200s (%s)", key,
			    value, why);
}

static const char *const mode_names[] = {[GATEWAY_DEFAULT] = "",
					 [GATEWAY_NAT] = "nat",
					 [GATEWAY_UNPROTECTED] = "nat-unprotected",
					 [GATEWAY_ROUTED] = "routed",
					 [GATEWAY_ISOLATED] = "isolated"};

static int read_mode(const struct dockerd_network *n, const char *key, enum gateway_mode *out,
		     struct dockerd_error *err)
{
	const struct dockerd_value *v = dockerd_option_get(n->options, key);
	const char *mode = v && v->text ? v->text : "";
	char why[96];

	for (int i = v ? GATEWAY_NAT : GATEWAY_DEFAULT; i <= GATEWAY_ISOLATED; i++)
		if (!strcmp(mode, mode_names[i])) {
			*out = (enum gateway_mode)i;
			return 0;
		}
	snprintf(why, sizeof(why), "unknown gateway mode %.40s", mode);
	return bad_value(key, mode, why, err);
}

/* An address, of either family where that is AF_UNSPEC; NULL: none is given. It goes into rules and records. */
static int read_address(const struct dockerd_network *n, const char *key, int family,
			const char **out, struct dockerd_error *err)
{
	const char *value = text(n->options, key, NULL);
	unsigned char a[16];

	*out = value;
	if (!value || (family != AF_INET6 && inet_pton(AF_INET, value, a) == 1) ||
	    (family != AF_INET && inet_pton(AF_INET6, value, a) == 1))
		return 0;
	return bad_value(key, value, "nil ip", err);
}

/* Of links: they go into rules and records. */
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

bool bridge_next_name(const char **list, char name[16])
{
	size_t len;

	*list += strspn(*list, ":");
	len = strcspn(*list, ":");
	snprintf(name, 16, "%.*s", (int)len, *list);
	*list += len;
	return len > 0;
}

/* "eth0:eth1". */
static int check_trusted(const char *list, struct dockerd_error *err)
{
	static const char key[] = BRIDGE "trusted_host_interfaces";
	const char *at = list;

	if (strspn(list, NAME_CHARACTERS ":") != strlen(list))
		return bad_value(key, list, "names of interfaces, with ':' in between", err);
	while (*at) {
		size_t len = strcspn(at, ":");

		if (len > 15)
			return bad_value(key, list, "a name is longer than 15 characters", err);
		at += len + strspn(at + len, ":");
	}
	return 0;
}

static int check_names(const struct bridge_net *n, struct dockerd_error *err)
{
	static const char prefix[] = "com.docker.network.container_iface_prefix";

	if (strlen(n->ifname) > 15)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "bridge name %s is longer than 15 characters", n->ifname);
	if (strspn(n->ifname, NAME_CHARACTERS) != strlen(n->ifname))
		return dockerd_fail(
		    err, DOCKERD_ERR_INVALID,
		    "invalid bridge name %s: letters, digits, '.', '_' and '-' only", n->ifname);
	if (strspn(n->prefix, NAME_CHARACTERS) != strlen(n->prefix) || strlen(n->prefix) > 12)
		return bad_value(prefix, n->prefix, "at most 12 letters, digits, '.', '_' and '-'",
				 err);
	return check_trusted(n->trusted, err);
}

/* Has the bridge no address of the family, so that nobody needs one for it? */
static bool goes_without_gateway(const struct bridge_net *n, bool v6)
{
	return n->mode[v6] == GATEWAY_ISOLATED || (!v6 && n->inhibit_ipv4 && n->internal);
}

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
		if (!s || (!s->gateway && !goes_without_gateway(out, v6)))
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

static int read_modes(const struct dockerd_network *n, struct bridge_net *out,
		      struct dockerd_error *err)
{
	if (read_mode(n, BRIDGE "gateway_mode_ipv4", &out->mode[0], err) < 0 ||
	    read_mode(n, BRIDGE "gateway_mode_ipv6", &out->mode[1], err) < 0)
		return -1;
	if (!out->internal &&
	    (out->mode[0] == GATEWAY_ISOLATED || out->mode[1] == GATEWAY_ISOLATED))
		return dockerd_fail(
		    err, DOCKERD_ERR_SYSTEM,
		    "gateway mode 'isolated' can only be used for an internal network");
	return 0;
}

int bridge_read(const struct bridge *b, const struct dockerd_network *n, char name[16],
		struct bridge_net *out, struct dockerd_error *err)
{
	const struct dockerd_options *o = n->options;
	const struct dockerd_value *mtu = dockerd_option_get(o, "com.docker.network.driver.mtu");

	snprintf(name, 16, "br-%.12s", n->id);
	*out = (struct bridge_net){
	    .ifname = text(o, BRIDGE "name", name),
	    .id = n->id,
	    .batch = DOCKERD_HAS_FIELD(n, batch) ? n->batch : NULL,
	    .trusted = text(o, BRIDGE "trusted_host_interfaces", ""),
	    .prefix = text(o, "com.docker.network.container_iface_prefix", ""),
	    .mtu = n->mtu ? n->mtu
		   : mtu  ? (unsigned int)mtu->number
			  : 0,
	    .icc = option_flag(o, BRIDGE "enable_icc", true),
	    .masquerade = option_flag(o, BRIDGE "enable_ip_masquerade", true),
	    .inhibit_ipv4 = option_flag(o, BRIDGE "inhibit_ipv4", false),
	    .internal = (n->flags & DOCKERD_NETWORK_INTERNAL) != 0,
	    .proxy = b->proxy,
	    .direct = b->direct,
	    .obey = b->obey,
	    .is_default = (n->flags & DOCKERD_NETWORK_DEFAULT) != 0,
	};
	if (read_modes(n, out, err) < 0 || read_families(n, out, err) < 0 ||
	    read_address(n, BRIDGE "host_binding_ipv4", AF_UNSPEC, &out->binding, err) < 0 ||
	    read_address(n, "com.docker.network.host_ipv4", AF_INET, &out->source[0], err) < 0 ||
	    read_address(n, "com.docker.network.host_ipv6", AF_INET6, &out->source[1], err) < 0)
		return -1;
	return check_names(out, err);
}

/* ---- moby's record --------------------------------------------------------------------------------------------------------------------------- */

#define NIL "\\u003cnil\\u003e" /* how Go prints an address that is none */

/* "AddressIPvN":"172.17.0.1/16", with a comma behind; nothing without the family. Without a gateway it is the subnet. */
static const char *address_field(const struct bridge_net *b, bool v6, char out[96])
{
	const struct bridge_family *f = &b->v[v6];
	const char *len = f->subnet ? strchr(f->subnet, '/') : NULL;

	out[0] = '\0';
	if (len)
		snprintf(out, 96, "\"AddressIPv%d\":\"%s%s\",", v6 ? 6 : 4,
			 f->gateway ? f->gateway : f->subnet, f->gateway ? len : "");
	return out;
}

static const char *other_route(const struct bridge_net *b, bool v6)
{
	const struct bridge_family *f = &b->v[v6];

	return f->route && f->gateway && strcmp(f->route, f->gateway) ? f->route : NIL;
}

static const char *truth(bool value)
{
	return value ? "true" : "false";
}

void bridge_emit_record(const struct dockerd_network *n, const struct bridge_net *b, bool ours)
{
	char record[2048], v4[96], v6[96];

	if (!DOCKERD_HAS(n, out))
		return;
	snprintf(record, sizeof(record),
		 "{%s%s\"BridgeIfaceCreator\":%d,\"BridgeName\":\"%s\","
		 "\"ContainerIfacePrefix\":\"%s\",\"DefaultBindingIP\":\"%s\",\"DefaultBridge\":%s,"
		 "\"DefaultGatewayIPv4\":\"%s\",\"DefaultGatewayIPv6\":\"%s\","
		 "\"EnableICC\":%s,\"EnableIPMasquerade\":%s,\"EnableIPv4\":%s,"
		 "\"EnableIPv6\":%s,\"GwModeIPv4\":\"%s\",\"GwModeIPv6\":\"%s\","
		 "\"HostIP\":\"%s\",\"HostIPv6\":\"%s\","
		 "\"ID\":\"%s\",\"InhibitIPv4\":%s,\"Internal\":%s,\"Mtu\":%u,"
		 "\"TrustedHostInterfaces\":\"%.600s\"}",
		 address_field(b, false, v4), address_field(b, true, v6), ours ? 1 : 2, b->ifname,
		 b->prefix, b->binding ? b->binding : NIL, truth(b->is_default),
		 other_route(b, false), other_route(b, true), truth(b->icc), truth(b->masquerade),
		 truth(b->v[0].subnet != NULL), truth(b->v[1].subnet != NULL),
		 mode_names[b->mode[0]], mode_names[b->mode[1]], b->source[0] ? b->source[0] : NIL,
		 b->source[1] ? b->source[1] : NIL, b->id, truth(b->inhibit_ipv4),
		 truth(b->internal), b->mtu, b->trusted);
	n->out->row(n->out, "record", record);
}
