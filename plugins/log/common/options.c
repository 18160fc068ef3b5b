/* SPDX-License-Identifier: Apache-2.0 */
/* Values of options as moby reads them, and the life of an instance. See log_file.h. */
#include "log_file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int decimal_size(const char *text, int64_t *out)
{
	static const char letters[] = "kmgtp";
	char *end;
	double v = strtod(text, &end);
	const char *at;

	if (end == text || *text < '0' || *text > '9')
		return -1;
	if (*end == ' ')
		end++;
	at = *end ? strchr(letters, *end | 32) : NULL;
	if (at) {
		for (const char *l = letters; l <= at; l++)
			v *= 1000;
		end++;
		if (strcasecmp(end, "ib") == 0) /* moby takes KiB for kB too */
			end += 2;
	}
	if (strcasecmp(end, "b") == 0)
		end++;
	if (*end || v >= 9e18)
		return -1;
	*out = (int64_t)v;
	return 0;
}

int bool_value(const char *text, bool *v)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"},
				 *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcmp(text, yes[i]) && strcmp(text, no[i]))
			continue;
		*v = strcmp(text, yes[i]) == 0;
		return 0;
	}
	return -1;
}

const char *option_given(const struct dockerd_options *o, const char *key)
{
	const struct dockerd_value *v = dockerd_option_get(o, key);

	return v && v->text && *v->text ? v->text : NULL;
}

int log_instance_open(const struct dockerd_open *args, const struct log_format *format, void **self,
		      struct dockerd_error *err)
{
	struct log_instance *j = calloc(1, sizeof(*j));

	if (!j)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory");
	j->host = args->host;
	j->format = format;
	pthread_mutex_init(&j->lock, NULL);
	*self = j;
	return 0;
}

void log_instance_close(void *self)
{
	struct log_instance *j = self;

	watch_end(j);
	free(j->spare);
	pthread_mutex_destroy(&j->lock);
	free(j);
}
