/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event bus: what `docker events` shows. Keeps the last 256 events (as moby) for `since`; subscribers are streams of the stream loop,
 * each with a bounded queue.
 *
 * Publishing never blocks; any thread. Publish after the state is on disk.
 */
#ifndef EVENTS_EVENTS_H
#define EVENTS_EVENTS_H

#include <stdint.h>

#include "base/error.h"
#include "base/map.h"
#include "http/http.h"

/*
 * type "container", "image", "network", "volume", "daemon"; attributes in any order (printed sorted). Container events carry image, name and
 * the container's labels; image events name and labels.
 */
void events_publish(const char *type, const char *action, const char *actor_id,
		    const struct pairs *attributes);

/* GET /events: checks since, until, filters (moby's errors), replays, then streams. Replies in every case. */
void events_serve(struct http_exchange *x);
/* Subscribers now (info: NEventsListener). */
int events_listeners(void);

#endif
