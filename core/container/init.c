/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start of the daemon, for containers: load all, adopt those whose shim lives, settle those that ended meanwhile, sweep what a killed
 * daemon left half-made. Its end: shutdown.c.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/apparmor.h"
#include "container/container_int.h"
#include "container/health.h"
#include "container/image_use.h"
#include "container/log_reader.h"
#include "image/image.h"
#include "volume/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* ---- Loading ------------------------------------------------------------------------------------------------------------------ */

static bool is_id(const char *name)
{
	return strlen(name) == ID_LEN && strspn(name, "0123456789abcdef") == ID_LEN;
}

/* Directory without config.v2.json: a create or a removal that was cut off. Only a file that is surely absent counts: an error of the disk
 * must not cost a container. */
static bool half_made(int dirfd, const char *id)
{
	auto_free char *config = xasprintf("%s/config.v2.json", id);

	return faccessat(dirfd, config, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static void sweep_half_made(int dirfd, const char *id)
{
	struct error err = ERROR_INIT;

	log_info("removing a half-made container", "container", id);
	if (image_use_layer_remove(id, &err) < 0 || dir_remove_all(dirfd, id, &err) < 0)
		log_error("half-made container stays", "container", id, "error", err.text);
}

static void load_one(int dirfd, const char *id)
{
	struct error err = ERROR_INIT;
	struct container *c;

	if (half_made(dirfd, id)) {
		sweep_half_made(dirfd, id);
		return;
	}
	c = container_load(id, &err);
	if (!c) {
		log_error("failed to load container", "container", id, "error", err.text);
		return;
	}
	if (container_claim_name(c->id, c->name, &err) < 0) {
		/* cannot come from us; give it a name, so that it can be removed */
		log_warn("container gets a new name", "container", id, "error", err.text);
		free(c->name);
		c->name = container_random_name(c->id);
	}
	for (size_t i = 0; i < c->n_mounts; i++) {
		if (c->mounts[i].name && streq(c->mounts[i].type, "volume") &&
		    volume_use_again(c->mounts[i].name, c->mounts[i].driver, c->id, &err) < 0)
			log_warn("volume of a container", "container", id, "error", err.text);
	}
	container_publish(c);
	container_unref(c);
}

static int load_all(struct error *err)
{
	auto_free char *path = path_join(containers.data_root, "containers");
	auto_dir DIR *d = NULL;
	auto_strlist ids = STRLIST_INIT;
	struct dirent *e;

	if (dir_make_all(AT_FDCWD, path, 0710, err) < 0)
		return -1;
	d = opendir(path);
	if (!d)
		return error_sys(err, errno, "%s", path);
	while ((e = readdir(d)))
		if (is_id(e->d_name))
			strlist_add(&ids, e->d_name);
	strlist_sort(&ids);
	for (size_t i = 0; i < ids.n; i++)
		load_one(dirfd(d), ids.v[i]);
	return 0;
}

static bool surely_absent(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* What a killed daemon left in data-root/tmp is nobody's; and nobody has put anything there yet. Large or stuck, it holds up no start. */
static void sweep_tmp(void)
{
	auto_free char *dir = path_join(containers.data_root, "tmp");
	auto_dir DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		auto_free char *path = path_join(dir, e->d_name);

		if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
			later_remove(path);
	}
}

/* Read-write layers without a container, run directories without a container. */
static void sweep_orphans(void)
{
	auto_strlist layers = STRLIST_INIT, holders = STRLIST_INIT;
	auto_free char *path = path_join(containers.exec_root, "containers");
	auto_dir DIR *d = opendir(path);
	struct error err = ERROR_INIT;
	struct dirent *e;

	layer_rw_list(containers.images, &layers);
	for (size_t i = 0; i < layers.n; i++) {
		auto_container *c = container_by_id(layers.v[i]);
		auto_free char *dir = container_dir(layers.v[i]);

		/* a directory that we could not read may still be somebody's container */
		if (!c && surely_absent(dir) && image_use_layer_remove(layers.v[i], &err) < 0)
			log_error("orphaned read-write layer", "container", layers.v[i], "error",
				  err.text);
	}
	image_hold_list(containers.images, &holders);
	for (size_t i = 0; i < holders.n; i++) {
		auto_container *c = container_by_id(holders.v[i]);
		auto_free char *dir = container_dir(holders.v[i]);

		if (!c && surely_absent(dir))
			image_use_mount_release(holders.v[i]);
	}
	while (d && (e = readdir(d))) {
		auto_container *c = is_id(e->d_name) ? container_by_id(e->d_name) : NULL;
		auto_free char *dir = container_run_dir(e->d_name);
		struct shim_create sc = {.id = e->d_name,
					 .dir = dir,
					 .driver = containers.exec_driver,
					 .rootfs_fd = -1,
					 .netns_fd = -1};

		auto_free char *kept = container_dir(e->d_name);

		/* a container whose directory we could not read may be alive */
		if (!is_id(e->d_name) || c || !surely_absent(kept))
			continue;
		if (shim_delete(&sc, &err) < 0)
			log_error("run directory of a container that is gone", "container",
				  e->d_name, "error", err.text);
	}
}

static void each_container(void (*f)(struct container *))
{
	size_t n;
	struct container **all = containers_all(&n);

	for (size_t i = 0; i < n; i++) {
		f(all[i]);
		container_unref(all[i]);
	}
	free(all);
}

/* Runs by its state, has no run directory of ours, and its process is in its control group: another engine's, which is alive or left it behind. */
static bool runs_elsewhere(const struct container *c)
{
	auto_free char *dir = container_run_dir(c->id),
		       *path = xasprintf("/proc/%d/cgroup", (int)c->state.pid);
	auto_str groups = STR_INIT;
	struct error gone = ERROR_INIT;

	return c->state.running && c->state.pid > 0 && surely_absent(dir) &&
	       file_read_at(AT_FDCWD, path, 65536, &groups, &gone) == 0 &&
	       strstr(str_cstr(&groups), c->id);
}

/* Two engines at one container would each undo what the other does: nothing is touched. */
static int refuse_others(struct error *err)
{
	size_t n, found = 0;
	struct container **all = containers_all(&n);
	auto_str names = STR_INIT;

	for (size_t i = 0; i < n; i++) {
		if (runs_elsewhere(all[i]) && found++ < 10)
			str_printf(&names, "%s%s (%.12s, process %d)", names.len ? ", " : "",
				   all[i]->name, all[i]->id, (int)all[i]->state.pid);
		container_unref(all[i]);
	}
	free(all);
	return found
		   ? error_set(err, ERR_CONFLICT,
			       "%zu container%s of %s still run%s under another engine: %s%s; stop "
			       "%s there first",
			       found, found == 1 ? "" : "s", containers.data_root,
			       found == 1 ? "s" : "", str_cstr(&names), found > 10 ? ", ..." : "",
			       found == 1 ? "it" : "them")
		   : 0;
}

/* ---- Adoption ----------------------------------------------------------------------------------------------------------------- */

struct past {
	struct container *c;
	struct shim_event exit, started;
	uint64_t last;
};

static void look_back(const struct shim_event *ev, void *ctx)
{
	struct past *p = ctx;

	p->last = ev->seq;
	if (ev->type == SHIM_EVENT_EXIT)
		p->exit = *ev;
	else if (ev->type == SHIM_EVENT_STARTED)
		p->started = *ev;
	else if (ev->type == SHIM_EVENT_OOM)
		p->c->oom_seen = true;
}

/* The storage driver finds its mount again, and counts it. */
static void adopt_mount(struct container *c)
{
	struct error err = ERROR_INIT;
	int fd;

	if (image_use_layer_mount(c->id, &fd, NULL, &err) < 0) {
		log_error("root of a live container", "container", c->id, "error", err.text);
		return;
	}
	close(fd);
	c->mounted = true;
	mounts_adopt(c);
}

/* What is known of a container that was running when the last daemon ended. */
enum fate {
	FATE_ALIVE,
	FATE_DEAD, /* proven: its exit is in the journal, or nobody listens at its shim's socket */
	FATE_UNREACHABLE /* the shim is there and does not answer, or not in words we know: the container counts as running */
};

static enum fate look_after(struct container *c, struct past *past)
{
	auto_free char *dir = container_run_dir(c->id);
	struct error err = ERROR_INIT;
	int sock;

	if (shim_journal_read(dir, 0, look_back, past, &err) < 0 && err.kind == ERR_NOT_FOUND)
		return FATE_DEAD;
	if (past->exit.seq)
		return FATE_DEAD;
	sock = shim_subscribe(dir, past->last, &err);
	if (sock < 0) {
		if (err.kind == ERR_NOT_FOUND)
			return FATE_DEAD;
		log_error("shim does not answer: its container is left alone", "container", c->id,
			  "error", err.text);
		return FATE_UNREACHABLE;
	}
	close(sock);
	return past->started.seq ? FATE_ALIVE : FATE_DEAD; /* created, and never started: cut off */
}

static void adopt(struct container *c, const struct past *past)
{
	c->state.running = true;
	if (past->started.seq) {
		c->state.pid = past->started.pid;
		c->state.start_time = past->started.start_time;
		if (c->state.started == CLOCK_ZERO)
			c->state.started = past->started.time;
	}
	c->streaming = true;
	adopt_mount(c);
	networks_adopt(c);
}

static void settle_dead(struct container *c, const struct past *past)
{
	struct shim_event ev = {.type = SHIM_EVENT_EXIT, .exit_code = 137};

	if (past->exit.seq)
		ev = past->exit;
	pthread_mutex_lock(&c->lock);
	c->state.running = true; /* for the handling of its exit */
	c->state.restarting = false;
	pthread_mutex_unlock(&c->lock);
	adopt_mount(c); /* to be undone with the rest */
	container_exited(c, &ev);
}

/* Ask a shim that did not answer again and again, at growing intervals, until its fate is known. */
static void *keep_asking(void *arg)
{
	struct container *c = arg;
	int64_t delay = INT64_C(1000000000);

	while (container_wait_exit(c, delay) < 0) {
		struct past past = {.c = c};
		enum fate fate = look_after(c, &past);
		struct error err = ERROR_INIT;

		if (fate == FATE_DEAD)
			settle_dead(c, &past);
		else if (fate == FATE_ALIVE && monitor_add(c, -1, &err) < 0)
			log_error("live container is not watched", "container", c->id, "error",
				  err.text);
		if (fate != FATE_UNREACHABLE)
			break;
		if (delay < INT64_C(30000000000))
			delay *= 2;
	}
	container_unref(c);
	return NULL;
}

static void restore(struct container *c)
{
	struct error err = ERROR_INIT;
	auto_free char *dir = container_run_dir(c->id);
	struct past past = {.c = c};
	enum fate fate;

	/* killed during a start: a run directory without a running state; its journal decides */
	if ((!c->state.running || c->state.restarting) && surely_absent(dir)) {
		if (c->state.restarting) {
			c->state.running = c->state.restarting = false;
			container_save(c, false, &err);
		}
		return;
	}
	fate = look_after(c, &past);
	if (fate == FATE_DEAD) {
		settle_dead(c, &past);
		return;
	}
	adopt(c, &past);
	if (fate == FATE_UNREACHABLE) {
		if (thread_start("restore", keep_asking, container_ref(c), &err) < 0)
			log_error("live container is not watched", "container", c->id, "error",
				  err.text);
		return;
	}
	if (containers.live_restore)
		health_begin(c);
	if (monitor_add(c, -1, &err) < 0)
		log_error("live container is not watched", "container", c->id, "error", err.text);
	if (!containers.live_restore && container_stop_by_daemon(c, INT32_MIN, &err) < 0)
		log_warn("container of an earlier daemon", "container", c->id, "error", err.text);
}

/* Each in a thread: one shim that is slow to answer holds up nobody but the end of the restore. */
static void *restore_thread(void *arg)
{
	restore(arg);
	return NULL;
}

static void restore_all(void)
{
	size_t n, started = 0;
	struct container **all = containers_all(&n);
	pthread_t *threads = xcalloc(n, sizeof(*threads));
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < n; i++) {
		auto_free char *dir = container_run_dir(all[i]->id);

		if (!all[i]->state.running && surely_absent(dir))
			continue;
		if (thread_start_joinable("restore", restore_thread, all[i], &threads[started],
					  &err) == 0)
			started++;
		else
			restore(all[i]);
	}
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < n; i++)
		container_unref(all[i]);
	free(threads);
	free(all);
}

/* Their output must be read even if nobody asks anything of it. A logd that is gone is replaced, and told of all of them at once. */
static void watch_log(struct container *c)
{
	if (c->streaming)
		logd_watch(c->log_driver);
}

static void users_of(void *ctx, const char *image_id, struct image_users *out)
{
	size_t n;
	struct container **all = containers_all(&n);

	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		pthread_mutex_lock(&all[i]->lock);
		if (streq(all[i]->image_id, image_id) || mounts_has_image(all[i], image_id))
			image_users_add(out, all[i]->id, all[i]->state.running);
		pthread_mutex_unlock(&all[i]->lock);
		container_unref(all[i]);
	}
	free(all);
}

int containers_init(const struct container_room *r, struct error *err)
{
	struct error unloaded = ERROR_INIT;
	auto_free char *logd_dir = NULL;

	containers = *r;
	logd_dir = path_join(containers.exec_root, "logd");
	if (dir_make_all(AT_FDCWD, logd_dir, 0700, err) < 0 || monitor_init(err) < 0)
		return -1;
	logd_setup(logd_dir, "docker", containers_logd_restore);
	log_reader_setup(logd_dir, "docker");
	if (apparmor_enabled() && apparmor_load_default(&unloaded) < 0)
		log_error(unloaded.text); /* a container that needs it does not start */
	if (load_all(err) < 0 || refuse_others(err) < 0)
		return -1;
	each_container(links_load);
	image_store_set_users(containers.images, users_of, NULL);
	sweep_orphans();
	sweep_tmp();
	if (network_ready(err) < 0)
		return -1;
	restore_all();
	each_container(watch_log);
	volumes_settle();
	network_sweep(networks_namespace_of);
	return 0;
}

/* ---- Policies ---------------------------------------------------------------------------------------------------- */

static void start_policy(struct container *c)
{
	struct error err = ERROR_INIT;
	bool want, down;
	LOCK_SCOPE(&c->op);

	pthread_mutex_lock(&c->lock);
	want = streq(c->restart_policy, "always") ||
	       (streq(c->restart_policy, "unless-stopped") && !c->manually_stopped);
	down = c->started_before && !c->state.running && !c->gone;
	pthread_mutex_unlock(&c->lock);
	if (want && down && container_start_locked(c, &err) < 0)
		log_error("failed to start container", "container", c->id, "error", err.text);
	else if (!want && down && c->auto_remove && container_remove_locked(c, true, &err) < 0)
		log_error("container is not removed", "container", c->id, "error", err.text);
}

/* The oldest first: a container joins or links to one that was there before it. */
static void *policies_thread(void *arg)
{
	struct error closing = ERROR_INIT;
	size_t n;
	struct container **all = containers_all(&n);

	(void)arg;
	while (n) {
		struct container *c = all[--n];

		if (containers_may_start(&closing) == 0)
			start_policy(c);
		container_unref(c);
	}
	free(all);
	shim_spare_want();
	return NULL;
}

void containers_start_policies(void)
{
	struct error err = ERROR_INIT;

	restarts_open();
	if (thread_start("policies", policies_thread, NULL, &err) < 0)
		policies_thread(NULL);
}
