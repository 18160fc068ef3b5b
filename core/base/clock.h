/* SPDX-License-Identifier: Apache-2.0 */
/* Wall and monotonic time in nanoseconds, and the time formats of the Engine API. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds since the epoch / since boot (CLOCK_MONOTONIC). */
int64_t clock_wall_ns(void);
int64_t clock_mono_ns(void);

/* Moby's zero time: year 1. Stored as this value, printed as 0001-01-01T00:00:00Z. */
#define CLOCK_ZERO INT64_MIN
#define CLOCK_TEXT 40 /* bytes that clock_format needs */

/* RFC 3339 in UTC with up to nine digits, trailing zeros cut (Go's RFC3339Nano). */
void clock_format(int64_t ns, char out[CLOCK_TEXT]);
/* The same with exactly nine digits: log timestamps (Docker's RFC3339NanoFixed). */
void clock_format_fixed(int64_t ns, char out[CLOCK_TEXT]);
/* RFC 3339 with any offset and fraction; false if malformed. */
bool clock_parse(const char *text, int64_t *ns);
/*
 * A `since`/`until` parameter: "seconds[.fraction]", RFC 3339 (date alone, no zone allowed), or a Go duration ("10m") before now.
 * Source: moby api/types/time.
 */
bool clock_parse_param(const char *text, int64_t now_ns, int64_t *ns);
/*
 * A time that the API takes as a number alone: "seconds[.fraction]". What a timestamp can't hold becomes the last one. ERR_SYSTEM in the words of
 * Go's strconv, with which moby answers 500.
 */
int clock_parse_unix(const char *text, int64_t *ns, struct error *err);
/* Go duration ("1h2m3.5s", "100ms"); false if malformed. */
bool clock_parse_duration(const char *text, int64_t *ns);

#endif
