/* SPDX-License-Identifier: Apache-2.0 */
/* Networks and their parents. Endpoints: sublink_join.c. See sublink.h. */
#include "sublink_int.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

/* "dkp" and a number: nobody else's by chance. Marks parents that a driver has made. */
#define OURS 0x646b70U

int32_t sublink_open(const struct sublink_kind *k, const struct dockerd_open *args, void **self,
		     struct dockerd_error *err)
{
	struct sublink *s = calloc(1, sizeof(*s));

	(void)args;
	if (!s)
		return dockerd_fail_errno(err, ENOMEM, "%s driver", k->kind);
	s->kind = k;
	pthread_mutex_init(&s->lock, NULL);
	*self = s;
	return 0;
}

void sublink_close(void *self)
{
	struct sublink *s = self;

	while (s->users) {
		struct parent_user *u = s->users;

		s->users = u->next;
		free(u);
	}
	while (s->places) {
		struct place *p = s->places;

		s->places = p->next;
		close(p->netns_fd);
		free(p);
	}
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- options ---------------------------------------------------------------------------------------------------------------------------- */

const char *sublink_option(const struct dockerd_network *n, const char *key)
{
	const struct dockerd_value *v = dockerd_option_get(n->options, key);

	return v && v->text ? v->text : "";
}

int sublink_choice(const char *text, const char *const *choices, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(text, choices[i]))
			return i;
	return -1;
}

int sublink_read(const struct sublink_kind *k, const struct dockerd_network *n,
		 struct sublink_net *out, struct dockerd_error *err)
{
	const char *parent = sublink_option(n, "parent");

	*out = (struct sublink_net){.id = n->id,
				    .internal = (n->flags & DOCKERD_NETWORK_INTERNAL) != 0};
	if (!strcmp(parent, "lo"))
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "loopback interface is not a valid %s parent link", k->kind);
	if (*parent)
		snprintf(out->parent, sizeof(out->parent), "%s", parent);
	else
		snprintf(out->parent, sizeof(out->parent), "%s%.12s", k->prefix, n->id);
	if (strlen(parent) >= sizeof(out->parent))
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "-o parent interface was not found on the host: %s (names have "
				    "at most 15 characters)",
				    parent);
	return 0;
}

/* ---- parents ------------------------------------------------------------------------------------------------------------------------------ */

/* "eth0.10". */
static int parse_vlan(const char *name, unsigned int *master, uint16_t *id,
		      struct dockerd_error *err)
{
	const char *dot = strchr(name, '.');
	char first[16], *end;
	long v;

	if (!dot)
		return dockerd_fail(
		    err, DOCKERD_ERR_SYSTEM,
		    "invalid subinterface vlan name %s, example formatting is eth0.10", name);
	if (strchr(dot + 1, '.'))
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "required interface name format is: name.vlan_id, ex. eth0.10 "
				    "for vlan 10, instead received %s",
				    name);
	snprintf(first, sizeof(first), "%.*s", (int)(dot - name), name);
	errno = 0;
	v = strtol(dot + 1, &end, 10);
	if (!dot[1] || *end || errno)
		return dockerd_fail(
		    err, DOCKERD_ERR_SYSTEM,
		    "unable to parse a valid vlan id from: %s (ex. eth0.10 for vlan 10)", dot + 1);
	*master = if_nametoindex(first);
	if (!*master)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "-o parent interface was not found on the host: %s", first);
	if (v < 1 || v > 4094)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "vlan id must be between 1-4094, received: %ld", v);
	*id = (uint16_t)v;
	return 0;
}

static int put_vlan_id(struct nl_msg *m, const void *arg)
{
	return nla_put_u16(m, IFLA_VLAN_ID, *(const uint16_t *)arg);
}

static bool is_dummy(const struct sublink *s, const struct sublink_net *n)
{
	size_t len = strlen(s->kind->prefix);

	return !strncmp(n->parent, s->kind->prefix, len) &&
	       !strncmp(n->parent + len, n->id, strlen(n->parent + len));
}

/* The parent as a link of ours. */
static int make_parent(const struct sublink *s, const struct sublink_net *n, struct nl_sock *sk,
		       struct dockerd_error *err)
{
	struct new_link l = {.kind = "dummy", .ifname = n->parent, .group = OURS, .netns_fd = -1};
	char what[96];
	uint16_t vlan;
	int r;

	snprintf(what, sizeof(what), "failed to create %s dummy link", n->parent);
	if (!is_dummy(s, n)) {
		if (parse_vlan(n->parent, &l.parent, &vlan, err) < 0)
			return -1;
		l.kind = "vlan";
		l.data = put_vlan_id;
		l.arg = &vlan;
		snprintf(what, sizeof(what), "failed to create %s vlan link", n->parent);
	}
	r = link_make(sk, &l);
	return r ? netlink_fail_errno(err, r, what) : 0;
}

/* Is the parent one that this driver made? */
static bool is_ours(struct nl_sock *sk, const char *parent)
{
	unsigned int group;

	return link_ask(sk, parent, NULL, &group) == 0 && group == OURS;
}

static void drop_parent(struct nl_sock *sk, const char *parent)
{
	unsigned int index = if_nametoindex(parent);

	if (index && is_ours(sk, parent))
		link_remove(sk, index);
}

/* There and, if it is ours, up: others' links are the operator's to bring up. */
static int parent_up(const struct sublink *s, const struct sublink_net *n, bool *created,
		     struct dockerd_error *err)
{
	struct nl_sock *sk = netlink_here(err);
	char what[96];
	int r = 0;

	if (!sk)
		return -1;
	if (!if_nametoindex(n->parent))
		r = make_parent(s, n, sk, err);
	*created = r == 0 && is_ours(sk, n->parent);
	if (*created) {
		int error = link_up(sk, if_nametoindex(n->parent));

		if (error) {
			snprintf(what, sizeof(what), "failed to enable %s the %s parent link",
				 n->parent, s->kind->kind);
			drop_parent(sk, n->parent);
			r = netlink_fail_errno(err, error, what);
		}
	}
	nl_socket_free(sk);
	return r;
}

/* ---- networks ------------------------------------------------------------------------------------------------------------------------------ */

static struct parent_user **find_user(struct sublink *s, const char *id)
{
	struct parent_user **u = &s->users;

	while (*u && strcmp((*u)->id, id) != 0)
		u = &(*u)->next;
	return u;
}

int sublink_parent_take(struct sublink *s, const struct sublink_net *n, bool *created,
			struct dockerd_error *err)
{
	struct parent_user *u, *mine;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	for (u = s->users; u && r == 0; u = u->next)
		if (strcmp(u->id, n->id) != 0 && !strcmp(u->parent, n->parent))
			r = s->kind->conflict(n, u->id, u->alone, err);
	if (r == 0)
		r = parent_up(s, n, created, err);
	mine = *find_user(s, n->id);
	if (r == 0 && !mine) {
		mine = calloc(1, sizeof(*mine));
		if (mine) {
			mine->next = s->users;
			s->users = mine;
		} else {
			r = dockerd_fail_errno(err, ENOMEM, "network %s", n->id);
		}
	}
	if (r == 0) {
		snprintf(mine->id, sizeof(mine->id), "%s", n->id);
		memcpy(mine->parent, n->parent, sizeof(mine->parent));
		mine->alone = n->alone;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

int sublink_parent_drop(struct sublink *s, const struct sublink_net *n, struct dockerd_error *err)
{
	struct nl_sock *sk = netlink_here(err);
	struct parent_user **at, *gone;
	bool used = false;

	if (!sk)
		return -1;
	pthread_mutex_lock(&s->lock);
	at = find_user(s, n->id);
	gone = *at;
	if (gone)
		*at = gone->next;
	free(gone);
	for (struct parent_user *u = s->users; u; u = u->next)
		used |= !strcmp(u->parent, n->parent);
	if (!used)
		drop_parent(sk, n->parent);
	pthread_mutex_unlock(&s->lock);
	nl_socket_free(sk);
	return 0;
}

/* ---- moby's record --------------------------------------------------------------------------------------------------------------------------- */

/* The value is JSON in a string, as there. */
char *sublink_subnets(const struct dockerd_network *n, bool gateways)
{
	size_t cap = 64 + 2 * 200 * (size_t)n->subnet_count, len = 0;
	char *out = calloc(1, cap);

	for (int v6 = 0; out && v6 < 2; v6++) {
		bool any = false;

		for (uint32_t i = 0; i < n->subnet_count; i++) {
			const struct dockerd_subnet *s = DOCKERD_AT(n->subnets, i);
			const char *slash = strchr(s->subnet, '/');
			bool gw = gateways && s->gateway;

			if (dockerd_is_ipv6(s->subnet) != v6)
				continue;
			len += (size_t)snprintf(
			    out + len, cap - len,
			    "%s{\\\"SubnetIP\\\":\\\"%s\\\",\\\"GwIP\\\":\\\"%s%s\\\"}",
			    any  ? ","
			    : v6 ? "\"Ipv6Subnets\":\"["
				 : "\"Ipv4Subnets\":\"[",
			    s->subnet, gw ? s->gateway : "\\\\u003cnil\\\\u003e",
			    gw && slash ? slash : "");
			any = true;
		}
		if (any)
			len += (size_t)snprintf(out + len, cap - len, "]\",");
	}
	return out;
}
