/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses from IPAM plugins of the classic socket protocol: pools when a network is made, an address for each endpoint. What they give is kept
 * among our own (subnets.c, endpoint_table.c) as well, so that everything else of the room is as it is. No lock is held while a plugin is asked.
 * Source: libnetwork docs/ipam.md; what moby 28 sends.
 */
#include "network/ipam_remote.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "plugin/remote/remote.h"

#include <stdlib.h>
#include <sys/random.h>

#define KIND "IpamDriver"
#define GATEWAY "com.docker.network.gateway"
#define MAC "com.docker.network.endpoint.macaddress"

static json *ask(const struct net *n, const char *method, const struct str *request,
		 struct error *err)
{
	auto_free char *full = xasprintf(KIND ".%s", method);
	const struct remote *r = remote_get(n->ipam_driver, KIND, true, err);
	json *reply = r ? remote_call(r, full, request, REMOTE_SHORT, true, err) : NULL;
	auto_free char *why = NULL;

	if (!reply || !*json_get_str(reply, "Error", ""))
		return reply;
	why = xstrdup(json_get_str(reply, "Error", ""));
	json_free(reply);
	error_set(err, ERR_SYSTEM, "remote: %s", why);
	return NULL;
}

/* ---- pools -------------------------------------------------------------------------------------------------------------------------- */

static int learn_space(struct net *n, struct error *err)
{
	auto_json *reply = ask(n, "GetDefaultAddressSpaces", NULL, err);

	if (!reply)
		return -1;
	free(n->address_space);
	n->address_space = xstrdup(json_get_str(reply, "LocalDefaultAddressSpace", ""));
	return 0;
}

/* An address of the pool: the wanted one, or any. */
static int request_address(const struct net *n, const struct net_subnet *s, const char *wanted,
			   const struct pairs *options, struct ipam_prefix *out, struct error *err)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);
	auto_json *reply = NULL;

	jw_obj(&w);
	jw_kstr(&w, "PoolID", s->pool_id);
	jw_kstr(&w, "Address", wanted);
	jw_kpairs(&w, "Options", options, true);
	jw_end(&w);
	reply = ask(n, "RequestAddress", &text, err);
	if (!reply)
		return -1;
	if (!*json_get_str(reply, "Address", ""))
		return error_set(err, ERR_SYSTEM, "ipam plugin did not return any IP address");
	return ipam_parse(json_get_str(reply, "Address", ""), out, err);
}

static void release_address(const struct net *n, const struct net_subnet *s, struct ip ip)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);
	auto_json *reply = NULL;
	struct error err = ERROR_INIT;
	char address[IP_TEXT];

	ip_format(ip, address);
	jw_obj(&w);
	jw_kstr(&w, "PoolID", s->pool_id);
	jw_kstr(&w, "Address", address);
	jw_end(&w);
	reply = ask(n, "ReleaseAddress", &text, &err);
	if (!reply)
		log_warn("ipam plugin did not take an address back", "plugin", n->ipam_driver,
			 "address", address, "error", err.text);
}

static int request_pool(struct net *n, const struct net_subnet *wanted, bool ipv6, char **id,
			struct ipam_prefix *out, struct error *err)
{
	char pool[IPAM_PREFIX_TEXT] = "", range[IPAM_PREFIX_TEXT] = "";
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);
	auto_json *reply = NULL;

	if (wanted)
		ipam_format_net(wanted->subnet, pool);
	if (wanted && wanted->has_range)
		ipam_format_net(wanted->range, range);
	jw_obj(&w);
	jw_kstr(&w, "AddressSpace", n->address_space);
	jw_kstr(&w, "Pool", pool);
	jw_kstr(&w, "SubPool", range);
	jw_kpairs(&w, "Options", &n->ipam_options, false);
	jw_kbool(&w, "V6", ipv6);
	jw_end(&w);
	reply = ask(n, "RequestPool", &text, err);
	if (!reply || ipam_parse(json_get_str(reply, "Pool", ""), out, err) < 0)
		return -1;
	if (ip_is_v6(out->addr) != ipv6)
		return error_set(err, ERR_SYSTEM,
				 "ipam plugin returned a pool of another family: %s",
				 json_get_str(reply, "Pool", ""));
	*id = xstrdup(json_get_str(reply, "PoolID", ""));
	return 0;
}

static int claim_gateway(struct net *n, struct net_subnet *s, struct error *err)
{
	auto_pairs options = PAIRS_INIT;
	struct ipam_prefix got;
	char wanted[IP_TEXT];

	ip_format(s->gateway, wanted);
	pairs_set(&options, "RequestAddressType", GATEWAY);
	s->gateway = (struct ip){0};
	if (request_address(n, s, wanted, &options, &got, err) < 0)
		return -1;
	s->gateway = got.addr;
	return 0;
}

/* Those that are claimed come first: what follows in the list is not the plugin's when this fails. */
static int claim_auxiliary(struct net *n, struct net_subnet *s, struct error *err)
{
	const struct pairs none = PAIRS_INIT;
	struct ipam_prefix got;

	for (size_t i = 0; i < s->auxiliary.n; i++)
		if (request_address(n, s, s->auxiliary.v[i].value, &none, &got, err) < 0) {
			while (s->auxiliary.n > i) {
				auto_free char *key = xstrdup(s->auxiliary.v[i].key);

				pairs_del(&s->auxiliary, key);
			}
			return error_wrap(err, "failed to allocate secondary ip address");
		}
	return 0;
}

static int claim_subnet(struct net *n, struct net_subnet *s, struct error *err)
{
	struct ipam_prefix got;

	if (request_pool(n, s, subnet_is_v6(s), &s->pool_id, &got, err) < 0)
		return -1;
	if (!ipam_contains(got, s->subnet.addr) || got.len != s->subnet.len)
		return error_set(err, ERR_SYSTEM,
				 "ipam plugin returned another pool than asked for");
	return claim_gateway(n, s, err) < 0 || claim_auxiliary(n, s, err) < 0 ? -1 : 0;
}

static int claim_any(struct net *n, bool ipv6, struct error *err)
{
	struct net_subnet *s;
	struct ipam_prefix got;
	char *id = NULL;

	if (request_pool(n, NULL, ipv6, &id, &got, err) < 0) {
		free(id);
		return -1;
	}
	s = net_add_subnet(n, got);
	s->pool_id = id;
	return claim_gateway(n, s, err);
}

int ipam_remote_claim(struct net *n, struct error *err)
{
	const bool on[2] = {n->ipv4, n->ipv6};
	int r = learn_space(n, err);

	for (size_t i = 0; r == 0 && i < n->n_subnets; i++)
		if (subnet_is_on(n, &n->subnets[i]))
			r = claim_subnet(n, &n->subnets[i], err);
	for (int v6 = 0; r == 0 && v6 < 2; v6++)
		if (on[v6] && !net_first_subnet(n, v6))
			r = claim_any(n, v6, err);
	if (r < 0)
		ipam_remote_drop(n);
	return r;
}

static void drop_subnet(struct net *n, struct net_subnet *s)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);
	struct error err = ERROR_INIT, bad = ERROR_INIT;
	auto_json *reply = NULL;
	struct ip ip;

	if (s->gateway.bits)
		release_address(n, s, s->gateway);
	for (size_t i = 0; i < s->auxiliary.n; i++)
		if (ip_parse(s->auxiliary.v[i].value, &ip, &bad) == 0)
			release_address(n, s, ip);
	jw_obj(&w);
	jw_kstr(&w, "PoolID", s->pool_id);
	jw_end(&w);
	reply = ask(n, "ReleasePool", &text, &err);
	if (!reply)
		log_warn("ipam plugin did not take a pool back", "plugin", n->ipam_driver, "pool",
			 s->pool_id, "error", err.text);
	free(steal_ptr(&s->pool_id));
}

void ipam_remote_drop(struct net *n)
{
	for (size_t i = 0; n->ipam_driver && i < n->n_subnets; i++)
		if (n->subnets[i].pool_id)
			drop_subnet(n, &n->subnets[i]);
}

/* ---- endpoints ---------------------------------------------------------------------------------------------------------------------- */

/* Where the plugin wants to know the MAC address, there must be one. */
static void choose_mac(const struct net *n, const char *given, char out[24])
{
	struct error ignored = ERROR_INIT;
	auto_json *reply = ask(n, "GetCapabilities", NULL, &ignored);
	unsigned char b[6];

	snprintf(out, 24, "%s", given ? given : "");
	if (given || !json_get_bool(reply, "RequiresMACAddress", false) ||
	    getrandom(b, sizeof(b), 0) != sizeof(b))
		return;
	snprintf(out, 24, "%02x:%02x:%02x:%02x:%02x:%02x", (b[0] & 0xfc) | 2, b[1], b[2], b[3],
		 b[4], b[5]);
}

/* From the pool that the wanted address is in, or the first that has one. */
static int lease(const struct net *n, const char *wanted, bool ipv6, const struct pairs *options,
		 struct ip *out, struct error *err)
{
	struct ip want = {0};

	if (!str_empty(wanted) && ip_parse(wanted, &want, err) < 0)
		return -1;
	error_set(err, ERR_INVALID, "no configured subnet or ip-range contain the IP address %s",
		  wanted ? wanted : "");
	for (size_t i = 0; i < n->n_subnets; i++) {
		const struct net_subnet *s = &n->subnets[i];
		struct ipam_prefix got;

		if (subnet_is_v6(s) != ipv6 || !s->pool_id ||
		    (want.bits && !ipam_contains(s->subnet, want)))
			continue;
		error_clear(err);
		if (request_address(n, s, wanted ? wanted : "", options, &got, err) < 0)
			continue;
		if (!ipam_contains(s->subnet, got.addr)) {
			release_address(n, s, got.addr);
			return error_set(err, ERR_SYSTEM,
					 "ipam plugin returned an address outside of its pool");
		}
		*out = got.addr;
		return 0;
	}
	return -1;
}

int ipam_remote_lease(const struct net *n, const struct network_join *j, struct ipam_lease *out,
		      struct error *err)
{
	const char *const wanted[2] = {j->ipv4, j->ipv6};
	const bool on[2] = {n->ipv4, n->ipv6};
	auto_pairs options = PAIRS_INIT;

	*out = (struct ipam_lease){.join = *j};
	if (!n->ipam_driver)
		return 0;
	choose_mac(n, j->mac, out->mac);
	if (*out->mac)
		pairs_set(&options, MAC, out->mac);
	for (int v6 = 0; v6 < 2; v6++) {
		if (!on[v6])
			continue;
		if (lease(n, wanted[v6], v6, &options, &out->ip[v6], err) < 0) {
			ipam_remote_return(n, out->ip);
			return -1;
		}
		ip_format(out->ip[v6], out->text[v6]);
	}
	out->join.ipv4 = *out->text[0] ? out->text[0] : NULL;
	out->join.ipv6 = *out->text[1] ? out->text[1] : NULL;
	out->join.mac = *out->mac ? out->mac : NULL;
	return 0;
}

void ipam_remote_return(const struct net *n, const struct ip ip[2])
{
	for (int v6 = 0; n->ipam_driver && v6 < 2; v6++)
		for (size_t i = 0; ip[v6].bits && i < n->n_subnets; i++)
			if (n->subnets[i].pool_id && ipam_contains(n->subnets[i].subnet, ip[v6])) {
				release_address(n, &n->subnets[i], ip[v6]);
				break;
			}
}
