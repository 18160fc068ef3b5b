/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syslog driver: options, connecting, sending. Every wait is a poll(2) beside cancel_fd, so that nobody waits for a server that hangs. A
 * connection that broke is made anew at once, with the message that failed; a server that is not there is DOCKERD_ERR_UNAVAILABLE, and the daemon
 * offers the rest again later. Datagrams to a host where nobody listens are lost, as everywhere.
 */
#include "syslog.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../common/tag.h"

#define DEFAULT_TAG "{{.ID}}"

static const struct dockerd_option options[] = {
    {.key = "syslog-address",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "udp://host[:port], tcp://host[:port], unix://path or unixgram://path; default: this "
	     "machine's syslog"},
    {.key = "syslog-facility",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "name or number of the facility; default daemon"},
    {.key = "syslog-format",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help =
	 "rfc3164, rfc5424 or rfc5424micro; default: that of syslog(3), without the host's name"},
    {.key = "tag",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help =
	 "template of the program's name: {{.ID}} (the default), {{.Name}}, {{.ImageName}}, ..."},
    {.key = "labels",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "taken, and without effect: a line of syslog has no place for labels"},
    {.key = "labels-regex",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "taken, and without effect"},
    {.key = "env",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "taken, and without effect"},
    {.key = "env-regex",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "taken, and without effect"},
    {.key = "syslog-tls-ca-cert",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "for tcp+tls, which is not supported yet"},
    {.key = "syslog-tls-cert",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "for tcp+tls, which is not supported yet"},
    {.key = "syslog-tls-key",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "for tcp+tls, which is not supported yet"},
    {.key = "syslog-tls-skip-verify",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_CONTAINER,
     .help = "for tcp+tls, which is not supported yet"},
};

/* What a container's messages are sent with; of one thread at a time. */
struct stream {
	struct address address;
	struct header header;
	char hostname[256];
	char *tag;
	int fd;          /* -1: not connected */
	bool connection; /* not datagrams */
	int cancel_fd;
	char *line; /* grows with the longest message */
	size_t line_max;
};

static char nothing; /* the instance */

static const char *given(const struct dockerd_options *o, const char *key)
{
	const struct dockerd_value *v = dockerd_option_get(o, key);

	return v && v->text ? v->text : "";
}

static int settings_read(const struct dockerd_options *o, struct address *a, struct header *h,
			 struct dockerd_error *err)
{
	return address_parse(given(o, "syslog-address"), a, err) < 0 ||
		       facility_parse(given(o, "syslog-facility"), &h->facility, err) < 0 ||
		       format_parse(given(o, "syslog-format"), &h->format, err) < 0
		   ? -1
		   : 0;
}

static int32_t validate(const struct dockerd_options *o, struct dockerd_error *err)
{
	struct address a;
	struct header h;

	return settings_read(o, &a, &h, err);
}

/* ---- Connecting --------------------------------------------------------------------------------------------------------------------- */

/* 0 when fd is ready; -1: cancelled, with err. */
static int wait_for(const struct stream *s, int fd, short events, struct dockerd_error *err)
{
	struct pollfd p[] = {{.fd = fd, .events = events}, {.fd = s->cancel_fd, .events = POLLIN}};
	int n;

	do
		n = poll(p, 2, -1);
	while (n < 0 && errno == EINTR);
	if (n > 0 && !p[1].revents)
		return 0;
	return n < 0 ? dockerd_fail_errno(err, errno, "poll")
		     : dockerd_fail(err, DOCKERD_ERR_CANCELLED, "cancelled");
}

static void hang_up(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Connected socket into s->fd; -1 with errno, or with err (errno 0) if cancelled. */
static int connect_to(struct stream *s, int type, const struct sockaddr *to, socklen_t n,
		      struct dockerd_error *err)
{
	socklen_t size = sizeof(errno);
	int why;

	s->fd = socket(to->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -1;
	s->connection = type == SOCK_STREAM;
	if (connect(s->fd, to, n) == 0)
		return 0;
	why = errno;
	if (why == EINPROGRESS) {
		if (wait_for(s, s->fd, POLLOUT, err) < 0) {
			hang_up(s);
			errno = 0;
			return -1;
		}
		if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &why, &size) == 0 && !why)
			return 0;
	}
	hang_up(s);
	errno = why;
	return -1;
}

static int connect_path(struct stream *s, int type, const char *path, struct dockerd_error *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	return connect_to(s, type, (struct sockaddr *)&to, sizeof(to), err);
}

/* moby's places and order. */
static int connect_local(struct stream *s, struct dockerd_error *err)
{
	static const char *const paths[] = {"/dev/log", "/var/run/syslog", "/var/run/log"};
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};

	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
		for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
			if (connect_path(s, types[t], paths[i], err) == 0)
				return 0;
			else if (!errno)
				return -1;
	return dockerd_fail(err, DOCKERD_ERR_UNAVAILABLE, "Unix syslog delivery error");
}

static int connect_host(struct stream *s, struct dockerd_error *err)
{
	const struct address *a = &s->address;
	bool tcp = a->to == TO_TCP;
	struct addrinfo hints = {.ai_socktype = tcp ? SOCK_STREAM : SOCK_DGRAM,
				 .ai_flags = AI_NUMERICSERV},
			*list = NULL;
	int r = getaddrinfo(*a->host ? a->host : NULL, a->port, &hints, &list), why = 0;

	if (r)
		return dockerd_fail(err, DOCKERD_ERR_UNAVAILABLE, "dial %s: lookup %s: %s",
				    tcp ? "tcp" : "udp", a->host, gai_strerror(r));
	for (struct addrinfo *i = list; i; i = i->ai_next) {
		if (connect_to(s, hints.ai_socktype, i->ai_addr, i->ai_addrlen, err) == 0) {
			freeaddrinfo(list);
			return 0;
		}
		why = errno;
		if (!why)
			break; /* cancelled */
	}
	freeaddrinfo(list);
	return !why ? -1
		    : dockerd_fail(err, DOCKERD_ERR_UNAVAILABLE, "dial %s %s%s%s:%s: connect: %s",
				   tcp ? "tcp" : "udp", strchr(a->host, ':') ? "[" : "", a->host,
				   strchr(a->host, ':') ? "]" : "", a->port,
				   why == ECONNREFUSED ? "connection refused" : strerror(why));
}

static int dial(struct stream *s, struct dockerd_error *err)
{
	const char *path = s->address.path;
	bool datagrams = s->address.to == TO_UNIXGRAM;

	if (s->fd >= 0)
		return 0;
	if (s->address.to == TO_LOCAL)
		return connect_local(s, err);
	if (s->address.to == TO_UDP || s->address.to == TO_TCP)
		return connect_host(s, err);
	if (connect_path(s, datagrams ? SOCK_DGRAM : SOCK_STREAM, path, err) == 0)
		return 0;
	return !errno ? -1
		      : dockerd_fail(err, DOCKERD_ERR_UNAVAILABLE, "dial %s %s: connect: %s",
				     datagrams ? "unixgram" : "unix", path, strerror(errno));
}

/* ---- Sending ------------------------------------------------------------------------------------------------------------------------ */

/* A connection that the other side has ended takes one more write before it says so: the message would be lost. */
static void drop_dead(struct stream *s)
{
	char c;

	if (s->fd < 0 || !s->connection)
		return;
	if (recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		hang_up(s);
}

/* 0: sent; -1 with errno (0: cancelled, with err). */
static int send_once(struct stream *s, size_t n, struct dockerd_error *err)
{
	for (size_t sent = 0; sent < n;) {
		ssize_t r = send(s->fd, s->line + sent, n - sent, MSG_NOSIGNAL);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			if (wait_for(s, s->fd, POLLOUT, err) == 0)
				continue;
			errno = 0;
			return -1;
		}
		if (r < 0)
			return -1;
		sent += (size_t)r;
	}
	return 0;
}

static int send_line(struct stream *s, size_t n, struct dockerd_error *err)
{
	drop_dead(s);
	for (int tries = 0; tries < 2; tries++) {
		if (dial(s, err) < 0)
			return -1;
		if (send_once(s, n, err) == 0)
			return 0;
		if (!errno)
			return -1;
		if (errno == EMSGSIZE)
			return dockerd_fail_errno(err, errno, "write");
		/* what a datagram before met; nobody may be listening to this one either */
		if (s->address.to == TO_UDP && tries)
			return 0;
		hang_up(s);
	}
	return dockerd_fail(err, DOCKERD_ERR_UNAVAILABLE, "write: %s", strerror(errno));
}

static int make_room(struct stream *s, uint64_t length, struct dockerd_error *err)
{
	size_t need = HEADER_MAX + (size_t)length + 1;
	char *bigger;

	if (length > SIZE_MAX / 2)
		return dockerd_fail(err, DOCKERD_ERR_INVALID, "message of %llu bytes is too long",
				    (unsigned long long)length);
	if (need <= s->line_max)
		return 0;
	bigger = realloc(s->line, need);
	if (!bigger)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory for a message");
	s->line = bigger;
	s->line_max = need;
	return 0;
}

static int32_t stream_write(void *self, void *stream, const struct dockerd_log_message *m,
			    uint32_t n, uint32_t *done, struct dockerd_error *err)
{
	struct stream *s = stream;

	(void)self;
	for (*done = 0; *done < n; ++*done) {
		const struct dockerd_log_message *at = DOCKERD_AT(m, *done);

		if (make_room(s, at->length, err) < 0 ||
		    send_line(s, format_line(&s->header, at, s->line), err) < 0)
			return -1;
	}
	return 0;
}

/* ---- Life --------------------------------------------------------------------------------------------------------------------------- */

static void stream_close(void *self, void *stream)
{
	struct stream *s = stream;

	(void)self;
	hang_up(s);
	free(s->tag);
	free(s->line);
	free(s);
}

static int make_tag(struct stream *s, const struct dockerd_log_info *info,
		    struct dockerd_error *err)
{
	const char *wanted = given(info->options, "tag");
	struct text text = {0};
	int r = tag_expand(*wanted ? wanted : DEFAULT_TAG, info, &text, err);

	s->tag = text.p;
	s->header.tag = text.p ? text.p : "";
	return r;
}

static int32_t stream_open(void *self, const struct dockerd_log_info *info, void **stream,
			   struct dockerd_error *err)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory for a log stream");
	s->fd = -1;
	s->cancel_fd = info->cancel_fd;
	s->header.pid = (int)getpid();
	s->header.hostname = s->hostname;
	if (gethostname(s->hostname, sizeof(s->hostname) - 1) < 0)
		strcpy(s->hostname, "-");
	if (settings_read(info->options, &s->address, &s->header, err) < 0 ||
	    make_tag(s, info, err) < 0 || dial(s, err) < 0) {
		stream_close(self, s);
		return -1;
	}
	*stream = s;
	return 0;
}

static int32_t driver_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	(void)args;
	(void)err;
	tzset(); /* localtime_r need not */
	*self = &nothing;
	return 0;
}

static void driver_close(void *self)
{
	(void)self;
}

static const struct dockerd_log_ops ops = {
    .common = {.size = sizeof(ops), .open = driver_open, .close = driver_close},
    .validate = validate,
    .stream_open = stream_open,
    .write = stream_write,
    .stream_close = stream_close,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_LOG, .name = "syslog", .version = "1.0",
	       .description = "sends messages to a syslog server, in moby's formats",
	       .concurrency = DOCKERD_PER_OBJECT, DOCKERD_OPTIONS(options), .ops = &ops.common);
