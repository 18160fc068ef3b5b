/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a container. The order, and what undoes each step:
 *
 *	shim, and dockerd-exec ahead    shim_delete
 *	mount the read-write layer      image_use_layer_unmount
 *	files hostname, hosts, resolv   overwritten at the next start
 *	namespaces of others, /dev/shm  shm_unmount
 *	volumes mounted                 mounts_stop
 *	specification                   nothing
 *	namespaces, first process       shim_delete
 *	stream in logd                  logd_finish
 *	networks                        networks_stop
 *	config.v2.json: running         overwritten by the failure's
 *	run the program                 the exit's handling
 *	event "start", monitor
 *
 * After a kill -9 between any two, containers_init finds the shim's journal (or none) and settles it.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/program.h"
#include "base/thread.h"
#include "container/apparmor.h"
#include "container/container_int.h"
#include "container/health.h"
#include "container/image_use.h"
#include "container/join.h"
#include "container/runtimes.h"
#include "events/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* what clients of moby with runc see */
#define TASK_FAILED "failed to create task for container"
#define SHIM_FAILED TASK_FAILED ": failed to create shim task: OCI runtime create failed"
#define CREATE_FAILED SHIM_FAILED ": runc create failed"

/* Everything a start holds until it has succeeded. */
struct start {
	struct container *c;
	json *config, *host;
	struct spec_mounts mounts;
	struct spec_output spec;
	struct joined joined;
	struct runtime runtime;
	char *root_path, *run_dir;
	int root_fd;
	int child[3], held[3];
	struct shim_created created;
	int sock;        /* to the shim, until the creation; -1: none */
	int64_t started; /* the time that is on disk */
};

static void start_free(struct start *s)
{
	json_free(s->config);
	json_free(s->host);
	spec_mounts_free(&s->mounts);
	spec_output_free(&s->spec);
	free(s->root_path);
	free(s->run_dir);
	joined_free(&s->joined);
	runtime_free(&s->runtime);
	fd_close(&s->root_fd);
	for (int i = 0; i < 3; i++) {
		fd_close(&s->child[i]);
		fd_close(&s->held[i]);
	}
	fd_close(&s->created.netns_fd);
	fd_close(&s->created.netlink_fd);
	fd_close(&s->created.console_fd);
	fd_close(&s->created.sock);
	fd_close(&s->sock);
}

/* ---- Specification ------------------------------------------------------------------------------------------------------------ */

/* Each directory that is missing becomes the containers' root's. */
static int make_owned_dir(int root, const char *path, struct error *err)
{
	auto_free char *at = idmap_current() ? xstrdup(path) : NULL;

	for (char *slash = at; slash; slash = strchr(slash + 1, '/')) {
		char *end = strchrnul(slash + 1, '/'), kept = *end;
		auto_close fd = -1;

		*end = '\0';
		fd = open_in_root(root, at, O_PATH, 0);
		if (fd < 0 && errno == ENOENT) {
			fd = make_dir_in_root(root, at, 0755, err);
			if (fd < 0 || idmap_give(fd, "") < 0)
				return fd < 0 ? -1 : error_sys(err, errno, "owner of %s", at);
		}
		*end = kept;
		if (!kept)
			break;
	}
	return make_dir_in_root(root, path, 0755, err);
}

/* moby makes the working directory if the image lacks it. */
static int make_workdir(struct start *s, struct error *err)
{
	const char *dir = json_get_str(s->config, "WorkingDir", "");
	auto_close fd = -1;

	if (!*dir || streq(dir, "/"))
		return 0;
	fd = open_in_root(s->root_fd, dir, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT)
		fd = make_owned_dir(s->root_fd, dir, err);
	else if (fd < 0)
		error_set(err, ERR_INVALID, "Cannot mkdir: %s is not a directory", dir);
	return fd < 0 ? -1 : 0;
}

static const char *init_program(const json *host)
{
	const json *init = json_get(host, "Init");
	const char *path = config_str(containers.config, "init-path");

	if (!(json_type(init) == JSON_BOOL ? json_bool(init, false)
					   : config_bool(containers.config, "init")))
		return NULL;
	return *path ? path : "";
}

static int build_spec(struct start *s, struct error *err)
{
	struct container *c = s->c;
	auto_free char *files = container_dir(s->joined.files_of),
		       *hostname = path_join(files, "hostname"), *hosts = path_join(files, "hosts"),
		       *resolv = path_join(files, "resolv.conf");
	const char *init = init_program(s->host);
	auto_free char *own_init = init && !*init ? program_path("docker-init") : NULL;
	auto_strlist links = STRLIST_INIT;
	struct spec_input in = {
	    .id = c->id,
	    .config = s->config,
	    .host_config = s->host,
	    .path = c->path,
	    .args = &c->args,
	    .rootfs_fd = s->root_fd,
	    .mounts = &s->mounts,
	    .hostname_path = hostname,
	    .hosts_path = hosts,
	    .resolv_conf_path = resolv,
	    .shm_path = s->joined.shm_path,
	    .extra_env = &links,
	    .net_ns = s->joined.net.path,
	    .ipc_ns = s->joined.ipc.path,
	    .pid_ns = s->joined.pid.path,
	    .user_ns = s->joined.user.path,
	    .host_network = streq(c->network_mode, "host"),
	    .init_path = own_init ? own_init : init,
	    .host = spec_host(),
	};

	if (links_env(c, true, &links, err) < 0)
		return -1;
	if (spec_build(&in, &s->spec, err) == 0)
		return 0;
	if (err->kind == ERR_INVALID)
		err->kind =
		    ERR_SYSTEM; /* what is found wrong at the start is no fault of the request to start: moby's status */
	return -1;
}

/* ---- Shim and streams --------------------------------------------------------------------------------------------------------- */

static int make_pipes(struct start *s, struct error *err)
{
	int p[2];

	for (int i = s->c->open_stdin ? 0 : 1; i < 3; i++) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return error_sys(err, errno, "pipe");
		if (idmap_give(p[0], "") < 0)
			return error_sys(err, errno, "owner of a pipe");
		s->child[i] = i == 0 ? p[0] : p[1];
		s->held[i] = i == 0 ? p[1] : p[0];
	}
	return 0;
}

void container_shim_base(struct container *c, char *run_dir, struct shim_create *out)
{
	*out = (struct shim_create){.id = c->id,
				    .dir = run_dir,
				    .driver = containers.exec_driver,
				    .rootfs_fd = -1,
				    .netns_fd = -1};
}

/* First of all: one that is up already, or it comes up, and the exec driver's process with it, while the rest is made. */
static int launch_shim(struct start *s, struct error *err)
{
	struct shim_create sc;

	container_shim_base(s->c, s->run_dir, &sc);
	sc.driver = s->runtime.driver;
	if (dir_make_all(AT_FDCWD, s->run_dir, 0700, err) < 0)
		return -1;
	s->sock = shim_spare_take(s->run_dir);
	if (s->sock >= 0)
		return 0;
	FAULT("shim.launch.before");
	s->sock = shim_launch(&sc, err);
	FAULT("shim.launch.after");
	return s->sock < 0 ? -1 : 0;
}

static int create_process(struct start *s, struct error *err)
{
	auto_free char *cache = path_join(containers.exec_root, "exec-cache");
	const json *size = json_get(s->host, "ConsoleSize");
	struct shim_create sc;

	container_shim_base(s->c, s->run_dir, &sc);
	if (!s->c->tty && make_pipes(s, err) < 0)
		return -1;
	if (dir_make_all(AT_FDCWD, cache, 0700, err) < 0)
		return -1;
	sc.driver = s->runtime.driver;
	sc.options = s->runtime.options;
	sc.spec = str_cstr(&s->spec.oci);
	sc.seccomp = s->spec.seccomp.len ? str_cstr(&s->spec.seccomp) : NULL;
	sc.seccomp_digest = s->spec.seccomp.len ? s->spec.seccomp_digest : NULL;
	sc.cache = cache;
	sc.rootfs_path = s->root_path;
	sc.rootfs_fd = s->root_fd;
	sc.netns_fd = s->joined.net.fd;
	sc.stdio.terminal = s->c->tty;
	if (json_count(size) == 2) {
		sc.stdio.rows = (uint32_t)json_u64(json_first(size), 0);
		sc.stdio.columns = (uint32_t)json_u64(json_next(json_first(size)), 0);
	}
	memcpy(sc.stdio.child, s->child, sizeof(s->child));
	memcpy(sc.stdio.held, s->held, sizeof(s->held));
	if (s->c->stdin_once) /* it ends with the first client: a second holder would keep it open */
		sc.stdio.held[0] = -1;
	sc.sock = steal_fd(&s->sock);
	if (shim_create(&sc, &s->created, err) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		fd_close(&s->child[i]);
	return 0;
}

/* Told anew at each start, while the shim comes up. */
static int announce_streams(struct start *s, struct error *err)
{
	return container_logd_open(s->c, err) < 0
		   ? error_wrap(err, "failed to initialize logging driver")
		   : 0;
}

static int open_streams(struct start *s, struct error *err)
{
	struct logd_fds fds = {.in = s->held[0],
			       .out = s->held[1],
			       .err = s->held[2],
			       .console = s->created.console_fd};

	/* from here on a new logd gets these descriptors from the shim */
	pthread_mutex_lock(&s->c->lock);
	s->c->streaming = true;
	pthread_mutex_unlock(&s->c->lock);
	if (logd_start(s->c->log_driver, s->c->id, &fds, err) == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND) { /* the one that it was announced to has died since */
		error_clear(err);
		if (announce_streams(s, err) < 0)
			return -1;
		if (logd_start(s->c->log_driver, s->c->id, &fds, err) == 0)
			return 0;
	}
	err->kind = ERR_SYSTEM;
	return error_wrap(err, "failed to create task for container: failed to initialize logging "
			       "driver");
}

/* ---- Network ------------------------------------------------------------------------------------------------------------------ */

int container_wanted_ports(struct container *c, struct network_port **out, size_t *n,
			   struct error *err)
{
	auto_json *config = json_parse(c->config, strlen(c->config), err);
	auto_json *host = config ? json_parse(c->host_config, strlen(c->host_config), err) : NULL;
	struct spec_ports ports = {0};

	*out = NULL;
	*n = 0;
	if (!host || spec_parse_ports(config, host, &ports, err) < 0)
		return -1;
	*out = xcalloc(ports.n, sizeof(**out));
	for (size_t i = 0; i < ports.n; i++) {
		struct network_port *p;

		if (!ports.v[i].published)
			continue;
		p = &(*out)[(*n)++];
		p->container_port = ports.v[i].container_port;
		p->host_start = ports.v[i].host_start;
		p->host_end = ports.v[i].host_end;
		memcpy(p->proto, ports.v[i].proto, sizeof(p->proto));
		memcpy(p->host_ip, ports.v[i].host_ip, sizeof(p->host_ip));
	}
	spec_ports_free(&ports);
	return 0;
}

static int connect_network(struct start *s, struct error *err)
{
	auto_free struct network_port *ports = NULL;
	size_t n = 0;

	if (container_wanted_ports(s->c, &ports, &n, err) < 0)
		return -1;
	if (networks_start(s->c, &s->created, ports, n, err) < 0)
		return -1;
	links_announce(s->c);
	return 0;
}

/* Give back what a started or half-started container holds. Every step bears repetition. */
void container_release_resources(struct container *c)
{
	auto_free char *run_dir = container_run_dir(c->id);
	struct shim_create sc;
	struct error err = ERROR_INIT;

	monitor_remove(c->id);
	pthread_mutex_lock(&c->lock);
	c->streaming = false;
	pthread_mutex_unlock(&c->lock);
	container_shim_base(c, run_dir, &sc);
	c->unclean = shim_destroy(&sc, &err) < 0;
	if (c->unclean)
		log_error("cleanup of a container is incomplete", "container", c->id, "error",
			  err.text);
	networks_stop(c);
	mounts_stop(c);
	shm_unmount(c);
	if (c->mounted) {
		if (image_use_layer_unmount(c->id, &err) < 0)
			log_error("root of a container is still mounted", "container", c->id,
				  "error", err.text);
		c->mounted = false;
	}
}

void container_forget_run(struct container *c)
{
	auto_free char *run_dir = container_run_dir(c->id);
	struct error err = ERROR_INIT;

	if (!c->unclean && shim_forget(run_dir, &err) < 0)
		log_warn("run directory of a container", "container", c->id, "error", err.text);
}

int container_clean(struct container *c, struct error *err)
{
	auto_free char *run_dir = container_run_dir(c->id);
	struct shim_create sc;

	if (!c->unclean)
		return 0;
	container_shim_base(c, run_dir, &sc);
	if (shim_delete(&sc, err) < 0)
		return error_wrap(err, "what is left of the last run");
	c->unclean = false;
	return 0;
}

/* ---- The start ---------------------------------------------------------------------------------------------------------------- */

static int prepare(struct start *s, struct error *err)
{
	struct container *c = s->c;

	s->config = json_parse(c->config, strlen(c->config), err);
	s->host = s->config ? json_parse(c->host_config, strlen(c->host_config), err) : NULL;
	s->run_dir = container_run_dir(c->id);
	if (!s->host || container_clean(c, err) < 0)
		return -1;
	if (runtime_choose(json_get_str(s->host, "Runtime", ""), &s->runtime, err) < 0)
		return error_wrap(err, TASK_FAILED);
	if (streq(spec_apparmor(s->host, spec_host()), APPARMOR_DEFAULT) &&
	    apparmor_load_default(err) < 0)
		return -1;
	if (launch_shim(s, err) < 0)
		return error_wrap(err, CREATE_FAILED);
	if (image_use_layer_mount(c->id, &s->root_fd, &s->root_path, err) < 0)
		return -1;
	c->mounted = true;
	FAULT("container.start.mounted");
	if (spec_remapped(s->host, spec_host()) &&
	    idmap_open_way(containers.data_root, s->root_path, err) < 0)
		return -1;
	if (make_workdir(s, err) < 0 || container_put_files(c, err) < 0 ||
	    join_others(c, s->config, s->host, &s->joined, err) < 0 || mounts_start(c, err) < 0)
		return -1;
	FAULT("container.start.volumes");
	if (mounts_resolve(c, s->config, s->host, NULL, &s->mounts, err) < 0)
		return -1;
	if (announce_streams(s, err) < 0)
		return -1;
	return build_spec(s, err);
}

/* Moby's guess at what somebody did who sees this. */
static void add_hint(struct error *err)
{
	size_t n = strlen(err->text);

	if (strcasestr(err->text, "not a directory"))
		snprintf(err->text + n, sizeof(err->text) - n,
			 ": Are you trying to mount a directory onto a file (or vice-versa)? Check "
			 "if the specified host path exists and is the expected type");
}

/* runc, as a program, says by itself what failed. */
static int create_failed(const struct start *s, struct error *err)
{
	if (s->runtime.program || str_after(err->text, "runc create failed"))
		return error_wrap(err, SHIM_FAILED);
	return error_wrap(err, CREATE_FAILED);
}

static int run(struct start *s, struct error *err)
{
	struct container *c = s->c;

	if (create_process(s, err) < 0) {
		if (err->kind == ERR_INVALID)
			err->kind = ERR_SYSTEM;
		add_hint(err);
		return create_failed(s, err);
	}
	FAULT("container.start.created");
	c->oom_seen = false;
	pthread_mutex_lock(&c->lock);
	c->state.pid = s->created.pid;
	c->state.start_time = s->created.start_time;
	pthread_mutex_unlock(&c->lock);
	if (open_streams(s, err) < 0 || connect_network(s, err) < 0)
		return -1;
	FAULT("container.start.connected");
	/* One write for what the container has now and for its being started. A daemon that is killed from here on, and the power switch, leave a
	 * running container without a journal that says so: it has ended. */
	s->started = clock_wall_ns();
	if (container_save_started(c, s->started, err) < 0)
		return -1;
	FAULT("container.start.saved");
	if (shim_start(s->created.sock, err) < 0) {
		add_hint(err);
		if (s->runtime.program)
			return error_wrap(err, TASK_FAILED ": OCI runtime start failed");
		return error_wrap(
		    err, CREATE_FAILED
		    ": unable to start container process: error during container init");
	}
	FAULT("container.start.started");
	return 0;
}

/* The start failed: state, exit code and text as moby leaves them. */
static void record_failure(struct container *c, const struct error *err)
{
	struct error save_err = ERROR_INIT;
	int code = err->kind == ERR_NO_COMMAND ? 127 : err->kind == ERR_NO_PERMISSION ? 126 : 128;

	logd_finish(c->log_driver, c->id, 1000, &save_err);
	c->logd_open = false;
	container_release_resources(c);
	pthread_mutex_lock(&c->lock);
	c->state.running = c->state.restarting = false;
	c->state.pid = 0;
	c->state.exit_code = code;
	free(c->state.error);
	c->state.error = xstrdup(err->text);
	if (c->state.finished == CLOCK_ZERO || code != 128)
		c->state.finished = c->state.started = CLOCK_ZERO;
	c->started_before =
	    true; /* no exit for waiters: as moby, they go on until the next run or the removal */
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (container_save(c, false, &save_err) < 0)
		log_error("state of a container is not on disk", "container", c->id, "error",
			  save_err.text);
	container_forget_run(c);
}

int container_start_locked(struct container *c, struct error *err)
{
	struct start s = {
	    .c = c,
	    .root_fd = -1,
	    .sock = -1,
	    .joined = JOINED_INIT,
	    .runtime = RUNTIME_INIT,
	    .child = {-1, -1, -1},
	    .held = {-1, -1, -1},
	    .created = {.netns_fd = -1, .netlink_fd = -1, .console_fd = -1, .sock = -1}};
	int64_t began = clock_mono_ns();
	int r, sock;

	if (containers_may_start(err) < 0)
		return -1; /* and it stays as it is */
	r = prepare(&s, err);
	if (r == 0)
		r = run(&s, err);
	shim_spare_want();
	if (r < 0) {
		start_free(&s);
		record_failure(c, err);
		return -1;
	}
	pthread_mutex_lock(&c->lock);
	c->state.running = true;
	c->state.restarting = c->state.oom_killed = c->state.paused = false;
	c->state.exit_code = 0;
	free(c->state.error);
	c->state.error = NULL;
	c->state.started = s.started;
	c->started_before = true;
	c->manually_stopped = false;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	health_begin(c);
	sock = steal_fd(&s.created.sock);
	start_free(&s);
	metrics_took(METRICS_START, began);
	container_event(c, "start", NULL);
	/* only now: an exit must be handled after the start is told */
	return monitor_add(c, sock, err);
}

int container_start(const char *name, const char *detach_keys, struct error *err)
{
	auto_container *c = container_find(name, err);

	if (!c)
		return -1;
	(void)detach_keys; /* belongs to attach, which the client asks for separately */
	LOCK_SCOPE(&c->op);
	if (c->gone)
		return error_set(err, ERR_NOT_FOUND, "No such container: %s", name);
	if (c->state.paused)
		return error_set(err, ERR_CONFLICT,
				 "cannot start a paused container, try unpause instead");
	if (c->state.running)
		return error_set(err, ERR_NOT_MODIFIED, "container is already running");
	if (c->state.removing || c->state.dead)
		return error_set(err, ERR_CONFLICT,
				 "container is marked for removal and cannot be started");
	restart_cancel(c);
	c->restart_count = 0;
	if (container_start_locked(c, err) < 0) {
		if (c->auto_remove) {
			struct error remove_err = ERROR_INIT;

			if (container_remove_locked(c, true, &remove_err) < 0)
				log_error("container is not removed", "container", c->id, "error",
					  remove_err.text);
		}
		return -1;
	}
	return 0;
}
