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
		rule(b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-1 ! -s %s ! -i %s -o %s -j DROP",
		     subnet, br, br);
		rule(b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-1 ! -d %s -i %s ! -o %s -j DROP",
		     subnet, br, br);
	} else {
		rule(b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-1 ! -s %s -o %s -j DROP", subnet, br);
		rule(b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-1 ! -d %s -i %s -j DROP", subnet, br);
	}
	rule(b, FILTER, 'A', "DOCKER-FORWARD -i %s -o %s -j %s", br, br,
	     n->icc ? "ACCEPT" : "DROP");
}

char *bridge_rules_network(const struct bridge_net *n, bool v6, bool add)
{
	const char *br = n->ifname;
	struct batch b;

	batch_open(&b, add);
	if (n->proxy && !n->internal)
		rule(&b, NAT, 'I', "DOCKER -i %s -j RETURN", br);
	if (n->masquerade && !n->internal)
		rule(&b, NAT, 'I', "POSTROUTING -s %s ! -o %s -j MASQUERADE", n->v[v6].subnet, br);
	if (!n->proxy && !n->internal)
		rule(&b, NAT, 'I', "POSTROUTING -o %s -m addrtype --src-type LOCAL -j MASQUERADE",
		     br);
	rule(&b, FILTER, 'A',
	     "DOCKER-CT -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", br);
	rule(&b, FILTER, 'A', "DOCKER-BRIDGE -o %s -j DOCKER", br);
	rule(&b, FILTER, 'A', "DOCKER ! -i %s -o %s -j DROP", br, br);
	if (n->internal) {
		internal_rules(&b, n, v6);
		return batch_close(&b);
	}
	rule(&b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-1 -i %s ! -o %s -j DOCKER-ISOLATION-STAGE-2",
	     br, br);
	rule(&b, FILTER, 'I', "DOCKER-ISOLATION-STAGE-2 -o %s -j DROP", br);
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

static void port_rules(struct batch *b, const struct bridge_net *n, bool v6, const char *ip,
		       const struct dockerd_port *v, uint32_t i)
{
	const struct dockerd_port *p = DOCKERD_AT(v, i);
	const struct words *w = &words[v6];
	char match[96] = "", not_bridge[40] = "";
	unsigned char a[16];

	/* A host address of IPv6 leads to an address of IPv4 by the proxy only. */
	if (inet_pton(v6 ? AF_INET6 : AF_INET, p->host_ip, a) != 1)
		return;
	if (strcmp(p->host_ip, v6 ? "::" : "0.0.0.0") != 0)
		snprintf(match, sizeof(match), "-d %s/%d ", p->host_ip, w->len);
	if (n->proxy)
		snprintf(not_bridge, sizeof(not_bridge), "! -i %s ", n->ifname);
	rule(b, NAT, 'A', "DOCKER %s%s%s-p %s -m %s --dport %u -j DNAT --to-destination %s%s%s:%u",
	     w->from, match, not_bridge, p->proto, p->proto, p->bound_port, w->open, ip, w->close,
	     p->container_port);
	/* Nobody but this host reaches a loopback address, even when route_localnet lets such packets in. */
	if (!v6 && a[0] == 127)
		rule(b, RAW, 'A', "PREROUTING -d %s/32 ! -i lo -p %s -m %s --dport %u -j DROP",
		     p->host_ip, p->proto, p->proto, p->bound_port);
	if (same_before(v, i, v6))
		return;
	if (!n->proxy)
		rule(b, NAT, 'A',
		     "POSTROUTING -s %s/%d -d %s/%d -p %s -m %s --dport %u -j MASQUERADE", ip,
		     w->len, ip, w->len, p->proto, p->proto, p->container_port);
	rule(b, FILTER, 'I', "DOCKER -d %s/%d ! -i %s -o %s -p %s -m %s --dport %u -j ACCEPT", ip,
	     w->len, n->ifname, n->ifname, p->proto, p->proto, p->container_port);
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

char *bridge_rules_endpoint(const struct bridge_net *n, bool ipv6, const char *ip,
			    const struct dockerd_port *ports, uint32_t count, bool add)
{
	struct batch b;

	batch_open(&b, add);
	/* Neighbours of this host shall not reach the container around its published ports. */
	if (!n->internal)
		rule(&b, RAW, 'A', "PREROUTING -d %s/%d ! -i %s -j DROP", ip, words[ipv6].len,
		     n->ifname);
	for (uint32_t i = 0; i < count; i++)
		port_rules(&b, n, ipv6, ip, ports, i);
	return batch_close(&b);
}
