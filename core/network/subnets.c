/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of a network: what a request asks for, checked in moby's words; subnets and gateways that nobody asked for; what of them is reserved. What
 * is taken of a subnet is guarded by the room's lock, the rest stands once the network is in the table.
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/thread.h"
#include "network/network_int.h"

#include <stdlib.h>

static pthread_mutex_t choice_lock =
    PTHREAD_MUTEX_INITIALIZER; /* from the choice of a subnet until it is in the table */

/* ---- a network's subnets ---------------------------------------------------------------------------------------------------------------- */

struct net_subnet *net_first_subnet(const struct net *n, bool ipv6)
{
	for (size_t i = 0; i < n->n_subnets; i++)
		if (subnet_is_v6(&n->subnets[i]) == ipv6)
			return &n->subnets[i];
	return NULL;
}

struct net_subnet *net_subnet_of(const struct net *n, struct ip a)
{
	for (size_t i = 0; i < n->n_subnets; i++)
		if (ipam_contains(n->subnets[i].subnet, a))
			return &n->subnets[i];
	return NULL;
}

struct net_subnet *net_add_subnet(struct net *n, struct ipam_prefix subnet)
{
	size_t at = n->n_subnets;

	n->subnets = xreallocarray(n->subnets, n->n_subnets + 1, sizeof(*n->subnets));
	while (at > 0 && !ip_is_v6(subnet.addr) && subnet_is_v6(&n->subnets[at - 1]))
		at--;
	memmove(&n->subnets[at + 1], &n->subnets[at], (n->n_subnets - at) * sizeof(*n->subnets));
	n->n_subnets++;
	n->subnets[at] = (struct net_subnet){.subnet = subnet, .range = subnet};
	return &n->subnets[at];
}

void net_free_subnets(struct net *n)
{
	for (size_t i = 0; i < n->n_subnets; i++) {
		pairs_free(&n->subnets[i].auxiliary);
		free(n->subnets[i].pool_id);
		ipam_free(&n->subnets[i].ipam);
	}
	free(n->subnets);
	n->subnets = NULL;
	n->n_subnets = 0;
}

void net_copy_subnets(struct net *n, const struct net *from)
{
	for (size_t i = 0; i < from->n_subnets; i++) {
		const struct net_subnet *f = &from->subnets[i];
		struct net_subnet *s = net_add_subnet(n, f->subnet);

		s->range = f->range;
		s->has_range = f->has_range;
		s->asked = f->asked;
		s->gateway_asked = f->gateway_asked;
		s->gateway = f->gateway;
		s->route = f->route;
		pairs_copy(&s->auxiliary, &f->auxiliary);
	}
}

bool net_user_subnet(const struct net *n)
{
	for (size_t i = 0; i < n->n_subnets; i++)
		if (n->subnets[i].asked)
			return true;
	return false;
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------------------ */

static int read_range(const char *text, const char *subnet, struct net_subnet *s, struct error *err)
{
	struct error bad = ERROR_INIT;

	if (!*text)
		return 0;
	s->has_range = true;
	if (ipam_parse(text, &s->range, &bad) < 0)
		return error_set(err, ERR_INVALID,
				 "invalid ip-range %s: invalid CIDR block notation", text);
	if (ip_is_v6(s->range.addr) != subnet_is_v6(s))
		return error_set(err, ERR_INVALID,
				 "invalid ip-range %s: parent subnet is an IPv%d block", text,
				 subnet_is_v6(s) ? 6 : 4);
	if (s->range.len < s->subnet.len || !ipam_contains(s->subnet, s->range.addr))
		return error_set(err, ERR_INVALID,
				 "invalid ip-range %s: parent subnet %s doesn't contain ip-range",
				 text, subnet);
	return 0;
}

/* An address that stands in the subnet. `what` and `name` are for the complaint. */
static int read_address(const char *text, const char *subnet, const char *what, const char *name,
			const struct net_subnet *s, struct ip *out, struct error *err)
{
	struct error bad = ERROR_INIT;

	if (ip_parse(text, out, &bad) < 0)
		return error_set(err, ERR_INVALID, "invalid %s %s: invalid address", what, name);
	if (ip_is_v6(*out) != subnet_is_v6(s))
		return error_set(err, ERR_INVALID, "invalid %s %s: parent subnet is an IPv%d block",
				 what, name, subnet_is_v6(s) ? 6 : 4);
	return ipam_contains(s->subnet, *out)
		   ? 0
		   : error_set(err, ERR_INVALID,
			       "invalid %s %s: parent subnet %s doesn't contain this address", what,
			       name, subnet);
}

/* One row of IPAM.Config. Moby collects the complaints; here the first one is enough, under the same heading. */
static int read_config(const json *c, struct net *n, struct error *err)
{
	const char *subnet = json_get_str(c, "Subnet", ""),
		   *gateway = json_get_str(c, "Gateway", "");
	struct error bad = ERROR_INIT;
	struct ipam_prefix p;
	struct net_subnet *s;
	struct ip ip;

	if (ipam_parse(subnet, &p, &bad) < 0)
		return error_set(err, ERR_INVALID, "invalid subnet %s: invalid CIDR block notation",
				 subnet);
	if (!ip_equal(p.addr, ipam_first(p))) {
		char right[IPAM_PREFIX_TEXT];

		ipam_format_net(p, right);
		return error_set(err, ERR_INVALID, "invalid subnet %s: it should be %s", subnet,
				 right);
	}
	s = net_add_subnet(n, p);
	s->asked = true;
	if (read_range(json_get_str(c, "IPRange", ""), subnet, s, err) < 0)
		return -1;
	s->gateway_asked = *gateway != '\0';
	if (*gateway && read_address(gateway, subnet, "gateway", gateway, s, &s->gateway, err) < 0)
		return -1;
	for (json *a = json_first(json_get(c, "AuxiliaryAddresses")); a; a = json_next(a)) {
		if (read_address(json_str(a, ""), subnet, "auxiliary address", json_name(a), s, &ip,
				 err) < 0)
			return -1;
		pairs_set(&s->auxiliary, json_name(a), json_str(a, ""));
	}
	return 0;
}

static int invalid_config(struct error *err)
{
	struct error inner = *err;

	return error_set(err, inner.kind, "invalid network config:\n%s", inner.text);
}

int net_read_ipam(const json *ipam, struct net *n, struct error *err)
{
	const char *driver = json_get_str(ipam, "Driver", "");

	if (*driver && !streq(driver, "default"))
		n->ipam_driver = xstrdup(driver);
	n->ipam_options_given = json_type(json_get(ipam, "Options")) == JSON_OBJECT;
	if (json_pairs(json_get(ipam, "Options"), &n->ipam_options) < 0)
		return error_set(err, ERR_INVALID,
				 "invalid network config:\nIPAM options are texts");
	for (const json *c = json_first(json_get(ipam, "Config")); c; c = json_next(c))
		if (read_config(c, n, err) < 0)
			return err->kind == ERR_INVALID ? invalid_config(err) : -1;
	return 0;
}

/* ---- choice --------------------------------------------------------------------------------------------------------------------------------- */

/* Subnets that other networks have, appended to *v. */
static void add_taken(const struct net *but, struct ipam_prefix **v, size_t *count)
{
	size_t n;
	struct net **all = network_all_claimed(&n);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < all[i]->n_subnets; k++)
			if (all[i] != but && !all[i]->config_only &&
			    subnet_is_on(all[i], &all[i]->subnets[k])) {
				*v = xreallocarray(*v, *count + 1, sizeof(**v));
				(*v)[(*count)++] = all[i]->subnets[k].subnet;
			}
		net_unref(all[i]);
	}
	free(all);
}

int network_choose_subnet(bool ipv6, struct ipam_prefix *out, struct error *err)
{
	auto_free struct ipam_prefix *taken = NULL;
	size_t n;

	if (ipam_host_networks(&taken, &n, err) < 0)
		return -1;
	add_taken(NULL, &taken, &n);
	return ipam_choose_pool(room.pools, room.n_pools, taken, n, ipv6 ? 128 : 32, out) < 0
		   ? error_set(err, ERR_INVALID,
			       "all predefined address pools have been fully subnetted")
		   : 0;
}

/* Does a subnet meet one of another network, or of this one? Those of configuration don't count. */
static int check_overlap(const struct net *n, struct error *err)
{
	auto_free struct ipam_prefix *taken = NULL;
	size_t count = 0;
	bool meets = false;

	add_taken(n, &taken, &count);
	for (size_t i = 0; i < n->n_subnets; i++) {
		if (!subnet_is_on(n, &n->subnets[i]))
			continue;
		for (size_t k = 0; k < count; k++)
			meets |= ipam_overlap(n->subnets[i].subnet, taken[k]);
		for (size_t k = 0; k < i; k++)
			meets |= ipam_overlap(n->subnets[i].subnet, n->subnets[k].subnet);
	}
	return meets ? error_set(err, ERR_DENIED,
				 "invalid pool request: Pool overlaps with other one on this "
				 "address space")
		     : 0;
}

/* The first address of a host in the range that was asked for, or in the subnet. */
static int choose_gateway(struct net_subnet *s, struct error *err)
{
	struct ip first = ipam_first(s->subnet), from = ipam_first(s->range);
	int hosts = s->subnet.addr.bits - s->subnet.len;

	s->gateway = from;
	if (ip_equal(first, from) && hosts > 1)
		s->gateway.v++;
	return hosts > 0
		   ? 0
		   : error_set(err, ERR_SYSTEM,
			       "failed to allocate gateway (): no available addresses on this "
			       "pool");
}

static int choose_addresses(struct net *n, struct error *err)
{
	const bool on[2] = {n->ipv4, n->ipv6};

	if (check_overlap(n, err) < 0)
		return -1;
	for (int v6 = 0; v6 < 2; v6++) {
		struct ipam_prefix p;

		if (!on[v6] || net_first_subnet(n, v6))
			continue;
		if (network_choose_subnet(v6, &p, err) < 0)
			return -1;
		net_add_subnet(n, p);
	}
	if (n->internal && net_caps(n) & DOCKERD_NETWORK_CAP_NO_GATEWAY)
		n->no_gateway[0] = n->no_gateway[1] = true;
	for (size_t i = 0; i < n->n_subnets; i++)
		if (subnet_is_on(n, &n->subnets[i]) && !n->subnets[i].gateway.bits &&
		    !n->no_gateway[subnet_is_v6(&n->subnets[i])] &&
		    choose_gateway(&n->subnets[i], err) < 0)
			return -1;
	return net_ipam_init(n, err);
}

int net_claim(struct net *n, struct error *err)
{
	LOCK_SCOPE(&choice_lock);

	if (network_has_addresses(n) && choose_addresses(n, err) < 0)
		return -1;
	return network_publish(n, err);
}

/* ---- reserved addresses ---------------------------------------------------------------------------------------------------------------- */

static int reserve_some(struct net_subnet *s, struct error *err)
{
	struct error bad = ERROR_INIT;

	ipam_free(&s->ipam);
	ipam_init(&s->ipam, s->subnet, s->range);
	if (s->gateway.bits && ipam_reserve(&s->ipam, s->gateway) < 0)
		return error_set(err, ERR_DENIED,
				 "invalid pool request: the gateway is no address of a host");
	for (size_t i = 0; i < s->auxiliary.n; i++) {
		const struct pair *a = &s->auxiliary.v[i];
		struct ip ip;

		if (ip_parse(a->value, &ip, &bad) < 0 || ipam_reserve(&s->ipam, ip) < 0)
			return error_set(err, ERR_SYSTEM,
					 "failed to allocate secondary ip address (%s:%s): Address "
					 "already in use",
					 a->key, a->value);
	}
	return 0;
}

int net_ipam_init(struct net *n, struct error *err)
{
	for (size_t i = 0; i < n->n_subnets; i++)
		if (subnet_is_on(n, &n->subnets[i]) && reserve_some(&n->subnets[i], err) < 0)
			return -1;
	return 0;
}

void net_drop_gateways(struct net *n, bool ipv6)
{
	LOCK_SCOPE(&network_lock);

	n->no_gateway[ipv6] = true;
	for (size_t i = 0; i < n->n_subnets; i++) {
		struct net_subnet *s = &n->subnets[i];

		if (s->gateway_asked || !s->gateway.bits || subnet_is_v6(s) != ipv6)
			continue;
		ipam_release(&s->ipam, s->gateway);
		s->gateway = (struct ip){0};
	}
}
