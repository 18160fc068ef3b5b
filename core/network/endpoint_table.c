/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a network's endpoints and the addresses that they have. Guarded by network_lock, which every function here takes itself. */
#include "network/endpoints.h"
#include "network/ipam_remote.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>

void endpoint_remember(struct net *n, const struct net_endpoint *e)
{
	struct net_endpoint *copy = xnew(struct net_endpoint);

	*copy = *e;
	LOCK_SCOPE(&network_lock);
	n->orphans += e->orphan;
	free(map_set(&n->endpoints, copy->id, copy));
}

/* With the lock. */
static void release(struct net *n, const struct net_endpoint *e)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct net_subnet *s = net_subnet_of(n, e->addr[v6].addr);

		if (s)
			ipam_release(&s->ipam, e->addr[v6].addr);
	}
}

int endpoint_reserve(struct net *n, const struct net_endpoint *e, struct error *err)
{
	struct net_endpoint got = {0};
	char text[IP_TEXT];
	LOCK_SCOPE(&network_lock);

	for (int v6 = 0; v6 < 2; v6++) {
		struct net_subnet *s = net_subnet_of(n, e->addr[v6].addr);

		if (!ipam_is_set(e->addr[v6]) || !network_has_addresses(n))
			continue;
		if (!s || ipam_reserve(&s->ipam, e->addr[v6].addr) < 0) {
			release(n, &got);
			ip_format(e->addr[v6].addr, text);
			return error_set(err, ERR_CONFLICT,
					 "address %s of endpoint %s is not free in network %s: was "
					 "the subnet changed?",
					 text, e->id, n->name);
		}
		got.addr[v6] = e->addr[v6];
	}
	return 0;
}

/* An address that the user wants, of either family. */
static int take_wanted(struct net *n, const char *wanted, struct ipam_prefix *out,
		       struct error *err)
{
	struct net_subnet *s;
	struct ip ip;

	if (ip_parse(wanted, &ip, err) < 0)
		return -1;
	if (!network_has_addresses(n)) { /* the driver is told, and chooses */
		*out = (struct ipam_prefix){ip, ip.bits};
		return 0;
	}
	s = net_subnet_of(n, ip);
	if (!s || !subnet_is_on(n, s))
		return error_set(err, ERR_INVALID,
				 "no configured subnet or ip-range contain the IP address %s",
				 wanted);
	if (ipam_reserve(&s->ipam, ip) < 0)
		return error_set(err, ERR_DENIED, "Address already in use");
	*out = (struct ipam_prefix){ip, s->subnet.len};
	return 0;
}

/* A free address of the family, in the first subnet that has one. */
static int take_free(struct net *n, bool ipv6, struct ipam_prefix *out, struct error *err)
{
	for (size_t i = 0; i < n->n_subnets; i++) {
		struct net_subnet *s = &n->subnets[i];

		if (subnet_is_v6(s) != ipv6 || ipam_take(&s->ipam, &out->addr) < 0)
			continue;
		out->len = s->subnet.len;
		return 0;
	}
	return error_set(err, ERR_SYSTEM,
			 "no available IPv%d addresses on this network's address pools: %s (%s)",
			 ipv6 ? 6 : 4, n->name, n->id);
}

/* Is there what addresses are taken from? Not when the network could not be brought up at the start. */
static bool has_ipam(const struct net *n)
{
	for (size_t i = 0; i < n->n_subnets; i++)
		if (subnet_is_on(n, &n->subnets[i]) && !ipam_is_set(n->subnets[i].ipam.subnet))
			return false;
	return n->n_subnets > 0;
}

int endpoint_joining(struct net *n, struct error *err)
{
	LOCK_SCOPE(&network_lock);

	if (n->deleting)
		return error_set(err, ERR_NOT_FOUND, "network %s not found", n->name);
	if (network_has_addresses(n) && !has_ipam(n))
		return error_set(err, ERR_SYSTEM, "network %s has no addresses: see the log",
				 n->name);
	n->joining++;
	return 0;
}

int endpoint_take_addresses(struct net *n, const struct network_join *j, struct net_endpoint *e,
			    struct error *err)
{
	const char *const wanted[2] = {j->ipv4, j->ipv6};
	const bool on[2] = {n->ipv4, n->ipv6};
	bool ours = network_has_addresses(n);
	LOCK_SCOPE(&network_lock);

	for (int v6 = 0; v6 < 2; v6++) {
		int r = 0;

		if (!str_empty(wanted[v6]))
			r = take_wanted(n, wanted[v6], &e->addr[v6], err);
		else if (ours && on[v6])
			r = take_free(n, v6, &e->addr[v6], err);
		if (r < 0) {
			release(n, e);
			memset(e->addr, 0, sizeof(e->addr));
			return -1;
		}
	}
	return 0;
}

/* It joined, or it did not. */
void endpoint_joined(struct net *n)
{
	LOCK_SCOPE(&network_lock);

	n->joining--;
}

/* What the plugin is rid of is cleared. */
static int return_leases(const struct net *n, struct net_endpoint *e)
{
	struct ip ip[2] = {e->addr[0].addr, e->addr[1].addr};
	int r = ipam_remote_return(n, ip);

	for (int v6 = 0; v6 < 2; v6++)
		if (!ip[v6].bits)
			memset(&e->addr[v6], 0, sizeof(e->addr[v6]));
	return r;
}

/* Free among ours first: the plugin may give them to the next one as soon as it has them. */
int endpoint_give_back(struct net *n, struct net_endpoint *e)
{
	pthread_mutex_lock(&network_lock);
	release(n, e);
	pthread_mutex_unlock(&network_lock);
	return return_leases(n, e);
}

/* The same of one whose addresses are free among ours, and its record; while it joins. */
static void drop(struct net *n, struct net_endpoint *e)
{
	struct error err = ERROR_INIT;

	if (return_leases(n, e) == 0) {
		endpoint_record_remove(e->id);
		return;
	}
	if (endpoint_reserve(n, e, &err) < 0 || endpoint_record(n, e, &err) < 0)
		log_warn("addresses that an ipam plugin has still", "endpoint", e->id, "error",
			 err.text);
	e->orphan = true;
	endpoint_remember(n, e);
}

void endpoint_drop(struct net *n, struct net_endpoint *e)
{
	pthread_mutex_lock(&network_lock);
	release(n, e);
	pthread_mutex_unlock(&network_lock);
	drop(n, e);
}

/* Out of the table, as if it joined, since the plugin that is asked next must find the network there. The caller's; NULL: it is not to be dropped. */
static struct net_endpoint *take_out(struct net *n, const struct net_endpoint *left, bool alone)
{
	struct net_endpoint *e;
	LOCK_SCOPE(&network_lock);

	e = map_del(&n->endpoints, left->id);
	if (e && e->orphan)
		n->orphans--;
	if (e) {
		release(n, e);
	} else if (alone && !n->deleting) {
		e = xnew(struct net_endpoint);
		*e = *left;
	}
	if (e)
		n->joining++;
	return e;
}

void endpoint_forget(struct net *n, const struct net_endpoint *left, bool alone)
{
	auto_free struct net_endpoint *e = take_out(n, left, alone);

	if (!e)
		return;
	drop(n, e);
	endpoint_joined(n);
}

/* ---- links -------------------------------------------------------------------------------------------------------------------------------- */

static bool same_link(const struct net_link *a, const struct net_link *b)
{
	return a->port == b->port && streq(a->proto, b->proto) && ip_equal(a->client, b->client) &&
	       ip_equal(a->server, b->server);
}

void links_keep(struct net *n, const struct net_link *v, size_t count)
{
	LOCK_SCOPE(&network_lock);

	for (size_t i = 0; i < count; i++) {
		size_t k = 0;

		while (k < n->n_links && !same_link(&n->links[k], &v[i]))
			k++;
		if (k < n->n_links)
			continue;
		n->links = xreallocarray(n->links, n->n_links + 1, sizeof(*n->links));
		n->links[n->n_links++] = v[i];
	}
}

static bool ends_at(const struct net_link *l, struct ip ip)
{
	return ip.bits && (ip_equal(l->client, ip) || ip_equal(l->server, ip));
}

struct net_link *links_of(struct net *n, const struct net_endpoint *e, size_t *count)
{
	struct net_link *out;
	LOCK_SCOPE(&network_lock);

	out = xcalloc(n->n_links + 1, sizeof(*out));
	*count = 0;
	for (size_t i = 0; i < n->n_links; i++)
		if (ends_at(&n->links[i], e->addr[0].addr))
			out[(*count)++] = n->links[i];
	return out;
}

void links_drop(struct net *n, const struct net_endpoint *e)
{
	size_t kept = 0;
	LOCK_SCOPE(&network_lock);

	for (size_t i = 0; i < n->n_links; i++)
		if (!ends_at(&n->links[i], e->addr[0].addr))
			n->links[kept++] = n->links[i];
	n->n_links = kept;
}
