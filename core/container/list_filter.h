/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of GET /containers/json. */
#ifndef CONTAINER_LIST_FILTER_H
#define CONTAINER_LIST_FILTER_H

#include "container/container_int.h"

struct list_filter {
	const json *filters;
	bool all;
	int64_t before,
	    since; /* creation times of the containers named; INT64_MAX, INT64_MIN: none */
};

/* moby's errors for unknown names and bad values. */
int list_filter_parse(const struct container_list *how, struct list_filter *out, struct error *err);
/* With c->lock held. */
bool list_filter_match(const struct list_filter *f, const struct container *c);

#endif
