/* SPDX-License-Identifier: Apache-2.0 */
/* Where the daemon listens: -H values, and TLS in front of those that are TCP. */
#include "main/daemon.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "api/api.h"
#include "config/units.h"
#include "http/http.h"
#include "tls/tls.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

static void take(void *server, int fd, const char *name)
{
	http_server_take(server, fd, name);
}

/* A file of --tls*: as given, else in $DOCKER_CERT_PATH or ~/.docker, there or not. */
static char *tls_file(const char *key, const char *name)
{
	const char *given = config_str(daemon_config(), key), *dir = getenv("DOCKER_CERT_PATH"),
		   *home = getenv("HOME");

	if (*given)
		return xstrdup(given);
	return !str_empty(dir) ? xasprintf("%s/%s", dir, name)
			       : xasprintf("%s/.docker/%s", str_empty(home) ? "/root" : home, name);
}

static int start_tls(struct http_server *server, struct error *err)
{
	auto_free char *ca = tls_file("tlscacert", "ca.pem"),
		       *cert = tls_file("tlscert", "cert.pem"),
		       *key = tls_file("tlskey", "key.pem");
	const struct tls_files files = {config_tls_verify(daemon_config()) ? ca : NULL, cert, key};

	return tls_open(&files, take, server, err);
}

static bool is_tcp(int fd)
{
	struct sockaddr_storage a = {0};
	socklen_t len = sizeof(a);

	return getsockname(fd, (struct sockaddr *)&a, &len) == 0 && a.ss_family != AF_UNIX;
}

static int listen_tls(int fd, struct error *err)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return error_sys(err, errno, "watch listening socket");
	return tls_listen(fd, err);
}

/* -H as it was given, or what none stands for: with TLS the local port that clients with certificates know. */
static int listen_at(const char *host, int **fds, size_t *n, struct error *err)
{
	const char *none = config_tls(daemon_config()) ? "tcp://localhost:2376" : "";
	auto_free char *whole = host_parse(str_empty(host) ? none : host, err);

	return whole ? http_listen(whole, config_str(daemon_config(), "group"), fds, n, err) : -1;
}

int listeners_bind(struct http_server *server, struct error *err)
{
	const struct strlist *hosts = config_list(daemon_config(), "hosts");
	bool tls = config_tls(daemon_config());
	auto_free int *fds = NULL;
	size_t n = 0;

	if (tls && start_tls(server, err) < 0)
		return -1;
	for (size_t i = 0; i < (hosts->n ? hosts->n : 1); i++)
		if (listen_at(hosts->n ? hosts->v[i] : "", &fds, &n, err) < 0)
			return error_wrap(err, "failed to load listeners");
	for (size_t i = 0; i < n; i++)
		if ((tls && is_tcp(fds[i]) ? listen_tls(fds[i], err)
					   : http_server_listen(server, fds[i], err)) < 0)
			return -1;
	return 0;
}

static int open_metrics(const char *addr, struct http_server **out, struct error *err)
{
	auto_free char *host = xasprintf("tcp://%s", addr);
	auto_free int *fds = NULL;
	size_t n = 0;

	if (!strchr(addr, ':'))
		return error_set(err, ERR_INVALID,
				 "listen tcp: address %s: missing port in address", addr);
	if (http_listen(host, "", &fds, &n, err) < 0)
		return -1;
	*out = http_server_new(api_metrics, NULL);
	for (size_t i = 0; i < n; i++)
		if (http_server_listen(*out, fds[i], err) < 0)
			return -1;
	if (http_server_start(*out, err) < 0)
		return -1;
	log_info("metrics API listening", "address", addr);
	return 0;
}

int listeners_metrics(struct http_server **out, struct error *err)
{
	const char *addr = config_str(daemon_config(), "metrics-addr");

	*out = NULL;
	if (!*addr || open_metrics(addr, out, err) == 0)
		return 0;
	return error_wrap(err, "failed to start metrics server");
}

void listeners_announce(void)
{
	const struct strlist *hosts = config_list(daemon_config(), "hosts");
	auto_strlist warnings = STRLIST_INIT;

	api_access_warnings(&warnings);
	for (size_t i = 0; i < warnings.n; i++)
		log_warn(warnings.v[i]);
	log_info("Daemon has completed initialization");
	for (size_t i = 0; i < hosts->n; i++) {
		const char *rest = strstr(hosts->v[i], "://");
		auto_free char *text = xasprintf(
		    "API listen on %s", rest && rest[3] ? rest + 3 : hosts->v[i]); /* "fd://" */

		log_info(text);
	}
	if (!hosts->n)
		log_info(config_tls(daemon_config()) ? "API listen on localhost:2376"
						     : "API listen on /var/run/docker.sock");
	notify_systemd("READY=1");
}
