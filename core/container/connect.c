/* SPDX-License-Identifier: Apache-2.0 */
/* docker network connect and disconnect: of a container that runs, and of one that does not. */
#include "container/networks_int.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <stdio.h>
#include <stdlib.h>

/* Moby's rules for who may join what. */
static int may_connect(const struct container *c, const struct network_traits *t, struct error *err)
{
	struct network_traits mine;
	struct error ignored = ERROR_INIT;

	if (networks_shares(c))
		return error_set(err, ERR_INVALID,
				 "container sharing network namespace with another container or "
				 "host cannot be connected to any other network");
	if (t->in_host)
		return error_set(err, ERR_INVALID,
				 "cannot connect container to host network - container must be "
				 "created in host network mode");
	for (size_t i = 0; i < c->n_networks; i++) {
		if (network_traits(c->networks[i].name, &mine, &ignored) < 0)
			continue;
		if (mine.in_host)
			return error_set(err, ERR_INVALID,
					 "container sharing network namespace with another "
					 "container or host cannot be connected to any other "
					 "network");
		if (mine.predefined && !mine.has_addresses)
			break;
		if (t->predefined && !t->has_addresses)
			break;
		if (i + 1 == c->n_networks)
			return 0;
	}
	return c->n_networks ? error_set(err, ERR_INVALID,
					 "container cannot be connected to multiple networks with "
					 "one of the networks in private (none) mode")
			     : 0;
}

static int open_sandbox(struct container *c, struct sandbox *s, struct network_port **ports,
			struct error *err)
{
	*s = (struct sandbox){.netns_fd = networks_namespace(c), .netlink_fd = -1};
	if (s->netns_fd < 0)
		return error_sys(err, errno, "network namespace of container %s", c->id);
	s->netlink_fd = network_netlink_in(s->netns_fd, err);
	if (s->netlink_fd < 0 || container_wanted_ports(c, ports, &s->n_ports, err) < 0)
		return -1;
	s->ports = *ports;
	return 0;
}

static void close_sandbox(struct sandbox *s, struct network_port *ports)
{
	if (s->moving)
		pthread_rwlock_unlock(&networks_ports);
	fd_close(&s->netns_fd);
	fd_close(&s->netlink_fd);
	free(ports);
}

static int leave_live(struct container *c, struct container_network *n, bool tell,
		      struct error *err);

/* Ports go where the ways out go. */
static void guard_ports(struct container *c, const struct plan *v, const struct plan *but,
			struct sandbox *s)
{
	for (size_t i = 0; i < c->n_networks && s->n_ports && !s->moving; i++)
		s->moving = &v[i] != but && v[i].n->connected && v[i].ways != v[i].n->ways;
	if (s->moving)
		pthread_rwlock_wrlock(&networks_ports);
}

/* Networks but one get the ways out that were chosen for them: those that lose some, or those that get some. */
static int move_others(struct container *c, const struct plan *v, const struct plan *but, bool get,
		       const struct sandbox *s, struct error *err)
{
	for (size_t i = 0; i < c->n_networks; i++) {
		struct container_network *n = v[i].n;
		unsigned int ways = get ? n->ways | v[i].ways : n->ways & v[i].ways;

		if (&v[i] != but && n->connected && ways != n->ways &&
		    networks_move(c, n, ways, s, err) < 0)
			return -1;
	}
	return 0;
}

/* Into the running container. */
static int connect_live(struct container *c, const char *name, struct error *err)
{
	struct network_port *ports = NULL;
	auto_free struct plan *plans = NULL;
	struct plan *mine = NULL;
	struct error ignored = ERROR_INIT;
	bool had_dns = network_resolver_runs(c->id);
	struct sandbox s;
	int r = open_sandbox(c, &s, &ports, err);

	if (r == 0)
		r = networks_plan(c, &plans, err);
	if (r < 0)
		goto out;
	networks_choose(plans, c->n_networks);
	for (size_t i = 0; i < c->n_networks; i++)
		if (streq(plans[i].n->name, name))
			mine = &plans[i];
	guard_ports(c, plans, mine, &s);
	r = move_others(c, plans, mine, false, &s, err);
	if (r == 0)
		r = networks_join(c, mine, &s, err);
	if (r < 0) {
		mine->t.has_addresses = false; /* as if it were not there */
		networks_choose(plans, c->n_networks);
		if (move_others(c, plans, mine, true, &s, &ignored) < 0)
			log_error("the way out of a container is gone", "container", c->id, "error",
				  ignored.text);
	}
	if (r == 0 && (had_dns || mine->t.resolver))
		r = networks_resolver(c, s.netns_fd, err);
	if (r == 0 && !had_dns && mine->t.resolver)
		r = container_write_resolv_conf(c, err);
	if (r == 0)
		r = FAULT_ERR("container.connect.hosts", err);
	if (r == 0)
		r = container_write_hosts(c, err);
out:
	close_sandbox(&s, ports);
	return r;
}

/* A connect that has failed on the way: the container is as it was, its way out included. */
static void take_back(struct container *c, const char *name)
{
	struct container_network *n = networks_find(c, name);
	struct error err = ERROR_INIT;

	if (n->connected && leave_live(c, n, false, &err) < 0) {
		log_error("network not taken back", "container", c->id, "network", name, "error",
			  err.text);
		if (n->connected)
			network_abandon(&n->ep);
	}
	pthread_mutex_lock(&c->lock);
	networks_remove(c, name);
	pthread_mutex_unlock(&c->lock);
	if (c->state.running && container_write_hosts(c, &err) < 0)
		log_error("hosts file of a container", "container", c->id, "error", err.text);
}

int container_connect(const char *network, const char *container, const json *settings,
		      struct error *err)
{
	struct network_traits t;
	char mac[18] = "";
	bool added;
	auto_container *c = NULL;
	struct container_network *n;

	if (network_traits(network, &t, err) < 0 ||
	    networks_take_mac(json_get_str(settings, "MacAddress", ""), mac, err) < 0)
		return -1;
	if (!*container)
		return error_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"");
	c = container_find(container, err);
	if (!c)
		return -1;
	LOCK_SCOPE(&c->op);
	if (c->gone || c->state.removing || c->state.dead)
		return error_set(err, ERR_CONFLICT,
				 "container is marked for removal and cannot be connected or "
				 "disconnected to the network");
	if (may_connect(c, &t, err) < 0 || network_check_settings(&t, settings, err) < 0)
		return -1;
	n = networks_find(c, t.name);
	if (n && c->state.running)
		return error_set(err, ERR_DENIED,
				 "endpoint with name %s already exists in network %s", c->name,
				 t.name);
	added = !n;
	pthread_mutex_lock(&c->lock);
	n = networks_add(c, t.name, settings);
	memcpy(n->mac, mac, sizeof(mac));
	if (t.resolver)
		networks_names(c, n, &n->dns_names);
	pthread_mutex_unlock(&c->lock);
	if ((c->state.running && connect_live(c, t.name, err) < 0) ||
	    FAULT_ERR("container.connect.save", err) < 0 || container_save(c, false, err) < 0) {
		if (added)
			take_back(c, t.name);
		return -1;
	}
	FAULT("container.connect.saved");
	n = networks_find(c, t.name);
	if (n->connected)
		networks_event(c, "connect", &n->ep);
	return 0;
}

/* Out of the running container; the way out moves to the best network that is left. -1: n->connected tells whether it is out. tell: an event, as for what was connected. */
static int leave_live(struct container *c, struct container_network *n, bool tell,
		      struct error *err)
{
	struct network_port *ports = NULL;
	auto_free struct plan *plans = NULL;
	struct plan *mine = NULL;
	bool was_out = n->ways != 0;
	char *name = n->name;
	struct sandbox s;
	int r = open_sandbox(c, &s, &ports, err);

	if (r == 0 && was_out && s.n_ports) {
		s.moving = true; /* to wherever it finds another way out */
		pthread_rwlock_wrlock(&networks_ports);
	}
	if (r == 0)
		r = network_disconnect(c->id, &n->ep, err);
	if (r < 0)
		goto out;
	if (tell)
		networks_event(c, "disconnect", &n->ep);
	networks_forget(c, n);
	if (was_out && networks_plan(c, &plans, err) == 0) {
		for (size_t i = 0; i < c->n_networks; i++)
			if (streq(plans[i].n->name, name))
				(mine = &plans[i])->t.has_addresses = false; /* it goes */
		networks_choose(plans, c->n_networks);
		r = move_others(c, plans, mine, true, &s, err);
	}
	if (r == 0)
		r = FAULT_ERR("container.disconnect.moved", err);
	if (r == 0 && network_resolver_runs(c->id))
		r = networks_resolver(c, s.netns_fd, err);
out:
	close_sandbox(&s, ports);
	return r;
}

int container_disconnect(const char *network, const char *container, bool force, struct error *err)
{
	struct error ignored = ERROR_INIT;
	struct network_traits t;
	auto_container *c = NULL;
	struct container_network *n;
	int r = 0;

	(void)force; /* for endpoints of containers that are gone: there are none */
	if (network_traits(network, &t, err) < 0)
		return -1;
	if (!*container)
		return error_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"");
	c = container_find(container, err);
	if (!c)
		return -1;
	LOCK_SCOPE(&c->op);
	if (c->gone || c->state.removing || c->state.dead)
		return error_set(err, ERR_CONFLICT,
				 "container is marked for removal and cannot be connected or "
				 "disconnected to the network");
	n = networks_find(c, t.name);
	if (t.in_host && n)
		return error_set(err, ERR_INVALID,
				 "container cannot be disconnected from host network or connected "
				 "to host network");
	if (!n)
		return error_set(err, ERR_SYSTEM, "container %s is not connected to %snetwork %s",
				 c->id, c->state.running ? "" : "the ", t.name);
	if (c->state.running && n->connected)
		r = leave_live(c, n, true, err);
	if (n->connected && r < 0)
		return -1;
	/* it has left: whatever failed behind that, the disk must not name the endpoint any longer */
	pthread_mutex_lock(&c->lock);
	networks_remove(c, t.name);
	pthread_mutex_unlock(&c->lock);
	if (c->state.running && container_write_hosts(c, r < 0 ? &ignored : err) < 0)
		r = -1;
	if (container_save(c, false, r < 0 ? &ignored : err) < 0)
		r = -1;
	return r;
}
