/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network room: networks by name and id, addresses (IPAM), endpoints of containers, the firewall and the port proxy, on top of
 * network drivers (sdk/include/dockerd/network.h). On disk: <data-root>/network/files/.
 *
 * The daemon makes three networks at start: "bridge", "host", "none". Thread-safe: the room's lock guards its tables and is never
 * held across a driver call.
 */
#ifndef NETWORK_NETWORK_H
#define NETWORK_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"

/* From the daemon's configuration; borrowed for the call. */
struct network_config {
	const char *data_root, *exec_root;
	const char *
	    bridge; /* --bridge: "" = docker0 made by us; "none": no default bridge; else an existing one */
	const char *bip; /* "" = first free of the default pools */
	const char *fixed_cidr, *default_gateway, *default_ip /* --ip */;
	int mtu;
	bool icc, ip_forward, ip_masq, iptables, userland_proxy, live_restore;
	const char *const *dns, *const *dns_search, *const *dns_options; /* NULL-terminated */
};

/* What "default" stands for in requests, and the network whose endpoint inspect repeats on top: names of the API. */
#define NETWORK_DEFAULT "bridge"
static inline const char *network_mode_name(const char *mode)
{
	return streq(mode, "default") ? NETWORK_DEFAULT : mode;
}

int network_init(const struct network_config *c, struct error *err);
/* Remove what we made and nobody uses (default bridge stays as moby leaves it), stop the firewall helper. */
void network_shutdown(void);
/* SIGHUP or a firewall flush: rules back. */
void network_refresh(void);

struct network_port {
	uint16_t container_port;
	char proto[5];
	char host_ip[46];              /* in: wanted ("" = daemon's --ip); out: bound */
	uint16_t host_start, host_end; /* in: wanted; 0 ephemeral */
	uint16_t host_port;            /* out: bound */
};

/* What a container has in one network; text forms. Embedded in the container's state. */
struct network_endpoint {
	char network_id[65], network_name[256], endpoint_id[65], driver[64];
	char ipv4[20], gateway4[16]; /* address without prefix length */
	int prefix4;
	char mac[20], ifname[16], host_ifname[16];
	struct network_port *ports; /* as bound: one per host address; owned */
	size_t n_ports;
};
void network_endpoint_free(struct network_endpoint *e);

struct network_join {
	const char *container_id;
	const char *network; /* name or id */
	int netns_fd, netlink_fd;
	const char *ipv4, *mac;           /* wanted, or NULL */
	const struct network_port *ports; /* wanted */
	size_t n_ports;
	const char *container_name; /* without slash, for messages: "... on endpoint NAME (ID)" */
};

/* Is the name or id a network? "bridge", "default", "host", "none" always are. ERR_NOT_FOUND "network X not found". Fills id, name, driver. */
int network_find(const char *name_or_id, struct network_endpoint *out, struct error *err);
/* Address, link, routes, ports. Undone whole on failure. Errors in moby's words: "driver failed programming external connectivity on endpoint ..." */
int network_connect(const struct network_join *j, struct network_endpoint *out, struct error *err);
/* Bears repetition; the namespace may be gone. */
int network_disconnect(const char *container_id, struct network_endpoint *e, struct error *err);
/* After a daemon restart with the container still running: reserve the address, take over rules and proxies. */
int network_adopt(const char *container_id, struct network_endpoint *e, int netns_fd,
		  struct error *err);
/* After restore of all containers: remove links, rules and leases of containers that are gone. */
void network_sweep(void);

/* Files of a container: /etc/resolv.conf and /etc/hosts text as moby generates them. hosts: extra is "name:ip" (host-gateway resolved). */
int network_resolv_conf(bool host_network, const struct strlist *dns, const struct strlist *search,
			const struct strlist *options, struct str *out, struct error *err);
int network_hosts(const char *hostname, const char *domainname, const char *ipv4,
		  const struct strlist *extra, struct str *out, struct error *err);

/* ---- API side: prints moby's JSON ------------------------------------------------------------------------------------------------- */

struct network_list_filter {
	const json *filters; /* parsed `filters` parameter or NULL */
};
/* Array of network objects (GET /networks). container_name maps a container id to its name (without slash). */
int network_print_list(const struct network_list_filter *f,
		       const char *(*container_name)(const char *id, char buf[256]), struct jw *w,
		       struct error *err);
/* One object (GET /networks/{id}). */
int network_print(const char *name_or_id,
		  const char *(*container_name)(const char *id, char buf[256]), struct jw *w,
		  struct error *err);
/* Networks other than the three come with the networks milestone: ERR_NOT_IMPLEMENTED. Deleting a predefined one: moby's 403. */
int network_create(const json *body, struct str *id, struct strlist *warnings, struct error *err);
int network_delete(const char *name_or_id, struct error *err);

#endif
