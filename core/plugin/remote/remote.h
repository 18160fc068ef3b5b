/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client of the classic plugin protocol: a plugin is a process of its own that answers HTTP POSTs with JSON at a socket. Here it is found by its
 * name, activated once, and asked; what the answers mean is known to the rooms (volume, authz, network). Nothing here is an SDK driver.
 *
 * Where plugins are looked for: NAME.sock and NAME/NAME.sock in /run/docker/plugins; then NAME.spec, NAME/NAME.spec (an address), NAME.json and
 * NAME/NAME.json in /etc/docker/plugins and /usr/lib/docker/plugins. DOCKERD_PLUGIN_PATH (colon-separated; tests) names other directories: the
 * first for sockets, the rest for the others.
 *
 * A plugin that is not up yet is waited for as moby does: tries after 1, 2, 4 and 8 seconds (DOCKERD_PLUGIN_PATIENCE: seconds in which a next one
 * must begin, 30). No lock is held while a plugin is asked: one that hangs holds up who asks it, until the time limit, and nobody else. Any
 * thread. Source: moby pkg/plugins, docs.docker.com/engine/extend/plugin_api.
 */
#ifndef PLUGIN_REMOTE_REMOTE_H
#define PLUGIN_REMOTE_REMOTE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

/* A plugin that has told what it implements. Never freed: there are as many as names were found. */
struct remote;

/* What moby waits for an answer: to what makes or mounts something, and to all else. Seconds. */
#define REMOTE_LONG 120
#define REMOTE_SHORT 60

/*
 * The plugin of that name, which implements `kind` ("VolumeDriver", "authz", "NetworkDriver", "IpamDriver"). patient: wait for one that is not up.
 * ERR_NOT_FOUND `plugin "NAME" not found`; ERR_SYSTEM "legacy plugin: ...".
 */
const struct remote *remote_get(const char *name, const char *kind, bool patient,
				struct error *err);
/* Is there one to be found or known? Nothing is asked, nothing waited for. */
bool remote_exists(const char *name);
const char *remote_name(const struct remote *r);
/* Names of those that are activated and implement it, sorted. */
void remote_known(const char *kind, struct strlist *names);
/*
 * Run f for all plugins that can be found or are known and implement `kind`: in threads of their own, if they are several; all are over when this
 * returns. One that is not up is not waited for, and named in the log; one that is to be activated has a few seconds.
 */
void remote_each(const char *kind, void (*f)(const struct remote *r, void *ctx), void *ctx);

/*
 * POST /METHOD ("VolumeDriver.Create") with a JSON text (NULL: no body). The reply must be an object of at most 16 MiB; a text in its member Err
 * makes this fail with that text (ERR_SYSTEM). err->sys is an errno if the plugin could not be asked or did not answer (ETIMEDOUT), 0 for what it
 * said itself. seconds: for the answer. patient: wait for one that is not up.
 */
json *remote_call(const struct remote *r, const char *method, const struct str *request,
		  int seconds, bool patient, struct error *err);

#endif
