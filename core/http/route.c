/* SPDX-License-Identifier: Apache-2.0 */
/* URIs and routes. Pure. RFC 3986; gorilla/mux's observable behaviour where clients depend on it. */
#include "http/http.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>

static int hex_value(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	if (isxdigit((unsigned char)c))
		return (c | 32) - 'a' + 10;
	return -1;
}

/* Percent-decoding; NULL for a bad escape or an encoded NUL. */
static char *decode(const char *s, size_t n, bool plus_is_space)
{
	char *out = xmalloc(n + 1), *to = out;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '%') {
			int hi = i + 2 < n ? hex_value(s[i + 1]) : -1,
			    lo = i + 2 < n ? hex_value(s[i + 2]) : -1;

			if (hi < 0 || lo < 0 || (hi | lo) == 0) {
				free(out);
				return NULL;
			}
			*to++ = (char)(hi << 4 | lo);
			i += 2;
		} else {
			*to++ = plus_is_space && s[i] == '+' ? ' ' : s[i];
		}
	}
	*to = '\0';
	return out;
}

static int parse_query(struct http_exchange *x, const char *q)
{
	while (*q) {
		const char *end = strchrnul(q, '&');
		const char *eq = memchr(q, '=', (size_t)(end - q));
		char *key, *value;

		if (end > q) {
			key = decode(q, (size_t)((eq ? eq : end) - q), true);
			value = eq ? decode(eq + 1, (size_t)(end - eq - 1), true) : xstrdup("");
			if (key && value)
				pairs_add(&x->query, key, value);
			free(key);
			free(value);
			if (!key || !value)
				return -1;
		}
		q = *end ? end + 1 : end;
	}
	return 0;
}

/* "/v1.41/info" -> 41, path behind it; 0: no version. */
static int take_version(const char **path)
{
	const char *p = *path;
	int major = 0, minor = 0;

	if (p[0] != '/' || p[1] != 'v' || !isdigit((unsigned char)p[2]))
		return 0;
	for (p += 2; isdigit((unsigned char)*p) && major < 1000; p++)
		major = major * 10 + *p - '0';
	if (*p++ != '.' || !isdigit((unsigned char)*p))
		return 0;
	for (; isdigit((unsigned char)*p) && minor < 1000000; p++)
		minor = minor * 10 + *p - '0';
	if (*p != '/' && *p != '\0')
		return 0;
	*path = p;
	return major == 1 ? minor : major * 1000 + minor;
}

int http_parse_uri(struct http_exchange *x, const char *uri, int default_version, bool *has_version,
		   struct error *err)
{
	const char *p = uri, *q;
	char *whole;
	int version;

	if (strncasecmp(p, "http://", 7) == 0) /* absolute form, RFC 9112 3.2.2 */
		p = strchrnul(p + 7, '/');
	q = strchrnul(p, '?');
	whole = decode(p, (size_t)(q - p), false);
	if (!whole || (*q && parse_query(x, q + 1) < 0)) {
		free(whole);
		x->path = xstrdup("/");
		return error_set(err, ERR_INVALID, "invalid URL escape in %s", uri);
	}
	p = whole;
	version = take_version(&p);
	*has_version = version != 0;
	x->api_version = version ? version : default_version;
	x->path = xstrdup(*p ? p : "/");
	free(whole);
	return 0;
}

/* One pattern against the path; params are added only on a match. */
static bool match_one(const char *pattern, const char *path, bool slashes, struct pairs *params)
{
	auto_pairs found = PAIRS_INIT;

	while (*pattern) {
		const char *close, *end;
		char name[32], *value;
		size_t len;

		if (*pattern != '{') {
			if (*pattern != *path)
				return false;
			pattern++;
			path++;
			continue;
		}
		close = strchr(pattern, '}');
		len = strcspn(pattern + 1, ":}");
		memcpy(name, pattern + 1, len);
		name[len] = '\0';
		if (slashes ||
		    pattern[1 + len] ==
			':') { /* over slashes: up to the last place where the rest fits */
			const char *rest = close + 1;
			size_t path_len = strlen(path), rest_len = strlen(rest);

			if (path_len <= rest_len || strcmp(path + path_len - rest_len, rest) != 0)
				return false;
			end = path + path_len - rest_len;
		} else {
			end = strchrnul(path, '/');
			if (end == path)
				return false;
		}
		value = xstrndup(path, (size_t)(end - path));
		pairs_set(&found, name, value);
		free(value);
		path = end;
		pattern = close + 1;
	}
	if (*path)
		return false;
	pairs_copy(params, &found);
	return true;
}

const struct http_route *http_match(struct http_exchange *x, const struct http_route *routes,
				    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!streq(routes[i].method, x->method))
			continue;
		if (match_one(routes[i].pattern, x->path, routes[i].flags & HTTP_SLASHES,
			      &x->params)) {
			x->route = routes[i].pattern;
			return &routes[i];
		}
	}
	return NULL;
}
