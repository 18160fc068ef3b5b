/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall rules of a bridge network and of its endpoints: moby's chains and texts, so that what operators put into DOCKER-USER
 * or match by scripts goes on working. Texts are in the form that iptables-save prints.
 */
#include "bridge.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { RAW, NAT, FILTER, TABLES };

struct batch {
	FILE *f[TABLES];
	char *text[TABLES];
	size_t len[TABLES];
	bool add;
};

static const char *const table_names[TABLES] = {"raw", "nat", "filter"};

static void batch_open(struct batch *b, bool add)
{
	memset(b, 0, sizeof(*b));
	b->add = add;
	for (int i = 0; i < TABLES; i++)
		b->f[i] = open_memstream(&b->text[i], &b->len[i]);
}

/* verb: 'A' or 'I'. fmt: "CHAIN SPEC". */
static void __attribute__((format(printf, 4, 5)))
rule(struct batch *b, int table, char verb, const char *fmt, ...)
{
	va_list ap;

	if (!b->f[table])
		return;
	fprintf(b->f[table], "-%c ", b->add ? verb : 'D');
	va_start(ap, fmt);
	vfprintf(b->f[table], fmt, ap);
	va_end(ap);
	fputc('\n', b->f[table]);
}

static char *batch_close(struct batch *b)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	bool ok = f != NULL;

	for (int i = 0; i < TABLES; i++) {
		ok = b->f[i] && fclose(b->f[i]) == 0 && ok;
		if (ok && b->len[i])
			fprintf(f, "*%s\n%sCOMMIT\n", table_names[i], b->text[i]);
		free(b->text[i]);
	}
	if (f && fclose(f) != 0)
		ok = false;
	if (!ok) {
		free(out);
		out = NULL;
	}
	return out;
}

/* What reaches an internal network, or leaves it, is dropped; that the two families word it differently is moby's. */
static void internal_rules(struct batch *b, const struct bridge_net *n, bool v6)
{
	const char *br = n->ifname, *subnet = n->v[v6].subnet;

	if (v6) {
		rule(b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-1 ! -d %s -i %s ! -o %s -j DROP",
		     subnet, br, br);
		rule(b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-1 ! -s %s ! -i %s -o %s -j DROP",
		     subnet, br, br);
	} else {
		rule(b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-1 ! -d %s -i %s -j DROP", subnet, br);
		rule(b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-1 ! -s %s -o %s -j DROP", subnet, br);
	}
	rule(b, FILTER, 'A', "DOCKER-FORWARD -i %s -o %s -j %s", br, br,
	     n->icc ? "ACCEPT" : "DROP");
}

/* Where outgoing connections say that they come from. */
static void source_rules(struct batch *b, const struct bridge_net *n, bool v6)
{
	const char *br = n->ifname;
	char target[80] = "MASQUERADE";

	if (n->source[v6])
		snprintf(target, sizeof(target), "SNAT --to-source %s", n->source[v6]);
	if (n->masquerade && !bridge_routed(n, v6))
		rule(b, NAT, 'I', "POSTROUTING -s %s ! -o %s -j %s", n->v[v6].subnet, br, target);
	if (!n->proxy)
		rule(b, NAT, 'I', "POSTROUTING -o %s -m addrtype --src-type LOCAL -j %s", br,
		     target);
}

/* Networks don't reach each other, but for what a routed one has opened to everybody. */
static void isolation_rules(struct batch *b, const struct bridge_net *n, bool v6)
{
	const char *br = n->ifname;

	rule(b, FILTER, 'A', "DOCKER-ISOLATION-STAGE-1 -i %s ! -o %s -j DOCKER-ISOLATION-STAGE-2",
	     br, br);
	if (bridge_routed(n, v6)) {
		rule(b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-1 -o %s -j RETURN", br);
		rule(b, FILTER, 'I',
		     "DOCKER-ISOLATION-STAGE-1 -i %s -m conntrack --ctstate RELATED,ESTABLISHED -j "
		     "ACCEPT",
		     br);
	}
	rule(b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-2 -o %s -j DROP", br);
}

char *bridge_rules_network(const struct bridge_net *n, bool v6, bool add)
{
	const char *br = n->ifname;
	struct batch b;

	batch_open(&b, add);
	if (n->internal) {
		internal_rules(&b, n, v6);
		return batch_close(&b);
	}
	if (n->proxy && n->masquerade)
		rule(&b, NAT, 'I', "DOCKER -i %s -j RETURN", br);
	source_rules(&b, n, v6);
	rule(&b, FILTER, 'A',
	     "DOCKER-CT -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", br);
	rule(&b, FILTER, 'A', "DOCKER-BRIDGE -o %s -j DOCKER", br);
	if (bridge_routed(n, v6))
		rule(&b, FILTER, 'A', "DOCKER -o %s -p %s -j ACCEPT", br,
		     v6 ? "ipv6-icmp" : "icmp");
	rule(&b, FILTER, 'A', "DOCKER ! -i %s -o %s -j %s", br, br,
	     n->mode[v6] == GATEWAY_UNPROTECTED ? "ACCEPT" : "DROP");
	isolation_rules(&b, n, v6);
	if (n->icc) {
		rule(&b, FILTER, 'A', "DOCKER-FORWARD -i %s -j ACCEPT", br);
	} else {
		rule(&b, FILTER, 'A', "DOCKER-FORWARD -i %s -o %s -j DROP", br, br);
		rule(&b, FILTER, 'A', "DOCKER-FORWARD -i %s ! -o %s -j ACCEPT", br, br);
	}
	return batch_close(&b);
}

/* Has an earlier port of the list, on a host address of the family, the same container side? Then its rules are there already. */
static bool same_before(const struct dockerd_port *v, uint32_t i, bool v6)
{
	for (uint32_t k = 0; k < i; k++)
		if (DOCKERD_AT(v, k)->container_port == DOCKERD_AT(v, i)->container_port &&
		    !strcmp(DOCKERD_AT(v, k)->proto, DOCKERD_AT(v, i)->proto) &&
		    dockerd_is_ipv6(DOCKERD_AT(v, k)->host_ip) == v6)
			return true;
	return false;
}

/* The parts that the families differ in. */
static const struct words {
	int len; /* of an address */
	const char *
	    from; /* who is let through to a published port: to link-local addresses there is no way back */
	const char *open, *close; /* of an address before a port */
} words[2] = {{32, "", "", ""}, {128, "! -s fe80::/10 ", "[", "]"}};

/* A port of the host leads to one of the container. */
static void nat_rules(struct batch *b, const struct bridge_net *n, bool v6, const char *ip,
		      const struct dockerd_port *v, uint32_t i)
{
	const struct dockerd_port *p = DOCKERD_AT(v, i);
	const struct words *w = &words[v6];
	char match[96] = "", not_bridge[40] = "";

	if (strcmp(p->host_ip, v6 ? "::" : "0.0.0.0") != 0)
		snprintf(match, sizeof(match), "-d %s/%d ", p->host_ip, w->len);
	if (n->proxy)
		snprintf(not_bridge, sizeof(not_bridge), "! -i %s ", n->ifname);
	rule(b, NAT, 'A', "DOCKER %s%s%s-p %s -m %s --dport %u -j DNAT --to-destination %s%s%s:%u",
	     w->from, match, not_bridge, p->proto, p->proto, p->bound_port, w->open, ip, w->close,
	     p->container_port);
	/* Nobody but this host reaches a loopback address, even when route_localnet lets such packets in. */
	if (!v6 && !strncmp(p->host_ip, "127.", 4))
		rule(b, RAW, 'A', "PREROUTING -d %s/32 ! -i lo -p %s -m %s --dport %u -j DROP",
		     p->host_ip, p->proto, p->proto, p->bound_port);
	if (!n->proxy && !same_before(v, i, v6))
		rule(b, NAT, 'A',
		     "POSTROUTING -s %s/%d -d %s/%d -p %s -m %s --dport %u -j MASQUERADE", ip,
		     w->len, ip, w->len, p->proto, p->proto, p->container_port);
}

static void port_rules(struct batch *b, const struct bridge_net *n, bool v6, const char *ip,
		       const struct dockerd_port *v, uint32_t i)
{
	const struct dockerd_port *p = DOCKERD_AT(v, i);
	unsigned char a[16];

	/* A host address of IPv6 leads to an address of IPv4 by the proxy only; behind the host's own filter every one does. */
	if (inet_pton(v6 ? AF_INET6 : AF_INET, p->host_ip, a) != 1 ||
	    (n->obey && !bridge_routed(n, v6)))
		return;
	if (!bridge_routed(n, v6))
		nat_rules(b, n, v6, ip, v, i);
	if (n->mode[v6] != GATEWAY_UNPROTECTED && !same_before(v, i, v6))
		rule(b, FILTER, 'I',
		     "DOCKER -d %s/%d ! -i %s -o %s -p %s -m %s --dport %u -j ACCEPT", ip,
		     words[v6].len, n->ifname, n->ifname, p->proto, p->proto, p->container_port);
}

char *bridge_rules_ports(const struct bridge_net *n, bool ipv6, const char *ip,
			 const struct dockerd_port *ports, uint32_t count, bool add)
{
	struct batch b;

	batch_open(&b, add);
	for (uint32_t i = 0; i < count; i++)
		port_rules(&b, n, ipv6, ip, ports, i);
	return batch_close(&b);
}

/* Neighbours of this host shall not reach the container around its published ports, but for those that are trusted. */
static void direct_rules(struct batch *b, const struct bridge_net *n, bool v6, const char *ip)
{
	const char *trusted = n->trusted;
	char ifname[16];

	if (n->internal || n->direct || n->mode[v6] == GATEWAY_UNPROTECTED || bridge_routed(n, v6))
		return;
	while (bridge_next_name(&trusted, ifname))
		rule(b, RAW, 'A', "PREROUTING -d %s/%d -i %s -j ACCEPT", ip, words[v6].len, ifname);
	rule(b, RAW, 'A', "PREROUTING -d %s/%d ! -i %s -j DROP", ip, words[v6].len, n->ifname);
}

/* Where containers are kept apart, those that a link joins are not; such links are of IPv4. */
static void link_rules(struct batch *b, const struct bridge_net *n, const struct dockerd_link *v,
		       uint32_t count)
{
	for (uint32_t i = 0; i < count && !n->icc; i++) {
		const struct dockerd_link *l = DOCKERD_AT(v, i);

		rule(b, FILTER, 'A',
		     "DOCKER -s %s/32 -d %s/32 -i %s -o %s -p %s -m %s --dport %u -j ACCEPT",
		     l->client, l->server, n->ifname, n->ifname, l->proto, l->proto, l->port);
		rule(b, FILTER, 'A',
		     "DOCKER -s %s/32 -d %s/32 -i %s -o %s -p %s -m %s --sport %u -j ACCEPT",
		     l->server, l->client, n->ifname, n->ifname, l->proto, l->proto, l->port);
	}
}

char *bridge_rules_endpoint(const struct bridge_net *n, bool ipv6, const char *ip,
			    const struct dockerd_endpoint *e, bool add)
{
	struct batch b;

	batch_open(&b, add);
	direct_rules(&b, n, ipv6, ip);
	for (uint32_t i = 0; i < e->port_count; i++)
		port_rules(&b, n, ipv6, ip, e->ports, i);
	if (!ipv6 && DOCKERD_HAS(e, links))
		link_rules(&b, n, e->links, e->link_count);
	return batch_close(&b);
}
