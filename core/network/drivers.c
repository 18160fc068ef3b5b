/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network drivers: each is opened at the first network of its kind and kept to the end; what it is asked of whole networks. `lock` guards the list and
 * is not held while a driver is being opened or runs: who wants one that is being opened waits for that one only.
 */
#include "network/firewalld.h"
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <fcntl.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct net_driver *drivers;

/* ---- opening ------------------------------------------------------------------------------------------------------------------------- */

/* Options of the daemon that a driver may want to know, by their flags' names; and, as `plugin`, the name it is opened by. */
static void give_options(const struct plugin *p, const char *name, struct pairs *given)
{
	const struct {
		const char *key;
		bool value;
	} known[] = {{"userland-proxy", room.proxy},
		     {"ip-forward", room.ip_forward},
		     {"ip-forward-no-drop", room.ip_forward_no_drop},
		     {"allow-direct-routing", room.allow_direct_routing},
		     {"obey-host-firewall", room.obey_host_firewall}};

	for (uint32_t i = 0; i < p->option_count; i++)
		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			if (streq(p->options[i].key, known[k].key))
				pairs_set(given, known[k].key, known[k].value ? "true" : "false");
	for (uint32_t i = 0; i < p->option_count; i++)
		if (streq(p->options[i].key, "plugin"))
			pairs_set(given, "plugin", name);
}

/* The driver of that name; where there is none, the one that stands for socket plugins, which says whether there is such a plugin. */
static const struct plugin *load(const char *name, struct error *err)
{
	const struct plugin *p = plugin_load(DOCKERD_KIND_NETWORK, name, err);
	struct error none = ERROR_INIT;

	if (p || err->kind != ERR_NOT_FOUND)
		return p;
	p = plugin_load(DOCKERD_KIND_NETWORK, REMOTE_NETWORK_DRIVER, &none);
	if (p)
		error_clear(err);
	return p;
}

static int open_driver(struct net_driver *d, struct error *err)
{
	const struct plugin *p = load(d->name, err);
	auto_free char *root = xasprintf("%s/network/%s", room.data_root, d->name);
	auto_free char *state = xasprintf("%s/%s", room.state_dir, d->name);
	struct dockerd_options *o = NULL;
	auto_pairs given = PAIRS_INIT;
	int r;

	if (!p)
		return -1;
	if (dir_make_all(AT_FDCWD, root, 0700, err) < 0 ||
	    dir_make_all(AT_FDCWD, state, 0700, err) < 0)
		return -1;
	give_options(p, d->name, &given);
	if (plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, &given, &o, err) < 0)
		return -1;
	FAULT("network.driver.open");
	r = plugin_probe(p, root, state, o, err);
	if (r == 0)
		r = plugin_open(p, root, state, o, &d->instance, err);
	plugin_options_free(o);
	return r;
}

/* With the lock. */
static struct net_driver *find(const char *name)
{
	struct net_driver *d = drivers;

	while (d && !streq(d->name, name))
		d = d->next;
	return d;
}

static void unlist(struct net_driver *gone)
{
	for (struct net_driver **d = &drivers; *d; d = &(*d)->next)
		if (*d == gone) {
			*d = gone->next;
			return;
		}
}

/* Opened by this thread or by another that came first. */
static struct net_driver *opened(const char *name, struct error *err)
{
	struct net_driver *d;
	int r;

	pthread_mutex_lock(&lock);
	while ((d = find(name)) && d->opening)
		pthread_cond_wait(&changed, &lock);
	if (d) {
		pthread_mutex_unlock(&lock);
		return d;
	}
	d = xnew(struct net_driver);
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->opening = true;
	d->next = drivers;
	drivers = d;
	pthread_mutex_unlock(&lock);
	r = open_driver(d, err);
	pthread_mutex_lock(&lock);
	d->opening = false;
	if (r < 0)
		unlist(d);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	if (r == 0)
		return d;
	free(d);
	return NULL;
}

int net_open_driver(struct net *n, struct error *err)
{
	struct net_driver *d;

	if (strchr(n->driver_name, '/'))
		return error_set(err, ERR_NOT_FOUND, "plugin \"%s\" not found", n->driver_name);
	d = opened(n->driver_name, err);
	if (!d)
		return err->kind == ERR_NOT_FOUND
			   ? error_set(err, ERR_NOT_FOUND, "plugin \"%s\" not found",
				       n->driver_name)
			   : -1;
	n->driver = d;
	return plugin_options_parse(d->instance.plugin, DOCKERD_SCOPE_NETWORK, &n->options,
				    &n->typed, err);
}

void network_drivers(struct strlist *out)
{
	auto_strlist files = STRLIST_INIT;

	plugin_list(DOCKERD_KIND_NETWORK, &files);
	for (size_t i = 0; i < files.n; i++)
		if (!streq(files.v[i], REMOTE_NETWORK_DRIVER))
			strlist_add(out, files.v[i]);
	pthread_mutex_lock(&lock);
	for (const struct net_driver *d = drivers; d; d = d->next)
		if (!d->opening && !strlist_has(out, d->name))
			strlist_add(out, d->name);
	pthread_mutex_unlock(&lock);
	strlist_sort(out);
}

void drivers_close(void)
{
	while (drivers) {
		struct net_driver *d = drivers;

		drivers = d->next;
		plugin_close(&d->instance);
		free(d);
	}
}

/* ---- calls of whole networks ---------------------------------------------------------------------------------------------------------- */

/* What a driver says of a network that it has made. */
static void take_row(const struct dockerd_emit *to, const char *key, const char *value)
{
	struct net *n = to->ctx;
	const char *kind = str_after(key, "record.");

	for (int v6 = 0; v6 < 2; v6++)
		if (!*value &&
		    (streq(key, "gateway") || streq(key, v6 ? "gateway.ipv6" : "gateway.ipv4")))
			net_drop_gateways(n, v6);
	if (streq(key, "link"))
		snprintf(n->link, sizeof(n->link), "%s", value);
	if (streq(key, "ifname"))
		snprintf(n->ifname, sizeof(n->ifname), "%s", value);
	if (!streq(key, "record") && !kind)
		return;
	free(n->driver_record);
	free(n->record_kind);
	n->driver_record = xstrdup(value);
	n->record_kind = kind ? xasprintf("%s/%s", n->driver_name, kind) : xstrdup(n->driver_name);
}

static int call_network(struct net *n, bool create, struct fw_batch *batch, struct error *err)
{
	int32_t (*f)(void *, const struct dockerd_network *, struct dockerd_error *) =
	    create ? net_ops(n)->network_create : net_ops(n)->network_delete;
	struct dockerd_emit to = {.size = sizeof(to), .row = take_row, .ctx = n};
	struct dockerd_error derr = plugin_error_init();
	__attribute__((cleanup(net_text_free))) struct net_text text;
	struct dockerd_network v = network_view(n, &text);
	struct plugin_call call;
	const char *op = create ? "network_create" : "network_delete";

	if (!f)
		return 0;
	v.out = create ? &to : NULL;
	v.batch = batch;
	if (plugin_enter(&n->driver->instance, op, n->id, &call, err) < 0)
		return -1;
	return plugin_leave(&call, f(n->driver->instance.self, &v, &derr), &derr, err);
}

int net_bring_up(struct net *n, struct fw_batch *batch, struct error *err)
{
	if (!n->driver)
		return 0;
	if (call_network(n, true, batch, err) < 0)
		return -1;
	if (*n->link && room.firewall)
		firewalld_link(n->link, true);
	return 0;
}

int net_take_down(struct net *n, struct error *err)
{
	if (!n->driver)
		return 0;
	if (call_network(n, false, NULL, err) < 0)
		return -1;
	if (*n->link && room.firewall)
		firewalld_link(n->link, false);
	return 0;
}

static void refresh(struct net_driver *d)
{
	const struct dockerd_network_ops *ops = &d->instance.plugin->ops.network;
	struct dockerd_error derr = plugin_error_init();
	struct error err = ERROR_INIT;
	struct plugin_call call;

	if (!ops->refresh)
		return;
	if (plugin_enter(&d->instance, "refresh", "", &call, &err) < 0 ||
	    plugin_leave(&call, ops->refresh(d->instance.self, &derr), &derr, &err) < 0)
		log_error("networks not refreshed", "driver", d->name, "error", err.text);
}

void drivers_refresh(void)
{
	struct net_driver *d;

	pthread_mutex_lock(&lock);
	d = drivers;
	while (d) { /* one that is open stays in the list */
		if (!d->opening) {
			pthread_mutex_unlock(&lock);
			refresh(d);
			pthread_mutex_lock(&lock);
		}
		d = d->next;
	}
	pthread_mutex_unlock(&lock);
}
