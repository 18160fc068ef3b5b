/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks as objects and the table of them: finding one by name or id. The table holds one reference to each network; whoever uses one holds another,
 * so that a network which is deleted meanwhile stays in memory. `network_lock` guards the table.
 */
#include "network/network_int.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>

pthread_mutex_t network_lock = PTHREAD_MUTEX_INITIALIZER;

static struct net **table; /* by name */
static size_t n_table;

bool network_has_addresses(const struct net *n)
{
	return net_caps(n) & DOCKERD_NETWORK_CAP_ADDRESSES;
}

void network_event(const struct net *n, const char *action)
{
	auto_pairs attrs = PAIRS_INIT;

	pairs_set(&attrs, "name", n->name);
	pairs_set(&attrs, "type", n->driver_name);
	if (room.event)
		room.event(action, n->id, &attrs);
}

/* ---- networks as objects ---------------------------------------------------------------------------------------------------------- */

struct net *net_new(const char *name, const char *driver, struct error *err)
{
	struct net *n = xnew(struct net);

	(void)err;
	id_random(n->id);
	n->created = clock_wall_ns();
	n->refs = 1;
	n->ipv4 = true;
	n->config_from = xstrdup("");
	snprintf(n->name, sizeof(n->name), "%s", name);
	snprintf(n->driver_name, sizeof(n->driver_name), "%s", driver);
	return n;
}

static void net_free(struct net *n)
{
	plugin_options_free(n->typed);
	pairs_free(&n->options);
	pairs_free(&n->labels);
	pairs_free(&n->ipam_options);
	free(n->ipam_driver);
	free(n->address_space);
	net_free_subnets(n);
	map_free(&n->endpoints, free);
	free(n->links);
	free(n->config_from);
	free(n->driver_record);
	free(n->record_kind);
	free(n->record);
	free(n);
}

void net_unref(struct net *n)
{
	bool last;

	pthread_mutex_lock(&network_lock);
	last = --n->refs == 0;
	pthread_mutex_unlock(&network_lock);
	if (last)
		net_free(n);
}

/* What backs the strings of one subnet. */
struct subnet_text {
	char subnet[IPAM_PREFIX_TEXT], range[IPAM_PREFIX_TEXT], gateway[IP_TEXT], route[IP_TEXT];
};

static void view_subnet(const struct net_subnet *from, struct subnet_text *t,
			struct dockerd_subnet *s, struct dockerd_key_value *auxiliary)
{
	ipam_format_net(from->subnet, t->subnet);
	*s = (struct dockerd_subnet){.size = sizeof(*s), .subnet = t->subnet};
	ip_format(from->gateway, t->gateway);
	if (*t->gateway)
		s->gateway = t->gateway;
	ip_format(from->route, t->route);
	if (*t->route)
		s->next_hop = t->route;
	if (from->has_range) {
		ipam_format_net(from->range, t->range);
		s->range = t->range;
	}
	for (size_t i = 0; i < from->auxiliary.n; i++)
		auxiliary[i] = (struct dockerd_key_value){from->auxiliary.v[i].key,
							  from->auxiliary.v[i].value};
	if (from->auxiliary.n) {
		s->auxiliary = auxiliary;
		s->auxiliary_count = (uint32_t)from->auxiliary.n;
	}
}

struct dockerd_network network_view(const struct net *n, struct net_text *t)
{
	struct dockerd_network v = {.size = sizeof(v),
				    .id = n->id,
				    .name = n->name,
				    .flags = (n->is_default ? DOCKERD_NETWORK_DEFAULT : 0) |
					     (n->internal ? DOCKERD_NETWORK_INTERNAL : 0) |
					     (n->ipv4 ? DOCKERD_NETWORK_IPV4 : 0) |
					     (n->ipv6 ? DOCKERD_NETWORK_IPV6 : 0),
				    .options = n->typed};
	size_t auxiliary = 0;

	*t = (struct net_text){0};
	if (!network_has_addresses(n))
		return v;
	for (size_t i = 0; i < n->n_subnets; i++)
		auxiliary += n->subnets[i].auxiliary.n;
	t->strings = xcalloc(n->n_subnets + 1, sizeof(*t->strings));
	t->subnets = xcalloc(n->n_subnets + 1, sizeof(*t->subnets));
	t->auxiliary = xcalloc(auxiliary + 1, sizeof(*t->auxiliary));
	auxiliary = 0;
	for (size_t i = 0; i < n->n_subnets; i++) {
		if (!subnet_is_on(n, &n->subnets[i]))
			continue;
		view_subnet(&n->subnets[i], &t->strings[v.subnet_count],
			    &t->subnets[v.subnet_count], &t->auxiliary[auxiliary]);
		auxiliary += n->subnets[i].auxiliary.n;
		v.subnet_count++;
	}
	v.subnets = t->subnets;
	return v;
}

/* ---- the table ----------------------------------------------------------------------------------------------------------------------- */

static struct net *by_name(const char *name)
{
	for (size_t i = 0; i < n_table; i++)
		if (streq(table[i]->name, name))
			return table[i];
	return NULL;
}

int network_publish(struct net *n, struct error *err)
{
	size_t at = 0;
	LOCK_SCOPE(&network_lock);

	if (by_name(n->name))
		return error_set(err, ERR_CONFLICT, "network with name %s already exists", n->name);
	while (at < n_table && strcmp(table[at]->name, n->name) < 0)
		at++;
	table = xreallocarray(table, n_table + 1, sizeof(struct net *));
	memmove(&table[at + 1], &table[at], (n_table - at) * sizeof(struct net *));
	table[at] = n;
	n_table++;
	return 0;
}

void network_unpublish(struct net *n)
{
	LOCK_SCOPE(&network_lock);

	for (size_t i = 0; i < n_table; i++)
		if (table[i] == n) {
			memmove(&table[i], &table[i + 1], (n_table - i - 1) * sizeof(struct net *));
			n_table--;
			return;
		}
}

static struct net **copy_table(bool claimed, size_t *n)
{
	struct net **all;
	LOCK_SCOPE(&network_lock);

	all = xcalloc(n_table + 1, sizeof(struct net *));
	*n = 0;
	for (size_t i = 0; i < n_table; i++) {
		if (table[i]->making && !claimed)
			continue;
		all[(*n)++] = table[i];
		table[i]->refs++;
	}
	return all;
}

struct net **network_all(size_t *n)
{
	return copy_table(false, n);
}

struct net **network_all_claimed(size_t *n)
{
	return copy_table(true, n);
}

void network_made(struct net *n)
{
	LOCK_SCOPE(&network_lock);

	n->making = false;
}

struct net *network_get(const char *name_or_id, struct error *err)
{
	const char *name = network_mode_name(name_or_id);
	size_t len = strlen(name), matches = 0;
	struct net *found;
	LOCK_SCOPE(&network_lock);

	if (room.no_bridge && streq(name_or_id, "default"))
		name = "none";
	found = by_name(name);
	if (found && found->making)
		found = NULL;
	for (size_t i = 0; !found && i < n_table; i++)
		if (streq(table[i]->id, name) && !table[i]->making)
			found = table[i];
	for (size_t i = 0, named = found != NULL; !named && len && i < n_table; i++)
		if (!strncmp(table[i]->id, name, len) && !table[i]->making) {
			found = table[i];
			matches++;
		}
	if (matches > 1) {
		error_set(err, ERR_INVALID,
			  "network %s is ambiguous (%zu matches found based on ID prefix)",
			  name_or_id, matches);
		return NULL;
	}
	if (!found) {
		error_set(err, ERR_NOT_FOUND, "network %s not found", name_or_id);
		return NULL;
	}
	found->refs++;
	return found;
}

int network_find(const char *name_or_id, struct network_endpoint *out, struct error *err)
{
	auto_net *n = network_get(name_or_id, err);

	if (!n)
		return -1;
	*out = (struct network_endpoint){0};
	memcpy(out->network_id, n->id, sizeof(out->network_id));
	snprintf(out->network_name, sizeof(out->network_name), "%s", n->name);
	snprintf(out->driver, sizeof(out->driver), "%s", n->driver_name);
	return 0;
}

struct net *network_take_last(void)
{
	LOCK_SCOPE(&network_lock);

	if (n_table)
		return table[--n_table];
	free(table);
	table = NULL;
	return NULL;
}
