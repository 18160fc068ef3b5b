/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 addresses of one subnet, and the choice of a subnet. As moby: the lowest free address is next. Not thread-safe: the network
 * room's lock guards it. Nothing is on disk: leases follow from the endpoints that containers keep.
 */
#ifndef NETWORK_IPAM_H
#define NETWORK_IPAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* "172.17.0.1/16": addr in host byte order with all its bits. */
struct ipam_prefix {
	uint32_t addr;
	int len;
};
/* ERR_INVALID "invalid CIDR address: X". */
int ipam_parse(const char *text, struct ipam_prefix *out, struct error *err);
int ipam_parse_addr(const char *text, uint32_t *out, struct error *err);
void ipam_format(uint32_t addr, char out[16]);
/* "172.17.0.0/16" of the network that p is in. */
void ipam_format_net(struct ipam_prefix p, char out[20]);
static inline uint32_t ipam_mask(int len)
{
	return len ? UINT32_MAX << (32 - len) : 0;
}
static inline bool ipam_overlap(struct ipam_prefix a, struct ipam_prefix b)
{
	uint32_t mask = ipam_mask(a.len < b.len ? a.len : b.len);

	return (a.addr & mask) == (b.addr & mask);
}

struct ipam {
	struct ipam_prefix subnet, range; /* new addresses come from range */
	uint64_t *used; /* bit per address from the subnet's first, grown as needed */
	size_t words;
};

/* Network and broadcast address are never given. */
void ipam_init(struct ipam *p, struct ipam_prefix subnet, struct ipam_prefix range);
void ipam_free(struct ipam *p);
/* 0, or -1: none is free. */
int ipam_take(struct ipam *p, uint32_t *out);
/* 0, or -1: outside of the subnet, or taken. */
int ipam_reserve(struct ipam *p, uint32_t addr);
void ipam_release(struct ipam *p, uint32_t addr);

/* Subnets of prefix length `size` in base. */
struct ipam_pool {
	struct ipam_prefix base;
	int size;
};
/* First subnet of the pools (NULL: moby's default ones) that overlaps none of `taken`. -1: none. */
int ipam_choose_pool(const struct ipam_pool *pools, size_t n_pools, const struct ipam_prefix *taken,
		     size_t n, struct ipam_prefix *out);
/* What the host uses: networks of its addresses and routes (getifaddrs(3), /proc/net/route). malloc'ed into *out. */
int ipam_host_networks(struct ipam_prefix **out, size_t *n, struct error *err);
/* First IPv4 address of an interface, with its prefix length; false if it has none. */
bool ipam_interface_address(const char *ifname, struct ipam_prefix *out);

#endif
