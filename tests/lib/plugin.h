/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the test plugin share; see plugin.c. */
#ifndef TESTS_PLUGIN_H
#define TESTS_PLUGIN_H

#include "base/json.h"
#include "base/str.h"

struct answer {
	int status;
	struct str body;
	bool raw; /* it is all that is sent */
};
void plugin_fail(struct answer *a, int status, const char *text);

/*
 * plugin_net.c, NetworkDriver: a bridge for each network, which has its gateway's address, and a veth for each endpoint, by ip(8). Options of a network:
 * fail=METHOD: that one fails; choose=ADDRESS/LEN, for endpoints that bring none; mac=MAC: for all; route=SUBNET: a static route on the link; scope=X
 */
void plugin_network(const char *root, struct answer *a, const char *method, const json *q);
/* IpamDriver: the pool asked for, or 10.222.N.0/24; addresses from .10 on, gateways .1. POOL "10.250.0.0/24" is refused, for "10.251.0.0/24" comes one of IPv6. */
void plugin_ipam(const char *root, struct answer *a, const char *method, const json *q);

#endif
