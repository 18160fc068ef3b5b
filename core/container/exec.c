/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exec sessions. They live in memory only, as in moby: a restart of the daemon forgets those that had not been started, and finds the running
 * ones in their shim's journal by id. `table_lock` guards the table; a session's fields are guarded by its container's lock.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/exec_int.h"

#include <stdlib.h>

#define KEEP_ENDED (INT64_C(300) * 1000000000) /* how long the end of a session can be asked for */

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct map by_id = MAP_INIT; /* exec id -> malloc'ed container id */

static void session_free(struct exec_session *e)
{
	strlist_free(&e->cmd);
	strlist_free(&e->env);
	free(e->user);
	free(e->working_dir);
	free(e->detach_keys);
	free(e);
}

void execs_free(struct container *c)
{
	while (c->execs) {
		struct exec_session *e = c->execs;

		c->execs = e->next;
		pthread_mutex_lock(&table_lock);
		free(map_del(&by_id, e->id));
		pthread_mutex_unlock(&table_lock);
		session_free(e);
	}
}

/* Never started, and the life of the container that it was for has ended: as with moby there is no such session. With c->lock held. */
static bool is_lost(const struct container *c, const struct exec_session *e)
{
	return !e->started && (!c->state.running || e->life != c->state.start_time);
}

/* The session's container (a reference); *out stays until exec_put. */
struct container *exec_find(const char *id, struct exec_session **out, struct error *err)
{
	struct container *c = NULL;
	const char *cid;
	auto_free char *copy = NULL;

	*out = NULL;
	pthread_mutex_lock(&table_lock);
	cid = map_get(&by_id, id);
	copy = xstrdup_null(cid);
	pthread_mutex_unlock(&table_lock);
	c = copy ? container_by_id(copy) : NULL;
	if (c) {
		LOCK_SCOPE(&c->lock);
		for (*out = c->execs; *out && !streq((*out)->id, id);)
			*out = (*out)->next;
		if (*out && is_lost(c, *out))
			*out = NULL;
		if (*out)
			(*out)->users++;
	}
	if (c && *out)
		return c;
	if (c)
		container_unref(c);
	error_set(err, ERR_NOT_FOUND, "No such exec instance: %s", id);
	return NULL;
}

struct exec_session *exec_next(struct container *c, struct exec_session *last)
{
	struct exec_session *e;
	LOCK_SCOPE(&c->lock);

	e = last ? last->next : c->execs;
	if (last)
		last->users--;
	if (e)
		e->users++;
	return e;
}

void exec_ending(const char *container_id, const char *exec_id)
{
	auto_container *c = container_by_id(container_id);
	struct exec_session *e = NULL;

	if (!c)
		return;
	LOCK_SCOPE(&c->lock);
	for (e = c->execs; e && !streq(e->id, exec_id);)
		e = e->next;
	if (e)
		e->ending = true;
}

void exec_put(struct container *c, struct exec_session *e)
{
	LOCK_SCOPE(&c->lock);

	e->users--;
}

void exec_event(struct container *c, const struct exec_session *e, const char *action,
		const char *exit_code)
{
	auto_pairs attrs = PAIRS_INIT;
	auto_str text = STR_INIT;

	str_puts(&text, action);
	if (!exit_code) {
		auto_free char *cmd = strlist_join(&e->cmd, " ");

		/* moby: entrypoint, a blank, and the joined arguments */
		str_printf(&text, ": %s%s", cmd, e->cmd.n == 1 ? " " : "");
	}
	pairs_set(&attrs, "execID", e->id);
	if (exit_code)
		pairs_set(&attrs, "exitCode", exit_code);
	container_event(c, str_cstr(&text), &attrs);
}

int exec_check_running(struct container *c, const char *shown, struct error *err)
{
	LOCK_SCOPE(&c->lock);

	if (!c->state.running)
		return error_set(err, ERR_CONFLICT, "container %s is not running", c->id);
	if (c->state.paused)
		return error_set(err, ERR_CONFLICT,
				 "Container %s is paused, unpause the container before exec",
				 shown);
	if (c->state.restarting)
		return error_set(err, ERR_CONFLICT,
				 "container %s is restarting, wait until the container is running",
				 c->id);
	return 0;
}

/* Health probes make sessions for months: those that ended a while ago are forgotten, as moby does. With c->lock held. */
static void forget_old(struct container *c)
{
	int64_t before = clock_mono_ns() - KEEP_ENDED;

	for (struct exec_session **at = &c->execs; *at;) {
		struct exec_session *e = *at;

		if (e->users || (!is_lost(c, e) && (!e->has_exit || e->ended > before))) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		pthread_mutex_lock(&table_lock);
		free(map_del(&by_id, e->id));
		pthread_mutex_unlock(&table_lock);
		session_free(e);
	}
}

void exec_publish(struct container *c, struct exec_session *e)
{
	id_random(e->id);
	memcpy(e->container_id, c->id, sizeof(e->container_id));
	pthread_mutex_lock(&table_lock);
	map_set(&by_id, e->id, xstrdup(c->id));
	pthread_mutex_unlock(&table_lock);
	pthread_mutex_lock(&c->lock);
	forget_old(c);
	e->life = c->state.start_time;
	e->next = c->execs;
	c->execs = e;
	pthread_mutex_unlock(&c->lock);
	exec_event(c, e, "exec_create", NULL);
}

/* moby checks them here already, with words of its own and as a failure of the server. */
static int check_detach_keys(const char *names, struct error *err)
{
	auto_str keys = STR_INIT;

	if (!*names || spec_detach_keys(names, &keys, err) == 0)
		return 0;
	return error_set(err, ERR_SYSTEM, "Invalid escape keys (%s) provided", names);
}

int exec_create(const char *name, const json *given, struct str *reply, struct error *err)
{
	auto_str text = STR_INIT;
	auto_json *body = spec_normalise_exec(given, &text, err) == 0
			      ? json_parse(str_cstr(&text), text.len, err)
			      : NULL;
	auto_container *c = body ? container_find(name, err) : NULL;
	const json *size = json_get(body, "ConsoleSize");
	struct jw w = jw_to(reply);
	struct exec_session *e;
	auto_str process = STR_INIT;

	if (!c || exec_check_running(c, c->name, err) < 0)
		return -1;
	if (!json_count(json_get(body, "Cmd")))
		return error_set(err, ERR_INVALID, "No exec command specified");
	if (check_detach_keys(json_get_str(body, "DetachKeys", ""), err) < 0)
		return -1;
	e = xnew(struct exec_session);
	json_strlist(json_get(body, "Cmd"), &e->cmd);
	json_strlist(json_get(body, "Env"), &e->env);
	e->user = xstrdup(json_get_str(body, "User", ""));
	e->working_dir = xstrdup(json_get_str(body, "WorkingDir", ""));
	e->detach_keys = xstrdup(json_get_str(body, "DetachKeys", ""));
	e->tty = json_get_bool(body, "Tty", false);
	e->privileged = json_get_bool(body, "Privileged", false);
	e->attach_stdin = json_get_bool(body, "AttachStdin", false);
	e->attach_stdout = json_get_bool(body, "AttachStdout", false);
	e->attach_stderr = json_get_bool(body, "AttachStderr", false);
	if (json_count(size) == 2) {
		e->rows = (uint32_t)json_u64(json_first(size), 0);
		e->columns = (uint32_t)json_u64(json_next(json_first(size)), 0);
	}
	/* a user that is not there is refused here already, as by moby */
	if (*e->user && exec_build_process(c, e, &process, err) < 0) {
		session_free(e);
		err->kind =
		    err->kind == ERR_NOT_FOUND || err->kind == ERR_SYSTEM ? ERR_INVALID : err->kind;
		return -1;
	}
	exec_publish(c, e);
	jw_obj(&w);
	jw_kstr(&w, "Id", e->id);
	jw_end(&w);
	return 0;
}

int exec_inspect(const char *id, struct str *reply, struct error *err)
{
	struct exec_session *e;
	auto_container *c = exec_find(id, &e, err);
	struct jw w = jw_to(reply);
	auto_str keys = STR_INIT;
	auto_free char *keys64 = NULL;

	if (!c)
		return -1;
	if (*e->detach_keys)
		spec_detach_keys(e->detach_keys, &keys, err); /* they were good at the creation */
	keys64 = base64_encode(str_cstr(&keys), keys.len);
	pthread_mutex_lock(&c->lock);
	jw_obj(&w);
	jw_kstr(&w, "ID", e->id);
	jw_kbool(&w, "Running", e->running);
	if (e->has_exit)
		jw_ki64(&w, "ExitCode", e->exit_code);
	else
		jw_knull(&w, "ExitCode");
	jw_kobj(&w, "ProcessConfig");
	jw_kbool(&w, "tty", e->tty);
	jw_kstr(&w, "entrypoint", e->cmd.v[0]);
	jw_karr(&w, "arguments");
	for (size_t i = 1; i < e->cmd.n; i++)
		jw_str(&w, e->cmd.v[i]);
	jw_end(&w);
	jw_kbool(&w, "privileged", e->privileged);
	if (*e->user)
		jw_kstr(&w, "user", e->user);
	jw_end(&w);
	jw_kbool(&w, "OpenStdin", e->attach_stdin);
	jw_kbool(&w, "OpenStderr", e->attach_stderr);
	jw_kbool(&w, "OpenStdout", e->attach_stdout);
	jw_kbool(&w, "CanRemove", false);
	jw_kstr(&w, "ContainerID", e->container_id);
	jw_kstr(&w, "DetachKeys", keys64); /* a []byte */
	jw_ki64(&w, "Pid", e->pid);
	jw_end(&w);
	pthread_mutex_unlock(&c->lock);
	exec_put(c, e);
	return 0;
}

int exec_resize(const char *id, uint32_t rows, uint32_t columns, struct error *err)
{
	struct exec_session *e;
	auto_container *c = exec_find(id, &e, err);
	auto_free char *dir = c ? container_run_dir(c->id) : NULL;
	bool started, running, tty;

	if (!c)
		return -1;
	pthread_mutex_lock(&c->lock);
	started = e->started;
	running = e->running;
	tty = e->tty;
	pthread_mutex_unlock(&c->lock);
	exec_put(c, e);
	if (exec_check_running(c, c->id, err) < 0)
		return -1;
	/* moby waits ten seconds before it says so */
	if (!started)
		return error_set(err, ERR_SYSTEM, "timeout waiting for exec session ready");
	if (!running)
		return error_set(err, ERR_NOT_FOUND,
				 "NotFound: process does not exist %s: not found", id);
	/* without a terminal there is nothing to do: no error, as moby */
	return tty ? shim_resize(dir, id, rows, columns, err) : 0;
}
