/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks: a probe in the container at the configured times, its results, and what follows from them. moby's rules and events.
 *
 * A container's `health` is guarded by its lock. One thread knows when the next probe is due; each probe has a thread of its own while it runs,
 * since starting a process in a container blocks.
 */
#ifndef CONTAINER_HEALTH_H
#define CONTAINER_HEALTH_H

#include "base/json.h"
#include "container/container_int.h"

/* Label of a container: "true" restarts it when it turns unhealthy, "false" does not, whatever --restart-unhealthy says. */
#define HEALTH_RESTART_LABEL "dockerd.restart-unhealthy"

/* The container runs: begin, if it has a check. Without locks but op. */
void health_begin(struct container *c);
/* It has ended: no probe follows, and moby calls it unhealthy. */
void health_end(struct container *c);

/* With c->lock held: */
/* "starting", "healthy", "unhealthy", or "none". */
const char *health_status(const struct container *c);
/* The Health member of State (inspect, config.v2.json); nothing, or null, for a container without a check. */
void health_print(const struct container *c, bool null_if_none, struct jw *w);
/* What was on disk. */
void health_load(struct container *c, const json *state);
void health_free(struct container *c);

#endif
