/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets from -H values: unix(7), tcp, and systemd socket activation (sd_listen_fds(3), reimplemented: it is 20 lines). */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/http.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void add(int **fds, size_t *n, int fd)
{
	*fds = xreallocarray(*fds, *n + 1, sizeof(**fds));
	(*fds)[(*n)++] = fd;
}

/* A socket file whose owner answers is another daemon's; one that refuses is stale. */
static int remove_stale(const char *path, const struct sockaddr_un *sa, struct error *err)
{
	auto_close fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, ERR_CONFLICT,
				 "can't create unix socket %s: a file that is no socket is there",
				 path);
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0)
		return error_set(err, ERR_CONFLICT,
				 "can't create unix socket %s: another process listens there",
				 path);
	if (unlink(path) < 0)
		return error_sys(err, errno, "remove stale socket %s", path);
	return 0;
}

/* From /etc/group alone: the name service would load its libraries into the daemon for good. A number is taken as it is. */
static int group_id(const char *name, gid_t *gid)
{
	auto_file FILE *f = fopen("/etc/group", "re");
	struct group g, *found;
	char buf[65536], *end;

	while (f && fgetgrent_r(f, &g, buf, sizeof(buf), &found) == 0)
		if (streq(g.gr_name, name)) {
			*gid = g.gr_gid;
			return 0;
		}
	*gid = (gid_t)strtoul(name, &end, 10);
	return *name && !*end ? 0 : -1;
}

static int listen_unix(const char *path, const char *group, struct error *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_close fd = -1;
	gid_t gid = 0;
	mode_t mask;
	int r;

	if (!*path || strlen(path) >= sizeof(sa.sun_path)) {
		error_set(err, ERR_INVALID, "unix socket path '%s' must have 1 to %zu bytes", path,
			  sizeof(sa.sun_path) - 1);
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path));
	if (remove_stale(path, &sa, err) < 0)
		return -1;
	if (!str_empty(group) && group_id(group, &gid) < 0) {
		if (!streq(group, "docker"))
			return error_set(err, ERR_INVALID,
					 "can't create unix socket %s: group %s not found", path,
					 group);
		log_warn("could not change group of the socket to docker: group docker not found",
			 "socket", path);
		gid = 0;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_sys(err, errno, "socket");
	mask = umask(0777); /* nobody gets in before owner and mode are right */
	r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(mask);
	if (r < 0)
		return error_sys(err, errno, "can't create unix socket %s", path);
	if (chown(path, 0, gid) < 0 || chmod(path, 0660) < 0 || listen(fd, 4096) < 0) {
		error_sys(err, errno, "can't create unix socket %s", path);
		unlink(path);
		return -1;
	}
	return steal_fd(&fd);
}

static int listen_tcp(const char *host_port, int **fds, size_t *n, struct error *err)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE},
			*list = NULL;
	auto_free char *copy = xstrdup(host_port), *host = NULL, *port = NULL;
	const char *colon = strrchr(copy, ':');
	int r, on = 1;

	if (*copy == '[') {
		char *close = strchr(copy, ']');

		if (!close)
			return error_set(err, ERR_INVALID, "invalid bind address format: tcp://%s",
					 host_port);
		host = xstrndup(copy + 1, (size_t)(close - copy - 1));
		port = xstrdup(close[1] == ':' ? close + 2 : "2375");
	} else {
		host = xstrndup(copy, colon ? (size_t)(colon - copy) : strlen(copy));
		port = xstrdup(colon && colon[1] ? colon + 1 : "2375");
	}
	r = getaddrinfo(*host ? host : "127.0.0.1", port, &hints, &list);
	if (r)
		return error_set(err, ERR_INVALID, "listen tcp %s: %s", host_port, gai_strerror(r));
	auto_close fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	r = fd < 0 || bind(fd, list->ai_addr, list->ai_addrlen) < 0 || listen(fd, 4096) < 0 ? errno
											    : 0;
	freeaddrinfo(list);
	if (r)
		return error_sys(err, r, "listen tcp %s", host_port);
	add(fds, n, steal_fd(&fd));
	return 0;
}

/* "" or "*": all; a number: that descriptor; else a name of LISTEN_FDNAMES. */
static int listen_activated(const char *which, int **fds, size_t *n, struct error *err)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"),
		   *names = getenv("LISTEN_FDNAMES");
	auto_strlist l = STRLIST_INIT;
	size_t before = *n;
	int total = 0;

	if (pid && count && atol(pid) == (long)getpid())
		total = atoi(count);
	if (total <= 0)
		return error_set(err, ERR_INVALID,
				 "no sockets found via socket activation: make sure the service "
				 "was started by systemd");
	strlist_split(&l, names ? names : "", ':');
	for (int i = 0; i < total; i++) {
		char number[16];

		snprintf(number, sizeof(number), "%d", 3 + i);
		if (*which && !streq(which, "*") && !streq(which, number) &&
		    !((size_t)i < l.n && streq(l.v[i], which)))
			continue;
		fcntl(3 + i, F_SETFD, FD_CLOEXEC);
		add(fds, n, 3 + i);
	}
	if (*n == before)
		return error_set(err, ERR_INVALID,
				 "failed to find systemd activated socket fd://%s", which);
	return 0;
}

int http_listen(const char *host, const char *group, int **fds, size_t *n, struct error *err)
{
	const char *rest;
	int fd;

	if ((rest = str_after(host, "unix://"))) {
		fd = listen_unix(*rest ? rest : "/var/run/docker.sock", group, err);
		if (fd < 0)
			return -1;
		add(fds, n, fd);
		return 0;
	}
	if ((rest = str_after(host, "tcp://")))
		return listen_tcp(rest, fds, n, err);
	if ((rest = str_after(host, "fd://")))
		return listen_activated(rest, fds, n, err);
	return error_set(
	    err, ERR_INVALID,
	    "invalid bind address format: %s (expected unix://PATH, tcp://HOST:PORT or fd://)",
	    host);
}
