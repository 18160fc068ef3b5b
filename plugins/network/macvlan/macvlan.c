/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network driver "macvlan": containers with a MAC address of their own on a link of the host. Man page: dockerd-network-macvlan(8). What it has
 * in common with ipvlan is in ../common/sublink.h.
 */
#include "../common/sublink.h"

#include <linux/if_link.h>
#include <stdio.h>

static const struct sublink_kind kind;

static const char *const mode_names[] = {"bridge", "private", "vepa", "passthru"};
static const uint32_t modes[] = {MACVLAN_MODE_BRIDGE, MACVLAN_MODE_PRIVATE, MACVLAN_MODE_VEPA,
				 MACVLAN_MODE_PASSTHRU};

static const struct dockerd_option options[] = {
    {.key = "parent",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .help = "Link of the host that containers stand on; \"eth0.10\" is made if it does not exist "
	     "[a dummy: containers reach each other only]"},
    {.key = "macvlan_mode",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK,
     .default_value = "bridge",
     .help = "bridge, private, vepa or passthru (one container, which gets all of the parent)"},
    {.key = "*",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK | DOCKERD_SCOPE_ENDPOINT,
     .help = "Any other is kept for inspect and means nothing, as with moby"},
};

static int read_net(const struct dockerd_network *n, struct sublink_net *out,
		    struct dockerd_error *err)
{
	const char *mode = sublink_option(n, "macvlan_mode");
	int i = sublink_choice(*mode ? mode : "bridge", mode_names, 4);

	if (sublink_read(&kind, n, out, err) < 0)
		return -1;
	if (i < 0)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "requested macvlan mode '%s' is not valid, 'bridge' mode is "
				    "the macvlan driver default",
				    mode);
	out->mode = i;
	out->alone = modes[i] == MACVLAN_MODE_PASSTHRU;
	return 0;
}

/* Many share a parent, but one that is passed through. */
static int conflict(const struct sublink_net *mine, const char *other, bool other_alone,
		    struct dockerd_error *err)
{
	if (mine->alone)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "cannot use mode passthru, macvlan network %s is already using "
				    "parent interface %s",
				    other, mine->parent);
	return other_alone
		   ? dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				  "macvlan network %s is already using parent interface %s in mode "
				  "passthru",
				  other, mine->parent)
		   : 0;
}

static void record(const struct sublink_net *net, char *out, size_t size)
{
	snprintf(out, size, "\"MacvlanMode\":\"%s\"", mode_names[net->mode]);
}

static const struct sublink_kind kind = {
    .kind = "macvlan", .prefix = "dm-", .read = read_net, .conflict = conflict, .record = record};

static int32_t macvlan_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	return sublink_open(&kind, args, self, err);
}

static int put_mode(struct nl_msg *m, const void *arg)
{
	const struct sublink_net *net = arg;

	return nla_put_u32(m, IFLA_MACVLAN_MODE, modes[net->mode]);
}

/* The parent's MAC is the container's, unless another was asked for: then that becomes the parent's, while the container is there. */
static int passthru_mac(const struct sublink_net *net, struct dockerd_endpoint *e,
			struct dockerd_error *err)
{
	bool wanted = e->mac && *e->mac;
	struct nl_sock *sk = wanted ? netlink_there(e->netlink_fd, err) : netlink_here(err);
	int r;

	if (!sk)
		return -1;
	r = wanted ? link_set_mac(sk, e->ifname, e->mac)
		   : link_ask(sk, net->parent, e->out_mac, NULL);
	nl_socket_free(sk);
	return r ? netlink_fail_errno(err, r, "MAC address of a link that is passed through") : 0;
}

static int32_t join(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		    struct dockerd_error *err)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	struct sublink_net net;
	struct new_link l = {.data = put_mode, .arg = &net, .mac = e->out_mac};

	if (read_net(n, &net, err) < 0)
		return -1;
	sublink_mac(e, e->out_mac);
	if (sublink_join(self, n, &net, e, &l, err) < 0)
		return -1;
	if (!net.alone || passthru_mac(&net, e, err) == 0)
		return 0;
	sublink_leave(self, n, e, &ignored);
	return -1;
}

static const struct dockerd_network_ops ops = {
    .common = {.size = sizeof(ops), .open = macvlan_open, .close = sublink_close},
    .network_create = sublink_network_create,
    .network_delete = sublink_network_delete,
    .join = join,
    .leave = sublink_leave,
    .update = sublink_update,
    .adopt = sublink_adopt,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_NETWORK, .name = "macvlan", .version = "0.1",
	       .description = "Links with MAC addresses of their own on a link of the host",
	       .concurrency = DOCKERD_PARALLEL,
	       .capabilities = DOCKERD_NETWORK_CAP_ADDRESSES | DOCKERD_NETWORK_CAP_IPV6 |
			       DOCKERD_NETWORK_CAP_NO_GATEWAY,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
