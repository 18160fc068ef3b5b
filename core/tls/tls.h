/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of the Engine API's TCP listeners. A relay, one thread in the module tls.so: it ends TLS and hands the daemon one end of a socket pair
 * for each client that shook hands, so that nothing else of the daemon knows about TLS, and a connection that stops being HTTP can be
 * handed on like any other. Half-close travels both ways (close_notify, shutdown(2)).
 *
 * TLS 1.2 and later as the library has it (RFC 5246, RFC 8446); ALPN offers http/1.1.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/error.h"

struct tls_files {
	const char *ca; /* who signs clients' certificates; NULL: clients need none */
	const char *cert, *key;
};

/*
 * A client shook hands: `fd` is its plain side (the callee's from then on), `name` the common name of its certificate, "" if it showed none
 * that was verified. Called in the relay's thread; must not block.
 */
typedef void (*tls_taker)(void *ctx, int fd, const char *name);

/* Loads the module, reads the files, starts the relay. Once per process. Words of moby: "invalid TLS configuration: ...". */
int tls_open(const struct tls_files *files, tls_taker take, void *ctx, struct error *err);
/* Clients of this listening socket (non-blocking, the relay's from then on) speak TLS. */
int tls_listen(int fd, struct error *err);
/* No new clients; those that are there go on. */
void tls_stop(void);

#endif
