/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the exec driver. */
#include "exec.h"

#include <dlfcn.h>

/* Replaced by plugin_load of core/plugin as soon as that is there. */
int driver_open(struct run *r, struct error *err)
{
	const char *path = msg_get_str(&r->config, TAG_DRIVER);
	void *handle = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	const struct dockerd_driver *d = handle ? dlsym(handle, DOCKERD_DRIVER_SYMBOL) : NULL;
	struct dockerd_error derr = {.size = sizeof(derr)};
	struct dockerd_open args = {.size = sizeof(args)};

	if (!d || d->magic != DOCKERD_DRIVER_MAGIC || d->kind != DOCKERD_KIND_EXEC)
		return error_set(err, ERR_SYSTEM, "exec driver %s: %s", path ? path : "(none)",
				 handle ? "wrong symbol" : dlerror());
	r->ops = (const struct dockerd_exec_ops *)d->ops;
	if (r->ops->common.open && r->ops->common.open(&args, &r->self, &derr) < 0)
		return driver_error("open", &derr, err);
	return 0;
}

int driver_error(const char *op, const struct dockerd_error *from, struct error *to)
{
	static const enum error_kind kinds[] = {
	    [DOCKERD_ERR_SYSTEM] = ERR_SYSTEM,
	    [DOCKERD_ERR_INVALID] = ERR_INVALID,
	    [DOCKERD_ERR_DENIED] = ERR_DENIED,
	    [DOCKERD_ERR_NOT_FOUND] = ERR_NOT_FOUND,
	    [DOCKERD_ERR_CONFLICT] = ERR_CONFLICT,
	    [DOCKERD_ERR_UNAVAILABLE] = ERR_UNAVAILABLE,
	    [DOCKERD_ERR_UNSUITABLE] = ERR_UNSUITABLE,
	    [DOCKERD_ERR_NOT_IMPLEMENTED] = ERR_NOT_IMPLEMENTED,
	    [DOCKERD_ERR_NO_COMMAND] = ERR_NO_COMMAND,
	    [DOCKERD_ERR_NO_PERMISSION] = ERR_NO_PERMISSION,
	    [DOCKERD_ERR_CANCELLED] = ERR_CANCELLED,
	};
	enum error_kind kind =
	    from->category < sizeof(kinds) / sizeof(*kinds) ? kinds[from->category] : ERR_SYSTEM;

	error_set(to, kind ? kind : ERR_SYSTEM, "%s", from->text[0] ? from->text : op);
	to->sys = from->sys_errno;
	return -1;
}
