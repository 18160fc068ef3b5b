/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See logd_client.h. One struct server per log driver in use, never freed. A request takes an idle connection or makes one; only when nobody is there to
 * connect to, `lock` is taken, and held while a new logd is started and told of the running containers: whoever comes meanwhile waits and then
 * finds everything in place. `idle_lock` guards the idle connections.
 */
#include "container/logd_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/spawn.h"
#include "base/str.h"
#include "base/thread.h"
#include "proto/logd.h"
#include "proto/msg.h"

#define CALL_TIMEOUT_MS 30000
#define OPEN_TIMEOUT_MS 10000 /* for the sink of a container that is being started */
#define PAIRS_INLINE (32 * 1024)
#define IDLE_MAX 8 /* greeted connections that are kept for the next request */
#define GREETING "dockerd " PACKAGE_VERSION, LOGD_VERSION_MIN, LOGD_VERSION_MAX

struct server {
	char *driver, *socket, *state_dir;
	pthread_mutex_t lock;
	atomic_uint version; /* of the protocol, that the last connection agreed on */
	atomic_bool watched,
	    starting; /* starting: one is there, perhaps, but does not know the containers yet */
	pthread_mutex_t idle_lock;
	int idle[IDLE_MAX];
	size_t n_idle;
};

static char *run_dir, *daemon_name;
static void (*restore_driver)(const char *driver);
static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct map servers = MAP_INIT; /* driver -> struct server */
static atomic_bool shutting_down;
/* The server this thread is restoring: its own calls must not wait for themselves. */
static __thread struct server *restoring;

void logd_setup(const char *dir, const char *name, void (*restore)(const char *driver))
{
	free(run_dir);
	free(daemon_name);
	run_dir = xstrdup(dir);
	daemon_name = xstrdup_null(name);
	restore_driver = restore;
	atomic_store(&shutting_down, false);
}

static struct server *server_get(const char *driver)
{
	LOCK_SCOPE(&servers_lock);
	struct server *s = map_get(&servers, driver);
	auto_free char *name = NULL;

	if (s)
		return s;
	name = xstrdup(driver);
	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '_';
	s = xnew(struct server);
	s->driver = xstrdup(driver);
	s->socket = xasprintf("%s/%s.sock", run_dir, name);
	s->state_dir = xasprintf("%s/%s.d", run_dir, name);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->idle_lock, NULL);
	map_set(&servers, driver, s);
	return s;
}

/* ---- starting ----------------------------------------------------------------------------------------------------------------------- */

static int start_logd(struct server *s, struct error *err)
{
	auto_free char *path = program_path("dockerd-logd");
	const char *argv[] = {"dockerd-logd", s->driver, s->state_dir, NULL};
	auto_close listener = -1, said = -1;
	auto_str text = STR_INIT;
	int pipe_fds[2];
	struct spawn spawn = {.path = path, .argv = argv, .n_fds = 4, .many_files = true};
	pid_t pid;
	int r;

	if (dir_make_all(AT_FDCWD, s->state_dir, 0700, err) < 0)
		return -1;
	listener = msg_listen(s->socket, err);
	if (listener < 0)
		return -1;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_sys(err, errno, "pipe");
	said = pipe_fds[0];
	spawn.fds = (const int[]){-1, pipe_fds[1], STDERR_FILENO, listener};
	pid = spawn_program(&spawn, err);
	close(pipe_fds[1]);
	if (pid < 0)
		return -1;
	/* nothing said and closed: it serves */
	r = file_read_fd(said, 4096, &text, err);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return -1;
	if (text.len) {
		unlink(s->socket);
		return error_set(err, ERR_SYSTEM, "%s", text.p);
	}
	FAULT("logd-client.started");
	return 0;
}

static int greet(struct server *s, struct error *err)
{
	auto_close sock = msg_connect(s->socket, err);
	uint32_t version;

	if (sock < 0 || msg_hello_client(sock, GREETING, &version, err) < 0)
		return -1;
	atomic_store(&s->version, version);
	return steal_fd(&sock);
}

static bool nobody_there(const struct error *err)
{
	return err->sys == ENOENT || err->sys == ECONNREFUSED || err->kind == ERR_CANCELLED;
}

/* A greeted connection; starts logd if need be. */
static int connect_server(struct server *s, struct error *err)
{
	int sock = -1;

	if (restoring == s || !atomic_load(&s->starting)) {
		sock = greet(s, err);
		if (restoring == s || (sock >= 0 && !atomic_load(&s->starting)))
			return sock;
		if (sock < 0 && (!nobody_there(err) || atomic_load(&shutting_down)))
			return error_wrap(err, "log driver %s", s->driver);
		fd_close(&sock);
	}
	LOCK_SCOPE(&s->lock);
	error_clear(err);
	sock = greet(s, err); /* somebody else has started it meanwhile */
	if (sock < 0 && nobody_there(err)) {
		error_clear(err);
		atomic_store(&s->starting, true);
		if (start_logd(s, err) == 0) {
			restoring = s;
			if (restore_driver)
				restore_driver(s->driver);
			restoring = NULL;
			sock = greet(s, err);
		}
		atomic_store(&s->starting, false);
	}
	return sock < 0 ? error_wrap(err, "log driver %s", s->driver) : sock;
}

/* Holds a connection; when that ends, so did logd: start the next, which goes on reading where it left off. */
static void *watch_thread(void *arg)
{
	struct server *s = arg;

	while (!atomic_load(&shutting_down)) {
		struct error err = ERROR_INIT;
		auto_close sock = connect_server(s, &err);
		auto_msg m = {0};

		if (sock < 0) {
			if (!atomic_load(&shutting_down))
				log_error("cannot start dockerd-logd", "driver", s->driver, "error",
					  err.text);
			break;
		}
		while (msg_recv(sock, &m, -1, &err) > 0)
			;
		if (!atomic_load(&shutting_down))
			log_error("dockerd-logd ended, a new one takes over", "driver", s->driver);
	}
	atomic_store(&s->watched, false);
	return NULL;
}

static void watch_server(struct server *s)
{
	struct error err = ERROR_INIT;

	if (atomic_load(&shutting_down) || atomic_exchange(&s->watched, true))
		return;
	if (thread_start("logd-watch", watch_thread, s, &err) < 0) {
		atomic_store(&s->watched, false);
		log_error("dockerd-logd is not watched over", "driver", s->driver, "error",
			  err.text);
	}
}

void logd_watch(const char *driver)
{
	watch_server(server_get(driver));
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------------ */

static int take_idle(struct server *s)
{
	LOCK_SCOPE(&s->idle_lock);

	return s->n_idle ? s->idle[--s->n_idle] : -1;
}

static void keep_idle(struct server *s, int sock)
{
	LOCK_SCOPE(&s->idle_lock);

	if (s->n_idle < IDLE_MAX)
		s->idle[s->n_idle++] = sock;
	else
		close(sock);
}

static int call_over(struct server *s, int sock, const struct msg *m, int timeout_ms,
		     struct error *err)
{
	auto_msg reply = {0};
	int r = msg_call(sock, m, &reply, timeout_ms, err);

	/* after a late answer or none the connection is of no use */
	if (r == 0 || reply.type == MSG_ERROR)
		keep_idle(s, sock);
	else
		close(sock);
	return r;
}

/* A logd that dies under the request is replaced, and asked once more: every request may be repeated. */
static int call(const char *driver, const struct msg *m, int timeout_ms, struct error *err)
{
	struct server *s = server_get(driver);
	int sock, r;

	/* idle connections may all be of a logd that is gone */
	while ((sock = take_idle(s)) >= 0) {
		r = call_over(s, sock, m, timeout_ms, err);
		if (r == 0 || err->kind != ERR_CANCELLED)
			return r;
		error_clear(err);
	}
	for (int tries = 0;; tries++) {
		sock = connect_server(s, err);
		if (sock < 0)
			return -1;
		watch_server(s);
		r = call_over(s, sock, m, timeout_ms, err);
		if (r == 0 || err->kind != ERR_CANCELLED || tries)
			return r;
		error_clear(err);
	}
}

static int call_id(const char *driver, uint16_t type, const char *id, struct error *err)
{
	auto_msg m = {0};

	msg_init(&m, type);
	msg_put_str(&m, LOGD_ID, id);
	return call(driver, &m, CALL_TIMEOUT_MS, err);
}

static void add_pairs(struct str *out, char kind, const struct pairs *p)
{
	for (size_t i = 0; p && i < p->n; i++) {
		str_putc(out, kind);
		str_add(out, p->v[i].key, strlen(p->v[i].key) + 1);
		str_add(out, p->v[i].value, strlen(p->v[i].value) + 1);
	}
}

static int put_pairs(struct msg *m, const struct logd_stream *s, struct error *err)
{
	auto_str pairs = STR_INIT;
	auto_close memfd = -1;

	add_pairs(&pairs, 'l', s->labels);
	add_pairs(&pairs, 'e', s->env);
	add_pairs(&pairs, 'o', s->options);
	if (pairs.len <= PAIRS_INLINE) {
		msg_put(m, LOGD_PAIRS, str_cstr(&pairs), pairs.len);
		return 0;
	}
	memfd = memfd_from("logd-pairs", pairs.p, pairs.len, err);
	if (memfd < 0)
		return -1;
	return msg_put_fd(m, LOGD_PAIRS_FD, memfd) < 0 ? error_sys(err, errno, "dup") : 0;
}

int logd_open(const struct logd_stream *s, struct error *err)
{
	uint32_t flags = (s->exec ? LOGD_EXEC : 0) | (s->terminal ? LOGD_TERMINAL : 0) |
			 (s->stdin_once ? LOGD_STDIN_ONCE : 0) |
			 (s->non_blocking ? LOGD_NON_BLOCKING : 0);
	auto_msg m = {0};

	msg_init(&m, LOGD_OPEN);
	msg_put_str(&m, LOGD_ID, s->id);
	msg_put_u32(&m, LOGD_FLAGS, flags);
	msg_put_u64(&m, LOGD_MAX_BUFFER, s->max_buffer);
	msg_put_str(&m, LOGD_CONTAINER_ID, s->container_id);
	msg_put_str(&m, LOGD_CONTAINER_NAME, s->container_name);
	msg_put_str(&m, LOGD_IMAGE_ID, s->image_id);
	msg_put_str(&m, LOGD_IMAGE_NAME, s->image_name);
	/* a tag may hold the command; nobody needs more of it than this */
	if (s->command && strlen(s->command) > 4096) {
		auto_free char *cut = xstrndup(s->command, 4096);

		msg_put_str(&m, LOGD_COMMAND, cut);
	} else {
		msg_put_str(&m, LOGD_COMMAND, s->command);
	}
	msg_put_str(&m, LOGD_LOG_PATH, s->log_path);
	msg_put_str(&m, LOGD_DAEMON_NAME, daemon_name);
	msg_put_i64(&m, LOGD_CREATED, s->created);
	if (s->copy_driver) {
		auto_str options = STR_INIT;

		add_pairs(&options, 'o', s->copy_options);
		msg_put_str(&m, LOGD_COPY_DRIVER, s->copy_driver);
		msg_put_str(&m, LOGD_COPY_PATH, s->copy_path);
		msg_put(&m, LOGD_COPY_OPTIONS, str_cstr(&options), options.len);
	}
	if (put_pairs(&m, s, err) < 0)
		return -1;
	return call(s->driver, &m, CALL_TIMEOUT_MS, err);
}

int logd_start(const char *driver, const char *id, const struct logd_fds *fds, struct error *err)
{
	const struct {
		int fd;
		uint16_t tag;
	} all[] = {{fds->in, LOGD_FD_IN},
		   {fds->out, LOGD_FD_OUT},
		   {fds->err, LOGD_FD_ERR},
		   {fds->console, LOGD_FD_CONSOLE}};
	auto_msg m = {0};

	msg_init(&m, LOGD_START);
	msg_put_str(&m, LOGD_ID, id);
	msg_put_u32(&m, LOGD_FLAGS, fds->running ? LOGD_START_RUNNING : 0);
	msg_put_u32(&m, LOGD_TIMEOUT, OPEN_TIMEOUT_MS);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].fd >= 0 && msg_put_fd(&m, all[i].tag, all[i].fd) < 0)
			return error_sys(err, errno, "dup");
	return call(driver, &m, CALL_TIMEOUT_MS, err);
}

static int attach_message(struct msg *m, const char *id, const struct logd_attach *a, uint32_t more,
			  struct error *err)
{
	uint32_t flags = more | (a->in ? LOGD_ATTACH_IN : 0) | (a->out ? LOGD_ATTACH_OUT : 0) |
			 (a->err ? LOGD_ATTACH_ERR : 0) | (a->multiplexed ? LOGD_ATTACH_FRAMES : 0);

	msg_init(m, LOGD_ATTACH);
	msg_put_str(m, LOGD_ID, id);
	msg_put_u32(m, LOGD_FLAGS, flags);
	if (a->pending_len)
		msg_put(m, LOGD_PENDING, a->pending, a->pending_len);
	if (a->detach_keys_len)
		msg_put(m, LOGD_KEYS, a->detach_keys, a->detach_keys_len);
	return msg_put_fd(m, LOGD_FD_SOCK, a->sock) < 0 ? error_sys(err, errno, "dup") : 0;
}

int logd_attach(const char *driver, const char *id, const struct logd_attach *a, struct error *err)
{
	auto_msg m = {0};

	if (attach_message(&m, id, a, 0, err) < 0 || call(driver, &m, CALL_TIMEOUT_MS, err) < 0)
		return -1;
	close(a->sock);
	return 0;
}

/* Through a connection of its own: when that ends, with us for instance, logd lets go of the client. */
int logd_attach_held(const char *driver, const char *id, const struct logd_attach *a, int *hold,
		     struct error *err)
{
	struct server *s = server_get(driver);
	auto_close sock = connect_server(s, err);
	bool can = atomic_load(&s->version) >= LOGD_HOLD_SINCE;
	auto_msg m = {0}, reply = {0};

	*hold = -1;
	if (sock < 0)
		return -1;
	watch_server(s);
	if (attach_message(&m, id, a, can ? LOGD_ATTACH_HOLD : 0, err) < 0 ||
	    msg_call(sock, &m, &reply, CALL_TIMEOUT_MS, err) < 0)
		return -1;
	if (can)
		*hold = steal_fd(&sock);
	return 0;
}

void logd_release(int *hold)
{
	struct error ignored = ERROR_INIT;
	auto_msg m = {0}, reply = {0};

	if (*hold < 0)
		return;
	msg_init(&m, LOGD_RELEASE);
	msg_call(*hold, &m, &reply, CALL_TIMEOUT_MS,
		 &ignored); /* a logd that has died took the client with it */
	fd_close(hold);
}

int logd_finish(const char *driver, const char *id, int timeout_ms, struct error *err)
{
	auto_msg m = {0};

	msg_init(&m, LOGD_FINISH);
	msg_put_str(&m, LOGD_ID, id);
	msg_put_u32(&m, LOGD_TIMEOUT, (uint32_t)timeout_ms);
	/* a stream that is not there was read to its end: by a logd that then ended, since no daemon was there */
	if (call(driver, &m, timeout_ms + CALL_TIMEOUT_MS, err) == 0 || err->kind == ERR_NOT_FOUND)
		return 0;
	return -1;
}

int logd_remove(const char *driver, const char *id, struct error *err)
{
	if (call_id(driver, LOGD_REMOVE, id, err) == 0 || err->kind == ERR_NOT_FOUND)
		return 0;
	return -1;
}

int logd_flush(const char *driver, const char *id, struct error *err)
{
	return call_id(driver, LOGD_FLUSH, id, err);
}

void logd_shutdown(void)
{
	auto_dir DIR *d = NULL;
	struct dirent *e;

	atomic_store(&shutting_down, true);
	d = run_dir ? opendir(run_dir) : NULL;
	/* by what is there: some may be left of an earlier daemon */
	while (d && (e = readdir(d))) {
		struct server s = {0};
		struct error err = ERROR_INIT;
		auto_free char *path = NULL;
		auto_close sock = -1;
		auto_msg m, reply = {0};

		msg_init(&m, LOGD_SHUTDOWN);
		if (!str_ends(e->d_name, ".sock"))
			continue;
		path = path_join(run_dir, e->d_name);
		s.socket = path;
		sock = greet(&s, &err);
		if (sock >= 0)
			msg_call(sock, &m, &reply, CALL_TIMEOUT_MS, &err);
	}
}
