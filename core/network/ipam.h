/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of both families: texts, one subnet's free and taken ones, and the choice of a subnet. As moby: the lowest free address is next. Not
 * thread-safe: the network room's lock guards it. Nothing is on disk: leases follow from the endpoints that containers keep.
 */
#ifndef NETWORK_IPAM_H
#define NETWORK_IPAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

__extension__ typedef unsigned __int128 ip_bits;

/* An address as a number, so that the next one is one more. */
struct ip {
	ip_bits v;
	int bits; /* 32: IPv4, 128: IPv6, 0: none */
};
#define IP_TEXT 46 /* INET6_ADDRSTRLEN */

static inline bool ip_is_v6(struct ip a)
{
	return a.bits == 128;
}
static inline bool ip_equal(struct ip a, struct ip b)
{
	return a.bits == b.bits && a.v == b.v;
}
static inline struct ip ip_v4(uint32_t v)
{
	return (struct ip){v, 32};
}
/* Either family. ERR_INVALID "invalid IP address: X". */
int ip_parse(const char *text, struct ip *out, struct error *err);
/* "" for none. */
void ip_format(struct ip a, char out[IP_TEXT]);

/* "172.17.0.1/16", "fd00::1/64": addr with all its bits. addr.bits 0: none. */
struct ipam_prefix {
	struct ip addr;
	int len;
};
#define IPAM_PREFIX_TEXT (IP_TEXT + 4)

/* ERR_INVALID "invalid CIDR address: X". */
int ipam_parse(const char *text, struct ipam_prefix *out, struct error *err);
/* "172.17.0.0/16" of the network that p is in. */
void ipam_format_net(struct ipam_prefix p, char out[IPAM_PREFIX_TEXT]);
/* First and last address. */
struct ip ipam_first(struct ipam_prefix p);
struct ip ipam_last(struct ipam_prefix p);
bool ipam_contains(struct ipam_prefix p, struct ip a);
bool ipam_overlap(struct ipam_prefix a, struct ipam_prefix b);
static inline bool ipam_is_set(struct ipam_prefix p)
{
	return p.addr.bits != 0;
}

/* Taken addresses in a row. */
struct ipam_run {
	ip_bits first, last;
};
struct ipam {
	struct ipam_prefix subnet, range; /* new addresses come from range */
	struct ipam_run
	    *runs; /* ascending, never adjacent: few, since the lowest free address is next */
	size_t n, cap;
};

/* Network and, with IPv4, broadcast address are never given. */
void ipam_init(struct ipam *p, struct ipam_prefix subnet, struct ipam_prefix range);
void ipam_free(struct ipam *p);
/* 0, or -1: none is free. */
int ipam_take(struct ipam *p, struct ip *out);
/* 0, or -1: outside of the subnet, or taken. */
int ipam_reserve(struct ipam *p, struct ip addr);
void ipam_release(struct ipam *p, struct ip addr);

/* Subnets of prefix length `size` in base. */
struct ipam_pool {
	struct ipam_prefix base;
	int size;
};
/* First subnet of the pools of base's family that overlaps none of `taken`. -1: none. */
int ipam_choose_pool(const struct ipam_pool *pools, size_t n_pools, const struct ipam_prefix *taken,
		     size_t n, int bits, struct ipam_prefix *out);
/* Moby's pools of IPv4. */
extern const struct ipam_pool ipam_default_pools[];
extern const size_t ipam_default_pool_count;
/* Moby's pool of IPv6: a /48 of fd00::/8 made from the daemon's id. */
struct ipam_pool ipam_ula_pool(const char *daemon_id);
/* What the host uses: networks of its addresses and routes (getifaddrs(3), /proc/net/route, /proc/net/ipv6_route). malloc'ed into *out. */
int ipam_host_networks(struct ipam_prefix **out, size_t *n, struct error *err);
/* First address of an interface in the family that is not link-local, with its prefix length; false if it has none. */
bool ipam_interface_address(const char *ifname, int bits, struct ipam_prefix *out);

#endif
