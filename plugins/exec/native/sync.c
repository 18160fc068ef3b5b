/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words between the driver and the process that it is making, over a SOCK_SEQPACKET pair. The child's end is close-on-exec: its
 * closing without a word means that the user's program was executed, or that the child is dead.
 */
#include "base/cleanup.h"
#include "native.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

struct word {
	uint32_t type;
	uint32_t kind;
	int32_t number; /* errno, or the pid of SYNC_BORN */
	char text[1016];
};

static int said_error(struct word *w, struct error *err)
{
	w->text[sizeof(w->text) - 1] = '\0';
	error_set(err, w->kind && w->kind < ERR_KINDS ? (enum error_kind)w->kind : ERR_SYSTEM, "%s",
		  w->text);
	err->sys = w->number;
	return -1;
}

void sync_last_word(int sock, struct error *err)
{
	struct word w = {0};
	ssize_t n;

	for (;;) {
		n = recv(sock, &w, sizeof(w), MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == ECONNRESET))
			continue;
		if (n < (ssize_t)offsetof(struct word, text))
			return;
		if (w.type == SYNC_ERROR) {
			said_error(&w, err);
			return;
		}
	}
}

static int send_word(int sock, const struct word *w, int fd, struct error *err)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(void *)w,
			    w->type == SYNC_ERROR ? sizeof(*w) : offsetof(struct word, text)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c;

		mh.msg_control = control;
		mh.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	error_sys(err, errno, "send to the other side of the container's setup");
	/* It is gone, but may have said why. */
	if (w->type != SYNC_ERROR)
		sync_last_word(sock, err);
	return -1;
}

int sync_send(int sock, enum sync_type type, int fd, struct error *err)
{
	return send_word(sock, &(struct word){.type = type}, fd, err);
}

int sync_send_error(int sock, const struct error *what)
{
	struct word w = {.type = SYNC_ERROR, .kind = (uint32_t)what->kind, .number = what->sys};
	struct error ignored;

	memcpy(w.text, what->text, sizeof(w.text));
	return send_word(sock, &w, -1, &ignored);
}

int sync_send_born(int sock, pid_t pid, int pidfd, struct error *err)
{
	return send_word(sock, &(struct word){.type = SYNC_BORN, .number = pid}, pidfd, err);
}

/* What the other side is may be stopped by others in the container: no wait for it is without an end. */
static int wait_word(int sock, int timeout_ms, struct error *err)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	int r;

	do
		r = poll(&p, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return error_sys(err, errno, "poll");
	return r ? 0
		 : error_set(
		       err, ERR_SYSTEM,
		       "the container's process did not get through its setup within %d seconds",
		       timeout_ms / 1000);
}

static int receive_word(int sock, enum sync_type expect, struct word *w, int *fd, int timeout_ms,
			struct error *err)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {w, sizeof(*w)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	auto_close got = -1;
	ssize_t n;

	if (timeout_ms >= 0 && wait_word(sock, timeout_ms, err) < 0)
		return -1;
	/* ECONNRESET comes once, of a peer that left a word unread, and before the words that it said itself */
	do
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n == 0)
		return 0;
	if (n < (ssize_t)offsetof(struct word, text))
		return error_sys(err, n < 0 ? errno : EPROTO,
				 "receive from the other side of the container's setup");
	c = CMSG_FIRSTHDR(&mh);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&got, CMSG_DATA(c), sizeof(int));
	if (w->type == SYNC_ERROR)
		return said_error(w, err);
	if (w->type != expect)
		return error_set(err, ERR_SYSTEM, "container's setup out of step (%u, not %d)",
				 w->type, (int)expect);
	if (fd)
		*fd = steal_fd(&got);
	return 1;
}

int sync_receive(int sock, enum sync_type expect, int *fd, int timeout_ms, struct error *err)
{
	struct word w = {0};

	return receive_word(sock, expect, &w, fd, timeout_ms, err);
}

int sync_receive_born(int sock, pid_t *pid, int *pidfd, int timeout_ms, struct error *err)
{
	struct word w = {0};
	int r = receive_word(sock, SYNC_BORN, &w, pidfd, timeout_ms, err);

	*pid = w.number;
	return r;
}
