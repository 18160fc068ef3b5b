/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network driver "ipvlan": containers that share the MAC address of a link of the host. Man page: dockerd-network-ipvlan(8). What it has in
 * common with macvlan is in ../common/sublink.h.
 */
#include "../common/sublink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>

static const struct sublink_kind kind;

/* Index: the kernel's IPVLAN_MODE_*. */
static const char *const modes[] = {"l2", "l3", "l3s"};
static const char *const flag_names[] = {"bridge", "private", "vepa"};
static const uint16_t flags[] = {0, IPVLAN_F_PRIVATE, IPVLAN_F_VEPA};

static const struct dockerd_option options[] = {
    {.key = "parent",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "Link of the host that containers stand on; \"eth0.10\" is made if it does not exist "
	     "[a dummy: containers reach each other only]"},
    {.key = "ipvlan_mode",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "l2",
     .help = "l2, l3 (the host routes between parent and containers) or l3s (and its packet filter "
	     "sees them)"},
    {.key = "ipvlan_flag",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "bridge",
     .help = "bridge, private (containers don't reach each other) or vepa (by way of a switch)"},
    {.key = "*",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK | DOCKERD_SCOPE_ENDPOINT,
     .help = "Any other is kept for inspect and means nothing, as with moby"},
};

static int read_net(const struct dockerd_network *n, struct sublink_net *out,
		    struct dockerd_error *err)
{
	const char *mode = sublink_option(n, "ipvlan_mode"),
		   *flag = sublink_option(n, "ipvlan_flag");

	if (sublink_read(&kind, n, out, err) < 0)
		return -1;
	out->mode = sublink_choice(*mode ? mode : "l2", modes, 3);
	if (out->mode < 0)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "requested ipvlan mode '%s' is not valid, 'l2' mode is the "
				    "ipvlan driver default",
				    mode);
	out->flag = sublink_choice(*flag ? flag : "bridge", flag_names, 3);
	if (out->flag < 0)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "requested ipvlan flag '%s' is not valid, 'bridge' is the "
				    "ipvlan driver default",
				    flag);
	out->alone = true;
	out->own_gateway = out->mode != IPVLAN_MODE_L2;
	return 0;
}

/* Moby names the other network by the dummy that it would have had. */
static int conflict(const struct sublink_net *mine, const char *other, bool other_alone,
		    struct dockerd_error *err)
{
	(void)other_alone;
	return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
			    "network %s%.12s is already using parent interface %s", kind.prefix,
			    other, mine->parent);
}

static void record(const struct sublink_net *net, char *out, size_t size)
{
	snprintf(out, size, "\"IpvlanFlag\":\"%s\",\"IpvlanMode\":\"%s\"", flag_names[net->flag],
		 modes[net->mode]);
}

static const struct sublink_kind kind = {
    .kind = "ipvlan", .prefix = "di-", .read = read_net, .conflict = conflict, .record = record};

/* A link without a parent is refused by a kernel that has ipvlan for another reason than by one that has not. */
static int32_t probe(const struct dockerd_open *args, struct dockerd_error *err)
{
	struct new_link l = {.kind = "ipvlan", .ifname = "dockerd-probe", .netns_fd = -1};
	struct nl_sock *sk = netlink_here(err);
	int r;

	(void)args;
	if (!sk)
		return -1;
	r = link_make(sk, &l);
	nl_socket_free(sk);
	if (r != EOPNOTSUPP)
		return 0;
	netlink_fail_errno(err, r, "failed to create the ipvlan port");
	err->category = DOCKERD_ERR_UNSUITABLE;
	return -1;
}

static int32_t ipvlan_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	return sublink_open(&kind, args, self, err);
}

static int put_mode(struct nl_msg *m, const void *arg)
{
	const struct sublink_net *net = arg;

	return nla_put_u16(m, IFLA_IPVLAN_MODE, (uint16_t)net->mode) < 0 ||
		       nla_put_u16(m, IFLA_IPVLAN_FLAGS, flags[net->flag]) < 0
		   ? -1
		   : 0;
}

static int32_t join(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		    struct dockerd_error *err)
{
	struct sublink_net net;
	struct new_link l = {.data = put_mode, .arg = &net};

	if (read_net(n, &net, err) < 0)
		return -1;
	if (e->mac && *e->mac)
		return dockerd_fail(
		    err, DOCKERD_ERR_SYSTEM,
		    "ipvlan interfaces do not support custom mac address assignment");
	e->out_mac[0] = '\0'; /* the parent's */
	return sublink_join(self, n, &net, e, &l, err);
}

static const struct dockerd_network_ops ops = {
    .common = {.size = sizeof(ops), .probe = probe, .open = ipvlan_open, .close = sublink_close},
    .network_create = sublink_network_create,
    .network_delete = sublink_network_delete,
    .join = join,
    .leave = sublink_leave,
    .update = sublink_update,
    .adopt = sublink_adopt,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_NETWORK, .name = "ipvlan", .version = "0.1",
	       .description = "Links that share the MAC address of a link of the host",
	       .concurrency = DOCKERD_PARALLEL,
	       .capabilities = DOCKERD_NETWORK_CAP_ADDRESSES | DOCKERD_NETWORK_CAP_IPV6 |
			       DOCKERD_NETWORK_CAP_NO_GATEWAY,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
