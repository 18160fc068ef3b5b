/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugins that are known, their activation, and calls with patience; see remote.h. `lock` guards the table and is held over memory alone: who
 * wants a plugin that is being activated waits for `changed`, and shares the outcome.
 */
#include "plugin/remote/remote_int.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define PATIENCE 30     /* seconds: moby's defaultTimeOut */
#define SCAN_SECONDS 10 /* to activate one that was only seen in a directory */

enum state { ASKING, ACTIVE, FAILED };

struct remote {
	char *name, *address;
	struct strlist implements;
	enum state state;  /* guarded by lock; what is ACTIVE is constant */
	bool patient;      /* it is activated for somebody who waits for it */
	struct error err;  /* why it FAILED */
	unsigned int refs; /* of those who wait for it; it is freed with the last if it FAILED */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct map known = MAP_INIT;

const char *remote_name(const struct remote *r)
{
	return r->name;
}

static bool implements(const struct remote *r, const char *kind)
{
	return strlist_has(&r->implements, kind);
}

/* ---- Patience ----------------------------------------------------------------------------------------------------------------------- */

struct tries {
	int64_t began; /* monotonic ns */
	int next;      /* seconds */
};

static int64_t patience(void)
{
	const char *env = secure_getenv("DOCKERD_PLUGIN_PATIENCE");

	return str_empty(env) ? PATIENCE : strtol(env, NULL, 10);
}

/* Wait for the next try, unless that would begin too late. */
static bool try_again(struct tries *t, const char *what, const char *why)
{
	int64_t waited = (clock_mono_ns() - t->began) / 1000000000;
	struct timespec ts = {.tv_sec = t->next};
	char seconds[16];

	if (t->next + waited >= patience())
		return false;
	snprintf(seconds, sizeof(seconds), "%d", t->next);
	log_warn("plugin is not up: trying again", "plugin", what, "error", why, "seconds",
		 seconds);
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
	t->next *= 2;
	return true;
}

static struct tries tries_new(void)
{
	return (struct tries){.began = clock_mono_ns(), .next = 1};
}

/* ---- Calls -------------------------------------------------------------------------------------------------------------------------- */

static json *parse(const char *method, const struct str *body, struct error *err)
{
	auto_json *j = NULL;

	if (!body->len) {
		error_set(err, ERR_SYSTEM, "EOF"); /* Go's decoder */
		return NULL;
	}
	j = json_parse(body->p, body->len, err);
	if (!j || json_type(j) != JSON_OBJECT) {
		if (j)
			error_set(err, ERR_SYSTEM, "the reply is no JSON object");
		err->kind = ERR_SYSTEM;
		error_wrap(err, "%s", method);
		return NULL;
	}
	if (*json_get_str(j, "Err", "")) {
		error_set(err, ERR_SYSTEM, "%s", json_get_str(j, "Err", ""));
		return NULL;
	}
	return steal_ptr(&j);
}

static void refused(const char *method, const struct str *body, struct error *err)
{
	struct error ignored = ERROR_INIT;
	auto_json *j = json_parse(str_cstr(body), body->len, &ignored);
	const char *said = json_get_str(j, "Err", "");

	error_set(err, ERR_SYSTEM, "%s: %s", method, *said ? said : str_cstr(body));
}

static json *call(const char *address, const char *name, const char *method,
		  const struct str *request, int seconds, bool patient, struct error *err)
{
	struct remote_reply reply = {.body = STR_INIT};
	struct tries tries = tries_new();
	json *j = NULL;
	bool again;
	int r;

	do {
		error_clear(err);
		str_reset(&reply.body);
		r = remote_post(address, method, request, seconds, &reply, &again, err);
	} while (r < 0 && again && patient && try_again(&tries, name, err->text));
	if (r == 0 && reply.status == 200)
		j = parse(method, &reply.body, err);
	else if (r == 0)
		refused(method, &reply.body, err);
	str_free(&reply.body);
	return j;
}

json *remote_call(const struct remote *r, const char *method, const struct str *request,
		  int seconds, bool patient, struct error *err)
{
	return call(r->address, r->name, method, request, seconds, patient, err);
}

/* ---- Activation --------------------------------------------------------------------------------------------------------------------- */

static int find(struct remote *r, bool patient, struct error *err)
{
	struct tries tries = tries_new();

	do {
		error_clear(err);
		r->address = remote_address(r->name, err);
	} while (!r->address && patient && remote_name_ok(r->name) &&
		 err->kind != ERR_NOT_IMPLEMENTED && try_again(&tries, r->name, err->text));
	return r->address ? 0 : -1;
}

static int activate(struct remote *r, bool patient, struct error *err)
{
	auto_json *reply = NULL;

	if (find(r, patient, err) < 0)
		return -1;
	reply = call(r->address, r->name, "Plugin.Activate", NULL,
		     patient ? REMOTE_SHORT : SCAN_SECONDS, patient, err);
	if (!reply)
		return -1;
	if (json_strlist(json_get(reply, "Implements"), &r->implements) < 0)
		return error_set(err, ERR_SYSTEM,
				 "Plugin.Activate: Implements is no list of "
				 "names");
	return 0;
}

/* With the lock. */
static void unref(struct remote *r)
{
	if (--r->refs || r->state != FAILED)
		return;
	free(r->name);
	free(r->address);
	strlist_free(&r->implements);
	free(r);
}

/* With the lock, which is given up meanwhile. A reference. */
static struct remote *try_to_activate(const char *name, bool patient)
{
	struct remote *r = xnew(struct remote);
	int result;

	r->name = xstrdup(name);
	r->refs = 1;
	r->patient = patient;
	map_set(&known, name, r);
	pthread_mutex_unlock(&lock);
	result = activate(r, patient, &r->err);
	pthread_mutex_lock(&lock);
	r->state = result < 0 ? FAILED : ACTIVE;
	if (result < 0)
		map_del(&known, name);
	pthread_cond_broadcast(&changed);
	return r;
}

/* With the lock, which is given up meanwhile. NULL: err is set. */
static struct remote *activated(const char *name, bool patient, struct error *err)
{
	struct remote *r, *good;
	bool hasty; /* who has asked has not waited as long as we would */

	do {
		r = map_get(&known, name);
		if (!r) {
			r = try_to_activate(name, patient);
		} else {
			r->refs++;
			if (r->state == ASKING && r->patient && !patient) {
				unref(r);
				error_set(err, ERR_UNAVAILABLE, "it is being waited for");
				return NULL;
			}
			while (r->state == ASKING)
				pthread_cond_wait(&changed, &lock);
		}
		hasty = r->state == FAILED && patient && !r->patient;
		good = r->state == ACTIVE ? r : NULL;
		*err = r->err;
		unref(r);
	} while (hasty);
	return good;
}

const struct remote *remote_get(const char *name, const char *kind, bool patient, struct error *err)
{
	struct remote *r;

	pthread_mutex_lock(&lock);
	r = activated(name, patient, err);
	pthread_mutex_unlock(&lock);
	if (r && !implements(r, kind)) {
		error_set(err, ERR_SYSTEM,
			  "Plugin does not implement the requested driver: plugin=\"%s\", "
			  "requested implementation=\"%s\"",
			  name, kind);
		r = NULL;
	}
	if (!r && err->kind != ERR_NOT_FOUND)
		error_wrap(err, "legacy plugin");
	return r;
}

bool remote_exists(const char *name)
{
	struct error err = ERROR_INIT;
	auto_free char *address = remote_address(name, &err);

	return address || err.kind != ERR_NOT_FOUND;
}

void remote_known(const char *kind, struct strlist *names)
{
	struct map_entry *e;
	size_t i = 0;

	pthread_mutex_lock(&lock);
	while ((e = map_next(&known, &i))) {
		const struct remote *r = e->value;

		if (r->state == ACTIVE && implements(r, kind))
			strlist_add(names, r->name);
	}
	pthread_mutex_unlock(&lock);
	strlist_sort(names);
}

/* ---- All of a kind ------------------------------------------------------------------------------------------------------------------ */

struct visit {
	const char *name, *kind;
	void (*f)(const struct remote *r, void *ctx);
	void *ctx;
	pthread_t thread;
	bool threaded;
};

static void *visit(void *arg)
{
	struct visit *v = arg;
	struct error err = ERROR_INIT;
	struct remote *r;

	pthread_mutex_lock(&lock);
	r = activated(v->name, false, &err);
	pthread_mutex_unlock(&lock);
	if (!r)
		log_warn("plugin is passed over", "plugin", v->name, "error", err.text);
	else if (implements(r, v->kind))
		v->f(r, v->ctx);
	return NULL;
}

static void all_names(const char *kind, struct strlist *names)
{
	struct strlist more = STRLIST_INIT;

	remote_scan(names);
	remote_known(kind, &more);
	for (size_t i = 0; i < more.n; i++)
		if (!strlist_has(names, more.v[i]))
			strlist_add(names, more.v[i]);
	strlist_free(&more);
}

void remote_each(const char *kind, void (*f)(const struct remote *r, void *ctx), void *ctx)
{
	auto_strlist names = STRLIST_INIT;
	struct visit *v;

	all_names(kind, &names);
	if (!names.n)
		return;
	v = xcalloc(names.n, sizeof(*v));
	for (size_t i = 0; i < names.n; i++) {
		struct error err = ERROR_INIT;

		v[i] = (struct visit){.name = names.v[i], .kind = kind, .f = f, .ctx = ctx};
		v[i].threaded = i + 1 < names.n && thread_start_joinable("plugin", visit, &v[i],
									 &v[i].thread, &err) == 0;
		if (!v[i].threaded)
			visit(&v[i]);
	}
	for (size_t i = 0; i < names.n; i++)
		if (v[i].threaded)
			pthread_join(v[i].thread, NULL);
	free(v);
}
