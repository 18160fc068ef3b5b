/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks that users make: checks in moby's words, addresses, the store, removal and pruning. Order of a creation: addresses are
 * taken with the name (in the table), the driver makes the network, the store makes it last; what a kill leaves in between is on record as
 * unfinished (store_begin).
 */
#include "network/firewall.h"
#include "network/ipam_remote.h"
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/filter.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>

/* ---- create ---------------------------------------------------------------------------------------------------------------------------- */

static int refuse(const json *body, const char *name, struct error *err)
{
	const char *scope = json_get_str(body, "Scope", "");

	if (net_is_builtin(name))
		return error_set(err, ERR_DENIED,
				 "operation is not permitted on predefined %s network ", name);
	if (!name[strspn(name, " \t\n")])
		return error_set(err, ERR_INVALID, "invalid name: name is empty");
	if (strlen(name) > 255)
		return error_set(err, ERR_INVALID, "invalid name: longer than 255 bytes");
	if (streq(json_get_str(body, "Driver", ""), "overlay"))
		return error_set(
		    err, ERR_DENIED,
		    "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
		    "join\" to connect this node to swarm and try again.");
	if (streq(scope, "swarm"))
		return error_set(err, ERR_DENIED,
				 "cannot create a swarm scoped network when swarm is not active");
	if (json_get_bool(body, "Ingress", false))
		return error_set(err, ERR_DENIED,
				 "Ingress network can only be global scope network");
	if (json_get_bool(body, "ConfigOnly", false) &&
	    (json_get_bool(body, "Internal", false) || json_get_bool(body, "Attachable", false) ||
	     *scope))
		return error_set(err, ERR_DENIED,
				 "configuration network can only contain network specific fields. "
				 "Network operator fields like [ ingress | internal | attachable | "
				 "scope ] are not supported.");
	return 0;
}

/* Take the configuration over from a network of configuration. */
static int copy_config(const json *body, struct net *n, struct error *err)
{
	const char *from = json_get_str(json_get(body, "ConfigFrom"), "Network", "");
	struct error ignored = ERROR_INIT;
	auto_net *c = NULL;

	if (!*from)
		return 0;
	c = network_get(from, &ignored);
	if (!c || !c->config_only)
		return error_set(err, ERR_NOT_FOUND,
				 c ? "network \"%s\" is not a configuration network"
				   : "configuration network \"%s\" does not exist",
				 from);
	if (n->options.n || n->labels.n || net_user_subnet(n))
		return error_set(err, ERR_DENIED,
				 "user specified configurations are not supported if the network "
				 "depends on a configuration network");
	free(n->config_from);
	n->config_from = xstrdup(c->name);
	pairs_copy(&n->options, &c->options);
	pairs_copy(&n->labels, &c->labels);
	net_copy_subnets(n, c);
	free(n->ipam_driver);
	n->ipam_driver = xstrdup_null(c->ipam_driver);
	n->ipv4 = c->ipv4;
	n->ipv6 = c->ipv6;
	return 0;
}

/* By the request, by the option of the same meaning, or by the daemon's defaults. */
static int read_families(const json *body, struct net *n, struct error *err)
{
	struct family {
		const char *member, *option;
		bool *on;
	} families[] = {{"EnableIPv4", "com.docker.network.enable_ipv4", &n->ipv4},
			{"EnableIPv6", "com.docker.network.enable_ipv6", &n->ipv6}};

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const struct family *f = &families[i];
		const char *option = pairs_get(&n->options, f->option);
		enum json_type type = json_type(json_get(body, f->member));

		if (type != JSON_NULL && type != JSON_MISSING)
			*f->on = json_get_bool(body, f->member, *f->on);
		else if (option && (streq(option, "true") || streq(option, "false")))
			*f->on = streq(option, "true");
		else if (option)
			return error_set(err, ERR_INVALID, "driver-opt \"%s\" is not a valid bool",
					 f->option);
	}
	return n->ipv4 || n->ipv6 ? 0 : error_set(err, ERR_INVALID, "IPv4 or IPv6 must be enabled");
}

/* --default-network-opt: what the request does not say itself. A driver may stand there several times, once per flag. */
static void add_default_opts(struct net *n)
{
	for (const json *d = json_first(room.default_opts); d; d = json_next(d))
		for (const json *o = streq(json_name(d), n->driver_name) ? json_first(d) : NULL; o;
		     o = json_next(o))
			if (!pairs_get(&n->options, json_name(o)))
				pairs_set(&n->options, json_name(o), json_str(o, ""));
}

/* The IPAM driver that has no addresses: moby knows it, and can make no network with it that is more than a configuration. */
static void no_pools(const struct net *n, struct error *err)
{
	if (n->n_subnets)
		error_set(err, ERR_INVALID,
			  "null ipam driver does not handle specific address pool requests");
	else
		error_set(err, ERR_INVALID, "%s pool is empty", n->ipv4 ? "ipv4" : "ipv6");
}

static struct net *from_body(const json *body, struct error *err)
{
	const char *name = json_get_str(body, "Name", ""),
		   *driver = json_get_str(body, "Driver", "");
	bool config_only = json_get_bool(body, "ConfigOnly", false);
	struct net *n;

	if (refuse(body, name, err) < 0)
		return NULL;
	n = net_new(name, config_only ? "" : *driver ? driver : DEFAULT_NETWORK_DRIVER, err);
	n->config_only = config_only;
	n->internal = json_get_bool(body, "Internal", false);
	n->attachable = json_get_bool(body, "Attachable", false);
	if (json_pairs(json_get(body, "Options"), &n->options) < 0 ||
	    json_pairs(json_get(body, "Labels"), &n->labels) < 0) {
		error_set(err, ERR_INVALID,
			  "invalid network config:\noptions and labels are texts");
		goto fail;
	}
	if (!*json_get_str(json_get(body, "ConfigFrom"), "Network", ""))
		add_default_opts(n);
	if (read_families(body, n, err) < 0)
		goto fail;
	if (net_read_ipam(json_get(body, "IPAM"), n, err) < 0 || copy_config(body, n, err) < 0)
		goto fail;
	if (config_only)
		return n;
	if (n->ipam_driver && streq(n->ipam_driver, "null")) {
		no_pools(n, err);
		goto fail;
	}
	if (net_open_driver(n, err) < 0)
		goto fail;
	if (net_caps(n) & DOCKERD_NETWORK_CAP_SINGLETON) {
		error_set(err, ERR_DENIED, "only one instance of \"%s\" network is allowed",
			  n->driver_name);
		goto fail;
	}
	return n;
fail:
	net_unref(n);
	return NULL;
}

/* For the name and the addresses it is in the table already while it is made; a second reference, for it may be deleted as soon as it is found. */
static void hold(struct net *n)
{
	LOCK_SCOPE(&network_lock);

	n->making = true;
	n->refs++;
}

/* The driver makes it, and its rules go in meanwhile. */
static int bring_up(struct net *n, struct error *err)
{
	struct error late = ERROR_INIT;
	struct fw_batch batch = {0};
	int r = net_bring_up(n, &batch, err);

	if (firewall_wait(&batch, &late) == 0)
		return r;
	if (r == 0)
		*err = late;
	return -1;
}

int network_create(const json *body, struct str *id, struct strlist *warnings, struct error *err)
{
	struct error ignored = ERROR_INIT;
	auto_net *same = NULL;
	struct net *n;
	int r;

	(void)warnings;
	n = from_body(body, err);
	if (!n)
		return -1;
	same = network_get(n->name, &ignored);
	if (same && streq(same->name, n->name)) {
		error_set(err, ERR_CONFLICT, "network with name %s already exists", n->name);
		goto fail;
	}
	if (n->ipam_driver && !n->config_only && ipam_remote_claim(n, err) < 0)
		goto fail;
	hold(n);
	if (net_claim(n, err) < 0)
		goto drop;
	if (store_begin(n, err) < 0)
		goto unpublish;
	r = bring_up(n, err);
	if (r == 0) {
		FAULT("network.create.made");
		r = store_put(n, err);
	}
	if (r < 0) { /* a driver that fails leaves what it has made */
		if (net_take_down(n, &ignored) == 0)
			goto end; /* and its pools go */
		/* its record of an unfinished network stays: the next daemon tries again */
		log_warn("network not taken back", "network", n->name, "error", ignored.text);
		network_unpublish(n);
		net_unref(n);
		goto fail; /* with its pools: they are on record, too */
	}
	store_end(n);
	str_puts(id, n->id);
	network_made(n);
	network_event(n, "create");
	net_unref(n);
	return 0;
end:
	if (ipam_remote_drop(n) == 0) /* else the next daemon tries again */
		store_end(n);
	network_unpublish(n);
	net_unref(n);
	goto fail;
unpublish:
	network_unpublish(n);
drop:
	ipam_remote_drop(n);
	net_unref(n);
fail:
	net_unref(n);
	return -1;
}

/* ---- delete ---------------------------------------------------------------------------------------------------------------------------- */

/* From here on nobody joins. */
static int begin_delete(struct net *n, struct error *err)
{
	auto_str who = STR_INIT;
	struct map_entry *m;
	LOCK_SCOPE(&network_lock);

	if (n->deleting)
		return error_set(err, ERR_NOT_FOUND, "network %s not found", n->name);
	for (size_t i = 0; (m = map_next(&n->endpoints, &i));) {
		const struct net_endpoint *e = m->value;

		str_printf(&who, "%sname:\"%s\" id:\"%.12s\"", who.len ? ", " : "", e->name, e->id);
	}
	if (who.len || n->joining)
		return error_set(
		    err, ERR_DENIED,
		    "error while removing network: network %s has active endpoints%s%s%s", n->name,
		    who.len ? " (" : "", str_cstr(&who), who.len ? ")" : "");
	n->deleting = true;
	return 0;
}

/* Is it the configuration of another? */
static bool is_used_as_config(const struct net *n)
{
	size_t count;
	struct net **all = network_all(&count);
	bool used = false;

	for (size_t i = 0; i < count; i++) {
		used |= n->config_only && streq(all[i]->config_from, n->name);
		net_unref(all[i]);
	}
	free(all);
	return used;
}

/* Off the disk and out of the driver; on failure it is there as before. */
static int take_away(struct net *n, struct error *err)
{
	struct error ignored = ERROR_INIT;
	auto_kept kept = {0};

	/* what it has made, nobody else can take away */
	if (!n->driver && !n->config_only)
		return error_set(
		    err, ERR_UNAVAILABLE,
		    "network %s can't be removed: its driver \"%s\" could not be opened "
		    "when the daemon started, see its log",
		    n->name, n->driver_name);
	if (store_begin(n, err) < 0)
		return -1;
	if (store_delete(n, &kept, err) == 0) {
		if (net_take_down(n, err) == 0 && FAULT_ERR("network.delete.driver", err) == 0) {
			if (ipam_remote_drop(n) == 0) /* else the next daemon tries again */
				store_end(n);
			return 0;
		}
		if (store_put_back(&kept, &ignored) < 0) { /* then the next daemon takes it away */
			log_error("network is there until the daemon ends", "network", n->name,
				  "error", ignored.text);
			return -1;
		}
	} else {
		store_put_back(&kept, &ignored); /* in memory, at least */
	}
	store_end(n);
	return -1;
}

static int delete_net(struct net *n, struct error *err)
{
	if (n->predefined)
		return error_set(err, ERR_DENIED,
				 "%s is a pre-defined network and cannot be removed", n->name);
	if (is_used_as_config(n))
		return error_set(err, ERR_DENIED, "configuration network %s is in use", n->name);
	endpoints_retry(n);
	if (begin_delete(n, err) < 0)
		return -1;
	if (take_away(n, err) < 0) {
		pthread_mutex_lock(&network_lock);
		n->deleting = false;
		pthread_mutex_unlock(&network_lock);
		return -1;
	}
	network_unpublish(n);
	network_event(n, "destroy");
	net_unref(n); /* the table's */
	return 0;
}

int network_delete(const char *name_or_id, struct error *err)
{
	auto_net *n = network_get(name_or_id, err);

	return n ? delete_net(n, err) : -1;
}

/* ---- prune ----------------------------------------------------------------------------------------------------------------------------- */

static bool prunable(const struct net *n, const json *filters, int64_t until)
{
	bool used;

	if (n->predefined || n->created > until || is_used_as_config(n) ||
	    !filter_labels(&n->labels, filters))
		return false;
	pthread_mutex_lock(&network_lock);
	used = n->endpoints.n || n->joining || n->deleting;
	pthread_mutex_unlock(&network_lock);
	return !used;
}

static int read_until(const json *filters, int64_t *until, struct error *err)
{
	static const char *const known[] = {"label", "label!", "until", NULL};
	auto_strlist list = STRLIST_INIT;

	*until = INT64_MAX;
	if (filter_check(filters, known, err) < 0)
		return -1;
	filter_values(filters, "until", &list);
	if (list.n > 1)
		return error_set(err, ERR_INVALID, "more than one until filter specified");
	if (list.n && !clock_parse_param(list.v[0], clock_wall_ns(), until))
		return error_set(err, ERR_INVALID,
				 "failed to parse value as time or duration: \"%s\"", list.v[0]);
	return 0;
}

int network_prune(const json *filters, struct strlist *deleted, struct error *err)
{
	int64_t until;
	struct net **all;
	size_t n;

	if (read_until(filters, &until, err) < 0)
		return -1;
	all = network_all(&n);
	for (size_t i = 0; i < n; i++) {
		struct error bad = ERROR_INIT;

		if (prunable(all[i], filters, until)) {
			if (delete_net(all[i], &bad) == 0)
				strlist_add(deleted, all[i]->name);
			else
				log_warn("could not remove network", "network", all[i]->name,
					 "error", bad.text);
		}
		net_unref(all[i]);
	}
	free(all);
	return 0;
}
