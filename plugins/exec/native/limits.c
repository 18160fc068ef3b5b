/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of a container, in whichever control groups the host has. */
#include "native.h"

int cgroup_limit(struct cgroup *g, const json *resources, bool at_create, struct error *err)
{
	if (!*g->path || !json_type(resources))
		return 0;
	return g->v2 ? cgroup_limit_v2(g, resources, at_create, err)
		     : cgroup_limit_v1(g, resources, at_create, err);
}
