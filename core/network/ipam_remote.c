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

#define RELEASE_SECONDS 10 /* what is given back can be tried again: nobody waits long for that */

/* said: the plugin has answered, if with a refusal. Patient: it is waited for. */
static json *ask(const struct net *n, const char *method, const struct str *request, bool patient,
		 bool *said, struct error *err)
{
	auto_free char *full = xasprintf(KIND ".%s", method);
	const struct remote *r = remote_get(n->ipam_driver, KIND, patient, err);
	json *reply = r ? remote_call(r, full, request, patient ? REMOTE_SHORT : RELEASE_SECONDS,
				      patient, err)
			: NULL;
	auto_free char *why = NULL;

	*said = r && (reply || !err->sys);
	if (!reply || !*json_get_str(reply, "Error", ""))
		return reply;
	why = xstrdup(json_get_str(reply, "Error", ""));
	json_free(reply);
	error_set(err, ERR_SYSTEM, "remote: %s", why);
	return NULL;
}

static json *request(const struct net *n, const char *method, const struct str *text,
		     struct error *err)
{
	bool said;

	return ask(n, method, text, true, &said, err);
}

/* -1: the plugin could not be reached, and has it still. One that refuses would do so again. */
static int release(const struct net *n, const char *method, const struct str *text,
		   const char *what)
{
	struct error err = ERROR_INIT;
	bool said;
	auto_json *reply = ask(n, method, text, false, &said, &err);

	if (!reply)
		log_warn(said ? "ipam plugin did not take back what it gave"
			      : "ipam plugin can't be reached to take back what it gave",
			 "plugin", n->ipam_driver, "what", what, "error", err.text);
	return said ? 0 : -1;
}

/* ---- pools -------------------------------------------------------------------------------------------------------------------------- */

static int learn_space(struct net *n, struct error *err)
{
	auto_json *reply = request(n, "GetDefaultAddressSpaces", NULL, err);

	if (!reply)
		return -1;
	free(n->address_space);
	n->address_space = xstrdup(json_get_str(reply, "LocalDefaultAddressSpace", ""));
	return 0;
}

static int release_text(const struct net *n, const struct net_subnet *s, const char *address)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	jw_obj(&w);
	jw_kstr(&w, "PoolID", s->pool_id);
	jw_kstr(&w, "Address", address);
	jw_end(&w);
	return release(n, "ReleaseAddress", &text, address);
}

static int release_address(const struct net *n, const struct net_subnet *s, struct ip ip)
{
	char address[IP_TEXT];

	ip_format(ip, address);
	return release_text(n, s, address);
}

static int release_pool(const struct net *n, const char *id)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	jw_obj(&w);
	jw_kstr(&w, "PoolID", id);
	jw_end(&w);
	return release(n, "ReleasePool", &text, id);
}

/* An address of the pool: the wanted one, or any. What can't be used goes back at once. */
static int request_address(const struct net *n, const struct net_subnet *s, const char *wanted,
			   const struct pairs *options, struct ipam_prefix *out, struct error *err)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);
	auto_free char *bare = NULL;
	auto_json *reply = NULL;
	const char *got;

	jw_obj(&w);
	jw_kstr(&w, "PoolID", s->pool_id);
	jw_kstr(&w, "Address", wanted);
	jw_kpairs(&w, "Options", options, true);
	jw_end(&w);
	reply = request(n, "RequestAddress", &text, err);
	if (!reply)
		return -1;
	got = json_get_str(reply, "Address", "");
	if (!*got)
		return error_set(err, ERR_SYSTEM, "ipam plugin did not return any IP address");
	if (ipam_parse(got, out, err) == 0) {
		if (ip_is_v6(out->addr) == subnet_is_v6(s))
			return 0;
		error_set(err, ERR_SYSTEM, "ipam plugin returned an address of another family: %s",
			  got);
	}
	bare = xstrndup(got, strcspn(got, "/"));
	release_text(n, s, bare);
	return -1;
}

/* *id, if the plugin gave a pool, also if that is refused here: then it is to be given back. */
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
	reply = request(n, "RequestPool", &text, err);
	if (!reply)
		return -1;
	*id = xstrdup(json_get_str(reply, "PoolID", ""));
	if (ipam_parse(json_get_str(reply, "Pool", ""), out, err) < 0)
		return -1;
	if (ip_is_v6(out->addr) != ipv6)
		return error_set(err, ERR_SYSTEM,
				 "ipam plugin returned a pool of another family: %s",
				 json_get_str(reply, "Pool", ""));
	return 0;
}

/* wanted: none: any */
static int claim_gateway(const struct net *n, struct net_subnet *s, struct ip wanted,
			 struct error *err)
{
	auto_pairs options = PAIRS_INIT;
	struct ipam_prefix got;
	char text[IP_TEXT];

	ip_format(wanted, text);
	pairs_set(&options, "RequestAddressType", GATEWAY);
	if (request_address(n, s, text, &options, &got, err) < 0)
		return -1;
	s->gateway = got.addr;
	return 0;
}

static int claim_auxiliary(const struct net *n, struct net_subnet *s, struct error *err)
{
	const struct pairs none = PAIRS_INIT;
	struct ipam_prefix got;

	for (; s->claimed < s->auxiliary.n; s->claimed++)
		if (request_address(n, s, s->auxiliary.v[s->claimed].value, &none, &got, err) < 0)
			return error_wrap(err, "failed to allocate secondary ip address");
	return 0;
}

static int claim_subnet(struct net *n, struct net_subnet *s, struct error *err)
{
	struct ip gateway = s->gateway;
	struct ipam_prefix got;

	s->gateway = (struct ip){0}; /* the plugin has not given it yet */
	if (request_pool(n, s, subnet_is_v6(s), &s->pool_id, &got, err) < 0)
		return -1;
	if (!ipam_contains(got, s->subnet.addr) || got.len != s->subnet.len)
		return error_set(err, ERR_SYSTEM,
				 "ipam plugin returned another pool than asked for");
	return claim_gateway(n, s, gateway, err) < 0 || claim_auxiliary(n, s, err) < 0 ? -1 : 0;
}

static int claim_any(struct net *n, bool ipv6, struct error *err)
{
	struct net_subnet *s;
	struct ipam_prefix got;
	auto_free char *id = NULL;

	if (request_pool(n, NULL, ipv6, &id, &got, err) < 0) {
		if (id)
			release_pool(n, id);
		return -1;
	}
	s = net_add_subnet(n, got);
	s->pool_id = steal_ptr(&id);
	return claim_gateway(n, s, (struct ip){0}, err);
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

static int drop_subnet(const struct net *n, struct net_subnet *s)
{
	struct error bad = ERROR_INIT;
	struct ip ip;

	if (s->gateway.bits && release_address(n, s, s->gateway) < 0)
		return -1;
	for (size_t i = 0; i < s->claimed; i++)
		if (ip_parse(s->auxiliary.v[i].value, &ip, &bad) == 0 &&
		    release_address(n, s, ip) < 0)
			return -1;
	if (release_pool(n, s->pool_id) < 0)
		return -1;
	free(steal_ptr(&s->pool_id));
	return 0;
}

int ipam_remote_drop(struct net *n)
{
	int r = 0;

	for (size_t i = 0; n->ipam_driver && r == 0 && i < n->n_subnets; i++)
		if (n->subnets[i].pool_id)
			r = drop_subnet(n, &n->subnets[i]);
	return r;
}

/* ---- endpoints ---------------------------------------------------------------------------------------------------------------------- */

/* Where the plugin wants to know the MAC address, there must be one. */
static void choose_mac(const struct net *n, const char *given, char out[24])
{
	struct error ignored = ERROR_INIT;
	auto_json *reply = request(n, "GetCapabilities", NULL, &ignored);
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

int ipam_remote_return(const struct net *n, struct ip ip[2])
{
	int r = 0;

	for (int v6 = 0; n->ipam_driver && r == 0 && v6 < 2; v6++) {
		for (size_t i = 0; ip[v6].bits && i < n->n_subnets; i++)
			if (n->subnets[i].pool_id && ipam_contains(n->subnets[i].subnet, ip[v6])) {
				r = release_address(n, &n->subnets[i], ip[v6]);
				break;
			}
		if (r == 0)
			ip[v6] = (struct ip){0};
	}
	return r;
}
