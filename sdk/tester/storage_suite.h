/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that any storage driver must pass, written against the SDK's operations only. Used by dockerd-driver-test, which gives each check a
 * process, and by tests/drivers/test_storage, which runs all in one and kills it at fault points. A check that fails ends the process.
 */
#ifndef TESTER_STORAGE_SUITE_H
#define TESTER_STORAGE_SUITE_H

#include <dockerd/storage.h>
#include <stdbool.h>

struct suite {
	const char *name; /* of the driver */
	const char *root; /* real path of its directory: a layer must lie below it */
	const struct dockerd_storage_ops *ops;
	void *self;
	bool serial;           /* one call at a time */
	uint64_t capabilities; /* DOCKERD_STORAGE_CAP_* */
	uint32_t style;        /* suite_begin: DOCKERD_WHITEOUT_* */
	/* Closes the instance and opens another one on the same root. */
	void *(*reopen)(struct suite *s);
	/* Wait status of a process that opened the driver on this root with that fault set and called suite_make_and_remove. */
	int (*crash)(struct suite *s, const char *point);
	void (*after)(struct suite *s,
		      const char *op); /* each op that has succeeded; may be NULL */
	const char *const *
	    faults; /* "point", ... NULL: points to be killed at; each belongs to create or remove */
	void *ctx;  /* the user's */
	int count;  /* TAP */
};

struct suite_check {
	const char *name;
	void (*run)(struct suite *s);
};
/* Ends with a NULL name. Each wants what suite_begin made and leaves just that. */
extern const struct suite_check suite_checks[];

/* Make and check the layers "base" and "child", on which all else builds. */
void suite_begin(struct suite *s);
/* Remove them: nothing is left. */
void suite_end(struct suite *s);
void suite_run(struct suite *s);
/* Make a layer and a container on layer "child", and remove both: passes all points. */
void suite_make_and_remove(struct suite *s);

/* By the user: a check has passed (suite_run only); it has failed. */
void suite_ok(struct suite *s, const char *what);
_Noreturn void suite_fail(const char *file, int line, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
