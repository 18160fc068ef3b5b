/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container joins its networks when it starts and leaves them when it ends (changes in between: connect.c). Its way out is
 * the network of the highest gateway priority that is not internal; of equal ones the first by name (moby's order).
 */
#include "container/networks_int.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/links.h"
#include "events/events.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

pthread_rwlock_t networks_ports = PTHREAD_RWLOCK_INITIALIZER;

struct container_network *networks_find(const struct container *c, const char *name)
{
	for (size_t i = 0; i < c->n_networks; i++)
		if (streq(c->networks[i].name, name))
			return &c->networks[i];
	return NULL;
}

const struct container_network *networks_main(const struct container *c)
{
	const struct container_network *first = NULL, *other = NULL;

	for (size_t i = 0; i < c->n_networks; i++) {
		const struct container_network *n = &c->networks[i];

		if (n->ways & NETWORK_WAY_IPV4)
			return n;
		if (n->ways && !other)
			other = n;
		if (!first && n->connected && (*n->ep.ipv4 || *n->ep.ipv6))
			first = n;
	}
	return other ? other : first;
}

const struct network_port *networks_port(const struct container *c, size_t i)
{
	for (size_t k = 0; k < c->n_networks; k++) {
		const struct container_network *n = &c->networks[k];

		if (!n->connected)
			continue;
		if (i < n->ep.n_ports)
			return &n->ep.ports[i];
		i -= n->ep.n_ports;
	}
	return NULL;
}

bool networks_may_publish(const struct container *c)
{
	for (size_t i = 0; c->connected && i < c->n_networks; i++)
		if (c->networks[i].connected && c->networks[i].ep.publishes)
			return true;
	return false;
}

bool networks_shares(const struct container *c)
{
	return str_after(c->network_mode, "container:") != NULL;
}

bool networks_need_resolver(const struct container *c)
{
	for (size_t i = 0; i < c->n_networks; i++) {
		struct error ignored = ERROR_INIT;
		struct network_traits t;

		if (network_traits(c->networks[i].name, &t, &ignored) == 0 && t.resolver)
			return true;
	}
	return false;
}

void networks_event(const struct container *c, const char *action, const struct network_endpoint *e)
{
	auto_pairs attrs = PAIRS_INIT;

	pairs_set(&attrs, "container", c->id);
	pairs_set(&attrs, "name", e->network_name);
	pairs_set(&attrs, "type", e->driver);
	events_publish("network", action, e->network_id, &attrs);
}

/* ---- names ------------------------------------------------------------------------------------------------------------------------------ */

static void add_once(struct strlist *l, const char *name)
{
	if (*name && !strlist_has(l, name))
		strlist_add(l, name);
}

void networks_names(const struct container *c, const struct container_network *n,
		    struct strlist *out)
{
	struct error ignored = ERROR_INIT;
	auto_json *aliases =
	    n->aliases ? json_parse(n->aliases, strlen(n->aliases), &ignored) : NULL;
	auto_json *config = json_parse(c->config, strlen(c->config), &ignored);
	char short_id[13];

	snprintf(short_id, sizeof(short_id), "%.12s", c->id);
	add_once(out, c->name);
	for (json *a = json_first(aliases); a; a = json_next(a))
		add_once(out, json_str(a, ""));
	add_once(out, short_id);
	add_once(out, json_get_str(config, "Hostname", ""));
}

/* What the DNS is told: the names, and "target:alias" for what the container itself calls others by its links. */
static void tell_names(const struct container_network *n, const struct strlist *names,
		       struct strlist *out)
{
	struct error ignored = ERROR_INIT;
	auto_json *links = n->links ? json_parse(n->links, strlen(n->links), &ignored) : NULL;

	for (size_t i = 0; i < names->n; i++)
		if (!strchr(names->v[i], ':'))
			strlist_add(out, names->v[i]);
	for (json *l = json_first(links); l; l = json_next(l)) {
		const char *link = json_str(l, ""), *colon = strchr(link, ':');

		if (colon && colon > link && colon[1] && !strchr(colon + 1, ':'))
			strlist_add(out, link);
	}
}

/* ---- the way out ------------------------------------------------------------------------------------------------------------------------ */

/* Is a the better way out? */
static bool better(const struct plan *a, const struct plan *b)
{
	if (a->t.internal != b->t.internal)
		return b->t.internal;
	if (a->n->gw_priority != b->n->gw_priority)
		return a->n->gw_priority > b->n->gw_priority;
	return strcmp(a->n->name, b->n->name) < 0;
}

/* The best of those behind `after`; NULL: there are no more. */
static struct plan *next_best(struct plan *v, size_t n, const struct plan *after)
{
	struct plan *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (v[i].t.has_addresses && !v[i].t.internal && (!after || better(after, &v[i])) &&
		    (!best || better(&v[i], best)))
			best = &v[i];
	return best;
}

/* The first that has both families takes both, even behind a better one of a single family: moby's rule. */
void networks_choose(struct plan *v, size_t n)
{
	struct plan *best[2] = {NULL, NULL};

	for (size_t i = 0; i < n; i++)
		v[i].ways = 0;
	for (struct plan *p = next_best(v, n, NULL); p; p = next_best(v, n, p)) {
		const bool on[2] = {p->t.ipv4, p->t.ipv6};

		for (int v6 = 0; v6 < 2; v6++)
			if (on[v6] && (!best[v6] || on[!v6]))
				best[v6] = p;
		if (on[0] && on[1])
			break;
	}
	for (int v6 = 0; v6 < 2; v6++) {
		struct plan *out = best[v6] ? best[v6] : best[!v6];

		if (out)
			out->ways |= v6 ? NETWORK_WAY_IPV6 : NETWORK_WAY_IPV4;
	}
}

/* The embedded DNS asks servers outside unless all networks are internal. */
int networks_resolver(const struct container *c, int netns_fd, struct error *err)
{
	auto_json *host = json_parse(c->host_config, strlen(c->host_config), err);
	auto_strlist dns = STRLIST_INIT;
	bool forward = false;

	if (!host)
		return -1;
	json_strlist(json_get(host, "Dns"), &dns);
	for (size_t i = 0; i < c->n_networks; i++) {
		struct error ignored = ERROR_INIT;
		struct network_traits t;

		forward |= c->networks[i].connected &&
			   network_traits(c->networks[i].ep.network_id, &t, &ignored) == 0 &&
			   !t.internal;
	}
	return network_resolver_start(c->id, netns_fd, &dns, forward, err);
}

int networks_plan(const struct container *c, struct plan **out, struct error *err)
{
	*out = xcalloc(c->n_networks + 1, sizeof(**out));
	for (size_t i = 0; i < c->n_networks; i++) {
		struct container_network *n = &c->networks[i];

		(*out)[i].n = n;
		if (network_traits(n->connected ? n->ep.network_id : n->name, &(*out)[i].t, err) <
		    0)
			return -1;
	}
	return 0;
}

/* ---- one network ------------------------------------------------------------------------------------------------------------------------ */

static void free_ifname(const struct container *c, const char *prefix, char out[16])
{
	for (unsigned int i = 0;; i++) {
		bool used = false;

		snprintf(out, 16, "%s%u", prefix, i);
		for (size_t k = 0; k < c->n_networks; k++)
			used |= c->networks[k].connected && streq(c->networks[k].ep.ifname, out);
		if (!used)
			return;
	}
}

int networks_join(struct container *c, const struct plan *p, const struct sandbox *s,
		  struct error *err)
{
	struct container_network *n = p->n;
	struct error ignored = ERROR_INIT;
	auto_json *ipam = n->ipam ? json_parse(n->ipam, strlen(n->ipam), &ignored) : NULL;
	auto_json *opts =
	    n->driver_opts ? json_parse(n->driver_opts, strlen(n->driver_opts), &ignored) : NULL;
	auto_pairs driver_opts = PAIRS_INIT;
	auto_strlist names = STRLIST_INIT, told = STRLIST_INIT, link_local = STRLIST_INIT;
	auto_free struct network_link *links = NULL;
	struct network_endpoint e = {0};
	int64_t began = clock_mono_ns();
	const char *wanted;
	char ifname[16];
	struct network_join j = {.container_id = c->id,
				 .container_name = c->name,
				 .network = p->t.id,
				 .mac = *n->mac ? n->mac : NULL,
				 .ipv4 = json_get_str(ipam, "IPv4Address", NULL),
				 .ipv6 = json_get_str(ipam, "IPv6Address", NULL),
				 .netns_fd = s->netns_fd,
				 .netlink_fd = s->netlink_fd,
				 .ports = s->ports,
				 .n_ports = s->n_ports,
				 .ifname = ifname,
				 .ways = p->ways,
				 .driver_opts = &driver_opts,
				 .link_local = &link_local};

	json_pairs(opts, &driver_opts);
	json_strlist(json_get(ipam, "LinkLocalIPs"), &link_local);
	free_ifname(c, p->t.ifname, ifname);
	wanted = pairs_get(&driver_opts, "com.docker.network.endpoint.ifname");
	if (!str_empty(wanted))
		j.ifname = wanted;
	if (p->t.is_default)
		j.links = links = links_ports(c, &j.n_links);
	if (p->t.resolver) {
		networks_names(c, n, &names);
		tell_names(n, &names, &told);
		j.names = &told;
	}
	if (network_connect(&j, &e, err) < 0)
		return -1;
	metrics_took(METRICS_CONNECT, began);
	pthread_mutex_lock(&c->lock);
	network_endpoint_free(&n->ep);
	n->ep = e;
	n->connected = true;
	n->ways = p->ways;
	strlist_free(&n->dns_names);
	strlist_copy(&n->dns_names, &names);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

void networks_forget(struct container *c, struct container_network *n)
{
	pthread_mutex_lock(&c->lock);
	n->connected = false;
	n->ways = 0;
	n->ep.endpoint_id[0] = n->ep.ipv4[0] = n->ep.gateway4[0] = n->ep.mac[0] = '\0';
	n->ep.host_ifname[0] = n->ep.ifname[0] = '\0';
	n->ep.ipv6[0] = n->ep.gateway6[0] = '\0';
	n->ep.prefix4 = n->ep.prefix6 = 0;
	n->ep.publishes = false;
	free(n->ep.ports);
	n->ep.ports = NULL;
	n->ep.n_ports = 0;
	pthread_mutex_unlock(&c->lock);
}

int networks_move(struct container *c, struct container_network *n, unsigned int ways,
		  const struct sandbox *s, struct error *err)
{
	struct network_endpoint moved = n->ep;
	struct network_port *were = n->ep.ports;

	/* On a copy: others print the endpoint meanwhile. */
	moved.ports = xcalloc(moved.n_ports + 1, sizeof(*were));
	if (moved.n_ports)
		memcpy(moved.ports, were, moved.n_ports * sizeof(*were));
	if (network_update(c->id, c->name, &moved, n->ways, ways, s->ports, s->n_ports, s->netns_fd,
			   s->netlink_fd, err) < 0) {
		free(moved.ports);
		return -1;
	}
	pthread_mutex_lock(&c->lock);
	n->ep.ports = moved.ports;
	n->ep.n_ports = moved.n_ports;
	n->ways = ways;
	pthread_mutex_unlock(&c->lock);
	free(were);
	return 0;
}

/* ---- start and end ------------------------------------------------------------------------------------------------------------------------ */

/* The network of NetworkMode first: it is eth0. */
static int start_order(const void *a, const void *b, void *ctx)
{
	const struct plan *x = a, *y = b;
	const char *first = ctx;
	bool xf = streq(x->n->name, first), yf = streq(y->n->name, first);

	return xf != yf ? yf - xf : strcmp(x->n->name, y->n->name);
}

int networks_start(struct container *c, const struct shim_created *made,
		   const struct network_port *ports, size_t n_ports, struct error *err)
{
	struct sandbox s = {made->netns_fd, made->netlink_fd, ports, n_ports, false};
	auto_free struct plan *plans = NULL;
	struct network_traits main = {0};
	struct error ignored = ERROR_INIT;
	int64_t began = clock_mono_ns();
	int r = 0;

	if (networks_shares(c))
		return 0;
	if (networks_plan(c, &plans, err) < 0)
		return error_wrap(err, "failed to set up container networking");
	network_traits(c->network_mode, &main, &ignored);
	qsort_r(plans, c->n_networks, sizeof(*plans), start_order, main.name);
	networks_choose(plans, c->n_networks);
	pthread_mutex_lock(&c->lock);
	c->connected = true;
	pthread_mutex_unlock(&c->lock);
	if (n_ports)
		pthread_rwlock_rdlock(&networks_ports);
	for (size_t i = 0; i < c->n_networks && r == 0; i++)
		r = networks_join(c, &plans[i], &s, err);
	if (n_ports)
		pthread_rwlock_unlock(&networks_ports);
	if (r == 0 && networks_need_resolver(c))
		r = networks_resolver(c, made->netns_fd, err);
	if (r < 0)
		return error_wrap(err, "failed to set up container networking");
	metrics_took(METRICS_ALLOCATE, began);
	for (size_t i = 0; i < c->n_networks; i++)
		networks_event(c, "connect", &plans[i].n->ep);
	/* now that the addresses are known */
	return networks_main(c) ? container_write_hosts(c, err) : 0;
}

static void left_behind(const struct container *c, const struct container_network *n,
			const struct error *err)
{
	log_error("network of a container is not gone", "container", c->id, "network", n->name,
		  "error", err->text);
	network_abandon(&n->ep);
}

void networks_stop(struct container *c)
{
	int64_t began = clock_mono_ns();

	if (!c->connected)
		return;
	network_resolver_stop(c->id);
	for (size_t i = 0; i < c->n_networks; i++) {
		struct container_network *n = &c->networks[i];
		struct error err = ERROR_INIT;

		if (!n->connected)
			continue;
		networks_event(c, "disconnect", &n->ep);
		if (network_disconnect(c->id, &n->ep, &err) < 0)
			left_behind(c, n, &err);
		networks_forget(c, n);
	}
	pthread_mutex_lock(&c->lock);
	c->connected = false;
	pthread_mutex_unlock(&c->lock);
	metrics_took(METRICS_RELEASE, began);
}

int networks_namespace(const struct container *c)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->state.pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int networks_namespace_of(const char *container_id)
{
	struct error ignored = ERROR_INIT;
	auto_container *c = container_find(container_id, &ignored);

	return c && c->state.running && streq(c->id, container_id) ? networks_namespace(c) : -1;
}

void networks_adopt(struct container *c)
{
	auto_close ns = -1;

	if (!c->connected)
		return;
	ns = networks_namespace(c);
	for (size_t i = 0; i < c->n_networks; i++) {
		struct container_network *n = &c->networks[i];
		auto_strlist names = STRLIST_INIT, told = STRLIST_INIT;
		auto_free struct network_link *links = NULL;
		struct error err = ERROR_INIT;
		size_t n_links = 0;

		/* anew: a kill may have come between a rename and the names that follow from it */
		if (n->connected && n->dns_names.n) {
			networks_names(c, n, &names);
			strlist_free(&n->dns_names);
			strlist_copy(&n->dns_names, &names);
		}
		tell_names(n, &n->dns_names, &told);
		if (n->connected && streq(n->name, NETWORK_DEFAULT))
			links = links_ports(c, &n_links);
		if (n->connected && network_adopt(c->id, c->name, &n->ep, n->ways, &told, links,
						  n_links, ns, &err) < 0)
			log_error("network of a live container", "container", c->id, "network",
				  n->name, "error", err.text);
	}
	if (networks_need_resolver(c)) {
		struct error err = ERROR_INIT;

		if (networks_resolver(c, ns, &err) < 0)
			log_error("DNS of a live container", "container", c->id, "error", err.text);
	}
}

void networks_rename(struct container *c)
{
	for (size_t i = 0; i < c->n_networks; i++) {
		struct container_network *n = &c->networks[i];
		auto_strlist names = STRLIST_INIT, told = STRLIST_INIT;

		if (!n->connected)
			continue;
		if (n->dns_names.n) {
			networks_names(c, n, &names);
			pthread_mutex_lock(&c->lock);
			strlist_free(&n->dns_names);
			strlist_copy(&n->dns_names, &names);
			pthread_mutex_unlock(&c->lock);
		}
		tell_names(n, &names, &told);
		network_rename(&n->ep, c->name, &told);
	}
}
