/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of GET /containers/json. */
#ifndef CONTAINER_LIST_FILTER_H
#define CONTAINER_LIST_FILTER_H

#include "container/container_int.h"

struct list_filter {
	const json *filters;
	bool all;
	int64_t before,
	    since;          /* creation times of the containers named; INT64_MAX, INT64_MIN: none */
	struct strlist ids; /* of the containers that the filter `id` means */
};

/* moby's errors for unknown names and bad values. The filter is to be freed, however it ends. */
int list_filter_parse(const struct container_list *how, struct list_filter *out, struct error *err);
void list_filter_free(struct list_filter *f);
/* With c->lock held. */
bool list_filter_match(const struct list_filter *f, const struct container *c);

#endif
