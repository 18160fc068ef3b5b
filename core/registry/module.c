/* SPDX-License-Identifier: Apache-2.0 */
/* Loading registry.so: `lock` guards `module`, which never changes again (OpenSSL can't be unloaded). */
#include "registry/transport.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/thread.h"
#include "plugin/plugin.h"

#include <dlfcn.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct registry_module *module;

static const struct registry_module *load(const char *path, struct error *err)
{
	const struct registry_module *m;
	void *handle;

	/* Its constructors run before we can look at it: only what root put there. */
	if (plugin_check_ownership(path, err) < 0)
		return NULL;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle) {
		error_set(err, ERR_SYSTEM, "%s", dlerror());
		return NULL;
	}
	m = dlsym(handle, REGISTRY_MODULE_SYMBOL);
	if (!m || !streq(m->build, REGISTRY_MODULE_BUILD)) {
		error_set(err, ERR_SYSTEM,
			  "%s is of another build: found \"%s\", expected \"%s\": install both of "
			  "one version",
			  path, m ? m->build : "", REGISTRY_MODULE_BUILD);
		dlclose(handle);
		return NULL;
	}
	return m;
}

const struct registry_module *registry_module(struct error *err)
{
	LOCK_SCOPE(&lock);
	if (!module) {
		auto_free char *path = program_path("registry.so");

		module = load(path, err);
		if (!module)
			error_wrap(err, "the registry client can't be loaded");
		else
			log_debug("registry client loaded", "module", path);
	}
	return module;
}

void transport_reply_free(struct transport_reply *r)
{
	pairs_free(&r->headers);
	free(r->redirect);
	r->redirect = NULL;
}
