/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's side of tls.so: loading it, its thread, its log lines. Everything here is called at start and stop only, by one thread. */
#include "tls/module.h"

#include "base/log.h"
#include "base/thread.h"
#include "plugin/module.h"

static const struct tls_module *module;
static struct tls_relay *relay;

static void refused(const char *peer, const char *why)
{
	log_debug("TLS handshake failed", "client", peer, "error", why);
}

static void trouble(const char *what, const char *why)
{
	log_error(what, "error", why);
}

static void *run(void *arg)
{
	module->run(arg);
	return NULL;
}

int tls_open(const struct tls_files *files, tls_taker take, void *ctx, struct error *err)
{
	const struct tls_hooks hooks = {take, ctx, refused, trouble};

	module = module_load("tls.so", TLS_MODULE_SYMBOL, TLS_MODULE_BUILD, err);
	if (!module)
		return error_wrap(err, "TLS was asked for and can't be loaded");
	relay = module->open(files, &hooks, err);
	if (!relay)
		return error_wrap(err, "invalid TLS configuration");
	return thread_start("tls", run, relay, err);
}

int tls_listen(int fd, struct error *err)
{
	return module->listen(relay, fd, err);
}

void tls_stop(void)
{
	if (relay)
		module->stop(relay);
}
