/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding, judging, loading and opening drivers. Used by the daemon, dockerd-exec, dockerd-logd and dockerd-driver-test; nothing here
 * knows a driver by name.
 *
 * A bare name is looked for in the driver path: DOCKERD_DRIVER_PATH (colon-separated; only when the build tree runs uninstalled
 * or root set it), then the installed directory; each holds <kind>/<name>.so. Whatever contains a slash is a path. A file, or a
 * folder on its way, that is not root's or that others may write is refused.
 */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include <dockerd/authz.h>
#include <dockerd/driver.h>
#include <dockerd/exec.h>
#include <dockerd/log.h>
#include <dockerd/network.h>
#include <dockerd/storage.h>

#include <stdbool.h>

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

/* A loaded driver: checked copies of its descriptor and ops, enlarged with zeros to our size. Never unloaded. */
struct plugin {
	char *path, *name, *version, *description;
	uint32_t kind;
	uint32_t abi_minor, concurrency;
	uint64_t capabilities;
	bool checks_options; /* it has an op for what its option table can't express */
	const struct dockerd_option *options; /* option_count rows of our size */
	uint32_t option_count;
	union {
		struct dockerd_common_ops common;
		struct dockerd_storage_ops storage;
		struct dockerd_exec_ops exec;
		struct dockerd_log_ops log;
		struct dockerd_authz_ops authz;
		struct dockerd_network_ops network;
	} ops;
};

/* An opened driver. */
struct plugin_instance {
	const struct plugin *plugin;
	void *self;
	struct dockerd_host *host; /* owned */
};

/* "storage", ... for DOCKERD_KIND_*; NULL if unknown. */
const char *plugin_kind_name(uint32_t kind);
uint32_t plugin_kind_parse(const char *name);

/* ERR_DENIED unless the file and every folder above it is root's and not writable by others (the sticky /tmp is no exception). */
int plugin_check_ownership(const char *path, struct error *err);
/* Path of a driver given by bare name or path. malloc'ed; NULL with err (ERR_NOT_FOUND names the places looked at). */
char *plugin_find(uint32_t kind, const char *name, struct error *err);
/* Names of all drivers of a kind in the driver path, by file stem, sorted; nothing is loaded. */
void plugin_list(uint32_t kind, struct strlist *names);
/*
 * Find, check and dlopen (once per path: the second call returns the same). Every refusal names the file, the expected and the found.
 * Kind 0: any kind, `name` must be a path.
 */
const struct plugin *plugin_load(uint32_t kind, const char *name, struct error *err);

/*
 * Options given by users ("key=value" already split) -> typed values for the driver, defaults included, aliases resolved. Unknown keys (with a
 * suggestion), wrong types and ranges are ERR_INVALID. `scope` is a DOCKERD_SCOPE_*; free with plugin_options_free.
 */
bool plugin_has_option(const struct plugin *p, uint32_t scope, const char *key);
int plugin_options_parse(const struct plugin *p, uint32_t scope, const struct pairs *given,
			 struct dockerd_options **out, struct error *err);
void plugin_options_free(struct dockerd_options *o);

/* probe, then open. root and state must exist. */
int plugin_probe(const struct plugin *p, const char *root, const char *state,
		 const struct dockerd_options *o, struct error *err);
int plugin_open(const struct plugin *p, const char *root, const char *state,
		const struct dockerd_options *o, struct plugin_instance *out, struct error *err);
void plugin_close(struct plugin_instance *i);

/* Error of a driver -> ours. An op that fails without a text is itself reported as a fault of the driver. Returns -1. */
int plugin_error(const struct plugin *p, const char *op, const struct dockerd_error *from,
		 struct error *to);
static inline struct dockerd_error plugin_error_init(void)
{
	return (struct dockerd_error){.size = sizeof(struct dockerd_error),
				      .category = 0,
				      .sys_errno = 0,
				      .reserved = 0,
				      .text = {0}};
}

/*
 * Host services that depend on the process (mount recording, firewall, proxy) are set here before plugin_open; unset ones are missing
 * in the table that drivers see. log, has_extension, run, alloc, free, mount and unmount (unrecorded) are always there.
 */
struct plugin_services {
	int (*mounted)(const char *target,
		       struct error *err);     /* called before a mount is made: record it */
	void (*unmounted)(const char *target); /* after it was undone */
	/* batch: what the daemon gave with the call (struct dockerd_network), or NULL: wait */
	int (*firewall)(void *batch, int family, const char *rules, struct error *err);
	int (*proxy_start)(const char *proto, const char *host_ip, uint32_t host_port,
			   const char *ip, uint32_t port, struct error *err);
	int (*proxy_stop)(const char *proto, const char *host_ip, uint32_t host_port,
			  struct error *err);
};
/*
 * Mounts on record (mounts.c), one symbolic link per mount below dir, made before the mount is: from plugin_mounts_init on, drivers' mounts go
 * through it. What an earlier daemon left there is unmounted by plugin_mounts_sweep, unless it was claimed: `path` (of a layer that was handed
 * out) is a recorded target or lies below one. Any thread.
 */
int plugin_mounts_init(const char *dir, struct error *err);
void plugin_mounts_claim(const char *path);
void plugin_mounts_sweep(void);
void plugin_set_services(const struct plugin_services *s);
/* What is set now, for a room that adds its own members. */
struct plugin_services plugin_get_services(void);
/* dockerd-driver-test: called with each new table before a driver sees it, to put its own functions in front of ours. */
void plugin_set_host_filter(void (*filter)(struct dockerd_host *host));

/*
 * Guarded call: locks to the driver's declared ceiling (object: layer, container, network id), times it for the watchdog.
 *	if (plugin_enter(inst, "create_rw", id, &call, err) < 0) return -1;
 *	r = inst->plugin->ops.storage.create_rw(inst->self, &layer, &derr);
 *	return plugin_leave(&call, r, &derr, err);
 * plugin_enter fails with ERR_UNAVAILABLE while an earlier call on the object is past its deadline (stuck). object "" or NULL: the call is about
 * nothing in particular; a parallel driver then goes on beside hanging calls, up to a number. The watchdog names in the
 * log a call that takes longer than its warning time. Never call with a lock of the core held.
 */
struct plugin_call {
	const struct plugin_instance *instance;
	const char *op;
	struct plugin_object *object;
	int64_t started, look; /* monotonic ns; when the watchdog looks at it next */
	bool stuck;            /* past its deadline */
	struct plugin_call *next;
};
int plugin_enter(const struct plugin_instance *i, const char *op, const char *object,
		 struct plugin_call *c, struct error *err);
int plugin_leave(struct plugin_call *c, int32_t r, const struct dockerd_error *derr,
		 struct error *err);
/* From now on probe, open and close are such calls too. The daemon's: a process of one driver and one operation has no use for the thread. */
void plugin_watch(void);

/*
 * Descriptor of a driver, read by a short-lived process and kept until the file changes: options and capabilities, no ops. Nothing of the driver is
 * loaded here. NULL with err (ERR_INVALID: the refusal). Never freed. Any thread.
 */
const struct plugin *plugin_describe(uint32_t kind, const char *name, struct error *err);
/* Check options against the descriptor, and by the driver's own `validate` in a short-lived process. ERR_INVALID with what is wrong. Any thread. */
int plugin_check_options(uint32_t kind, const char *name, uint32_t scope, const struct pairs *given,
			 struct error *err);
/* The dockerd that is run for both, when this program is none (tests). Before the first call. */
void plugin_set_reader(const char *program);

/* --list-plugins, --dump-plugin KIND/NAME: stable key=value lines; --dump-plugin json:KIND/NAME: an object. See dockerd-driver(3). */
int plugin_dump_list(struct str *out, struct error *err);
int plugin_dump(const char *kind_slash_name, bool as_json, struct str *out, struct error *err);

#endif
