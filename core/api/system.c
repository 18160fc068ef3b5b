/* SPDX-License-Identifier: Apache-2.0 */
/* /_ping, /version, /info, /events, /system/df. */
#include "api/api.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/apparmor.h"
#include "container/container.h"
#include "events/events.h"
#include "network/network.h"
#include "plugin/plugin.h"
#include "volume/volume.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

static void ping(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	http_set_header(x, "Cache-Control", "no-cache, no-store, must-revalidate");
	http_set_header(x, "Pragma", "no-cache");
	http_set_header(x, "Builder-Version", "1"); /* BuildKit is not there yet */
	http_set_header(x, "Swarm", "inactive");
	if (x->head_only)
		http_reply(x, 200, "text/plain; charset=utf-8", "", 0);
	else
		http_reply(x, 200, "text/plain; charset=utf-8", "OK", 2);
}

/* amd64, arm64: Go's names */
static const char *go_arch(const char *machine)
{
	return streq(machine, "x86_64") ? "amd64" : streq(machine, "aarch64") ? "arm64" : machine;
}

static void component(struct jw *w, const char *name, const char *version)
{
	jw_obj(w);
	jw_kstr(w, "Name", name);
	jw_kstr(w, "Version", version);
	jw_kobj(w, "Details");
	jw_kstr(w, "GitCommit", "");
	jw_end(w);
	jw_end(w);
}

static void version(struct http_exchange *x, void *ctx)
{
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);
	struct utsname u;
	bool experimental = config_bool(api.config(), "experimental");

	(void)ctx;
	uname(&u);
	jw_obj(&w);
	jw_kobj(&w, "Platform");
	jw_kstr(&w, "Name", "dockerd-in-C " PACKAGE_VERSION);
	jw_end(&w);
	jw_karr(&w, "Components");
	jw_obj(&w);
	jw_kstr(&w, "Name", "Engine");
	jw_kstr(&w, "Version", api_engine_version());
	jw_kobj(&w, "Details");
	jw_kstr(&w, "ApiVersion", "1.51");
	jw_kstr(&w, "Arch", go_arch(u.machine));
	jw_kstr(&w, "BuildTime", "");
	jw_kstr(&w, "Experimental", experimental ? "true" : "false");
	jw_kstr(&w, "GitCommit", "");
	jw_kstr(&w, "GoVersion", "none");
	jw_kstr(&w, "KernelVersion", u.release);
	jw_kstr(&w, "MinAPIVersion", "1.24");
	jw_kstr(&w, "Os", "linux");
	jw_end(&w);
	jw_end(&w);
	/* clients look for these names; the shim and exec driver are ours */
	component(&w, "containerd", PACKAGE_VERSION);
	component(&w, "runc", PACKAGE_VERSION);
	component(&w, "docker-init", PACKAGE_VERSION);
	jw_end(&w);
	jw_kstr(&w, "Version", api_engine_version());
	jw_kstr(&w, "ApiVersion", "1.51");
	jw_kstr(&w, "MinAPIVersion", "1.24");
	jw_kstr(&w, "GitCommit", "");
	jw_kstr(&w, "GoVersion", "none");
	jw_kstr(&w, "Os", "linux");
	jw_kstr(&w, "Arch", go_arch(u.machine));
	jw_kstr(&w, "KernelVersion", u.release);
	if (experimental)
		jw_kbool(&w, "Experimental", true);
	jw_kstr(&w, "BuildTime", "");
	jw_end(&w);
	http_reply_json(x, 200, &reply);
}

/* ---- info --------------------------------------------------------------------------------------------------------------------- */

static void print_plugins(struct jw *w)
{
	auto_strlist volumes = STRLIST_INIT, networks = STRLIST_INIT, logs = STRLIST_INIT;

	volume_drivers(&volumes);
	network_drivers(&networks);
	plugin_list(DOCKERD_KIND_LOG, &logs);
	jw_kobj(w, "Plugins");
	jw_kstrlist(w, "Volume", &volumes, false);
	jw_kstrlist(w, "Network", &networks, false);
	jw_kstrlist(w, "Authorization", config_list(api.config(), "authorization-plugins"), true);
	jw_kstrlist(w, "Log", &logs, false);
	jw_end(w);
}

/* Files of cgroup v1 or v2 that tell whether a limit can be set. */
static bool cgroup_has(const char *v1, const char *controller)
{
	auto_free char *path = path_join("/sys/fs/cgroup", v1);
	auto_str text = STR_INIT;
	struct error err = ERROR_INIT;

	if (file_exists_at(AT_FDCWD, path))
		return true;
	return file_read_at(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", 4096, &text, &err) ==
		   0 &&
	       strstr(str_cstr(&text), controller);
}

void api_access_warnings(struct strlist *out)
{
	static const char where[] =
	    "\n         Access to the remote API is equivalent to root access on the host. Refer"
	    "\n         to the 'Docker daemon attack surface' section in the documentation for"
	    "\n         more information: https://docs.docker.com/go/attack-surface/"
	    "\nIn future versions this will be a hard failure preventing the daemon from starting! "
	    "Learn more at: https://docs.docker.com/go/api-security/";
	const struct config *c = api.config();
	const struct strlist *hosts = config_list(c, "hosts");

	for (size_t i = 0; i < hosts->n && !config_tls_verify(c); i++) {
		const char *address = str_after(hosts->v[i], "tcp://");
		bool tls = config_tls(c);

		if (address)
			strlist_printf(
			    out, "[DEPRECATION NOTICE]: API is accessible on %s://%s without %s.%s",
			    tls ? "https" : "http", address,
			    tls ? "TLS client verification" : "encryption", where);
	}
}

/* null when there are none, as moby. */
static void print_warnings(struct jw *w)
{
	auto_strlist all = STRLIST_INIT;

	api_access_warnings(&all);
	if (!all.n) {
		jw_knull(w, "Warnings");
		return;
	}
	jw_karr(w, "Warnings");
	for (size_t i = 0; i < all.n; i++)
		jw_str(w, all.v[i]);
	jw_end(w);
}

static void print_limits(struct jw *w, bool v2)
{
	auto_str forward = STR_INIT;
	struct error err = ERROR_INIT;

	jw_kbool(w, "MemoryLimit", cgroup_has("memory/memory.limit_in_bytes", "memory"));
	jw_kbool(w, "SwapLimit", containers_limit_swap());
	if (!v2)
		jw_kbool(w, "KernelMemoryTCP",
			 cgroup_has("memory/memory.kmem.tcp.limit_in_bytes", "-"));
	jw_kbool(w, "CpuCfsPeriod", cgroup_has("cpu/cpu.cfs_period_us", "cpu"));
	jw_kbool(w, "CpuCfsQuota", cgroup_has("cpu/cpu.cfs_quota_us", "cpu"));
	jw_kbool(w, "CPUShares", cgroup_has("cpu/cpu.shares", "cpu"));
	jw_kbool(w, "CPUSet", cgroup_has("cpuset/cpuset.cpus", "cpuset"));
	jw_kbool(w, "PidsLimit", cgroup_has("pids/cgroup.procs", "pids"));
	file_read_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 16, &forward, &err);
	jw_kbool(w, "IPv4Forwarding", *str_cstr(&forward) == '1');
}

static int count_fds(void)
{
	auto_dir DIR *d = opendir("/proc/self/fd");
	int n = -3; /* ".", "..", and the one of this walk */

	while (d && readdir(d))
		n++;
	return n;
}

/* PRETTY_NAME of os-release(5). */
char *api_operating_system(void)
{
	auto_str text = STR_INIT;
	struct error err = ERROR_INIT;
	const char *at;

	if (file_read_at(AT_FDCWD, "/etc/os-release", 65536, &text, &err) < 0 &&
	    file_read_at(AT_FDCWD, "/usr/lib/os-release", 65536, &text, &err) < 0)
		return xstrdup("Linux");
	at = strstr(str_cstr(&text), "PRETTY_NAME=");
	if (!at)
		return xstrdup("Linux");
	at += strlen("PRETTY_NAME=");
	if (*at == '"' || *at == '\'')
		return xstrndup(at + 1, strcspn(at + 1, *at == '"' ? "\"" : "'"));
	return xstrndup(at, strcspn(at, "\n"));
}

static void print_registries(struct jw *w)
{
	const struct strlist *mirrors = config_list(api.config(), "registry-mirrors"),
			     *insecure = config_list(api.config(), "insecure-registries");

	jw_kobj(w, "RegistryConfig");
	jw_kobj(w, "IndexConfigs");
	jw_kobj(w, "docker.io");
	jw_kstrlist(w, "Mirrors", mirrors, false);
	jw_kstr(w, "Name", "docker.io");
	jw_kbool(w, "Official", true);
	jw_kbool(w, "Secure", true);
	jw_end(w);
	for (size_t i = 0; i < insecure->n; i++) {
		if (strchr(insecure->v[i], '/'))
			continue;
		jw_kobj(w, insecure->v[i]);
		jw_karr(w, "Mirrors");
		jw_end(w);
		jw_kstr(w, "Name", insecure->v[i]);
		jw_kbool(w, "Official", false);
		jw_kbool(w, "Secure", false);
		jw_end(w);
	}
	jw_end(w);
	jw_karr(w, "InsecureRegistryCIDRs");
	for (size_t i = 0; i < insecure->n; i++)
		if (strchr(insecure->v[i], '/'))
			jw_str(w, insecure->v[i]);
	jw_str(w, "::1/128");
	jw_str(w, "127.0.0.0/8");
	jw_end(w);
	jw_kstrlist(w, "Mirrors", mirrors, true);
	jw_end(w);
}

/* Credentials in a proxy's URL are nobody's business. */
static void print_proxy(struct jw *w, const char *name, const char *url)
{
	const char *at = strstr(url, "://"), *user = at ? memrchr(at, '@', strlen(at)) : NULL;
	auto_str text = STR_INIT;

	if (user)
		str_printf(&text, "%.*sxxxxx:xxxxx%s", (int)(at + 3 - url), url, user);
	jw_kstr(w, name, user ? str_cstr(&text) : url);
}

static const char *proxy_setting(const char *key, const char *upper, const char *lower)
{
	const char *v = config_str(api.config(), key);

	if (!*v)
		v = getenv(upper);
	if (str_empty(v))
		v = getenv(lower);
	return v ? v : "";
}

static void print_proxies(struct jw *w)
{
	print_proxy(w, "HttpProxy",
		    proxy_setting("proxies.http-proxy", "HTTP_PROXY", "http_proxy"));
	print_proxy(w, "HttpsProxy",
		    proxy_setting("proxies.https-proxy", "HTTPS_PROXY", "https_proxy"));
	jw_kstr(w, "NoProxy", proxy_setting("proxies.no-proxy", "NO_PROXY", "no_proxy"));
}

static void print_swarm(struct jw *w)
{
	jw_kobj(w, "Swarm");
	jw_kstr(w, "NodeID", "");
	jw_kstr(w, "NodeAddr", "");
	jw_kstr(w, "LocalNodeState", "inactive");
	jw_kbool(w, "ControlAvailable", false);
	jw_kstr(w, "Error", "");
	jw_knull(w, "RemoteManagers");
	jw_end(w);
}

static void print_security(struct jw *w, bool v2)
{
	const char *profile = config_str(api.config(), "seccomp-profile"),
		   *cgroupns = config_str(api.config(), "default-cgroupns-mode");

	jw_karr(w, "SecurityOptions");
	if (apparmor_enabled())
		jw_str(w, "name=apparmor");
	if (streq(profile, "unconfined")) {
		jw_str(w, "name=seccomp,profile=unconfined");
	} else {
		auto_free char *text =
		    xasprintf("name=seccomp,profile=%s", *profile ? profile : "builtin");

		jw_str(w, text);
	}
	if (idmap_current())
		jw_str(w, "name=userns");
	if (config_bool(api.config(), "no-new-privileges"))
		jw_str(w, "name=no-new-privileges");
	if (*cgroupns ? streq(cgroupns, "private") : v2)
		jw_str(w, "name=cgroupns");
	jw_end(w);
}

static void commit(struct jw *w, const char *name)
{
	jw_kobj(w, name);
	jw_kstr(w, "ID", "");
	jw_end(w);
}

static void print_storage(struct jw *w)
{
	auto_pairs rows = PAIRS_INIT;
	struct error err = ERROR_INIT;

	jw_kstr(w, "Driver", api.storage_driver);
	if (image_store_status(api.images, &rows, &err) < 0)
		log_warn("storage driver status", "error", err.text);
	jw_karr(w, "DriverStatus");
	for (size_t i = 0; i < rows.n; i++) {
		jw_arr(w);
		jw_str(w, rows.v[i].key);
		jw_str(w, rows.v[i].value);
		jw_end(w);
	}
	jw_end(w);
}

static void print_counts(struct jw *w)
{
	struct container_counts n = containers_count();
	size_t images, layers;

	image_store_count(api.images, &images, &layers);
	jw_ki64(w, "Containers", n.total);
	jw_ki64(w, "ContainersRunning", n.running);
	jw_ki64(w, "ContainersPaused", n.paused);
	jw_ki64(w, "ContainersStopped", n.stopped);
	jw_ki64(w, "Images", (int64_t)images);
}

static void print_host(struct jw *w, bool v2)
{
	auto_free char *os = api_operating_system();
	char hostname[65] = {0}, now[CLOCK_TEXT];
	const struct config *c = api.config();
	struct sysinfo si;
	struct utsname u;

	uname(&u);
	sysinfo(&si);
	gethostname(hostname, sizeof(hostname) - 1);
	clock_format(clock_wall_ns(), now);
	jw_kbool(w, "Debug", config_bool(c, "debug"));
	jw_ki64(w, "NFd", count_fds());
	if (!v2)
		jw_kbool(w, "OomKillDisable", cgroup_has("memory/memory.oom_control", "-"));
	jw_ki64(w, "NGoroutines", 0);
	jw_kstr(w, "SystemTime", now);
	jw_kstr(w, "LoggingDriver", config_str(c, "log-driver"));
	jw_kstr(w, "CgroupDriver", "cgroupfs");
	jw_kstr(w, "CgroupVersion", v2 ? "2" : "1");
	jw_ki64(w, "NEventsListener", events_listeners());
	jw_kstr(w, "KernelVersion", u.release);
	jw_kstr(w, "OperatingSystem", os);
	jw_kstr(w, "OSVersion", "");
	jw_kstr(w, "OSType", "linux");
	jw_kstr(w, "Architecture", u.machine);
	jw_kstr(w, "IndexServerAddress", "https://index.docker.io/v1/");
	print_registries(w);
	jw_ki64(w, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
	jw_ki64(w, "MemTotal", (int64_t)si.totalram * si.mem_unit);
	jw_knull(w, "GenericResources");
	jw_kstr(w, "DockerRootDir", api.data_root);
	print_proxies(w);
	jw_kstr(w, "Name", hostname);
	jw_kstrlist(w, "Labels", config_list(c, "labels"), false);
	jw_kbool(w, "ExperimentalBuild", config_bool(c, "experimental"));
	jw_kstr(w, "ServerVersion", api_engine_version());
}

static void info(struct http_exchange *x, void *ctx)
{
	bool v2 = file_exists_at(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers");
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);

	(void)ctx;
	jw_obj(&w);
	jw_kstr(&w, "ID", api.daemon_id);
	print_counts(&w);
	print_storage(&w);
	print_plugins(&w);
	print_limits(&w, v2);
	print_host(&w, v2);
	containers_print_runtimes(&w);
	print_swarm(&w);
	jw_kbool(&w, "LiveRestoreEnabled", config_bool(api.config(), "live-restore"));
	jw_kstr(&w, "Isolation", "");
	jw_kstr(&w, "InitBinary", "docker-init");
	commit(&w, "ContainerdCommit");
	commit(&w, "RuncCommit");
	commit(&w, "InitCommit");
	print_security(&w, v2);
	if (x->api_version >= 49) {
		jw_kobj(&w, "FirewallBackend");
		jw_kstr(&w, "Driver", "iptables");
		jw_end(&w);
	}
	jw_karr(&w, "CDISpecDirs"); /* none: what a moby without that feature says */
	jw_end(&w);
	if (x->api_version < 50) {
		jw_kbool(&w, "BridgeNfIptables", false);
		jw_kbool(&w, "BridgeNfIp6tables", false);
	}
	if (x->api_version < 42)
		jw_kbool(&w, "KernelMemory", !v2);
	print_warnings(&w);
	jw_end(&w);
	http_reply_json(x, 200, &reply);
}

static void events(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	events_serve(x);
}

/* ---- system df ---------------------------------------------------------------------------------------------------------------- */

/* `member` of the reply that another list gives, or the list itself. */
static int embed(struct jw *w, const char *key, const struct str *list, const char *member,
		 struct error *err)
{
	auto_json *j = json_parse(str_cstr(list), list->len, err);

	if (!j)
		return -1;
	jw_kjson(w, key, member ? json_get(j, member) : j);
	return 0;
}

static bool wants(struct http_exchange *x, const char *type)
{
	bool any = false;

	for (size_t i = 0; i < x->query.n; i++)
		if (streq(x->query.v[i].key, "type")) {
			any = true;
			if (streq(x->query.v[i].value, type))
				return true;
		}
	return !any;
}

static int check_types(struct http_exchange *x, struct error *err)
{
	static const char *const known[] = {"container", "image", "volume", "build-cache"};

	for (size_t i = 0; i < x->query.n; i++) {
		bool found = !streq(x->query.v[i].key, "type");

		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			found = found || streq(x->query.v[i].value, known[k]);
		if (!found)
			return error_set(err, ERR_INVALID, "unknown object type: %s",
					 x->query.v[i].value);
	}
	return 0;
}

static int print_images(struct jw *w, int version, struct error *err)
{
	struct image_filter f = {.all = false, .shared_size = true, .containers = true};
	struct image_list images = {0};

	if (image_list_get(api.images, &f, &images, err) < 0)
		return -1;
	jw_karr(w, "Images");
	for (size_t i = 0; i < images.n; i++) {
		const struct image_summary *s = &images.v[i];

		jw_obj(w);
		jw_ki64(w, "Containers", s->containers < 0 ? 0 : s->containers);
		jw_ki64(w, "Created", s->created);
		jw_kstr(w, "Id", s->id);
		jw_kpairs(w, "Labels", &s->labels, true);
		jw_kstr(w, "ParentId", s->parent);
		jw_kstrlist(w, "RepoDigests", &s->digests, true);
		jw_kstrlist(w, "RepoTags", &s->tags, true);
		jw_ki64(w, "SharedSize", s->shared_size);
		jw_ku64(w, "Size", s->size);
		if (version < 44)
			jw_ku64(w, "VirtualSize", s->size);
		jw_end(w);
	}
	jw_end(w);
	image_list_free(&images);
	return 0;
}

/* What was not asked for is null. */
static int print_df(struct http_exchange *x, struct jw *w, struct error *err)
{
	struct container_list how = {.all = true, .size = true};
	auto_str containers = STR_INIT, volumes = STR_INIT;
	bool images = wants(x, "image");

	if (check_types(x, err) < 0)
		return -1;
	jw_obj(w);
	jw_ku64(w, "LayersSize", images ? image_store_layers_size(api.images) : 0);
	if (!images)
		jw_knull(w, "Images");
	else if (print_images(w, x->api_version, err) < 0)
		return -1;
	if (!wants(x, "container"))
		jw_knull(w, "Containers");
	else if (container_list(&how, &containers, err) < 0 ||
		 embed(w, "Containers", &containers, NULL, err) < 0)
		return -1;
	if (!wants(x, "volume"))
		jw_knull(w, "Volumes");
	else if (volume_usage(&volumes, err) < 0 || embed(w, "Volumes", &volumes, NULL, err) < 0)
		return -1;
	if (wants(x, "build-cache")) {
		jw_karr(w, "BuildCache");
		jw_end(w);
	} else {
		jw_knull(w, "BuildCache");
	}
	jw_end(w);
	return 0;
}

static void df(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);

	(void)ctx;
	api_answer(x, print_df(x, &w, &err), 200, &reply, &err);
}

static void options(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	http_reply_empty(x, 200);
}

const struct http_route api_system_routes[] = {
    {"GET", "/_ping", ping, 0},          {"HEAD", "/_ping", ping, 0},
    {"GET", "/version", version, 0},     {"GET", "/info", info, 0},
    {"GET", "/events", events, 0},       {"GET", "/system/df", df, 0},
    {"OPTIONS", "/{any:*}", options, 0},
};
const size_t api_system_routes_count = ARRAY_LEN(api_system_routes);
