/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of plugins: the calls of the VolumeDriver protocol and what their answers mean. Knows no table. `lock` guards the scopes that were told,
 * and is held over memory alone. Source: docs.docker.com/engine/extend/plugins_volume.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "plugin/remote/remote.h"
#include "volume/volume_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KIND "VolumeDriver"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map scopes = MAP_INIT; /* driver -> "local" or "global", never freed */

bool driver_is_local(const char *driver)
{
	return streq(driver, "local");
}

static const struct remote *find_now(const char *driver, bool patient, struct error *err)
{
	const struct remote *r = remote_get(driver, KIND, patient, err);

	if (!r)
		error_wrap(err, "error looking up volume plugin %s", driver);
	return r;
}

static const struct remote *find(const char *driver, struct error *err)
{
	return find_now(driver, true, err);
}

int driver_check(const char *driver, struct error *err)
{
	return str_empty(driver) || driver_is_local(driver) || find(driver, err) ? 0 : -1;
}

void driver_names(struct strlist *out)
{
	strlist_add(out, "local");
	remote_known(KIND, out);
	strlist_sort(out);
}

void volume_info_free(struct volume_info *i)
{
	free(i->name);
	free(i->mountpoint);
	json_free(i->status);
	*i = (struct volume_info){0};
}

static struct jw request(struct str *out, const char *name)
{
	struct jw w = jw_to(out);

	jw_obj(&w);
	jw_kstr(&w, "Name", name);
	return w;
}

static json *ask(const char *driver, const char *method, const char *name, const char *id,
		 int seconds, struct error *err)
{
	const struct remote *r = find(driver, err);
	auto_str text = STR_INIT;
	struct jw w = request(&text, name);

	if (id)
		jw_kstr(&w, "ID", id);
	jw_end(&w);
	return r ? remote_call(r, method, &text, seconds, true, err) : NULL;
}

int driver_create(const char *driver, const char *name, const struct pairs *options, bool given,
		  struct error *err)
{
	const struct remote *r = find(driver, err);
	auto_str text = STR_INIT;
	struct jw w = request(&text, name);
	auto_json *reply = NULL;

	jw_kpairs(&w, "Opts", options, !given);
	jw_end(&w);
	reply = r ? remote_call(r, KIND ".Create", &text, REMOTE_LONG, true, err) : NULL;
	return reply ? 0 : -1;
}

int driver_remove(const char *driver, const char *name, struct error *err)
{
	auto_json *reply = ask(driver, KIND ".Remove", name, NULL, REMOTE_SHORT, err);

	return reply ? 0 : -1;
}

static void read_info(const json *j, struct volume_info *out)
{
	const json *status = json_get(j, "Status");
	auto_str text = STR_INIT;
	struct error ignored = ERROR_INIT;

	*out = (struct volume_info){.name = xstrdup(json_get_str(j, "Name", "")),
				    .mountpoint = xstrdup(json_get_str(j, "Mountpoint", ""))};
	if (!clock_parse(json_get_str(j, "CreatedAt", ""), &out->created))
		out->created = CLOCK_ZERO;
	else
		out->created -= out->created % 1000000000;
	if (json_count(status)) {
		json_print(status, &text);
		out->status = json_parse(text.p, text.len, &ignored);
	}
}

static int get_from(const struct remote *r, const char *name, int seconds, bool patient,
		    struct volume_info *out, struct error *err)
{
	auto_str text = STR_INIT;
	struct jw w = request(&text, name);
	auto_json *reply = NULL;

	jw_end(&w);
	reply = remote_call(r, KIND ".Get", &text, seconds, patient, err);
	if (!reply && err->sys)
		return -1;
	if (!reply) {
		log_debug("a plugin does not have a volume", "driver", remote_name(r), "volume",
			  name, "error", err->text);
		error_clear(err);
		return 0;
	}
	if (json_type(json_get(reply, "Volume")) != JSON_OBJECT)
		return 0;
	if (out)
		read_info(json_get(reply, "Volume"), out);
	return 1;
}

int driver_get(const char *driver, const char *name, bool patient, struct volume_info *out,
	       struct error *err)
{
	const struct remote *r = find(driver, err);
	int have = r ? get_from(r, name, REMOTE_SHORT, patient, out, err) : -1;

	if (have < 0) {
		err->kind = ERR_SYSTEM;
		return error_wrap(err,
				  "error while checking if volume \"%s\" exists in driver \"%s\"",
				  name, driver);
	}
	return have;
}

char *driver_mount(const char *driver, const char *name, const char *id, struct error *err)
{
	auto_json *reply = ask(driver, KIND ".Mount", name, id, REMOTE_LONG, err), *told = NULL;
	const char *path = json_get_str(reply, "Mountpoint", "");

	if (reply && !*path) {
		told = ask(driver, KIND ".Path", name, NULL, REMOTE_SHORT, err);
		path = json_get_str(told, "Mountpoint", "");
	}
	if (!reply || (!*path && !told))
		return NULL;
	if (*path != '/') {
		error_set(err, ERR_SYSTEM, KIND ".Mount: '%s' is no absolute path", path);
		return NULL;
	}
	return xstrdup(path);
}

int driver_unmount(const char *driver, const char *name, const char *id, bool patient,
		   struct error *err)
{
	const struct remote *r = find_now(driver, patient, err);
	auto_str text = STR_INIT;
	struct jw w = request(&text, name);
	auto_json *reply = NULL;

	jw_kstr(&w, "ID", id);
	jw_end(&w);
	if (r)
		reply = remote_call(r, KIND ".Unmount", &text, REMOTE_SHORT, patient, err);
	else if (!err->sys)
		err->sys = ENOENT; /* it was not asked */
	return reply ? 0 : -1;
}

/* ---- Scope -------------------------------------------------------------------------------------------------------------------------- */

static const char *told_scope(const char *driver)
{
	LOCK_SCOPE(&lock);

	return map_get(&scopes, driver);
}

static const char *scope_of(const struct remote *r)
{
	const char *scope = told_scope(remote_name(r));
	auto_str text = STR_INIT;
	struct error err = ERROR_INIT;
	auto_json *reply = NULL;
	const char *said;

	if (scope)
		return scope;
	str_puts(&text, "{}");
	reply = remote_call(r, KIND ".Capabilities", &text, REMOTE_SHORT, false, &err);
	said = json_get_str(json_get(reply, "Capabilities"), "Scope", "");
	scope = !strcasecmp(said, "global") ? "global" : "local";
	if (*said && strcasecmp(said, scope))
		log_warn("volume plugin has returned an invalid scope", "driver", remote_name(r),
			 "scope", said);
	if (!reply && err.sys) /* ask again */
		return scope;
	LOCK_SCOPE(&lock);
	map_set(&scopes, remote_name(r), (char *)(uintptr_t)scope);
	return scope;
}

const char *driver_scope(const char *driver, bool ask)
{
	struct error err = ERROR_INIT;
	const char *told = driver_is_local(driver) ? "local" : told_scope(driver);
	const struct remote *r = told || !ask ? NULL : find(driver, &err);

	return told ? told : r ? scope_of(r) : "local";
}

/* ---- All of them -------------------------------------------------------------------------------------------------------------------- */

/* Plugins that did not answer in time when all were asked: they are not asked again at once. */
#define PROBE_SECONDS 10
#define PROBE_PAUSE (INT64_C(60) * 1000000000)

static struct map silent = MAP_INIT; /* name -> int64_t *: when to probe again; guarded by lock */

static bool is_silent(const char *name)
{
	LOCK_SCOPE(&lock);
	const int64_t *until = map_get(&silent, name);

	return until && clock_mono_ns() < *until;
}

static void note_silence(const char *name)
{
	int64_t *until = xnew(int64_t);

	*until = clock_mono_ns() + PROBE_PAUSE;
	LOCK_SCOPE(&lock);
	free(map_set(&silent, name, until));
}

struct probe {
	const char *name;
	pthread_mutex_t lock;
	char *driver; /* the first, by name */
	struct volume_info info;
};

static void probe_one(const struct remote *r, void *ctx)
{
	struct probe *p = ctx;
	struct volume_info info = {0};
	struct error err = ERROR_INIT;
	int have =
	    is_silent(remote_name(r)) ? 0 : get_from(r, p->name, PROBE_SECONDS, false, &info, &err);

	if (have < 0) {
		log_warn("plugin was not asked for a volume", "driver", remote_name(r), "volume",
			 p->name, "error", err.text);
		if (err.sys == ETIMEDOUT)
			note_silence(remote_name(r));
	}
	pthread_mutex_lock(&p->lock);
	if (have > 0 && (!p->driver || strcmp(remote_name(r), p->driver) < 0)) {
		volume_info_free(&p->info);
		free(p->driver);
		p->info = info;
		info = (struct volume_info){0};
		p->driver = xstrdup(remote_name(r));
	}
	pthread_mutex_unlock(&p->lock);
	volume_info_free(&info);
}

char *driver_probe(const char *name, struct volume_info *out)
{
	struct probe p = {.name = name, .lock = PTHREAD_MUTEX_INITIALIZER};

	remote_each(KIND, probe_one, &p);
	*out = p.info;
	return p.driver;
}

struct listing {
	void (*f)(void *ctx, const char *driver, const char *scope, const struct volume_info *infos,
		  size_t n, const struct error *err);
	void *ctx;
	bool (*wanted)(void *ctx, const char *driver);
	pthread_mutex_t lock;
};

static void list_one(const struct remote *r, void *ctx)
{
	struct listing *l = ctx;
	auto_str text = STR_INIT;
	struct error err = ERROR_INIT;
	struct volume_info *infos = NULL;
	auto_json *reply = NULL;
	const char *scope;
	size_t n = 0;

	if (!l->wanted(l->ctx, remote_name(r)))
		return;
	str_puts(&text, "{}");
	if (is_silent(remote_name(r)))
		error_set(&err, ERR_SYSTEM, "it has not answered in time, less than a minute ago");
	else
		reply = remote_call(r, KIND ".List", &text, REMOTE_SHORT, false, &err);
	if (!reply && err.sys == ETIMEDOUT)
		note_silence(remote_name(r));
	scope = reply ? scope_of(r) : "local";
	infos = xcalloc(json_count(json_get(reply, "Volumes")) + 1, sizeof(*infos));
	for (json *v = json_first(json_get(reply, "Volumes")); v; v = json_next(v))
		if (*json_get_str(v, "Name", ""))
			read_info(v, &infos[n++]);
	pthread_mutex_lock(&l->lock);
	l->f(l->ctx, remote_name(r), scope, infos, n, reply ? NULL : &err);
	pthread_mutex_unlock(&l->lock);
	while (n > 0)
		volume_info_free(&infos[--n]);
	free(infos);
}

void driver_list_all(bool (*wanted)(void *ctx, const char *driver),
		     void (*f)(void *ctx, const char *driver, const char *scope,
			       const struct volume_info *infos, size_t n, const struct error *err),
		     void *ctx)
{
	struct listing l = {
	    .f = f, .ctx = ctx, .wanted = wanted, .lock = PTHREAD_MUTEX_INITIALIZER};

	remote_each(KIND, list_one, &l);
}
