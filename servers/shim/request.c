/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the daemon. What needs no driver is answered here; the rest becomes an operation (op.c). */
#include "base/cleanup.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

void client_reply_ok(struct client *c, uint32_t seq)
{
	struct error err;

	if (msg_reply_ok(c->fd, seq, &err) < 0)
		c->closed = true;
}

void client_reply_error(struct client *c, uint32_t seq, const struct error *e)
{
	struct error err;

	if (msg_reply_error(c->fd, seq, e, &err) < 0)
		c->closed = true;
}

static void take_held(struct msg *m, struct proc *p)
{
	for (uint16_t i = 0; i < 3; i++)
		p->held[i] = msg_take_fd(m, (uint16_t)(TAG_HELD_IN + i));
}

/* One that was kept ready gets its container's id in the list of processes. */
static void take_name(struct shim *s, const char *id)
{
	if (s->name && id && strlen(id) == strlen(s->name))
		memcpy(s->name, id, strlen(id));
}

static int create(struct shim *s, struct client *c, struct msg *m, struct error *err)
{
	struct proc *p;

	if (s->created || proc_find(s, NULL))
		return error_set(err, ERR_CONFLICT, "the container is already created");
	s->asked = true;
	take_name(s, msg_get_str(m, TAG_ID));
	p = proc_new(s, NULL);
	take_held(m, p);
	msg_trim(m);
	if (op_begin(s, c, m, p, err) < 0) {
		proc_free(s, p);
		return -1;
	}
	return 0;
}

static struct op *waiting_create(struct shim *s)
{
	for (struct op *op = s->ops; op; op = op->next)
		if (op->sock >= 0 && !op->type && !op->idle)
			return op;
	return NULL;
}

static int start(struct shim *s, struct client *c, struct msg *m, struct error *err)
{
	struct op *op = waiting_create(s);

	if (!op)
		return error_set(err, ERR_CONFLICT, "the container is not waiting for its start");
	return op_continue(s, op, c, m, err);
}

static int exec(struct shim *s, struct client *c, struct msg *m, struct error *err)
{
	struct proc *p = proc_find(s, NULL);
	const char *id = msg_get_str(m, TAG_EXEC_ID);

	if (!p || !p->pid || p->ended)
		return error_set(err, ERR_CONFLICT, "the container is not running");
	if (!id || !*id || strlen(id) >= EXEC_ID_SIZE)
		return error_set(err, ERR_INVALID, "exec id is missing or too long");
	if (proc_find(s, id))
		return error_set(err, ERR_CONFLICT, "exec id %s is in use", id);
	p = proc_new(s, id);
	take_held(m, p);
	msg_trim(m);
	if (op_begin(s, c, m, p, err) < 0) {
		proc_free(s, p);
		return -1;
	}
	return 0;
}

static int find(struct shim *s, const struct msg *m, struct proc **out, struct error *err)
{
	const char *id = msg_get_str(m, TAG_EXEC_ID);

	*out = proc_find(s, id);
	if (!*out)
		return error_set(err, ERR_NOT_FOUND, "no process %s here",
				 id ? id : "of the container");
	return 0;
}

/* -1 error, 0 answered by an operation, 1 done. */
static int signal_process(struct shim *s, struct client *c, struct msg *m, struct error *err)
{
	int signo = (int)msg_get_u32(m, TAG_SIGNAL, 0);
	struct proc *p;

	if (msg_get_u32(m, TAG_ALL, 0))
		return op_begin(s, c, m, NULL, err);
	if (find(s, m, &p, err) < 0)
		return -1;
	if (!p->pid || p->ended)
		return error_set(err, ERR_NOT_FOUND, "the process has ended");
	if (proc_signal(p, signo) < 0)
		return error_sys(err, errno, "signal %d", signo);
	return 1;
}

static int resize(struct shim *s, const struct msg *m, struct error *err)
{
	struct winsize w = {.ws_row = (unsigned short)msg_get_u32(m, TAG_ROWS, 0),
			    .ws_col = (unsigned short)msg_get_u32(m, TAG_COLUMNS, 0)};
	struct proc *p;

	if (find(s, m, &p, err) < 0)
		return -1;
	if (p->console < 0)
		return error_set(err, ERR_INVALID, "the process has no terminal");
	if (ioctl(p->console, TIOCSWINSZ, &w) < 0)
		return error_sys(err, errno, "resize terminal");
	return 1;
}

static int stdio_take(struct shim *s, struct client *c, const struct msg *m, struct error *err)
{
	auto_msg out = {0};
	struct proc *p;

	if (find(s, m, &p, err) < 0)
		return -1;
	msg_init(&out, SHIM_STDIO);
	out.seq = m->seq;
	for (uint16_t i = 0; i < 3; i++)
		if (p->held[i] >= 0 &&
		    msg_put_fd(&out, (uint16_t)(TAG_HELD_IN + i), p->held[i]) < 0)
			return error_sys(err, errno, "duplicate stdio");
	if (p->console >= 0 && msg_put_fd(&out, TAG_CONSOLE, p->console) < 0)
		return error_sys(err, errno, "duplicate terminal");
	return msg_send(c->fd, &out, err);
}

static int stdio_drop(struct shim *s, const struct msg *m, struct error *err)
{
	struct proc *p;

	if (find(s, m, &p, err) < 0)
		return -1;
	proc_close_stdio(p);
	if (*p->exec_id && p->ended)
		proc_free(s, p);
	return 1;
}

/* Whatever still runs is killed first: the container has ended for the daemon. */
static int delete_container(struct shim *s, struct client *c, struct msg *m, struct error *err)
{
	struct op *op;

	if (!s->asked || s->destroyed) {
		s->done = true;
		return 1;
	}
	/* cleaning up is under way since the end of the first process */
	for (op = s->ops; op; op = op->next)
		if (op->type == SHIM_DELETE && op->sock >= 0 && !op->client) {
			op->client = c;
			op->seq = m->seq;
			return 0;
		}
	op = waiting_create(s);
	if (op) {
		/* Closing tells the waiting dockerd-exec to undo; it must be through before another one cleans up. */
		fd_close(&op->sock);
	}
	for (struct proc *p = s->procs; p; p = p->next)
		if (p->pid && !p->ended)
			proc_signal(p, SIGKILL);
	return op_begin(s, c, m, NULL, err);
}

static int subscribe(struct shim *s, struct client *c, const struct msg *m, struct error *err)
{
	c->seen = msg_get_u64(m, TAG_SEQ, 0);
	if (c->seen > s->last_seq)
		return error_set(err, ERR_INVALID, "event %llu has not happened yet",
				 (unsigned long long)c->seen);
	client_reply_ok(c, m->seq);
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0)
		return error_sys(err, errno, "fcntl");
	c->subscribed = true;
	journal_pump(s, c);
	return 0;
}

void request_handle(struct shim *s, struct client *c, struct msg *m)
{
	struct error err = ERROR_INIT;
	uint32_t seq = m->seq;
	int r;

	if (!c->version) {
		c->closed =
		    msg_hello_server(c->fd, m, PACKAGE_NAME "-shim " PACKAGE_VERSION,
				     SHIM_PROTOCOL_MIN, SHIM_PROTOCOL_MAX, &c->version, &err) < 0;
		return;
	}
	if (c->version < shim_message_since(m->type)) {
		error_set(&err, ERR_INVALID, "request %u is not part of protocol %u", m->type,
			  c->version);
		client_reply_error(c, seq, &err);
		return;
	}
	switch (m->type) {
	case SHIM_CREATE:
		r = create(s, c, m, &err);
		break;
	case SHIM_START:
		r = start(s, c, m, &err);
		break;
	case SHIM_EXEC:
		r = exec(s, c, m, &err);
		break;
	case SHIM_SIGNAL:
		r = signal_process(s, c, m, &err);
		break;
	case SHIM_PAUSE:
	case SHIM_RESUME:
	case SHIM_UPDATE:
		r = op_begin(s, c, m, NULL, &err);
		break;
	case SHIM_RESIZE:
		r = resize(s, m, &err);
		break;
	case SHIM_STDIO_TAKE:
		r = stdio_take(s, c, m, &err);
		break;
	case SHIM_STDIO_DROP:
		r = stdio_drop(s, m, &err);
		break;
	case SHIM_DELETE:
		r = delete_container(s, c, m, &err);
		break;
	case SHIM_SUBSCRIBE:
		r = subscribe(s, c, m, &err);
		break;
	default:
		r = error_set(&err, ERR_NOT_IMPLEMENTED, "this shim does not know request %u",
			      m->type);
	}
	if (r < 0)
		client_reply_error(c, seq, &err);
	else if (r > 0)
		client_reply_ok(c, seq);
}
