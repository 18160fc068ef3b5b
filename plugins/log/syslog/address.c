/* SPDX-License-Identifier: Apache-2.0 */
/* syslog-address. See syslog.h. */
#include "syslog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PORT "514"

static int socket_path(const char *path, struct address *out, struct dockerd_error *err)
{
	struct stat st;

	if (strlen(path) >= sizeof(out->path))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "path of a socket is too long: %s",
				    path);
	if (!*path || stat(path, &st) < 0)
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "stat %s: %s", path,
				    !*path || errno == ENOENT ? "no such file or directory"
							      : strerror(errno));
	strcpy(out->path, path);
	return 0;
}

static int host_and_port(const char *text, const char *at, struct address *out,
			 struct dockerd_error *err)
{
	size_t n = strcspn(at, "/?#");
	const char *colon = *at == '[' ? memchr(at, ']', n) : NULL, *host = at;
	size_t host_n;

	if (*at == '[' && !colon)
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "parse \"%s\": missing ']' in host",
				    text);
	colon = colon ? (colon[1] == ':' ? colon + 1 : NULL) : memchr(at, ':', n);
	host_n = colon ? (size_t)(colon - at) : n;
	if (*host == '[') { /* an IPv6 address */
		host++;
		host_n -= 2;
	}
	if (host_n >= sizeof(out->host))
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "host name is too long: %s", text);
	snprintf(out->host, sizeof(out->host), "%.*s", (int)host_n, host);
	strcpy(out->port, PORT);
	if (colon && colon + 1 < at + n) {
		size_t port_n = n - (size_t)(colon + 1 - at);

		if (strspn(colon + 1, "0123456789") < port_n)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "parse \"%s\": invalid port \"%.*s\" after host", text,
					    (int)port_n + 1, colon);
		if (port_n > 5 || atoi(colon + 1) > 65535)
			return dockerd_fail(err, DOCKERD_ERR_INVALID, "invalid port in %s", text);
		snprintf(out->port, sizeof(out->port), "%.*s", (int)port_n, colon + 1);
	}
	return 0;
}

int address_parse(const char *text, struct address *out, struct dockerd_error *err)
{
	const char *end = text ? strstr(text, "://") : NULL;
	size_t n = end ? (size_t)(end - text) : 0;

	*out = (struct address){.to = TO_LOCAL};
	if (!text || !*text)
		return 0;
	if (*text == ':')
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "parse \"%s\": missing protocol scheme", text);
#define IS(scheme) (n == sizeof(scheme) - 1 && !strncmp(text, scheme, n))
	if (IS("unix") || IS("unixgram")) {
		out->to = IS("unix") ? TO_UNIX : TO_UNIXGRAM;
		return socket_path(end + 3, out, err);
	}
	if (IS("udp") || IS("tcp")) {
		out->to = IS("udp") ? TO_UDP : TO_TCP;
		return host_and_port(text, end + 3, out, err);
	}
	if (IS("tcp+tls"))
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "syslog-address %s: tcp+tls is not supported yet", text);
#undef IS
	return dockerd_fail(err, DOCKERD_ERR_INVALID, "unsupported scheme: '%.*s'", (int)n, text);
}
