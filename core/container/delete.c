/* SPDX-License-Identifier: Apache-2.0 */
/* Removing containers. The name goes last: until then a half-removed container can be removed again under it. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/filter.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/image_use.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * One rename, and there is no such container any more; its files go behind everybody's back. Where tmp is not of the same file system, config.v2.json goes
 * first: a directory without it is swept at the next start, whatever else is left of it.
 */
static int remove_directory(struct container *c, struct error *err)
{
	auto_free char *parent = path_join(containers.data_root, "containers"),
		       *gone = xasprintf("%s/tmp/container-%s", containers.data_root, c->id),
		       *config = xasprintf("%s/config.v2.json", c->id);
	auto_close fd = dir_open_at(AT_FDCWD, parent, err);
	bool moved;

	if (fd < 0)
		return -1;
	moved = renameat(fd, c->id, AT_FDCWD, gone) == 0;
	if (!moved)
		unlinkat(fd, config, 0);
	FAULT("container.remove.after-config");
	if (!moved)
		return dir_remove_all(fd, c->id, err);
	later_remove(gone);
	return 0;
}

int container_remove_locked(struct container *c, bool volumes, struct error *err)
{
	struct error ignored = ERROR_INIT;
	int64_t began = clock_mono_ns();

	if (c->gone)
		return 0;
	restart_cancel(c);
	pthread_mutex_lock(&c->lock);
	c->state.removing = true;
	pthread_mutex_unlock(&c->lock);
	if (c->logd_open && logd_remove(c->log_driver, c->id, &ignored) < 0)
		log_warn("log stream of a removed container", "container", c->id, "error",
			 ignored.text);
	if (c->mounted) {
		container_release_resources(c);
		container_forget_run(c);
	}
	FAULT("container.remove.begin");
	if (container_clean(c, err) < 0 || image_use_layer_remove(c->id, err) < 0 ||
	    remove_directory(c, err) < 0) {
		pthread_mutex_lock(&c->lock);
		c->state.removing = false;
		c->state.dead = true;
		pthread_mutex_unlock(&c->lock);
		return error_wrap(err, "container %s: driver failed to remove root filesystem",
				  c->id);
	}
	FAULT("container.remove.done");
	mounts_release(c, volumes);
	links_removed(c);
	container_unpublish(c);
	metrics_took(METRICS_DELETE, began);
	container_event(c, "destroy", NULL);
	pthread_mutex_lock(&c->lock);
	c->gone = true;
	waiters_removed(c);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static bool is_running(struct container *c)
{
	LOCK_SCOPE(&c->lock);

	return c->state.running;
}

/* Kill it and wait, for rm -f. */
static int force_down(struct container *c, struct error *err)
{
	pthread_mutex_lock(&c->lock);
	c->manually_stopped = true; /* no policy starts it again */
	c->auto_remove = false;     /* we remove it ourselves */
	pthread_mutex_unlock(&c->lock);
	if (!is_running(c))
		return 0;
	if (container_kill(c->id, "KILL", err) < 0 && is_running(c))
		return error_wrap(err, "cannot remove container \"%s\": could not kill container",
				  c->name);
	return container_wait_exit(c, INT64_C(10000000000)) < 0
		   ? error_set(err, ERR_SYSTEM,
			       "cannot remove container \"%s\": it did not end after SIGKILL",
			       c->name)
		   : 0;
}

static int refuse_running(struct container *c, struct error *err)
{
	const char *state = c->state.restarting ? "restarting" : "running";
	const char *advice = "stop the container before removing or force remove";

	if (c->state.paused)
		return error_set(err, ERR_CONFLICT,
				 "cannot remove container \"%s\": container is paused and must be "
				 "unpaused first",
				 c->name);
	return error_set(err, ERR_CONFLICT, "cannot remove container \"%s\": container is %s: %s",
			 c->name, state, advice);
}

/* Lock op of a container that is down. It may have been started meanwhile, by its policy as well: then once more. */
static int lock_down(struct container *c, struct error *err)
{
	for (;;) {
		if (force_down(c, err) < 0)
			return -1;
		pthread_mutex_lock(&c->op);
		if (!c->state.running)
			return 0;
		pthread_mutex_unlock(&c->op);
	}
}

int container_delete(const char *name, bool force, bool volumes, bool link, struct error *err)
{
	auto_container *c = NULL;
	int r;

	if (link)
		return link_remove(name, err);
	c = container_find(name, err);
	if (!c)
		return -1;
	pthread_mutex_lock(&c->lock);
	if (c->state.removing) {
		pthread_mutex_unlock(&c->lock);
		return error_set(err, ERR_CONFLICT,
				 "removal of container %s is already in progress", name);
	}
	r = c->state.running && !force ? refuse_running(c, err) : 0;
	pthread_mutex_unlock(&c->lock);
	if (r < 0 || (force && lock_down(c, err) < 0))
		return -1;
	if (!force)
		pthread_mutex_lock(&c->op);
	r = c->state.running ? refuse_running(c, err) : container_remove_locked(c, volumes, err);
	pthread_mutex_unlock(&c->op);
	return r;
}

/* ---- Prune -------------------------------------------------------------------------------------------------------------------- */

static int parse_until(const json *filters, int64_t *until, struct error *err)
{
	static const char *const known[] = {"label", "label!", "until", NULL};
	auto_strlist values = STRLIST_INIT;

	*until = INT64_MAX;
	if (filter_check(filters, known, err) < 0)
		return -1;
	filter_values(filters, "until", &values);
	if (values.n > 1)
		return error_set(err, ERR_INVALID, "more than one until filter specified");
	if (values.n && !clock_parse_param(values.v[0], clock_wall_ns(), until))
		return error_set(err, ERR_INVALID,
				 "failed to parse value as time or duration: \"%s\"", values.v[0]);
	return 0;
}

static bool prunable(struct container *c, const json *filters, int64_t until)
{
	LOCK_SCOPE(&c->lock);

	return !c->state.running && !c->state.removing && c->created <= until &&
	       filter_labels(&c->labels, filters);
}

int container_prune(const json *filters, struct str *reply, struct error *err)
{
	struct jw w = jw_to(reply);
	struct container **all;
	int64_t freed = 0, until;
	bool any = false;
	size_t n;

	if (parse_until(filters, &until, err) < 0)
		return -1;
	all = containers_all(&n);
	jw_obj(&w);
	jw_key(&w, "ContainersDeleted");
	for (size_t i = 0; i < n; i++) {
		struct container *c = all[i];
		int64_t rw = 0, root = 0;
		struct error e = ERROR_INIT;

		if (prunable(c, filters, until)) {
			LOCK_SCOPE(&c->op);
			image_use_layer_size(c->id, &rw, &root, &e);
			if (!c->state.running && container_remove_locked(c, false, &e) == 0) {
				if (!any)
					jw_arr(&w);
				any = true;
				jw_str(&w, c->id);
				freed += rw > 0 ? rw : 0;
			}
		}
		container_unref(c);
	}
	free(all);
	if (any)
		jw_end(&w);
	else
		jw_null(&w);
	jw_ki64(&w, "SpaceReclaimed", freed);
	jw_end(&w);
	return 0;
}
