/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the network room share: a network namespace of the test's own as the host, real namespaces as containers (network_box.h),
 * the room in this process or in children that are killed. Output is TAP.
 */
#ifndef TESTS_NETWORK_HOST_H
#define TESTS_NETWORK_HOST_H

#include "network_box.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/mem.h"
#include "network/firewall.h"
#include "network/network.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

extern char base_dir[64];
extern bool part_failed;

#define CHECK(cond)                                                         \
	do {                                                                \
		if (!(cond)) {                                              \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
			part_failed = true;                                 \
		}                                                           \
	} while (0)
#define OK(call)                                                                          \
	do {                                                                              \
		if ((call) < 0) {                                                         \
			printf("# %s:%d: %s: %s\n", __FILE__, __LINE__, #call, err.text); \
			part_failed = true;                                               \
		}                                                                         \
	} while (0)

/* Enter the namespaces and run `tests`; its exit status. 77 with the reason where that can't be. */
int host_main(void (*tests)(void));
/* One test: a line of TAP. */
void run(const char *name, void (*part)(void));
/* Output of a command of the test's (never of the daemon's), malloc'ed. */
char *output_of(const char *command);
bool rules_have(const char *text);
size_t count_veths(void);
/* Links are deleted after leave has returned: waits for the kernel's word. */
bool no_veths(void);
/* The daemon's defaults, in base_dir. */
struct network_config config(void);
/* Forget what is on disk. */
void wipe(void);
/* Connect to the default bridge as a container whose id begins with the name. */
int join(struct box *b, const char *name, const struct network_port *ports, size_t n,
	 struct network_endpoint *e, struct error *err);
/* A network of a user's, from the request's JSON. */
int make_network(const char *body, struct error *err);
/* Connect to it: the container's id is its name. ports of both families. */
int join_network(struct box *b, const char *network, const char *name,
		 const struct network_port *ports, size_t n, struct network_endpoint *e,
		 struct error *err);
struct network_port port(uint16_t inside, const char *proto, const char *ip, uint16_t first,
			 uint16_t last);
/* pid of the netd whose socket is ours, or 0. */
pid_t netd_pid(void);
/* Run `body` with a fresh room in a child; it ends by itself (exit code) or by SIGKILL. The wait status. */
int in_daemon(struct network_config c, void (*body)(void *), void *arg);

#endif
