/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOG_TAG_H
#define LOG_TAG_H

#include <stdbool.h>
#include <stddef.h>

#include <dockerd/log.h>

/* Growable text for what is built once per stream. */
struct text {
	char *p;
	size_t len, cap;
	bool failed; /* memory is gone */
};
void text_add(struct text *t, const void *p, size_t n);
void text_puts(struct text *t, const char *s);

/* "{{.ID}}/{{.Name}}" with the container's values, appended to out. */
int tag_expand(const char *template_text, const struct dockerd_log_info *info, struct text *out,
	       struct dockerd_error *err);

#endif
