/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers on their way here. A fetch downloads one blob into a nameless file, resuming after a cut, and checks its digest; whoever unpacks it reads
 * along through a pipe while it still comes. Two pulls that want the same layer in the same place share one fetch. Downloads of all pulls
 * together are limited (max-concurrent-downloads), first come, first served.
 *
 * One lock and one condition guard all fetches (fetch.c).
 */
#ifndef REGISTRY_FETCH_H
#define REGISTRY_FETCH_H

#include "image/stack.h"
#include "registry/client.h"
#include "registry/manifest.h"

struct fetch;

/* What a pull wants of a layer. */
struct fetch_want {
	struct image_store *images;
	const struct registry_settings *settings;
	struct client *client;
	const struct descriptor *blob;
	const char
	    *place; /* what it is put on: two with equal registry, place and digest are one */
	struct progress *p;
};

/* Joins or queues; says "Pulling fs layer" and what else there is to say to p, until fetch_leave. */
struct fetch *fetch_join(const struct fetch_want *w, struct error *err);
/* The last one to leave ends the download. */
void fetch_leave(struct fetch *f, struct progress *p);
/* Wait until this pull may unpack the layer: true, or somebody else has done it, or p was cancelled: false. */
bool fetch_claim(struct fetch *f, struct progress *p);
void fetch_unclaim(struct fetch *f, bool done);
/* To all that watch. */
void fetch_say(struct fetch *f, const char *status);

/* The claimed fetch's bytes: a pipe's reading end that gets them as they come. */
struct fetch_feed {
	struct fetch *f;
	struct progress *p;
	int out;
	bool failed; /* the download did, or p was cancelled */
	pthread_t thread;
};
int fetch_feed(struct fetch *f, struct progress *p, struct fetch_feed *feed, int *in,
	       struct error *err);
/* After `in` was closed. */
void fetch_feed_end(struct fetch_feed *feed);
/* Waits for the download's end: 0 if its digest was right. ctx: struct fetch_feed. As layer_source.verify. */
int fetch_verify(void *ctx, struct error *err);

/* Wake all that wait: something was cancelled. */
void fetches_kick(void);

#endif
