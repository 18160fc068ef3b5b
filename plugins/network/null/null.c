/* SPDX-License-Identifier: Apache-2.0 */
/* Network driver "null": a network namespace with nothing in it but the loopback interface. */
#include <dockerd/network.h>

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

static char instance; /* something to point at */

static int32_t null_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	(void)args;
	(void)err;
	*self = &instance;
	return 0;
}

static void null_close(void *self)
{
	(void)self;
}

/* Loopback up: one RTM_NEWLINK for interface 1, the first of every namespace. rtnetlink(7). */
static int32_t null_join(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
			 struct dockerd_error *err)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} request = {.h = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = RTM_NEWLINK,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			   .nlmsg_seq = 1},
		     .i = {.ifi_family = AF_UNSPEC,
			   .ifi_index = 1,
			   .ifi_flags = IFF_UP,
			   .ifi_change = IFF_UP}};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[512];
	} answer;
	ssize_t got;

	(void)self;
	(void)n;
	if (e->netlink_fd < 0)
		return 0;
	if (send(e->netlink_fd, &request, sizeof(request), 0) < 0)
		return dockerd_fail_errno(err, errno, "loopback interface of container %s",
					  e->container_id);
	got = recv(e->netlink_fd, &answer, sizeof(answer), 0);
	if (got < (ssize_t)(sizeof(answer.h) + sizeof(answer.e.error)) ||
	    answer.h.nlmsg_type != NLMSG_ERROR)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "loopback interface of container %s: no answer from the kernel",
				    e->container_id);
	return answer.e.error
		   ? dockerd_fail_errno(err, -answer.e.error, "loopback interface of container %s",
					e->container_id)
		   : 0;
}

static const struct dockerd_network_ops ops = {
    .common = {.size = sizeof(ops), .open = null_open, .close = null_close},
    .join = null_join,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_NETWORK, .name = "null", .version = "0.1",
	       .description = "No network but loopback", .concurrency = DOCKERD_PARALLEL,
	       .capabilities = DOCKERD_NETWORK_CAP_SINGLETON, .ops = &ops.common);
