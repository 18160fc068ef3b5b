/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of a subnet: the pools that networks get theirs from, and what the host uses already. See ipam.h. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "network/ipam.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdlib.h>

#define V4(base, len, size)             \
	{                               \
		{{base, 32}, len}, size \
	}
const struct ipam_pool ipam_default_pools[] = {
    V4(0xac110000, 16, 16), V4(0xac120000, 16, 16), V4(0xac130000, 16, 16), V4(0xac140000, 14, 16),
    V4(0xac180000, 14, 16), V4(0xac1c0000, 14, 16), V4(0xc0a80000, 16, 20)};
const size_t ipam_default_pool_count = ARRAY_LEN(ipam_default_pools);

int ipam_choose_pool(const struct ipam_pool *pools, size_t n_pools, const struct ipam_prefix *taken,
		     size_t n, int bits, struct ipam_prefix *out)
{
	for (size_t i = 0; i < n_pools; i++) {
		struct ipam_prefix p = {ipam_first(pools[i].base), pools[i].size};
		ip_bits last = ipam_last(pools[i].base).v, rest;

		if (p.addr.bits != bits)
			continue;
		rest = ipam_last(p).v - p.addr.v; /* of one subnet, behind its first address */
		for (;;) {
			size_t t = 0;

			while (t < n && !ipam_overlap(p, taken[t]))
				t++;
			if (t == n) {
				*out = p;
				return 0;
			}
			/* past what is taken, however large */
			if (taken[t].len < p.len)
				p.addr = ipam_last(taken[t]);
			else
				p.addr = ipam_last(p);
			if (p.addr.v >= last)
				break;
			p.addr.v++;
			if (last - p.addr.v < rest)
				break;
		}
	}
	return -1;
}

struct ipam_pool ipam_ula_pool(const char *daemon_id)
{
	char digest[DIGEST_TEXT], digits[11];

	sha256_digest(daemon_id, strlen(daemon_id), digest);
	snprintf(digits, sizeof(digits), "%.10s", str_after(digest, "sha256:") + 6);
	return (struct ipam_pool){
	    .base = {{(ip_bits)0xfd << 120 | (ip_bits)strtoull(digits, NULL, 16) << 80, 128}, 48},
	    .size = 64};
}

/* ---- what the host has ----------------------------------------------------------------------------------------------------------------- */

static void add_net(struct ipam_prefix **v, size_t *n, struct ip a, int len)
{
	if (!len) /* the default route overlaps everything and means nothing */
		return;
	*v = xreallocarray(*v, *n + 1, sizeof(**v));
	(*v)[(*n)++] = (struct ipam_prefix){a, len};
}

/* Address and prefix length of an entry of getifaddrs(3); false if it is neither family's. */
static bool entry_prefix(const struct ifaddrs *i, struct ipam_prefix *out)
{
	const struct sockaddr_in *a4 = (const void *)i->ifa_addr,
				 *m4 = (const void *)i->ifa_netmask;
	const struct sockaddr_in6 *a6 = (const void *)i->ifa_addr,
				  *m6 = (const void *)i->ifa_netmask;

	*out = (struct ipam_prefix){0};
	if (!i->ifa_addr || !i->ifa_netmask)
		return false;
	if (i->ifa_addr->sa_family == AF_INET) {
		out->addr = ip_v4(ntohl(a4->sin_addr.s_addr));
		out->len = __builtin_popcount(m4->sin_addr.s_addr);
	} else if (i->ifa_addr->sa_family == AF_INET6) {
		out->addr.bits = 128;
		for (int b = 0; b < 16; b++) {
			out->addr.v = out->addr.v << 8 | a6->sin6_addr.s6_addr[b];
			out->len += __builtin_popcount(m6->sin6_addr.s6_addr[b]);
		}
	}
	return ipam_is_set(*out);
}

static void add_routes4(struct ipam_prefix **v, size_t *n)
{
	auto_file FILE *f = fopen("/proc/net/route", "re");
	char line[256];
	unsigned int dst, mask;

	/* Iface Destination Gateway Flags RefCnt Use Metric Mask: hexadecimal, network byte order as the machine reads it */
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %x %*x %*x %*d %*d %*d %x", &dst, &mask) == 2)
			add_net(v, n, ip_v4(ntohl(dst & mask)), __builtin_popcount(mask));
}

static void add_routes6(struct ipam_prefix **v, size_t *n)
{
	auto_file FILE *f = fopen("/proc/net/ipv6_route", "re");
	unsigned long long high, low;
	char line[256];
	unsigned int len;

	/* destination and its prefix length first, hexadecimal */
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%16llx%16llx %x", &high, &low, &len) == 3)
			add_net(v, n, (struct ip){(ip_bits)high << 64 | low, 128}, (int)len);
}

int ipam_host_networks(struct ipam_prefix **out, size_t *n, struct error *err)
{
	struct ifaddrs *list;
	struct ipam_prefix p;

	*out = NULL;
	*n = 0;
	if (getifaddrs(&list) < 0)
		return error_sys(err, errno, "addresses of this host");
	for (struct ifaddrs *i = list; i; i = i->ifa_next)
		if (entry_prefix(i, &p))
			add_net(out, n, p.addr, p.len);
	freeifaddrs(list);
	add_routes4(out, n);
	add_routes6(out, n);
	return 0;
}

bool ipam_interface_address(const char *ifname, int bits, struct ipam_prefix *out)
{
	const struct ipam_prefix link_local = {{(ip_bits)0xfe80 << 112, 128}, 10};
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (struct ifaddrs *i = list; i && !found; i = i->ifa_next)
		found = streq(i->ifa_name, ifname) && entry_prefix(i, out) &&
			out->addr.bits == bits && !ipam_contains(link_local, out->addr);
	freeifaddrs(list);
	return found;
}
