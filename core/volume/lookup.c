/* SPDX-License-Identifier: Apache-2.0 */
/* What is true of a volume is what its driver says: asking plugins for volumes that a request names, learning of new ones, forgetting lost ones. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "volume/volume_int.h"

#include <stdlib.h>

void volume_learn(struct volume *v, const struct volume_info *info)
{
	LOCK_SCOPE(&volumes.lock);

	if (!info->name)
		return;
	free(v->mountpoint);
	v->mountpoint = xstrdup(info->mountpoint);
	v->created = info->created;
}

/* The plugin has it no more. False: somebody uses it, or has it in hands. */
static bool forget(struct volume *v, const char *user)
{
	struct error err = ERROR_INIT;

	pthread_mutex_lock(&volumes.lock);
	for (size_t i = 0; i < v->users.n; i++)
		if (!user || !streq(v->users.v[i], user)) {
			pthread_mutex_unlock(&volumes.lock);
			return false;
		}
	if (v->changing || map_get(&volumes.table, v->name) != v) {
		pthread_mutex_unlock(&volumes.lock);
		return true;
	}
	v->changing = true;
	pthread_mutex_unlock(&volumes.lock);
	if (meta_del(v->name, &err) < 0)
		log_error("record of a volume that is gone", "volume", v->name, "error", err.text);
	volume_unlist(v);
	volume_unref(v);
	return true;
}

void volume_forget(struct volume *v)
{
	forget(v, NULL);
}

int volume_agrees(struct volume *v, const char *driver, const char *user, struct error *err)
{
	bool conflict = !str_empty(driver) && !streq(driver, v->driver);
	struct volume_info info = {0};
	int have =
	    driver_is_local(v->driver) ? 1 : driver_get(v->driver, v->name, true, &info, err);

	volume_learn(v, &info);
	volume_info_free(&info);
	if (have < 0) {
		auto_free char *why = xstrdup(err->text);

		return error_set(err, ERR_CONFLICT,
				 "found reference to volume '%s' in driver '%s', but got an error "
				 "while checking the driver: %s: volume name must be unique",
				 v->name, v->driver, why);
	}
	if (have && conflict)
		return error_set(err, ERR_CONFLICT,
				 "driver '%s' already has volume '%s': volume name must be unique",
				 v->driver, v->name);
	if (have || forget(v, user))
		return have;
	return error_set(
	    err, ERR_CONFLICT,
	    "found references to volume '%s' in driver '%s' but the volume was not found in the "
	    "driver -- you may need to remove containers referencing this volume or force remove "
	    "the volume to re-create it: volume name must be unique",
	    v->name, v->driver);
}

/* Nobody knows it, but a plugin may. NULL: no plugin does, or meanwhile somebody made or found it (*raced). */
static struct volume *discover(const char *name, struct volume_info *info, bool *raced)
{
	auto_free char *driver = driver_probe(name, info);
	struct error err = ERROR_INIT;
	struct volume *v;

	*raced = false;
	if (!driver)
		return NULL;
	pthread_mutex_lock(&volumes.lock);
	*raced = volume_find(name);
	if (*raced) {
		pthread_mutex_unlock(&volumes.lock);
		return NULL;
	}
	v = volume_new(name, driver);
	v->refs++;
	v->changing = true;
	map_set(&volumes.table, v->name, v);
	pthread_mutex_unlock(&volumes.lock);
	if (meta_put(v, &err) < 0)
		log_error("a plugin's volume is not on record", "volume", name, "error", err.text);
	volume_learn(v, info);
	volume_settled(v);
	return v;
}

static struct volume *find_listed(const char *name)
{
	LOCK_SCOPE(&volumes.lock);
	struct volume *v = volume_find(name);

	if (v)
		v->refs++;
	return v;
}

/* What its own driver says of a volume that is listed. */
static int ask_again(struct volume *v, struct volume_info *info, struct error *err)
{
	int have = driver_is_local(v->driver) ? 1 : driver_get(v->driver, v->name, true, info, err);

	if (have > 0)
		volume_learn(v, info);
	else if (have == 0)
		forget(v, NULL);
	return have;
}

struct volume *volume_lookup(const char *name, struct volume_info *info, struct error *err)
{
	struct volume *v;
	bool raced;
	int have;

	*info = (struct volume_info){0};
	while (!(v = find_listed(name))) {
		v = discover(name, info, &raced);
		if (v)
			return v;
		volume_info_free(info);
		if (!raced) {
			error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
			return NULL;
		}
	}
	have = ask_again(v, info, err);
	if (have > 0)
		return v;
	volume_unref(v);
	if (have < 0)
		error_wrap(err, "get %s", name);
	else
		error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	return NULL;
}
