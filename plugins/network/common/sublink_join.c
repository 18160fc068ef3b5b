/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints: a link in the container that stands on the network's parent. See sublink.h. */
#include "sublink_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- namespaces ---------------------------------------------------------------------------------------------------------------------------- */

static int remember(struct sublink *s, const struct dockerd_endpoint *e, struct dockerd_error *err)
{
	struct place *p = calloc(1, sizeof(*p));
	int fd = fcntl(e->netns_fd, F_DUPFD_CLOEXEC, 3);

	if (!p || fd < 0) {
		dockerd_fail_errno(err, errno, "namespace of endpoint %s", e->id);
		free(p);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	snprintf(p->id, sizeof(p->id), "%s", e->id);
	p->netns_fd = fd;
	pthread_mutex_lock(&s->lock);
	p->next = s->places;
	s->places = p;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* Its descriptor becomes the caller's; -1: not known. */
static int take_place(struct sublink *s, const char *id)
{
	struct place **p, *gone;
	int fd = -1;

	pthread_mutex_lock(&s->lock);
	for (p = &s->places; *p && strcmp((*p)->id, id) != 0; p = &(*p)->next)
		;
	gone = *p;
	if (gone) {
		*p = gone->next;
		fd = gone->netns_fd;
	}
	pthread_mutex_unlock(&s->lock);
	free(gone);
	return fd;
}

/* ---- routes ---------------------------------------------------------------------------------------------------------------------------------- */

static struct way_out way_out(const struct dockerd_network *n, const struct sublink_net *net,
			      const struct dockerd_endpoint *e, bool ipv6)
{
	uint32_t flag = ipv6 ? DOCKERD_ENDPOINT_ROUTE_IPV6 : DOCKERD_ENDPOINT_ROUTE_IPV4;
	const char *address = dockerd_address_of(e, ipv6);
	const struct dockerd_subnet *s = subnet_with(n, address);
	const char *via = !s ? NULL : s->next_hop ? s->next_hop : s->gateway;
	struct way_out out = {.wanted = e->flags & flag && address && !net->internal, .via = via};

	if (net->own_gateway)
		out.via = NULL;
	else if (!via)
		out.wanted = false;
	return out;
}

int32_t sublink_update(void *self, const struct dockerd_network *n,
		       const struct dockerd_endpoint *was, struct dockerd_endpoint *e,
		       struct dockerd_error *err)
{
	const struct sublink *s = self;
	struct sublink_net read, *net = &read;

	if (s->kind->read(n, net, err) < 0)
		return -1;
	if (e->netlink_fd < 0)
		return 0;
	for (int v6 = 0; v6 < 2; v6++) {
		struct way_out before = way_out(n, net, was, v6), now = way_out(n, net, e, v6);

		if (before.wanted == now.wanted)
			continue;
		if (inside_default_route(e, v6, &now, err) < 0) {
			struct dockerd_error ignored = {.size = sizeof(ignored)};
			struct way_out first = way_out(n, net, was, false);

			if (v6 && first.wanted != way_out(n, net, e, false).wanted)
				inside_default_route(e, false, &first, &ignored);
			return -1;
		}
	}
	return 0;
}

/* ---- join, leave, adopt -------------------------------------------------------------------------------------------------------------------- */

/* Made from an address, so that neighbours whose cache still has an earlier holder of it find the new one at once; without any, from the endpoint's id. */
static void mac_of(const struct dockerd_endpoint *e, char out[24])
{
	unsigned int b[6] = {0};
	unsigned char a[16];
	char text[64];

	for (int v6 = 0; v6 < 2; v6++) {
		const char *address = dockerd_address_of(e, v6);

		snprintf(text, sizeof(text), "%.*s", address ? (int)strcspn(address, "/") : 0,
			 address ? address : "");
		if (inet_pton(v6 ? AF_INET6 : AF_INET, text, a) != 1)
			continue;
		memmove(a, v6 ? a + 12 : a, 4);
		snprintf(out, 24, "02:42:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3]);
		return;
	}
	sscanf(e->id, "%2x%2x%2x%2x%2x%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]);
	snprintf(out, 24, "%02x:%02x:%02x:%02x:%02x:%02x", (b[0] & 0xfc) | 2, b[1], b[2], b[3],
		 b[4], b[5]);
}

static int make_link(const struct sublink *s, const struct sublink_net *net,
		     const struct dockerd_endpoint *e, struct new_link *l,
		     struct dockerd_error *err)
{
	struct nl_sock *sk;
	char what[64];
	int r;

	l->kind = s->kind->kind;
	l->ifname = e->ifname;
	l->group = link_group(e->id);
	l->netns_fd = e->netns_fd;
	l->parent = if_nametoindex(net->parent);
	if (!l->parent)
		return dockerd_fail(
		    err, DOCKERD_ERR_SYSTEM,
		    "error occurred looking up the %s parent iface %s error: Link not found",
		    s->kind->kind, net->parent);
	sk = netlink_here(err);
	if (!sk)
		return -1;
	r = link_make(sk, l);
	nl_socket_free(sk);
	snprintf(what, sizeof(what), "failed to create the %s port", s->kind->kind);
	return r ? netlink_fail_errno(err, r, what) : 0;
}

/* One that containers don't use, since their routes lead to the link. */
static bool has_gateway(const struct dockerd_network *n)
{
	for (uint32_t i = 0; i < n->subnet_count; i++)
		if (DOCKERD_AT(n->subnets, i)->gateway)
			return true;
	return false;
}

int sublink_join(struct sublink *s, const struct dockerd_network *n, const struct sublink_net *net,
		 struct dockerd_endpoint *e, struct new_link *l, struct dockerd_error *err)
{
	const struct way_out out[2] = {way_out(n, net, e, false), way_out(n, net, e, true)};
	int fd;

	if (remember(s, e, err) < 0)
		return -1;
	if (make_link(s, net, e, l, err) < 0 || inside_setup(e, out, err) < 0) {
		struct dockerd_error ignored = {.size = sizeof(ignored)};

		fd = take_place(s, e->id);
		link_group_delete(fd, link_group(e->id), &ignored);
		close(fd);
		return -1;
	}
	e->out_host_ifname[0] = '\0'; /* the parent is no end of it */
	if (DOCKERD_HAS(e, out) && e->out && net->own_gateway && has_gateway(n))
		e->out->row(e->out, "gateway", "");
	return 0;
}

int32_t sublink_leave(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		      struct dockerd_error *err)
{
	int fd = take_place(self, e->id), r;

	(void)n;
	if (fd < 0 && e->netns_fd < 0)
		return 0; /* the link went with the namespace */
	r = link_group_delete(fd >= 0 ? fd : e->netns_fd, link_group(e->id), err);
	if (fd >= 0)
		close(fd);
	return r;
}

int32_t sublink_adopt(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		      struct dockerd_error *err)
{
	int earlier = take_place(self, e->id);

	(void)n;
	if (earlier >= 0)
		close(earlier);
	return e->netns_fd < 0 ? 0 : remember(self, e, err);
}

void sublink_mac(const struct dockerd_endpoint *e, char out[24])
{
	if (e->mac && *e->mac)
		snprintf(out, 24, "%s", e->mac);
	else
		mac_of(e, out);
}
