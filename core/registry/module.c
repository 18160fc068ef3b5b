/* SPDX-License-Identifier: Apache-2.0 */
/* Loading registry.so: `lock` guards `module`, which never changes again (OpenSSL can't be unloaded). */
#include "registry/transport.h"

#include "base/thread.h"
#include "plugin/module.h"

#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct registry_module *module;

const struct registry_module *registry_module(struct error *err)
{
	LOCK_SCOPE(&lock);
	if (!module) {
		module =
		    module_load("registry.so", REGISTRY_MODULE_SYMBOL, REGISTRY_MODULE_BUILD, err);
		if (!module)
			error_wrap(err, "the registry client can't be loaded");
	}
	return module;
}

void transport_reply_free(struct transport_reply *r)
{
	pairs_free(&r->headers);
	free(r->redirect);
	r->redirect = NULL;
}
