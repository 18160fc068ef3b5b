/* SPDX-License-Identifier: Apache-2.0 */
/* See metrics.h. Each number is an atomic of its own: who reads while others count may see one call in the total that is not yet in the sum. */
#include "base/metrics.h"
#include "base/clock.h"

#include <stdatomic.h>

const int64_t metrics_bounds[METRICS_BUCKETS] = {5000000,    10000000,   25000000,   50000000,
						 100000000,  250000000,  500000000,  1000000000,
						 2500000000, 5000000000, 10000000000};

static struct {
	atomic_uint_fast64_t in[METRICS_BUCKETS + 1];
	atomic_int_fast64_t sum;
} times[METRICS_TIMES];
static atomic_uint_fast64_t counts[METRICS_COUNTS];

void metrics_took(enum metrics_time what, int64_t since)
{
	int64_t ns = clock_mono_ns() - since;
	int i = 0;

	while (i < METRICS_BUCKETS && ns > metrics_bounds[i])
		i++;
	atomic_fetch_add_explicit(&times[what].in[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&times[what].sum, ns, memory_order_relaxed);
}

void metrics_add(enum metrics_count what)
{
	atomic_fetch_add_explicit(&counts[what], 1, memory_order_relaxed);
}

void metrics_times(enum metrics_time what, struct metrics_histogram *out)
{
	out->total = 0;
	for (int i = 0; i < METRICS_BUCKETS + 1; i++) {
		out->total += atomic_load_explicit(&times[what].in[i], memory_order_relaxed);
		if (i < METRICS_BUCKETS)
			out->within[i] = out->total;
	}
	out->sum_ns = atomic_load_explicit(&times[what].sum, memory_order_relaxed);
}

uint64_t metrics_counted(enum metrics_count what)
{
	return atomic_load_explicit(&counts[what], memory_order_relaxed);
}
