/* SPDX-License-Identifier: Apache-2.0 */
/* See log_reader.h. Instances of drivers are opened at first use and kept; `lock` guards their table. */
#include "container/log_reader.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/bool.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "config/units.h"
#include "plugin/plugin.h"

struct log_reader {
	const struct plugin_instance *driver;
	void *handle;
	char *object; /* of guarded calls: the container's id */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map instances = MAP_INIT; /* driver -> struct plugin_instance */
static struct map paths = MAP_INIT;     /* driver -> does it write to LogPath? */
static char *state_root, *daemon_name;

void log_reader_setup(const char *run_dir, const char *name)
{
	free(state_root);
	free(daemon_name);
	state_root = xasprintf("%s/readers", run_dir);
	daemon_name = xstrdup_null(name);
}

bool log_driver_has_path(const char *driver)
{
	static const char yes, no;
	struct error ignored = ERROR_INIT;
	const struct plugin *p;
	const char *known;

	pthread_mutex_lock(&lock);
	known = map_get(&paths, driver);
	pthread_mutex_unlock(&lock);
	if (known)
		return known == &yes;
	p = plugin_describe(DOCKERD_KIND_LOG, driver, &ignored);
	known = p && p->capabilities & DOCKERD_LOG_CAP_PATH ? &yes : &no;
	LOCK_SCOPE(&lock);
	map_set(&paths, driver, (void *)known);
	return known == &yes;
}

/* Without the lock: loading and opening are the driver's time. */
static struct plugin_instance *open_instance(const char *driver, struct error *err)
{
	/* a driver without a reader half is not even loaded */
	const struct plugin *p = plugin_describe(DOCKERD_KIND_LOG, driver, err);
	struct dockerd_options *o = NULL;
	struct pairs none = PAIRS_INIT;
	struct plugin_instance *i;
	int r;

	if (!p)
		return NULL;
	if (!(p->capabilities & DOCKERD_LOG_CAP_READ)) {
		error_set(err, ERR_NOT_IMPLEMENTED,
			  "configured logging driver does not support reading");
		return NULL;
	}
	p = plugin_load(DOCKERD_KIND_LOG, driver, err);
	if (!p || dir_make_all(AT_FDCWD, state_root, 0700, err) < 0 ||
	    plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, &none, &o, err) < 0)
		return NULL;
	i = xnew(struct plugin_instance);
	r = plugin_open(p, state_root, state_root, o, i, err);
	plugin_options_free(o);
	if (r < 0) {
		free(i);
		return NULL;
	}
	return i;
}

/* Two threads may open a driver at the same time; the first one's instance stays. */
static struct plugin_instance *instance(const char *driver, struct error *err)
{
	struct plugin_instance *i, *first;

	pthread_mutex_lock(&lock);
	i = map_get(&instances, driver);
	pthread_mutex_unlock(&lock);
	if (i || !(i = open_instance(driver, err)))
		return i;
	pthread_mutex_lock(&lock);
	first = map_get(&instances, driver);
	if (!first)
		map_set(&instances, driver, i);
	pthread_mutex_unlock(&lock);
	if (!first)
		return i;
	plugin_close(i);
	free(i);
	return first;
}

int log_reader_open(const struct logd_stream *of, const struct dockerd_log_read *how,
		    struct log_reader **out, struct error *err)
{
	const struct plugin_instance *i =
	    instance(of->copy_driver ? of->copy_driver : of->driver, err);
	const struct pairs none = PAIRS_INIT,
			   *options = of->copy_driver ? of->copy_options : of->options;
	struct dockerd_options *o = NULL;
	struct dockerd_error derr = plugin_error_init();
	struct dockerd_log_info info;
	const char *object = of->container_id ? of->container_id : of->id;
	struct plugin_call call;
	void *handle = NULL;
	int r;

	if (!i || plugin_options_parse(i->plugin, DOCKERD_SCOPE_CONTAINER,
				       options ? options : &none, &o, err) < 0)
		return -1;
	info = (struct dockerd_log_info){
	    .size = sizeof(info),
	    .container_id = of->container_id,
	    .container_name = of->container_name,
	    .image_id = of->image_id,
	    .image_name = of->image_name,
	    .command = of->command,
	    .created = of->created,
	    .log_path = of->copy_driver ? of->copy_path : of->log_path,
	    .daemon_name = daemon_name,
	    .options = o,
	    .cancel_fd = -1,
	};
	r = plugin_enter(i, "read_open", object, &call, err);
	if (r == 0) {
		r = i->plugin->ops.log.read_open(i->self, &info, how, &handle, &derr);
		r = plugin_leave(&call, r, &derr, err);
	}
	plugin_options_free(o);
	if (r < 0)
		return -1;
	*out = xnew(struct log_reader);
	**out = (struct log_reader){.driver = i, .handle = handle, .object = xstrdup(object)};
	return 0;
}

int log_reader_read(struct log_reader *r,
		    bool (*each)(void *ctx, const struct dockerd_log_message *m), void *ctx,
		    struct error *err)
{
	const struct dockerd_log_ops *ops = &r->driver->plugin->ops.log;
	struct dockerd_error derr = plugin_error_init();
	struct dockerd_log_message m;
	struct plugin_call call;
	int32_t got;

	if (plugin_enter(r->driver, "read_next", r->object, &call, err) < 0)
		return -1;
	do {
		m = (struct dockerd_log_message){.size = sizeof(m)};
		got = ops->read_next(r->driver->self, r->handle, &m, &derr);
	} while (got > 0 && each(ctx, &m));
	return plugin_leave(&call, got, &derr, err);
}

int log_reader_wait_fd(struct log_reader *r)
{
	const struct dockerd_log_ops *ops = &r->driver->plugin->ops.log;
	struct dockerd_error derr = plugin_error_init();
	struct error err = ERROR_INIT;
	struct plugin_call call;
	int fd;

	if (!ops->read_wait_fd ||
	    plugin_enter(r->driver, "read_wait_fd", r->object, &call, &err) < 0)
		return -1;
	fd = ops->read_wait_fd(r->driver->self, r->handle);
	plugin_leave(&call, 0, &derr, &err);
	return fd;
}

void log_reader_close(struct log_reader *r)
{
	struct dockerd_error derr = plugin_error_init();
	struct error err = ERROR_INIT;
	struct plugin_call call;

	if (!r)
		return;
	/* a reader whose driver hangs in it is left to it */
	if (plugin_enter(r->driver, "read_close", r->object, &call, &err) == 0) {
		r->driver->plugin->ops.log.read_close(r->driver->self, r->handle);
		plugin_leave(&call, 0, &derr, &err);
	} else {
		log_warn("reader of a log is left open", "container", r->object, "error", err.text);
	}
	free(r->object);
	free(r);
}

/* ---- Options of the copy, which the daemon takes out: moby takes them with any driver ---------------------------------------------- */

#define COPY_OFF "cache-disabled"
static const struct {
	const char *key, *of_driver;
} copy_options[] = {
    {"cache-max-size", "max-size"}, {"cache-max-file", "max-file"}, {"cache-compress", "compress"}};

/* As Go's strconv.ParseBool; empty: false. */
static int parse_bool(const char *value, bool *on)
{
	*on = false;
	return !*value || bool_parse(value, on) ? 0 : -1;
}

static int take_copy_options(struct pairs *own, struct error *err)
{
	const char *value = pairs_get(own, COPY_OFF);
	bool off;

	if (value && parse_bool(value, &off) < 0)
		return error_set(err, ERR_INVALID, "invalid value for option %s: %s", COPY_OFF,
				 value);
	pairs_del(own, COPY_OFF);
	for (size_t i = 0; i < ARRAY_LEN(copy_options); i++)
		pairs_del(own, copy_options[i].key);
	return 0;
}

bool log_copy_wanted(const char *driver, const struct pairs *given, struct pairs *options)
{
	struct error ignored = ERROR_INIT;
	const struct plugin *p = plugin_describe(DOCKERD_KIND_LOG, driver, &ignored);
	const char *value = pairs_get(given, COPY_OFF);
	bool off = false;

	if (!p || p->capabilities & (DOCKERD_LOG_CAP_READ | DOCKERD_LOG_CAP_NO_COPY) ||
	    (value && (parse_bool(value, &off) < 0 || off)))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(copy_options); i++) {
		value = pairs_get(given, copy_options[i].key);
		if (value)
			pairs_set(options, copy_options[i].of_driver, value);
	}
	return true;
}

int log_options_split(const char *driver, const struct pairs *given, bool *non_blocking,
		      uint64_t *max_buffer, struct pairs *rest, struct error *err)
{
	const char *mode = given ? pairs_get(given, "mode") : NULL,
		   *max = given ? pairs_get(given, "max-buffer-size") : NULL;
	auto_pairs own = PAIRS_INIT;
	int64_t bytes = 0;

	if (mode && *mode && strcmp(mode, "blocking") != 0 && strcmp(mode, "non-blocking") != 0)
		return error_set(err, ERR_INVALID, "logger: logging mode not supported: %s", mode);
	*non_blocking = mode && strcmp(mode, "non-blocking") == 0;
	if (max && !*non_blocking)
		return error_set(
		    err, ERR_INVALID,
		    "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
	if (max && size_parse(max, &bytes, err) < 0)
		return error_wrap(err, "error parsing option max-buffer-size");
	*max_buffer = (uint64_t)bytes;
	if (given)
		pairs_copy(&own, given);
	pairs_del(&own, "mode");
	pairs_del(&own, "max-buffer-size");
	if (take_copy_options(&own, err) < 0)
		return -1;
	if (plugin_check_options(DOCKERD_KIND_LOG, driver, DOCKERD_SCOPE_CONTAINER, &own, err) < 0)
		return -1;
	if (rest)
		pairs_copy(rest, &own);
	return 0;
}
