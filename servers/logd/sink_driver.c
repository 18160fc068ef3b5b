/* SPDX-License-Identifier: Apache-2.0 */
/* The log driver of this process: loading it, and its calls, each guarded and watched (plugin_enter). */
#include "sink.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define SAY_AGAIN \
	(INT64_C(10) * 1000000000) /* at most so often is a failing driver named in the log */

struct plugin_instance sink_driver;

static char *state_root;
static struct map copies = MAP_INIT; /* name -> struct plugin_instance; of the loop */

static int open_driver(const char *name, struct plugin_instance *out, struct error *err)
{
	const struct plugin *p = plugin_load(DOCKERD_KIND_LOG, name, err);
	struct pairs none = PAIRS_INIT;
	struct dockerd_options *o = NULL;
	int r;

	if (!p || plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, &none, &o, err) < 0)
		return -1;
	r = plugin_open(p, state_root, state_root, o, out, err);
	plugin_options_free(o);
	return r;
}

int sink_driver_setup(const char *name, const char *state_dir, struct error *err)
{
	state_root = xstrdup(state_dir);
	return open_driver(name, &sink_driver, err);
}

const struct plugin_instance *sink_driver_copy(const char *name, struct error *err)
{
	struct plugin_instance *i = map_get(&copies, name);

	if (i)
		return i;
	i = xnew(struct plugin_instance);
	if (open_driver(name, i, err) < 0) {
		free(i);
		return NULL;
	}
	if (!sink_driver_local(i)) {
		error_set(err, ERR_INVALID,
			  "log driver %s can't keep copies: it may wait for more than the disk",
			  name);
		plugin_close(i);
		free(i);
		return NULL;
	}
	map_set(&copies, name, i);
	return i;
}

bool sink_driver_local(const struct plugin_instance *i)
{
	return i->plugin->capabilities & DOCKERD_LOG_CAP_LOCAL;
}

static struct dockerd_key_value *key_values(const struct pairs *p)
{
	struct dockerd_key_value *kv = xcalloc(p->n + 1, sizeof(*kv));

	for (size_t i = 0; i < p->n; i++)
		kv[i] = (struct dockerd_key_value){p->v[i].key, p->v[i].value};
	return kv;
}

int sink_driver_open(struct sink *k, const struct told *t, struct error *err)
{
	struct dockerd_options *o = NULL;
	struct dockerd_error derr = plugin_error_init();
	auto_free struct dockerd_key_value *labels = NULL, *env = NULL;
	struct dockerd_log_info info;
	struct plugin_call call;
	void *handle = NULL;
	int32_t r;

	if (plugin_options_parse(k->driver->plugin, DOCKERD_SCOPE_CONTAINER, &t->options, &o, err) <
	    0)
		return -1;
	labels = key_values(&t->labels);
	env = key_values(&t->env);
	info = (struct dockerd_log_info){
	    .size = sizeof(info),
	    .label_count = (uint32_t)t->labels.n,
	    .env_count = (uint32_t)t->env.n,
	    .cancel_fd = k->cancel,
	    .container_id = t->container_id,
	    .container_name = t->container_name,
	    .image_id = t->image_id,
	    .image_name = t->image_name,
	    .command = t->command,
	    .created = t->created,
	    .log_path = t->log_path,
	    .daemon_name = t->daemon_name,
	    .labels = labels,
	    .env = env,
	    .options = o,
	};
	r = plugin_enter(k->driver, "stream_open", k->name, &call, err);
	if (r == 0) {
		r = k->driver->plugin->ops.log.stream_open(k->driver->self, &info, &handle, &derr);
		r = plugin_leave(&call, r, &derr, err);
	}
	plugin_options_free(o);
	if (r == 0)
		k->handle = handle;
	return r;
}

void sink_driver_close(struct sink *k)
{
	struct dockerd_error derr = plugin_error_init();
	struct error err = ERROR_INIT;
	struct plugin_call call;

	if (!k->handle)
		return;
	if (plugin_enter(k->driver, "stream_close", k->name, &call, &err) < 0)
		return; /* the driver hangs in it: left to it */
	k->driver->plugin->ops.log.stream_close(k->driver->self, k->handle);
	plugin_leave(&call, 0, &derr, &err);
}

int sink_driver_write(struct sink *k, const struct dockerd_log_message *m, uint32_t n,
		      uint32_t *done, struct error *err)
{
	struct dockerd_error derr = plugin_error_init();
	struct plugin_call call;
	int32_t r;

	*done = 0;
	if (plugin_enter(k->driver, "write", k->name, &call, err) < 0)
		return -1;
	r = k->driver->plugin->ops.log.write(k->driver->self, k->handle, m, n, done, &derr);
	r = plugin_leave(&call, r, &derr, err);
	if (r == 0 || *done > n)
		*done = n;
	return r;
}

void sink_driver_flush(struct sink *k)
{
	const struct dockerd_log_ops *ops = &k->driver->plugin->ops.log;
	struct dockerd_error derr = plugin_error_init();
	struct error err = ERROR_INIT;
	struct plugin_call call;
	int32_t r;

	if (!ops->flush || !k->handle)
		return;
	r = plugin_enter(k->driver, "flush", k->name, &call, &err);
	if (r == 0) {
		r = ops->flush(k->driver->self, k->handle, &derr);
		r = plugin_leave(&call, r, &derr, &err);
	}
	if (r < 0)
		log_error("Error flushing log", "container", k->name, "error", err.text);
}

void sink_say_lost(struct sink *k, const struct error *err)
{
	int64_t now = clock_mono_ns();
	char text[32];

	k->refused++;
	if (k->said && now - k->said < SAY_AGAIN) {
		k->unsaid++;
		return;
	}
	snprintf(text, sizeof(text), "%" PRIu64, k->unsaid + 1);
	log_error("Error writing log message", "driver", k->driver->plugin->name, "container",
		  k->name, "error", err->text, "lost", text);
	k->said = now;
	k->unsaid = 0;
}
