/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much a driver has given to the outside. Files, pipes and sockets that are written to are counted by the kernel (proc(5), io); what is sent is
 * counted here: a driver that is loaded finds these functions before libc's.
 */
#include "kit.h"
#include "base/cleanup.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

static _Atomic uint64_t sent;

static ssize_t count(ssize_t n)
{
	if (n > 0)
		sent += (uint64_t)n;
	return n;
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");

	return count(real(fd, p, n, flags));
}

ssize_t sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t len)
{
	ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) =
	    dlsym(RTLD_NEXT, "sendto");

	return count(real(fd, p, n, flags, to, len));
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");

	return count(real(fd, m, flags));
}

int sendmmsg(int fd, struct mmsghdr *m, unsigned int n, int flags)
{
	int (*real)(int, struct mmsghdr *, unsigned int, int) = dlsym(RTLD_NEXT, "sendmmsg");
	int r = real(fd, m, n, flags);

	for (int i = 0; i < r; i++)
		sent += m[i].msg_len;
	return r;
}

uint64_t bytes_sent(void)
{
	auto_file FILE *f = fopen("/proc/self/io", "re");
	auto_free char *line = NULL;
	uint64_t written = 0;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0)
		if (sscanf(line, "wchar: %" SCNu64, &written) == 1)
			break;
	return written + sent;
}
