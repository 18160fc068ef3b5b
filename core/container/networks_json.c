/* SPDX-License-Identifier: Apache-2.0 */
/* The networks of a container as JSON: EndpointSettings of the API, NetworkSettings of config.v2.json and inspect. */
#include "container/networks_int.h"
#include "base/mem.h"
#include "container/container_int.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- requests ------------------------------------------------------------------------------------------------------------------------- */

int networks_take_mac(const char *mac, char out[18], struct error *err)
{
	unsigned int b[6];
	char rest;

	if (!*mac)
		return 0;
	if (strlen(mac) != 17 || strspn(mac, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &rest) != 6)
		return error_set(err, ERR_INVALID, "invalid MAC address %s", mac);
	snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return 0;
}

static char *text_of(const json *j)
{
	auto_str text = STR_INIT;

	if (json_type(j) == JSON_MISSING || json_type(j) == JSON_NULL)
		return NULL;
	json_print(j, &text);
	return str_steal(&text);
}

/* Only what was set, as Go prints a pointer to a struct of omitempty members. */
static char *ipam_text(const json *j)
{
	static const char *const members[] = {"IPv4Address", "IPv6Address"};
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	if (json_type(j) != JSON_OBJECT)
		return NULL;
	jw_obj(&w);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (*json_get_str(j, members[i], ""))
			jw_kstr(&w, members[i], json_get_str(j, members[i], ""));
	if (json_count(json_get(j, "LinkLocalIPs")))
		jw_kjson(&w, "LinkLocalIPs", json_get(j, "LinkLocalIPs"));
	jw_end(&w);
	return str_steal(&text);
}

static void network_free(struct container_network *n)
{
	free(n->name);
	free(n->ipam);
	free(n->links);
	free(n->aliases);
	free(n->driver_opts);
	strlist_free(&n->dns_names);
	network_endpoint_free(&n->ep);
}

struct container_network *networks_add(struct container *c, const char *name, const json *settings)
{
	struct container_network *n;

	networks_remove(c, name);
	c->networks = xreallocarray(c->networks, c->n_networks + 1, sizeof(*c->networks));
	n = &c->networks[c->n_networks++];
	*n = (struct container_network){
	    .name = xstrdup(name),
	    .ipam = ipam_text(json_get(settings, "IPAMConfig")),
	    .links = text_of(json_get(settings, "Links")),
	    .aliases = text_of(json_get(settings, "Aliases")),
	    .driver_opts = text_of(json_get(settings, "DriverOpts")),
	    .gw_priority = json_get_i64(settings, "GwPriority", 0),
	};
	return n;
}

void networks_remove(struct container *c, const char *name)
{
	for (size_t i = 0; i < c->n_networks; i++) {
		if (!streq(c->networks[i].name, name))
			continue;
		network_free(&c->networks[i]);
		memmove(&c->networks[i], &c->networks[i + 1],
			(c->n_networks - i - 1) * sizeof(*c->networks));
		c->n_networks--;
		return;
	}
}

void networks_free(struct container *c)
{
	for (size_t i = 0; i < c->n_networks; i++)
		network_free(&c->networks[i]);
	free(c->networks);
	c->networks = NULL;
	c->n_networks = 0;
}

/* A network that is not there yet may be there at the start; settings of one that is are checked now. */
static int check(const char *name, const json *settings, struct network_traits *t,
		 struct error *err)
{
	struct error inner = ERROR_INIT;

	if (network_traits(name, t, &inner) < 0) {
		*t = (struct network_traits){0};
		snprintf(t->name, sizeof(t->name), "%s", network_mode_name(name));
		inner = (struct error)ERROR_INIT;
	}
	if (network_check_settings(t, settings, &inner) < 0)
		return error_set(err, inner.kind, "invalid config for network %s: %s", name,
				 inner.text);
	return 0;
}

static int from_endpoint(struct container *c, const json *e, const struct network_traits *main,
			 struct error *err)
{
	struct network_traits t;
	struct container_network *n;

	if (check(json_name(e), e, &t, err) < 0)
		return -1;
	if (!streq(t.name, main->name) && (main->in_host || streq(main->driver, "null")))
		return error_set(err, ERR_INVALID,
				 "container cannot be connected to multiple networks with "
				 "one of the networks in private (none) mode");
	n = networks_add(c, t.name, e);
	return networks_take_mac(json_get_str(e, "MacAddress", ""), n->mac, err) < 0
		   ? error_wrap(err, "invalid config for network %s", t.name)
		   : 0;
}

/* The container's own address, from before API 1.44, is that of its main network. */
static int main_mac(struct container_network *n, const char *mac, struct error *err)
{
	char wanted[18] = "";

	if (networks_take_mac(mac, wanted, err) < 0)
		return error_wrap(err, "invalid config for network %s", n->name);
	if (n->mac[0] && !streq(n->mac, wanted))
		return error_set(err, ERR_INVALID,
				 "the container-wide MAC address must match the endpoint-specific "
				 "MAC address for the main network, or be left empty");
	memcpy(n->mac, wanted, sizeof(wanted));
	return 0;
}

int networks_from_request(struct container *c, const json *body, const char *mac, struct error *err)
{
	const json *endpoints = json_get(json_get(body, "NetworkingConfig"), "EndpointsConfig");
	const char *mode = c->network_mode;
	struct network_traits main;

	if (str_after(mode, "container:") || json_get_bool(body, "NetworkDisabled", false))
		return 0;
	if (check(mode, NULL, &main, err) < 0)
		return -1;
	networks_add(c, main.name, NULL);
	for (json *e = json_first(endpoints); e; e = json_next(e))
		if (from_endpoint(c, e, &main, err) < 0)
			return -1;
	/* moby forgets it where there is no such address */
	if (!*mac || main.in_host || streq(main.driver, "null"))
		return 0;
	return main_mac(networks_find(c, main.name), mac, err);
}

/* ---- disk --------------------------------------------------------------------------------------------------------------------------------- */

/* Those of one network: that which is the way out of the family of the host address. */
static void load_ports(struct container_network *n, const json *ports)
{
	struct network_endpoint *e = &n->ep;

	for (json *p = json_first(ports); p; p = json_next(p))
		for (json *b = json_first(p); b; b = json_next(b)) {
			const char *slash = strchr(json_name(p), '/'),
				   *ip = json_get_str(b, "HostIp", "");
			struct network_port *np;

			if (!(n->ways & (strchr(ip, ':') ? NETWORK_WAY_IPV6 : NETWORK_WAY_IPV4)))
				continue;
			e->ports = xreallocarray(e->ports, e->n_ports + 1, sizeof(*e->ports));
			np = &e->ports[e->n_ports++];
			*np = (struct network_port){
			    .container_port = (uint16_t)atoi(json_name(p)),
			    .host_port = (uint16_t)atoi(json_get_str(b, "HostPort", "0"))};
			snprintf(np->proto, sizeof(np->proto), "%s", slash ? slash + 1 : "tcp");
			snprintf(np->host_ip, sizeof(np->host_ip), "%s", ip);
		}
}

#define COPY(to, from) snprintf(to, sizeof(to), "%s", from)

static void load_one(struct container *c, const json *j, const json *settings)
{
	struct container_network *n = networks_add(c, json_name(j), j);
	struct network_endpoint *e = &n->ep;

	COPY(n->mac, json_get_str(j, "DesiredMacAddress", ""));
	json_strlist(json_get(j, "DNSNames"), &n->dns_names);
	COPY(e->network_name, json_name(j));
	COPY(e->network_id, json_get_str(j, "NetworkID", ""));
	COPY(e->endpoint_id, json_get_str(j, "EndpointID", ""));
	COPY(e->ipv4, json_get_str(j, "IPAddress", ""));
	COPY(e->gateway4, json_get_str(j, "Gateway", ""));
	COPY(e->mac, json_get_str(j, "MacAddress", ""));
	COPY(e->host_ifname, json_get_str(j, "HostInterface", ""));
	COPY(e->ifname, json_get_str(j, "Interface", ""));
	COPY(e->driver, json_get_str(j, "EndpointDriver", ""));
	e->prefix4 = (int)json_get_i64(j, "IPPrefixLen", 0);
	COPY(e->ipv6, json_get_str(j, "GlobalIPv6Address", ""));
	COPY(e->gateway6, json_get_str(j, "IPv6Gateway", ""));
	e->prefix6 = (int)json_get_i64(j, "GlobalIPv6PrefixLen", 0);
	n->connected = c->connected && *e->endpoint_id;
	if (n->connected && json_get_bool(j, "WayOut", false))
		n->ways =
		    (unsigned int)json_get_i64(j, "Ways", NETWORK_WAY_IPV4 | NETWORK_WAY_IPV6);
	load_ports(n, json_get(settings, "Ports"));
}

void networks_load(struct container *c, const json *settings)
{
	c->connected = *json_get_str(settings, "SandboxID", "") != '\0';
	for (json *j = json_first(json_get(settings, "Networks")); j; j = json_next(j))
		load_one(c, j, settings);
}

static void print_raw(struct jw *w, const char *name, const char *text)
{
	jw_key(w, name);
	if (text)
		jw_raw(w, text, strlen(text));
	else
		jw_null(w);
}

static void print_endpoint(struct jw *w, const struct container_network *n, bool kept)
{
	const struct network_endpoint *e = &n->ep;

	jw_kobj(w, n->name);
	print_raw(w, "IPAMConfig", n->ipam);
	print_raw(w, "Links", n->links);
	print_raw(w, "Aliases", n->aliases);
	/* before the first connection that which is wanted; what was on is kept out of the file */
	jw_kstr(w, "MacAddress", kept || *e->network_id ? e->mac : n->mac);
	print_raw(w, "DriverOpts", n->driver_opts);
	jw_ki64(w, "GwPriority", n->gw_priority);
	jw_kstr(w, "NetworkID", e->network_id);
	jw_kstr(w, "EndpointID", e->endpoint_id);
	jw_kstr(w, "Gateway", e->gateway4);
	jw_kstr(w, "IPAddress", e->ipv4);
	jw_ki64(w, "IPPrefixLen", e->prefix4);
	jw_kstr(w, "IPv6Gateway", e->gateway6);
	jw_kstr(w, "GlobalIPv6Address", e->ipv6);
	jw_ki64(w, "GlobalIPv6PrefixLen", e->prefix6);
	jw_kstrlist(w, "DNSNames", &n->dns_names, true);
	if (kept) {
		jw_kbool(w, "IPAMOperational", false);
		jw_kstr(w, "DesiredMacAddress", n->mac);
		/* ours, which moby skips: what it takes to give the endpoint back after a crash */
		jw_kstr(w, "HostInterface", e->host_ifname);
		jw_kstr(w, "Interface", e->ifname);
		jw_kstr(w, "EndpointDriver", e->driver);
		jw_kbool(w, "WayOut", n->ways != 0);
		jw_ki64(w, "Ways", n->ways);
	}
	jw_end(w);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct container_network *const *)a)->name,
		      (*(struct container_network *const *)b)->name);
}

/* Sorted, as Go prints maps. */
static void print_all(struct jw *w, const struct container *c, bool kept)
{
	const struct container_network **v = xcalloc(c->n_networks + 1, sizeof(*v));

	for (size_t i = 0; i < c->n_networks; i++)
		v[i] = &c->networks[i];
	if (c->n_networks)
		qsort(v, c->n_networks, sizeof(*v), by_name);
	jw_kobj(w, "Networks");
	for (size_t i = 0; i < c->n_networks; i++)
		print_endpoint(w, v[i], kept);
	jw_end(w);
	free(v);
}

static bool same_port(const struct network_port *a, const struct network_port *b)
{
	return a->container_port == b->container_port && streq(a->proto, b->proto);
}

/* Those of one container port stand together. */
static void print_ports_kept(struct jw *w, const struct container *c)
{
	const struct network_port *p, *q;

	jw_kobj(w, "Ports");
	for (size_t i = 0; (p = networks_port(c, i)); i++) {
		char key[16], number[8];
		size_t first = 0;

		while (!same_port(networks_port(c, first), p))
			first++;
		if (first < i)
			continue;
		snprintf(key, sizeof(key), "%u/%s", p->container_port, p->proto);
		jw_karr(w, key);
		for (size_t k = i; (q = networks_port(c, k)); k++) {
			if (!same_port(p, q))
				continue;
			snprintf(number, sizeof(number), "%u", q->host_port);
			jw_obj(w);
			jw_kstr(w, "HostIp", q->host_ip);
			jw_kstr(w, "HostPort", number);
			jw_end(w);
		}
		jw_end(w);
	}
	jw_end(w);
}

void networks_print_kept(struct jw *w, const struct container *c)
{
	jw_kobj(w, "NetworkSettings");
	jw_kstr(w, "Bridge", "");
	jw_kstr(w, "SandboxID", c->connected ? c->id : "");
	jw_kstr(w, "SandboxKey", "");
	jw_kbool(w, "HairpinMode", false);
	jw_kstr(w, "LinkLocalIPv6Address", "");
	jw_ki64(w, "LinkLocalIPv6PrefixLen", 0);
	print_all(w, c, true);
	jw_knull(w, "Service");
	print_ports_kept(w, c);
	jw_knull(w, "SecondaryIPAddresses");
	jw_knull(w, "SecondaryIPv6Addresses");
	jw_kbool(w, "HasSwarmEndpoint", false);
	jw_end(w);
}

void networks_print(struct jw *w, const struct container *c)
{
	print_all(w, c, false);
}
