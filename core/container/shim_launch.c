/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing a shim up and taking it away: shim_create, shim_delete. See shim_client.h.
 *
 * The daemon makes the listening socket and connects to it before the shim exists: nothing waits for readiness, and a shim whose
 * daemon dies meanwhile finds that connection closed and ends.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/procstat.h"
#include "base/program.h"
#include "base/spawn.h"
#include "container/shim_client.h"
#include "container/shim_call.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The seccomp text lies once per digest in the cache, for all containers. */
static int store_seccomp(const struct shim_create *c, struct error *err)
{
	auto_free char *path = xasprintf("%s/%s.json", c->cache, c->seccomp_digest);

	if (!path_is_component(c->seccomp_digest))
		return error_set(err, ERR_INVALID, "seccomp digest '%s' is no file name",
				 c->seccomp_digest);
	if (file_exists_at(AT_FDCWD, path))
		return 0;
	return file_write_atomic(AT_FDCWD, path, c->seccomp, strlen(c->seccomp), 0600, false, err);
}

static int write_config(const struct shim_create *c, int dir, struct error *err)
{
	bool shared = c->seccomp && c->seccomp_digest && c->cache;
	auto_str packet = STR_INIT;
	auto_msg m = {0};

	if (shared && store_seccomp(c, err) < 0)
		return -1;
	msg_init(&m, SHIM_CONFIG_TYPE);
	msg_put_str(&m, TAG_ID, c->id);
	msg_put_str(&m, TAG_DRIVER, c->driver);
	msg_put_str(&m, TAG_OPTIONS, c->options);
	msg_put_str(&m, TAG_SPEC, c->spec);
	msg_put_str(&m, TAG_SECCOMP, shared ? NULL : c->seccomp);
	msg_put_str(&m, TAG_SECCOMP_DIGEST, c->seccomp ? c->seccomp_digest : NULL);
	msg_put_str(&m, TAG_CACHE, c->cache);
	msg_put_str(&m, TAG_INIT_PATH, c->init_path);
	msg_put_str(&m, TAG_ROOTFS_PATH, c->rootfs_path);
	msg_encode(&m, &packet);
	return file_write_atomic(dir, SHIM_CONFIG, packet.p, packet.len, 0600, false, err);
}

/* Spawn the shim; returns a connection to it. */
static int launch(const struct shim_create *c, int dir, struct error *err)
{
	auto_free char *path = path_join(c->dir, SHIM_SOCKET),
		       *program = program_path("dockerd-shim");
	const char *argv[] = {"dockerd-shim", c->id, c->driver, NULL};
	auto_close listener = msg_listen(path, err), sock = -1;
	int fds[SHIM_FDS] = {-1, -1, -1, listener, dir};

	if (listener < 0)
		return -1;
	sock = msg_connect(path, err);
	if (sock < 0)
		return -1;
	if (spawn_program(&(struct spawn){.path = program,
					  .argv = argv,
					  .fds = fds,
					  .n_fds = SHIM_FDS,
					  .new_session = true},
			  err) < 0)
		return -1;
	return steal_fd(&sock);
}

static int create(const struct shim_create *c, int sock, struct shim_created *out,
		  struct error *err)
{
	auto_msg m = {0}, reply = {0};

	msg_init(&m, SHIM_CREATE);
	msg_put_str(&m, TAG_ID, c->id);
	if (msg_put_fd(&m, TAG_ROOTFS, c->rootfs_fd) < 0 ||
	    (c->netns_fd >= 0 && msg_put_fd(&m, TAG_NETNS, c->netns_fd) < 0))
		return error_sys(err, errno, "pass root and network namespace");
	if (shim_put_stdio(&m, &c->stdio, err) < 0 ||
	    shim_first_call(sock, &m, &reply, -1, err) < 0)
		return -1;
	shim_take_created(&reply, out);
	return 0;
}

static int open_dir(const struct shim_create *c, struct error *err)
{
	auto_close dir = -1;

	if (mkdir(c->dir, 0700) < 0 && errno != EEXIST)
		return error_sys(err, errno, "mkdir %s", c->dir);
	dir = dir_open_at(AT_FDCWD, c->dir, err);
	if (dir < 0 || fchmod(dir, 0700) < 0)
		return error_sys(err, errno, "open %s", c->dir);
	return steal_fd(&dir);
}

int shim_launch(const struct shim_create *c, struct error *err)
{
	auto_close dir = open_dir(c, err);

	return dir < 0 ? -1 : launch(c, dir, err);
}

int shim_create(const struct shim_create *c, struct shim_created *out, struct error *err)
{
	auto_close sock = c->sock > 0 ? c->sock : -1, dir = open_dir(c, err);
	struct error ignored;

	*out =
	    (struct shim_created){.netns_fd = -1, .netlink_fd = -1, .console_fd = -1, .sock = -1};
	if (dir < 0)
		return -1;
	if (write_config(c, dir, err) < 0)
		goto undo;
	if (sock < 0)
		sock = launch(c, dir, err);
	if (sock < 0)
		goto undo;
	if (create(c, sock, out, err) < 0)
		goto undo;
	out->sock = steal_fd(&sock);
	return 0;
undo:
	fd_close(&sock);
	shim_delete(c, &ignored);
	return -1;
}

/* The shim whose journal it is, if it is our child (a daemon that was restarted isn't its parent): wait for its end. */
static void reap_shim(int dir)
{
	struct shim_journal_head head;
	auto_close fd = openat(dir, SHIM_JOURNAL, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd_read_full(fd, &head, sizeof(head)) != sizeof(head) ||
	    head.magic != SHIM_JOURNAL_MAGIC || head.shim_pid <= 1)
		return;
	if (proc_start_time(head.shim_pid) == head.shim_start_time)
		while (waitpid(head.shim_pid, NULL, 0) < 0 && errno == EINTR)
			;
}

/* What a dead shim left: run the driver's destroy ourselves. */
static int destroy_directly(int dir, struct error *err)
{
	auto_free char *program = program_path("dockerd-exec");
	const char *argv[] = {"dockerd-exec", "destroy", NULL};
	auto_close out = memfd_create("dockerd-exec", MFD_CLOEXEC);
	int fds[EXEC_FDS] = {-1, -1, out, -1, dir};
	char text[512] = "";
	int status;
	pid_t pid;

	if (!file_exists_at(dir, SHIM_CONFIG))
		return 0; /* it comes before everything else */
	pid = spawn_program(
	    &(struct spawn){.path = program, .argv = argv, .fds = fds, .n_fds = EXEC_FDS}, err);
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_sys(err, errno, "wait for dockerd-exec");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (pread(out, text, sizeof(text) - 1, 0) < 0)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return error_set(err, ERR_SYSTEM, "clean up: %s", *text ? text : "dockerd-exec was killed");
}

static int ask_delete(const char *dir, struct error *err)
{
	auto_msg m = {0}, reply = {0};

	msg_init(&m, SHIM_DELETE);
	return shim_call(dir, &m, &reply, err);
}

int shim_destroy(const struct shim_create *c, struct error *err)
{
	auto_close dir = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return errno == ENOENT ? 0 : error_sys(err, errno, "open %s", c->dir);
	if (ask_delete(c->dir, err) < 0) {
		if (err->kind != ERR_NOT_FOUND && err->kind != ERR_CANCELLED)
			return -1; /* it is alive and says why not */
		error_clear(err);
		reap_shim(dir);
		if (destroy_directly(dir, err) < 0)
			return -1;
	} else {
		reap_shim(dir);
	}
	return 0;
}

int shim_forget(const char *path, struct error *err)
{
	auto_free char *parent = xstrndup(path, (size_t)(path_base(path) - path));
	auto_close fd = dir_open_at(AT_FDCWD, *parent ? parent : ".", err);

	return fd < 0 ? -1 : dir_remove_all(fd, path_base(path), err);
}

int shim_delete(const struct shim_create *c, struct error *err)
{
	return shim_destroy(c, err) < 0 ? -1 : shim_forget(c->dir, err);
}
