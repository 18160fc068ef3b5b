/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's own log (stderr), in moby's text form (logrus) or JSON (--log-format).
 *	log_error("container exit not recorded", "container", id, "error", err.text);
 * A message, then name/value pairs of strings, ended by the macro. Thread-safe: one write(2) per line.
 * Never log secrets; rates are the caller's business.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_FATAL,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_TRACE
};

/* Set before threads start; the level may change at any time (reload). */
void log_setup(enum log_level level, bool json, bool raw);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "panic", "fatal", "error", "warn", "info", "debug", "trace"; -1 if unknown. */
int log_parse_level(const char *name, enum log_level *out);

/* NULL-terminated name/value pairs. */
void log_fields(enum log_level level, const char *msg, ...) __attribute__((sentinel));
#define log_error(...) log_fields(LOG_LEVEL_ERROR, __VA_ARGS__, (char *)0)
#define log_warn(...) log_fields(LOG_LEVEL_WARN, __VA_ARGS__, (char *)0)
#define log_info(...) log_fields(LOG_LEVEL_INFO, __VA_ARGS__, (char *)0)
#define log_debug(...)                                                       \
	do {                                                                 \
		if (log_get_level() >= LOG_LEVEL_DEBUG)                      \
			log_fields(LOG_LEVEL_DEBUG, __VA_ARGS__, (char *)0); \
	} while (0)

#endif
