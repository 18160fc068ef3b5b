/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guarded calls: the lock that a driver's declared ceiling asks for, and the watchdog that names calls which hang.
 *
 * A call past its deadline is stuck: it is counted on its object, which refuses further calls until none of its calls is stuck any more. Calls
 * of a parallel driver that are about no object in particular (authorization) cost only themselves, until too many of them hang.
 *
 * `lock` guards the list of running calls and the table of objects. An object lives while calls hold or await it.
 * The watchdog thread starts with the first call and sleeps until the oldest call would be due; there is no polling while nothing runs.
 */
#include "plugin/plugin_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WARN_NS (INT64_C(10) * 1000000000)
#define STUCK_NS (INT64_C(120) * 1000000000)
#define STUCK_MAX \
	16 /* hanging calls about nothing in particular that a driver may pile up: each holds a thread */

struct plugin_object {
	char *key;
	unsigned int refs,
	    stuck; /* calls that hold or await it; of these, calls past their deadline */
	bool busy;
	pthread_cond_t free;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct map objects = MAP_INIT;
static struct plugin_call *calls;
static bool watchdog_idle = true; /* it sleeps without a time limit */
static int64_t warn_ns = WARN_NS, stuck_ns = STUCK_NS;

static void look_at(struct plugin_call *c, int64_t now)
{
	const struct plugin *p = c->instance->plugin;
	int64_t age = now - c->started;
	char secs[24];

	snprintf(secs, sizeof(secs), "%lld", (long long)(age / 1000000000));
	if (age >= stuck_ns && !c->stuck) {
		c->stuck = true;
		c->object->stuck++;
		pthread_cond_broadcast(&c->object->free);
		log_error("driver call is past its deadline: the object is marked stuck", "kind",
			  plugin_kind_name(p->kind), "driver", p->name, "op", c->op, "object",
			  c->object->key, "seconds", secs);
	} else if (age >= warn_ns && age < stuck_ns) {
		log_warn("driver call takes long", "kind", plugin_kind_name(p->kind), "driver",
			 p->name, "op", c->op, "object", c->object->key, "seconds", secs);
	}
}

static void *watch(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	for (;;) {
		int64_t now = clock_mono_ns(), due = INT64_MAX;
		struct timespec ts;

		for (struct plugin_call *c = calls; c; c = c->next) {
			if (c->look <= now) {
				look_at(c, now);
				c->look = now + warn_ns;
			}
			if (c->look < due)
				due = c->look;
		}
		if (due == INT64_MAX) {
			watchdog_idle = true;
			pthread_cond_wait(&wake, &lock);
			continue;
		}
		watchdog_idle = false;
		ts.tv_sec = (time_t)(due / 1000000000);
		ts.tv_nsec = (long)(due % 1000000000);
		pthread_cond_timedwait(&wake, &lock, &ts);
	}
	return NULL;
}

static void start_watchdog(void)
{
	const char *env = secure_getenv("DOCKERD_WATCHDOG_MS"); /* tests: "warn,stuck" */
	struct error err = ERROR_INIT;
	pthread_condattr_t attr;
	long long w, s;

	if (env && sscanf(env, "%lld,%lld", &w, &s) == 2) {
		warn_ns = w * 1000000;
		stuck_ns = s * 1000000;
	}
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&wake, &attr);
	pthread_condattr_destroy(&attr);
	if (thread_start("watchdog", watch, NULL, &err) < 0)
		log_error("driver calls are not watched", "error", err.text);
}

/* What the driver declared, as its kind reads it: authz.h makes per-object mean parallel, since its calls have no object. */
static uint32_t ceiling(const struct plugin *p)
{
	return p->kind == DOCKERD_KIND_AUTHZ && p->concurrency == DOCKERD_PER_OBJECT
		   ? DOCKERD_PARALLEL
		   : p->concurrency;
}

static bool refuses(const struct plugin_object *o, const struct plugin *p, const char *object)
{
	if (ceiling(p) == DOCKERD_PARALLEL && !*object)
		return o->stuck >= STUCK_MAX;
	return o->stuck > 0;
}

static struct plugin_object *object_get(const struct plugin_instance *i, const char *object)
{
	auto_str key = STR_INIT;
	struct plugin_object *o;

	str_printf(&key, "%s/%s/%s", plugin_kind_name(i->plugin->kind), i->plugin->name,
		   i->plugin->concurrency == DOCKERD_SERIAL ? "" : object);
	o = map_get(&objects, str_cstr(&key));
	if (!o) {
		o = xnew(struct plugin_object);
		o->key = str_steal(&key);
		pthread_cond_init(&o->free, NULL);
		map_set(&objects, o->key, o);
	}
	o->refs++;
	return o;
}

static void object_put(struct plugin_object *o)
{
	if (--o->refs)
		return;
	map_del(&objects, o->key);
	pthread_cond_destroy(&o->free);
	free(o->key);
	free(o);
}

int plugin_enter(const struct plugin_instance *i, const char *op, const char *object,
		 struct plugin_call *c, struct error *err)
{
	struct plugin_object *o;
	bool exclusive = ceiling(i->plugin) != DOCKERD_PARALLEL;
	LOCK_SCOPE(&lock);

	pthread_once(&once, start_watchdog);
	*c = (struct plugin_call){.instance = i, .op = op};
	if (!object)
		object = "";
	o = object_get(i, object);
	while (exclusive && o->busy && !o->stuck)
		pthread_cond_wait(&o->free, &lock);
	if (refuses(o, i->plugin, object)) {
		error_set(err, ERR_UNAVAILABLE,
			  "%s driver %s is stuck in an earlier call on %s; restart the daemon when "
			  "its cause is gone",
			  plugin_kind_name(i->plugin->kind), i->plugin->name,
			  *object ? object : "it");
		object_put(o);
		return -1;
	}
	o->busy = exclusive;
	c->object = o;
	c->started = clock_mono_ns();
	c->look = c->started + warn_ns;
	/* a watchdog that sleeps on an earlier call's time wakes soon enough for this one */
	if (watchdog_idle)
		pthread_cond_signal(&wake);
	c->next = calls;
	calls = c;
	return 0;
}

int plugin_leave(struct plugin_call *c, int32_t r, const struct dockerd_error *derr,
		 struct error *err)
{
	struct plugin_object *o = c->object;
	struct plugin_call **at = &calls;

	pthread_mutex_lock(&lock);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	o->busy = false; /* of an exclusive object: it was ours alone */
	if (c->stuck) {
		o->stuck--;
		log_warn("driver call that was past its deadline has returned", "driver",
			 c->instance->plugin->name, "op", c->op);
	}
	pthread_cond_signal(&o->free);
	object_put(o);
	pthread_mutex_unlock(&lock);
	return r < 0 ? plugin_error(c->instance->plugin, c->op, derr, err) : r;
}
