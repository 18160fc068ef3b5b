/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a living shim, its events and its journal. See shim_client.h; nothing here keeps state. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "container/shim_call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define INLINE_TEXT (32 * 1024) /* more goes as a memfd: a packet holds MSG_MAX */

/* Nothing that a shim or an exec driver does takes this long; beyond it the shim counts as not answering. */
#define CALL_TIMEOUT_MS 60000

#define GREETING PACKAGE_NAME " " PACKAGE_VERSION, SHIM_PROTOCOL_MIN, SHIM_PROTOCOL_MAX

static int shim_connect(const char *dir, struct error *err)
{
	auto_free char *path = path_join(dir, SHIM_SOCKET);
	int sock = msg_connect(path, err);

	/* A socket file that nobody listens to is what a killed shim leaves. */
	if (sock < 0 && err->sys == ECONNREFUSED)
		err->kind = ERR_NOT_FOUND;
	return sock;
}

int shim_first_call(int sock, const struct msg *request, struct msg *reply, int timeout_ms,
		    struct error *err)
{
	uint32_t version = 0;

	if (msg_hello_call(sock, GREETING, &version, request, reply, timeout_ms, err) == 0)
		return 0;
	/* it may live since before this daemon was installed */
	if (version && version < shim_message_since(request->type))
		return error_set(err, ERR_NOT_IMPLEMENTED,
				 "the container's shim is of an older version (protocol %u) that "
				 "can't do this: restart the container",
				 version);
	return -1;
}

int shim_call(const char *dir, const struct msg *request, struct msg *reply, struct error *err)
{
	auto_close sock = shim_connect(dir, err);

	return sock < 0 ? -1 : shim_first_call(sock, request, reply, CALL_TIMEOUT_MS, err);
}

static int call_simple(const char *dir, const struct msg *request, struct error *err)
{
	auto_msg reply = {0};

	return shim_call(dir, request, &reply, err);
}

int shim_put_stdio(struct msg *m, const struct shim_stdio *io, struct error *err)
{
	if (io->terminal) {
		msg_put_u32(m, TAG_TERMINAL, 1);
		msg_put_u32(m, TAG_ROWS, io->rows);
		msg_put_u32(m, TAG_COLUMNS, io->columns);
		return 0;
	}
	for (uint16_t i = 0; i < 3; i++)
		if (io->child[i] >= 0 &&
		    msg_put_fd(m, (uint16_t)(TAG_CHILD_IN + i), io->child[i]) < 0)
			return error_sys(err, errno, "pass stdio");
	for (uint16_t i = 0; i < 3; i++)
		if (io->held[i] >= 0 && msg_put_fd(m, (uint16_t)(TAG_HELD_IN + i), io->held[i]) < 0)
			return error_sys(err, errno, "pass stdio");
	return 0;
}

void shim_take_created(struct msg *reply, struct shim_created *out)
{
	const char *cgroup = msg_get_str(reply, TAG_CGROUP);

	out->pid = (pid_t)msg_get_u32(reply, TAG_PID, 0);
	out->start_time = msg_get_u64(reply, TAG_START_TIME, 0);
	out->netns_fd = msg_take_fd(reply, TAG_NETNS);
	out->netlink_fd = msg_take_fd(reply, TAG_NETLINK);
	out->console_fd = msg_take_fd(reply, TAG_CONSOLE);
	snprintf(out->cgroup, sizeof(out->cgroup), "%s", cgroup ? cgroup : "");
}

static int put_text(struct msg *m, const char *text, struct error *err)
{
	size_t len = strlen(text);
	auto_close fd = -1;

	if (len < INLINE_TEXT) {
		msg_put_str(m, TAG_TEXT, text);
		return 0;
	}
	fd = memfd_from("request", text, len, err);
	if (fd < 0)
		return -1;
	return msg_put_fd(m, TAG_TEXT_FD, fd) < 0 ? error_sys(err, errno, "pass text") : 0;
}

int shim_start(int sock, struct error *err)
{
	auto_msg m = {0}, reply = {0};

	msg_init(&m, SHIM_START);
	return msg_call(sock, &m, &reply, CALL_TIMEOUT_MS, err);
}

int shim_follow(int sock, struct error *err)
{
	auto_msg m = {0};

	msg_init(&m, SHIM_SUBSCRIBE);
	msg_put_u64(&m, TAG_SEQ, 0);
	return msg_send(sock, &m, err); /* its answer comes before the first event */
}

int shim_exec(const char *dir, const char *exec_id, const char *process,
	      const struct shim_stdio *stdio, struct shim_created *out, struct error *err)
{
	auto_msg m = {0}, reply = {0};

	*out =
	    (struct shim_created){.netns_fd = -1, .netlink_fd = -1, .console_fd = -1, .sock = -1};
	msg_init(&m, SHIM_EXEC);
	msg_put_str(&m, TAG_EXEC_ID, exec_id);
	if (put_text(&m, process, err) < 0 || shim_put_stdio(&m, stdio, err) < 0 ||
	    shim_call(dir, &m, &reply, err) < 0)
		return -1;
	shim_take_created(&reply, out);
	return 0;
}

int shim_signal(const char *dir, const char *exec_id, int signo, bool all, struct error *err)
{
	auto_msg m = {0};

	msg_init(&m, SHIM_SIGNAL);
	msg_put_str(&m, TAG_EXEC_ID, exec_id);
	msg_put_u32(&m, TAG_SIGNAL, (uint32_t)signo);
	if (all)
		msg_put_u32(&m, TAG_ALL, 1);
	return call_simple(dir, &m, err);
}

int shim_pause(const char *dir, struct error *err)
{
	auto_msg m = {0};

	msg_init(&m, SHIM_PAUSE);
	return call_simple(dir, &m, err);
}

int shim_resume(const char *dir, struct error *err)
{
	auto_msg m = {0};

	msg_init(&m, SHIM_RESUME);
	return call_simple(dir, &m, err);
}

int shim_update(const char *dir, const char *resources, struct error *err)
{
	auto_msg m = {0};

	msg_init(&m, SHIM_UPDATE);
	if (put_text(&m, resources, err) < 0)
		return -1;
	return call_simple(dir, &m, err);
}

int shim_resize(const char *dir, const char *exec_id, uint32_t rows, uint32_t columns,
		struct error *err)
{
	auto_msg m = {0};

	msg_init(&m, SHIM_RESIZE);
	msg_put_str(&m, TAG_EXEC_ID, exec_id);
	msg_put_u32(&m, TAG_ROWS, rows);
	msg_put_u32(&m, TAG_COLUMNS, columns);
	return call_simple(dir, &m, err);
}

int shim_stdio_take(const char *dir, const char *exec_id, int held[3], int *console,
		    struct error *err)
{
	auto_msg m = {0}, reply = {0};

	held[0] = held[1] = held[2] = *console = -1;
	msg_init(&m, SHIM_STDIO_TAKE);
	msg_put_str(&m, TAG_EXEC_ID, exec_id);
	if (shim_call(dir, &m, &reply, err) < 0)
		return -1;
	for (uint16_t i = 0; i < 3; i++)
		held[i] = msg_take_fd(&reply, (uint16_t)(TAG_HELD_IN + i));
	*console = msg_take_fd(&reply, TAG_CONSOLE);
	return 0;
}

int shim_stdio_drop(const char *dir, const char *exec_id, struct error *err)
{
	auto_msg m = {0};

	msg_init(&m, SHIM_STDIO_DROP);
	msg_put_str(&m, TAG_EXEC_ID, exec_id);
	return call_simple(dir, &m, err);
}

static void read_record(const struct shim_record *r, struct shim_event *ev)
{
	*ev = (struct shim_event){.seq = r->seq,
				  .type = (enum shim_event_type)r->type,
				  .time = r->time,
				  .pid = r->pid,
				  .start_time = r->start_time,
				  .exit_code = r->exit_code,
				  .oom = r->oom != 0};
	snprintf(ev->exec_id, sizeof(ev->exec_id), "%.64s", r->exec_id);
}

int shim_subscribe(const char *dir, uint64_t seq, struct error *err)
{
	auto_close sock = shim_connect(dir, err);
	auto_msg m = {0}, reply = {0};

	if (sock < 0)
		return -1;
	msg_init(&m, SHIM_SUBSCRIBE);
	msg_put_u64(&m, TAG_SEQ, seq);
	if (shim_first_call(sock, &m, &reply, CALL_TIMEOUT_MS, err) < 0)
		return -1;
	return steal_fd(&sock);
}

int shim_event_next(int sock, struct shim_event *ev, struct error *err)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	struct shim_record r;
	auto_msg m = {0};
	const void *data;
	size_t len;
	int n;

	do
		n = poll(&p, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? error_sys(err, errno, "poll") : 0;
	n = msg_recv(sock, &m, -1, err);
	if (n <= 0)
		return n < 0 ? -1 : error_set(err, ERR_CANCELLED, "the shim is gone");
	if (m.type == MSG_OK) /* of shim_follow */
		return shim_event_next(sock, ev, err);
	if (!msg_get(&m, TAG_RECORD, &data, &len) || len != sizeof(r))
		return error_set(err, ERR_INVALID, "event without a record");
	memcpy(&r, data, sizeof(r));
	read_record(&r, ev);
	return 1;
}

int shim_journal_read(const char *dir, uint64_t seq,
		      void (*each)(const struct shim_event *ev, void *ctx), void *ctx,
		      struct error *err)
{
	auto_free char *path = path_join(dir, SHIM_JOURNAL);
	auto_close fd = open(path, O_RDONLY | O_CLOEXEC);
	struct shim_journal_head head;
	struct shim_record r;
	struct shim_event ev;

	if (fd < 0)
		return error_sys(err, errno, "open %s", path);
	if (fd_read_full(fd, &head, sizeof(head)) != sizeof(head) ||
	    head.magic != SHIM_JOURNAL_MAGIC || head.version != 1)
		return error_set(err, ERR_INVALID, "%s is no journal of a shim", path);
	while (fd_read_full(fd, &r, sizeof(r)) == sizeof(r)) {
		if (!r.type && !r.seq && !r.checksum)
			continue; /* an old one that the shim has given back */
		if (r.checksum != shim_checksum(&r))
			break;
		if (r.seq <= seq)
			continue;
		read_record(&r, &ev);
		each(&ev, ctx);
	}
	return 0;
}
