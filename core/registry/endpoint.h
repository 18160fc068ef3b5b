/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a registry is reached and how far it is trusted: schemes, mirrors, --insecure-registry, certs.d, proxies. Looks at names and files,
 * talks to nobody (but resolves a name to compare it with the insecure networks).
 */
#ifndef REGISTRY_ENDPOINT_H
#define REGISTRY_ENDPOINT_H

#include "registry/registry.h"
#include "registry/transport.h"

struct endpoint {
	char *url;  /* "https://host[:port][/prefix]", no slash at the end */
	char *host; /* "host[:port]" */
	bool mirror;
	bool insecure; /* certificates are not looked at */
	struct str ca;
	char *cert, *key;
};

struct endpoints {
	struct endpoint *v;
	size_t n;
};

void endpoints_free(struct endpoints *e);
/* In the order they are to be tried. `domain` is that of a reference ("docker.io"). mirrors: only for pulls. */
int endpoints_of(const struct registry_settings *s, const char *domain, bool mirrors,
		 struct endpoints *out, struct error *err);
/* One endpoint for a URL, e.g. of an index. */
int endpoint_at(const struct registry_settings *s, const char *url, bool insecure,
		struct endpoint *out, struct error *err);
void endpoint_free(struct endpoint *e);
/* Is `host[:port]` one of --insecure-registry, or on loopback? */
bool registry_is_insecure(const struct registry_settings *s, const char *host);
/* May this registry be sent layers that are not to be distributed? list: host, host:port, networks. */
bool registry_takes_foreign(const struct registry_settings *s, const char *host);
/* "host[:port]" of a URL; malloc'ed, NULL if it has none. */
char *url_host(const char *url);
/* Scheme, host and port are the same: credentials may go there too. */
bool same_origin(const char *a, const char *b);
/*
 * http or https, a host, and nothing that two parsers of URLs could see differently: no user, backslash, blank or control character. All else that
 * a registry leads to is refused.
 */
bool url_plain(const char *url);
/* Proxy for a URL by HTTP_PROXY, HTTPS_PROXY, NO_PROXY and the daemon's keys; malloc'ed, NULL: none. */
char *proxy_for(const struct registry_settings *s, const char *url);

#endif
