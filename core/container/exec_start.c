/* SPDX-License-Identifier: Apache-2.0 */
/* Starting exec sessions for clients, and what follows from their ends. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/procstat.h"
#include "base/thread.h"
#include "container/exec_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void exec_fds_close(struct exec_fds *f)
{
	for (int i = 0; i < 3; i++) {
		fd_close(&f->child[i]);
		fd_close(&f->held[i]);
	}
	fd_close(&f->created.netns_fd);
	fd_close(&f->created.netlink_fd);
	fd_close(&f->created.console_fd);
}

int exec_build_process(struct container *c, const struct exec_session *e, struct str *process,
		       struct error *err)
{
	auto_json *config = container_config(c, err);
	auto_json *host = config ? container_host_config(c, err) : NULL;
	uint64_t start_time;
	char root[64];
	pid_t pid;
	auto_close root_fd = -1;
	auto_strlist links = STRLIST_INIT;
	struct spec_input in = {.id = c->id,
				.config = config,
				.host_config = host,
				.path = c->path,
				.args = &c->args,
				.extra_env = &links,
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
	links_env(c, false, &links, err);
	return spec_build_exec(&in, &ex, process, err);
}

int exec_logd_open(struct container *c, const struct exec_session *e, struct error *err)
{
	static const struct pairs none = PAIRS_INIT;
	auto_free char *name = container_dup_name(c);
	struct logd_stream ls = {.id = e->id,
				 .driver = c->log_driver,
				 .exec = true,
				 .terminal = e->tty,
				 .stdin_once = true,
				 .container_id = c->id,
				 .container_name = name,
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
	struct error ignored = ERROR_INIT;
	struct logd_fds fds;
	int p[2];

	if (exec_build_process(c, e, &process, err) < 0)
		return -1;
	for (int i = e->attach_stdin ? 0 : 1; !e->tty && i < 3; i++) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return error_sys(err, errno, "pipe");
		f->child[i] = i == 0 ? p[0] : p[1];
		f->held[i] = i == 0 ? p[1] : p[0];
		if (idmap_give(p[0], "") < 0)
			return error_sys(err, errno, "owner of a pipe");
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
	if (logd_start(c->log_driver, e->id, &fds, err) == 0)
		return 0;
	/* a logd that came in between was not told of a session that did not run yet */
	if (err->kind == ERR_NOT_FOUND) {
		error_clear(err);
		if (exec_logd_open(c, e, err) == 0 &&
		    logd_start(c->log_driver, e->id, &fds, err) == 0)
			return 0;
	}
	shim_signal(dir, e->id, SIGKILL, false, &ignored);
	return -1;
}

/* 126 and 127 as moby records them for an exec that could not run. */
void exec_launch_failed(struct container *c, struct exec_session *e, const struct error *err)
{
	LOCK_SCOPE(&c->lock);

	e->running = e->launching = false;
	if (!e->has_exit) /* what the shim reported counts more */
		e->exit_code = err->kind == ERR_NO_COMMAND ? 127 : 126;
	e->has_exit = true;
	e->ended = clock_mono_ns();
	pthread_cond_broadcast(&c->changed);
}

void exec_launched(struct container *c, struct exec_session *e, pid_t pid)
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
	LOCK_SCOPE(&c->lock);
	if (e->has_exit)
		return error_set(err, ERR_CONFLICT, "exec command %s has already run", e->id);
	if (e->started)
		return error_set(err, ERR_CONFLICT, "exec command %s is already running", e->id);
	e->started = e->launching = true;
	return 0;
}

static const char *stream_type(const struct http_exchange *x, const struct exec_session *e)
{
	return !e->tty && x->api_version >= 42 && x->upgrade
		   ? "application/vnd.docker.multiplexed-stream"
		   : "application/vnd.docker.raw-stream";
}

/* Before the process runs, so that nothing it says is missed. *dup: a second descriptor of the connection, for a failing launch. */
static int attach_client(struct http_exchange *x, struct container *c, struct exec_session *e,
			 int *dup, struct error *err)
{
	auto_str pending = STR_INIT, keys = STR_INIT;
	struct logd_attach a = {.in = e->attach_stdin,
				.out = e->attach_stdout,
				.err = e->attach_stderr,
				.multiplexed = !e->tty};

	if (spec_detach_keys(*e->detach_keys ? e->detach_keys : "ctrl-p,ctrl-q", &keys, err) < 0)
		return -1;
	if (http_hijack(x, stream_type(x, e), &a.sock, &pending, err) < 0)
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

/* One that runs or ran can't be started. moby says so in the stream, unless the client wants none. */
static void refuse(struct http_exchange *x, const struct exec_session *e, bool detach,
		   const struct error *why)
{
	auto_str pending = STR_INIT;
	struct error err = ERROR_INIT;
	auto_close sock = -1;

	if (detach)
		http_reply_error(x, why);
	else if (http_hijack(x, stream_type(x, e), &sock, &pending, &err) < 0)
		http_reply_error(x, &err);
	else
		tell_failure(sock, e, why);
}

static void session_failed(struct http_exchange *x, struct container *c, struct exec_session *e,
			   int client, const struct error *why)
{
	struct error ignored = ERROR_INIT;

	exec_launch_failed(c, e, why);
	if (client >= 0)
		tell_failure(client, e, why);
	else if (!x->hijacked)
		http_reply_error(x, why);
	logd_remove(c->log_driver, e->id, &ignored);
}

static void run_session(struct http_exchange *x, struct container *c, struct exec_session *e,
			bool detach)
{
	struct exec_fds f = EXEC_FDS_NONE;
	struct error err = ERROR_INIT;
	auto_close client = -1;
	int r = exec_logd_open(c, e, &err);

	if (r == 0 && !detach)
		r = attach_client(x, c, e, &client, &err);
	if (r == 0)
		r = launch(c, e, &f, &err);
	if (r < 0) {
		session_failed(x, c, e, client, &err);
		exec_fds_close(&f);
		return;
	}
	exec_launched(c, e, f.created.pid);
	exec_fds_close(&f);
	if (detach)
		http_reply_empty(x, 200);
}

void exec_start(struct http_exchange *x, const char *id)
{
	struct error err = ERROR_INIT;
	struct exec_session *e;
	auto_container *c = exec_find(id, &e, &err);
	auto_json *body = c ? http_body_json(x, true, &err) : NULL;
	const json *size = json_get(body, "ConsoleSize");

	if (!c || !body || exec_check_running(c, c->id, &err) < 0) {
		http_reply_error(x, &err);
		if (c)
			exec_put(c, e);
		return;
	}
	if (claim(c, e, &err) < 0) {
		refuse(x, e, json_get_bool(body, "Detach", false), &err);
		exec_put(c, e);
		return;
	}
	if (json_type(json_get(body, "Tty")) == JSON_BOOL && !json_get_bool(body, "Detach", false))
		e->tty = json_get_bool(body, "Tty", e->tty);
	if (json_count(size) == 2) {
		e->rows = (uint32_t)json_u64(json_first(size), 0);
		e->columns = (uint32_t)json_u64(json_next(json_first(size)), 0);
	}
	run_session(x, c, e, json_get_bool(body, "Detach", false));
	exec_put(c, e);
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
		e->exit_code = ev->exit_code; /* the pid stays, for inspect: nothing else uses it */
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

void execs_cut(struct container *c)
{
	struct exec_session *e = NULL;

	while ((e = exec_next(c, e))) {
		struct shim_event ev = {.type = SHIM_EVENT_EXEC_EXIT, .exit_code = 137};
		bool open;

		pthread_mutex_lock(&c->lock);
		open = e->started && !e->has_exit && !e->ending;
		pthread_mutex_unlock(&c->lock);
		memcpy(ev.exec_id, e->id, sizeof(ev.exec_id));
		if (open)
			exec_exited(c, &ev);
	}
}
