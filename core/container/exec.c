/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exec sessions. They live in memory only, as in moby: a restart of the daemon forgets those that had not been started, and finds the running
 * ones in their shim's journal by id. `table_lock` guards the table; a session's fields are guarded by its container's lock.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/procstat.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

/* The session's container (a reference); *out stays until session_put. */
static struct container *find_session(const char *id, struct exec_session **out, struct error *err)
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

static void session_put(struct container *c, struct exec_session *e)
{
	LOCK_SCOPE(&c->lock);

	e->users--;
}

static void exec_event(struct container *c, const struct exec_session *e, const char *action,
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

static int check_running(struct container *c, struct error *err)
{
	LOCK_SCOPE(&c->lock);

	if (!c->state.running)
		return error_set(err, ERR_CONFLICT, "container %s is not running", c->id);
	if (c->state.paused)
		return error_set(err, ERR_CONFLICT,
				 "container %s is paused, unpause the container before exec",
				 c->id);
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

		if (!e->has_exit || e->users || e->ended > before) {
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

static void publish(struct container *c, struct exec_session *e)
{
	id_random(e->id);
	memcpy(e->container_id, c->id, sizeof(e->container_id));
	pthread_mutex_lock(&table_lock);
	map_set(&by_id, e->id, xstrdup(c->id));
	pthread_mutex_unlock(&table_lock);
	pthread_mutex_lock(&c->lock);
	forget_old(c);
	e->next = c->execs;
	c->execs = e;
	pthread_mutex_unlock(&c->lock);
	exec_event(c, e, "exec_create", NULL);
}

int exec_create(const char *name, const json *body, struct str *reply, struct error *err)
{
	auto_container *c = container_find(name, err);
	struct exec_session *e;
	const json *size = json_get(body, "ConsoleSize");
	struct jw w = jw_to(reply);

	if (!c || check_running(c, err) < 0)
		return -1;
	if (!json_count(json_get(body, "Cmd")))
		return error_set(err, ERR_INVALID, "No exec command specified");
	e = xnew(struct exec_session);
	if (json_strlist(json_get(body, "Cmd"), &e->cmd) < 0 ||
	    json_strlist(json_get(body, "Env"), &e->env) < 0) {
		session_free(e);
		return error_set(err, ERR_INVALID,
				 "invalid JSON: Cmd and Env must be lists of strings");
	}
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
	publish(c, e);
	jw_obj(&w);
	jw_kstr(&w, "Id", e->id);
	jw_end(&w);
	return 0;
}

int exec_inspect(const char *id, struct str *reply, struct error *err)
{
	struct exec_session *e;
	auto_container *c = find_session(id, &e, err);
	struct jw w = jw_to(reply);

	if (!c)
		return -1;
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
	jw_kbool(&w, "CanRemove", e->has_exit);
	jw_kstr(&w, "ContainerID", e->container_id);
	jw_kstr(&w, "DetachKeys", e->detach_keys);
	jw_ki64(&w, "Pid", e->pid);
	jw_end(&w);
	pthread_mutex_unlock(&c->lock);
	session_put(c, e);
	return 0;
}

int exec_resize(const char *id, uint32_t rows, uint32_t columns, struct error *err)
{
	struct exec_session *e;
	auto_container *c = find_session(id, &e, err);
	auto_free char *dir = c ? container_run_dir(c->id) : NULL;
	bool running;

	if (!c)
		return -1;
	pthread_mutex_lock(&c->lock);
	running = e->running;
	pthread_mutex_unlock(&c->lock);
	session_put(c, e);
	if (!running)
		return error_set(err, ERR_CONFLICT, "exec process is not started");
	return shim_resize(dir, id, rows, columns, err);
}

/* ---- Start -------------------------------------------------------------------------------------------------------------------- */

struct exec_fds {
	int child[3], held[3];
	struct shim_created created;
};

static void fds_close(struct exec_fds *f)
{
	for (int i = 0; i < 3; i++) {
		fd_close(&f->child[i]);
		fd_close(&f->held[i]);
	}
	fd_close(&f->created.netns_fd);
	fd_close(&f->created.netlink_fd);
	fd_close(&f->created.console_fd);
}

static int build_process(struct container *c, const struct exec_session *e, struct str *process,
			 struct error *err)
{
	auto_json *config = json_parse(c->config, strlen(c->config), err);
	auto_json *host = config ? json_parse(c->host_config, strlen(c->host_config), err) : NULL;
	uint64_t start_time;
	char root[64];
	pid_t pid;
	auto_close root_fd = -1;
	struct spec_input in = {.id = c->id,
				.config = config,
				.host_config = host,
				.path = c->path,
				.args = &c->args,
				.host = spec_host()};
	struct spec_exec ex = {.cmd = &e->cmd,
			       .env = &e->env,
			       .user = e->user,
			       .working_dir = e->working_dir,
			       .tty = e->tty,
			       .privileged = e->privileged};

	if (!host)
		return -1;
	pthread_mutex_lock(&c->lock);
	pid = c->state.pid;
	start_time = c->state.start_time;
	pthread_mutex_unlock(&c->lock);
	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return error_sys(err, errno, "open root of container %s", c->id);
	if (proc_start_time(pid) != start_time) /* the number became somebody else's */
		return error_set(err, ERR_CONFLICT, "container %s is not running", c->id);
	in.rootfs_fd = root_fd;
	return spec_build_exec(&in, &ex, process, err);
}

int exec_logd_open(struct container *c, const struct exec_session *e, struct error *err)
{
	static const struct pairs none = PAIRS_INIT;
	struct logd_stream ls = {.id = e->id,
				 .driver = c->log_driver,
				 .exec = true,
				 .terminal = e->tty,
				 .stdin_once = true,
				 .container_id = c->id,
				 .container_name = c->name,
				 .image_id = c->image_id,
				 .image_name = c->image_name,
				 .command = "",
				 .log_path = "",
				 .labels = &none,
				 .env = &none,
				 .options = &none};

	return logd_open(&ls, err);
}

/* Process and stream; both are gone again on failure. */
static int launch(struct container *c, struct exec_session *e, struct exec_fds *f,
		  struct error *err)
{
	auto_free char *dir = container_run_dir(c->id);
	auto_str process = STR_INIT;
	struct shim_stdio stdio = {.terminal = e->tty, .rows = e->rows, .columns = e->columns};
	struct logd_fds fds;
	int p[2];

	if (build_process(c, e, &process, err) < 0)
		return -1;
	for (int i = e->attach_stdin ? 0 : 1; !e->tty && i < 3; i++) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return error_sys(err, errno, "pipe");
		f->child[i] = i == 0 ? p[0] : p[1];
		f->held[i] = i == 0 ? p[1] : p[0];
	}
	memcpy(stdio.child, f->child, sizeof(f->child));
	memcpy(stdio.held, f->held, sizeof(f->held));
	stdio.held[0] = -1; /* ends with its client: a second holder would keep it open */
	if (shim_exec(dir, e->id, str_cstr(&process), &stdio, &f->created, err) < 0)
		return error_wrap(
		    err, "OCI runtime exec failed: exec failed: unable to start container process");
	FAULT("exec.start.created");
	fds = (struct logd_fds){.in = f->held[0],
				.out = f->held[1],
				.err = f->held[2],
				.console = f->created.console_fd};
	return logd_start(c->log_driver, e->id, &fds, err);
}

/* 126 and 127 as moby records them for an exec that could not run. */
static void launch_failed(struct container *c, struct exec_session *e, const struct error *err)
{
	LOCK_SCOPE(&c->lock);

	e->running = e->launching = false;
	if (!e->has_exit) /* what the shim reported counts more */
		e->exit_code = err->kind == ERR_NO_COMMAND ? 127 : 126;
	e->has_exit = true;
	e->ended = clock_mono_ns();
	pthread_cond_broadcast(&c->changed);
}

static void launched(struct container *c, struct exec_session *e, pid_t pid)
{
	exec_event(c, e, "exec_start", NULL);
	pthread_mutex_lock(&c->lock);
	e->running = true;
	e->launching = false; /* from here on its end is handled */
	e->pid = pid;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static int claim(struct container *c, struct exec_session *e, struct error *err)
{
	if (check_running(c, err) < 0)
		return -1;
	LOCK_SCOPE(&c->lock);
	if (e->has_exit)
		return error_set(err, ERR_CONFLICT, "exec command has already run");
	if (e->started)
		return error_set(err, ERR_CONFLICT, "exec command %s is already running", e->id);
	e->started = e->launching = true;
	return 0;
}

/* Before the process runs, so that nothing it says is missed. *dup: a second descriptor of the connection, for a failing launch. */
static int attach_client(struct http_exchange *x, struct container *c, struct exec_session *e,
			 int *dup, struct error *err)
{
	auto_str pending = STR_INIT, keys = STR_INIT;
	const char *type = !e->tty && x->api_version >= 42
			       ? "application/vnd.docker.multiplexed-stream"
			       : "application/vnd.docker.raw-stream";
	struct logd_attach a = {.in = e->attach_stdin,
				.out = e->attach_stdout,
				.err = e->attach_stderr,
				.multiplexed = !e->tty};

	if (spec_detach_keys(*e->detach_keys ? e->detach_keys : "ctrl-p,ctrl-q", &keys, err) < 0)
		return -1;
	if (http_hijack(x, type, &a.sock, &pending, err) < 0)
		return -1;
	*dup = fcntl(a.sock, F_DUPFD_CLOEXEC, 3);
	a.pending = str_cstr(&pending);
	a.pending_len = pending.len;
	if (e->tty) {
		a.detach_keys = str_cstr(&keys);
		a.detach_keys_len = keys.len;
	}
	if (logd_attach(c->log_driver, e->id, &a, err) < 0) {
		close(a.sock);
		return -1;
	}
	return 0;
}

/* moby answers a failed launch inside the stream: the client shows the text and then asks for the exit code. */
static void tell_failure(int sock, const struct exec_session *e, const struct error *why)
{
	auto_str text = STR_INIT;

	if (!e->tty) {
		size_t n = strlen(why->text) + 2;
		const unsigned char head[8] = {1,
					       0,
					       0,
					       0,
					       (unsigned char)(n >> 24),
					       (unsigned char)(n >> 16),
					       (unsigned char)(n >> 8),
					       (unsigned char)n};

		str_add(&text, head, sizeof(head));
	}
	str_printf(&text, "%s\r\n", why->text);
	if (fd_write_all(sock, text.p, text.len) < 0)
		log_debug("client of an exec session is gone", "container", e->container_id);
}

static void session_failed(struct http_exchange *x, struct container *c, struct exec_session *e,
			   int client, const struct error *why)
{
	struct error ignored = ERROR_INIT;

	launch_failed(c, e, why);
	if (client >= 0)
		tell_failure(client, e, why);
	else if (!x->hijacked)
		http_reply_error(x, why);
	logd_remove(c->log_driver, e->id, &ignored);
}

static void run_session(struct http_exchange *x, struct container *c, struct exec_session *e,
			bool detach)
{
	struct exec_fds f = {
	    .child = {-1, -1, -1},
	    .held = {-1, -1, -1},
	    .created = {.netns_fd = -1, .netlink_fd = -1, .console_fd = -1, .sock = -1}};
	struct error err = ERROR_INIT;
	auto_close client = -1;
	int r = exec_logd_open(c, e, &err);

	if (r == 0 && !detach)
		r = attach_client(x, c, e, &client, &err);
	if (r == 0)
		r = launch(c, e, &f, &err);
	if (r < 0) {
		session_failed(x, c, e, client, &err);
		fds_close(&f);
		return;
	}
	launched(c, e, f.created.pid);
	fds_close(&f);
	if (detach)
		http_reply_empty(x, 200);
}

void exec_start(struct http_exchange *x, const char *id)
{
	struct error err = ERROR_INIT;
	struct exec_session *e;
	auto_container *c = find_session(id, &e, &err);
	auto_json *body = c ? http_body_json(x, true, &err) : NULL;
	const json *size = json_get(body, "ConsoleSize");

	if (!c || !body || claim(c, e, &err) < 0) {
		http_reply_error(x, &err);
		if (c)
			session_put(c, e);
		return;
	}
	if (json_type(json_get(body, "Tty")) == JSON_BOOL && !json_get_bool(body, "Detach", false))
		e->tty = json_get_bool(body, "Tty", e->tty);
	if (json_count(size) == 2) {
		e->rows = (uint32_t)json_u64(json_first(size), 0);
		e->columns = (uint32_t)json_u64(json_next(json_first(size)), 0);
	}
	run_session(x, c, e, json_get_bool(body, "Detach", false));
	session_put(c, e);
}

void exec_exited(struct container *c, const struct shim_event *ev)
{
	auto_free char *dir = container_run_dir(c->id);
	struct error err = ERROR_INIT;
	struct exec_session *e;
	bool probe = false;
	char code[16];

	pthread_mutex_lock(&c->lock);
	for (e = c->execs; e && !streq(e->id, ev->exec_id);)
		e = e->next;
	/* a short process ends before its start has been told and its client is served: first things first */
	while (e && e->launching)
		pthread_cond_wait(&c->changed, &c->lock);
	if (e) {
		e->running = false;
		e->has_exit = true;
		e->exit_code = ev->exit_code;
		e->pid = 0;
		e->ended = clock_mono_ns();
		probe = e->probe;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	/* the exit is on record before the client sees the end of the stream, and asks for it */
	if (!probe && logd_finish(c->log_driver, ev->exec_id, 2000, &err) < 0)
		log_warn("output of an exec session may be cut", "container", c->id, "error",
			 err.text);
	if (shim_stdio_drop(dir, ev->exec_id, &err) < 0 && err.kind != ERR_NOT_FOUND)
		log_debug("stdio of an exec session", "container", c->id, "error", err.text);
	if (!e)
		return;
	snprintf(code, sizeof(code), "%d", ev->exit_code);
	exec_event(c, e, "exec_die", code);
}

/* ---- Health probes -------------------------------------------------------------------------------------------------------------- */

/* Process with stdout and stderr in the pipe `to`. */
static int launch_probe(struct container *c, struct exec_session *e, int to, pid_t *pid,
			struct error *err)
{
	auto_free char *dir = container_run_dir(c->id);
	struct shim_stdio stdio = {.child = {-1, to, to}, .held = {-1, -1, -1}};
	struct exec_fds f = {
	    .child = {-1, -1, -1},
	    .held = {-1, -1, -1},
	    .created = {.netns_fd = -1, .netlink_fd = -1, .console_fd = -1, .sock = -1}};
	auto_str process = STR_INIT;
	int r;

	if (build_process(c, e, &process, err) < 0)
		return -1;
	r = shim_exec(dir, e->id, str_cstr(&process), &stdio, &f.created, err);
	*pid = f.created.pid;
	fds_close(&f);
	return r;
}

struct exec_session *exec_probe(struct container *c, const struct strlist *command, int *out,
				struct error *err)
{
	struct exec_session *e;
	int p[2] = {-1, -1}, r;
	pid_t pid;

	if (check_running(c, err) < 0)
		return NULL;
	e = xnew(struct exec_session);
	strlist_copy(&e->cmd, command);
	e->user = xstrdup("");
	e->working_dir = xstrdup("");
	e->detach_keys = xstrdup("");
	e->probe = e->attach_stdout = e->attach_stderr = true;
	e->started = e->launching = true;
	e->users = 1;
	publish(c, e);
	r = pipe2(p, O_CLOEXEC) < 0 ? error_sys(err, errno, "pipe")
				    : launch_probe(c, e, p[1], &pid, err);
	fd_close(&p[1]);
	if (r < 0) {
		fd_close(&p[0]);
		launch_failed(c, e, err);
		session_put(c, e);
		return NULL;
	}
	launched(c, e, pid);
	*out = p[0];
	return e;
}

void exec_probe_done(struct container *c, struct exec_session *e)
{
	session_put(c, e);
}
