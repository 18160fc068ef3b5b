/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd: arguments -> configuration -> plugins -> rooms -> listeners -> wait -> shutdown. A table of contents; each step is in a file
 * or a room of its own.
 */
#include "api/api.h"
#include "authz/authz.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "container/container.h"
#include "events/events.h"
#include "image/image.h"
#include "main/daemon.h"
#include "network/network.h"
#include "plugin/plugin.h"
#include "plugin/remote/remote.h"
#include "tls/tls.h"
#include "volume/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All that is opened at the start and closed at the end. */
struct daemon {
	struct places places;
	struct plugin_instance storage;
	struct image_store *images;
	struct http_server *server, *metrics; /* metrics: NULL without --metrics-addr */
	const struct plugin *exec;
};

/* ---- Actions that end at once ------------------------------------------------------------------------------------------------- */

static int print(int r, const struct str *out, const struct error *err)
{
	if (r < 0) {
		fprintf(stderr, "%s\n", err->text);
		return 1;
	}
	fputs(str_cstr(out), stdout);
	return fflush(stdout) ? 1 : 0;
}

/* What the configuration says of drivers, against what they say of themselves; nothing of them is loaded here. */
static int check_drivers(const struct config *c, struct error *err)
{
	const struct strlist *authz = config_list(c, "authorization-plugins");
	const char *exec = config_str(c, "exec-driver");

	if (containers_check_log(c, err) < 0 || storage_check(c, err) < 0 ||
	    userns_check(c, err) < 0 ||
	    containers_check_exec(c, *exec ? exec : DEFAULT_EXEC_DRIVER, err) < 0)
		return -1;
	for (size_t i = 0; i < authz->n; i++) {
		auto_free char *path = plugin_find(DOCKERD_KIND_AUTHZ, authz->v[i], err);

		if (!path && err->kind == ERR_NOT_FOUND && remote_exists(authz->v[i]))
			error_clear(
			    err); /* a socket plugin, which says nothing before it is asked */
		else if (!plugin_describe(DOCKERD_KIND_AUTHZ, authz->v[i], err))
			return -1;
	}
	return 0;
}

/* Exit code, or -1: run the daemon. */
static int run_action(const struct config *c)
{
	struct error err = ERROR_INIT;
	auto_str out = STR_INIT;

	switch (config_action(c)) {
	case CONFIG_HELP:
		config_help(stdout);
		return 0;
	case CONFIG_VERSION:
		printf("Docker version %s, build dockerd-in-C-%s\n", api_engine_version(),
		       PACKAGE_VERSION);
		return 0;
	case CONFIG_VALIDATE:
		if (check_drivers(c, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		printf("configuration OK\n");
		return 0;
	case CONFIG_LIST_PLUGINS:
		return print(plugin_dump_list(&out, &err), &out, &err);
	case CONFIG_DUMP_PLUGIN:
		return print(plugin_dump(config_str(c, "dump-plugin"), false, &out, &err), &out,
			     &err);
	case CONFIG_DUMP_CONFIG:
		config_dump(c, &out);
		return print(0, &out, &err);
	case CONFIG_DUMP_ROUTES:
		api_dump_routes(&out);
		return print(0, &out, &err);
	case CONFIG_DUMP_OPTIONS:
		if (config_dump_options(config_str(c, "dump-options"), stdout, &err) == 0)
			return 0;
		fprintf(stderr, "%s\n", err.text);
		return 1;
	case CONFIG_RUN:
		break;
	}
	return -1;
}

/* ---- Configuration ------------------------------------------------------------------------------------------------------------ */

static void set_up_log(const struct config *c)
{
	enum log_level level = LOG_LEVEL_INFO;

	log_parse_level(config_str(c, "log-level"), &level);
	if (config_bool(c, "debug"))
		level = LOG_LEVEL_DEBUG;
	log_setup(level, streq(config_str(c, "log-format"), "json"), config_bool(c, "raw-logs"));
}

static void reload(void)
{
	auto_strlist changed = STRLIST_INIT;
	struct error err = ERROR_INIT;
	struct config *fresh = config_reload(daemon_config(), &changed, &err);
	auto_free char *keys = NULL;
	auto_pairs attrs = PAIRS_INIT;

	if (!fresh) {
		log_error("reloading configuration failed: the old one stays in force", "error",
			  err.text);
		return;
	}
	daemon_config_set(fresh);
	set_up_log(fresh);
	authz_reload();
	network_refresh();
	containers_reload(fresh);
	keys = strlist_join(&changed, ", ");
	pairs_set(&attrs, "name", "dockerd");
	pairs_set(&attrs, "changed", keys);
	events_publish("daemon", "reload", api.daemon_id, &attrs);
	log_info("Reloaded configuration", "changed", keys);
}

/* ---- Rooms -------------------------------------------------------------------------------------------------------------------- */

static void image_event(void *ctx, const char *action, const char *id, const char *name)
{
	auto_pairs attrs = PAIRS_INIT;
	struct error err = ERROR_INIT;
	struct image *i = image_get_config(ctx, id, &err);

	if (i) {
		json_pairs(json_get(json_get(i->config, "config"), "Labels"), &attrs);
		image_free(i);
	}
	pairs_set(&attrs, "name", name);
	events_publish("image", action, id, &attrs);
}

static int open_images(struct daemon *d, struct error *err)
{
	auto_free char *mounts = path_join(d->places.exec_root, "mounts");

	plugin_watch();
	if (plugin_mounts_init(mounts, err) < 0 ||
	    storage_select(daemon_config(), &d->places, &d->storage, err) < 0)
		return -1;
	if (image_store_open(d->places.data_root, config_tmpdir(daemon_config()), &d->storage,
			     &d->images, err) < 0)
		return -1;
	image_store_set_events(d->images, image_event, d->images);
	return volumes_init(d->places.data_root, d->places.exec_root, d->places.volumes_db, err);
}

static void network_event(const char *action, const char *id, const struct pairs *attrs)
{
	events_publish("network", action, id, attrs);
}

static int open_network(struct daemon *d, struct error *err)
{
	const struct config *c = daemon_config();
	struct network_config n = {
	    .data_root = d->places.data_root,
	    .exec_root = d->places.exec_root,
	    .bridge = config_str(c, "bridge"),
	    .bip = config_str(c, "bip"),
	    .fixed_cidr = config_str(c, "fixed-cidr"),
	    .default_gateway = config_str(c, "default-gateway"),
	    .default_ip = config_str(c, "ip"),
	    .ipv6 = config_bool(c, "ipv6"),
	    .bip6 = config_str(c, "bip6"),
	    .fixed_cidr6 = config_str(c, "fixed-cidr-v6"),
	    .default_gateway6 = config_str(c, "default-gateway-v6"),
	    .ip6tables = config_bool(c, "ip6tables"),
	    .daemon_id = d->places.id,
	    .mtu = (int)config_int(c, "mtu"),
	    .icc = config_bool(c, "icc"),
	    .ip_forward = config_bool(c, "ip-forward"),
	    .ip_forward_no_drop = config_bool(c, "ip-forward-no-drop"),
	    .obey_host_firewall = config_bool(c, "obey-host-firewall"),
	    .allow_direct_routing = config_bool(c, "allow-direct-routing"),
	    .ip_masq = config_bool(c, "ip-masq"),
	    .iptables = config_bool(c, "iptables"),
	    .userland_proxy = config_bool(c, "userland-proxy"),
	    .live_restore = config_bool(c, "live-restore"),
	    .dns = (const char *const *)config_list(c, "dns")->v,
	    .dns_search = (const char *const *)config_list(c, "dns-search")->v,
	    .dns_options = (const char *const *)config_list(c, "dns-opts")->v,
	    .host_gateway = (const char *const *)config_list(c, "host-gateway-ips")->v,
	    .default_opts = config_json(c, "default-network-opts"),
	    .address_pools = config_json(c, "default-address-pools"),
	    .event = network_event,
	};

	return network_init(&n, err);
}

static int open_containers(struct daemon *d, struct error *err)
{
	const struct config *c = daemon_config();
	const char *name = config_str(c, "exec-driver");
	auto_free char *path =
	    plugin_find(DOCKERD_KIND_EXEC, *name ? name : DEFAULT_EXEC_DRIVER, err);
	struct container_room room = {.config = c,
				      .images = d->images,
				      .data_root = d->places.data_root,
				      .exec_root = d->places.exec_root,
				      .storage_driver = image_store_driver(d->images),
				      .live_restore = config_bool(c, "live-restore")};

	if (!path)
		return -1;
	/* as it comes, the log driver is not worth a process at each start */
	if ((!streq(config_str(c, "log-driver"), DEFAULT_LOG_DRIVER) ||
	     config_map(c, "log-opts")->n) &&
	    containers_check_log(c, err) < 0)
		return -1;
	/* only dockerd-exec loads it */
	if (containers_check_exec(c, path, err) < 0)
		return -1;
	room.exec_driver = steal_ptr(&path);
	if (containers_init(&room, err) < 0)
		return -1;
	plugin_mounts_sweep();
	return 0;
}

static int open_rooms(struct daemon *d, struct error *err)
{
	if (authz_init(daemon_config(), d->places.exec_root, err) < 0)
		return -1;
	if (open_images(d, err) < 0 || open_network(d, err) < 0 || open_containers(d, err) < 0)
		return -1;
	api = (struct api_context){.config = daemon_config,
				   .images = d->images,
				   .data_root = d->places.data_root,
				   .exec_root = d->places.exec_root,
				   .storage_driver = image_store_driver(d->images),
				   .exec_driver_name = config_str(daemon_config(), "exec-driver"),
				   .daemon_id = d->places.id};
	return 0;
}

/* ---- Life --------------------------------------------------------------------------------------------------------------------- */

static int start(struct daemon *d, struct error *err)
{
	if (geteuid() != 0)
		return error_set(err, ERR_DENIED,
				 "dockerd needs to be started with root privileges. To run dockerd "
				 "in rootless mode as an "
				 "unprivileged user, see https://docs.docker.com/go/rootless/");
	if (pidfile_write(config_str(daemon_config(), "pidfile"), err) < 0)
		return error_wrap(
		    err, "failed to start daemon, ensure docker is not running or delete %s",
		    config_str(daemon_config(), "pidfile"));
	d->server = http_server_new(api_serve, NULL);
	http_server_set_reply_hook(d->server, api_reply_hook);
	if (userns_open(daemon_config(), err) < 0 ||
	    places_open(daemon_config(), &d->places, err) < 0 ||
	    listeners_bind(d->server, err) < 0 || open_rooms(d, err) < 0)
		return -1;
	return listeners_metrics(&d->metrics, err) < 0 ? -1 : http_server_start(d->server, err);
}

static void stop(struct daemon *d)
{
	int seconds = (int)config_int(daemon_config(), "shutdown-timeout");
	bool quiet, image_jobs, handlers;

	log_info("Processing signal 'terminated'");
	notify_systemd("STOPPING=1");
	http_server_close(d->server);
	if (d->metrics)
		http_server_close(d->metrics);
	tls_stop();
	quiet = containers_shutdown(seconds < 0 ? -1 : seconds * 1000);
	image_jobs = api_registry_stop(10);
	handlers = http_server_stop(d->server, 1000);
	if (d->metrics)
		handlers &= http_server_stop(d->metrics, 1000);
	/* what a thread still uses is left to the end of the process */
	if (quiet && image_jobs && handlers) {
		network_shutdown();
		image_store_close(d->images);
	}
	pidfile_remove(config_str(daemon_config(), "pidfile"));
	log_info("Daemon shutdown complete");
}

/* Ours and our helpers'; containers get their own. proc_pid_oom_score_adj(5). */
static void adjust_oom_score(const struct config *c)
{
	int64_t score = config_int(c, "oom-score-adjust");
	auto_close fd = score ? open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC) : -1;

	if (score && (fd < 0 || dprintf(fd, "%lld", (long long)score) < 0))
		log_warn("--oom-score-adjust has no effect", "error", strerror(errno));
}

/* Many threads, little memory: one arena, freed memory goes back. */
static void tune_malloc(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 256 * 1024);
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct config *c = NULL;
	struct daemon d = {0};
	int code;

	tune_malloc();
	umask(0022);
	if (config_parse(argc, argv, &c, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	code = run_action(c);
	if (code >= 0) {
		config_free(c);
		return code;
	}
	spawn_raise_file_limit(); /* each client, stream and container costs descriptors */
	signals_block();
	signal(SIGPIPE, SIG_IGN);
	daemon_config_set(c);
	set_up_log(c);
	adjust_oom_score(c);
	log_info("Starting up");
	for (size_t i = 0; i < config_notes(c)->n; i++)
		log_info(config_notes(c)->v[i]);
	if (start(&d, &err) < 0) {
		fprintf(stderr, "failed to start daemon: %s\n", err.text);
		if (err.kind != ERR_CONFLICT || d.places.data_root)
			pidfile_remove(config_str(c, "pidfile"));
		return 1;
	}
	listeners_announce();
	containers_start_policies();
	signals_loop(reload);
	stop(&d);
	return 0;
}
