/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the event room's files: one event, and the filter that a subscriber asked for. */
#ifndef EVENTS_BUS_H
#define EVENTS_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/map.h"

struct event {
	unsigned int refs; /* guarded by the bus lock */
	char *type, *action, *actor_id;
	struct pairs attributes;
	int64_t time;
	struct str line; /* as sent, with the newline */
};

/* filters: parsed `filters` parameter ({"type":["container"]} or {"type":{"container":true}}), NULL: all. */
bool event_matches(const struct event *e, const json *filters);

#endif
