/* SPDX-License-Identifier: Apache-2.0 */
/* Truth as text, in the words that Go's strconv.ParseBool takes: those of configuration files, flags and options. */
#ifndef BASE_BOOL_H
#define BASE_BOOL_H

#include <stdbool.h>

/* "1", "t", "T", "true", "TRUE", "True" and their opposites. False, value untouched: any other text. */
bool bool_parse(const char *text, bool *value);

#endif
