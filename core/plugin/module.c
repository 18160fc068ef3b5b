/* SPDX-License-Identifier: Apache-2.0 */
/* dlopen(3) of the daemon's own modules. */
#include "plugin/module.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/program.h"
#include "base/str.h"
#include "plugin/plugin.h"

#include <dlfcn.h>

const void *module_load(const char *file, const char *symbol, const char *build, struct error *err)
{
	auto_free char *path = program_path(file);
	const char *const *module;
	void *handle;

	/* Its constructors run before we can look at it: only what root put there. */
	if (plugin_check_ownership(path, err) < 0)
		return NULL;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle) {
		error_set(err, ERR_SYSTEM, "%s", dlerror());
		return NULL;
	}
	module = dlsym(handle, symbol);
	if (!module || !streq(*module, build)) {
		error_set(err, ERR_SYSTEM,
			  "%s is of another build: found \"%s\", expected \"%s\": install both of "
			  "one version",
			  path, module ? *module : "", build);
		dlclose(handle);
		return NULL;
	}
	log_debug("module loaded", "module", path);
	return module;
}
