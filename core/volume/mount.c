/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes in use: mounted (a local one once for all, a plugin's for each use), filled, and told of. See volume.h. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "events/events.h"
#include "volume/volume_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

bool volume_is_mount(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &st) == 0 &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

void volumes_settle(void)
{
	size_t n;
	struct volume **all = volumes_all(&n);

	for (size_t i = 0; i < n; i++) {
		auto_free char *data = volume_data(all[i]->name);

		if (driver_is_local(all[i]->driver) && !all[i]->mounts &&
		    options_mount_needed(all[i]) && volume_is_mount(data) &&
		    umount2(data, MNT_DETACH) < 0)
			log_warn("volume stays mounted", "volume", all[i]->name);
		volume_unref(all[i]);
	}
	free(all);
	held_settle();
}

/* A reference; NULL: it is not there. */
static struct volume *known(const char *name, struct error *err)
{
	struct volume *v;
	LOCK_SCOPE(&volumes.lock);

	v = volume_find(name);
	if (v)
		v->refs++;
	else
		error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	return v;
}

/* ---- Local: counted ------------------------------------------------------------------------------------------------------------------ */

/* It is ours alone until give_back; it has a user, so nobody removes it. */
static void take(struct volume *v)
{
	LOCK_SCOPE(&volumes.lock);

	while (v->busy)
		pthread_cond_wait(&volumes.changed, &volumes.lock);
	v->busy = true;
}

static void give_back(struct volume *v)
{
	LOCK_SCOPE(&volumes.lock);

	v->busy = false;
	pthread_cond_broadcast(&volumes.changed);
}

static int mount_local(struct volume *v, char **path, struct error *err)
{
	auto_free char *data = volume_data(v->name);
	int r = 0;

	take(v);
	/* it may be mounted yet: by the daemon before us, for a container that goes on */
	if (!v->mounts && options_mount_needed(v) && !volume_is_mount(data))
		r = options_mount(v, data, err);
	else if (!v->mounts && !options_mount_needed(v))
		r = options_limit(v, data, err);
	if (r == 0)
		v->mounts++;
	give_back(v);
	if (r < 0)
		return error_wrap(err, "error while mounting volume '%s'", data);
	if (path)
		*path = steal_ptr(&data);
	return 0;
}

static void unmount_local(struct volume *v)
{
	auto_free char *data = volume_data(v->name);

	take(v);
	if (v->mounts && !--v->mounts && options_mount_needed(v) && umount2(data, 0) < 0 &&
	    umount2(data, MNT_DETACH) < 0)
		log_error("volume stays mounted", "volume", v->name);
	give_back(v);
}

/* ---- Of a plugin: on record, and the plugin counts ------------------------------------------------------------------------------------ */

static int mount_of_plugin(struct volume *v, const char *id, char **path, struct error *err)
{
	char *there;

	if (held_add(id, v->driver, v->name, err) < 0)
		return -1;
	FAULT("volume.mount.recorded");
	there = driver_mount(v->driver, v->name, id, err);
	FAULT("volume.mount.plugin");
	if (!there) {
		auto_free char *told = NULL;

		if (err->sys)
			held_give_up(id, v->driver, v->name);
		else
			held_del(id);
		pthread_mutex_lock(&volumes.lock);
		told = xstrdup(v->mountpoint);
		pthread_mutex_unlock(&volumes.lock);
		return error_wrap(err, "error while mounting volume '%s'", told);
	}
	if (path)
		*path = there;
	else
		free(there);
	return 0;
}

/* A plugin that is not up holds up no end of a container: it is asked again behind its back, and by the next daemon. */
static void unmount_of_plugin(const struct volume *v, const char *id)
{
	struct error err = ERROR_INIT;

	if (driver_unmount(v->driver, v->name, id, false, &err) < 0)
		log_error("plugin did not unmount a volume", "volume", v->name, "driver", v->driver,
			  "error", err.text);
	FAULT("volume.unmount.plugin");
	if (!err.sys)
		held_del(id);
	else
		held_give_up(id, v->driver, v->name);
}

/* ---- Either -------------------------------------------------------------------------------------------------------------------------- */

int volume_mount(const char *name, const char *id, char **path, struct error *err)
{
	struct volume *v = known(name, err);
	int r;

	if (!v)
		return -1;
	r = driver_is_local(v->driver) ? mount_local(v, path, err)
				       : mount_of_plugin(v, id, path, err);
	volume_unref(v);
	return r;
}

void volume_unmount(const char *name, const char *id)
{
	struct error err = ERROR_INIT;
	struct volume *v = known(name, &err);

	if (!v)
		return;
	if (driver_is_local(v->driver))
		unmount_local(v);
	else if (id)
		unmount_of_plugin(v, id);
	volume_unref(v);
}

int volume_adopt(const char *name, const char *id, struct error *err)
{
	struct volume *v = known(name, err);
	int r = 0;

	if (!v)
		return -1;
	if (driver_is_local(v->driver))
		r = mount_local(v, NULL, err) < 0 ? -1 : 1;
	else if (id && held_claim(id))
		r = held_add(id, v->driver, v->name, err) < 0 ? -1 : 1;
	volume_unref(v);
	return r;
}

void volume_event_mount(const char *name, const char *container_id, const char *destination,
			const char *propagation, bool rw)
{
	struct error err = ERROR_INIT;
	struct volume *v = known(name, &err);
	auto_pairs attrs = PAIRS_INIT;

	pairs_set(&attrs, "container", container_id);
	if (destination)
		pairs_set(&attrs, "destination", destination);
	pairs_set(&attrs, "driver", v ? v->driver : "local");
	if (destination) {
		pairs_set(&attrs, "propagation", propagation);
		pairs_set(&attrs, "read/write", rw ? "true" : "false");
	}
	events_publish("volume", destination ? "mount" : "unmount", name, &attrs);
	if (v)
		volume_unref(v);
}

/* ---- Filling: see fill.c ----------------------------------------------------------------------------------------------------------- */

int volume_fill(const char *name, const char *path,
		int (*copy)(void *ctx, int dir, struct error *err), void *ctx, struct error *err)
{
	struct volume *v = known(name, err);
	auto_close data = v ? dir_open_at(AT_FDCWD, path, err) : -1;
	bool local = v && driver_is_local(v->driver);
	int r = -1;

	if (data >= 0) {
		take(v);
		/* a plugin's volume may have any name; in it, what is prepared needs none */
		r = fill_directory(data, local ? name : "volume",
				   !local || options_mount_needed(v) || v->quota, copy, ctx, err);
		give_back(v);
	}
	if (v)
		volume_unref(v);
	return r;
}
