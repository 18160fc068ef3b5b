/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /containers/{}/attach: checks, takes the connection over and hands it to logd, which serves it from then on. GET /containers/{}/attach/ws:
 * the same, through a relay that speaks websocket to the client; everything is raw there, in text messages before version 1.28 of the API.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/log_serve.h"
#include "http/websocket.h"

#include <unistd.h>

static int check(struct container *c, const char *name, struct error *err)
{
	LOCK_SCOPE(&c->lock);

	if (c->state.paused)
		return error_set(err, ERR_CONFLICT,
				 "container %s is paused, unpause the container before attach",
				 name);
	if (c->state.restarting)
		return error_set(err, ERR_CONFLICT,
				 "container %s is restarting, wait until the container is running",
				 name);
	return 0;
}

static int detach_keys(struct http_exchange *x, struct str *keys, struct error *err)
{
	const char *names = http_query(x, "detachKeys", "");

	if (spec_detach_keys(*names ? names : "ctrl-p,ctrl-q", keys, err) < 0)
		return error_set(err, ERR_INVALID, "Invalid detach keys (%s) provided", names);
	return 0;
}

static int attach_now(struct container *c, struct logd_attach *a, struct error *err)
{
	if (logd_attach(c->log_driver, c->id, a, err) == 0)
		return 0;
	close(a->sock);
	return -1;
}

/*
 * What the container has said, and then what it says: most of its past while it goes on; then logd reads nothing more of it until the client has the
 * rest as well, and so no byte falls between the two. A container that ends meanwhile has all of it in its log.
 */
static int attach_behind_past(struct container *c, struct logd_attach *a, struct log_past *past,
			      bool stream, struct error *err)
{
	int hold = -1, r = log_past_send(past, err);
	bool ended = false;

	if (r == 0 && stream) {
		r = logd_attach_held(c->log_driver, c->id, a, &hold, err);
		ended = r < 0 && err->kind == ERR_NOT_FOUND;
		FAULT("container.attach.held");
	}
	if ((r == 0 && stream) || ended)
		r = log_past_send(past, err);
	/* a client whose past is cut is let go of with the connection that holds it */
	if (r == 0)
		logd_release(&hold);
	fd_close(&hold);
	close(a->sock);
	return r;
}

/* With the stream in logd open, so that nothing the container writes from now on is missed. */
static int take_over(struct http_exchange *x, struct container *c, const struct str *keys, bool ws,
		     struct error *err)
{
	bool stream = http_query_bool(x, "stream", false), logs = http_query_bool(x, "logs", false);
	auto_str pending = STR_INIT;
	bool multiplexed = !c->tty && !ws;
	const char *type = multiplexed && x->upgrade && x->api_version >= 42
			       ? "application/vnd.docker.multiplexed-stream"
			       : "application/vnd.docker.raw-stream";
	struct logd_attach a = {.in = http_query_bool(x, "stdin", false) && c->open_stdin,
				.out = http_query_bool(x, "stdout", false),
				.err = http_query_bool(x, "stderr", false),
				.multiplexed = multiplexed,
				.detach_keys = c->tty ? str_cstr(keys) : "",
				.detach_keys_len = c->tty ? keys->len : 0};
	struct error unread = ERROR_INIT;
	struct log_past *past = NULL;
	int r = 0;

	if (ws) {
		if (http_websocket(x, x->api_version < 28 ? WS_TEXT : WS_BINARY, &a.sock, err) < 0)
			return -1;
	} else if (http_hijack(x, type, &a.sock, &pending, err) < 0) {
		return -1;
	}
	if (logs) {
		past = log_past_open(c, a.sock, a.out, a.err, multiplexed, &unread);
		if (!past)
			log_debug("past logs for attach", "container", c->id, "error", unread.text);
	}
	a.pending = str_cstr(&pending);
	a.pending_len = pending.len;
	stream = stream && (a.in || a.out || a.err);
	if (past)
		r = attach_behind_past(c, &a, past, stream, err);
	else if (stream)
		r = attach_now(c, &a, err);
	else
		close(a.sock);
	log_past_close(past);
	return r;
}

/* As moby: plain words of the type of the stream that there would have been, and the end of the connection. */
static void refuse(struct http_exchange *x, const struct error *err)
{
	auto_str text = STR_INIT;

	str_printf(&text, "%s\r\n", err->text);
	x->keep_alive = false;
	http_reply(x, error_http_status(err->kind), "application/vnd.docker.raw-stream", text.p,
		   text.len);
}

static void attach(struct http_exchange *x, const char *name, bool ws)
{
	struct error err = ERROR_INIT;
	auto_container *c = container_find(name, &err);
	auto_str keys = STR_INIT;
	bool past = http_query_bool(x, "logs", false), tried = false;
	int r = c ? check(c, name, &err) : -1;

	if (r == 0)
		r = detach_keys(x, &keys, &err);
	if (r == 0) {
		LOCK_SCOPE(&c->op);
		if (c->gone)
			r = error_set(&err, ERR_NOT_FOUND, "No such container: %s", name);
		else if (!c->logd_open)
			r = container_logd_open(c, &err);
		/* a start that the client asks for once it sees our reply waits until it is attached; past logs may take long */
		if (r == 0 && !past) {
			r = take_over(x, c, &keys, ws, &err);
			tried = true;
		}
	}
	if (r < 0 && !x->status) {
		if (ws)
			http_reply_error(x, &err);
		else
			refuse(x, &err);
		return;
	}
	if (!tried)
		r = take_over(x, c, &keys, ws, &err);
	if (r < 0) {
		log_debug("attach", "container", c->id, "error", err.text);
		return;
	}
	container_event(c, "attach", NULL);
}

void container_attach(struct http_exchange *x, const char *name)
{
	attach(x, name, false);
}

void container_attach_ws(struct http_exchange *x, const char *name)
{
	attach(x, name, true);
}
