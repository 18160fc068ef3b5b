/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the NetworkDriver protocol. Source: libnetwork docs/remote.md; what moby 28 sends. */
#include "remote.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* "10.0.0.1" of "10.0.0.0/24": "10.0.0.1/24" */
static char *with_length(const char *address, const char *subnet)
{
	const char *slash = strchr(subnet, '/');

	return xasprintf("%s%s", address, slash ? slash : "");
}

static void add_subnets(struct jw *w, const char *member, const struct dockerd_network *n, int ipv6)
{
	jw_karr(w, member);
	for (uint32_t i = 0; i < n->subnet_count; i++) {
		const struct dockerd_subnet *s = DOCKERD_AT(n->subnets, i);

		if (dockerd_is_ipv6(s->subnet) != ipv6)
			continue;
		jw_obj(w);
		jw_kstr(w, "AddressSpace", "LocalDefault");
		if (s->auxiliary_count)
			jw_kobj(w, "AuxAddresses");
		for (uint32_t k = 0; k < s->auxiliary_count; k++) {
			auto_free char *text = with_length(s->auxiliary[k].value, s->subnet);

			jw_kstr(w, s->auxiliary[k].key, text);
		}
		if (s->auxiliary_count)
			jw_end(w);
		if (s->gateway) {
			auto_free char *text = with_length(s->gateway, s->subnet);

			jw_kstr(w, "Gateway", text);
		}
		jw_kstr(w, "Pool", s->subnet);
		jw_end(w);
	}
	jw_end(w);
}

static void add_options(struct jw *w, const struct dockerd_options *o)
{
	for (uint32_t i = 0; o && i < o->count; i++)
		jw_kstr(w, dockerd_option_at(o, i)->key, dockerd_option_at(o, i)->text);
}

void wire_network(const struct dockerd_network *n, struct str *out)
{
	struct jw w = jw_to(out);

	jw_obj(&w);
	jw_kstr(&w, "NetworkID", n->id);
	jw_kobj(&w, "Options");
	jw_kbool(&w, "com.docker.network.enable_ipv4", n->flags & DOCKERD_NETWORK_IPV4);
	jw_kbool(&w, "com.docker.network.enable_ipv6", n->flags & DOCKERD_NETWORK_IPV6);
	jw_kobj(&w, "com.docker.network.generic");
	add_options(&w, n->options);
	jw_end(&w);
	if (n->flags & DOCKERD_NETWORK_INTERNAL)
		jw_kbool(&w, "com.docker.network.internal", true);
	jw_end(&w);
	add_subnets(&w, "IPv4Data", n, 0);
	add_subnets(&w, "IPv6Data", n, 1);
	jw_end(&w);
}

void wire_ids(const char *network, const char *endpoint, struct str *out)
{
	struct jw w = jw_to(out);

	jw_obj(&w);
	jw_kstr(&w, "NetworkID", network);
	if (endpoint)
		jw_kstr(&w, "EndpointID", endpoint);
	jw_end(&w);
}

static int protocol(const char *name)
{
	return strcmp(name, "tcp") == 0 ? 6 : strcmp(name, "udp") == 0 ? 17 : 132;
}

static void add_ports(struct jw *w, const struct dockerd_endpoint *e)
{
	jw_karr(w, "com.docker.network.endpoint.exposedports");
	for (uint32_t i = 0; i < e->exposed_count; i++) {
		const struct dockerd_port *p = DOCKERD_AT(e->exposed, i);

		jw_obj(w);
		jw_ki64(w, "Proto", protocol(p->proto));
		jw_ki64(w, "Port", p->container_port);
		jw_end(w);
	}
	jw_end(w);
	jw_karr(w, "com.docker.network.portmap");
	for (uint32_t i = 0; i < e->port_count; i++) {
		const struct dockerd_port *p = DOCKERD_AT(e->ports, i);

		jw_obj(w);
		jw_ki64(w, "Proto", protocol(p->proto));
		jw_kstr(w, "IP", "");
		jw_ki64(w, "Port", p->container_port);
		jw_kstr(w, "HostIP", p->host_ip);
		jw_ki64(w, "HostPort", p->host_port_start);
		jw_ki64(w, "HostPortEnd", p->host_port_end);
		jw_end(w);
	}
	jw_end(w);
}

static struct jw begin(const struct dockerd_network *n, const struct dockerd_endpoint *e,
		       struct str *out)
{
	struct jw w = jw_to(out);

	jw_obj(&w);
	jw_kstr(&w, "NetworkID", n->id);
	jw_kstr(&w, "EndpointID", e->id);
	return w;
}

static void end(struct jw *w, const struct dockerd_endpoint *e)
{
	jw_kobj(w, "Options");
	add_options(w, e->options);
	add_ports(w, e);
	jw_end(w);
	jw_end(w);
}

void wire_endpoint(const struct dockerd_network *n, const struct dockerd_endpoint *e,
		   struct str *out)
{
	struct jw w = begin(n, e, out);

	jw_kobj(&w, "Interface");
	jw_kstr(&w, "Address", dockerd_address_of(e, 0));
	jw_kstr(&w, "AddressIPv6", dockerd_address_of(e, 1));
	jw_kstr(&w, "MacAddress", e->mac);
	jw_end(&w);
	end(&w, e);
}

void wire_join(const struct dockerd_network *n, const struct dockerd_endpoint *e, struct str *out)
{
	struct jw w = begin(n, e, out);
	char path[64];

	/* a name of the namespace for as long as the call lasts, where there is no better one */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), e->netns_fd);
	jw_kstr(&w, "SandboxKey", e->netns_path ? e->netns_path : path);
	end(&w, e);
}
