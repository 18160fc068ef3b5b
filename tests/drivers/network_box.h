/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace that stands for a container: a child process in it serves sockets and makes connections on command. All calls are
 * blocking and wait for the child's answer, so no test depends on time.
 */
#ifndef TESTS_NETWORK_BOX_H
#define TESTS_NETWORK_BOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct box {
	pid_t pid;
	int sock;
	int netns_fd, netlink_fd;
};

/* A new namespace with lo down, as an exec driver hands it over. */
void box_open(struct box *b);
/* The child ends, and with it the namespace once its descriptors are closed. */
void box_close(struct box *b);
/* Serve TCP (every connection is read to its end, then everything is sent back) or UDP (each datagram goes back). "tcp6", "udp6": on [::]. */
bool box_serve(struct box *b, const char *proto, uint16_t port);
/* Connect from inside, send, read the answer to its end: true if it came back whole. `from` receives the peer's view... */
bool box_echo(struct box *b, const char *proto, const char *ip, uint16_t port);
/* Accept one TCP connection inside and tell the address it came from. */
bool box_accept_from(struct box *b, char out[64]);
/* The same from the caller's namespace. timeout_ms bounds a failure only. */
bool echo_from_here(const char *proto, const char *ip, uint16_t port, int timeout_ms);

#endif
