/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output -> messages, as moby's copier does: a line is one message; one longer than PART_MAX comes in parts of that size which
 * share an id and the time of the first; output that ends without a newline ends in a part. No copy is made but of a begun line.
 */
#include "logd.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"

static void add(struct split *s, struct split_out *o, const char *p, size_t n, int64_t now,
		bool whole)
{
	struct dockerd_log_message *m = &o->messages[o->n];

	if (!whole && !s->ordinal) {
		unsigned char random[32] = {0};

		if (getrandom(random, sizeof(random), GRND_NONBLOCK) < 0)
			random[0] = (unsigned char)now;
		hex_encode(random, sizeof(random), s->part_id);
		s->part_time = now;
	}
	if (!whole || s->ordinal)
		s->ordinal++;
	*m = (struct dockerd_log_message){
	    .size = sizeof(*m),
	    .source = s->source,
	    .time = s->ordinal ? s->part_time : now,
	    .data = p,
	    .length = n,
	    .partial = !whole,
	    .partial_ordinal = s->ordinal,
	    .partial_id = s->ordinal ? s->part_id : NULL,
	};
	o->n++;
	/* part_id changes with the next long line: messages that point to it go first */
	if (o->n == BATCH_MAX || (whole && s->ordinal)) {
		o->emit(o);
		o->n = 0;
	}
	if (whole)
		s->ordinal = 0;
}

static void keep_tail(struct split *s, const char *p, size_t n)
{
	if (!n) {
		free(s->tail);
		s->tail = NULL;
	} else {
		if (!s->tail)
			s->tail = xmalloc(PART_MAX);
		memcpy(s->tail, p, n);
	}
	s->tail_len = n;
}

void split_feed(struct split *s, char *space, size_t n, int64_t now, bool flush,
		struct split_out *o)
{
	const char *p = space + PART_MAX - s->tail_len, *end = space + PART_MAX + n;

	if (s->tail_len)
		memcpy(space + PART_MAX - s->tail_len, s->tail, s->tail_len);
	while (p < end) {
		size_t have = (size_t)(end - p), look = have < PART_MAX ? have : PART_MAX;
		const char *nl = memchr(p, '\n', look);

		if (nl) {
			add(s, o, p, (size_t)(nl - p), now, true);
			p = nl + 1;
		} else if (have >= PART_MAX) {
			add(s, o, p, PART_MAX, now, false);
			p += PART_MAX;
		} else {
			break;
		}
	}
	if (flush && p < end) {
		add(s, o, p, (size_t)(end - p), now, false);
		p = end;
	}
	if (o->n)
		o->emit(o);
	o->n = 0;
	keep_tail(s, p, (size_t)(end - p));
	if (flush)
		s->ordinal = 0;
}

void split_free(struct split *s)
{
	free(s->tail);
	s->tail = NULL;
	s->tail_len = 0;
	s->ordinal = 0;
}
