/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container on disk: containers/<ID>/config.v2.json and hostconfig.json in moby's form, so that either engine reads the other's. Members
 * that we don't know are kept as they are.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/health.h"
#include "container/join.h"

#include <fcntl.h>
#include <stdlib.h>

char *container_dir(const char *id)
{
	return xasprintf("%s/containers/%s", containers.data_root, id);
}

char *container_run_dir(const char *id)
{
	return xasprintf("%s/containers/%s", containers.exec_root, id);
}

static void print_state(struct jw *w, const struct container *c, const struct state *s)
{
	jw_kobj(w, "State");
	jw_kbool(w, "Running", s->running);
	jw_kbool(w, "Paused", s->paused);
	jw_kbool(w, "Restarting", s->restarting);
	jw_kbool(w, "OOMKilled", s->oom_killed);
	jw_kbool(w, "Dead", s->dead);
	jw_ki64(w, "Pid", s->pid);
	jw_ki64(w, "ExitCode", s->exit_code);
	jw_kstr(w, "Error", s->error);
	jw_ktime(w, "StartedAt", s->started);
	jw_ktime(w, "FinishedAt", s->finished);
	health_print(c, true, w);
	jw_end(w);
}

static void print_mounts(struct jw *w, const struct container *c)
{
	jw_kobj(w, "MountPoints");
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct mount_point *m = &c->mounts[i];

		jw_kobj(w, m->destination);
		jw_kstr(w, "Source", m->source);
		jw_kstr(w, "Destination", m->destination);
		jw_kbool(w, "RW", m->rw);
		jw_kstr(w, "Name", m->name);
		jw_kstr(w, "Driver", m->driver);
		jw_kstr(w, "Type", m->type);
		if (!str_empty(m->mode))
			jw_kstr(w, "Relabel", m->mode);
		if (!str_empty(m->propagation))
			jw_kstr(w, "Propagation", m->propagation);
		if (m->mount_id)
			jw_kstr(w, "ID", m->mount_id);
		jw_kobj(w, "Spec");
		jw_kstr(w, "Type", m->type);
		jw_kstr(w, "Source", m->image_id ? m->image_id : m->name ? m->name : m->source);
		jw_kstr(w, "Target", m->destination);
		if (!m->rw && !m->image_id)
			jw_kbool(w, "ReadOnly", true);
		if (m->subpath) {
			jw_kobj(w, m->image_id ? "ImageOptions" : "VolumeOptions");
			jw_kstr(w, "Subpath", m->subpath);
			jw_end(w);
		}
		jw_end(w);
		jw_kbool(w, "Anonymous", m->anonymous);
		jw_kbool(w, "SkipMountpointCreation", false);
		jw_end(w);
	}
	jw_end(w);
}

void container_print_apparmor(struct jw *w, const struct container *c)
{
	const struct spec_host *h = spec_host();
	struct error ignored = ERROR_INIT;
	auto_json *host = *h->apparmor_profile && c->started_before
			      ? json_parse(c->host_config, strlen(c->host_config), &ignored)
			      : NULL;

	jw_kstr(w, "AppArmorProfile", host ? spec_apparmor(host, h) : "");
}

static void print_paths(struct jw *w, const struct container *c, bool started_before)
{
	auto_free char *dir = container_dir(container_files_of(c));
	auto_free char *hostname = path_join(dir, "hostname");
	auto_free char *hosts = path_join(dir, "hosts"), *resolv = path_join(dir, "resolv.conf");
	auto_free char *shm = shm_path(c);
	bool files = started_before;

	jw_kstr(w, "MountLabel", "");
	jw_kstr(w, "ProcessLabel", "");
	container_print_apparmor(w, c);
	jw_kstr(w, "SeccompProfile", "");
	jw_kbool(w, "NoNewPrivileges", false);
	jw_kstr(w, "HostnamePath", files ? hostname : "");
	jw_kstr(w, "HostsPath", files ? hosts : "");
	jw_kstr(w, "ShmPath", c->started_before ? shm : "");
	jw_kstr(w, "ResolvConfPath", files ? resolv : "");
}

/* What of a container is saved otherwise than it is. */
struct view {
	struct state state;
	bool started_before, manually_stopped;
};

/* With c->lock held. log: NULL before the first start, and where the driver has no file. */
static void print_config(const struct container *c, const struct view *v, const char *log,
			 struct str *out)
{
	struct jw w = jw_to(out);
	auto_str slashed = STR_INIT;

	str_printf(&slashed, "/%s", c->name);
	jw_obj(&w);
	jw_kobj(&w, "StreamConfig");
	jw_end(&w);
	print_state(&w, c, &v->state);
	jw_kstr(&w, "ID", c->id);
	jw_ktime(&w, "Created", c->created);
	jw_kbool(&w, "Managed", false);
	jw_kstr(&w, "Path", c->path);
	jw_kstrlist(&w, "Args", &c->args, false);
	jw_key(&w, "Config");
	jw_raw(&w, c->config, strlen(c->config));
	jw_kstr(&w, "Image", c->image_id);
	jw_knull(&w, "ImageManifest");
	networks_print_kept(&w, c);
	jw_kstr(&w, "LogPath", log ? log : "");
	jw_kstr(&w, "Name", str_cstr(&slashed));
	jw_kstr(&w, "Driver", containers.storage_driver);
	jw_kstr(&w, "OS", "linux");
	jw_ki64(&w, "RestartCount", c->restart_count);
	jw_kbool(&w, "HasBeenStartedBefore", v->started_before);
	jw_kbool(&w, "HasBeenManuallyStopped", v->manually_stopped);
	print_mounts(&w, c);
	print_paths(&w, c, v->started_before);
	if (c->extra)
		str_puts(out, c->extra);
	jw_end(&w);
}

static struct view view_of(const struct container *c)
{
	return (struct view){c->state, c->started_before, c->manually_stopped};
}

/* What was replaced is given back behind our back. */
static int settle(int dir, const char *name, struct file_new *f, bool durable, struct error *err)
{
	int old = -1, r = file_settle(dir, name, f, durable, &old, err);

	later_close(&old);
	return r;
}

/* Both files are on their way to the disk before the first is waited for; config.v2.json, which makes a container of the directory, comes last. */
static int put_files(const struct container *c, int dir, const struct str *config, bool with_host,
		     bool durable, struct error *err)
{
	struct file_new host_file = {NULL, -1}, config_file = {NULL, -1};
	int r = with_host ? file_prepare(dir, "hostconfig.json", c->host_config,
					 strlen(c->host_config), 0600, durable, &host_file, err)
			  : 0;

	if (r == 0)
		r = file_prepare(dir, "config.v2.json", config->p, config->len, 0600, durable,
				 &config_file, err);
	if (r == 0 && with_host) {
		r = settle(dir, "hostconfig.json", &host_file, durable, err);
		FAULT("container.save.between");
	}
	if (r == 0)
		r = settle(dir, "config.v2.json", &config_file, durable, err);
	file_drop(dir, &host_file);
	file_drop(dir, &config_file);
	return r;
}

static int save(struct container *c, const struct view *as, bool with_host_config, bool durable,
		struct error *err)
{
	auto_free char *dir = container_dir(c->id);
	auto_close fd = dir_open_at(AT_FDCWD, dir, err);
	/* the driver may have to be asked: not with c->lock held */
	auto_free char *log =
	    (as ? as->started_before : c->started_before) ? container_log_path(c) : NULL;
	auto_str text = STR_INIT;
	struct view view;

	if (fd < 0)
		return error_wrap(err, "save container %s", c->id);
	pthread_mutex_lock(&c->lock);
	view = view_of(c);
	print_config(c, as ? as : &view, log, &text);
	pthread_mutex_unlock(&c->lock);
	return put_files(c, fd, &text, with_host_config, durable, err) < 0
		   ? error_wrap(err, "save container %s", c->id)
		   : 0;
}

int container_save(struct container *c, bool with_host_config, struct error *err)
{
	return save(c, NULL, with_host_config, true, err);
}

int container_save_started(struct container *c, int64_t now, struct error *err)
{
	struct view as;

	pthread_mutex_lock(&c->lock);
	as = view_of(c);
	pthread_mutex_unlock(&c->lock);
	as.state.running = true;
	as.state.restarting = as.state.oom_killed = as.state.paused = false;
	as.state.exit_code = 0;
	as.state.error = NULL;
	as.state.started = now;
	as.started_before = true;
	as.manually_stopped = false;
	return save(c, &as, false, true, err);
}

int container_note(struct container *c, struct error *err)
{
	return save(c, NULL, false, false, err);
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------------ */

static int64_t read_time(const json *j, const char *name)
{
	int64_t ns;

	return clock_parse(json_get_str(j, name, ""), &ns) ? ns : CLOCK_ZERO;
}

static void load_state(struct container *c, const json *s)
{
	c->state.running = json_get_bool(s, "Running", false);
	c->state.paused = json_get_bool(s, "Paused", false);
	c->state.restarting = json_get_bool(s, "Restarting", false);
	c->state.oom_killed = json_get_bool(s, "OOMKilled", false);
	c->state.dead = json_get_bool(s, "Dead", false);
	c->state.pid = (pid_t)json_get_i64(s, "Pid", 0);
	c->state.exit_code = (int)json_get_i64(s, "ExitCode", 0);
	c->state.error = xstrdup(json_get_str(s, "Error", ""));
	c->state.started = read_time(s, "StartedAt");
	c->state.finished = read_time(s, "FinishedAt");
}

static void load_mounted_spec(struct mount_point *m, const json *spec)
{
	bool image = streq(m->type, "image");
	const char *subpath =
	    json_get_str(json_get(spec, image ? "ImageOptions" : "VolumeOptions"), "Subpath", "");

	m->subpath = *subpath ? xstrdup(subpath) : NULL;
	m->image_id = image ? xstrdup(json_get_str(spec, "Source", "")) : NULL;
}

static void load_mounts(struct container *c, const json *points)
{
	c->mounts = xcalloc(json_count(points), sizeof(*c->mounts));
	for (json *p = json_first(points); p; p = json_next(p)) {
		struct mount_point *m = &c->mounts[c->n_mounts++];

		m->type = xstrdup(json_get_str(p, "Type", "bind"));
		m->source = xstrdup(json_get_str(p, "Source", ""));
		m->destination = xstrdup(json_get_str(p, "Destination", json_name(p)));
		m->name =
		    *json_get_str(p, "Name", "") ? xstrdup(json_get_str(p, "Name", "")) : NULL;
		m->driver = xstrdup(json_get_str(p, "Driver", ""));
		m->mode = xstrdup(json_get_str(p, "Relabel", ""));
		m->propagation = xstrdup(json_get_str(p, "Propagation", ""));
		m->rw = json_get_bool(p, "RW", true);
		m->anonymous = json_get_bool(p, "Anonymous", false);
		m->mount_id =
		    *json_get_str(p, "ID", "") ? xstrdup(json_get_str(p, "ID", "")) : NULL;
		load_mounted_spec(m, json_get(p, "Spec"));
	}
}

/* Members that print_config does not write itself. */
static void load_extra(struct container *c, const json *j)
{
	static const char *const ours[] = {"StreamConfig",
					   "State",
					   "ID",
					   "Created",
					   "Managed",
					   "Path",
					   "Args",
					   "Config",
					   "Image",
					   "ImageManifest",
					   "NetworkSettings",
					   "LogPath",
					   "Name",
					   "Driver",
					   "OS",
					   "RestartCount",
					   "HasBeenStartedBefore",
					   "HasBeenManuallyStopped",
					   "MountPoints",
					   "MountLabel",
					   "ProcessLabel",
					   "AppArmorProfile",
					   "SeccompProfile",
					   "NoNewPrivileges",
					   "HostnamePath",
					   "HostsPath",
					   "ShmPath",
					   "ResolvConfPath"};
	auto_str out = STR_INIT;

	for (json *m = json_first(j); m; m = json_next(m)) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(ours); i++)
			known = known || streq(ours[i], json_name(m));
		if (known)
			continue;
		str_putc(&out, ',');
		json_quote(&out, json_name(m), strlen(json_name(m)));
		str_putc(&out, ':');
		json_print(m, &out);
	}
	c->extra = out.len ? str_steal(&out) : NULL;
}

static json *read_json(int dirfd, const char *name, struct error *err)
{
	auto_str text = STR_INIT;

	if (file_read_at(dirfd, name, 16 * 1024 * 1024, &text, err) < 0)
		return NULL;
	return json_parse(str_cstr(&text), text.len, err);
}

static char *print_whole(const json *j)
{
	struct str s = STR_INIT;

	json_print(j, &s);
	return str_steal(&s);
}

struct container *container_load(const char *id, struct error *err)
{
	auto_free char *dir = container_dir(id);
	auto_close fd = dir_open_at(AT_FDCWD, dir, err);
	auto_json *j = fd < 0 ? NULL : read_json(fd, "config.v2.json", err);
	auto_json *h = j ? read_json(fd, "hostconfig.json", err) : NULL;
	struct container *c;

	if (!h) {
		error_wrap(err, "container %s", id);
		return NULL;
	}
	if (!streq(json_get_str(j, "ID", ""), id) || !*json_get_str(j, "Name", "")) {
		error_set(err, ERR_SYSTEM,
			  "container %s: config.v2.json names another id or no name", id);
		return NULL;
	}
	c = container_new(id);
	c->name = xstrdup(json_get_str(j, "Name", "/")[0] == '/' ? json_get_str(j, "Name", "/") + 1
								 : json_get_str(j, "Name", ""));
	c->created = read_time(j, "Created");
	c->path = xstrdup(json_get_str(j, "Path", ""));
	json_strlist(json_get(j, "Args"), &c->args);
	c->config = print_whole(json_get(j, "Config"));
	c->host_config = print_whole(h);
	c->image_id = xstrdup(json_get_str(j, "Image", ""));
	c->restart_count = (int)json_get_i64(j, "RestartCount", 0);
	c->started_before = json_get_bool(j, "HasBeenStartedBefore", false);
	c->manually_stopped = json_get_bool(j, "HasBeenManuallyStopped", false);
	load_state(c, json_get(j, "State"));
	health_load(c, json_get(j, "State"));
	networks_load(c, json_get(j, "NetworkSettings"));
	load_mounts(c, json_get(j, "MountPoints"));
	load_extra(c, j);
	if (container_cache_fields(c, err) < 0) {
		container_unref(c);
		return NULL;
	}
	return c;
}

static char *dup_or(const json *j, const char *name, const char *fallback)
{
	const char *v = json_get_str(j, name, "");

	return xstrdup(*v ? v : fallback);
}

/* "sh -c 'a b'" as the list shows it: arguments with blanks are quoted by moby. */
static char *join_command(const struct container *c)
{
	auto_str s = STR_INIT;

	str_puts(&s, c->path);
	for (size_t i = 0; i < c->args.n; i++) {
		bool blank = strchr(c->args.v[i], ' ') != NULL;

		str_printf(&s, blank ? " '%s'" : " %s", c->args.v[i]);
	}
	return str_steal(&s);
}

int container_cache_fields(struct container *c, struct error *err)
{
	auto_json *config = json_parse(c->config, strlen(c->config), err);
	auto_json *host = config ? json_parse(c->host_config, strlen(c->host_config), err) : NULL;
	const json *policy, *log, *timeout;
	struct error ignored = ERROR_INIT;

	if (!host)
		return error_wrap(err, "container %s", c->id);
	policy = json_get(host, "RestartPolicy");
	log = json_get(host, "LogConfig");
	timeout = json_get(config, "StopTimeout");
	c->image_name = xstrdup(json_get_str(config, "Image", ""));
	c->network_mode = dup_or(host, "NetworkMode", "default");
	c->ipc_mode = dup_or(host, "IpcMode", "private");
	c->log_driver = dup_or(log, "Type", config_str(containers.config, "log-driver"));
	c->command = join_command(c);
	json_pairs(json_get(config, "Labels"), &c->labels);
	json_pairs(json_get(log, "Config"), &c->log_opts);
	c->tty = json_get_bool(config, "Tty", false);
	c->open_stdin = json_get_bool(config, "OpenStdin", false);
	c->stdin_once = json_get_bool(config, "StdinOnce", false);
	c->auto_remove = json_get_bool(host, "AutoRemove", false);
	c->stop_signal = spec_signal(json_get_str(config, "StopSignal", "SIGTERM"));
	if (c->stop_signal <= 0)
		c->stop_signal = 15;
	c->stop_timeout = (int)json_i64(timeout, INT32_MIN);
	c->restart_policy = dup_or(policy, "Name", "no");
	c->restart_max = (int)json_get_i64(policy, "MaximumRetryCount", 0);
	spec_ports_free(&c->ports);
	spec_parse_ports(config, host, &c->ports, &ignored); /* checked at the creation */
	return 0;
}

json *container_config(struct container *c, struct error *err)
{
	LOCK_SCOPE(&c->lock);

	return json_parse(c->config, strlen(c->config), err);
}

json *container_host_config(struct container *c, struct error *err)
{
	LOCK_SCOPE(&c->lock);

	return json_parse(c->host_config, strlen(c->host_config), err);
}
