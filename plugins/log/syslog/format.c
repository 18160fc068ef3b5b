/* SPDX-License-Identifier: Apache-2.0 */
/* Facilities, and the lines of RFC 3164, RFC 5424 and of syslog(3). See syslog.h. */
#include "syslog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEVERITY_ERR 3
#define SEVERITY_INFO 6

int facility_parse(const char *text, int *out, struct dockerd_error *err)
{
	/* in the order of their numbers; 12 to 15 have no name */
	static const char *const names[] = {
	    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
	    "uucp",   "cron",   "authpriv", "ftp",    NULL,     NULL,     NULL,     NULL,
	    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
	char *end;
	long n;

	*out = 3;
	if (!text || !*text)
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i] && !strcmp(names[i], text)) {
			*out = (int)i;
			return 0;
		}
	}
	n = strtol(text, &end, 10);
	if (*end || n < 0 || n > 23)
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid syslog facility");
	*out = (int)n;
	return 0;
}

int format_parse(const char *text, enum format *out, struct dockerd_error *err)
{
	static const struct {
		const char *name;
		enum format format;
	} formats[] = {{"", FORMAT_UNIX},
		       {"rfc3164", FORMAT_3164},
		       {"rfc5424", FORMAT_5424},
		       {"rfc5424micro", FORMAT_5424_MICRO}};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (!strcmp(formats[i].name, text ? text : "")) {
			*out = formats[i].format;
			return 0;
		}
	}
	return dockerd_fail(err, DOCKERD_ERR_INVALID, "Invalid syslog format");
}

/* "Jan  2 15:04:05", whatever the locale. */
static void print_stamp(const struct tm *tm, char *out, size_t size)
{
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

	snprintf(out, size, "%s %2d %02d:%02d:%02d", months[tm->tm_mon % 12], tm->tm_mday,
		 tm->tm_hour, tm->tm_min, tm->tm_sec);
}

/* RFC 3339. */
static void print_time(const struct tm *tm, long micro, char *out, size_t size)
{
	char fraction[16] = "", zone[16] = "Z", date[32];
	long minutes = labs(tm->tm_gmtoff) / 60;

	if (micro >= 0)
		snprintf(fraction, sizeof(fraction), ".%06ld", micro);
	if (tm->tm_gmtoff)
		snprintf(zone, sizeof(zone), "%c%02ld:%02ld", tm->tm_gmtoff < 0 ? '-' : '+',
			 minutes / 60 % 100, minutes % 60);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", tm);
	snprintf(out, size, "%s%s%s", date, fraction, zone);
}

size_t format_line(const struct header *h, const struct dockerd_log_message *m, char *out)
{
	int priority =
	    h->facility * 8 + (m->source == DOCKERD_LOG_STDERR ? SEVERITY_ERR : SEVERITY_INFO);
	time_t seconds = (time_t)(m->time / 1000000000);
	struct tm tm;
	char when[64];
	int n;

	localtime_r(&seconds, &tm);
	if (h->format == FORMAT_UNIX || h->format == FORMAT_3164)
		print_stamp(&tm, when, sizeof(when));
	else
		print_time(
		    &tm, h->format == FORMAT_5424_MICRO ? (long)(m->time % 1000000000 / 1000) : -1,
		    when, sizeof(when));
	if (h->format == FORMAT_UNIX)
		n = snprintf(out, HEADER_MAX, "<%d>%s %.255s[%d]: ", priority, when, h->tag,
			     h->pid);
	else if (h->format == FORMAT_3164)
		n = snprintf(out, HEADER_MAX, "<%d>%s %.255s %.255s[%d]: ", priority, when,
			     h->hostname, h->tag, h->pid);
	else
		n = snprintf(out, HEADER_MAX, "<%d>1 %s %.255s %.255s %d %.255s - ", priority, when,
			     h->hostname, h->tag, h->pid, h->tag);
	memcpy(out + n, m->data, (size_t)m->length);
	n += (int)m->length;
	/* who splits a connection into lines must find the end of each */
	if (!m->length || m->data[m->length - 1] != '\n')
		out[n++] = '\n';
	return (size_t)n;
}
