/* SPDX-License-Identifier: Apache-2.0 */
/* See clock.h. */
#include "base/clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS INT64_C(1000000000)

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NS + ts.tv_nsec;
}

int64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static char *digits(char *o, unsigned int v, int n)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		o[i] = (char)('0' + v % 10);
	return o + n;
}

/* "YYYY-MM-DD" of a day number (0: 1970-01-01). Years are counted from March, so that the leap day is the last. */
static char *put_date(char *o, int64_t day)
{
	int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097,
		yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
		doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	o = digits(o, (unsigned int)(yoe + era * 400 + (mp >= 10)), 4);
	*o++ = '-';
	o = digits(o, (unsigned int)(mp < 10 ? mp + 3 : mp - 9), 2);
	*o++ = '-';
	return digits(o, (unsigned int)(doy - (153 * mp + 2) / 5 + 1), 2);
}

/* By hand: gmtime_r and strftime ask the time zone's lock and the locale, and a list prints many times. */
static void format(int64_t ns, char out[CLOCK_TEXT], bool fixed)
{
	int64_t sec = ns / NS, frac = ns % NS, day;
	unsigned int rest;
	char *o = out;

	if (ns == CLOCK_ZERO) {
		memcpy(out, "0001-01-01T00:00:00Z", 21);
		return;
	}
	if (frac < 0) {
		frac += NS;
		sec--;
	}
	day = sec / 86400 - (sec % 86400 < 0);
	rest = (unsigned int)(sec - day * 86400);
	o = put_date(o, day);
	*o++ = 'T';
	o = digits(o, rest / 3600, 2);
	*o++ = ':';
	o = digits(o, rest / 60 % 60, 2);
	*o++ = ':';
	o = digits(o, rest % 60, 2);
	if (frac || fixed) {
		*o++ = '.';
		o = digits(o, (unsigned int)frac, 9);
		while (!fixed && o[-1] == '0')
			o--;
	}
	*o++ = 'Z';
	*o = '\0';
}

void clock_format(int64_t ns, char out[CLOCK_TEXT])
{
	format(ns, out, false);
}

void clock_format_fixed(int64_t ns, char out[CLOCK_TEXT])
{
	format(ns, out, true);
}

/* Fraction digits behind a point, as nanoseconds; advances *p. */
static int64_t fraction(const char **p)
{
	int64_t v = 0, unit = NS / 10;

	for (; isdigit((unsigned char)**p); (*p)++, unit /= 10)
		v += (**p - '0') * unit;
	return v;
}

/* Date, optionally time, optionally zone. */
static bool parse_date(const char *s, bool lax, int64_t *ns)
{
	struct tm tm = {0};
	int64_t frac = 0, offset = 0;
	int used = 0;

	if (sscanf(s, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) != 3 ||
	    used != 10)
		return false;
	s += used;
	if (*s == 'T' || *s == 't' || (lax && *s == ' ')) {
		used = 0;
		if (sscanf(s + 1, "%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &used) != 2 || used != 5)
			return false;
		s += 1 + used;
		if (*s == ':') {
			used = 0;
			if (sscanf(s + 1, "%2d%n", &tm.tm_sec, &used) != 1 || used != 2)
				return false;
			s += 1 + used;
		} else if (!lax) {
			return false;
		}
		if (*s == '.') {
			s++;
			if (!isdigit((unsigned char)*s))
				return false;
			frac = fraction(&s);
		}
	} else if (!lax) {
		return false;
	}
	if (*s == 'Z' || *s == 'z') {
		s++;
	} else if (*s == '+' || *s == '-') {
		int h, m;

		used = 0;
		if (sscanf(s + 1, "%2d:%2d%n", &h, &m, &used) != 2 || used != 5)
			return false;
		offset = (h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
		s += 1 + used;
	} else if (!lax) {
		return false;
	}
	if (*s || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	if (tm.tm_year <= 1 && tm.tm_mon == 1 && tm.tm_mday == 1) {
		*ns = CLOCK_ZERO;
		return true;
	}
	if (tm.tm_year < 1680 || tm.tm_year > 2260) /* beyond what 64 bits of nanoseconds hold */
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*ns = ((int64_t)timegm(&tm) - offset) * NS + frac;
	return true;
}

bool clock_parse(const char *text, int64_t *ns)
{
	return parse_date(text, false, ns);
}

bool clock_parse_duration(const char *s, int64_t *ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1},  {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", 1e6},
		     {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
	bool negative = *s == '-';
	double total = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (!strcmp(s, "0")) {
		*ns = 0;
		return true;
	}
	if (!*s)
		return false;
	while (*s) {
		char *end;
		double v, unit = 0;
		size_t n = 0;

		if (!isdigit((unsigned char)*s) && *s != '.')
			return false;
		v = strtod(s, &end);
		if (end == s)
			return false;
		s = end;
		while (s[n] && !isdigit((unsigned char)s[n]) && s[n] != '.')
			n++;
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (strlen(units[i].name) == n && !memcmp(units[i].name, s, n))
				unit = units[i].ns;
		if (unit == 0)
			return false;
		total += v * unit;
		s += n;
	}
	if (total > 9.2e18)
		return false;
	*ns = (int64_t)(negative ? -total : total);
	return true;
}

bool clock_parse_param(const char *text, int64_t now_ns, int64_t *ns)
{
	const char *p = text;
	int64_t sec, d;

	if (clock_parse_duration(text, &d) && strcmp(text, "0")) {
		*ns = now_ns - d;
		return true;
	}
	if (parse_date(text, true, ns))
		return true;
	if (*p == '-')
		p++;
	if (!isdigit((unsigned char)*p))
		return false;
	for (sec = 0; isdigit((unsigned char)*p); p++) {
		if (sec > INT64_MAX / NS / 10)
			return false;
		sec = sec * 10 + (*p - '0');
	}
	d = 0;
	if (*p == '.') {
		p++;
		d = fraction(&p);
	}
	if (*p || sec > INT64_MAX / NS - 1)
		return false;
	*ns = sec * NS + d;
	if (*text == '-')
		*ns = -*ns;
	return true;
}

/* The digits of one part of clock_parse_unix, as strconv.ParseInt takes them. */
static int parse_int(const char *text, size_t len, int64_t *out, struct error *err)
{
	size_t i = len && (*text == '-' || *text == '+');
	bool fits = true;
	int64_t v = 0;

	if (i == len)
		return error_set(err, ERR_SYSTEM,
				 "strconv.ParseInt: parsing \"%.*s\": invalid syntax", (int)len,
				 text);
	for (; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return error_set(err, ERR_SYSTEM,
					 "strconv.ParseInt: parsing \"%.*s\": invalid syntax",
					 (int)len, text);
		fits = fits && !__builtin_mul_overflow(v, 10, &v) &&
		       !__builtin_add_overflow(v, text[i] - '0', &v);
	}
	if (!fits)
		return error_set(err, ERR_SYSTEM,
				 "strconv.ParseInt: parsing \"%.*s\": value out of range", (int)len,
				 text);
	*out = *text == '-' ? -v : v;
	return 0;
}

int clock_parse_unix(const char *text, int64_t *ns, struct error *err)
{
	const char *dot = strchr(text, '.');
	size_t len = dot ? (size_t)(dot - text) : strlen(text), digits = dot ? strlen(dot + 1) : 0;
	int64_t sec, part = 0;

	if (parse_int(text, len, &sec, err) < 0 ||
	    (dot && parse_int(dot + 1, digits, &part, err) < 0))
		return -1;
	for (; digits < 9; digits++)
		part *= 10;
	for (; digits > 9; digits--)
		part /= 10;
	if (__builtin_mul_overflow(sec, NS, ns) || __builtin_add_overflow(*ns, part, ns))
		*ns = sec < 0 ? INT64_MIN + 1 : INT64_MAX;
	return 0;
}
