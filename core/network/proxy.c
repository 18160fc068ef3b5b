/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of dockerd-netd: starting it, asking it, and putting everything back if it dies. `lock` guards the table of wanted
 * proxies and the one connection. A thread waits for the connection's end; it exists only while there are proxies.
 */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/spawn.h"
#include "base/thread.h"
#include "proto/msg.h"
#include "proto/netd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define ANSWER_MS 10000

struct wanted {
	char *proto, *host_ip, *ip;
	uint32_t host_port, port;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map table = MAP_INIT; /* "proto host_ip host_port" -> struct wanted */
static char *socket_path;
static int conn = -1;
static pid_t child; /* netd if we started it */
static bool watching;

static void wanted_free(void *p)
{
	struct wanted *w = p;

	free(w->proto);
	free(w->host_ip);
	free(w->ip);
	free(w);
}

static void disconnect(void)
{
	fd_close(&conn);
	if (child > 0 && waitpid(child, NULL, WNOHANG) == child)
		child = 0;
}

/* netd in a session of its own, with the listening socket: connections are accepted as soon as it runs. */
static int spawn_netd(struct error *err)
{
	auto_free char *path = program_path("dockerd-netd");
	auto_close listener = msg_listen(socket_path, err);
	const char *argv[] = {"dockerd-netd", NULL};
	int fds[4] = {-1, -1, 2, listener};
	struct spawn s = {.path = path,
			  .argv = argv,
			  .fds = fds,
			  .n_fds = 4,
			  .new_session = true,
			  .many_files = true};

	if (listener < 0)
		return -1;
	if (child > 0) /* the earlier one is dead: its socket was */
		waitpid(child, NULL, 0);
	child = spawn_program(&s, err);
	if (child < 0) {
		child = 0;
		return error_wrap(err, "start dockerd-netd");
	}
	FAULT("network.proxy.spawned");
	return 0;
}

/* After a late answer or none the next one would be taken for it: such a connection is of no use. */
static int ask(const struct msg *m, struct msg *reply, struct error *err)
{
	int r = conn < 0 ? error_set(err, ERR_CANCELLED, "dockerd-netd is gone")
			 : msg_call(conn, (struct msg *)(uintptr_t)m, reply, ANSWER_MS, err);

	if (r < 0 && reply->type != MSG_ERROR && conn >= 0) {
		shutdown(conn, SHUT_RDWR); /* wakes the watcher, which connects anew */
		disconnect();
	}
	return r;
}

static int send_start(const struct wanted *w, struct error *err)
{
	auto_msg m = {0}, reply = {0};

	msg_init(&m, NETD_START);
	msg_put_str(&m, NETD_PROTO, w->proto);
	msg_put_str(&m, NETD_HOST_IP, w->host_ip);
	msg_put_u32(&m, NETD_HOST_PORT, w->host_port);
	msg_put_str(&m, NETD_TARGET_IP, w->ip);
	msg_put_u32(&m, NETD_TARGET_PORT, w->port);
	return ask(&m, &reply, err);
}

/* Everything that should be there; what it has already, it keeps. */
static void replay(void)
{
	struct map_entry *e;

	dns_replay();
	for (size_t i = 0; (e = map_next(&table, &i));) {
		struct error err = ERROR_INIT;

		if (send_start(e->value, &err) < 0)
			log_error("published port not forwarded any more", "port", e->key, "error",
				  err.text);
	}
}

static int connect_once(struct error *err)
{
	uint32_t version;

	conn = msg_connect(socket_path, err);
	if (conn < 0)
		return -1;
	if (msg_hello_client(conn, "dockerd " PACKAGE_VERSION, NETD_VERSION_MIN, NETD_VERSION_MAX,
			     &version, err) < 0) {
		disconnect();
		return -1;
	}
	return 0;
}

static void watch_start(void);

/* Make sure of a connection. `start`: start netd if there is none. */
static int ensure(bool start, struct error *err)
{
	struct error first = ERROR_INIT;

	if (conn >= 0)
		return 0;
	if (connect_once(&first) < 0) {
		/* Nobody there, or somebody in his last moments; one that speaks no version of ours is left alone. */
		if (first.kind != ERR_CANCELLED && first.sys != ECONNREFUSED &&
		    first.sys != ENOENT && first.sys != ECONNRESET && first.sys != EPIPE) {
			*err = first;
			return error_wrap(err, "dockerd-netd");
		}
		if (!start) {
			*err = first;
			return -1;
		}
		if (spawn_netd(err) < 0 || connect_once(err) < 0)
			return -1;
	}
	replay();
	watch_start();
	return 0;
}

/* Waits without the lock for the connection's end; then starts a new netd if there is anything to forward. */
static void *watch(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	while (conn >= 0) {
		int copy = fcntl(conn, F_DUPFD_CLOEXEC, 3);
		struct pollfd p = {.fd = copy, .events = POLLRDHUP};
		struct error err = ERROR_INIT;

		pthread_mutex_unlock(&lock);
		while (copy >= 0 && poll(&p, 1, -1) < 0 && errno == EINTR)
			;
		if (copy >= 0)
			close(copy);
		pthread_mutex_lock(&lock);
		p.fd = conn;
		if (conn >= 0 && poll(&p, 1, 0) == 0)
			continue; /* another one by now */
		disconnect();
		if (!table.n && !dns_wanted())
			break;
		log_warn("dockerd-netd has ended: starting it again");
		if (ensure(true, &err) < 0)
			log_error("published ports are not forwarded by the userland proxy",
				  "error", err.text);
	}
	watching = false;
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void watch_start(void)
{
	struct error err = ERROR_INIT;

	if (watching)
		return;
	watching = thread_start("netd-watch", watch, NULL, &err) == 0;
	if (!watching)
		log_error("dockerd-netd is not watched", "error", err.text);
}

static char *key_of(const char *proto, const char *host_ip, uint32_t host_port)
{
	return xasprintf("%s %s %u", proto, host_ip, host_port);
}

/* Did the connection end under the call? */
static bool lost(const struct error *err)
{
	return err->kind == ERR_CANCELLED || err->sys == EPIPE || err->sys == ECONNRESET;
}

int proxy_start(const char *proto, const char *host_ip, uint32_t host_port, const char *ip,
		uint32_t port, struct error *err)
{
	auto_free char *key = key_of(proto, host_ip, host_port);
	struct wanted *w = xnew(struct wanted);
	int r;
	LOCK_SCOPE(&lock);

	*w = (struct wanted){.proto = xstrdup(proto),
			     .host_ip = xstrdup(host_ip),
			     .ip = xstrdup_null(str_empty(ip) ? NULL : ip),
			     .host_port = host_port,
			     .port = port};
	r = ensure(true, err);
	if (r == 0 && send_start(w, err) < 0) {
		r = -1;
		if (lost(err)) {
			error_clear(err);
			disconnect();
			r = ensure(true, err);
			if (r == 0)
				r = send_start(w, err);
		}
	}
	if (r < 0) {
		wanted_free(w);
		return -1;
	}
	w = map_set(&table, key, w);
	if (w)
		wanted_free(w);
	return 0;
}

static int send_stop(const char *proto, const char *host_ip, uint32_t host_port, struct error *err)
{
	auto_msg m = {0}, reply = {0};

	msg_init(&m, NETD_STOP);
	msg_put_str(&m, NETD_PROTO, proto);
	msg_put_str(&m, NETD_HOST_IP, host_ip);
	msg_put_u32(&m, NETD_HOST_PORT, host_port);
	return ask(&m, &reply, err);
}

int proxy_stop(const char *proto, const char *host_ip, uint32_t host_port, struct error *err)
{
	auto_free char *key = key_of(proto, host_ip, host_port);
	struct error gone = ERROR_INIT;
	struct wanted *w;
	LOCK_SCOPE(&lock);

	w = map_del(&table, key);
	if (w)
		wanted_free(w);
	if (ensure(false, &gone) < 0) /* no netd, no proxy */
		return lost(&gone) || gone.sys == ECONNREFUSED || gone.sys == ENOENT
			   ? 0
			   : (*err = gone, -1);
	if (send_stop(proto, host_ip, host_port, err) == 0)
		return 0;
	if (!lost(err))
		return -1;
	error_clear(err);
	disconnect();
	return 0;
}

/* All entries of netd as "proto host_ip host_port". */
static int list(uint16_t what, struct strlist *out, struct error *err)
{
	uint32_t more = 1;

	while (more) {
		auto_msg m = {0}, reply = {0};
		const void *data;
		size_t pos = 0, len;

		msg_init(&m, what);
		msg_put_u32(&m, NETD_FROM, (uint32_t)out->n);
		if (ask(&m, &reply, err) < 0)
			return -1;
		while (msg_next(&reply, NETD_ENTRY, &pos, &data, &len))
			strlist_take(out, xstrndup(data, len));
		more = msg_get_u32(&reply, NETD_MORE, 0);
	}
	return 0;
}

void proxy_sweep(void)
{
	struct error err = ERROR_INIT;
	auto_strlist all = STRLIST_INIT;
	LOCK_SCOPE(&lock);

	if (!socket_path || ensure(false, &err) < 0)
		return; /* none runs: nothing is left over */
	if (list(NETD_LIST, &all, &err) < 0) {
		log_warn("stale port proxies not found out", "error", err.text);
		return;
	}
	for (size_t i = 0; i < all.n; i++) {
		auto_strlist part = STRLIST_INIT;

		if (map_get(&table, all.v[i]))
			continue;
		strlist_split(&part, all.v[i], ' ');
		if (part.n == 3 && send_stop(part.v[0], part.v[1],
					     (uint32_t)strtoul(part.v[2], NULL, 10), &err) < 0)
			log_warn("stale port proxy not stopped", "port", all.v[i], "error",
				 err.text);
	}
}

int netd_send(const struct msg *m, struct error *err)
{
	auto_msg reply = {0};

	return ask(m, &reply, err);
}

int netd_call(const struct msg *m, bool start, struct error *err)
{
	struct error gone = ERROR_INIT;
	LOCK_SCOPE(&lock);

	if (!socket_path)
		return error_set(err, ERR_UNAVAILABLE, "there is no dockerd-netd");
	if (ensure(start, &gone) < 0) {
		*err = gone;
		return -1;
	}
	if (netd_send(m, err) == 0)
		return 0;
	if (!lost(err))
		return -1;
	error_clear(err);
	disconnect();
	return ensure(start, err) < 0 ? -1 : netd_send(m, err);
}

int netd_list(uint16_t what, struct strlist *out, struct error *err)
{
	LOCK_SCOPE(&lock);

	if (!socket_path || ensure(false, err) < 0)
		return -1;
	return list(what, out, err);
}

int proxy_init(const char *state_dir, struct error *err)
{
	LOCK_SCOPE(&lock);

	(void)err;
	free(socket_path);
	socket_path = xasprintf("%s/netd.sock", state_dir);
	return 0;
}

/* netd stays as long as it has proxies. */
void proxy_shutdown(void)
{
	LOCK_SCOPE(&lock);

	if (conn >= 0)
		shutdown(conn, SHUT_RDWR); /* wakes the watcher */
	disconnect();
	map_free(&table, wanted_free);
	table = (struct map)MAP_INIT;
	free(socket_path);
	socket_path = NULL;
}
