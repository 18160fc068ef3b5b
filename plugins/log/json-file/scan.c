/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one record back. Members may come in any order and unknown ones are skipped; what is no record is refused, never guessed. Pure. */
#include "json-file.h"

#include <string.h>

#define DEPTH_MAX 32

struct scan {
	const char *p, *end;
	char *out; /* decoded strings go here: never longer than their source */
	int depth;
};

static void blank(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n'))
		s->p++;
}

static bool take(struct scan *s, char c)
{
	blank(s);
	if (s->p >= s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool hex4(struct scan *s, unsigned int *v)
{
	*v = 0;
	if (s->end - s->p < 4)
		return false;
	for (int i = 0; i < 4; i++, s->p++) {
		char c = *s->p;

		if (c >= '0' && c <= '9')
			*v = *v << 4 | (unsigned int)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			*v = *v << 4 | (unsigned int)((c | 32) - 'a' + 10);
		else
			return false;
	}
	return true;
}

static void put_utf8(struct scan *s, unsigned int c)
{
	if (c < 0x80) {
		*s->out++ = (char)c;
	} else if (c < 0x800) {
		*s->out++ = (char)(0xc0 | c >> 6);
		*s->out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*s->out++ = (char)(0xe0 | c >> 12);
		*s->out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*s->out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*s->out++ = (char)(0xf0 | c >> 18);
		*s->out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*s->out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*s->out++ = (char)(0x80 | (c & 0x3f));
	}
}

static bool unicode(struct scan *s)
{
	unsigned int c, low;
	const char *back;

	if (!hex4(s, &c))
		return false;
	if (c >= 0xd800 && c <= 0xdbff && s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u') {
		back = s->p;
		s->p += 2;
		if (!hex4(s, &low))
			return false;
		if (low >= 0xdc00 && low <= 0xdfff)
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		else
			s->p = back;
	}
	put_utf8(s, c >= 0xd800 && c <= 0xdfff ? 0xfffd : c);
	return true;
}

static bool escape(struct scan *s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	s->p++;
	if (s->p >= s->end)
		return false;
	if (*s->p == 'u') {
		s->p++;
		return unicode(s);
	}
	at = *s->p ? strchr(from, *s->p) : NULL;
	if (!at)
		return false;
	*s->out++ = to[at - from];
	s->p++;
	return true;
}

/* Where plain bytes end. Most strings of a log have their first escape near their end: memchr beats looking at each byte. */
static const char *run_end(const struct scan *s)
{
	size_t left = (size_t)(s->end - s->p);
	const char *quote = memchr(s->p, '"', left);
	const char *slash = memchr(s->p, '\\', quote ? (size_t)(quote - s->p) : left);

	return slash ? slash : quote ? quote : s->end;
}

/* A string from its quote on; decoded and NUL-terminated in out (the closing quote pays for the NUL). */
static bool string(struct scan *s, const char **text, size_t *len)
{
	char *start = s->out;

	if (!take(s, '"'))
		return false;
	for (;;) {
		const char *run = s->p;

		s->p = run_end(s);
		memcpy(s->out, run, (size_t)(s->p - run));
		s->out += s->p - run;
		if (s->p >= s->end)
			return false;
		if (*s->p == '"')
			break;
		if (!escape(s))
			return false;
	}
	s->p++;
	*text = start;
	*len = (size_t)(s->out - start);
	*s->out++ = '\0';
	return true;
}

static bool skip_value(struct scan *s)
{
	char *keep = s->out;
	const char *text;
	size_t len;
	bool ok;

	blank(s);
	if (s->p >= s->end || ++s->depth > DEPTH_MAX)
		return false;
	if (*s->p == '"') {
		ok = string(s, &text, &len);
	} else if (*s->p == '{' || *s->p == '[') {
		char close = *s->p == '{' ? '}' : ']';
		bool object = *s->p++ == '{';

		ok = take(s, close);
		while (!ok) {
			if ((object && (!string(s, &text, &len) || !take(s, ':'))) ||
			    !skip_value(s))
				return false;
			ok = take(s, close);
			if (!ok && !take(s, ','))
				return false;
			s->out = keep;
		}
	} else {
		const char *at = s->p;

		while (s->p < s->end && *s->p && strchr("+-.0123456789eEtrufalsn", *s->p))
			s->p++;
		ok = s->p > at;
	}
	s->out = keep;
	s->depth--;
	return ok;
}

static bool number(const char **p, int n, int *v)
{
	*v = 0;
	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*v = *v * 10 + (**p - '0');
	}
	return true;
}

/* RFC 3339 with any fraction and offset; the text is NUL-terminated. */
static bool parse_time(const char *p, int64_t *ns)
{
	int y, mo, d, h, mi, sec, frac = 0, digits = 0, oh = 0, om = 0, sign = 0;
	int64_t yy, era, yoe, doy, days;

	if (!number(&p, 4, &y) || *p++ != '-' || !number(&p, 2, &mo) || *p++ != '-' ||
	    !number(&p, 2, &d) || (*p != 'T' && *p != 't'))
		return false;
	p++;
	if (!number(&p, 2, &h) || *p++ != ':' || !number(&p, 2, &mi) || *p++ != ':' ||
	    !number(&p, 2, &sec))
		return false;
	if (mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || sec > 60)
		return false;
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9'; p++, digits++)
			if (digits < 9)
				frac = frac * 10 + (*p - '0');
		for (; digits < 9; digits++)
			frac *= 10;
	}
	if (*p == '+' || *p == '-') {
		sign = *p == '+' ? 1 : -1;
		p++;
		if (!number(&p, 2, &oh) || *p++ != ':' || !number(&p, 2, &om))
			return false;
	} else if (*p != 'Z' && *p != 'z') {
		return false;
	} else {
		p++;
	}
	if (*p || y < 1680 || y > 2260)
		return *p == '\0' && y < 1680 ? (*ns = INT64_MIN, true) : false;
	yy = y - (mo <= 2);
	era = yy / 400;
	yoe = yy - era * 400;
	doy = (153 * (mo + (mo > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
	*ns = (((days * 24 + h) * 60 + mi) * 60 + sec - sign * (oh * 3600 + om * 60)) *
		  INT64_C(1000000000) +
	      frac;
	return true;
}

static bool attributes(struct scan *s, struct record *r)
{
	const char *key, *value;
	size_t len;

	r->attr_count = 0;
	if (!take(s, '{'))
		return skip_value(s); /* null */
	if (take(s, '}'))
		return true;
	do {
		if (!string(s, &key, &len) || !take(s, ':') || !string(s, &value, &len))
			return false;
		if (r->attr_count < MAX_ATTRS)
			r->attrs[r->attr_count++] = (struct dockerd_key_value){key, value};
	} while (take(s, ','));
	return take(s, '}');
}

static bool member(struct scan *s, struct record *r, bool *timed)
{
	const char *name, *text;
	char *keep = s->out;
	size_t len;

	if (!string(s, &name, &len) || !take(s, ':'))
		return false;
	if (len == 3 && !memcmp(name, "log", 3)) {
		s->out = keep; /* the name is done with */
		return string(s, &r->data, &r->len);
	}
	if (len == 5 && !memcmp(name, "attrs", 5))
		return attributes(s, r);
	if (len == 6 && !memcmp(name, "stream", 6)) {
		if (!string(s, &text, &len))
			return false;
		r->source = strcmp(text, "stderr") == 0 ? DOCKERD_LOG_STDERR : DOCKERD_LOG_STDOUT;
		s->out = keep;
		return true;
	}
	if (len == 4 && !memcmp(name, "time", 4)) {
		if (!string(s, &text, &len))
			return false;
		*timed = parse_time(text, &r->time);
		s->out = keep;
		return *timed;
	}
	s->out = keep;
	return skip_value(s);
}

/* ---- records as we and moby write them -------------------------------------------------------------------------------------------- */

#define FIRST "{\"log\":\""

/*
 * Most records have the end of the one before: same stream, same time, since they were read from the container at once. `tail`, from the quote that
 * ends the text: is that all there is, and nothing that has to be looked for again?
 */
static void remember(struct record *r, const char *tail, size_t n)
{
	static const char *const begins[] = {"\",\"stream\":\"stdout\",\"time\":\"",
					     "\",\"stream\":\"stderr\",\"time\":\""};

	r->tail_len = 0;
	if (n > sizeof(r->tail))
		return;
	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(begins[i]);

		if (n < len + 2 || memcmp(tail, begins[i], len) != 0 ||
		    memchr(tail + len, '"', n - len) != tail + n - 2)
			continue;
		memcpy(r->tail, tail, n);
		r->tail_len = n;
	}
}

/* With the tail of the last record, and no escape but of the newline at the end: the text is where it stands. */
static bool scan_same(const char *line, size_t n, struct record *r)
{
	const size_t first = sizeof(FIRST) - 1;
	const char *text = line + first, *slash, *end;

	if (!r->tail_len || n < first + r->tail_len || memcmp(line, FIRST, first) != 0 ||
	    memcmp(line + n - r->tail_len, r->tail, r->tail_len) != 0)
		return false;
	end = line + n - r->tail_len;
	slash = memchr(text, '\\', (size_t)(end - text));
	if (slash && (slash != end - 2 || slash[1] != 'n'))
		return false;
	if (memchr(text, '"', (size_t)((slash ? slash : end) - text)))
		return false;
	r->data = text;
	r->len = (size_t)((slash ? slash : end) - text);
	r->partial = !slash;
	return true; /* time, source and attributes are what they were */
}

bool scan_record(const char *line, size_t n, struct record *r, char *out)
{
	struct scan s = {.p = line, .end = line + n, .out = out, .depth = 0};
	const char *tail = NULL;
	bool timed = false;

	if (scan_same(line, n, r))
		return true;
	r->tail_len = 0;
	r->data = "";
	r->len = 0;
	r->time = 0;
	r->source = DOCKERD_LOG_STDOUT;
	r->attr_count = 0;
	if (!take(&s, '{'))
		return false;
	do {
		if (!member(&s, r, &timed))
			return false;
		if (!tail)
			tail = s.p - 1;
	} while (take(&s, ','));
	if (!take(&s, '}'))
		return false;
	blank(&s);
	if (s.p != s.end || !timed)
		return false;
	if (n > sizeof(FIRST) && memcmp(line, FIRST, sizeof(FIRST) - 1) == 0)
		remember(r, tail, (size_t)(s.end - tail));
	r->partial = !r->len || r->data[r->len - 1] != '\n';
	r->len -= !r->partial;
	return true;
}
