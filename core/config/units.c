/* SPDX-License-Identifier: Apache-2.0 */
/* See units.h. The words of the errors are those of go-units and Go's strconv and net, on which clients match. */
#include "config/units.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

static const char size_letters[] = "kmgtp";

/* Exponent of 1024 for "", "b", "k", "kb", "kib", ...; -1 otherwise. */
static int size_exponent(const char *suffix)
{
	const char *at;

	if (!*suffix || strcasecmp(suffix, "b") == 0)
		return 0;
	at = strchr(size_letters, tolower((unsigned char)*suffix));
	if (!at)
		return -1;
	suffix++;
	if (*suffix && strcasecmp(suffix, "b") != 0 && strcasecmp(suffix, "ib") != 0)
		return -1;
	return (int)(at - size_letters) + 1;
}

int size_parse(const char *text, int64_t *bytes, struct error *err)
{
	const char *p = text;
	char *end;
	double v;
	int exponent;

	while (isdigit((unsigned char)*p) || *p == '.')
		p++;
	if (p == text)
		return error_set(err, ERR_INVALID, "invalid size: '%s'", text);
	v = strtod(text, &end);
	if (end != p)
		return error_set(err, ERR_INVALID, "invalid size: '%s'", text);
	if (*p == ' ')
		p++;
	exponent = size_exponent(p);
	if (exponent < 0)
		return error_set(err, ERR_INVALID, "invalid suffix: '%s'", p);
	v = ldexp(v, 10 * exponent);
	if (v >= 0x1p63)
		return error_set(err, ERR_INVALID, "invalid size: '%s': too large", text);
	*bytes = (int64_t)v;
	return 0;
}

void size_format(int64_t bytes, char out[32])
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1024 && i < ARRAY_LEN(names) - 1) {
		v /= 1024;
		i++;
	}
	snprintf(out, 32, "%.4g%s", v, names[i]);
}

static const struct {
	const char *name;
	int resource;
} ulimits[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

int ulimit_resource(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(ulimits); i++)
		if (streq(ulimits[i].name, name))
			return ulimits[i].resource;
	return -1;
}

static int limit_parse(const char *text, size_t len, int64_t *v, struct error *err)
{
	auto_free char *copy = xstrndup(text, len);
	char *end;

	errno = 0;
	*v = strtoll(copy, &end, 10);
	if (end == copy || *end || isspace((unsigned char)*copy))
		return error_set(err, ERR_INVALID,
				 "strconv.ParseInt: parsing \"%s\": invalid syntax", copy);
	if (errno)
		return error_set(err, ERR_INVALID,
				 "strconv.ParseInt: parsing \"%s\": value out of range", copy);
	return 0;
}

int ulimit_parse(const char *text, struct ulimit *u, struct error *err)
{
	const char *eq = strchr(text, '='), *colon;

	if (!eq)
		return error_set(err, ERR_INVALID, "invalid ulimit argument: %s", text);
	u->name = NULL;
	for (size_t i = 0; i < ARRAY_LEN(ulimits); i++)
		if (strlen(ulimits[i].name) == (size_t)(eq - text) &&
		    !memcmp(ulimits[i].name, text, (size_t)(eq - text)))
			u->name = ulimits[i].name;
	if (!u->name)
		return error_set(err, ERR_INVALID, "invalid ulimit type: %.*s", (int)(eq - text),
				 text);
	colon = strchrnul(eq, ':');
	if (*colon && strchr(colon + 1, ':'))
		return error_set(
		    err, ERR_INVALID,
		    "too many limit value arguments - %s, can only have up to two, `soft[:hard]`",
		    eq + 1);
	if (limit_parse(eq + 1, (size_t)(colon - eq - 1), &u->soft, err) < 0)
		return -1;
	u->hard = u->soft;
	if (*colon && limit_parse(colon + 1, strlen(colon + 1), &u->hard, err) < 0)
		return -1;
	if (u->hard != -1 && (u->soft == -1 || u->soft > u->hard))
		return error_set(
		    err, ERR_INVALID,
		    "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
		    (long long)u->soft, (long long)u->hard);
	return 0;
}

bool ip4_valid(const char *text)
{
	struct in_addr a;

	return inet_pton(AF_INET, text, &a) == 1;
}

bool ip_valid(const char *text)
{
	struct in6_addr a;

	return ip4_valid(text) || inet_pton(AF_INET6, text, &a) == 1;
}

int cidr_parse(const char *text, int *family, unsigned char addr[16], unsigned int *bits,
	       struct error *err)
{
	const char *slash = strrchr(text, '/');
	auto_free char *ip = NULL;
	unsigned int max;
	char *end;

	memset(addr, 0, 16);
	if (!slash || !isdigit((unsigned char)slash[1]))
		return error_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
	ip = xstrndup(text, (size_t)(slash - text));
	if (inet_pton(AF_INET, ip, addr) == 1) {
		*family = AF_INET;
		max = 32;
	} else if (inet_pton(AF_INET6, ip, addr) == 1) {
		*family = AF_INET6;
		max = 128;
	} else {
		return error_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
	}
	*bits = (unsigned int)strtoul(slash + 1, &end, 10);
	if (*end || *bits > max || strlen(slash + 1) > 3)
		return error_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
	return 0;
}

/* host[:port] with an IPv6 host in brackets; *path is left behind it. */
static char *tcp_parse(const char *text, const char *rest, struct error *err)
{
	auto_free char *host = NULL;
	const char *end, *port = "2375";
	auto_free char *given = NULL;

	if (*rest == '[') {
		end = strchr(rest, ']');
		if (!end) {
			error_set(err, ERR_INVALID,
				  "invalid bind address (%s): parse \"%s\": missing ']' in host",
				  text, text);
			return NULL;
		}
		host = xstrndup(rest, (size_t)(end - rest) + 1);
		end++;
	} else {
		end = rest + strcspn(rest, ":/?#");
		host = end == rest ? xstrdup("localhost") : xstrndup(rest, (size_t)(end - rest));
	}
	if (*end == ':') {
		size_t n = strcspn(end + 1, "/?#"), digits = strspn(end + 1, "0123456789");

		given = xstrndup(end + 1, n);
		if (digits != n) {
			error_set(err, ERR_INVALID,
				  "invalid bind address (%s): parse \"%s\": invalid port \":%s\" "
				  "after host",
				  text, text, given);
			return NULL;
		}
		if (n)
			port = given;
		end += 1 + n;
	}
	if (*end == '/') {
		error_set(err, ERR_INVALID,
			  "invalid bind address (%s): should not contain a path element", text);
		return NULL;
	}
	if (*end) {
		error_set(err, ERR_INVALID,
			  "invalid bind address (%s): should not contain a query or fragment",
			  text);
		return NULL;
	}
	return xasprintf("tcp://%s:%s", host, port);
}

char *host_parse(const char *text, struct error *err)
{
	auto_free char *trimmed = NULL;
	const char *rest;
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	trimmed = xstrndup(text, len);
	if (!*trimmed)
		return xstrdup("unix:///var/run/docker.sock");
	rest = strstr(trimmed, "://");
	if (!rest)
		return tcp_parse(trimmed, trimmed, err);
	rest += 3;
	if (str_after(trimmed, "tcp://"))
		return tcp_parse(trimmed, rest, err);
	if (str_after(trimmed, "fd://"))
		return xstrdup(trimmed);
	if (str_after(trimmed, "unix://")) {
		if (strstr(rest, "://")) {
			error_set(err, ERR_INVALID, "invalid unix address: %s", rest);
			return NULL;
		}
		return *rest ? xstrdup(trimmed) : xstrdup("unix:///var/run/docker.sock");
	}
	error_set(err, ERR_INVALID, "invalid bind address (%s): unsupported proto '%.*s'", trimmed,
		  (int)(rest - 3 - trimmed), trimmed);
	return NULL;
}
