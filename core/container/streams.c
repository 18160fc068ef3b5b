/* SPDX-License-Identifier: Apache-2.0 */
/* A container's output and logd: what the log driver is told, and what a new logd is given when the old one died. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/exec_int.h"
#include "container/log_reader.h"

#include <stdlib.h>

static char *log_file_name(const struct container *c)
{
	auto_free char *dir = container_dir(c->id);

	return xasprintf("%s/%s-json.log", dir, c->id);
}

static int tell_env(struct container *c, struct pairs *env, struct error *err)
{
	auto_json *config = container_config(c, err);
	auto_strlist list = STRLIST_INIT;

	if (!config)
		return -1;
	json_strlist(json_get(config, "Env"), &list);
	for (size_t i = 0; i < list.n; i++) {
		char *eq = strchr(list.v[i], '=');

		if (!eq)
			continue;
		*eq = '\0';
		pairs_set(env, list.v[i], eq + 1);
	}
	return 0;
}

char *container_log_path(const struct container *c)
{
	return log_driver_has_path(c->log_driver) ? log_file_name(c) : NULL;
}

int stream_tell(struct container *c, struct stream_told *told, struct error *err)
{
	*told = (struct stream_told){.log_path = log_file_name(c), .name = container_dup_name(c)};
	told->stream = (struct logd_stream){.id = c->id,
					    .driver = c->log_driver,
					    .terminal = c->tty,
					    .stdin_once = c->stdin_once,
					    .container_id = c->id,
					    .container_name = told->name,
					    .image_id = c->image_id,
					    .image_name = c->image_name,
					    .command = c->command,
					    .log_path = told->log_path,
					    .created = c->created,
					    .labels = &c->labels,
					    .env = &told->env,
					    .options = &told->options};
	if (tell_env(c, &told->env, err) < 0 ||
	    log_options_split(c->log_driver, &c->log_opts, &told->stream.non_blocking,
			      &told->stream.max_buffer, &told->options, err) < 0) {
		stream_told_free(told);
		return -1;
	}
	if (log_copy_wanted(c->log_driver, &c->log_opts, &told->copy_options)) {
		auto_free char *dir = container_dir(c->id);

		told->copy_path = path_join(dir, "container-cached.log"); /* moby's place */
		told->stream.copy_driver = LOG_CACHE_DRIVER;
		told->stream.copy_path = told->copy_path;
		told->stream.copy_options = &told->copy_options;
	}
	return 0;
}

void stream_told_free(struct stream_told *told)
{
	pairs_free(&told->env);
	pairs_free(&told->options);
	pairs_free(&told->copy_options);
	free(told->log_path);
	free(told->name);
	free(told->copy_path);
}

int container_logd_open(struct container *c, struct error *err)
{
	struct stream_told told;
	int r;

	if (stream_tell(c, &told, err) < 0)
		return -1;
	r = logd_open(&told.stream, err);
	stream_told_free(&told);
	if (r == 0)
		c->logd_open = true;
	return r;
}

/* Descriptors that the shim holds for a process -> the new logd. */
static int hand_over(struct container *c, const char *id, const char *exec_id, struct error *err)
{
	auto_free char *dir = container_run_dir(c->id);
	int held[3] = {-1, -1, -1}, console = -1;
	int r = shim_stdio_take(dir, exec_id, held, &console, err);

	if (r == 0)
		r = logd_start(c->log_driver, id,
			       &(struct logd_fds){.in = held[0],
						  .out = held[1],
						  .err = held[2],
						  .console = console,
						  .running = true},
			       err);
	for (int k = 0; k < 3; k++)
		fd_close(&held[k]);
	fd_close(&console);
	return r;
}

static void restore_execs(struct container *c)
{
	struct error err = ERROR_INIT;

	struct exec_session *next = NULL;

	while ((next = exec_next(c, next)))
		if (next->running && (exec_logd_open(c, next, &err) < 0 ||
				      hand_over(c, next->id, next->id, &err) < 0))
			log_error("output of an exec session is not read", "container", c->id,
				  "error", err.text);
}

void containers_logd_restore(const char *driver)
{
	size_t n;
	struct container **all = containers_all(&n);

	for (size_t i = 0; i < n; i++) {
		struct container *c = all[i];
		struct error err = ERROR_INIT;
		bool streaming;

		if (streq(c->log_driver, driver)) {
			pthread_mutex_lock(&c->lock);
			c->logd_open = false;
			streaming = c->streaming;
			pthread_mutex_unlock(&c->lock);
			if (streaming && (container_logd_open(c, &err) < 0 ||
					  hand_over(c, c->id, NULL, &err) < 0))
				log_error("output of a container is not read", "container", c->id,
					  "error", err.text);
			if (streaming)
				restore_execs(c);
		}
		container_unref(c);
	}
	free(all);
}
