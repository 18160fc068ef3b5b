/* SPDX-License-Identifier: Apache-2.0 */
/* Times as Go prints them. Pure. */
#include "log_file.h"

static char *digits(char *o, unsigned int v, int n)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		o[i] = (char)('0' + v % 10);
	return o + n;
}

size_t format_time(char *out, int64_t ns)
{
	int64_t sec = ns / 1000000000, frac = ns % 1000000000, days, z, era, doe, yoe, doy, mp;
	unsigned int rest;
	char *o = out;

	if (frac < 0) {
		frac += 1000000000;
		sec--;
	}
	days = sec / 86400;
	rest = (unsigned int)(sec % 86400);
	if (sec % 86400 < 0) {
		days--;
		rest = (unsigned int)(sec % 86400 + 86400);
	}
	/* civil date of a day number: years counted from March, so that the leap day is the last */
	z = days + 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	o = digits(o, (unsigned int)(yoe + era * 400 + (mp >= 10)), 4);
	*o++ = '-';
	o = digits(o, (unsigned int)(mp < 10 ? mp + 3 : mp - 9), 2);
	*o++ = '-';
	o = digits(o, (unsigned int)(doy - (153 * mp + 2) / 5 + 1), 2);
	*o++ = 'T';
	o = digits(o, rest / 3600, 2);
	*o++ = ':';
	o = digits(o, rest / 60 % 60, 2);
	*o++ = ':';
	o = digits(o, rest % 60, 2);
	if (frac) {
		*o++ = '.';
		o = digits(o, (unsigned int)frac, 9);
		while (o[-1] == '0')
			o--;
	}
	*o++ = 'Z';
	return (size_t)(o - out);
}
