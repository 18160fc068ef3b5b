/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine counts and times of its own work; core/api/metrics.c shows it at --metrics-addr. Any thread; never blocks. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdint.h>

enum metrics_time {
	METRICS_CHANGES, /* of containers */
	METRICS_COMMIT,
	METRICS_CREATE,
	METRICS_DELETE,
	METRICS_START,
	METRICS_ALLOCATE, /* networks of one container, at its start */
	METRICS_CONNECT,  /* one network */
	METRICS_RELEASE,  /* all networks of a container, at its end */
	METRICS_TIMES
};
enum metrics_count { METRICS_EVENTS, METRICS_PROBES, METRICS_PROBES_FAILED, METRICS_COUNTS };

/* It has succeeded, and began at clock_mono_ns() `since`. */
void metrics_took(enum metrics_time what, int64_t since);
void metrics_add(enum metrics_count what);

/* Upper bounds of the buckets in nanoseconds, ascending (those of Prometheus' client library); what is above them is in the total only. */
#define METRICS_BUCKETS 11
extern const int64_t metrics_bounds[METRICS_BUCKETS];

struct metrics_histogram {
	uint64_t within[METRICS_BUCKETS]; /* cumulative */
	uint64_t total;
	int64_t sum_ns;
};
void metrics_times(enum metrics_time what, struct metrics_histogram *out);
uint64_t metrics_counted(enum metrics_count what);

#endif
