/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of addresses, and the taken ones of a subnet. See ipam.h; the choice of a subnet is in pools.c. */
#include "network/ipam.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* ---- texts ----------------------------------------------------------------------------------------------------------------------------- */

static void from_bytes(const unsigned char *b, int bits, struct ip *out)
{
	*out = (struct ip){.bits = bits};
	for (int i = 0; i < bits / 8; i++)
		out->v = out->v << 8 | b[i];
}

int ip_parse(const char *text, struct ip *out, struct error *err)
{
	unsigned char b[16];

	if (inet_pton(AF_INET, text, b) == 1)
		from_bytes(b, 32, out);
	else if (inet_pton(AF_INET6, text, b) == 1)
		from_bytes(b, 128, out);
	else
		return error_set(err, ERR_INVALID, "invalid IP address: %s", text);
	return 0;
}

void ip_format(struct ip a, char out[IP_TEXT])
{
	unsigned char b[16];

	out[0] = '\0';
	for (int i = a.bits / 8 - 1; i >= 0; i--, a.v >>= 8)
		b[i] = (unsigned char)a.v;
	if (a.bits)
		inet_ntop(ip_is_v6(a) ? AF_INET6 : AF_INET, b, out, IP_TEXT);
}

int ipam_parse(const char *text, struct ipam_prefix *out, struct error *err)
{
	const char *slash = strchr(text, '/');
	struct error ignored = ERROR_INIT;
	char addr[IP_TEXT] = "", *end;
	long len;

	if (slash && (size_t)(slash - text) < sizeof(addr) && slash[1] >= '0' && slash[1] <= '9') {
		memcpy(addr, text, (size_t)(slash - text));
		len = strtol(slash + 1, &end, 10);
		if (!*end && ip_parse(addr, &out->addr, &ignored) == 0 && len <= out->addr.bits) {
			out->len = (int)len;
			return 0;
		}
	}
	*out = (struct ipam_prefix){0};
	return error_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
}

/* Ones where hosts differ. */
static ip_bits host_mask(struct ipam_prefix p)
{
	int host = p.addr.bits - p.len;

	return host >= 128 ? ~(ip_bits)0 : ((ip_bits)1 << host) - 1;
}

struct ip ipam_first(struct ipam_prefix p)
{
	return (struct ip){p.addr.v & ~host_mask(p), p.addr.bits};
}

struct ip ipam_last(struct ipam_prefix p)
{
	return (struct ip){p.addr.v | host_mask(p), p.addr.bits};
}

void ipam_format_net(struct ipam_prefix p, char out[IPAM_PREFIX_TEXT])
{
	char addr[IP_TEXT];

	ip_format(ipam_first(p), addr);
	snprintf(out, IPAM_PREFIX_TEXT, "%s/%d", addr, p.len);
}

bool ipam_contains(struct ipam_prefix p, struct ip a)
{
	return p.addr.bits == a.bits && ((p.addr.v ^ a.v) & ~host_mask(p)) == 0;
}

bool ipam_overlap(struct ipam_prefix a, struct ipam_prefix b)
{
	return ipam_is_set(a) &&
	       ipam_contains(a.len < b.len ? a : b, a.len < b.len ? b.addr : a.addr);
}

/* ---- taken addresses ------------------------------------------------------------------------------------------------------------------ */

void ipam_init(struct ipam *p, struct ipam_prefix subnet, struct ipam_prefix range)
{
	*p = (struct ipam){.subnet = {ipam_first(subnet), subnet.len},
			   .range = {ipam_first(range), range.len}};
	if (subnet.addr.bits - subnet.len > 1)
		ipam_reserve(p, p->subnet.addr);
}

void ipam_free(struct ipam *p)
{
	free(p->runs);
	*p = (struct ipam){0};
}

static bool is_broadcast(const struct ipam *p, ip_bits a)
{
	return p->subnet.addr.bits == 32 && p->subnet.len < 31 && a == ipam_last(p->subnet).v;
}

/* The first run that ends at or behind the address. */
static size_t find(const struct ipam *p, ip_bits a)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (p->runs[mid].last < a)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void insert(struct ipam *p, size_t at, struct ipam_run r)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 4;
		p->runs = xreallocarray(p->runs, p->cap, sizeof(*p->runs));
	}
	memmove(&p->runs[at + 1], &p->runs[at], (p->n - at) * sizeof(*p->runs));
	p->runs[at] = r;
	p->n++;
}

static void drop(struct ipam *p, size_t at)
{
	p->n--;
	memmove(&p->runs[at], &p->runs[at + 1], (p->n - at) * sizeof(*p->runs));
}

int ipam_reserve(struct ipam *p, struct ip addr)
{
	ip_bits a = addr.v;
	size_t at = find(p, a);
	bool before = at > 0 && p->runs[at - 1].last + 1 == a,
	     behind = at < p->n && a + 1 == p->runs[at].first;

	if (!ipam_contains(p->subnet, addr) || is_broadcast(p, a) ||
	    (at < p->n && p->runs[at].first <= a))
		return -1;
	if (before && behind) {
		p->runs[at - 1].last = p->runs[at].last;
		drop(p, at);
	} else if (before) {
		p->runs[at - 1].last = a;
	} else if (behind) {
		p->runs[at].first = a;
	} else {
		insert(p, at, (struct ipam_run){a, a});
	}
	return 0;
}

int ipam_take(struct ipam *p, struct ip *out)
{
	ip_bits a = p->range.addr.v, last = ipam_last(p->range).v;
	size_t at = find(p, a);

	if (at < p->n && p->runs[at].first <= a) {
		if (p->runs[at].last >= last)
			return -1;
		a = p->runs[at].last + 1; /* runs are not adjacent: it is free */
	}
	*out = (struct ip){a, p->range.addr.bits};
	return ipam_reserve(p, *out);
}

void ipam_release(struct ipam *p, struct ip addr)
{
	ip_bits a = addr.v;
	size_t at = find(p, a);
	struct ipam_run *r = &p->runs[at];

	if (!ipam_contains(p->subnet, addr) || at >= p->n || r->first > a ||
	    (a == p->subnet.addr.v && p->subnet.addr.bits - p->subnet.len > 1))
		return;
	if (r->first == a && r->last == a) {
		drop(p, at);
	} else if (r->first == a) {
		r->first++;
	} else if (r->last == a) {
		r->last--;
	} else {
		struct ipam_run upper = {a + 1, r->last};

		r->last = a - 1;
		insert(p, at + 1, upper);
	}
}
