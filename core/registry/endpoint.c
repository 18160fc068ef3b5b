/* SPDX-License-Identifier: Apache-2.0 */
/* See endpoint.h. */
#include "registry/endpoint.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#define PEM_MAX (4 * 1024 * 1024)
#define HUB "https://registry-1.docker.io"

void endpoint_free(struct endpoint *e)
{
	free(e->url);
	free(e->host);
	free(e->cert);
	free(e->key);
	str_free(&e->ca);
	*e = (struct endpoint){.url = NULL};
}

void endpoints_free(struct endpoints *e)
{
	for (size_t i = 0; i < e->n; i++)
		endpoint_free(&e->v[i]);
	free(e->v);
	*e = (struct endpoints){NULL, 0};
}

char *url_host(const char *url)
{
	const char *at = strstr(url, "://"), *user;
	size_t n;

	if (!at)
		return NULL;
	at += 3;
	n = strcspn(at, "/?#\\");
	user = memrchr(at, '@', n);
	if (user) {
		n -= (size_t)(user + 1 - at);
		at = user + 1;
	}
	return n ? xstrndup(at, n) : NULL;
}

bool url_plain(const char *url)
{
	const char *host = str_after(url, "http://");
	size_t n;

	host = host ? host : str_after(url, "https://");
	n = host ? strcspn(host, "/?#") : 0;
	if (!n || memchr(host, '@', n))
		return false;
	for (const unsigned char *c = (const unsigned char *)url; *c; c++)
		if (*c <= ' ' || *c == 0x7f || *c == '\\')
			return false;
	return true;
}

bool same_origin(const char *a, const char *b)
{
	auto_free char *x = url_host(a), *y = url_host(b);
	size_t scheme = strcspn(a, ":");

	return x && y && !strcasecmp(x, y) && scheme == strcspn(b, ":") &&
	       !strncasecmp(a, b, scheme);
}

/* Without port and brackets; malloc'ed. */
static char *bare_host(const char *host)
{
	if (*host == '[')
		return xstrndup(host + 1, strcspn(host + 1, "]"));
	return xstrndup(host, strcspn(host, ":"));
}

/* ---- networks ------------------------------------------------------------------------------------------------------------------------- */

struct address {
	unsigned char b[16];
	int bits; /* 32 or 128 */
};

static bool address_parse(const char *text, struct address *a)
{
	if (inet_pton(AF_INET, text, a->b) == 1)
		return a->bits = 32, true;
	return inet_pton(AF_INET6, text, a->b) == 1 ? (a->bits = 128, true) : false;
}

static bool in_network(const struct address *a, const char *cidr)
{
	const char *slash = strchr(cidr, '/');
	auto_free char *net = slash ? xstrndup(cidr, (size_t)(slash - cidr)) : NULL;
	struct address n;
	long bits;
	char *end;

	if (!net || !address_parse(net, &n) || n.bits != a->bits)
		return false;
	bits = strtol(slash + 1, &end, 10);
	if (*end || end == slash + 1 || bits < 0 || bits > n.bits)
		return false;
	if (memcmp(a->b, n.b, (size_t)bits / 8))
		return false;
	return bits % 8 == 0 || !((a->b[bits / 8] ^ n.b[bits / 8]) & (0xff << (8 - bits % 8)));
}

static bool in_networks(const struct address *a, const struct strlist *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (in_network(a, list->v[i]))
			return true;
	return false;
}

/* Names as they are given, and networks that one of the host's addresses lies in. */
static bool listed(const struct strlist *list, const struct strlist *networks, const char *host)
{
	auto_free char *bare = bare_host(host);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	struct address a;
	bool is = false;

	for (size_t i = 0; i < list->n; i++)
		if (!strcasecmp(list->v[i], host))
			return true;
	if (address_parse(bare, &a))
		return in_networks(&a, list) || in_networks(&a, networks);
	if (getaddrinfo(bare, NULL, &hints, &found) != 0)
		return false;
	for (struct addrinfo *i = found; i && !is; i = i->ai_next) {
		if (i->ai_family == AF_INET) {
			memcpy(a.b, &((struct sockaddr_in *)i->ai_addr)->sin_addr, 4);
			a.bits = 32;
		} else if (i->ai_family == AF_INET6) {
			memcpy(a.b, &((struct sockaddr_in6 *)i->ai_addr)->sin6_addr, 16);
			a.bits = 128;
		} else {
			continue;
		}
		is = in_networks(&a, list) || in_networks(&a, networks);
	}
	freeaddrinfo(found);
	return is;
}

bool registry_is_insecure(const struct registry_settings *s, const char *host)
{
	char *own[] = {(char *)"127.0.0.0/8", (char *)"::1/128", NULL};
	const struct strlist loopback = {own, 2, 2};

	return listed(s->insecure, &loopback, host);
}

bool registry_takes_foreign(const struct registry_settings *s, const char *host)
{
	const struct strlist none = STRLIST_INIT;

	return s->foreign && s->foreign->n && listed(s->foreign, &none, host);
}

/* ---- proxies -------------------------------------------------------------------------------------------------------------------------- */

static const char *setting(const char *key, const char *upper, const char *lower)
{
	const char *v;

	if (!str_empty(key))
		return key;
	v = getenv(upper);
	return str_empty(v) ? getenv(lower) : v;
}

/* One entry of NO_PROXY: "*", network, address, domain (".d" or "d": it and all below), each with an optional port. */
static bool bypasses(const char *entry, const char *bare, const char *port)
{
	const char *colon = *entry == '[' || strchr(entry, '/') ? NULL : strrchr(entry, ':');
	auto_free char *name = NULL;
	struct address a;
	size_t n, h = strlen(bare);

	if (streq(entry, "*"))
		return true;
	if (strchr(entry, '/'))
		return address_parse(bare, &a) && in_network(&a, entry);
	if (colon && strchr(entry, ':') == colon && !streq(colon + 1, port))
		return false;
	name = bare_host(entry);
	if (address_parse(entry, &a)) { /* IPv6 without brackets */
		free(name);
		name = xstrdup(entry);
	}
	n = strlen(*name == '.' ? name + 1 : name);
	if (!n || n > h)
		return false;
	if (n == h)
		return *name != '.' && !strcasecmp(bare, name);
	return bare[h - n - 1] == '.' && !strcasecmp(bare + h - n, *name == '.' ? name + 1 : name);
}

char *proxy_for(const struct registry_settings *s, const char *url)
{
	bool tls = str_after(url, "https://") != NULL;
	const char *proxy = tls ? setting(s->https_proxy, "HTTPS_PROXY", "https_proxy")
				: setting(s->http_proxy, "HTTP_PROXY", "http_proxy"),
		   *no = setting(s->no_proxy, "NO_PROXY", "no_proxy"), *colon;
	auto_free char *host = url_host(url), *bare = NULL;
	auto_strlist entries = STRLIST_INIT;
	struct address a;

	if (str_empty(proxy) || !host)
		return NULL;
	bare = bare_host(host);
	if (!strcasecmp(bare, "localhost") ||
	    (address_parse(bare, &a) &&
	     (in_network(&a, "127.0.0.0/8") || in_network(&a, "::1/128"))))
		return NULL;
	colon = strrchr(host, ':');
	if (!colon || strchr(colon, ']'))
		colon = tls ? ":443" : ":80";
	strlist_split(&entries, no ? no : "", ',');
	for (size_t i = 0; i < entries.n; i++) {
		char *e = entries.v[i] + strspn(entries.v[i], " \t");

		e[strcspn(e, " \t")] = '\0';
		if (*e && bypasses(e, bare, colon + 1))
			return NULL;
	}
	return xstrdup(proxy);
}

/* ---- certs.d -------------------------------------------------------------------------------------------------------------------------- */

static int add_pem(int dir, const char *name, struct str *out, struct error *err)
{
	if (file_read_at(dir, name, PEM_MAX, out, err) < 0)
		return -1;
	str_putc(out, '\n');
	return 0;
}

/* host.crt: authorities; host.cert with host.key: what we show. Source: moby registry/registry.go. */
static int read_certs(const struct registry_settings *s, struct endpoint *e, struct error *err)
{
	auto_free char *path = path_join(s->certs_dir, e->host);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	auto_strlist names = STRLIST_INIT;
	struct dirent *de;

	if (!d)
		return 0;
	while ((de = readdir(d)))
		strlist_add(&names, de->d_name);
	strlist_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.v[i];
		const char *dot = strrchr(name, '.');
		auto_free char *stem = xstrndup(name, dot ? (size_t)(dot - name) : strlen(name)),
			       *other = NULL;

		if (str_ends(name, ".crt") && add_pem(fd, name, &e->ca, err) < 0)
			return error_wrap(err, "%s", path);
		if (str_ends(name, ".cert")) {
			other = xasprintf("%s.key", stem);
			if (!strlist_has(&names, other))
				return error_set(
				    err, ERR_SYSTEM,
				    "missing key %s for client certificate %s. CA certificates "
				    "must use the extension .crt",
				    other, name);
			if (!e->cert) {
				e->cert = path_join(path, name);
				e->key = path_join(path, other);
			}
		}
		if (str_ends(name, ".key")) {
			other = xasprintf("%s.cert", stem);
			if (!strlist_has(&names, other))
				return error_set(err, ERR_SYSTEM,
						 "missing client certificate %s for key %s", other,
						 name);
		}
	}
	return 0;
}

/* ---- endpoints ------------------------------------------------------------------------------------------------------------------------ */

int endpoint_at(const struct registry_settings *s, const char *url, bool insecure,
		struct endpoint *out, struct error *err)
{
	size_t n = strlen(url);

	while (n && url[n - 1] == '/')
		n--;
	*out = (struct endpoint){.url = xstrndup(url, n), .insecure = insecure};
	out->host = url_host(out->url);
	if (!out->host)
		return error_set(err, ERR_INVALID, "%s: no host in the URL", url);
	return str_after(url, "https://") && !strchr(out->host, '/') ? read_certs(s, out, err) : 0;
}

static int add(const struct registry_settings *s, const char *url, bool insecure, bool mirror,
	       struct endpoints *out, struct error *err)
{
	struct endpoint *e;

	out->v = xreallocarray(out->v, out->n + 1, sizeof(*out->v));
	e = &out->v[out->n++];
	if (endpoint_at(s, url, insecure, e, err) < 0)
		return -1;
	e->mirror = mirror;
	return 0;
}

static int add_mirror(const struct registry_settings *s, const char *url, struct endpoints *out,
		      struct error *err)
{
	auto_free char *host = url_host(url);

	return add(s, url, host && registry_is_insecure(s, host), true, out, err);
}

int endpoints_of(const struct registry_settings *s, const char *domain, bool mirrors,
		 struct endpoints *out, struct error *err)
{
	auto_free char *secure = xasprintf("https://%s", domain),
		       *plain = xasprintf("http://%s", domain);
	bool insecure;

	*out = (struct endpoints){NULL, 0};
	if (streq(domain, "docker.io")) {
		for (size_t i = 0; mirrors && i < s->mirrors->n; i++)
			if (add_mirror(s, s->mirrors->v[i], out, err) < 0)
				return -1;
		return add(s, HUB, false, false, out, err);
	}
	insecure = registry_is_insecure(s, domain);
	if (add(s, secure, insecure, false, out, err) < 0)
		return -1;
	return insecure ? add(s, plain, true, false, out, err) : 0;
}
