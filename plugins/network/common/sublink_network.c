/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of links that stand on a parent: coming, going, and moby's record of one. See sublink.h. */
#include "sublink_int.h"

#include <errno.h>
#include <stdlib.h>

static int emit_record(const struct sublink_kind *k, const struct dockerd_network *n,
		       const struct sublink_net *net, bool created, struct dockerd_error *err)
{
	char *subnets, *record = NULL, own[80];
	int r;

	if (!DOCKERD_HAS(n, out) || !n->out)
		return 0;
	if (net->own_gateway)
		n->out->row(n->out, "gateway", "");
	k->record(net, own, sizeof(own));
	subnets = sublink_subnets(n, !net->own_gateway);
	r = subnets
		? asprintf(&record,
			   "{\"CreatedSubIface\":%s,\"ID\":\"%s\",\"Internal\":%s,%s%s,\"Mtu\":0,"
			   "\"Parent\":\"%s\"}",
			   created ? "true" : "false", n->id, net->internal ? "true" : "false",
			   subnets, own, net->parent)
		: -1;
	if (r >= 0)
		n->out->row(n->out, "record.network", record);
	free(subnets);
	if (r >= 0)
		free(record);
	return r < 0 ? dockerd_fail_errno(err, ENOMEM, "record of network %s", n->name) : 0;
}

int32_t sublink_network_create(void *self, const struct dockerd_network *n,
			       struct dockerd_error *err)
{
	struct sublink *s = self;
	struct sublink_net net;
	bool created;

	if (s->kind->read(n, &net, err) < 0 || sublink_parent_take(s, &net, &created, err) < 0)
		return -1;
	return emit_record(s->kind, n, &net, created, err);
}

int32_t sublink_network_delete(void *self, const struct dockerd_network *n,
			       struct dockerd_error *err)
{
	struct dockerd_error unread = {.size = sizeof(unread)};
	struct sublink *s = self;
	struct sublink_net net;

	/* what can't be read was refused when it was to be made: there is nothing of it */
	return s->kind->read(n, &net, &unread) < 0 ? 0 : sublink_parent_drop(s, &net, err);
}
