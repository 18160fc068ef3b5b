/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the kit's storage suite share. */
#ifndef TESTER_SUITE_STORAGE_H
#define TESTER_SUITE_STORAGE_H

#include "kit.h"
#include "storage_suite.h"

static inline struct dockerd_layer storage_layer(const char *id, const char *parent)
{
	return (struct dockerd_layer){
	    .size = sizeof(struct dockerd_layer), .id = id, .parent = parent};
}

/* The driver opened in this check's process, with the layers that all checks stand on. */
struct suite storage_begin(struct kit *k);

/* storage_rough.c */
void storage_check_size(struct kit *k);
void storage_check_full(struct kit *k);
void storage_check_read_only(struct kit *k);

#endif
