/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words between the driver and the process that it is making, over a SOCK_SEQPACKET pair. The child's end is close-on-exec: its
 * closing without a word means that the user's program was executed, or that the child is dead.
 */
#include "base/cleanup.h"
#include "native.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct word {
	uint32_t type;
	uint32_t kind;
	int32_t sys;
	char text[1016];
};

int sync_send(int sock, enum sync_type type, int fd, const struct error *what, struct error *err)
{
	struct word w = {.type = type};
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {&w, offsetof(struct word, text)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (what) {
		w.kind = (uint32_t)what->kind;
		w.sys = what->sys;
		memcpy(w.text, what->text, sizeof(w.text));
		iov.iov_len = sizeof(w);
	}
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
	if (errno == EPIPE && !what)
		sync_receive(sock, type, NULL, err);
	return -1;
}

int sync_receive(int sock, enum sync_type expect, int *fd, struct error *err)
{
	struct word w = {0};
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {&w, sizeof(w)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	auto_close got = -1;
	ssize_t n;

	do
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n < (ssize_t)offsetof(struct word, text))
		return error_sys(err, n < 0 ? errno : EPROTO,
				 "receive from the other side of the container's setup");
	c = CMSG_FIRSTHDR(&mh);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&got, CMSG_DATA(c), sizeof(int));
	if (w.type == SYNC_ERROR) {
		w.text[sizeof(w.text) - 1] = '\0';
		error_set(err, w.kind && w.kind < ERR_KINDS ? (enum error_kind)w.kind : ERR_SYSTEM,
			  "%s", w.text);
		err->sys = w.sys;
		return -1;
	}
	if (w.type != expect)
		return error_set(err, ERR_SYSTEM, "container's setup out of step (%u, not %d)",
				 w.type, (int)expect);
	if (fd)
		*fd = steal_fd(&got);
	return 1;
}
