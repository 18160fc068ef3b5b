/* SPDX-License-Identifier: Apache-2.0 */
/* See reference.h. The grammar is matched by hand: each function takes the longest match and returns what is behind it, or NULL. */
#include "image/reference.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define DEFAULT_DOMAIN "docker.io"
#define NAME_TOTAL_MAX 255

static bool lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool alnum(char c)
{
	return lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_full_id(const char *text)
{
	size_t n = 0;

	while ((text[n] >= '0' && text[n] <= '9') || (text[n] >= 'a' && text[n] <= 'f'))
		n++;
	return n == 64 && !text[n];
}

bool digest_valid(const char *text)
{
	static const struct {
		const char *prefix;
		size_t digits;
	} known[] = {{"sha256:", 64}, {"sha384:", 96}, {"sha512:", 128}};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const char *rest = str_after(text, known[i].prefix);

		if (rest)
			return strlen(rest) == known[i].digits &&
			       strspn(rest, "0123456789abcdef") == known[i].digits;
	}
	return false;
}

/* alphanumeric runs joined by one of . _ __ or dashes */
static const char *path_part(const char *p)
{
	if (!lower_alnum(*p))
		return NULL;
	for (;;) {
		const char *sep;

		while (lower_alnum(*p))
			p++;
		sep = p;
		if (*p == '.')
			p++;
		else if (*p == '_')
			p += p[1] == '_' ? 2 : 1;
		else
			while (*p == '-')
				p++;
		if (p == sep || !lower_alnum(*p))
			return sep;
	}
}

/* host name labels or [IPv6], then an optional port */
static const char *domain(const char *p)
{
	if (*p == '[') {
		p++;
		while (hex(*p) || *p == ':')
			p++;
		if (*p++ != ']')
			return NULL;
	} else {
		for (;;) {
			const char *start = p, *last = p;

			while (alnum(*p) || *p == '-') {
				if (alnum(*p))
					last = p + 1;
				p++;
			}
			if (!alnum(*start) || last != p)
				return NULL;
			if (*p != '.')
				break;
			p++;
		}
	}
	if (*p == ':' && p[1] >= '0' && p[1] <= '9')
		for (p++; *p >= '0' && *p <= '9';)
			p++;
	return p;
}

static bool tag_ok(const char *p, size_t n)
{
	if (n == 0 || n > 128 || !(alnum(*p) || *p == '_'))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!alnum(p[i]) && !strchr("_.-", p[i]))
			return false;
	return true;
}

/* The whole grammar. Fills out (may be NULL). */
static bool match(const char *text, struct reference *out)
{
	const char *slash = strchr(text, '/'), *p = text, *end, *at;

	if (slash) { /* everything we match has been given a domain */
		p = domain(text);
		if (!p || *p != '/')
			return false;
		p++;
	}
	for (;; p++) {
		p = path_part(p);
		if (!p)
			return false;
		if (*p != '/')
			break;
	}
	end = p;
	if (out)
		out->name = xstrndup(text, (size_t)(end - text));
	if (*p == ':') {
		at = strchr(p, '@');
		end = at ? at : p + strlen(p);
		if (!tag_ok(p + 1, (size_t)(end - p - 1)))
			return false;
		if (out)
			out->tag = xstrndup(p + 1, (size_t)(end - p - 1));
		p = end;
	}
	if (*p == '@') {
		if (!digest_valid(p + 1))
			return false;
		if (out)
			out->digest = xstrdup(p + 1);
		p += strlen(p);
	}
	return *p == '\0';
}

/* Is the first part of a name a registry, or a user of the default one? */
static bool is_domain(const char *first, size_t n)
{
	if (memchr(first, '.', n) || memchr(first, ':', n) ||
	    (n == 9 && !memcmp(first, "localhost", 9)))
		return true;
	for (size_t i = 0; i < n; i++)
		if (first[i] >= 'A' && first[i] <= 'Z')
			return true;
	return false;
}

static char *normalise(const char *text, size_t *domain_len)
{
	const char *slash = strchr(text, '/');
	const char *rest = text;
	auto_free char *dom = NULL;

	if (slash && is_domain(text, (size_t)(slash - text))) {
		dom = xstrndup(text, (size_t)(slash - text));
		rest = slash + 1;
	}
	if (!dom || streq(dom, "index.docker.io")) {
		free(dom);
		dom = xstrdup(DEFAULT_DOMAIN);
	}
	*domain_len = strlen(dom);
	return xasprintf("%s/%s%s", dom,
			 streq(dom, DEFAULT_DOMAIN) && !strchr(rest, '/') ? "library/" : "", rest);
}

int reference_parse(const char *text, struct reference *out, struct error *err)
{
	auto_free char *full = NULL;
	size_t domain_len, path_len;
	const char *path;

	*out = (struct reference){NULL, NULL, NULL};
	if (is_full_id(text))
		return error_set(
		    err, ERR_INVALID,
		    "invalid repository name (%s), cannot specify 64-byte hexadecimal strings",
		    text);
	full = normalise(text, &domain_len);
	path = full + domain_len + 1;
	path_len = strcspn(path, ":");
	for (size_t i = 0; i < path_len; i++)
		if (path[i] >= 'A' && path[i] <= 'Z')
			return error_set(
			    err, ERR_INVALID,
			    "invalid reference format: repository name (%.*s) must be lowercase",
			    (int)(path_len > 300 ? 300 : path_len), path);
	if (!match(full, out)) {
		reference_free(out);
		return error_set(err, ERR_INVALID, "invalid reference format");
	}
	if (strlen(out->name) - domain_len - 1 > NAME_TOTAL_MAX) {
		reference_free(out);
		return error_set(err, ERR_INVALID,
				 "repository name must not be more than %d characters",
				 NAME_TOTAL_MAX);
	}
	return 0;
}

void reference_free(struct reference *r)
{
	free(r->name);
	free(r->tag);
	free(r->digest);
	*r = (struct reference){NULL, NULL, NULL};
}

void reference_default_tag(struct reference *r)
{
	if (!r->tag && !r->digest)
		r->tag = xstrdup("latest");
}

static char *with_suffix(const char *name, const struct reference *r)
{
	return xasprintf("%s%s%s%s%s", name, r->tag ? ":" : "", r->tag ? r->tag : "",
			 r->digest ? "@" : "", r->digest ? r->digest : "");
}

char *reference_familiar_name(const struct reference *r)
{
	const char *rest = str_after(r->name, DEFAULT_DOMAIN "/library/");

	/* "library/a/b" has to keep its user, or it would read as a's */
	if (rest && !strchr(rest, '/'))
		return xstrdup(rest);
	rest = str_after(r->name, DEFAULT_DOMAIN "/");
	return xstrdup(rest ? rest : r->name);
}

char *reference_familiar(const struct reference *r)
{
	auto_free char *name = reference_familiar_name(r);

	return with_suffix(name, r);
}

char *reference_string(const struct reference *r)
{
	return with_suffix(r->name, r);
}
