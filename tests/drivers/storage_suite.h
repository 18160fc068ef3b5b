/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that any storage driver must pass, written against the SDK's operations only. Prints TAP lines; a check that fails ends the
 * process, since what follows builds on it.
 */
#ifndef TESTS_STORAGE_SUITE_H
#define TESTS_STORAGE_SUITE_H

#include <dockerd/storage.h>
#include <stdbool.h>

struct suite {
	const char *name; /* of the driver */
	const struct dockerd_storage_ops *ops;
	void *self;
	/* Closes the instance and opens another one on the same root, for the checks of crashes. */
	void *(*reopen)(struct suite *s);
	/* Wait status of a process that opened the driver on this root with that fault set and called suite_make_and_remove. */
	int (*crash)(struct suite *s, const char *point);
	const char *const *
	    faults; /* "point", ... NULL: points to be killed at; each belongs to create or remove */
	int count;  /* TAP */
};

void suite_run(struct suite *s);
/* Make a layer and a container on layer "child", and remove both: passes all points. */
void suite_make_and_remove(struct suite *s);
void suite_ok(struct suite *s, const char *what);

#endif
