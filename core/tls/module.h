/* SPDX-License-Identifier: Apache-2.0 */
/* The line between the daemon and its module tls.so, which holds what is heavy: mbedTLS. */
#ifndef TLS_MODULE_H
#define TLS_MODULE_H

#include "tls/tls.h"

struct tls_relay;

struct tls_hooks {
	tls_taker take;
	void *ctx;
	/* A client that was not let in, and why. Debug. */
	void (*refused)(const char *peer, const char *why);
	/* What an operator should know. */
	void (*trouble)(const char *what, const char *why);
};

struct tls_module {
	const char *build; /* TLS_MODULE_BUILD */
	struct tls_relay *(*open)(const struct tls_files *files, const struct tls_hooks *hooks,
				  struct error *err);
	int (*listen)(struct tls_relay *r, int fd, struct error *err);
	void (*stop)(struct tls_relay *r);
	/* The relay's loop: never returns. */
	void (*run)(struct tls_relay *r);
};

#define TLS_MODULE_SYMBOL "dockerd_tls_module"
/* Whatever changes here must change the number. */
#define TLS_MODULE_BUILD PACKAGE_STRING " tls module 1"

#endif
