/* SPDX-License-Identifier: Apache-2.0 */
/* See challenge.h. */
#include "registry/challenge.h"

#include "base/mem.h"

#include <stdlib.h>
#include <strings.h>

void challenge_free(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	*c = (struct challenge){.basic = false};
}

/* tchar of RFC 9110. */
static bool is_token(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       (ch && strchr("!#$%&'*+-.^_`|~", ch));
}

static const char *skip(const char *p, const char *set)
{
	return p + strspn(p, set);
}

static const char *take_token(const char *p, struct str *out)
{
	str_reset(out);
	while (is_token(*p))
		str_putc(out, *p++);
	return p;
}

/* Token or quoted string. NULL: malformed. */
static const char *take_value(const char *p, struct str *out)
{
	if (*p != '"')
		return take_token(p, out);
	str_reset(out);
	for (p++; *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		if (!*p)
			return NULL;
		str_putc(out, *p);
	}
	return p + 1;
}

static void keep(char **to, const struct str *value)
{
	free(*to);
	*to = xstrdup(str_cstr(value));
}

static void take_param(struct challenge *c, const char *name, const struct str *value)
{
	if (!strcasecmp(name, "realm"))
		keep(&c->realm, value);
	else if (!strcasecmp(name, "service"))
		keep(&c->service, value);
	else if (!strcasecmp(name, "scope"))
		keep(&c->scope, value);
}

void challenge_parse(const char *p, struct challenge *out)
{
	auto_str name = STR_INIT, value = STR_INIT;
	bool bearer = false;

	for (p = skip(p, " \t,"); *p; p = skip(p, " \t,")) {
		const char *at = take_token(p, &name);

		if (at == p)
			return;
		p = skip(at, " \t");
		if (*p == '=') { /* a parameter of the challenge before it */
			p = take_value(skip(p + 1, "= \t"), &value); /* "==" ends a token68 */
			if (!p)
				return;
			if (bearer)
				take_param(out, str_cstr(&name), &value);
			continue;
		}
		bearer = !strcasecmp(str_cstr(&name), "bearer");
		out->bearer |= bearer;
		out->basic |= !strcasecmp(str_cstr(&name), "basic");
	}
}

void query_add(struct str *url, const char *name, const char *value)
{
	str_putc(url, url->len && strchr(url->p, '?') ? '&' : '?');
	str_puts(url, name);
	str_putc(url, '=');
	for (; *value; value++) {
		unsigned char ch = (unsigned char)*value;

		if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
		    (ch >= '0' && ch <= '9') || strchr("-_.~", ch))
			str_putc(url, (char)ch);
		else
			str_printf(url, "%%%02X", ch);
	}
}
