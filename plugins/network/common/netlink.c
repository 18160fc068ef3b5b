/* SPDX-License-Identifier: Apache-2.0 */
/* See netlink.h. */
#include "netlink.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int netlink_fail(struct dockerd_error *err, int r, const char *fmt, const char *arg)
{
	char what[128];

	snprintf(what, sizeof(what), fmt, arg);
	dockerd_fail(err, DOCKERD_ERR_SYSTEM, "%s: %s", what, nl_geterror(r));
	return -1;
}

int netlink_fail_errno(struct dockerd_error *err, int error, const char *what)
{
	char buf[128];
	const char *text = strerror_r(error, buf, sizeof(buf));

	dockerd_fail(err, DOCKERD_ERR_SYSTEM, "%s: %c%s", what, tolower((unsigned char)text[0]),
		     text + 1);
	err->sys_errno = error;
	return -1;
}

struct nl_sock *netlink_here(struct dockerd_error *err)
{
	struct nl_sock *sk = nl_socket_alloc();
	int r = sk ? nl_connect(sk, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r == 0)
		return sk;
	netlink_fail(err, r, "netlink socket%s", "");
	nl_socket_free(sk);
	return NULL;
}

/* libnl closes the descriptor it is given, so it gets a duplicate. */
struct nl_sock *netlink_there(int fd, struct dockerd_error *err)
{
	struct nl_sock *sk = nl_socket_alloc();
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), r;

	if (!sk || copy < 0) {
		dockerd_fail_errno(err, errno, "netlink socket of the container");
		nl_socket_free(sk);
		if (copy >= 0)
			close(copy);
		return NULL;
	}
	r = nl_socket_set_fd(sk, NETLINK_ROUTE, copy);
	if (r == 0)
		return sk;
	netlink_fail(err, r, "netlink socket of the container%s", "");
	close(copy);
	nl_socket_free(sk);
	return NULL;
}

struct answer {
	bool done;
	int error;
};

/* libnl's own codes are fewer than the kernel's: keep what that said. */
static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	(void)from;
	*(struct answer *)arg = (struct answer){true, -e->error};
	return NL_STOP;
}

static int on_ack(struct nl_msg *m, void *arg)
{
	(void)m;
	((struct answer *)arg)->done = true;
	return NL_STOP;
}

int netlink_talk(struct nl_sock *sk, struct nl_msg *m)
{
	struct answer a = {0};
	int r;

	nl_socket_modify_err_cb(sk, NL_CB_CUSTOM, on_error, &a);
	nl_socket_modify_cb(sk, NL_CB_ACK, NL_CB_CUSTOM, on_ack, &a);
	r = nl_send_auto(sk, m); /* asks for an acknowledgement, which comes last */
	nlmsg_free(m);
	while (r >= 0 && !a.done)
		r = nl_recvmsgs_default(sk);
	nl_socket_modify_err_cb(sk, NL_CB_DEFAULT, NULL, NULL);
	nl_socket_modify_cb(sk, NL_CB_ACK, NL_CB_DEFAULT, NULL, NULL);
	return a.error ? a.error : r < 0 ? EIO : 0;
}
