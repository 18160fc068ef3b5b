/* SPDX-License-Identifier: Apache-2.0 */
/* See ipam.h. */
#include "network/ipam.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdlib.h>

int ipam_parse_addr(const char *text, uint32_t *out, struct error *err)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		return error_set(err, ERR_INVALID, "invalid IPv4 address: %s", text);
	*out = ntohl(a.s_addr);
	return 0;
}

int ipam_parse(const char *text, struct ipam_prefix *out, struct error *err)
{
	const char *slash = strchr(text, '/');
	struct error ignored = ERROR_INIT;
	char addr[16] = "", *end;
	long len;

	if (slash && (size_t)(slash - text) < sizeof(addr) && slash[1] >= '0' && slash[1] <= '9') {
		memcpy(addr, text, (size_t)(slash - text));
		len = strtol(slash + 1, &end, 10);
		if (!*end && len <= 32 && ipam_parse_addr(addr, &out->addr, &ignored) == 0) {
			out->len = (int)len;
			return 0;
		}
	}
	return error_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
}

void ipam_format(uint32_t addr, char out[16])
{
	struct in_addr a = {.s_addr = htonl(addr)};

	inet_ntop(AF_INET, &a, out, 16);
}

void ipam_format_net(struct ipam_prefix p, char out[20])
{
	char addr[16];

	ipam_format(p.addr & ipam_mask(p.len), addr);
	snprintf(out, 20, "%s/%d", addr, p.len);
}

void ipam_init(struct ipam *p, struct ipam_prefix subnet, struct ipam_prefix range)
{
	*p = (struct ipam){.subnet = subnet, .range = range};
	p->subnet.addr &= ipam_mask(subnet.len);
	p->range.addr &= ipam_mask(range.len);
	if (subnet.len < 31) {
		ipam_reserve(p, p->subnet.addr);
		/* The broadcast address is kept out by ipam_take and ipam_reserve: marking it would make the bitmap as large as the subnet. */
	}
}

void ipam_free(struct ipam *p)
{
	free(p->used);
	*p = (struct ipam){0};
}

static bool inside(struct ipam_prefix net, uint32_t addr)
{
	return ((addr ^ net.addr) & ipam_mask(net.len)) == 0;
}

static bool is_broadcast(const struct ipam *p, uint32_t addr)
{
	return p->subnet.len < 31 && (addr | ipam_mask(p->subnet.len)) == UINT32_MAX;
}

int ipam_reserve(struct ipam *p, uint32_t addr)
{
	size_t bit = addr - p->subnet.addr, word = bit / 64;
	uint64_t mask = UINT64_C(1) << (bit % 64);

	if (!inside(p->subnet, addr) || is_broadcast(p, addr))
		return -1;
	if (word >= p->words) {
		size_t words = word + 4;

		p->used = xreallocarray(p->used, words, sizeof(*p->used));
		memset(p->used + p->words, 0, (words - p->words) * sizeof(*p->used));
		p->words = words;
	}
	if (p->used[word] & mask)
		return -1;
	p->used[word] |= mask;
	return 0;
}

int ipam_take(struct ipam *p, uint32_t *out)
{
	uint32_t last = p->range.addr | ~ipam_mask(p->range.len);
	uint64_t addr = p->range.addr;

	while (addr <= last) {
		size_t bit = (size_t)(addr - p->subnet.addr);

		if (bit / 64 < p->words && p->used[bit / 64] == UINT64_MAX) {
			addr = p->subnet.addr + (bit / 64 + 1) * 64; /* 64 at a stride */
			continue;
		}
		if (ipam_reserve(p, (uint32_t)addr) == 0) {
			*out = (uint32_t)addr;
			return 0;
		}
		addr++;
	}
	return -1;
}

void ipam_release(struct ipam *p, uint32_t addr)
{
	size_t bit = addr - p->subnet.addr;

	if (inside(p->subnet, addr) && addr != p->subnet.addr && bit / 64 < p->words)
		p->used[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

/* ---- choice of a subnet --------------------------------------------------------------------------------------------------------------- */

int ipam_choose_pool(const struct ipam_pool *pools, size_t n_pools, const struct ipam_prefix *taken,
		     size_t n, struct ipam_prefix *out)
{
	static const struct ipam_pool defaults[] = {{{0xac110000, 16}, 16}, {{0xac120000, 16}, 16},
						    {{0xac130000, 16}, 16}, {{0xac140000, 14}, 16},
						    {{0xac180000, 14}, 16}, {{0xac1c0000, 14}, 16},
						    {{0xc0a80000, 16}, 20}};

	if (!pools) {
		pools = defaults;
		n_pools = ARRAY_LEN(defaults);
	}
	for (size_t i = 0; i < n_pools; i++)
		for (uint64_t k = 0; k < UINT64_C(1) << (pools[i].size - pools[i].base.len); k++) {
			struct ipam_prefix p = {
			    (pools[i].base.addr & ipam_mask(pools[i].base.len)) +
				(uint32_t)(k << (32 - pools[i].size)),
			    pools[i].size};
			size_t t = 0;

			while (t < n && !ipam_overlap(p, taken[t]))
				t++;
			if (t == n) {
				*out = p;
				return 0;
			}
		}
	return -1;
}

static void add_net(struct ipam_prefix **v, size_t *n, uint32_t addr, uint32_t mask)
{
	int len = mask ? __builtin_popcount(mask) : 0;

	if (!len) /* the default route overlaps everything and means nothing */
		return;
	*v = xreallocarray(*v, *n + 1, sizeof(**v));
	(*v)[(*n)++] = (struct ipam_prefix){.addr = addr & mask, .len = len};
}

int ipam_host_networks(struct ipam_prefix **out, size_t *n, struct error *err)
{
	auto_file FILE *f = fopen("/proc/net/route", "re");
	struct ifaddrs *list;
	char line[256];

	*out = NULL;
	*n = 0;
	if (getifaddrs(&list) < 0)
		return error_sys(err, errno, "addresses of this host");
	for (struct ifaddrs *i = list; i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && i->ifa_netmask)
			add_net(
			    out, n,
			    ntohl(((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr.s_addr),
			    ntohl(((struct sockaddr_in *)(void *)i->ifa_netmask)->sin_addr.s_addr));
	freeifaddrs(list);
	while (f && fgets(line, sizeof(line), f)) {
		unsigned int dst, mask;

		/* Iface Destination Gateway Flags RefCnt Use Metric Mask: hexadecimal, network byte order as the machine reads it */
		if (sscanf(line, "%*s %x %*x %*x %*d %*d %*d %x", &dst, &mask) == 2)
			add_net(out, n, ntohl(dst), ntohl(mask));
	}
	return 0;
}

bool ipam_interface_address(const char *ifname, struct ipam_prefix *out)
{
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (struct ifaddrs *i = list; i && !found; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && i->ifa_netmask &&
		    streq(i->ifa_name, ifname)) {
			out->addr =
			    ntohl(((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr.s_addr);
			out->len = __builtin_popcount(
			    ((struct sockaddr_in *)(void *)i->ifa_netmask)->sin_addr.s_addr);
			found = true;
		}
	freeifaddrs(list);
	return found;
}
