/* SPDX-License-Identifier: Apache-2.0 */
/* See msg.h. unix(7), cmsg(3). */
#include "proto/msg.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct header {
	uint32_t magic;
	uint16_t type, fields;
	uint32_t seq, len;
};

struct field {
	uint16_t tag, zero;
	uint32_t len;
};

void msg_init(struct msg *m, uint16_t type)
{
	*m = (struct msg){.type = type};
}

void msg_free(struct msg *m)
{
	for (size_t i = 0; i < m->n_fds; i++)
		fd_close(&m->fds[i]);
	str_free(&m->body);
	*m = (struct msg){0};
}

void msg_put(struct msg *m, uint16_t tag, const void *data, size_t len)
{
	static const char zeros[4];
	struct field f = {.tag = tag, .len = (uint32_t)len};

	str_add(&m->body, &f, sizeof(f));
	str_add(&m->body, data, len);
	str_add(&m->body, zeros, -len & 3);
	m->fields++;
}

void msg_put_str(struct msg *m, uint16_t tag, const char *s)
{
	if (s)
		msg_put(m, tag, s, strlen(s) + 1);
}

void msg_put_u32(struct msg *m, uint16_t tag, uint32_t v)
{
	msg_put(m, tag, &v, sizeof(v));
}

void msg_put_u64(struct msg *m, uint16_t tag, uint64_t v)
{
	msg_put(m, tag, &v, sizeof(v));
}

void msg_put_i64(struct msg *m, uint16_t tag, int64_t v)
{
	msg_put(m, tag, &v, sizeof(v));
}

int msg_put_fd(struct msg *m, uint16_t tag, int fd)
{
	int copy;

	if (m->n_fds == MSG_MAX_FDS)
		return -1;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -1;
	msg_put_u32(m, tag, (uint32_t)m->n_fds);
	m->fds[m->n_fds++] = copy;
	return 0;
}

bool msg_next(const struct msg *m, uint16_t tag, size_t *pos, const void **data, size_t *len)
{
	while (*pos + sizeof(struct field) <= m->body.len) {
		struct field f;
		const char *at;

		memcpy(&f, m->body.p + *pos, sizeof(f));
		*pos += sizeof(f);
		at = m->body.p + *pos;

		*pos += (f.len + 3) & ~(size_t)3; /* msg_parse has checked that it fits */
		if (f.tag != tag)
			continue;
		*data = at; /* a tag that isn't there leaves both alone */
		*len = f.len;
		return true;
	}
	return false;
}

bool msg_get(const struct msg *m, uint16_t tag, const void **data, size_t *len)
{
	size_t pos = 0;

	return msg_next(m, tag, &pos, data, len);
}

const char *msg_get_str(const struct msg *m, uint16_t tag)
{
	const void *p;
	size_t len;

	if (!msg_get(m, tag, &p, &len) || !len || memchr(p, 0, len) != (const char *)p + len - 1)
		return NULL;
	return p;
}

static bool get_sized(const struct msg *m, uint16_t tag, void *out, size_t size)
{
	const void *p;
	size_t len;

	if (!msg_get(m, tag, &p, &len) || len != size)
		return false;
	memcpy(out, p, size);
	return true;
}

uint32_t msg_get_u32(const struct msg *m, uint16_t tag, uint32_t fallback)
{
	uint32_t v;

	return get_sized(m, tag, &v, sizeof(v)) ? v : fallback;
}

uint64_t msg_get_u64(const struct msg *m, uint16_t tag, uint64_t fallback)
{
	uint64_t v;

	return get_sized(m, tag, &v, sizeof(v)) ? v : fallback;
}

int64_t msg_get_i64(const struct msg *m, uint16_t tag, int64_t fallback)
{
	int64_t v;

	return get_sized(m, tag, &v, sizeof(v)) ? v : fallback;
}

int msg_take_fd(struct msg *m, uint16_t tag)
{
	uint32_t at = msg_get_u32(m, tag, UINT32_MAX);

	return at < m->n_fds ? steal_fd(&m->fds[at]) : -1;
}

int msg_parse(struct msg *m, const void *packet, size_t len, struct error *err)
{
	struct header h;
	const char *p = packet;
	size_t at = sizeof(h);
	unsigned int fields = 0;

	if (len < sizeof(h))
		return error_set(err, ERR_INVALID, "message: %zu bytes are too few", len);
	memcpy(&h, p, sizeof(h));
	if (h.magic != MSG_MAGIC)
		return error_set(err, ERR_INVALID, "message: wrong magic %08x", h.magic);
	if (h.len != len - sizeof(h))
		return error_set(err, ERR_INVALID, "message: length %u, but %zu bytes came", h.len,
				 len - sizeof(h));
	while (at < len) {
		struct field f;
		size_t padded;

		if (len - at < sizeof(f))
			return error_set(err, ERR_INVALID, "message: cut field");
		memcpy(&f, p + at, sizeof(f));
		at += sizeof(f);
		padded = ((size_t)f.len + 3) & ~(size_t)3;
		if (padded > len - at)
			return error_set(err, ERR_INVALID,
					 "message: field %u is longer than the message", f.tag);
		at += padded;
		fields++;
	}
	if (fields != h.fields)
		return error_set(err, ERR_INVALID, "message: %u fields announced, %u found",
				 h.fields, fields);
	m->type = h.type;
	m->fields = h.fields;
	m->seq = h.seq;
	str_reset(&m->body);
	str_add(&m->body, p + sizeof(h), len - sizeof(h));
	return 0;
}

void msg_encode(const struct msg *m, struct str *out)
{
	struct header h = {.magic = MSG_MAGIC,
			   .type = m->type,
			   .fields = m->fields,
			   .seq = m->seq,
			   .len = (uint32_t)m->body.len};

	str_add(out, &h, sizeof(h));
	str_add(out, m->body.p, m->body.len);
}

int msg_send(int sock, const struct msg *m, struct error *err)
{
	struct header h = {.magic = MSG_MAGIC,
			   .type = m->type,
			   .fields = m->fields,
			   .seq = m->seq,
			   .len = (uint32_t)m->body.len};
	char control[CMSG_SPACE(sizeof(int) * MSG_MAX_FDS)] = {0};
	struct iovec iov[2] = {{&h, sizeof(h)}, {m->body.p, m->body.len}};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = m->body.len ? 2 : 1};
	ssize_t n;

	if (sizeof(h) + m->body.len > MSG_MAX)
		return error_set(err, ERR_SYSTEM, "message of type %u is too large (%zu bytes)",
				 m->type, m->body.len);
	if (m->n_fds) {
		struct cmsghdr *c;

		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * m->n_fds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * m->n_fds);
		memcpy(CMSG_DATA(c), m->fds, sizeof(int) * m->n_fds);
	}
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		return error_set(err, ERR_CANCELLED, "the peer has closed the connection");
	if (n < 0)
		return error_sys(err, errno, "sendmsg");
	return 0;
}

/* Receive all descriptors of the packet into m->fds. -1 if the kernel had to cut them. */
static int take_control(struct msghdr *mh, struct msg *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(m->fds + m->n_fds, CMSG_DATA(c),
		       n * sizeof(int)); /* control holds MSG_MAX_FDS */
		m->n_fds += n;
	}
	return mh->msg_flags & MSG_CTRUNC ? -1 : 0;
}

static int wait_readable(int sock, int timeout_ms, struct error *err)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	int64_t end = clock_mono_ns() + timeout_ms * INT64_C(1000000);
	int r;

	for (;;) {
		r = poll(&p, 1, timeout_ms);
		if (r > 0)
			return 0;
		if (r == 0)
			return error_set(err, ERR_UNAVAILABLE, "no answer within %d ms",
					 timeout_ms);
		if (errno != EINTR)
			return error_sys(err, errno, "poll");
		timeout_ms = (int)((end - clock_mono_ns()) / 1000000);
		if (timeout_ms < 0)
			timeout_ms = 0;
	}
}

int msg_recv(int sock, struct msg *m, int timeout_ms, struct error *err)
{
	char control[CMSG_SPACE(sizeof(int) * MSG_MAX_FDS)];
	char small[2048];
	auto_free char *large = NULL;
	struct iovec iov = {small, 0};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	msg_free(m);
	if (timeout_ms >= 0 && wait_readable(sock, timeout_ms, err) < 0)
		return -1;
	/* Most messages are small; look at the length first, so that threads with small stacks need no 64 KiB buffer. */
	do
		n = recv(sock, NULL, 0, MSG_PEEK | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return error_sys(err, errno, "recv");
	if (n > MSG_MAX)
		return error_set(err, ERR_INVALID, "message of %zd bytes is too large", n);
	if (n > (ssize_t)sizeof(small))
		iov.iov_base = large = xmalloc((size_t)n);
	iov.iov_len = n > (ssize_t)sizeof(small) ? (size_t)n : sizeof(small);
	mh.msg_control = control;
	mh.msg_controllen = sizeof(control);
	do
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n < 0)
		return error_sys(err, errno, "recvmsg");
	if (take_control(&mh, m) < 0 || mh.msg_flags & MSG_TRUNC) {
		msg_free(m);
		return error_set(err, ERR_INVALID, "message was cut by the kernel");
	}
	if (msg_parse(m, iov.iov_base, (size_t)n, err) < 0) {
		msg_free(m);
		return -1;
	}
	return 1;
}

int msg_to_error(const struct msg *m, struct error *err)
{
	uint32_t kind = msg_get_u32(m, TAG_ERROR_KIND, ERR_SYSTEM);
	const char *text = msg_get_str(m, TAG_ERROR_TEXT);

	if (kind == ERR_NONE || kind >= ERR_KINDS)
		kind = ERR_SYSTEM;
	error_set(err, (enum error_kind)kind, "%s", text ? text : "error without a text");
	err->sys = (int)msg_get_u32(m, TAG_ERROR_SYS, 0);
	return -1;
}

int msg_answer(int sock, struct msg *reply, int timeout_ms, struct error *err)
{
	int r = msg_recv(sock, reply, timeout_ms, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return error_set(err, ERR_CANCELLED,
				 "the peer closed the connection without an answer");
	if (reply->type == MSG_ERROR)
		return msg_to_error(reply, err);
	return 0;
}

int msg_call(int sock, const struct msg *request, struct msg *reply, int timeout_ms,
	     struct error *err)
{
	return msg_send(sock, request, err) < 0 ? -1 : msg_answer(sock, reply, timeout_ms, err);
}

int msg_reply_ok(int sock, uint32_t seq, struct error *err)
{
	struct msg m;

	msg_init(&m, MSG_OK);
	m.seq = seq;
	return msg_send(sock, &m, err);
}

int msg_reply_error(int sock, uint32_t seq, const struct error *what, struct error *err)
{
	auto_msg m = {0};

	msg_init(&m, MSG_ERROR);
	m.seq = seq;
	msg_put_u32(&m, TAG_ERROR_KIND, (uint32_t)what->kind);
	msg_put_str(&m, TAG_ERROR_TEXT, what->text);
	msg_put_u32(&m, TAG_ERROR_SYS, (uint32_t)what->sys);
	return msg_send(sock, &m, err);
}

static void fill_hello(struct msg *m, const char *name, uint32_t min, uint32_t max)
{
	msg_init(m, MSG_HELLO);
	msg_put_u32(m, TAG_VERSION_MIN, min);
	msg_put_u32(m, TAG_VERSION_MAX, max);
	msg_put_str(m, TAG_SERVER, name);
}

int msg_hello_agree(const struct msg *theirs, uint32_t min, uint32_t max, uint32_t *version,
		    struct error *err)
{
	uint32_t their_min = msg_get_u32(theirs, TAG_VERSION_MIN, 0),
		 their_max = msg_get_u32(theirs, TAG_VERSION_MAX, 0);
	const char *name = msg_get_str(theirs, TAG_SERVER);

	if (theirs->type != MSG_HELLO)
		return error_set(err, ERR_INVALID, "expected a hello, got message type %u",
				 theirs->type);
	*version = max < their_max ? max : their_max;
	if (!*version || *version < min || *version < their_min)
		return error_set(err, ERR_UNAVAILABLE,
				 "%s speaks protocol versions %u to %u, the other side %u to %u",
				 name ? name : "peer", their_min, their_max, min, max);
	return 0;
}

int msg_hello_send(int sock, const char *name, uint32_t min, uint32_t max, struct error *err)
{
	auto_msg hello = {0};

	fill_hello(&hello, name, min, max);
	return msg_send(sock, &hello, err);
}

int msg_hello_call(int sock, const char *name, uint32_t min, uint32_t max, uint32_t *version,
		   const struct msg *request, struct msg *reply, int timeout_ms, struct error *err)
{
	auto_msg hello = {0}, answer = {0};

	fill_hello(&hello, name, min, max);
	if (msg_send(sock, &hello, err) < 0 || msg_send(sock, request, err) < 0)
		return -1;
	if (msg_answer(sock, &answer, 10000, err) < 0)
		return error_wrap(err, "handshake");
	if (msg_hello_agree(&answer, min, max, version, err) < 0)
		return -1;
	return msg_answer(sock, reply, timeout_ms, err);
}

int msg_hello_client(int sock, const char *name, uint32_t min, uint32_t max, uint32_t *version,
		     struct error *err)
{
	auto_msg hello = {0}, answer = {0};

	fill_hello(&hello, name, min, max);
	if (msg_call(sock, &hello, &answer, 10000, err) < 0)
		return error_wrap(err, "handshake");
	return msg_hello_agree(&answer, min, max, version, err);
}

int msg_hello_server(int sock, const struct msg *hello, const char *name, uint32_t min,
		     uint32_t max, uint32_t *version, struct error *err)
{
	auto_msg answer = {0};
	struct error send_err;

	if (msg_hello_agree(hello, min, max, version, err) < 0) {
		msg_reply_error(sock, hello->seq, err, &send_err);
		return -1;
	}
	fill_hello(&answer, name, min, max);
	answer.seq = hello->seq;
	return msg_send(sock, &answer, err);
}

/* sun_path holds 107 bytes; a longer path goes through an open directory. */
static int fill_address(const char *path, struct sockaddr_un *sa, int *dirfd, struct error *err)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = NULL;
	int n;

	*dirfd = -1;
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) < sizeof(sa->sun_path)) {
		memcpy(sa->sun_path, path, strlen(path) + 1);
		return 0;
	}
	dir = xstrndup(path, slash ? (size_t)(slash - path) : 0);
	*dirfd = open(slash ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dirfd < 0)
		return error_sys(err, errno, "open %s", dir);
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", *dirfd,
		     slash ? slash + 1 : path);
	if (n < 0 || (size_t)n >= sizeof(sa->sun_path))
		return error_set(err, ERR_INVALID, "socket name %s is too long", path);
	return 0;
}

int msg_listen(const char *path, struct error *err)
{
	auto_close fd = -1, dirfd = -1;
	struct sockaddr_un sa;

	if (fill_address(path, &sa, &dirfd, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_sys(err, errno, "socket");
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(path, 0600) < 0 ||
	    listen(fd, 128) < 0)
		return error_sys(err, errno, "listen at %s", path);
	return steal_fd(&fd);
}

int msg_connect(const char *path, struct error *err)
{
	auto_close fd = -1, dirfd = -1;
	struct sockaddr_un sa;

	if (fill_address(path, &sa, &dirfd, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_sys(err, errno, "socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return error_sys(err, errno, "connect to %s", path);
	return steal_fd(&fd);
}
